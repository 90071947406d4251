#include "store/image_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- as a chunk source: mapped ------------------------------------------- */

struct image_file {
	struct chunk_source source;     /* first */
	struct image_layout layout;
	void *map;
	size_t map_size;
	const uint8_t *image;           /* in map */
	uint64_t size;
};

static const uint8_t *file_chunk(struct chunk_source *source, uint64_t id, enum image_part part, uint32_t number,
	size_t *size, bool *stable)
{
	struct image_file *f = (struct image_file *)source;
	uint64_t at;

	(void)id;
	*stable = true;
	if (f->layout.packed || part == PART_HEADER) {
		if (part != PART_HEADER || number)
			return NULL;
		*size = f->layout.packed ? f->size : f->layout.size;
		return f->image;
	}
	if (number >= f->layout.chunks[part])
		return NULL;
	at = frame_offset(&f->layout, part, number);
	*size = layout_chunk_size(&f->layout, part, number);
	if (part == PART_DATA) {
		if (at + DATA_HEADER_SIZE > f->size)
			return NULL;
		*size = data_used(f->image + at);
		if (*size > CHUNK_SIZE || *size < DATA_HEADER_SIZE)
			return NULL;
	}
	return at + *size <= f->size ? f->image + at : NULL;
}

struct image_file *image_file_open(int fd, uint64_t offset, uint64_t size, struct err *err)
{
	uint64_t page = offset & ~(uint64_t)(sysconf(_SC_PAGESIZE) - 1);
	struct image_file *f;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		err_system(err, "image file");
		return NULL;
	}
	if ((uint64_t)st.st_size < offset || (uint64_t)st.st_size - offset < size || size == 0) {
		err_set(err, ERR_CORRUPT, "image file: %lld octets, %llu from %llu wanted", (long long)st.st_size,
			(unsigned long long)size, (unsigned long long)offset);
		return NULL;
	}
	f = calloc(1, sizeof *f);
	if (!f) {
		err_set(err, ERR_NOMEM, "no memory to open an image file");
		return NULL;
	}
	f->source.chunk = file_chunk;
	f->size = size;
	f->map_size = (size_t)(offset + size - page);
	f->map = mmap(NULL, f->map_size, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (f->map == MAP_FAILED) {
		err_system(err, "mapping the image file");
		free(f);
		return NULL;
	}
	f->image = (const uint8_t *)f->map + (offset - page);
	if (layout_decode(&f->layout, f->image, (size_t)size, err)) {
		image_file_close(f);
		return NULL;
	}
	return f;
}

struct chunk_source *image_file_source(struct image_file *f)
{
	return &f->source;
}

void image_file_close(struct image_file *f)
{
	if (!f)
		return;
	munmap(f->map, f->map_size);
	free(f);
}

/* ---- chunk by chunk: read ------------------------------------------------ */

static int frame_read(struct image_frames *f, uint64_t at, size_t size, size_t *got, struct err *err)
{
	*got = 0;
	while (*got < size) {
		ssize_t n = pread(f->fd, f->buffer + *got, size - *got, (off_t)(f->offset + at + *got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_system(err, "reading the image file");
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return 0;
}

int image_frames_begin(struct image_frames *f, int fd, uint64_t offset, uint64_t size, struct err *err)
{
	memset(f, 0, sizeof *f);
	f->fd = fd;
	f->offset = offset;
	f->size = size;
	f->part = PART_HEADER;
	f->total = 1;
	f->buffer = malloc(CHUNK_SIZE);
	if (!f->buffer)
		return err_set(err, ERR_NOMEM, "no memory for a chunk");
	return 0;
}

static int frames_header(struct image_frames *f, size_t *size, struct err *err)
{
	struct image_layout l;
	uint64_t end;

	if (frame_read(f, 0, f->size < CHUNK_SIZE ? (size_t)f->size : CHUNK_SIZE, size, err) ||
	    layout_decode(&l, f->buffer, *size, err))
		return -1;
	f->header = l.header;
	if (l.packed) {
		if (f->size > CHUNK_SIZE || *size != f->size)
			return err_set(err, ERR_CORRUPT, "image file: a packed image of %zu octets in %llu", *size, (unsigned long long)f->size);
		f->part = PART_COUNT;
		return 1;
	}
	memcpy(f->chunks, l.chunks, sizeof f->chunks);
	f->total = 1 + (uint64_t)l.chunks[PART_DATA] + l.chunks[PART_DIRECTORY] + l.chunks[PART_ORDER];
	end = frame_offset(&l, PART_ORDER, l.chunks[PART_ORDER]) - CHUNK_STRIDE;
	if (end >= f->size || f->size - end > CHUNK_SIZE)
		return err_set(err, ERR_CORRUPT, "image file: %llu octets for %llu chunks", (unsigned long long)f->size, (unsigned long long)f->total);
	*size = l.size;
	f->part = l.chunks[PART_DATA] ? PART_DATA : l.chunks[PART_DIRECTORY] ? PART_DIRECTORY : PART_ORDER;
	return 1;
}

int image_frames_next(struct image_frames *f, enum image_part *part, uint32_t *number,
	const uint8_t **chunk, size_t *size, struct err *err)
{
	struct image_layout l;
	uint64_t at;
	size_t want;

	*chunk = f->buffer;
	*part = f->part;
	*number = f->number;
	if (f->part == PART_COUNT)
		return 0;
	f->done++;
	if (f->part == PART_HEADER)
		return frames_header(f, size, err);
	l.header = f->header;
	memcpy(l.chunks, f->chunks, sizeof l.chunks);
	at = frame_offset(&l, f->part, f->number);
	want = layout_chunk_size(&l, f->part, f->number);
	if (frame_read(f, at, want, size, err))
		return -1;
	if (f->part == PART_DATA) {
		want = *size < DATA_HEADER_SIZE ? SIZE_MAX : data_used(f->buffer);
		if (want < DATA_HEADER_SIZE || want > *size)
			return err_set(err, ERR_CORRUPT, "image file: data chunk %u says %zu octets, there are %zu", f->number, want, *size);
		*size = want;
	} else if (*size != want) {
		return err_set(err, ERR_CORRUPT, "image file: cut short at chunk %llu of %llu", (unsigned long long)f->done, (unsigned long long)f->total);
	}
	f->number++;
	while (f->part < PART_COUNT && f->number >= f->chunks[f->part]) {
		f->part++;
		f->number = 0;
	}
	return 1;
}

void image_frames_end(struct image_frames *f)
{
	free(f->buffer);
	f->buffer = NULL;
}

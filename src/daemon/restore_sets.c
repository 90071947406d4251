/* Sets of a backup in text form: an image out of each zone file, and of each
 * file of spare SOAs. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/backup.h"
#include "daemon/restore_internal.h"
#include "daemon/rows_json.h"
#include "zone/load.h"

#define SMALL_OCTETS    (1u << 20)      /* of images that are put at once */
#define COPY_SLICE_US   200000

/* ---- images -------------------------------------------------------------- */

int restore_put_small(struct text_restore *r)
{
	int status = 0;

	if (r->small_count)
		status = store_images_put_packed(r->store, r->small_count, r->small_id, (const uint8_t *const *)r->small,
			r->small_size, r->err);
	for (unsigned i = 0; i < r->small_count; i++)
		free(r->small[i]);
	r->small_count = 0;
	r->small_octets = 0;
	return status;
}

static int keep_small(struct text_restore *r, int fd, uint64_t offset, uint64_t id, size_t size)
{
	uint8_t *image = malloc(size);
	size_t got = 0;

	if (!image)
		return err_set(r->err, ERR_NOMEM, "no memory for an image");
	while (got < size) {
		ssize_t n = pread(fd, image + got, size - got, (off_t)(offset + got));

		if (n <= 0) {
			free(image);
			return err_system(r->err, "reading an image back");
		}
		got += (size_t)n;
	}
	r->small_id[r->small_count] = id;
	r->small[r->small_count] = image;
	r->small_size[r->small_count++] = size;
	r->small_octets += size;
	return r->small_count == SMALL_IMAGES || r->small_octets >= SMALL_OCTETS ? restore_put_small(r) : 0;
}

static int put_image(struct text_restore *r, uint64_t id, uint64_t size)
{
	struct copy_in *copy;
	int n;

	if (size <= CHUNK_SIZE)
		return keep_small(r, r->image_fd, 0, id, (size_t)size);
	if (copy_in_begin(r->store, r->image_fd, 0, size, id, &copy, r->err) < 0)
		return -1;
	while ((n = copy_in_step(copy, COPY_SLICE_US, r->err)) > 0)
		;
	copy_in_free(copy);
	return n;
}

/* ---- spare SOAs ---------------------------------------------------------- */

/* The image file that was made last, as a view. */
struct base_view { struct image_file *file; struct view view; };

static int base_view_open(struct base_view *b, struct text_restore *r, const struct set_row *set)
{
	struct view *v = &b->view;

	memset(b, 0, sizeof *b);
	b->file = image_file_open(r->image_fd, 0, set->octets, r->err);
	if (!b->file)
		return -1;
	v->image[0] = image_open(image_file_source(b->file), 1, r->err);
	if (!v->image[0])
		return -1;
	v->images = 1;
	v->apex = r->zone.apex;
	v->apex_size = r->zone.apex_size;
	v->apex_labels = name_count_labels(r->zone.apex);
	v->hash_key = store_writer_hash_key(r->store);
	return 0;
}

static void base_view_close(struct base_view *b)
{
	image_close(b->view.image[0]);
	image_file_close(b->file);
}

static int open_set_file(struct text_restore *r, const char *name)
{
	int fd;

	if (name[0] == '.' || strchr(name, '/'))
		return err_set(r->err, ERR_CORRUPT, "\"%.100s\" is no name of a file in %s", name, BACKUP_SETS);
	fd = openat(r->sets_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_system(r->err, "cannot read %s/%s", BACKUP_SETS, name) : fd;
}

/* Of the edition whose image lies in image_fd. */
static int read_spares(struct text_restore *r, const json_t *edition, const struct set_row *set)
{
	const char *name = json_string_value(json_object_get(edition, "spares"));
	struct set_at at = { set->id, set->edition };
	struct spares_request q = { .text_name = name, .image_fd = r->spares_fd };
	struct spares_result made = { .spares = NULL };
	struct base_view base;
	int status;

	if (!name)
		return 0;
	q.text_fd = open_set_file(r, name);
	if (q.text_fd < 0)
		return -1;
	status = base_view_open(&base, r, set);
	q.view = &base.view;
	if (status == 0)
		status = ftruncate(r->spares_fd, 0) < 0 ? err_system(r->err, "the image file") : zone_spares(&q, &made, r->err);
	base_view_close(&base);
	close(q.text_fd);
	for (size_t i = 0; i < made.count && status == 0; i++) {
		struct spare spare = { .serial = made.spares[i].serial, .until = made.spares[i].until, .octets = made.spares[i].size,
			.image = catalog_next_image_id(r->txn) };

		status = made.spares[i].size > CHUNK_SIZE ? err_set(r->err, ERR_LIMIT, "a spare SOA beside too large an apex") :
			keep_small(r, r->spares_fd, made.spares[i].offset, spare.image, (size_t)spare.octets);
		if (status == 0)
			status = catalog_put_spare(r->txn, r->zone.id, at, &spare, r->err);
		r->spares++;
	}
	free(made.spares);
	return status;
}

/* ---- editions ------------------------------------------------------------ */

/* The zone file becomes the image file. */
static int load_file(struct text_restore *r, const char *name, struct load_result *result)
{
	struct load_request q = { .apex = r->zone.apex, .apex_size = r->zone.apex_size, .hash_key = store_writer_hash_key(r->store),
		.text_name = name, .image_fd = r->image_fd, .scratch_fd = r->scratch_fd, .include_anywhere = false };
	int status;

	q.text_fd = open_set_file(r, name);
	if (q.text_fd < 0)
		return -1;
	if (ftruncate(r->image_fd, 0) < 0)
		status = err_system(r->err, "the image file");
	else
		status = zone_load(&q, result, r->err);
	close(q.text_fd);
	return status;
}

static int check_hash(struct text_restore *r, const json_t *edition, const struct set_row *set, const char *name)
{
	struct content_hash wanted;

	content_from_json(&wanted, json_object_get(edition, "hash"));
	if (memcmp(&wanted, &set->hash, sizeof wanted) != 0)
		return err_set(r->err, ERR_CORRUPT, "%s/%s does not hold what was backed up: its content hash is another; it was changed "
			"or damaged since", BACKUP_SETS, name);
	return 0;
}

int restore_edition(struct text_restore *r, const json_t *json, struct set_row *set)
{
	const char *name = json_string_value(json_object_get(json, "file"));
	json_int_t edition = json_integer_value(json_object_get(json, "edition"));
	struct load_result result;
	uint64_t id;

	if (!name || edition <= (json_int_t)set->edition || edition > UINT32_MAX)
		return err_set(r->err, ERR_CORRUPT, "an edition without a file, or not behind the one before");
	if (set->images > IMAGE_DELTA_MAX)
		return err_set(r->err, ERR_CORRUPT, "a set of more than %d editions", IMAGE_DELTA_MAX + 1);
	if (load_file(r, name, &result) < 0)
		return -1;
	id = catalog_next_image_id(r->txn);
	if (put_image(r, id, result.image_size) < 0)
		return -1;
	set->edition = (uint32_t)edition;
	set->image[set->images++] = (struct set_image){ id, 0, set->edition, result.image_size };
	set->soa_serial = result.soa_serial;
	set->records = result.header.records;
	set->rrsets = result.header.rrsets;
	set->nodes = result.header.nodes;
	set->octets = result.image_size;
	memcpy(set->hash.word, result.header.content, sizeof set->hash.word);
	set->signing = result.signing;
	set->flags = (set->flags & ~SET_SERIAL_FIXED) | (result.serial_fixed ? SET_SERIAL_FIXED : 0);
	r->editions++;
	return check_hash(r, json, set, name) < 0 ? -1 : read_spares(r, json, set);
}

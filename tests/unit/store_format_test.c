/*
 * The octets of FORMAT.md. Where one of these tests fails the format has
 * changed: then it needs a new number, there and in the code.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image_model.h"
#include "store/catalog_rows.h"
#include "store/image_format.h"
#include "store/key.h"
#include "wire/rrtype.h"

/* ---- rows --------------------------------------------------------------------- */

static size_t from_hex(const char *hex, uint8_t *p)
{
	size_t n = 0;

	for (; *hex; hex++) {
		char two[3] = { hex[0], hex[1], '\0' };

		if (*hex == ' ')
			continue;
		p[n++] = (uint8_t)strtoul(two, NULL, 16);
		hex++;
	}
	return n;
}

static void assert_hex(const uint8_t *p, int n, const char *hex)
{
	uint8_t want[ROW_MAX];
	size_t size = from_hex(hex, want);

	assert_int_equal(n, size);
	assert_memory_equal(p, want, size);
}

static void test_row_of_a_zone(void **state)
{
	struct zone_row zone = { .apex = "\1a\2de", .apex_size = 6, .id = 0x0102030405060708, .live = { 9, 10 }, .previous = { 11, 12 }, .spare = 13,
		.served_serial = 0x11223344, .highest_serial = 0x55667788, .flags = ZONE_HELD | ZONE_SERIAL_KNOWN, .zones_below = 3,
		.switch_id = 4, .switched_at_us = -1, .created_us = 2, .properties = "k=v\n" }, again;
	uint8_t buf[ROW_MAX];
	struct err err = ERR_INIT;
	int n = row_put_zone(buf, &zone, &err);

	assert_hex(buf, n, "01 06 016102646500 0807060504030201 0900000000000000 0a000000 0b00000000000000 0c000000 0d00000000000000 44332211 88776655"
		"05000000 03000000 0400000000000000 ffffffffffffffff 0200000000000000 0400 6b3d760a");
	memset(&again, 0, sizeof again);
	assert_int_equal(row_get_zone(&again, buf, (size_t)n, &err), 0);
	assert_memory_equal(&again, &zone, sizeof zone);
	for (int i = 0; i < n; i++)
		assert_int_equal(row_get_zone(&again, buf, (size_t)i, &err), -1);
	err_clear(&err);
	buf[0] = 2;
	assert_int_equal(row_get_zone(&again, buf, (size_t)n, &err), -1);
	assert_string_equal(err.code, ERR_CORRUPT);
}

static void test_row_of_a_set(void **state)
{
	struct set_row set = { .id = 1, .zone = 2, .name = "new", .state = SET_FAILED, .flags = SET_SERVED, .edition = 3, .soa_serial = 4,
		.records = 5, .rrsets = 6, .nodes = 7, .octets = 8, .hash = { { 9, 10, 11, 12, 13, 14, 15, 16 } }, .signing = { .is_signed = true, .keys = 1, .until = 0x11,
		.key = { { .hash = 0x12, .tag = 0x1314, .algorithm = 0x15, .flags = KEY_SIGNS } } }, .created_us = 17,
		.base_of = { 18, 19 }, .source = "s", .note = "n", .images = 1, .image = { { 20, 21, 22, 23 } } }, again;
	uint8_t buf[ROW_MAX];
	struct err err = ERR_INIT;
	int n = row_put_set(buf, &set, &err);

	assert_hex(buf, n, "01 0100000000000000 0200000000000000 0300 6e6577 02 04000000 03000000 04000000 0500000000000000"
		"0600000000000000 0700000000000000 0800000000000000 0900000000000000 0a00000000000000 0b00000000000000 0c00000000000000"
		"0d00000000000000 0e00000000000000 0f00000000000000 1000000000000000 01 1100000000000000 01 1200000000000000 1413 15 02"
		"1100000000000000 1200000000000000 13000000"
		"0100 73 0100 6e 01 1400000000000000 15000000 16000000 1700000000000000");
	memset(&again, 0, sizeof again);
	assert_int_equal(row_get_set(&again, buf, (size_t)n, &err), 0);
	assert_memory_equal(&again, &set, sizeof set);
	set.images = IMAGE_DELTA_MAX + 1;
	memset(set.source, 's', sizeof set.source - 1);
	memset(set.note, 'n', sizeof set.note - 1);
	memset(set.name, 'm', sizeof set.name - 1);
	set.signing.keys = SET_KEYS_MAX;
	/* the largest there can be fits */
	assert_true(row_put_set(buf, &set, &err) > 1000);
}

static void test_other_rows(void **state)
{
	struct meta_row meta = { .schema = 1, .store_id = "0123456789abcdef", .hash_key = 2, .generation = 3, .last_zone = 4, .last_set = 5,
		.last_image = 6, .last_history = 7, .last_group = 8 };
	struct edition_row edition = { .flags = 2, .soa_serial = 3, .records = 4, .rrsets = 5, .nodes = 6, .octets = 7, .hash = { { 8 } } };
	struct spare_row spare = { .image = 1, .octets = 2, .until = 3 };
	struct group_row group = { .id = 1, .members = 2, .last_switch = 3 };
	struct held_row held = { .flags = 3, .from = { 4, 5 } };
	struct history_row history = { .id = 1, .kind = SWITCH_ROLLBACK, .at_us = 2, .who = { 3, 4, 5, 6, "root" }, .group = "g",
		.note = "why", .members = 7, .held_members = 8 };
	struct history_member member = { .apex = "\1a", .apex_size = 3, .zone = 1, .from = { 2, 3 }, .to = { 4, 5 }, .from_name = "x",
		.to_name = "yz", .from_serial = 6, .to_serial = 7 };
	uint8_t buf[ROW_MAX];
	struct err err = ERR_INIT;
	struct cursor c;

	assert_hex(buf, row_put_meta(buf, &meta, &err), "01 01000000 30313233343536373839616263646566 0200000000000000 0300000000000000"
		"0400000000000000 0500000000000000 0600000000000000 0700000000000000 0800000000000000");
	assert_hex(buf, row_put_edition(buf, &edition, &err), "01 02000000 03000000 0400000000000000 0500000000000000 0600000000000000"
		"0700000000000000 0800000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000"
		"0000000000000000 0000000000000000 00");
	assert_hex(buf, row_put_spare(buf, &spare, &err), "01 0100000000000000 0200000000000000 0300000000000000");
	assert_hex(buf, row_put_group(buf, &group, &err), "01 0100000000000000 0200000000000000 0300000000000000");
	assert_hex(buf, row_put_held(buf, &held, &err), "01 03000000 0400000000000000 05000000");
	assert_hex(buf, row_put_history(buf, &history, &err), "01 0100000000000000 01 0200000000000000 03000000 04000000 05000000 06000000"
		"0400 726f6f74 0100 67 0300 776879 07000000 08000000");
	c = cursor_over(buf, sizeof buf);
	row_put_member(&c, &member);
	assert_hex(buf, (int)c.at, "03 016100 0100000000000000 0200000000000000 03000000 0400000000000000 05000000 0100 78 0200 797a"
		"06000000 07000000");
}

static void assert_key(const char *name, const char *hex)
{
	uint8_t wire[NAME_MAX_SIZE], key[KEY_MAX];
	const char *reason = NULL;
	struct err err = ERR_INIT;
	size_t size = name_from_text(wire, name, strlen(name), NULL, false, &reason);
	uint8_t lower[NAME_MAX_SIZE], back[NAME_MAX_SIZE];
	int n = key_from_name(key, wire, size, &err);

	assert_hex(key, n, hex);
	name_lower(lower, wire, size);
	assert_int_equal(key_to_name(back, key, (size_t)n), size);
	assert_memory_equal(back, lower, size);
	/* cut short it is no key, or that of a name above */
	for (size_t cut = 0; cut < (size_t)n; cut++)
		assert_true(key_to_name(back, key, cut) < size);
}

static void test_keys_of_names(void **state)
{
	uint8_t wire[NAME_MAX_SIZE], back[NAME_MAX_SIZE], key[KEY_MAX];
	struct err err = ERR_INIT;
	size_t at = 0;

	assert_key(".", "00");
	assert_key("De.", "646500");
	assert_key("A.de.", "6465 00 61 00");
	assert_key("\\000\\001\\002x.de.", "6465 00 0101 0102 02 78 00");
	/* four labels of octets that take two each */
	for (int i = 0; i < 4; i++) {
		wire[at] = i == 3 ? 61 : 63;
		memset(wire + at + 1, 0, wire[at]);
		at += 1 + (size_t)wire[at];
	}
	wire[at++] = 0;
	assert_int_equal(at, NAME_MAX_SIZE);
	assert_true(key_from_name(key, wire, at, &err) == 504);
	assert_int_equal(key_to_name(back, key, 504), NAME_MAX_SIZE);
	assert_memory_equal(back, wire, NAME_MAX_SIZE);
	/* what is no key of ours */
	assert_int_equal(key_to_name(back, (const uint8_t *)"a\1", 2), 0);
	assert_int_equal(key_to_name(back, (const uint8_t *)"\1\3\0", 3), 0);
	assert_int_equal(key_to_name(back, (const uint8_t *)"\0\0", 2), 0);
	memset(key, 'x', sizeof key);
	assert_int_equal(key_to_name(back, key, sizeof key), 0);
}

/* ---- images --------------------------------------------------------------------- */

/* Of every octet of an image file but those between its chunks. */
static uint64_t print_of(const struct model_image *image)
{
	struct image_frames f;
	struct err err = ERR_INIT;
	enum image_part part;
	const uint8_t *chunk;
	uint64_t print = 14695981039346656037u;
	uint32_t number;
	size_t size;
	int rc;

	assert_int_equal(image_frames_begin(&f, image->fd, 0, image->size, &err), 0);
	while ((rc = image_frames_next(&f, &part, &number, &chunk, &size, &err)) == 1)
		for (size_t i = 0; i < size; i++)
			print = (print ^ chunk[i]) * 1099511628211u;
	assert_int_equal(rc, 0);
	image_frames_end(&f);
	return print;
}

static void test_a_small_image(void **state)
{
	struct model_image image;
	uint8_t bytes[1024];
	struct model m;

	model_begin(&m, "de");
	model_a(&m, "a.b", 0x01020304);
	model_name(&m, "", TYPE_NS, "x.de.");
	model_sort(&m);
	model_build(&image, &m, false);
	assert_int_equal(image.size, 344);
	assert_int_equal(pread(image.fd, bytes, sizeof bytes, 0), image.size);
	assert_int_equal(load_le32(bytes), 0x474d4953);
	assert_int_equal(load_le32(bytes + 4), 2);
	assert_int_equal(load_le32(bytes + 8), 2);              /* packed */
	assert_memory_equal(bytes + 12, "\4\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\xff\xff\xff\xff\3\0\0\0\0\0\0\0\1\0\0\0", 36);
	assert_int_equal(load_le64(bytes + 64), 2);             /* RRsets */
	assert_memory_equal(bytes + 144, "\2de\0\0\0\0\0", 8);
	/* the data chunk */
	assert_hex(bytes + 152, 16, "70000000 00000000 ffffffff 00000000");
	/* its first node, the apex with NS x: the entry, the head, the records, a patch, a target */
	assert_hex(bytes + 168, 48, "0600 0100 00 00 0100 1600 0100 0000 1000 0000 0100 0100"
		"c00c 0002 0001 0000012c 0004 0178 c000 0e00 0c00 000000000000");
	/* the empty non-terminal b */
	assert_hex(bytes + 216, 16, "0200 1000 02 01 0000 0162 000000000000");
	/* a.b, with a plain RRset */
	assert_hex(bytes + 232, 32, "0400 0000 04 02 0100 0f00 01610162 c00c 0001 0001 0000012c 0004 01020304 0000");
	/* the one line of the directory: the slots of three names, in their order */
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		assert_int_equal(line_place(bytes + 264, i), i == 0 ? 2 : i == 1 ? 8 : i == 2 ? 10 : 0);
	assert_memory_equal(bytes + 270, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 14);
	assert_hex(bytes + 324, 4, "0000 0300");
	/* the one entry of the order is for the apex */
	assert_memory_equal(bytes + 328, "\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0", 16);
	model_close(&image);
	model_free(&m);
}

/* Three RRsets of 41,440 octets each: two do not fit beside the third. */
static void test_a_node_with_far_rrsets(void **state)
{
	static uint8_t rdata[1024];
	struct model_image image;
	uint8_t bytes[128];
	struct model m;

	model_begin(&m, "de");
	for (uint16_t type = 65300; type < 65303; type++)
		for (unsigned k = 0; k < 40; k++) {
			rdata[0] = (uint8_t)k;
			model_add_at(&m, "big", type, 30, rdata, sizeof rdata);
		}
	model_sort(&m);
	model_build(&image, &m, false);
	assert_int_equal(image.header.chunks[PART_DATA], 4);
	/* chunk 1: the first of them, all octets of it */
	assert_int_equal(pread(image.fd, bytes, 32, FRAME_FIRST + CHUNK_STRIDE), 32);
	assert_hex(bytes, 32, "f0a10000 02000000 ffffffff 00000000 c00c ff14 0001 0000001e 0400 00000000");
	/* the node begins chunk 3 */
	assert_int_equal(pread(image.fd, bytes, 98, FRAME_FIRST + 3 * CHUNK_STRIDE + DATA_HEADER_SIZE), 98);
	assert_hex(bytes, 86, "4514 0000 04 01 0300 1e00 3200 4600 03626967"
		"2800 0000 e0a1 0000 0000 0000 0000 ff14 02200000"
		"2800 0000 e0a1 0000 0000 0000 0000 ff15 02400000"
		"2800 0000 e0a1 0000 0000 0000 c00c ff16 0001 0000001e 0400 00000000");
	model_close(&image);
	model_free(&m);
}

/* What the builder of format 1 made of a zone with NS and SOA at its apex. */
static void test_format_1_is_refused(void **state)
{
	static const char *const hex =
		"53494d4701000000 0200000008000000 0100000001000000 0100000000000000 ffffffff01000000"
		"0000000001000000 9800000000000000 efcdab8967452301 0200000000000000 0200000000000000"
		"358b667f39c14548 a138a334218f28b0 5e38bc038731f7df f791c499f545ee05 4d64da744f069da3"
		"b6fafaf0ef61ccee 6d16fe62a547b90e fdbded0c2cbbad2e 0166047465737400 9800000000000000"
		"ffffffff00000000 8800000001000000 0200000000000000 0200010000000000 3800000011000000"
		"0100010006000100 000000004d000000 3300000001000000 c00c000200010000 012c0005026e73c0"
		"000f000c00c00c00 06000100000e1000 27026e73c0000468 6f737407696e7661 6c69640000000001"
		"00000e1000000258 000151800000012c 0f00000000000000 c6bf487502000000 0000000000000000"
		"0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000"
		"0000000000000000 0000000000000000 0000000002000000";
	int fd = memfd_create("format 1", MFD_CLOEXEC);
	struct err err = ERR_INIT;
	uint8_t bytes[1024];
	size_t size = from_hex(hex, bytes);

	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	/* by readers and by the writer */
	assert_null(image_file_open(fd, 0, size, &err));
	assert_string_equal(err.code, ERR_VERSION);
	assert_non_null(strstr(err.message, "format 1"));
	assert_non_null(strstr(err.message, "text backup"));
	err_clear(&err);
	assert_null(image_check_new(bytes, size, MODEL_KEY, &err));
	assert_string_equal(err.code, ERR_VERSION);
	close(fd);
}

static void test_images_are_as_ever(void **state)
{
	static const struct { size_t names; unsigned what; uint64_t print; } rows[] = {
		{ 8, MODEL_NSEC3, 0xc4c546710557616b }, { 900, MODEL_NSEC3 | MODEL_CUTS | MODEL_STRANGE, 0x48c1b44ef4ac810 },
	};

	for (size_t i = 0; i < 2; i++) {
		struct model_image image;
		struct model m;

		model_random(&m, "pinned.example", 42, rows[i].names, rows[i].what);
		model_build(&image, &m, false);
		if (print_of(&image) != rows[i].print)
			fail_msg("image %zu is another: %#llx. Is it a new format?", i, (unsigned long long)print_of(&image));
		model_close(&image);
		model_free(&m);
	}
}

static void test_content_hash_is_as_ever(void **state)
{
	static const uint8_t address[4] = { 192, 0, 2, 1 };
	struct build_record record = { .rdata = address, .size = 4 };
	struct build_rrset set = { .type = TYPE_A, .ttl = 3600, .records = &record, .count = 1 };
	struct content_hash hash;
	char text[CONTENT_HASH_TEXT];

	content_hash_rrset(&hash, (const uint8_t *)"\3www\7example", 13, &set);
	assert_string_equal(content_hash_text(&hash, text), "6020107d31f9f7f92c02f86e04a470d0");
}

static void test_hash_of_names_is_as_ever(void **state)
{
	struct name name;

	assert_int_equal(name_parse(&name, (const uint8_t *)"\3WWW\11long-name\7example", 23, 7), 23);
	assert_true(name.hash[3] == 7);
	assert_true(name.hash[2] == 0xf6a2d3f1d9c9f51bull);
	assert_true(name.hash[1] == 0x678cb162869c3cb2ull);
	assert_true(name.hash[0] == 0xdc2133dc41c518fdull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row_of_a_zone),
		cmocka_unit_test(test_row_of_a_set),
		cmocka_unit_test(test_other_rows),
		cmocka_unit_test(test_keys_of_names),
		cmocka_unit_test(test_a_small_image),
		cmocka_unit_test(test_a_node_with_far_rrsets),
		cmocka_unit_test(test_format_1_is_refused),
		cmocka_unit_test(test_images_are_as_ever),
		cmocka_unit_test(test_content_hash_is_as_ever),
		cmocka_unit_test(test_hash_of_names_is_as_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

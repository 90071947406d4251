#include "store_story.h"

#include <string.h>

#define A "a.example"
#define B "b.example"

static struct model versions[4], large;

void story_begin(void)
{
	model_random(&versions[0], A, 5, 30, MODEL_CUTS);
	for (unsigned i = 1; i < 4; i++)
		model_change(&versions[i], &versions[i - 1], i, 4);
	model_random(&large, B, 6, 900, MODEL_CUTS | MODEL_NSEC3);
}

void story_end(void)
{
	for (unsigned i = 0; i < 4; i++)
		model_free(&versions[i]);
	model_free(&large);
}

static int import(struct scene *s, const char *zone, const char *set, const struct model *m)
{
	struct import in = { .zone = zone, .set = set, .serial = 1, .model = m };

	return scene_import(s, &in, NULL);
}

static int add_a(struct scene *s) { return scene_zone_add(s, A); }
static int add_b(struct scene *s) { return scene_zone_add(s, B); }
static int import_old(struct scene *s) { return scene_import_text(s, A, "old", 100, "old"); }
static int import_new(struct scene *s) { return import(s, A, "new", &versions[0]); }
static int import_large(struct scene *s) { return import(s, B, "large", &large); }
static int import_small(struct scene *s) { return scene_import_text(s, B, "small", 7, "small"); }
static int go_old(struct scene *s) { return scene_cutover(s, A "@old", false, NULL); }
static int go_new(struct scene *s) { return scene_cutover(s, A "@new", true, NULL); }
static int go_back(struct scene *s) { return scene_rollback(s, A, NULL); }
static int go_both(struct scene *s) { return scene_cutover(s, A "@new " B "@large", true, NULL); }
static int edit_one(struct scene *s) { return scene_edit(s, A, "new", &versions[0], &versions[1], 3); }
static int edit_two(struct scene *s) { return scene_edit(s, A, "new", &versions[1], &versions[2], 4); }
static int edit_three(struct scene *s) { return scene_edit(s, A, "new", &versions[2], &versions[3], 5); }
static int fold(struct scene *s) { return scene_fold(s, A, "new"); }
static int clean(struct scene *s) { return scene_clean(s); }
static int group(struct scene *s) { return scene_group(s, "both", A " " B); }
static int group_small(struct scene *s) { return scene_cutover(s, A "@old " B "@small", true, NULL); }
static int confirm(struct scene *s) { return scene_confirm(s, A " " B, NULL); }
static int drop_large(struct scene *s) { return scene_drop(s, B, "large"); }
static int b_to_spare(struct scene *s) { return scene_cutover(s, B "@spare", false, NULL); }
static int import_spare(struct scene *s) { return scene_import_text(s, B, "spare", 9, "spare"); }
static int import_signed(struct scene *s) { return scene_import_signed(s, A, "signed", 1000, NULL); }
static int spare_one(struct scene *s) { return scene_spare(s, A, "signed", 1010); }
static int spare_two(struct scene *s) { return scene_spare(s, A, "signed", 1005); }
static int go_signed(struct scene *s) { return scene_cutover(s, A "@signed", true, NULL); }
static int drop_signed(struct scene *s) { return scene_drop(s, A, "signed"); }
static int remove_b(struct scene *s) { return scene_zone_remove(s, B); }

static const struct { const char *name; int (*run)(struct scene *); } steps[] = {
	{ "add a", add_a }, { "import old", import_old }, { "go old", go_old }, { "import new", import_new }, { "go new", go_new },
	{ "go back", go_back }, { "add b", add_b }, { "import large", import_large }, { "import small", import_small },
	{ "go both", go_both }, { "edit one", edit_one }, { "edit two", edit_two }, { "fold", fold }, { "clean", clean },
	{ "go back again", go_back }, { "group", group }, { "go new again", go_new }, { "edit three", edit_three },
	{ "group to small", group_small }, { "confirm", confirm }, { "import spare", import_spare }, { "b to spare", b_to_spare },
	{ "drop large", drop_large }, { "clean again", clean }, { "import large again", import_large }, { "remove b", remove_b },
	{ "clean at last", clean }, { "import signed", import_signed }, { "spare one", spare_one }, { "spare two", spare_two },
	{ "go signed", go_signed }, { "go back from signed", go_back }, { "go signed on a spare", go_signed },
	{ "go back from a spare", go_back }, { "drop signed", drop_signed }, { "clean spares", clean }, { "go new at last", go_new },
};

unsigned story_steps(void)
{
	return sizeof steps / sizeof steps[0];
}

const char *story_name(unsigned step)
{
	return steps[step].name;
}

int story_step(struct scene *s, unsigned step)
{
	return steps[step].run(s);
}

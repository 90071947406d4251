#include "store/signing.h"

static bool key_equal(const struct set_key *a, const struct set_key *b)
{
	return a->hash == b->hash && a->tag == b->tag && a->algorithm == b->algorithm && a->flags == b->flags;
}

bool set_signing_equal(const struct set_signing *a, const struct set_signing *b)
{
	if (a->is_signed != b->is_signed || a->more_keys != b->more_keys || a->keys != b->keys || a->until != b->until)
		return false;
	for (unsigned i = 0; i < a->keys; i++)
		if (!key_equal(&a->key[i], &b->key[i]))
			return false;
	return true;
}

/* By its rdata; one that is not even published where it signs, by its tag. */
static bool publishes(const struct set_signing *s, const struct set_key *key)
{
	for (unsigned i = 0; i < s->keys; i++) {
		const struct set_key *k = &s->key[i];

		if (!(k->flags & KEY_PUBLISHED))
			continue;
		if (key->hash ? k->hash == key->hash : k->tag == key->tag && k->algorithm == key->algorithm)
			return true;
	}
	return false;
}

static const struct set_key *missing_signer(const struct set_signing *signs, const struct set_signing *other)
{
	for (unsigned i = 0; i < signs->keys; i++)
		if (signs->key[i].flags & KEY_SIGNS && !publishes(other, &signs->key[i]))
			return &signs->key[i];
	return NULL;
}

enum keys_fit set_keys_fit(const struct set_signing *former, const struct set_signing *latter, struct set_key *missing)
{
	const struct set_key *key;

	if (!former->is_signed)
		return KEYS_FIT;
	if (!latter->is_signed)
		return KEYS_UNSIGNED;
	if (former->more_keys || latter->more_keys)
		return KEYS_TOO_MANY;
	key = missing_signer(latter, former);
	if (key) {
		*missing = *key;
		return KEYS_LATTER_SIGNER;
	}
	key = missing_signer(former, latter);
	if (!key)
		return KEYS_FIT;
	*missing = *key;
	return KEYS_FORMER_SIGNER;
}

#include "daemon/tcp_clients.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/prefix.h"
#include "daemon/worker.h"

#define IPV4_BITS 32
#define IPV6_BITS 56    /* of an address that are one client */

struct client {
	struct client *chain;           /* of the same bucket */
	struct address address;         /* or prefix */
	uint8_t size;                   /* octets of an address: 4, 16 */
	unsigned count;
	struct client_links connections;
};

int clients_init(struct clients *t, unsigned most, const uint8_t seed[16])
{
	size_t size = 16;

	while (size < most)
		size *= 2;
	t->bucket = calloc(size, sizeof *t->bucket);
	t->mask = size - 1;
	t->seed[0] = load_le64(seed) | 1;
	t->seed[1] = load_le64(seed + 8);
	return t->bucket ? 0 : -1;
}

void clients_free(struct clients *t)
{
	free(t->bucket);
	t->bucket = NULL;
}

static struct client **place(const struct clients *t, const struct address *a, uint8_t size)
{
	unsigned __int128 product = (unsigned __int128)(a->word[0] ^ t->seed[1]) * t->seed[0];
	struct client **p = &t->bucket[((uint64_t)product ^ (uint64_t)(product >> 64)) & t->mask];

	while (*p && ((*p)->size != size || (*p)->address.word[0] != a->word[0]))
		p = &(*p)->chain;
	return p;
}

static struct client **place_of(const struct clients *t, const struct sockaddr_storage *peer, struct address *a, uint8_t *size)
{
	struct answer_job job = { .client_size = 0 };

	worker_set_client(&job, peer);
	*a = (struct address){ { 0, 0 } };
	*size = job.client_size;
	if (job.client_size) {
		*a = address_load(job.client, job.client_size);
		a->word[0] &= prefix_mask(job.client_size == 4 ? IPV4_BITS : IPV6_BITS).word[0];
		a->word[1] = 0;
	}
	return place(t, a, *size);
}

const struct client_links *clients_find(const struct clients *t, const struct sockaddr_storage *peer, unsigned *count)
{
	struct address a;
	uint8_t size;
	const struct client *client = *place_of(t, peer, &a, &size);

	*count = client ? client->count : 0;
	return client ? &client->connections : NULL;
}

bool clients_join(struct clients *t, const struct sockaddr_storage *peer, struct client_link *link)
{
	struct address a;
	uint8_t size;
	struct client **p = place_of(t, peer, &a, &size);

	if (!*p) {
		*p = calloc(1, sizeof **p);
		if (!*p)
			return false;
		(*p)->address = a;
		(*p)->size = size;
		TAILQ_INIT(&(*p)->connections);
	}
	link->client = *p;
	link->client->count++;
	TAILQ_INSERT_TAIL(&link->client->connections, link, link);
	return true;
}

void clients_leave(struct clients *t, struct client_link *link)
{
	struct client *client = link->client, **p;

	TAILQ_REMOVE(&client->connections, link, link);
	if (--client->count)
		return;
	p = place(t, &client->address, client->size);
	*p = client->chain;
	free(client);
}

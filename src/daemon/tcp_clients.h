/* Who has TCP connections, by address: so that one client's cap can be told
 * from another's. */
#ifndef DAEMON_TCP_CLIENTS_H
#define DAEMON_TCP_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

struct client;

/* Part of what a connection is; in one client's list, in the order in which
 * they came. */
struct client_link {
	TAILQ_ENTRY(client_link) link;
	struct client *client;
};
TAILQ_HEAD(client_links, client_link);

struct clients {
	struct client **bucket; /* a keyed hash table, as large as there may be connections */
	size_t mask;
	uint64_t seed[2];
};

/* most: connections expected at once; more only make the chains longer. -1: no memory. */
int clients_init(struct clients *, unsigned most, const uint8_t seed[16]);
void clients_free(struct clients *);    /* none must be left */

/* The connections of the client with this address (IPv6: of its prefix, for
 * one client has many addresses there); NULL: it has none. */
const struct client_links *clients_find(const struct clients *, const struct sockaddr_storage *, unsigned *count);
/* One more; false: no memory. */
bool clients_join(struct clients *, const struct sockaddr_storage *, struct client_link *);
void clients_leave(struct clients *, struct client_link *);

#endif

/*
 * The configuration: one row per option (options.c), from which parsing,
 * checking, `schwenkd -t` and the man page's list come.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/prefix.h"

#define CONF_COOKIE_SECRETS 2
#define CONF_COOKIE_SECRET_SIZE 16

struct conf_listen { struct sockaddr_storage address; socklen_t size; char text[80]; };   /* "127.0.0.1@5300" */
#define CONF_OPTIONS_MAX 64          /* rows of options.c, at most */

struct conf {
	struct conf_listen *listen; size_t listen_count;
	char *database, *control;
	char *user;                     /* NULL: stay who we are */
	unsigned workers;
	char *operators, *stagers, *readers;   /* group names, NULL: none */
	char *log;                      /* "stderr" or "syslog" */
	char *log_level;
	uint64_t catalog_map_size, images_map_size;   /* octets */
	uint64_t loader_memory;
	unsigned loaders;               /* at once */
	unsigned loader_threads;        /* 0: CPUs that no worker has */
	uint16_t udp_payload_size;
	unsigned tcp_connections;       /* per worker */
	unsigned tcp_connections_per_client;
	unsigned tcp_idle_timeout, tcp_read_timeout;  /* seconds */
	uint64_t receive_buffer;        /* octets, per socket */
	unsigned rate_limit;            /* responses a second to a client's prefix; 0: no limit */
	unsigned rate_limit_slip;       /* of those over the limit every n-th is truncated; 0: none */
	uint64_t rate_limit_table;      /* octets, per worker */
	unsigned rate_limit_ipv4_prefix, rate_limit_ipv6_prefix;      /* bits */
	struct prefix_list rate_limit_exempt;
	bool include_anywhere;
	char *version, *hostname, *identity, *nsid;   /* CHAOS and NSID texts, NULL: off */
	char *cookie_secrets;           /* file, NULL: they are made up */
	unsigned switch_timeout;        /* seconds a silent worker is given: 5 */
	bool pin_workers;
	/* Where it was read, for what is found wrong later: the file, and the line
	 * of each option by its row in options.c; 0: a default. */
	char *file;
	size_t line[CONF_OPTIONS_MAX];
};

/* Several errors may be found: each is told through say ("file:line:column:
 * text"), the first is in err as well. On success *conf is the caller's. */
int conf_read(const char *path, struct conf **conf, void (*say)(void *, const char *text), void *arg, struct err *err);
int conf_parse(const char *text, size_t size, const char *name, struct conf **conf, void (*say)(void *, const char *text), void *arg, struct err *err);
/* As YAML again: parse, print, parse is the identity. */
int conf_print(const struct conf *, FILE *out);
void conf_free(struct conf *);
/* The file of the secrets that DNS cookies are made with (RFC 9018): one or
 * two lines of 32 hexadecimal digits; empty ones and "# …" are passed over.
 * The error says file and line, and never what stands there. */
int conf_read_cookie_secrets(const char *path, uint8_t secrets[CONF_COOKIE_SECRETS][CONF_COOKIE_SECRET_SIZE],
	unsigned *count, struct err *err);
/* What the configuration needs around it: the user, the groups, the cookie
 * secrets, a file system that LMDB works on. -1 with err set ("file:line:
 * option: …"); warnings (a copy-on-write file system) are told through say. */
int conf_check_surroundings(const struct conf *, void (*say)(void *, const char *text), void *arg, struct err *err);
/* What a file system (statfs's f_type) is to us; *name is static. */
enum conf_file_system { CONF_FS_ORDINARY, CONF_FS_NETWORK, CONF_FS_COPY_ON_WRITE, CONF_FS_VOLATILE };
enum conf_file_system conf_judge_file_system(unsigned long magic, const char **name);
/* The man page's list (mdoc), generated. */
void conf_print_options(FILE *out, bool mdoc);

#endif

/*
 * What must hold for every reply, whatever was asked: read octet by octet
 * here, and as ldns reads it.
 */
#ifndef TESTS_UNIT_REPLY_CHECK_H
#define TESTS_UNIT_REPLY_CHECK_H

#include "answer_zone.h"

/* The reply to a job that was answered from the store. payload_max: of the
 * answerer's options. Returns NULL, or what is wrong (static). *packet: the
 * reply, the caller's; NULL where there is none, or it cannot be read. */
const char *reply_check(const struct answer_job *, struct test_store *, uint16_t payload_max, ldns_pkt **packet);

#endif

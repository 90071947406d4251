/* Zones that several tests sign and serve: every shape that denial knows. */
#ifndef TESTS_UNIT_ANSWER_TEXTS_H
#define TESTS_UNIT_ANSWER_TEXTS_H

#define DIGEST "1 8 2 e2d3c916f6deeac73294e8268fb5885044a833fc5459588f4a9184cfc41a5766\n"

/* The SOA's own TTL is below its minimum: RFC 9077 asks for the lesser. */
static const char example_zone[] =
	"example. 200 IN SOA ns1.example. host.example. 7 7200 3600 1209600 300\n"
	"example. 3600 IN NS ns1.example.\n"
	"ns1.example. 3600 IN A 192.0.2.1\n"
	"www.example. 3600 IN A 192.0.2.2\n"
	"www.example. 3600 IN AAAA 2001:db8::2\n"
	"MiXed.example. 3600 IN TXT \"Case\"\n"
	"alias.example. 3600 IN CNAME www.example.\n"
	"nowhere.example. 60 IN CNAME missing.example.\n"
	"nodata.example. 60 IN CNAME ns1.example.\n"
	"out.example. 60 IN CNAME www.other.\n"
	"loop1.example. 60 IN CNAME loop2.example.\n"
	"loop2.example. 60 IN CNAME loop1.example.\n"
	"tosub.example. 60 IN CNAME host.sub.example.\n"
	"tosecure.example. 60 IN CNAME host.secure.example.\n"
	"towild.example. 60 IN CNAME made.wild.example.\n"
	"*.wild.example. 60 IN A 192.0.2.9\n"
	"*.wild.example. 60 IN MX 5 www.example.\n"
	"here.wild.example. 60 IN TXT \"here\"\n"
	"y.ent.wild.example. 60 IN TXT \"y\"\n"
	"a.*.deep.example. 60 IN A 192.0.2.10\n"
	"*.wc.example. 60 IN CNAME www.example.\n"
	"*.wcgone.example. 60 IN CNAME missing.example.\n"
	"*.wcwild.example. 60 IN CNAME x.wild.example.\n"
	"a.b.ent.example. 60 IN A 192.0.2.11\n"
	"sub.example. 60 IN NS ns.sub.example.\n"
	"ns.sub.example. 60 IN A 192.0.2.20\n"
	"secure.example. 60 IN NS ns.far.\n"
	"secure.example. 60 IN DS " DIGEST
	"x.optent.example. 60 IN NS ns.far.\n"
	"a.b.optent.example. 60 IN NS ns.far.\n"
	"n.*.optwild.example. 60 IN NS ns.far.\n"
	"y.mixent.example. 60 IN NS ns.far.\n"
	"z.mixent.example. 60 IN NS ns.far.\n"
	"z.mixent.example. 60 IN DS " DIGEST
	"d.example. 60 IN DNAME t.example.\n"
	"d.example. 60 IN TXT \"at the DNAME\"\n"
	"x.t.example. 60 IN A 192.0.2.30\n"
	"*.w.t.example. 60 IN TXT \"behind a DNAME\"\n"
	"dout.example. 60 IN DNAME other.\n"
	"dsub.example. 60 IN DNAME sub.example.\n"
	"a\\.dot.example. 60 IN A 192.0.2.40\n"
	"\\000.example. 60 IN A 192.0.2.41\n"
	"\\255.example. 60 IN A 192.0.2.42\n"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
		"ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.ddddddddddddddddddddddddddddddddddddddddddddddddddd."
		"example. 60 IN A 192.0.2.43\n";

static const char root_zone[] =
	". 86400 IN SOA a. b. 1 1 1 1 200\n" ". 3600 IN NS ns.\n" "ns. 3600 IN A 192.0.2.50\n"
	"com. 3600 IN NS ns.com.\n" "ns.com. 3600 IN A 192.0.2.51\n" "org. 3600 IN NS ns.org.\n" "org. 3600 IN DS " DIGEST
	"ns.org. 3600 IN AAAA 2001:db8::1\n" "al. 3600 IN CNAME ns.\n" "tld. 3600 IN DNAME com2.\n"
	"www.com2. 3600 IN MX 1 ns.\n" "arpa. 60 IN TXT \"here\"\n" "x.y.zz. 60 IN TXT \"ent\"\n";

#endif

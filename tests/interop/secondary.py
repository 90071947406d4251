"""An nsd that is secondary of a schwenkd, and what goes between them.

Primary       stands in for zone transfers, which schwenkd does not send yet: asks schwenkd for the
              SOA whenever the secondary asks for changes, and carries over the zone as `schwenk
              export` writes it. Which serials it saw in schwenkd's replies: serials.
NsdSecondary  follows it, and decides by itself whether a serial is ahead.
"""
import os
import socket
import struct
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers  # noqa: E402
import zones  # noqa: E402

s = servers.s
SOA, IXFR, AXFR = 6, 251, 252
MESSAGE = 16000         # octets of records in a message of a transfer


def records(text):
    """(type, octets) of each record of a zone's text, the SOA first."""
    out = subprocess.run(['ldns-read-zone', '-U', 'NULL', '/dev/stdin'], input=text, capture_output=True, text=True, check=True).stdout
    found = []
    for line in out.splitlines():
        owner, ttl, _, rrtype, rdata = line.split('\t')[:5]
        number = int(rrtype.removeprefix('TYPE'))
        octets = bytes.fromhex(''.join(rdata.split()[2:]))
        found.append((number, zones.wire(owner.encode()) + struct.pack('>HHIH', number, 1, int(ttl), len(octets)) + octets))
    return sorted(found, key=lambda record: record[0] != SOA)


def serial_of(soa):
    return struct.unpack_from('>I', soa[1], len(soa[1]) - 20)[0]


class Primary(threading.Thread):
    """Takes the secondary's TCP connections on a port of its own, one after the other."""

    def __init__(self, daemon, zone):
        super().__init__(daemon=True)
        self.d, self.zone, self.serials, self.wrong = daemon, zone, [], []
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.ended = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        socket.create_connection(('127.0.0.1', self.port)).close()     # wakes accept()
        self.join(10)
        self.sock.close()

    def run(self):
        while not self.ended:
            connection, _ = self.sock.accept()
            with connection:
                connection.settimeout(5)
                try:
                    self.serve(connection.makefile('rwb'))
                except Exception as error:      # noqa: the test tells it, in its own thread
                    self.wrong.append(repr(error))

    def serve(self, stream):
        while head := stream.read(2):
            query = stream.read(struct.unpack('>H', head)[0])
            for message in self.replies(query):
                stream.write(struct.pack('>H', len(message)) + message)
            stream.flush()

    def replies(self, query):
        end = 12 + len(s.wire_name(self.zone)) + 4
        rrtype = struct.unpack_from('>H', query, end - 4)[0]
        s.expect(rrtype in (SOA, IXFR, AXFR), 'the secondary asks for type %d', rrtype)
        served = self.d.tcp(self.zone, 'SOA')
        self.serials.append(int(served.rdata('SOA')[0].split()[2]))
        found = records(self.d.run('export', self.zone, json_out=False))
        soa = found[0]
        s.equal(serial_of(soa), self.serials[-1], 'the serial of the export')
        # the secondary's own SOA ends an IXFR query
        if rrtype == SOA or (rrtype == IXFR and serial_of((SOA, query)) == serial_of(soa)):
            parts = [[soa]]
        else:
            parts = [[]]
            for record in found + [soa]:
                if sum(len(r[1]) for r in parts[-1]) > MESSAGE:
                    parts.append([])
                parts[-1].append(record)
        return [query[:2] + struct.pack('>HHHHH', 0x8400, 1, len(part), 0, 0) + query[12:end] + b''.join(r[1] for r in part)
                for part in parts]


class NsdSecondary(servers.Nsd):
    def __init__(self, directory, zone, primary):
        super().__init__(directory, [zones.Zone(zone, os.path.join(directory, 'secondary.zone'), None)])
        self.primary = primary

    def configuration(self):
        return super().configuration().replace(' zonesdir:', ' xfrd-reload-timeout: 0\n zonesdir:') + \
            ' request-xfr: 127.0.0.1@%d NOKEY\n allow-notify: 127.0.0.1 NOKEY\n' % self.primary.port

    def notify(self):
        """As a primary does after a switch (RFC 1996)."""
        query = struct.pack('>6H', 4711, 0x2400, 1, 0, 0, 0) + s.wire_name(self.zones[0].apex) + struct.pack('>HH', SOA, 1)
        reply = s.udp_raw(self.port, query, timeout=5)
        s.expect(reply and reply[2] & 0xf8 == 0xa0 and not reply[3] & 15, 'nsd does not take a NOTIFY: %s', reply)

    def serial(self):
        reply = s.udp_raw(self.port, s.query(self.zones[0].apex, 'SOA'), timeout=5)
        found = s.decode(reply).rdata('SOA') if reply else []
        return int(found[0].split()[2]) if found else None

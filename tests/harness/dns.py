"""A tiny DNS client for tests: one question, over UDP or TCP, and the answer as plain values."""

import random
import socket
import struct
from dataclasses import dataclass, field

A, NS, SOA, AAAA, SRV, ANY = 1, 2, 6, 28, 33, 255
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def make_query(name, kind, id=None, edns=0):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.strip(".").split(".") if label)
    message = struct.pack("!HHHHHH", random.randrange(65536) if id is None else id, 0x0100, 1, 0, 0, 1 if edns else 0)
    message += labels + b"\0" + struct.pack("!HH", kind, 1)
    return message + (b"\0" + struct.pack("!HHIH", 41, edns, 0, 0) if edns else b"")


def read_name(message, at):
    labels, after = [], None
    while True:
        length = message[at]
        if length & 0xC0 == 0xC0:
            after = after or at + 2
            at = struct.unpack_from("!H", message, at)[0] & 0x3FFF
        elif length == 0:
            return ".".join(labels), after or at + 1
        else:
            labels.append(message[at + 1:at + 1 + length].decode("latin-1"))
            at += 1 + length


@dataclass
class Reply:
    id: int
    flags: int
    raw: bytes
    answer: list = field(default_factory=list)      # (owner, type, ttl, value)
    authority: list = field(default_factory=list)
    additional: list = field(default_factory=list)

    @property
    def rcode(self):
        return self.flags & 15

    @property
    def truncated(self):
        return bool(self.flags & 0x0200)

    def values(self):
        return sorted(value for _, _, _, value in self.answer)


def parse(message):
    id, flags, questions, *counts = struct.unpack_from("!HHHHHH", message)
    reply, at = Reply(id, flags, message), 12
    for _ in range(questions):
        at = read_name(message, at)[1] + 4
    for section, count in zip((reply.answer, reply.authority, reply.additional), counts):
        for _ in range(count):
            owner, at = read_name(message, at)
            kind, _, ttl, size = struct.unpack_from("!HHIH", message, at)
            at += 10
            value = message[at:at + size]
            if kind == A:
                value = socket.inet_ntoa(value)
            elif kind == AAAA:
                value = socket.inet_ntop(socket.AF_INET6, value)
            elif kind == SRV:
                value = (read_name(message, at + 6)[0], struct.unpack_from("!H", message, at + 4)[0])
            at += size
            if kind != 41:
                section.append((owner, kind, ttl, value))
    return reply


def receive_tcp(connection):
    def exactly(count):
        data = b""
        while len(data) < count:
            piece = connection.recv(count - len(data))
            if not piece:
                raise ConnectionError("closed within a message")
            data += piece
        return data
    return exactly(struct.unpack("!H", exactly(2))[0])


def frame(message):
    return struct.pack("!H", len(message)) + message


def ask(server, name, kind=A, tcp=False, edns=0, timeout=5.0, source=None):
    """`server`: (address, port). `source`: an address of this machine to ask from."""
    query = make_query(name, kind, edns=edns)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as asker:
        asker.settimeout(timeout)
        if source:
            asker.bind((source, 0))
        asker.connect(server)
        asker.sendall(frame(query) if tcp else query)
        while True:
            reply = parse(receive_tcp(asker) if tcp else asker.recv(65535))
            if reply.id == struct.unpack_from("!H", query)[0]:
                return reply

"""Ports for what a test starts. They lie below the range from which the kernel picks ports for outgoing connections, so
that none is taken between the moment it is found free and the moment it is bound."""

import random
import socket

SINGLE = range(28000, 29900)  # test clusters lie below (cluster.py), the ports that agents give to tasks above
LINK = 1000  # a master listens for its agents so far above its port
given = set()


def is_free(port, address="127.0.0.1"):
    """Whether TCP and UDP can both be bound now."""
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        return True
    except OSError:
        return False


def free_port():
    """A port that nobody uses, neither by TCP nor by UDP, nor the one above where a master would listen for its agents. This
    process has not been given it before: what is given is not always bound at once."""
    for _ in range(1000):
        port = random.choice(SINGLE)
        if not {port, port - LINK, port + LINK} & given and is_free(port) and is_free(port + LINK):
            given.add(port)
            return port
    raise AssertionError("no free port on this machine")

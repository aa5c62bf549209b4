"""Ports for what a test starts. They lie below the range from which the kernel picks ports for outgoing connections, so
that none is taken between the moment it is found free and the moment it is bound."""

import random
import socket

SINGLE = range(28000, 30900)  # test clusters lie below (cluster.py), the ports that agents give to tasks above


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
    """A port that nobody uses, neither by TCP nor by UDP."""
    for _ in range(200):
        port = random.choice(SINGLE)
        if is_free(port):
            return port
    raise AssertionError("no free port on this machine")

"""Connections of clients that have said hello and then nothing."""

import contextlib
import socket
import struct

API_VERSIONS = 18
ANSWER_SECONDS_MAX = 10


@contextlib.contextmanager
def held(address, count):
    """`count` of them, for as long as the context lasts."""
    host, port = address.rsplit(":", 1)
    request = struct.pack(">hhih", API_VERSIONS, 0, 1, -1)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection((host, int(port)), ANSWER_SECONDS_MAX))
            connection.sendall(struct.pack(">i", len(request)) + request)
            length = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
            connection.recv(length, socket.MSG_WAITALL)
        yield

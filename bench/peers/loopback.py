"""The loopback alone: how fast bytes go through one connection when the sender copies them, as a broker does that does
not hand out pages of the page cache."""

import os
import socket
import time

PIECE = 1 << 20
# The bytes come from memory, not from a core's cache, as those of a log do.
SOURCE = 256 << 20


def copying_sender(seconds):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = os.fork()
        if sender == 0:
            send(listener.getsockname(), seconds)
        connection, _ = listener.accept()
    with connection:
        buffer = bytearray(PIECE)
        received = connection.recv_into(buffer)
        began = time.perf_counter()
        while count := connection.recv_into(buffer):
            received += count
        elapsed = time.perf_counter() - began
    os.waitpid(sender, 0)
    return {"megabytes_per_second": received / elapsed / 1e6}


def send(address, seconds):
    """In a process of its own, which it ends."""
    try:
        # Filled, so that its pages are not all the one page of zeros.
        source = memoryview(bytearray(b"x") * SOURCE)
        with socket.create_connection(address) as connection:
            began, position = time.perf_counter(), 0
            while time.perf_counter() - began < seconds:
                connection.sendall(source[position:position + PIECE])
                position = (position + PIECE) % SOURCE
    finally:
        os._exit(0)

"""A producer that costs next to nothing: the same record batch again and again, acks=all, on plain sockets."""

import os
import socket
import struct
import threading
import time

PRODUCE, VERSION = 0, 7
ACKS_ALL, TIMEOUT_MS = -1, 30_000
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.001
CASTAGNOLI = 0x82F63B78


class Refused(Exception):
    """A broker did not take what it was sent."""


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return table


def crc32c(data, table=tuple(crc_table())):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(value):
    zigzag, out = value << 1 ^ value >> 63, b""
    while zigzag > 0x7F:
        out += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return out + bytes([zigzag])


def batch(records, value_bytes):
    """A record batch v2 of random values, of now. Its checksum does not cover the base offset: it may be sent often."""
    body = b""
    for index in range(records):
        record = b"\0" + varint(0) + varint(index) + varint(-1) + varint(value_bytes) + os.urandom(value_bytes) + b"\0"
        body += varint(len(record)) + record
    now = int(time.time() * 1000)
    checked = struct.pack(">hiqqqhii", 0, records - 1, now, now, -1, -1, -1, records) + body
    rest = struct.pack(">ibI", -1, 2, crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def request(partitions, records):
    """One batch for each (topic, partition)."""
    topics = {}
    for topic, index in partitions:
        topics.setdefault(topic, []).append(index)
    parts = [struct.pack(">hhihhhii", PRODUCE, VERSION, 0, -1, -1, ACKS_ALL, TIMEOUT_MS, len(topics))]
    for topic, indexes in topics.items():
        parts.append(struct.pack(">h", len(topic)) + topic.encode() + struct.pack(">i", len(indexes)))
        for index in indexes:
            parts += [struct.pack(">ii", index, len(records)), records]
    whole = b"".join(parts)
    return struct.pack(">i", len(whole)) + whole


class Connection:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, request_bytes):
        self.socket.sendall(request_bytes)

    def errors(self):
        """Of one answer: {(topic, partition): error code}."""
        answer = self._exactly(struct.unpack(">i", self._exactly(4))[0])
        count, at = struct.unpack_from(">i", answer, 4)[0], 8
        found = {}
        for _ in range(count):
            length = struct.unpack_from(">h", answer, at)[0]
            topic, at = answer[at + 2:at + 2 + length].decode(), at + 2 + length
            partitions, at = struct.unpack_from(">i", answer, at)[0], at + 4
            for _ in range(partitions):
                index, error = struct.unpack_from(">ih", answer, at)
                found[topic, index] = error
                at += 4 + 2 + 8 + 8 + 8
        return found

    def _exactly(self, size):
        data = self.socket.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise ConnectionError("the broker closed the connection")
        return data


def fill(address, partitions, records, wanted_bytes, lanes=4, in_flight=4):
    """Writes so many bytes, partition after partition, over a few connections; returns when all are acknowledged."""
    share = -(-int(wanted_bytes) // (lanes * len(records)))
    failures = []

    def work(lane):
        try:
            write(address, partitions[lane::lanes], records, share, in_flight)
        except (OSError, Refused) as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def write(address, partitions, records, batches, in_flight):
    """So many batches under way at a time, on one connection."""
    requests = [request([partition], records) for partition in partitions]
    with Connection(address) as connection:
        for number in range(batches + in_flight):
            if number >= in_flight:
                check(connection.errors())
            if number < batches:
                connection.send(requests[number % len(requests)])


def check(errors):
    refused = {place: error for place, error in errors.items() if error}
    if refused:
        raise Refused(f"error codes {refused}")


def everywhere(address, partitions, records):
    """Returns once every partition has acknowledged a batch. Asks again where the broker is not there, or not ready."""
    left = list(partitions)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left:
        try:
            with Connection(address) as connection:
                while left:
                    connection.send(request(left, records))
                    errors = connection.errors()
                    left = [partition for partition in left if errors[partition]]
                    wait(deadline, errors) if left else None
        except OSError as failure:
            wait(deadline, failure)


def wait(deadline, why):
    if time.monotonic() > deadline:
        raise Refused(f"not acknowledged within {PATIENCE_SECONDS} s: {why}")
    time.sleep(POLL_SECONDS)

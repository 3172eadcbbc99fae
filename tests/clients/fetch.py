"""Batch headers as the broker stores them, by a raw Fetch v4: what a client library would hide."""

import collections
import socket
import struct

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
HEADER = struct.Struct(">qiibIhiqqqhii")
Batch = collections.namedtuple(
    "Batch", "base_offset length epoch magic crc attributes last_delta base_time max_time producer_id producer_epoch"
             " sequence count")
HEADER_BYTES = 61


def codec(batch):
    return CODECS[batch.attributes & 7]


def batches(address, topic, partition, offset=0):
    """Every batch of a partition up to its high watermark."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        while True:
            high_watermark, records = _fetch(connection, topic, partition, offset)
            found = list(_headers(records))
            yield from found
            if found:
                offset = found[-1].base_offset + found[-1].last_delta + 1
            if offset >= high_watermark:
                return
            assert found, f"{topic}-{partition}: nothing at {offset} below {high_watermark}"


def end(address, topic, partition):
    """Its high watermark."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        return _fetch(connection, topic, partition, 0)[0]


def _headers(records):
    at = 0
    while at + HEADER_BYTES <= len(records):
        batch = Batch(*HEADER.unpack_from(records, at))
        if at + 12 + batch.length > len(records):
            return
        yield batch
        at += 12 + batch.length


def _fetch(connection, topic, partition, offset):
    name = topic.encode()
    body = struct.pack(">iiiibih", -1, 500, 1, 16 << 20, 0, 1, len(name)) + name
    body += struct.pack(">iiqi", 1, partition, offset, 16 << 20)
    request = struct.pack(">hhih", 1, 4, 7, 4) + b"read" + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    answer = _exactly(connection, struct.unpack(">i", _exactly(connection, 4))[0])
    # correlation, throttle, one topic with its name, one partition
    at = 4 + 4 + 4
    at += 2 + struct.unpack_from(">h", answer, at)[0] + 4
    index, error, high_watermark, _, aborted = struct.unpack_from(">ihqqi", answer, at)
    assert (index, error) == (partition, 0), f"{topic}-{partition} at {offset}: error {error}"
    at += 26 + 16 * max(aborted, 0)
    size = struct.unpack_from(">i", answer, at)[0]
    return high_watermark, memoryview(answer)[at + 4:at + 4 + max(size, 0)]


def _exactly(connection, size):
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, "connection closed"
        data += piece
    return bytes(data)

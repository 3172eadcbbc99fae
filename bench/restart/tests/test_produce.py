"""The producer on plain sockets, against the protocol as it is written down and a broker that refuses at first."""

import os
import socket
import struct
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import produce  # noqa: E402

NOT_LEADER = 6
PARTITIONS = [("much", 0), ("much", 1), ("more", 7)]


class Bytes(unittest.TestCase):
    def test_the_checksum_is_castagnolis(self):
        self.assertEqual(produce.crc32c(b"123456789"), 0xE3069283)

    def test_varints_are_zigzag(self):
        self.assertEqual([produce.varint(value) for value in (0, -1, 1, 63, 64, 300)],
                         [b"\x00", b"\x01", b"\x02", b"\x7e", b"\x80\x01", b"\xd8\x04"])

    def test_a_batch_says_its_length_count_and_checksum(self):
        batch = produce.batch(3, 100)
        length, epoch, magic, crc = struct.unpack_from(">iibI", batch, 8)
        self.assertEqual((length, epoch, magic), (len(batch) - 12, -1, 2))
        self.assertEqual(crc, produce.crc32c(batch[21:]))
        self.assertEqual(struct.unpack_from(">i", batch, 57)[0], 3)

    def test_a_request_names_each_topic_once(self):
        whole = produce.request(PARTITIONS, b"records")
        self.assertEqual(struct.unpack_from(">ihh", whole), (len(whole) - 4, produce.PRODUCE, produce.VERSION))
        self.assertEqual((whole.count(b"much"), whole.count(b"more"), whole.count(b"records")), (1, 1, 3))


class Everywhere(unittest.TestCase):
    def test_only_what_was_refused_is_sent_again(self):
        refuse = iter([{("much", 1): NOT_LEADER}, {}])
        with Answering(refuse) as broker:
            produce.everywhere(broker.address, PARTITIONS, b"records")
        self.assertEqual(broker.asked, [3, 1])

    def test_an_answer_that_refuses_ends_a_fill(self):
        with Answering(iter([{("much", 0): NOT_LEADER}])) as broker, self.assertRaises(produce.Refused):
            produce.fill(broker.address, PARTITIONS[:1], b"records", len(b"records"), lanes=1)


class Answering:
    """A broker that gives each request of one connection these error codes; it counts the partitions asked for."""

    def __init__(self, errors):
        self.errors, self.asked = errors, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.socket.close()

    def serve(self):
        connection, _ = self.socket.accept()
        with connection:
            for errors in self.errors:
                size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
                body = connection.recv(size, socket.MSG_WAITALL)
                named = [place for place in PARTITIONS if asks_for(body, place)]
                self.asked.append(body.count(b"records"))
                connection.sendall(answer(named, errors))


def asks_for(body, place):
    topic, index = place
    return topic.encode() in body and struct.pack(">ii", index, len(b"records")) + b"records" in body


def answer(places, errors):
    parts = [struct.pack(">ii", 0, len(places))]
    for topic, index in places:
        parts.append(struct.pack(">h", len(topic)) + topic.encode() + struct.pack(">i", 1))
        parts.append(struct.pack(">ihqqq", index, errors.get((topic, index), 0), 0, -1, 0))
    whole = b"".join([*parts, struct.pack(">i", 0)])
    return struct.pack(">i", len(whole)) + whole


if __name__ == "__main__":
    unittest.main()

"""Idempotent librdkafka producers over `kill -9`: nothing lost, nothing twice, nothing out of order.

Eight producers write numbered values to four partitions and never give up; the broker dies at random instants.
Afterwards the log must hold each value once, in the order of its producer, each acknowledged one where the
acknowledgement said. A run in which the broker recognised no duplicate has shown nothing and is void.

    tests/chaos/idempotent.py [CYCLES [SEED]]
"""

import os
import random
import subprocess
import sys
import threading
import time

from confluent_kafka import Producer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "clients"))
import broker  # noqa: E402

PRODUCERS = 8
PARTITIONS = 4
OUTSTANDING_MAX = 2000
TOPIC = "chaos.idempotent"
FLUSH_SECONDS_MAX = 120


class Writer(threading.Thread):
    """One producer with its own connection; value n of writer w is `w:n`, and goes to partition n % 4."""

    def __init__(self, name, address):
        super().__init__(daemon=True)
        self.number = name
        self.acknowledged = []
        self.failed = []
        self.sent = 0
        self.stopping = threading.Event()
        self.producer = Producer({
            "bootstrap.servers": address, "client.id": f"writer-{name}", "enable.idempotence": True,
            "message.timeout.ms": 0, "linger.ms": 1, "batch.num.messages": 50,
            "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 20,
            "log_level": 2,
        })

    def run(self):
        outstanding = lambda: self.sent - len(self.acknowledged) - len(self.failed)  # noqa: E731
        while not self.stopping.is_set():
            if outstanding() < OUTSTANDING_MAX:
                for _ in range(50):
                    value = f"{self.number}:{self.sent}".encode()
                    self.producer.produce(TOPIC, value, partition=self.sent % PARTITIONS, on_delivery=self.delivered)
                    self.sent += 1
            self.producer.poll(0.005)
        left = self.producer.flush(FLUSH_SECONDS_MAX)
        if left:
            self.failed.append(f"{left} values not delivered {FLUSH_SECONDS_MAX} s after the last start")

    def delivered(self, error, message):
        if error is not None:
            self.failed.append(str(error))
        else:
            self.acknowledged.append((message.partition(), message.offset(), message.value()))


def main():
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print(f"kill -9: {cycles} cycles, seed {seed}")
    instants = random.Random(seed)
    with broker.Broker(broker.directory("chaos"), "--set", f"kafka.num.partitions={PARTITIONS}") as server:
        writers = [Writer(number, server.address) for number in range(PRODUCERS)]
        for writer in writers:
            writer.start()
        duplicates = 0
        for cycle in range(cycles):
            wait_for_progress(writers)
            time.sleep(instants.uniform(0.0, 1.0))
            assert server.alive(), "the broker ended by itself"
            duplicates += server.metric("ottla_produce_duplicates_total")
            server.kill()
            server.start()
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join()
        duplicates += server.metric("ottla_produce_duplicates_total")
        report(server, writers, cycles, int(duplicates))
        server.stop()
    print("1 passed, 0 failed, 0 skipped")


def wait_for_progress(writers):
    """Each life must acknowledge something to every writer before it dies, or it would prove nothing."""
    before = [len(writer.acknowledged) for writer in writers]
    deadline = time.monotonic() + 60
    while any(len(writer.acknowledged) == count for writer, count in zip(writers, before)):
        assert time.monotonic() < deadline, "no acknowledgement for 60 s"
        time.sleep(0.01)


def report(server, writers, cycles, duplicates_recognised):
    logs = [read(server.address, partition) for partition in range(PARTITIONS)]
    lost = [entry for writer in writers for entry in writer.acknowledged
            if entry[1] >= len(logs[entry[0]]) or logs[entry[0]][entry[1]] != entry[2]]
    newest, twice, reordered = {}, 0, 0
    for partition, log in enumerate(logs):
        for value in log:
            name, number = map(int, value.split(b":"))
            assert number % PARTITIONS == partition and number < writers[name].sent, f"{value} was never sent here"
            last = newest.get((name, partition), -1)
            twice += number == last
            reordered += number < last
            newest[name, partition] = number
    records = sum(map(len, logs))
    acknowledged = sum(len(writer.acknowledged) for writer in writers)
    failures = [failure for writer in writers for failure in writer.failed]
    print(f"{cycles} kills, {acknowledged} acknowledged, {records} in the log, lost {len(lost)}, duplicates {twice}, "
          f"reordered {reordered}, failed sends {len(failures)}, duplicates recognised {duplicates_recognised}")
    assert not lost, lost[:5]
    assert twice == 0 and reordered == 0
    assert not failures, failures[:5]
    assert records == acknowledged, "the log holds values nobody was told about"
    assert duplicates_recognised > 0, "void: no retry met a batch that was already there"


def read(address, partition):
    """All values of a partition; its offsets must be 0, 1, 2, ..."""
    done = subprocess.run(["kcat", "-C", "-b", address, "-t", TOPIC, "-p", str(partition), "-o", "beginning", "-e",
                           "-q", "-f", "%o %s\n"], check=True, stdout=subprocess.PIPE)
    values = []
    for line in done.stdout.splitlines():
        offset, value = line.split(b" ")
        assert int(offset) == len(values), f"partition {partition}: offset {offset} where {len(values)} was due"
        values.append(value)
    return values


if __name__ == "__main__":
    main()

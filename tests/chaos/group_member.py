"""One member of a consumer group that says what happens to it, a line each with the time of the machine:

    TIME + PARTITION...               assigned
    TIME - PARTITION...               taken away
    TIME r PARTITION OFFSET VALUE     delivered
    TIME c PARTITION OFFSET ...       a commit of these offsets was acknowledged

    group_member.py confluent-kafka|kafka-python ADDRESS GROUP TOPIC SESSION_MS REBALANCE_MS
"""

import signal
import sys
import time

COMMIT_SECONDS = 0.1
running = [True]


def say(kind, *words):
    print(f"{time.monotonic():.4f}", kind, *words, flush=True)


def committed(offsets):
    say("c", *(f"{partition} {offset}" for partition, offset in sorted(offsets.items())))


class Commits:
    """What was delivered since the last commit, and when that was."""

    def __init__(self, commit):
        self.commit = commit
        self.next = {}
        self.last = time.monotonic()

    def delivered(self, partition, offset, value):
        say("r", partition, offset, value.decode())
        self.next[partition] = offset + 1

    def due(self):
        if self.next and time.monotonic() - self.last >= COMMIT_SECONDS:
            self.now()

    def now(self):
        offsets, self.next = self.next, {}
        self.last = time.monotonic()
        if offsets and self.commit(offsets):
            committed(offsets)


def confluent(address, group, topic, session_ms, rebalance_ms):
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    consumer = Consumer({
        "bootstrap.servers": address, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "session.timeout.ms": session_ms, "max.poll.interval.ms": rebalance_ms,
        "heartbeat.interval.ms": 500, "partition.assignment.strategy": "range", "reconnect.backoff.max.ms": 500,
        "log_level": 2})

    def commit(offsets):
        try:
            done = consumer.commit(offsets=[TopicPartition(topic, *each) for each in offsets.items()],
                                   asynchronous=False)
            return all(each.error is None for each in done)
        except KafkaException as error:
            print(error, file=sys.stderr, flush=True)
            return False

    commits = Commits(commit)

    def assigned(consumer, partitions):
        say("+", *(each.partition for each in partitions))

    def revoked(consumer, partitions):
        commits.now()
        say("-", *(each.partition for each in partitions))

    def lost(consumer, partitions):
        commits.next.clear()
        say("-", *(each.partition for each in partitions))

    consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=lost)
    while running:
        record = consumer.poll(0.05)
        if record is not None and record.error() is None:
            commits.delivered(record.partition(), record.offset(), record.value())
        commits.due()
    commits.now()
    consumer.close()


def kafka_python(address, group, topic, session_ms, rebalance_ms):
    from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.errors import KafkaError
    from kafka.structs import OffsetAndMetadata
    consumer = KafkaConsumer(
        bootstrap_servers=address, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=session_ms, max_poll_interval_ms=rebalance_ms, heartbeat_interval_ms=500,
        partition_assignment_strategy=[RangePartitionAssignor], reconnect_backoff_max_ms=500)

    def commit(offsets):
        try:
            consumer.commit({TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)
                             for partition, offset in offsets.items()}, timeout_ms=5_000)
            return True
        except KafkaError as error:
            print(repr(error), file=sys.stderr, flush=True)
            return False

    commits = Commits(commit)

    class Listener(ConsumerRebalanceListener):
        def on_partitions_assigned(self, assigned):
            # A fetch of the same offsets whose answer came too late for an earlier assignment is kept, and kafka-python
            # 3.0.12 would begin where others began then.
            consumer._coordinator._offset_fetch_futures.clear()
            say("+", *sorted(each.partition for each in assigned))

        def on_partitions_revoked(self, revoked):
            # This library cannot commit in a callback: what was not committed is delivered again.
            commits.next.clear()
            say("-", *sorted(each.partition for each in revoked))

        on_partitions_lost = on_partitions_revoked

    consumer.subscribe([topic], listener=Listener())
    while running:
        for records in consumer.poll(timeout_ms=50).values():
            for record in records:
                commits.delivered(record.partition, record.offset, record.value)
        commits.due()
    commits.now()
    consumer.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    library, address, group, topic, session_ms, rebalance_ms = sys.argv[1:]
    member = {"confluent-kafka": confluent, "kafka-python": kafka_python}[library]
    member(address, group, topic, int(session_ms), int(rebalance_ms))

"""Where and when reading starts: long poll, seek, look-up by time, what is not there."""

import time

import fetch
import tap
from driver import Refused
from world import read, record, refused, send

OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION = 1, 3
WAIT_MS = 2_000
# Clocks of two processes and a busy machine.
SLACK_SECONDS = 0.2
WAKE_SECONDS_MAX = 1.0


def long_poll(world):
    """A fetch with nothing to read waits its full time; one that waits is answered as soon as a record comes."""
    topic = world.topic("long_poll", profile="tapped")
    wire = world.reach("tapped").tap
    send(world.witness("tapped"), topic, [record(b"first")])
    before = time.monotonic()
    reader = world.subject("tapped")
    reader.ask("consume", **{"from": {0: "beginning"}}, topic=topic, count=2, seconds=60, wait_ms=WAIT_MS,
               reset="earliest")

    def fetches():
        return [exchange for exchange in wire.exchanges(tap.FETCH) if exchange.asked > before]

    def waited():
        return [found for found in fetches() if found.answered and found.answered - found.asked > WAIT_MS / 2_000]

    world.wait("a fetch that waits its time", waited)
    took = waited()[0].answered - waited()[0].asked
    assert abs(took - WAIT_MS / 1_000) < SLACK_SECONDS + 0.5, f"waited {took:.2f} s of {WAIT_MS} ms"
    assert len(fetches()) < 10, f"{len(fetches())} fetches: nobody waited"
    # Halfway through the next one, so that it is surely waiting and far from its end.
    world.wait("a fetch on its way", lambda: [found for found in fetches() if not found.answered
                                              and time.monotonic() - found.asked > WAIT_MS / 4_000])
    asked = max(found.asked for found in fetches() if not found.answered)
    send(world.witness("tapped"), topic, [record(b"second")])
    produced = time.monotonic()
    assert len(reader.outcome()["records"]) == 2
    woken = min(found.answered for found in fetches() if found.asked >= asked and found.answered)
    assert woken - asked < WAIT_MS / 1_000 - SLACK_SECONDS, f"answered after {woken - asked:.2f} s: by its time-out"
    assert woken - produced < WAKE_SECONDS_MAX, f"{woken - produced:.2f} s after the record was stored"


def seek(world):
    """One consumer sent to and fro; and from an offset that does not exist to where it is told."""
    topic = world.topic("seek")
    for first in range(0, 100, 10):
        send(world.witness(), topic, [record(b"%d" % number) for number in range(first, first + 10)])
    positions = [40, 10, 95, 0]
    found = world.subject().seek(topic=topic, positions=positions, count=5)["offsets"]
    assert found == [list(range(position, position + 5)) for position in positions], found
    with world.part("seek", "from an offset beyond the end"):
        offsets = [row[1] for row in read(world.subject(), topic, {0: 5_000}, 100)]
        assert offsets[:100] == list(range(100)), f"{len(offsets)} records"
    world.witness().delete_records(topic=topic, before={0: 50})
    with world.part("seek", "from an offset before the start"):
        offsets = [row[1] for row in read(world.subject(), topic, {0: 3}, 50)]
        assert offsets[:50] == list(range(50, 100)), f"{len(offsets)} records"


def lookup_by_time(world):
    """To the record, also in the middle of a compressed batch and where times go back."""
    topic = world.topic("lookup_by_time", 3)
    base = int(time.time() * 1_000) - 3_600_000
    rows = [base + 1_000 * number for number in range(100)]
    for partition, (codec, times) in enumerate([("none", rows), ("gzip", rows), ("zstd", rows[50:] + rows[:50])]):
        # librdkafka stores a batch plain that does not shrink, and a slow moment can make a batch of one record.
        records = [record(b"at %d" % at + b" " * 200, partition=partition, time_ms=at) for at in times]
        send(world.witness(), topic, records, codec=codec)
        stored = {fetch.codec(batch) for batch in fetch.batches(world.reach().address, topic, partition)}
        assert stored == {codec}, stored
        for wanted in (base - 5, base, base + 1, rows[37], rows[37] + 999, rows[99]):
            expected = next(offset for offset, at in enumerate(times) if at >= wanted)
            found = world.subject().lookup(topic=topic, times={partition: wanted})["offsets"]
            assert found == {str(partition): expected}, f"{codec}, {wanted - base}: {found}, not {expected}"
    with world.part("lookup_by_time", "later than every record"):
        assert world.subject().lookup(topic=topic, times={0: rows[99] + 1})["offsets"] == {"0": -1}


def unknown_topic(world):
    """Nobody waits for ever for what does not exist, and asking does not create it."""
    here = world.topic("known", profile="strict")
    missing = world.name("unknown_topic")
    subject = world.subject("strict")
    refused(UNKNOWN_TOPIC_OR_PARTITION, send, driver=subject, topic=missing, records=[record(b"lost")],
            timeout_ms=6_000)
    try:
        found = read(subject, missing, {0: "beginning"}, 1, seconds=5)
        assert found == [], found
    except Refused as refusal:
        assert refusal.code == UNKNOWN_TOPIC_OR_PARTITION, refusal
    with world.part("unknown_topic", "look-up by time"):
        refused(UNKNOWN_TOPIC_OR_PARTITION, subject.lookup, topic=missing, times={0: 0})
    with world.part("unknown_topic", "partition of a known topic"):
        refused(UNKNOWN_TOPIC_OR_PARTITION, send, driver=subject, topic=here,
                records=[record(b"lost", partition=7)], timeout_ms=6_000)
    assert world.partitions(missing, "strict") is None, "it was created"
    send(subject, here, [record(b"kept")])
    assert [row[4] for row in read(subject, here, {0: "beginning"}, 1)] == [b"kept"]

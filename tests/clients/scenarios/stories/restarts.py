"""The broker dies while records are on their way."""

import fetch
from world import read_all, record, send

PARTITIONS, KEYS = 2, 20
FILLER = b"." * 200


def restart_in_the_middle_of_a_produce(world):
    """`kill -9` and a restart under an idempotent producer: nothing lost, nothing twice, nothing out of order."""
    topic = world.topic("restart", PARTITIONS)
    kills, total = (1, 6_000) if world.fast else (4, 24_000)
    values = [b"%d " % number + FILLER for number in range(total)]
    records = [record(value, b"key-%d" % (number % KEYS)) for number, value in enumerate(values)]
    producer, reach = world.subject(), world.reach()
    producer.ask("produce", topic=topic, records=records, codec="none", acks=-1, idempotent=True,
                 request_bytes_max=1 << 20, timeout_ms=60_000, pause=[20, 10])
    for number in range(kills):
        wanted = total * (number + 1) // (kills + 2)
        world.wait(f"{wanted} records", lambda: _stored(reach.address, topic) >= wanted)
        reach.broker.kill()
        assert producer.lines.empty(), "the producer had ended before the broker did"
        reach.broker.start()
    places = producer.outcome()["places"]
    for reader in (world.witness(), world.subject()):
        found = sorted(read_all(reader, topic, PARTITIONS, total))
        _check(found, values)
        if places:
            assert {tuple(place): value for place, value in zip(places, values)} == {row[:2]: row[4] for row in found}
    send(producer, topic, [record(b"after")])


def _stored(address, topic):
    try:
        return sum(fetch.end(address, topic, partition) for partition in range(PARTITIONS))
    except AssertionError:
        # A broker that has just started may not lead yet.
        return 0


def _check(found, values):
    """Each value once, and in each partition in the order of sending."""
    numbers = [(row[0], int(row[4].split()[0])) for row in found]
    assert sorted(number for _, number in numbers) == list(range(len(values))), "lost or duplicated"
    for before, after in zip(numbers, numbers[1:]):
        assert before < after, f"{before} and then {after}"
    assert all(values[number] == row[4] for (_, number), row in zip(numbers, found))
    assert {partition for partition, _ in numbers} == set(range(PARTITIONS))

"""What goes in comes out: codecs, headers, nulls, order, size."""

import hashlib
import random

import fetch
from world import read, read_all, record, refused, send

MESSAGE_TOO_LARGE = 10
SIZE_DEFAULT = 1_048_588
KEYS, PARTITIONS, KEYED_RECORDS = 100, 6, 10_000
TEXT = b"the quick brown fox jumps over the lazy dog, again and again; "


def digest(contents):
    hasher = hashlib.sha256()
    for content in contents:
        hasher.update(b"-" if content is None else b"%d:%s," % (len(content), content))
    return hasher.hexdigest()


def five_codecs(world):
    """Stored with the codec that was asked for, read back by itself and by another client; and the other way round."""
    mine, others = (world.topic("five_codecs", len(fetch.CODECS)) for _ in range(2))
    for partition, codec in enumerate(fetch.CODECS):
        values = [b"%d " % number + TEXT * 5 for number in range(200)]
        records = [record(value, b"key-%d" % number, partition=partition) for number, value in enumerate(values)]
        with world.part("five_codecs", codec):
            send(world.witness(), others, records, codec=codec)
            _check_codec(world, others, partition, codec, values, world.subject())
            send(world.subject(), mine, records, codec=codec)
            _check_codec(world, mine, partition, codec, values, world.subject(), world.witness())


def _check_codec(world, topic, partition, codec, values, *readers):
    stored = {fetch.codec(batch) for batch in fetch.batches(world.reach().address, topic, partition)}
    assert stored == {codec}, f"{topic}-{partition}: stored with {stored}, not {codec}"
    for reader in readers:
        found = _partition(reader, topic, partition, len(values))
        assert digest(value for _, value, _ in found) == digest(values), f"{codec}: other values"


def _partition(reader, topic, partition, count):
    """(key, value, headers) of one partition."""
    found = read(reader, topic, {partition: "beginning"}, count)
    assert [offset for _, offset, *_ in found] == list(range(count)), f"{topic}-{partition}: {len(found)} of {count}"
    return [row[3:] for row in found]


def headers(world):
    """Order, repeated names, bytes that are no text, empty and null values."""
    cases = {"none": [], "one": [("a", b"1")], "order and repetition": [("b", b"1"), ("a", b"2"), ("b", b"3")],
             "bytes": [("bytes", b"\xff\x80")], "zero byte": [("zero", b"\x00")], "empty value": [("empty", b"")],
             "null value": [("null", None)]}
    topic = world.topic("headers")
    kept = []
    for name, content in cases.items():
        with world.part("headers", name):
            send(world.subject(), topic, [record(name.encode(), headers=content)])
            kept.append((name.encode(), content))
    _same_headers(world, topic, kept)


def _same_headers(world, topic, kept):
    for reader in (world.witness(), world.subject()):
        found = [(value, content) for _, value, content in _partition(reader, topic, 0, len(kept))]
        assert found == kept, f"{found}, not {kept}"


def null_keys_and_values(world):
    """Null, empty and something are three things, for keys and for values."""
    topic = world.topic("null_keys_and_values")
    kept = []
    for key in (None, b"", b"key"):
        for value in (None, b"", b"value"):
            with world.part("null_keys_and_values", f"{_spelled(key)} key, {_spelled(value)} value"):
                send(world.subject(), topic, [record(value, key)])
                kept.append((key, value))
    for reader in (world.witness(), world.subject()):
        found = [(key, value) for key, value, _ in _partition(reader, topic, 0, len(kept))]
        assert found == kept, f"{found}, not {kept}"


def _spelled(content):
    return "null" if content is None else "empty" if content == b"" else "some"


def keyed_order(world):
    """10,000 keyed records over six partitions: each key in one partition, in order."""
    topic = world.topic("keyed_order", PARTITIONS)
    chosen = random.Random(6).choices(range(KEYS), k=KEYED_RECORDS)
    keys = [b"key-%d" % number for number in chosen]
    records = [record(b"%d" % number, key) for number, key in enumerate(keys)]
    places = send(world.subject(), topic, records, codec="lz4" if "lz4" in world.client.codecs else "none")
    sent = {key: [] for key in keys}
    for number, key in enumerate(keys):
        sent[key].append(number)
    for reader in (world.witness(), world.subject()):
        found = read_all(reader, topic, PARTITIONS, KEYED_RECORDS)
        _check_order(sorted(found), sent)
        if places:
            told = {tuple(place): b"%d" % number for number, place in enumerate(places)}
            assert told == {row[:2]: row[4] for row in found}, "records are not where the producer was told"


def _check_order(found, sent):
    by_key, homes = {key: [] for key in sent}, {}
    for partition, _, _, key, value, _ in found:
        by_key[key].append(int(value))
        assert homes.setdefault(key, partition) == partition, f"{key} in {partition} and {homes[key]}"
    assert by_key == sent, "a key's records are not in order"
    assert set(homes.values()) == set(range(PARTITIONS)), f"partitions {set(homes.values())}"


def large_messages(world):
    """Just below max.message.bytes passes, above it is MESSAGE_TOO_LARGE and harms nobody, a raised limit counts."""
    content = random.Random(7).randbytes(5 << 20)
    for limit, configs in [(SIZE_DEFAULT, {}), (4 << 20, {"max.message.bytes": str(4 << 20)})]:
        topic = world.topic("large_messages", **configs)
        below, above = content[:limit - 200], content[:limit + 1]
        send(world.subject(), topic, [record(below)])
        refused(MESSAGE_TOO_LARGE, send, driver=world.subject(), topic=topic, records=[record(above)])
        send(world.subject(), topic, [record(b"small")])
        for reader in (world.witness(), world.subject()):
            found = [value for _, value, _ in _partition(reader, topic, 0, 2)]
            assert digest(found) == digest([below, b"small"]), f"limit {limit}: other values"

"""How much of the log is only in memory and journal when the broker is killed. Each state answers the dirty bytes it saw
last."""

import re
import threading
import time
import urllib.request

import produce

DIRTY = "ottla_tail_dirty_bytes"
POLL_SECONDS = 0.01
# Two scrapes apart, and as much as a lap may rest between two changes.
REST_SECONDS = 0.2
PATIENCE_SECONDS = 60
# Of `shards.pool`, as `base/limits.rs` has it: 64 MiB a shard, half of it dirty at
# most, and a lap from a quarter on.
LIMIT_OF_A_SHARD = 32 << 20
LAP_OF_A_SHARD = LIMIT_OF_A_SHARD // 2
# What came while laps were captured.
NONE_BYTES_MAX = 1 << 20
HALF_SHARE_MIN = 0.4
FULL_SHARE_MIN = 0.95
# One for each partition is a step; few of them pass from one lap to the next.
STEP_RECORDS, STEP_VALUE_BYTES = 8, 1024
# Large and many under way: written faster than laps take them away.
FLOOD_RECORDS, FLOOD_VALUE_BYTES, FLOOD_LANES, FLOOD_IN_FLIGHT = 60, 16 << 10, 8, 8
# The limit is reached long before, and a disk is not filled for it.
FLOOD_BYTES = 2 << 30


class NotReached(Exception):
    """The broker did not become as dirty, or as clean, as was wanted."""


def none(server, partitions):
    """Everything was written, and the last lap has ended: what the journal holds is in segments too. Shard by shard: laps of
    several at a time would get out of step."""
    batch = produce.batch(STEP_RECORDS, STEP_VALUE_BYTES)
    for shard, owned in owners(server, partitions, batch).items():
        high = 0
        for _ in until_patience_ends("no lap left everything in segments"):
            produce.everywhere(server.address, owned, batch)
            now = dirty(server)[shard]
            # A lap has begun, or has ended already: what is written meanwhile would be left by it.
            if (now > LAP_OF_A_SHARD or now < high) and rest(server)[shard] <= NONE_BYTES_MAX // server.shards:
                break
            high = max(high, now)
    return total(rest(server))


def owners(server, partitions, batch):
    """{shard: its partitions}, by whose dirty bytes grow."""
    found = {}
    before = dirty(server)
    for partition in partitions:
        produce.everywhere(server.address, [partition], batch)
        now = dirty(server)
        shard = max(now, key=lambda shard: now[shard] - before[shard])
        found.setdefault(shard, []).append(partition)
        before = now
    return found


def half(server, partitions):
    """As much as stays there while nobody writes: short of what makes a lap begin."""
    batch = produce.batch(STEP_RECORDS, STEP_VALUE_BYTES)
    for _ in until_patience_ends("laps left too little"):
        produce.everywhere(server.address, partitions, batch)
        wanted = HALF_SHARE_MIN * limit(server)
        if total(dirty(server)) >= wanted and (left := total(rest(server))) >= wanted:
            return left


def full(server, partitions):
    """At the limit, in the midst of laps and of requests that wait for room: returns at that moment."""
    batch = produce.batch(FLOOD_RECORDS, FLOOD_VALUE_BYTES)
    arguments = (server.address, partitions, batch, FLOOD_BYTES, FLOOD_LANES, FLOOD_IN_FLIGHT)
    writer = threading.Thread(target=flood, args=arguments, daemon=True)
    writer.start()
    while (now := total(dirty(server))) < FULL_SHARE_MIN * limit(server):
        if not writer.is_alive():
            raise NotReached(f"laps were faster than the writers, for {FLOOD_BYTES >> 20} MiB")
    return now


def flood(*arguments):
    try:
        produce.fill(*arguments)
    except OSError:
        # It ends with the broker.
        pass


ALL = {"none": none, "half": half, "full": full}


def limit(server):
    return LIMIT_OF_A_SHARD * server.shards


def dirty(server):
    """{shard: bytes}."""
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=PATIENCE_SECONDS) as answer:
        text = answer.read().decode()
    return {shard: float(value) for shard, value in re.findall(rf'^{DIRTY}{{shard="(\d+)"}} (\S+)$', text, re.MULTILINE)}


def total(by_shard):
    return sum(by_shard.values())


def rest(server):
    """Dirty bytes once no lap takes any away."""
    before = dirty(server)
    while True:
        time.sleep(REST_SECONDS)
        now = dirty(server)
        if now == before and max(now.values()) <= LAP_OF_A_SHARD:
            return now
        before = now


def until_patience_ends(complaint):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        yield
        time.sleep(POLL_SECONDS)
    raise NotReached(f"{complaint}, for {PATIENCE_SECONDS} s")

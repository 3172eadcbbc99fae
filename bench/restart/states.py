"""How much of the log is only in memory and journal when the broker is killed."""

import threading
import time

import produce

DIRTY = "ottla_tail_dirty_bytes"
POLL_SECONDS = 0.01
PATIENCE_SECONDS = 60
# Of `shards.pool`, as `base/limits.rs` has it: 64 MiB a shard, half of it dirty at most.
LIMIT_OF_A_SHARD = 32 << 20
# A batch that came while the last lap was captured.
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
    """Everything was written, and the last lap has ended: the journal is full of what is in segments too."""
    batch = produce.batch(STEP_RECORDS, STEP_VALUE_BYTES)
    high = 0
    for _ in until_patience_ends("no lap left everything in segments"):
        produce.everywhere(server.address, partitions, batch)
        now = server.metric(DIRTY)
        high = max(high, now)
        if now < high:
            high = now = rest(server)
            if now <= NONE_BYTES_MAX:
                return


def half(server, partitions):
    """As much as stays there while nobody writes: short of what makes a lap begin."""
    batch = produce.batch(STEP_RECORDS, STEP_VALUE_BYTES)
    for _ in until_patience_ends("laps left too little"):
        produce.everywhere(server.address, partitions, batch)
        if share(server) >= HALF_SHARE_MIN and rest(server) >= HALF_SHARE_MIN * limit(server):
            return


def full(server, partitions):
    """At the limit, in the midst of laps and of requests that wait for room: returns at that moment."""
    batch = produce.batch(FLOOD_RECORDS, FLOOD_VALUE_BYTES)
    arguments = (server.address, partitions, batch, FLOOD_BYTES, FLOOD_LANES, FLOOD_IN_FLIGHT)
    writer = threading.Thread(target=flood, args=arguments, daemon=True)
    writer.start()
    while share(server) < FULL_SHARE_MIN:
        if not writer.is_alive():
            raise NotReached(f"laps were faster than the writers, for {FLOOD_BYTES >> 20} MiB")


def flood(*arguments):
    try:
        produce.fill(*arguments)
    except OSError:
        # It ends with the broker.
        pass


ALL = {"none": none, "half": half, "full": full}


def limit(server):
    return LIMIT_OF_A_SHARD * server.shards


def share(server):
    return server.metric(DIRTY) / limit(server)


def rest(server):
    """Dirty bytes once no lap takes any away."""
    before = server.metric(DIRTY)
    while True:
        time.sleep(POLL_SECONDS * 10)
        now = server.metric(DIRTY)
        if now == before:
            return now
        before = now


def until_patience_ends(complaint):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        yield
        time.sleep(POLL_SECONDS)
    raise NotReached(f"{complaint}, for {PATIENCE_SECONDS} s")

"""The goals: the table for one node first, then P1 to P18 of the performance budget as far as they differ from it.

o ottla flushed, m ottla `memory`, Kc Kafka's default, Kf Kafka flushing each append, D the disk alone in the same
round, W R its streaming writes and reads, L the loopback alone, S the generator against a broker that answers at
once."""

from cases import DISK, DISK_READ, DISK_WRITE, KAFKA, KAFKA_FLUSHED, LOOPBACK, MEMORY, OTTLA
from goals import AT_LEAST, AT_MOST, Elsewhere, Figure, Goal, cell, constant, least, most

TABLE = "table"


def versus(case, work, metric, name, *bounds, source=TABLE):
    """Goals of one metric of one case: (value's taker, relation, factor, divisor's taker), `True` behind a stretch."""
    for taker, relation, factor, other, *stretch in bounds:
        yield Goal(source, work, name, cell(case, taker, metric), relation, factor, cell(case, other, metric),
                   bool(stretch))


def round_trip(case):
    """Of the generator itself: the same requests against its sink."""
    found = cell(case, OTTLA, "sink_p50")
    return Figure("S", found.of_round, found.cells)


def other_case(case, taker, metric):
    """A cell of another case than the value's, which its text says."""
    found = cell(case, taker, metric)
    return Figure(f"{taker} of {case}", found.of_round, found.cells)


L = cell("loopback", LOOPBACK, "megabytes_per_second")
W = cell("disk", DISK_WRITE, "megabytes_per_second")
R = cell("disk", DISK_READ, "megabytes_per_second")
O, M, KC, KF = OTTLA, MEMORY, KAFKA, KAFKA_FLUSHED
# These two are relations, shorter.
LE, GE = AT_MOST, AT_LEAST


def small_requests():
    work = "1 x 100 B, 32 x 8 in flight"
    yield from versus("small", work, "requests_per_second", "requests/s", (O, GE, 3, KC), (O, GE, 25, KF),
                      (O, GE, 5, KC, True))
    yield from versus("small", work, "cpu_per_request", "broker CPU a request, us", (O, LE, 0.2, KC),
                      (O, LE, 0.1, KC, True))
    yield from versus("small", work, "resident_mib", "resident memory, MiB", (O, LE, 0.2, KC), (O, LE, 0.1, KC, True))
    work = "the same, 1,000 partitions"
    yield from versus("small-1000", work, "requests_per_second", "requests/s", (O, GE, 3, KC))
    yield Goal(TABLE, work, "requests/s", cell("small-1000", O, "requests_per_second"), GE, 0.9,
               other_case("small", O, "requests_per_second"))


def batches():
    work = "160 x 100 B, 4 x 4 in flight"
    yield from versus("batch-160x100", work, "megabytes_per_second", "MB/s", (O, GE, 2.5, KC), (O, GE, 3, KC, True))
    yield from versus("batch-160x100", work, "cpu_per_record", "broker CPU a record, us", (O, LE, 0.15, KC),
                      (O, LE, 0.1, KC, True))
    work = "16 x 1 KiB, 4 x 4 in flight"
    yield from versus("batch-16x1k", work, "megabytes_per_second", "MB/s", (O, GE, 3, KC), (O, GE, 10, KF))
    yield from versus("batch-16x1k", work, "cpu_per_request", "broker CPU a batch, us", (O, LE, 0.25, KC))
    work = "64 x 1 KiB, 4 x 4 in flight"
    yield from versus("batch-64x1k", work, "megabytes_per_second", "MB/s", (O, GE, 2.5, KC), (O, GE, 4, KF),
                      (O, GE, 0.9, M), (O, GE, 3, KC, True))
    yield Goal(TABLE, work, "MB/s", cell("batch-64x1k", O, "megabytes_per_second"), GE, 0.75, least(L, 0.5 * W), True)
    yield from versus("batch-64x1k", work, "cpu_per_request", "broker CPU a batch, us", (O, LE, 0.3, KC))


def latencies():
    work = "1 KiB, one in flight"
    yield from versus("one-1k", work, "p50", "p50, us", (O, LE, 0.5, KF), (M, LE, 0.6, KC))
    yield from versus("one-1k", work, "p99", "p99, us", (O, LE, 0.5, KF), (M, LE, 0.5, KC))
    yield Goal(TABLE, work, "p50, us", cell("one-1k", O, "p50"), LE, 1.25,
               cell("one-1k", DISK, "p50") + round_trip("one-1k"), True)
    work = "open loop 4,000/s of 1 x 100 B, produce to fetch"
    yield from versus("open-4000", work, "end_to_end_p99", "p99, us", (M, LE, 0.2, KC))
    yield Goal(TABLE, work, "p99, us", cell("open-4000", O, "end_to_end_p99"), LE, 1,
               most(cell("open-4000", KC, "end_to_end_p99"), 2 * cell("open-4000", DISK, "p99")))
    yield from versus("open-4000", work, "end_to_end_p99.9", "p99.9, us", (O, LE, 0.5, KC))
    yield Goal(TABLE, work, "p99, us", cell("open-4000", O, "end_to_end_p99"), LE, 1.3,
               cell("open-4000", DISK, "p99"), True)
    work = "open loop 1,000/s of 16 x 1 KiB"
    yield from versus("open-16x1k", work, "p99", "p99, us", (M, LE, 0.2, KC))
    yield Goal(TABLE, work, "p99, us", cell("open-16x1k", O, "p99"), LE, 1,
               most(0.5 * cell("open-16x1k", KC, "p99"), 1.5 * cell("open-16x1k", DISK, "p99")))


def reading():
    for case, work in (("fetch-1", "fetch of recent data, 1 reader"), ("fetch-8", "fetch of recent data, 8 readers")):
        rate = cell(case, O, "megabytes_per_second")
        yield Goal(TABLE, work, "MB/s", rate, GE, 0.9, L)
        yield Goal(TABLE, work, "MB/s", rate, GE, 0.7, cell(case, KC, "megabytes_per_second"), True)
    rate = cell("cold", O, "megabytes_per_second")
    yield Goal(TABLE, "cold catch-up", "MB/s", rate, GE, 2, cell("cold", KC, "megabytes_per_second"))
    yield Goal(TABLE, "cold catch-up", "MB/s", rate, GE, 0.85, least(R, L), True)


def at_rest():
    work = "10,000 idle connections beside open-4000"
    yield Goal(TABLE, work, "p99, us", cell("idle", O, "end_to_end_p99"), LE, 1.05,
               other_case("open-4000", O, "end_to_end_p99"))
    yield Goal(TABLE, "10,000 idle connections", "KiB each", cell("start", O, "kib_per_connection"), LE, 1,
               constant(8, "KiB"))
    yield Goal(TABLE, "64 requests in flight", "system calls a batch", cell("costs", O, "system_calls_per_batch"),
               LE, 0.5, constant(1, "batch"))
    yield Goal(TABLE, "64 requests in flight", "our heap allocations in every request",
               cell("costs", O, "own_allocations_per_request"), LE, 0, constant(1, "request"))
    for name, metric, unit, bounds in (("start to first answer", "first_answer_ms", "ms", (100, 50)),
                                       ("idle memory, two shards", "idle_mib", "MiB", (100, 64))):
        for bound in bounds:
            yield Goal(TABLE, name, unit, cell("start", O, metric), LE, 1, constant(bound, unit), bound != bounds[0])
    yield Goal(TABLE, "ten minutes at a steady rate", "maximum ack, us", cell("ten-minutes", O, "max"), LE, 2,
               cell("ten-minutes", DISK, "max"))


def budget():
    """P1 to P18, where they say something else."""
    work = "1 KiB, one in flight"
    yield Goal("P2", work, "p99, us", cell("one-1k", O, "p99"), LE, 1.5, cell("one-1k", DISK, "p99"))
    yield Goal("P2", work, "p99.9, us", cell("one-1k", O, "p99.9"), LE, 2, cell("one-1k", DISK, "p99.9"))
    work = "open loop 4,000/s of 1 x 100 B"
    yield from versus("open-4000", work, "p99", "ack p99, us", (M, LE, 0.2, KC), source="P3")
    yield Goal("P3", work, "ack p99, us", cell("open-4000", O, "p99"), LE, 1,
               most(0.5 * cell("open-4000", KC, "p99"), 1.5 * cell("open-4000", DISK, "p99")))
    yield from versus("open-4000", work, "p99.9", "ack p99.9, us", (O, LE, 0.5, KC), source="P3")
    yield from versus("single-1k", "1 KiB, 64 in flight", "requests_per_second", "requests/s", (O, GE, 30, KF),
                      (O, GE, 3, KC), source="P4")
    yield from versus("small", "1 x 100 B, 32 x 8 in flight", "requests_per_second", "requests/s", (O, GE, 0.95, M),
                      source="P5")
    yield Goal("P6", "512 x 1 KiB, 4 x 4 in flight", "MB/s", cell("batch-512x1k", O, "megabytes_per_second"), GE, 0.75,
               least(L, 0.5 * W))
    yield from versus("small", "1 x 100 B, pipelined", "cpu_per_request", "broker CPU a request, us",
                      (O, LE, 1 / 15, KC), source="P8")
    yield Goal("P9", "tail end to end, memory, 4,000/s", "p50, us", cell("open-4000", M, "end_to_end_p50"), LE, 2,
               Figure("S of one-1k", round_trip("one-1k").of_round, round_trip("one-1k").cells))
    yield Goal("P9", "tail end to end, memory, 4,000/s", "p99.9, us", cell("open-4000", M, "end_to_end_p99.9"), LE, 1,
               least(constant(1000, "us"), 0.1 * cell("open-4000", KC, "end_to_end_p99.9")))
    yield Goal("P11", f"{work} beside a cold catch-up", "p99, us", cell("catch-up", O, "end_to_end_p99"), LE, 1.3,
               other_case("open-4000", O, "end_to_end_p99"))
    yield Goal("storage", f"{work} beside a compaction", "p99.9, us", cell("compaction", O, "end_to_end_p99.9"), LE, 1.3,
               other_case("open-4000", O, "end_to_end_p99.9"))
    yield Goal("P12", "1 x 100 B, 1,000 partitions", "p99, us", cell("small-1000", O, "p99"), LE, 1.5,
               other_case("small", O, "p99"))
    yield from versus("batch-64x1k", "64 x 1 KiB, 4 x 4 in flight", "resident_mib", "resident memory, MiB",
                      (O, LE, 0.2, KC), source="P14")
    yield from versus("start", "start in an empty directory", "first_answer_ms", "ms", (O, LE, 0.05, KC), source="P14")
    yield Goal("P14", "kill -9 to the first answer", "ms", cell("restart", O, "first_answer_ms"), LE, 1,
               constant(1000, "ms"))
    yield Elsewhere("P15", "3 replicas", "p99", "<= 1 round trip + 20 %", "there is no replication yet")
    yield Elsewhere("P16", "1 to 8 shards", "requests/s", ">= 7.2 x", "two cores cannot show it")


GOALS = (*small_requests(), *batches(), *latencies(), *reading(), *at_rest(), *budget())

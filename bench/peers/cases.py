"""What is measured, as data.

Takers of a case, one row each a round, interleaved:

    o    ottla, flushed: an acknowledged record is on the disk
    m    ottla, `memory`
    Kc   Apache Kafka as it comes: acknowledged from the page cache
    Kf   Apache Kafka with log.flush.interval.messages=1
    D    the disk alone: 4 KiB O_DSYNC at the rate of the case, or one after the other
    W R  the disk alone: 1 MiB direct writes, reads, four at a time
    L    the loopback alone: a copying sender, one stream
"""

from dataclasses import dataclass

OTTLA, MEMORY, KAFKA, KAFKA_FLUSHED = "o", "m", "Kc", "Kf"
BROKERS = (OTTLA, MEMORY, KAFKA, KAFKA_FLUSHED)
DISK, DISK_WRITE, DISK_READ, LOOPBACK = "D", "W", "R", "L"

PRODUCE = "produce"
END_TO_END = "end_to_end"
RECENT = "recent"
READ = "read"
CATCH_UP = "catch_up"
COMPACTION = "compaction"
IDLE_CONNECTIONS = "idle_connections"
START = "start"
RESTART = "restart"
FLOOR = "floor"
COUNT = "count"

ACK_LATENCIES = ("p50", "p99", "p99.9", "max")
END_TO_END_LATENCIES = ("end_to_end_p50", "end_to_end_p99", "end_to_end_p99.9", "end_to_end_max")
COST = ("cpu_per_request", "cpu_per_record", "resident_mib")
THROUGHPUT = ("requests_per_second", "megabytes_per_second")

# What Kafka has no counterpart of.
OTTLAS_OWN = ("cold_read_mib", "compacted_mib")


@dataclass(frozen=True)
class Load:
    """The same bytes for every broker: records a request, each with a value of this size."""

    connections: int
    in_flight: int
    records: int = 1
    value_bytes: int = 100
    partitions: int = 4
    # None: the next request waits for an answer.
    requests_per_second: int | None = None

    def describe(self):
        size = f"{self.value_bytes // 1024} KiB" if self.value_bytes % 1024 == 0 else f"{self.value_bytes} B"
        pace = f", {self.requests_per_second:,}/s" if self.requests_per_second else f" x {self.in_flight} in flight"
        plural = "" if self.connections == 1 else "s"
        return (f"{self.records} x {size}, {self.connections} connection{plural}{pace}, "
                f"{self.partitions:,} partition{'' if self.partitions == 1 else 's'}")


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    kind: str
    takers: tuple
    load: Load | None = None
    # The metrics of the table.
    shows: tuple = ()
    # Foreign CPU spoils latencies sooner than throughput.
    latency: bool = False
    # Run unless asked for others by name.
    standard: bool = True
    # Of a measurement, and how many rounds have it, in place of the scale's. What lasts is not taken again.
    seconds: float | None = None
    rounds: int | None = None
    # The generator measures its own ceiling in each round, not only in the first.
    sink_each_round: bool = False
    # Before it, of what is read.
    page_cache_dropped: bool = False
    # What is read, is read to its end, and no second time.
    once: bool = False
    topic_configs: tuple = ()
    # Where old records go while it runs, nothing can be read back.
    verify: bool = True

    def expected(self, taker):
        """Metrics that a complete run has for this taker; percentiles may lack samples."""
        if self.kind == FLOOR:
            return self.shows
        if taker == DISK:
            return ("p50",)
        return tuple(name for name in self.shows if "p99" not in name and name not in OTTLAS_OWN)


def produce(name, title, load, takers=BROKERS, **options):
    return Case(name, title, PRODUCE, takers, load, shows=(*THROUGHPUT, *ACK_LATENCIES, *COST), **options)


def end_to_end(name, title, load, takers, kind=END_TO_END, extra=(), **options):
    shows = ("requests_per_second", *END_TO_END_LATENCIES, *ACK_LATENCIES, *COST, *extra)
    return Case(name, title, kind, takers, load, shows=shows, latency=True, **options)


def fetch(name, title, kind, readers, **options):
    """Each reader reads all of it, again and again."""
    return Case(name, title, kind, (OTTLA, KAFKA), Load(readers, 1, 64, 1024),
                shows=("megabytes_per_second", "cpu_per_record", "resident_mib", "cold_read_mib"), **options)


OPEN_4000 = Load(4, 64, requests_per_second=4_000)
OPEN_16K = Load(4, 64, 16, 1024, requests_per_second=1_000)

STANDARD = (
    Case("disk", "the disk alone, 1 MiB", FLOOR, (DISK_WRITE, DISK_READ), shows=("megabytes_per_second",)),
    Case("loopback", "the loopback alone", FLOOR, (LOOPBACK,), shows=("megabytes_per_second",)),
    produce("one-100", "one in flight", Load(1, 1, partitions=1), (OTTLA, KAFKA, KAFKA_FLUSHED), latency=True),
    produce("one-1k", "one in flight", Load(1, 1, value_bytes=1024, partitions=1), (*BROKERS, DISK),
            latency=True, sink_each_round=True),
    produce("one-16x1k", "one in flight", Load(1, 1, 16, 1024, partitions=1), (OTTLA, KAFKA, KAFKA_FLUSHED),
            latency=True),
    produce("small", "single records", Load(32, 8)),
    produce("small-1000", "single records, many partitions", Load(32, 8, partitions=1_000), (OTTLA, KAFKA)),
    produce("single-1k", "single records, 64 in flight", Load(16, 4, value_bytes=1024),
            (OTTLA, KAFKA, KAFKA_FLUSHED)),
    produce("batch-160x100", "batches of small records", Load(4, 4, 160), (OTTLA, KAFKA, KAFKA_FLUSHED)),
    produce("batch-16x1k", "batches", Load(4, 4, 16, 1024)),
    produce("batch-64x1k", "batches", Load(4, 4, 64, 1024)),
    produce("batch-512x1k", "batches", Load(4, 4, 512, 1024), (OTTLA, KAFKA, KAFKA_FLUSHED)),
    produce("open-1000", "open loop", Load(4, 64, requests_per_second=1_000), (OTTLA, KAFKA, KAFKA_FLUSHED, DISK),
            latency=True),
    end_to_end("open-4000", "open loop, produce to fetch", OPEN_4000, (OTTLA, KAFKA, MEMORY, DISK)),
    end_to_end("idle", "the same beside idle connections", OPEN_4000, (OTTLA, KAFKA), IDLE_CONNECTIONS,
               extra=("idle_connections",)),
    end_to_end("open-16x1k", "open loop, produce to fetch", OPEN_16K, (OTTLA, KAFKA, MEMORY, KAFKA_FLUSHED, DISK)),
    end_to_end("catch-up", "the same beside a consumer that reads old records", OPEN_4000, (OTTLA, KAFKA), CATCH_UP,
               extra=("catch_up_megabytes_per_second",), page_cache_dropped=True),
    fetch("fetch-1", "fetch of recent data, 1 reader", RECENT, 1),
    fetch("fetch-8", "fetch of recent data, 8 readers", RECENT, 8),
    fetch("cached", "fetch of more than ottla keeps and the page cache holds, 1 reader", READ, 1),
    fetch("cold", "the same, page cache dropped", READ, 1, page_cache_dropped=True, once=True),
    Case("start", "start in an empty directory to the first answer; memory when idle", START, (OTTLA, KAFKA),
         shows=("first_answer_ms", "idle_mib", "idle_connections", "kib_per_connection")),
    Case("costs", "what 64 requests in flight cost, counted", COUNT, (OTTLA,),
         shows=("system_calls_per_batch", "own_allocations_per_request", "shared_allocations_per_request")),
    Case("restart", "kill -9 to the first answer", RESTART, (OTTLA, KAFKA),
         shows=("first_answer_ms", "written_megabytes")),
)

# Only when asked for. The disk alone must hold the rate of the ten minutes too, one flushed block after the other: the
# slowest one seen takes 6,000 a second.
OTHERS = (
    produce("small-8x4", "single records", Load(8, 4), (OTTLA, KAFKA, KAFKA_FLUSHED), standard=False),
    end_to_end("compaction", "open-4000 beside the compaction of another topic", OPEN_4000, (OTTLA,), COMPACTION,
               extra=("compacted_mib",), standard=False),
    end_to_end("ten-minutes", "half load for ten minutes, retention at work",
               Load(4, 64, 16, 1024, requests_per_second=3_000), (OTTLA, DISK, KAFKA), standard=False, seconds=600, rounds=1,
               topic_configs=("retention.bytes=268435456", "segment.bytes=67108864"), verify=False),
)


def curve():
    """What a request and a byte cost, one axis at a time."""
    takers = (OTTLA, KAFKA)
    for partitions in (1, 10, 100, 1_000, 10_000):
        yield produce(f"curve-partitions-{partitions}", "cost curve: partitions", Load(4, 16, 16, 1024, partitions),
                      takers, standard=False)
    for connections in (1, 10, 100, 1_000):
        yield produce(f"curve-connections-{connections}", "cost curve: connections", Load(connections, 1, 16, 1024),
                      takers, standard=False)
    for records, size, name in ((1, 100, "100B"), (1, 1024, "1KiB"), (10, 1024, "10KiB"), (100, 1024, "100KiB"),
                                (1_000, 1024, "1000KiB")):
        yield produce(f"curve-batch-{name}", "cost curve: batches", Load(4, 4, records, size), takers, standard=False)


ALL = (*STANDARD, *OTHERS, *curve())


def named(names, beside=()):
    """The standard cases and those named beside them, or those of these names; a name may end in `*`."""
    if not names:
        others = named(beside) if beside else []
        return [case for case in ALL if case.standard or case in others]
    found = [case for case in ALL if any(matches(case.name, name) for name in names)]
    unknown = [name for name in names if not any(matches(case.name, name) for case in ALL)]
    if unknown:
        raise SystemExit(f"no such case: {', '.join(unknown)}; there are {', '.join(case.name for case in ALL)}")
    return found


def matches(name, pattern):
    return name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))


def by_name(name):
    return next(case for case in ALL if case.name == name)

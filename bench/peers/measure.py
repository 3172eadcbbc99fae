"""One taker in one case, once: its metrics, and the command that gave them."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field

import broker
import brokers
import cases
import connections
import disk
import generator
import lives
import loopback

READ_TOPIC = "old"
# A file system may be slow to make files for minutes after it lost as many (ext4 without a journal passes over freed
# inodes one by one): topics of so many partitions go when all brokers have had the case.
MANY_PARTITIONS = 1_000
COLD_READS = "ottla_cold_read_bytes_total"
COMPACTED = "ottla_compaction_read_bytes_total"
# Of a topic that is to be compacted.
DIRTY = cases.produce("dirty", "", cases.Load(4, 4, 64, 1024), topic_configs=("segment.bytes=67108864",))
KEYED = ("--key", "uniform", "--key-count", 200_000)
COMPACTED_SOON = "log.cleaner.backoff.ms=200"
COMPACTING = ("cleanup.policy=compact", "min.cleanable.dirty.ratio=0")
MIB = 1 << 20
# What is read later is written at a pace that every broker holds, so that all of them hold the same bytes.
WRITE_LOAD = cases.Load(4, 16, 64, 1024, requests_per_second=2_400)
ONCE_SECONDS_MAX = 60
# Of the rate of an open loop.
RATE_HELD_MIN = 0.98
# A broker that was killed before gets less: the first life has made the log long.
LATER_LIVES = 10
WRITE_BYTES_PER_SECOND = WRITE_LOAD.requests_per_second * WRITE_LOAD.records * WRITE_LOAD.value_bytes


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    rounds: int
    seconds: float
    warmup: float
    recent_megabytes: int
    read_megabytes: int
    restart_megabytes: int
    idle_connections: int
    disk_mebibytes: int
    # Of each broker before the first round: a JVM compiles what it meets.
    warm_seconds: float


MEASURE = Scale(rounds=5, seconds=4, warmup=1, recent_megabytes=32, read_megabytes=2_000, restart_megabytes=2_000,
                idle_connections=10_000, disk_mebibytes=2_048, warm_seconds=10)
QUICK = Scale(rounds=1, seconds=1, warmup=0.5, recent_megabytes=16, read_megabytes=300, restart_megabytes=20,
              idle_connections=200, disk_mebibytes=64, warm_seconds=1)


@dataclass
class Outcome:
    metrics: dict
    durability: str = "none"
    command: list = field(default_factory=list)
    # File name of the generator's document.
    result: str | None = None


class Bench:
    """What a run works with: the brokers by taker, the disk, where results go."""

    def __init__(self, scale, out, peers):
        self.scale = scale
        self.out = out
        self.logs = os.path.join(out, "logs")
        self.peers = peers
        self.disk = None
        self.lives = {}
        self.topics = 0
        self.left = []

    def seconds(self, case):
        return case.seconds or self.scale.seconds

    @contextlib.contextmanager
    def running(self, taker):
        """One broker awake, the others still."""
        peer = self.peers[taker]
        peer.go_on()
        try:
            yield peer
        finally:
            peer.stand_still()

    @contextlib.contextmanager
    def topic(self, peer, case):
        """A fresh one of the case's, gone afterwards; one of many partitions by `clear`."""
        self.topics += 1
        name = f"{case.name}-{self.topics}"
        peer.make_topic(name, case.load.partitions, *case.topic_configs)
        try:
            yield name
        finally:
            if case.load.partitions >= MANY_PARTITIONS:
                self.left.append((peer.taker, name))
            else:
                peer.remove_topic(name)

    def clear(self):
        """A topic that cannot be removed stays: what was measured with it counts, and the disk is watched anyway."""
        while self.left:
            taker, name = self.left.pop()
            try:
                with self.running(taker) as peer:
                    peer.remove_topic(name)
            except (RuntimeError, OSError, subprocess.SubprocessError) as failure:
                print(f"  {name} stays: {failure}", file=sys.stderr, flush=True)

    def disk_file(self):
        if self.disk is None:
            self.disk = disk.DiskFile(broker.directory("peers-disk"), self.scale.disk_mebibytes)
        return self.disk

    def close(self):
        for peer in self.peers.values():
            brokers.keep_log(peer.server, self.logs, peer.taker)
        for life in self.lives.values():
            life.close()
        if self.disk is not None:
            self.disk.remove()
            os.rmdir(os.path.dirname(self.disk.path))


def measure(bench, case, taker, number):
    if taker in FLOORS:
        return Outcome(FLOORS[taker](bench, case))
    return KINDS[case.kind](bench, case, taker, number)


def flushed_writes(bench, case):
    """A disk that falls behind the rate has latencies of its queue, which excuse any broker: those are void."""
    rate = case.load.requests_per_second
    found = bench.disk_file().flushed_writes(bench.seconds(case), rate)
    held = found["requests_per_second"]
    if rate and held < RATE_HELD_MIN * rate:
        found["void"] = [f"the disk alone held {held:,.0f}/s of {rate:,}/s, one after the other"]
    return found


FLOORS = {
    cases.DISK: flushed_writes,
    cases.DISK_WRITE: lambda bench, case: bench.disk_file().sequential(bench.seconds(case) / 2, write=True),
    cases.DISK_READ: lambda bench, case: bench.disk_file().sequential(bench.seconds(case) / 2, write=False),
    cases.LOOPBACK: lambda bench, case: loopback.copying_sender(bench.seconds(case) / 2),
}


def produce(bench, case, taker, number):
    with bench.running(taker) as peer, bench.topic(peer, case) as topic:
        return generate(bench, case, peer, generator.PRODUCE, topic, number)


def end_to_end(bench, case, taker, number):
    with bench.running(taker) as peer, bench.topic(peer, case) as topic:
        return generate(bench, case, peer, generator.END_TO_END, topic, number)


def beside_idle_connections(bench, case, taker, number):
    with bench.running(taker) as peer, bench.topic(peer, case) as topic:
        with connections.held(peer.address, bench.scale.idle_connections):
            outcome = generate(bench, case, peer, generator.END_TO_END, topic, number)
    outcome.metrics["idle_connections"] = bench.scale.idle_connections
    return outcome


def recent(bench, case, taker, number):
    """What was just written, and fits into the memory that ottla has for it."""
    with bench.running(taker) as peer, bench.topic(peer, case) as topic:
        fill(bench, peer.address, topic, bench.scale.recent_megabytes)
        return reading(bench, case, peer, generator.CONSUME, topic, number)


def old(bench, case, taker, number):
    with bench.running(taker) as peer:
        return reading(bench, case, peer, generator.CONSUME, old_topic(bench, peer, case), number)


def catch_up(bench, case, taker, number):
    """Producers and a waiting consumer at the end of a topic that another consumer reads from its start."""
    with bench.running(taker) as peer:
        outcome = reading(bench, case, peer, generator.CATCH_UP, old_topic(bench, peer, case), number)
        outcome.metrics["catch_up_megabytes_per_second"] = outcome.metrics.pop("read_megabytes_per_second")
        return outcome


def beside_compaction(bench, case, taker, number):
    """Of another topic, most of whose records are void; it is under way when the generator begins."""
    with bench.running(taker) as peer, bench.topic(peer, case) as topic, bench.topic(peer, DIRTY) as dirty:
        fill(bench, peer.address, dirty, bench.scale.read_megabytes, KEYED)
        compacted = peer.server.metric(COMPACTED)
        brokers.tool(peer.address, "config", "set", "broker", "0", COMPACTED_SOON)
        brokers.tool(peer.address, "config", "set", "topic", dirty, *COMPACTING)
        brokers.wait_until(f"{dirty} is compacted", lambda: peer.server.metric(COMPACTED) > compacted)
        before = peer.server.metric(COMPACTED)
        outcome = generate(bench, case, peer, generator.END_TO_END, topic, number)
        outcome.metrics["compacted_mib"] = (peer.server.metric(COMPACTED) - before) / MIB
        return outcome


def old_topic(bench, peer, case):
    """One topic for every case that reads old records, written once."""
    if brokers.led(peer.address, READ_TOPIC) == 0:
        peer.make_topic(READ_TOPIC, case.load.partitions)
        fill(bench, peer.address, READ_TOPIC, bench.scale.read_megabytes)
    return READ_TOPIC


def reading(bench, case, peer, mode, topic, number):
    """With what ottla had to read from its disk."""
    os.sync()
    if case.page_cache_dropped:
        drop_page_cache()
    own = hasattr(peer.server, "metric")
    before = peer.server.metric(COLD_READS) if own else 0
    outcome = generate(bench, case, peer, mode, topic, number)
    if own:
        outcome.metrics["cold_read_mib"] = (peer.server.metric(COLD_READS) - before) / MIB
    return outcome


def fill(bench, address, topic, megabytes, options=()):
    seconds = megabytes * 1e6 / WRITE_BYTES_PER_SECOND
    words = generator.command(generator.PRODUCE, address, topic, WRITE_LOAD, seconds, 0, ["--no-sink", *options])
    generator.run(words, os.path.join(bench.out, "results", f"fill-{topic}-{address.rpartition(':')[2]}.json"), seconds)


def drop_page_cache():
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3\n")


def generate(bench, case, peer, mode, topic, number):
    """The generator beside a broker, with everything verified that it can verify."""
    result = f"{number:02}-{case.name}-{peer.taker}.json"
    options = ["--broker-pid", peer.pid, "--durability", peer.durability,
               "--label", brokers.NAMES[peer.taker]]
    # Of old records nobody knows who sent them.
    if case.verify and mode in (generator.PRODUCE, generator.END_TO_END):
        options.append("--verify")
    # Its ceiling belongs to the case and its machine, not to a broker.
    if peer.taker != case.takers[0] or not (number == 1 or case.sink_each_round):
        options.append("--no-sink")
    seconds, warmup = bench.seconds(case), bench.scale.warmup
    if case.once:
        seconds, warmup = ONCE_SECONDS_MAX, 0
        options.append("--once")
    words = generator.command(mode, peer.address, topic, case.load, seconds, warmup, options)
    found = generator.run(words, os.path.join(bench.out, "results", result), seconds)
    return Outcome(generator.metrics(found) | {"void": found.get("void", [])}, peer.durability,
                   [os.path.basename(words[0]), *words[1:]], result)


def start(bench, case, taker, number):
    return Outcome(lives.first_start(taker, bench.scale.idle_connections, bench.logs), brokers.DURABILITY[taker])


def counted(bench, case, taker, number):
    """By a broker of its own, whose allocator counts; and by the kernel, of the one that is shipped."""
    words = ["cargo", "bench", "--quiet", "--locked", "-p", "ottla", "--bench", "costs"]
    ended = subprocess.run(words, cwd=broker.ROOT, stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    value = {(row["question"], row.get("shards", 1)): row["value"] for row in rows}
    return Outcome({
        "system_calls_per_batch": value["system calls per batch, 8 connections, 8 in flight each", 1],
        "own_allocations_per_request": value["of them ours, in every request", 1],
        "shared_allocations_per_request": value["of them ours", 1],
    }, brokers.DURABILITY[taker], words)


def restart(bench, case, taker, number):
    """A broker of its own, which lives on between rounds as a directory: each life leaves something to replay."""
    if taker not in bench.lives:
        bench.lives[taker] = lives.Killed(taker, bench.logs)
    killed = bench.lives[taker]
    megabytes = bench.scale.restart_megabytes / (LATER_LIVES if killed.written_megabytes else 1)
    found = killed.after(megabytes, lambda *where: fill(bench, *where))
    return Outcome(found, brokers.DURABILITY[taker])


def warm(bench, peer):
    """Every path that is measured later, before anything counts."""
    load = cases.Load(8, 8, 4, 512)
    with bench.running(peer.taker):
        case = cases.produce("warm", "", load)
        with bench.topic(peer, case) as topic:
            for mode in (generator.PRODUCE, generator.END_TO_END):
                words = generator.command(mode, peer.address, topic, load, bench.scale.warm_seconds / 2, 0,
                                          ["--no-sink"])
                generator.run(words, os.path.join(bench.out, "results", f"warm-{mode}-{peer.taker}.json"),
                              bench.scale.warm_seconds)


KINDS = {
    cases.PRODUCE: produce,
    cases.END_TO_END: end_to_end,
    cases.RECENT: recent,
    cases.READ: old,
    cases.CATCH_UP: catch_up,
    cases.COMPACTION: beside_compaction,
    cases.IDLE_CONNECTIONS: beside_idle_connections,
    cases.START: start,
    cases.RESTART: restart,
    cases.COUNT: counted,
}

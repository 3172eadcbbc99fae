"""One data directory of a size: filled once, then brought to a state, killed and started again, over and over."""

import datetime
import os
import time

import broker
import brokers
import idle
import produce
import states

# What it is killed with, and what it is started with again.
SHARDS = 2
NEXT = {"the same": SHARDS, "twice": 2 * SHARDS, "half": SHARDS // 2}
TOPICS, PARTITIONS_EACH = 4, 16
FILL_RECORDS, FILL_VALUE_BYTES = 60, 16 << 10
# What is acknowledged everywhere after a restart.
FIRST_RECORDS, FIRST_VALUE_BYTES = 1, 100
QUIET_SECONDS_MAX = 120
# Of one core, beside a restart: a tick of the kernel's accounts is 5 % of so short a time.
FOREIGN_MAX = 0.2
ATTEMPTS_MAX = 3
MIB = 1 << 20
GIB = 1 << 30


class Directory:
    """The brokers of one directory, one life after the other."""

    def __init__(self, name, device, allow_busy):
        self.path = broker.directory(f"restart-{name}")
        self.device, self.allow_busy = device, allow_busy
        self.server = broker.Broker(self.path)
        self.partitions = [(f"restart-{topic}", index) for topic in range(TOPICS) for index in range(PARTITIONS_EACH)]

    def __enter__(self):
        self.start(SHARDS)
        for topic in dict.fromkeys(topic for topic, _ in self.partitions):
            brokers.tool(self.server.address, "topic", "create", topic, "-p", str(PARTITIONS_EACH))
        return self

    def __exit__(self, *failure):
        self.server.__exit__(*failure)

    def start(self, shards):
        self.server.shards = shards
        self.server.arguments = ["--shards", str(shards)]
        self.server.start()

    def fill(self, gibibytes):
        batch = produce.batch(FILL_RECORDS, FILL_VALUE_BYTES)
        produce.fill(self.server.address, self.partitions, batch, gibibytes * GIB)

    def measured(self, state, next_shards):
        """The first attempt beside which the machine was ours, else the last."""
        discarded = []
        while True:
            row = self.attempted(state, next_shards) | {"attempt": len(discarded) + 1}
            if row["state"] == "counts" or self.allow_busy or row["attempt"] == ATTEMPTS_MAX:
                # What they came to stays to be seen: they are left out for what ran beside, not for their time.
                return row | {"discarded": discarded}
            discarded.append(row)

    def attempted(self, state, next_shards):
        self.fresh()
        try:
            dirty = states.ALL[state](self.server, self.partitions)
        except states.NotReached as failure:
            return {"state": "failed", "why": [str(failure)], "metrics": {}}
        self.server.kill()
        on_disk = allocated(self.path)
        if not self.allow_busy:
            idle.wait(self.device, QUIET_SECONDS_MAX, latency=False)
        batch = produce.batch(FIRST_RECORDS, FIRST_VALUE_BYTES)
        watch = idle.Watch(self.device)
        ready_ms, acknowledged_ms = self.timed(next_shards, batch)
        quiet = watch.end()
        faults = [] if quiet.foreign <= FOREIGN_MAX else [f"other processes took {quiet.foreign:.0%} of a core, most of "
                                                           f"it {quiet.busiest}"]
        return {
            "state": "busy" if faults or self.allow_busy else "counts", "why": faults,
            "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "metrics": {
                "dirty_mib": dirty / MIB, "disk_mib": on_disk / MIB, "ready_ms": ready_ms,
                "acknowledged_ms": acknowledged_ms, "memory_mib": self.server.memory_kib("VmHWM") / 1024,
                "journal_read_mib": self.server.metric("ottla_recovery_read_bytes") / MIB,
                "foreign_cores": quiet.foreign,
            },
        }

    def fresh(self):
        """A life with nothing dirty, of the usual shards: each has its part of what is written from now on."""
        self.server.stop()
        self.start(SHARDS)

    def timed(self, shards, batch):
        """Milliseconds from the start of the process until it calls itself ready, and until every partition has
        acknowledged a batch."""
        began = time.perf_counter()
        self.start(shards)
        ready = time.perf_counter()
        produce.everywhere(self.server.address, self.partitions, batch)
        return (ready - began) * 1e3, (time.perf_counter() - began) * 1e3


def allocated(path):
    """Bytes of disk below a folder."""
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512
               for folder, _, names in os.walk(path) for name in names)

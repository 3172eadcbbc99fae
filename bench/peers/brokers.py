"""The brokers that are compared. Each has a directory of its own on the same disk, is started once, and is stopped
(SIGSTOP) while another is measured."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import apache_kafka
import broker
import cases

# A broker that stands still for minutes must not be fenced by its own controller.
STANDING_STILL = "broker.session.timeout.ms=3600000"
# Deleted files are gone before the next one is measured, not a minute later.
DELETING_AT_ONCE = ["log.segment.delete.delay.ms=500", "log.initial.task.delay.ms=500",
                    "log.retention.check.interval.ms=10000"]
FLUSHING = "log.flush.interval.messages=1"
DURABILITY = {cases.OTTLA: "flushed", cases.MEMORY: "memory", cases.KAFKA: "page cache",
              cases.KAFKA_FLUSHED: "flushed"}
NAMES = {cases.OTTLA: "ottla", cases.MEMORY: "ottla memory", cases.KAFKA: "Kafka",
         cases.KAFKA_FLUSHED: "Kafka flushing"}
PATIENCE_SECONDS = 180
POLL_SECONDS = 0.05
# What the tool says of a topic whose partitions have no leaders yet.
MADE = "made, but it has no leaders yet"
# Kafka refuses a request that becomes 10,000 records of its metadata.
PARTITIONS_AT_ONCE = 5_000


def server(taker, path, *properties, shards="auto"):
    """Not started. `properties` are Kafka's alone, `shards` are ottla's."""
    if taker in (cases.OTTLA, cases.MEMORY):
        return broker.Broker(path, "--shards", shards, "--durability", DURABILITY[taker])
    flushing = [FLUSHING] if taker == cases.KAFKA_FLUSHED else []
    return apache_kafka.Kafka(path, *properties, *flushing, jvm=apache_kafka.STOCK_JVM)


class Ended(Exception):
    """A broker is no more: what follows would compare nothing."""


class Peer:
    """One broker that lives through the whole run."""

    def __init__(self, taker):
        self.taker = taker
        self.durability = DURABILITY[taker]
        self.server = server(taker, broker.directory(f"peers-{taker}"), STANDING_STILL, *DELETING_AT_ONCE)
        self.stopped = False

    def __enter__(self):
        try:
            self.server.start()
        except BaseException:
            # Also when this process is told to end meanwhile: nobody else would end it.
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # Its log is kept elsewhere (`keep_log`), and its data is nothing but the generator's.
        self.server.__exit__(None, None, None)

    @property
    def address(self):
        return self.server.address

    @property
    def pid(self):
        return self.server.process.pid

    def stand_still(self):
        if not self.stopped:
            os.kill(self.pid, signal.SIGSTOP)
            self.stopped = True

    def go_on(self):
        """Back once it answers."""
        if not self.server.alive():
            raise Ended(f"{NAMES[self.taker]} ended with {self.server.process.returncode}")
        if self.stopped:
            os.kill(self.pid, signal.SIGCONT)
            self.stopped = False
        wait_until(f"{NAMES[self.taker]} answers", lambda: broker.answers(self.address))

    def make_topic(self, name, partitions, *configs):
        """Returns when every partition is led."""
        words = [word for config in configs for word in ("-c", config)]
        self._topic("create", name, "-p", str(min(partitions, PARTITIONS_AT_ONCE)), *words)
        for count in range(2 * PARTITIONS_AT_ONCE, partitions + PARTITIONS_AT_ONCE, PARTITIONS_AT_ONCE):
            self._topic("alter", name, "-p", str(min(count, partitions)))
        wait_until(f"topic {name} is led", lambda: led(self.address, name) == partitions)

    def _topic(self, *arguments):
        try:
            tool(self.address, "topic", *arguments)
        except RuntimeError as failure:
            # The tool is less patient than `make_topic`.
            if MADE not in str(failure):
                raise

    def remove_topic(self, name):
        """Returns when its files are gone as far as that can be seen, and nothing waits to be written."""
        tool(self.address, "topic", "delete", name, "--yes")
        data = os.path.join(self.server.path, "data")
        wait_until(f"the files of {name} are gone",
                   lambda: not any(entry.startswith(f"{name}-") for entry in os.listdir(data)))
        wait_until(f"the space of {name} is given back", lambda: not holds_removed_files(self.pid))
        os.sync()


def holds_removed_files(pid):
    folder = f"/proc/{pid}/fd"
    for entry in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(os.path.join(folder, entry)).endswith(" (deleted)"):
                return True
    return False


def tool(address, *arguments):
    ran = subprocess.run([broker.binary(), *arguments, "--bootstrap", address], capture_output=True, text=True,
                         timeout=PATIENCE_SECONDS)
    if ran.returncode != 0:
        raise RuntimeError(f"ottla {' '.join(arguments)}: {ran.stderr.strip()}")
    return ran.stdout


def led(address, topic):
    """Partitions with a leader; 0 while the broker does not know the topic."""
    ran = subprocess.run([broker.binary(), "topic", "describe", topic, "-o", "json", "--bootstrap", address],
                         capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    if ran.returncode != 0:
        return 0
    return sum(partition["leaderId"] >= 0 for partition in json.loads(ran.stdout)["topics"][0]["partitions"])


def wait_until(what, condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {PATIENCE_SECONDS} s")
        time.sleep(POLL_SECONDS)


def keep_log(server, folder, name):
    """A server's own log of its last life, beside the figures."""
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(server.path, f"log.{server.lives}")
    if os.path.exists(log):
        shutil.copy(log, os.path.join(folder, f"{name}.log"))

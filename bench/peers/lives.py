"""What a broker takes to come up, empty and after `kill -9`, and what it holds when nobody asks it anything."""

import shutil
import signal
import time

import broker
import brokers
import connections

TOPIC = "much"
PARTITIONS = 4
# What the goal for idle memory names, whatever a broker would take by itself.
GOAL_SHARDS = "2"
# Until a fresh process has done what it does by itself.
SETTLE_SECONDS = 1.0
KIB_PER_MIB = 1024


def first_start(taker, idle_connections, logs):
    """Of a process in an empty directory, which Kafka wants formatted: that does not count. Memory is that of a process
    that has done nothing yet, so that it cannot come from what others have given back."""
    with Life(taker, "start", logs, shards=GOAL_SHARDS) as life:
        first_answer_ms = life.start()
        time.sleep(SETTLE_SECONDS)
        idle_kib = life.server.memory_kib("VmRSS")
        with connections.held(life.server.address, idle_connections):
            held_kib = life.server.memory_kib("VmRSS")
    return {"first_answer_ms": first_answer_ms, "idle_mib": idle_kib / KIB_PER_MIB,
            "idle_connections": idle_connections,
            "kib_per_connection": (held_kib - idle_kib) / idle_connections}


class Life:
    """A broker of its own directory, which goes when this does."""

    def __init__(self, taker, name, logs, **options):
        self.name = f"{name}-{taker}"
        self.logs = logs
        self.server = brokers.server(taker, broker.directory(self.name), **options)
        self.server.prepare()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        """Milliseconds from the start of the process to its first answer."""
        began = time.perf_counter()
        self.server.start()
        while not broker.answers(self.server.address):
            pass
        return (time.perf_counter() - began) * 1e3

    def close(self):
        if self.server.process is not None and self.server.alive():
            self.server.kill()
        brokers.keep_log(self.server, self.logs, self.name)
        shutil.rmtree(self.server.path, ignore_errors=True)


class Killed(Life):
    """Written to and killed, again and again; each life leaves something to replay."""

    def __init__(self, taker, logs):
        super().__init__(taker, "restart", logs)
        self.written_megabytes = 0

    def after(self, megabytes, fill):
        """`fill(address, topic, megabytes)` writes. Kafka's own session timeout is part of what it shows: until that
        has passed, its controller takes the broker that was killed for alive."""
        if self.server.lives == 0:
            self.start()
            brokers.tool(self.server.address, "topic", "create", TOPIC, "-p", str(PARTITIONS))
        else:
            self.server.process.send_signal(signal.SIGCONT)
        brokers.wait_until("the topic is led", lambda: brokers.led(self.server.address, TOPIC) == PARTITIONS)
        fill(self.server.address, TOPIC, megabytes)
        self.written_megabytes += megabytes
        self.server.kill()
        first_answer_ms = self.start()
        # Until the next round.
        self.server.process.send_signal(signal.SIGSTOP)
        return {"first_answer_ms": first_answer_ms, "written_megabytes": self.written_megabytes}

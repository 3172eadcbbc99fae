#!/usr/bin/env python3
"""A real Apache Kafka, and the Java tools that come with it, from Maven's jars (`jars/pom.xml`; a JDK 17 and mvn).

  apache_kafka.py libs                       resolve the jars if need be, print their folder
  apache_kafka.py tool CLASS [ARGUMENT...]   run a class of them
  apache_kafka.py serve [PROPERTY=VALUE...]  run a broker until interrupted; prints its address
"""

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import broker

POM = os.path.join(broker.ROOT, "tests", "clients", "jars", "pom.xml")
LOG4J = os.path.join(broker.ROOT, "tests", "clients", "jars", "log4j2.properties")
LIBS = os.path.join(broker.ROOT, "target", "kafka", "libs")
# For tests, where several run beside each other: soon started and small.
TEST_JVM = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
# What Kafka's own start script gives a broker (`bin/kafka-server-start.sh`, `bin/kafka-run-class.sh`).
STOCK_JVM = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
             "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15",
             "-Djava.awt.headless=true"]
# For a client that is measured: compiled as far as its JVM goes.
TOOL_JVM = ["-Xmx512m"]
READY_SECONDS_MAX = 120
POLL_SECONDS = 0.01
# SIGTERM ends a Java process in order, and it says so with this code.
TERMINATED = 128 + signal.SIGTERM


def version():
    with open(POM) as pom:
        return re.search(r"<kafka.version>(.+)</kafka.version>", pom.read()).group(1)


def libs():
    """The folder of the jars, resolved when they are missing or of another version."""
    if os.path.exists(os.path.join(LIBS, f"kafka-clients-{version()}.jar")):
        return LIBS
    os.makedirs(os.path.dirname(LIBS), exist_ok=True)
    fresh = tempfile.mkdtemp(prefix="libs-", dir=os.path.dirname(LIBS))
    try:
        subprocess.run(
            ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies", "-DincludeScope=runtime",
             f"-DoutputDirectory={fresh}"],
            check=True, stdout=sys.stderr)
        shutil.rmtree(LIBS, ignore_errors=True)
        os.rename(fresh, LIBS)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return LIBS


def command(name, *arguments, jvm=TEST_JVM):
    """What starts a class of the jars, for `subprocess`."""
    return ["java", *jvm, f"-Dlog4j2.configurationFile={LOG4J}", "-cp", os.path.join(libs(), "*"), name, *arguments]


def tool(name, *arguments, timeout=120, jvm=TEST_JVM, **options):
    """Runs a class of the jars to its end: its exit code, `stdout` and `stderr` as text."""
    options = {"capture_output": True, "text": True, **options}
    return subprocess.run(command(name, *arguments, jvm=jvm), timeout=timeout, **options)


class Kafka(broker.Server):
    """One combined broker and controller, with node id 0. `properties` are lines of `server.properties` that are added."""

    terminated = TERMINATED

    def __init__(self, path, *properties, listen=None, jvm=TEST_JVM):
        super().__init__(path, listen)
        self.properties = list(properties)
        self.jvm = jvm
        self.controller = broker.free_address()
        self.settings = os.path.join(path, "server.properties")

    def start(self):
        self.prepare()
        self.lives += 1
        with open(os.path.join(self.path, f"log.{self.lives}"), "wb") as log:
            self.process = subprocess.Popen(
                command("kafka.Kafka", self.settings, jvm=self.jvm), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "LOG_DIR": self.path})
        self.address = self.listen
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not broker.answers(self.listen):
            if not self.alive():
                raise AssertionError(f"ended with {self.process.wait()} before it was ready; see {self.path}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready within {READY_SECONDS_MAX} s; see {self.path}")
            time.sleep(POLL_SECONDS)
        return self

    def prepare(self):
        """Formats the data directory, once; `start` does it too."""
        if os.path.exists(self.settings):
            return
        with open(self.settings, "w") as settings:
            settings.write("\n".join([*self._properties(), *self.properties, ""]))
        # The tool takes a dash in front for a flag.
        made = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        tool("kafka.tools.StorageTool", "format", "--standalone", "-t", made, "-c", self.settings, check=True)

    def _properties(self):
        listeners = f"PLAINTEXT://{self.listen},CONTROLLER://{self.controller}"
        return [
            "process.roles=broker,controller",
            "node.id=0",
            f"controller.quorum.bootstrap.servers={self.controller}",
            f"listeners={listeners}",
            f"advertised.listeners={listeners}",
            "inter.broker.listener.name=PLAINTEXT",
            "controller.listener.names=CONTROLLER",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            f"log.dirs={os.path.join(self.path, 'data')}",
            "num.partitions=4",
            # One node, and fifty partitions of offsets are fifty directories to create.
            "offsets.topic.num.partitions=4",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.num.partitions=4",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "share.coordinator.state.topic.num.partitions=4",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            "group.initial.rebalance.delay.ms=0",
        ]


def serve(properties):
    """`listen=HOST:PORT` among the properties chooses the address."""
    listen = next((line.partition("=")[2] for line in properties if line.startswith("listen=")), None)
    kept = [line for line in properties if not line.startswith("listen=")]
    # Both signals end it the same way, with the directory removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    kafka = Kafka(broker.directory("kafka"), *kept, listen=listen)
    try:
        kafka.start()
        print(kafka.address, flush=True)
        raise SystemExit(kafka.process.wait())
    finally:
        if kafka.process is not None and kafka.alive():
            kafka.stop()
        shutil.rmtree(kafka.path, ignore_errors=True)


def main():
    match sys.argv[1:]:
        case ["libs"]:
            print(libs())
        case ["tool", name, *arguments]:
            raise SystemExit(subprocess.run(command(name, *arguments)).returncode)
        case ["serve", *properties]:
            serve(properties)
        case _:
            raise SystemExit(__doc__.strip())


if __name__ == "__main__":
    main()

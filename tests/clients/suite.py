"""Other people's own test suites, held test by test against what they give against Apache Kafka.

Beside each runner lie two lists:

    baseline.txt   NAME pass|fail|skip SECONDS NOTE   what the test gave against Apache Kafka 4.3.1
    skips.txt      NAME REASON                        what passes there, and is not run here

Whatever passes there must pass here or stand in skips.txt, or needs no broker by its note. Arguments of every runner:

    --fast         leaves out what takes long, by name
    --skips        runs what skips.txt lists instead, and fails if any of it passes
    --kafka        runs all of it against Apache Kafka
    TEST...        only these
"""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys

import apache_kafka
import broker
import report

# The node id (0) and creation on first use are defaults. franz-go asks for batches of 10 MiB.
PROFILE = ["kafka.num.partitions=4", "kafka.group.initial.rebalance.delay.ms=0",
           "kafka.group.min.session.timeout.ms=1000", "shards.pool=128MiB"]
# What Apache Kafka needs besides: here nothing is forbidden, and ACLs can be kept.
KAFKA_PROPERTIES = ["authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                    "allow.everyone.if.no.acl.found=true", "super.users=User:ANONYMOUS"]
LONG = "long: run by tests/clients/all"
# In the note of a test that fails now and then whatever the broker: it may fail here.
FLAKY = "FLAKY"
# The note of a test that would tell nothing of the broker.
NO_BROKER = "needs no broker"
SKIPS = "--skips"
FAST = "--fast"
KAFKA = "--kafka"
CLONE_NEWNET = 0x4000_0000
SIOCSIFFLAGS = 0x8914
IFF_UP, IFF_RUNNING = 0x1, 0x40


class Suite:
    """One run. The runner asks what is `wanted`, tells how each test `ended`, and ends with `finish`.

    `fast_seconds`: with --fast, what took longer against Kafka is left out."""

    def __init__(self, runner, client, version, what, fast_seconds):
        here = os.path.dirname(os.path.abspath(runner))
        arguments = sys.argv[1:]
        self.names = [argument for argument in arguments if not argument.startswith("--")]
        self.only_skips = SKIPS in arguments
        self.fast = FAST in arguments
        self.against_kafka = KAFKA in arguments
        self.fast_seconds = fast_seconds
        self.baseline = {name: line.split(None, 2) for name, line in entries(os.path.join(here, "baseline.txt"))}
        self.skips = {} if self.against_kafka else dict(entries(os.path.join(here, "skips.txt")))
        unknown = [name for name in [*self.skips, *self.names] if name not in self.baseline]
        assert not unknown, f"not in the baseline: {unknown}"
        against = "parts" if self.only_skips or self.names or self.fast else "kafka" if self.against_kafka else "ottla"
        self.report = report.Report(client, version, f"own suite, {what}", against=against)
        self.ends = {}
        self.brokers = 0
        self.target = os.path.join(broker.ROOT, "target", "clients", client)
        os.makedirs(self.target, exist_ok=True)

    def left_out(self, name):
        """Why a test of the baseline is not run, or None."""
        if self.note(name) == NO_BROKER:
            return NO_BROKER
        if self.names:
            return None if name in self.names else "not asked for"
        if self.only_skips:
            return None if name in self.skips else "not in skips.txt"
        if name in self.skips:
            return self.skips[name]
        return LONG if self.fast and self.seconds(name) > self.fast_seconds else None

    def seconds(self, name):
        return float(self.baseline[name][1])

    def note(self, name):
        return [*self.baseline[name], ""][2]

    def wanted(self):
        return [name for name in self.baseline if self.left_out(name) is None]

    def ended(self, name, result, why=""):
        """`result` as the suite has it: passed, failed or skipped."""
        if name not in self.baseline:
            # A name made up anew in each run, or a test of a newer release: it has nothing to be held against.
            return
        if self.left_out(name):
            return
        self.ends[name] = result
        why = " ".join(why.split())
        kafka, note = self.baseline[name][0], self.note(name)
        if name in self.skips:
            self._ended_listed(name, result, why)
        elif result == report.PASSED:
            self.report.passed(name)
        elif kafka != "pass" or FLAKY in note:
            self.report.skipped(name, f"against Apache Kafka: {kafka}, {note}")
        elif result == report.SKIPPED:
            self.report.failed(name, f"skips itself: {why}")
        else:
            self.report.failed(name, why)

    def _ended_listed(self, name, result, why):
        if result == report.PASSED:
            self.report.failed(name, "passes: take it out of skips.txt")
        else:
            self.report.skipped(name, f"{result} still: {why}")

    def finish(self):
        for name in self.baseline:
            if name not in self.ends:
                self._not_ended(name)
        return self.report.finish() or (self.only_skips and not self.report.count(report.FAILED))

    def _not_ended(self, name):
        why = self.left_out(name)
        if why is None:
            self.ended(name, report.FAILED, "did not end")
        elif not self.names and not self.only_skips:
            self.report.skipped(name, why)


def entries(path):
    """(first word, rest) of each line; `#` starts a remark."""
    with open(path) as file:
        for line in file:
            name, _, rest = line.strip().partition(" ")
            if name and not name.startswith("#"):
                yield name, rest.strip()


@contextlib.contextmanager
def serve(own, *settings, listen=None):
    """A broker with the settings that the suites were written for. It must outlive the suite, and say of nothing that
    it is an error; its log stays in target/clients/CLIENT."""
    own.brokers += 1
    name = f"{own.report.name}-{own.brokers}"
    with started(own, broker.directory(name), [*PROFILE, *settings], listen) as server:
        try:
            yield server
            assert server.alive(), f"the broker ended with {server.process.poll()}"
            if not own.against_kafka:
                says_no_error(server)
            server.stop()
        finally:
            shutil.copy(os.path.join(server.path, f"log.{server.lives}"), os.path.join(own.target, f"{name}.log"))


def started(own, path, settings, listen):
    if own.against_kafka:
        properties = [setting.removeprefix("kafka.") for setting in settings if setting.startswith("kafka.")]
        return apache_kafka.Kafka(path, *properties, *KAFKA_PROPERTIES, listen=listen)
    return broker.Broker(path, *(word for setting in settings for word in ("--set", setting)), listen=listen)


def says_no_error(server):
    for life in range(1, server.lives + 1):
        with open(os.path.join(server.path, f"log.{life}"), errors="replace") as file:
            errors = [line for line in file if " ERROR " in line]
        assert not errors, "the broker says " + "".join(errors[:10])


def crates(target, wanted):
    """The folders of these crates' sources, {name: version}, as cargo has unpacked them."""
    package = os.path.join(target, "crates")
    os.makedirs(os.path.join(package, "src"), exist_ok=True)
    open(os.path.join(package, "src", "lib.rs"), "w").close()
    with open(os.path.join(package, "Cargo.toml"), "w") as manifest:
        manifest.write('[package]\nname = "crates"\nedition = "2024"\n[workspace]\n[dependencies]\n')
        manifest.writelines(f'{name} = "={version}"\n' for name, version in wanted.items())
    metadata = subprocess.run(["cargo", "metadata", "--format-version", "1"], cwd=package, check=True,
                              stdout=subprocess.PIPE).stdout
    return {found["name"]: os.path.dirname(found["manifest_path"]) for found in json.loads(metadata)["packages"]}


def private_network():
    """From here on this process and its children have a loopback of their own, where every port is free."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise SystemExit(f"a network of its own: {os.strerror(ctypes.get_errno())}; run it as root")
    with socket.socket() as probe:
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING))

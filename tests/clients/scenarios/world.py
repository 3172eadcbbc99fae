"""What a story has at hand: brokers, the client under test, another client as a witness, waiting with a deadline."""

import contextlib
import os
import sys
import time

from driver import Driver, Member, Refused, Unavailable, packed, unpacked
from tap import Tap

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import apache_kafka  # noqa: E402
import broker  # noqa: E402
import fetch  # noqa: E402

SECONDS_MAX = 90
PARTITIONS_DEFAULT = 4
REQUEST_BYTES_MAX = 12 << 20
SESSION_MS, HEARTBEAT_MS = 3_000, 300
SETTINGS = {"num.partitions": PARTITIONS_DEFAULT, "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1_000, "offsets.topic.num.partitions": 4}


def record(value, key=None, headers=(), partition=None, time_ms=None):
    return [packed(key), packed(value), [[name, packed(content)] for name, content in headers], partition, time_ms]


def consumed(answer):
    """(partition, offset, time, key, value, headers) as bytes."""
    return [(partition, offset, time_ms, unpacked(key), unpacked(value),
             [(name, unpacked(content)) for name, content in headers])
            for partition, offset, time_ms, key, value, headers in answer["records"]]


class Reach:
    """One broker and the processes that talk to it. `profile`: "plain"; "strict" creates no topics by itself;
    "tapped" is reached through a tap that takes times."""

    def __init__(self, world, profile):
        self.tap = Tap() if profile == "tapped" else None
        settings = {**SETTINGS, **({"auto.create.topics.enable": "false"} if profile == "strict" else {})}
        path = broker.directory(f"scenarios-{world.client.name}-{profile}")
        make = kafka if world.against == "kafka" else ottla
        self.broker = make(path, settings, self.tap and self.tap.address)
        self.logs = path
        self.world = world
        self.drivers = {}

    def start(self):
        self.broker.start()
        if self.tap:
            self.tap.open(self.broker.listen)
        return self

    @property
    def address(self):
        return self.tap.address if self.tap else self.broker.address

    def driver(self, client):
        """One process for each client, as long as it answers."""
        known = self.drivers.get(client.name)
        if known is None or known.process.poll() is not None:
            known = Driver(client.command(self.address), self.log(client))
            self.drivers[client.name] = known
        return known

    def log(self, client):
        return os.path.join(self.logs, f"{client.name}.log")

    def restart(self):
        self.broker.kill()
        self.broker.start()

    def forget_drivers(self):
        for driver in self.drivers.values():
            driver.kill()
        self.drivers.clear()


def ottla(path, settings, advertised):
    arguments = [f"kafka.{name}={value}" for name, value in settings.items()]
    arguments += [f"listeners.advertised={advertised}"] if advertised else []
    return broker.Broker(path, *(part for argument in arguments for part in ("--set", argument)))


def kafka(path, settings, advertised):
    arguments = [f"{name}={value}" for name, value in settings.items()]
    arguments += [f"advertised.listeners=PLAINTEXT://{advertised}"] if advertised else []
    return apache_kafka.Kafka(path, *arguments)


class World:
    def __init__(self, client, witness, report, against="ottla", fast=False):
        self.client, self.witness_client, self.report = client, witness, report
        self.against, self.fast = against, fast
        self.reaches, self.members, self.topics = {}, [], 0

    def reach(self, profile="plain"):
        if profile not in self.reaches:
            self.reaches[profile] = Reach(self, profile).start()
        return self.reaches[profile]

    def subject(self, profile="plain"):
        """The client under test."""
        return self.reach(profile).driver(self.client)

    def witness(self, profile="plain"):
        """Another client; it sets things up and contradicts."""
        return self.reach(profile).driver(self.witness_client)

    def name(self, story):
        self.topics += 1
        return f"{story}.{self.topics}"

    def topic(self, story, partitions=1, profile="plain", **configs):
        name = self.name(story)
        self.witness(profile).create_topic(topic=name, partitions=partitions, replication=1, configs=configs)
        self.wait(f"{name} exists", lambda: self.partitions(name, profile) == partitions)
        self.wait(f"{name} is led", lambda: all(
            self._led(self.reach(profile).broker.address, name, partition) for partition in range(partitions)))
        return name

    @staticmethod
    def _led(address, topic, partition):
        """Whether the partition answers; with Apache Kafka that may be later than in the metadata."""
        try:
            return fetch.end(address, topic, partition) == 0
        except AssertionError:
            return False

    def partitions(self, topic, profile="plain"):
        """None when there is no such topic, as the witness sees it."""
        try:
            return self.witness(profile).describe_topic(topic=topic)["partitions"]
        except Refused as refused:
            assert refused.code == 3, refused
            return None

    def member(self, group, topic, strategy=None, instance=None, session_ms=SESSION_MS):
        reach = self.reach()
        member = Member(self.client.command(reach.address) + ["member"], reach.log(self.client), group=group,
                        topic=topic, strategy=strategy or self.client.strategies[0], instance=instance,
                        session_ms=session_ms, heartbeat_ms=HEARTBEAT_MS)
        self.members.append(member)
        return member

    @contextlib.contextmanager
    def part(self, story, name):
        """What a client may lack without lacking the whole story."""
        try:
            yield
        except Unavailable as lacking:
            self.report.skipped(f"{story}: {name}", str(lacking))

    def wait(self, what, condition, *members, seconds=SECONDS_MAX):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                seen = "; ".join(f"{member.rebalances[-5:]}, {len(member.records)} records" for member in members)
                raise AssertionError(f"{what}: not within {seconds} s; {seen}")
            for member in members:
                assert not member.look().ended, f"{what}: a member ended; see {member.log}"
            time.sleep(0.02)

    def after(self, failed):
        """Between two stories: nobody of the last one is left."""
        for member in self.members:
            if member.process.poll() is None:
                member.kill()
        self.members.clear()
        for reach in self.reaches.values():
            if failed:
                reach.forget_drivers()
            if not reach.broker.alive():
                reach.broker.start()

    def end(self, keep):
        for reach in self.reaches.values():
            for driver in reach.drivers.values():
                driver.end()
            reach.broker.stop()
            if reach.tap:
                reach.tap.close()
            if keep:
                print(f"logs and data are kept in {reach.logs}")
            else:
                reach.broker.__exit__(None)


def send(driver, topic, records, **options):
    arguments = {"codec": "none", "acks": -1, "idempotent": False, "request_bytes_max": REQUEST_BYTES_MAX,
                 "timeout_ms": 30_000, "pause": None, **options}
    return driver.produce(topic=topic, records=records, **arguments)["places"]


def read(driver, topic, places, count, seconds=30, wait_ms=500, reset="earliest"):
    """What a client reads from {partition: offset}."""
    return consumed(driver.consume(**{"from": places}, topic=topic, count=count, seconds=seconds, wait_ms=wait_ms,
                                   reset=reset))


def read_all(driver, topic, partitions, count):
    found = read(driver, topic, {partition: "beginning" for partition in range(partitions)}, count)
    assert len(found) == count, f"{topic}: {len(found)} records, not {count}"
    return found


def refused(code, call, **arguments):
    """The call must fail with this error of Kafka's."""
    try:
        answer = call(**arguments)
    except Refused as refusal:
        if refusal.code == code:
            return
        answer = refusal
    raise AssertionError(f"not error {code}, but {answer}")

"""A group under fire: twelve members of two client libraries share a topic that is written to all the time, while
members and the broker are killed, members are stopped for longer than their session, and others leave politely.

Every acknowledged record is delivered at least once; after a hit no partition is without an owner for longer than
session and rebalance timeout together; what is committed never goes back, and nobody is given again what was committed before.

    tests/chaos/groups.py [SECONDS [SEED]]
"""

import bisect
import collections
import os
import random
import signal
import subprocess
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "clients"))
import broker  # noqa: E402

MEMBERS = 12
LIBRARIES = ["confluent-kafka", "kafka-python"]
PARTITIONS = 24
RECORDS_PER_SECOND = 240
SESSION_MS = 6_000
REBALANCE_MS = 20_000
UNOWNED_SECONDS_MAX = (SESSION_MS + REBALANCE_MS) / 1_000
STOPPED_SECONDS = SESSION_MS / 1_000 + 2
DRAIN_SECONDS_MAX = 120
TOPIC = GROUP = "chaos.groups"


class Member:
    made = 0

    def __init__(self, directory, address, library):
        Member.made += 1
        self.library = library
        self.path = os.path.join(directory, f"member-{Member.made}")
        command = [sys.executable, os.path.join(HERE, "group_member.py"), library, address, GROUP, TOPIC,
                   str(SESSION_MS), str(REBALANCE_MS)]
        with open(self.path, "wb") as out, open(self.path + ".err", "wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err)
        self.leaves = False
        # Times at which it ceased to own anything, whatever it may say later about before.
        self.ends = []
        self.read = open(self.path)
        self.heard = []

    def end(self, how):
        """A signal that it cannot answer ends what it owns now; a polite one when it says so."""
        self.leaves |= how in (signal.SIGTERM, signal.SIGKILL)
        if how != signal.SIGTERM:
            self.ends.append(time.monotonic())
        self.process.send_signal(how)

    def events(self):
        """Everything it has said so far, whole lines only."""
        while True:
            place = self.read.tell()
            line = self.read.readline()
            if not line.endswith("\n"):
                self.read.seek(place)
                return self.heard
            at, kind, *words = line.split()
            self.heard.append((float(at), kind, words))


class Writer(threading.Thread):
    """Writes numbers to all partitions in turn, at a steady rate, and never gives up."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.acknowledged = set()
        self.failed = []
        self.stopping = threading.Event()
        self.producer = Producer({
            "bootstrap.servers": address, "enable.idempotence": True, "message.timeout.ms": 0, "linger.ms": 1,
            "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "log_level": 2})

    def run(self):
        sent, started = 0, time.monotonic()
        while not self.stopping.is_set():
            due = int((time.monotonic() - started) * RECORDS_PER_SECOND)
            for number in range(sent, due):
                self.producer.produce(TOPIC, str(number), partition=number % PARTITIONS, on_delivery=self.delivered)
            sent = max(sent, due)
            self.producer.poll(0.01)
        if self.producer.flush(DRAIN_SECONDS_MAX):
            self.failed.append("not everything was delivered in the end")

    def delivered(self, error, message):
        if error is not None:
            self.failed.append(str(error))
        else:
            self.acknowledged.add(int(message.value()))


class Watcher(threading.Thread):
    """Asks for the committed offsets all the time: none may go back or vanish."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.consumer = Consumer({"bootstrap.servers": address, "group.id": GROUP, "log_level": 2,
                                  "reconnect.backoff.max.ms": 500})
        self.newest = {}
        self.looks = 0
        self.errors = []
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(0.2):
            self.look()

    def look(self):
        wanted = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
        try:
            found = self.consumer.committed(wanted, timeout=5)
        except KafkaException:
            return
        if any(each.error is not None for each in found):
            return
        self.looks += 1
        for each in found:
            # Nothing committed is a negative number.
            before = self.newest.get(each.partition, 0)
            if max(each.offset, 0) < before:
                self.errors.append(f"partition {each.partition}: {before}, then {each.offset}")
            elif each.offset >= 0:
                self.newest[each.partition] = each.offset


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    print(f"groups under fire: {seconds:.0f} s, seed {seed}", flush=True)
    directory = broker.directory("chaos-groups")
    with broker.Broker(directory, "--set", f"kafka.num.partitions={PARTITIONS}") as server:
        writer, watcher = Writer(server.address), Watcher(server.address)
        writer.start()
        everybody = [Member(directory, server.address, LIBRARIES[number % 2]) for number in range(MEMBERS)]
        try:
            wait("all partitions are owned", lambda: len(owned(everybody)) == PARTITIONS, everybody)
            watcher.start()
            began = time.monotonic()
            shots = fire(random.Random(seed), seconds, server, directory, everybody)
            drain(writer, watcher, everybody)
            watcher.stopping.set()
            watcher.join()
        finally:
            for member in everybody:
                if member.process.poll() is None:
                    member.process.send_signal(signal.SIGCONT)
                    member.process.kill()
                member.process.wait()
        report(writer, watcher, everybody, shots, began)
        server.stop()
    print("1 passed, 0 failed, 0 skipped")


def fire(choice, seconds, server, directory, everybody):
    """Salvos of one to four hits a few seconds apart; who is gone is replaced; then the group has time to recover.
    Returns (time, what) of each hit."""
    shots = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stopped = []
        for _ in range(choice.randint(1, 4)):
            what = choice.choices(["broker killed", "member killed", "member stopped", "member leaves"], [3, 5, 1, 1])[0]
            shots.append((time.monotonic(), what))
            if what == "broker killed":
                assert server.alive(), "the broker ended by itself"
                server.kill()
                time.sleep(choice.uniform(0, 1))
                server.start()
            else:
                hit(what, choice, server.address, directory, everybody, stopped)
            time.sleep(choice.uniform(0, 4))
        if stopped:
            time.sleep(max(0, stopped[-1][1] + STOPPED_SECONDS - time.monotonic()))
            for member, _ in stopped:
                member.end(signal.SIGCONT)
            shots.append((time.monotonic(), "stopped members go on"))
        wait("all partitions are owned again", lambda: len(owned(everybody)) == PARTITIONS, everybody)
    return shots


def hit(what, choice, address, directory, everybody, stopped):
    idle = [member for member, _ in stopped]
    target = choice.choice([member for member in everybody
                            if member.process.poll() is None and not member.leaves and member not in idle])
    if what == "member stopped":
        target.end(signal.SIGSTOP)
        stopped.append((target, time.monotonic()))
    else:
        target.end(signal.SIGKILL if what == "member killed" else signal.SIGTERM)
        everybody.append(Member(directory, address, target.library))


def drain(writer, watcher, everybody):
    """The fire is over: everything written is delivered and committed."""
    writer.stopping.set()
    writer.join()
    missing = lambda: writer.acknowledged - delivered(everybody)  # noqa: E731
    wait("everything is delivered", lambda: not missing(), everybody)
    ends = collections.Counter(number % PARTITIONS for number in writer.acknowledged)
    wait("everything is committed", lambda: watcher.newest == dict(ends), everybody)
    # The last rebalance may still be under way.
    wait("all partitions are owned in the end", lambda: len(owned(everybody)) == PARTITIONS, everybody)


def wait(what, condition, everybody):
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while not condition():
        check_alive(everybody)
        assert time.monotonic() < deadline, f"{what}: not within {DRAIN_SECONDS_MAX} s; see {everybody[0].path}"
        time.sleep(0.2)


def check_alive(everybody):
    """A member that ended by itself would only look like one more that was killed."""
    for member in everybody:
        assert member.leaves or member.process.poll() is None, f"a member ended by itself: {member.path}.err"


def delivered(everybody):
    return {int(words[2]) for member in everybody for _, kind, words in member.events() if kind == "r"}


def owned(everybody):
    owners, _ = ownership(timeline(everybody), [], 0)
    return {partition for partition, members in owners.items() if members}


def timeline(everybody):
    """(time, member, kind, words) of all members, and `end` where a signal ended what one owned."""
    events = [(at, number, kind, words) for number, member in enumerate(everybody)
              for at, kind, words in member.events()]
    events += [(at, number, "end", []) for number, member in enumerate(everybody) for at in member.ends]
    return sorted(events, key=lambda event: event[:2])


def ownership(events, shots, began):
    """Who owns what in the end, and the longest time each partition had no owner, counted from the last hit. Who is
    given a record owns its partition."""
    owners = {partition: set() for partition in range(PARTITIONS)}
    since = dict.fromkeys(owners, began)
    longest = dict.fromkeys(owners, 0)
    for at, member, kind, words in events:
        if kind in ("+", "r"):
            for partition in map(int, words if kind == "+" else words[:1]):
                owners[partition].add(member)
                if partition in since:
                    lost = max(since.pop(partition), last_before(shots, at))
                    longest[partition] = max(longest[partition], at - lost)
        elif kind in ("-", "end"):
            for partition in map(int, words) if kind == "-" else owners:
                owners[partition].discard(member)
                if not owners[partition]:
                    since.setdefault(partition, at)
    assert not since or not shots, f"nobody owns {since} in the end"
    return owners, longest


def last_before(shots, at):
    before = bisect.bisect_left(shots, at)
    return shots[before - 1] if before else 0


def given_again(events):
    """Where somebody who has just been assigned a partition is given what was committed before that."""
    commits = collections.defaultdict(list)
    for at, _, kind, words in events:
        if kind == "c":
            for partition, offset in zip(words[::2], words[1::2]):
                newest = commits[partition][-1][1] if commits[partition] else 0
                commits[partition].append((at, max(newest, int(offset))))
    found, fresh = [], {}
    for at, member, kind, words in events:
        if kind == "+":
            fresh.update({(member, partition): at for partition in words})
        elif kind == "r" and (member, words[0]) in fresh:
            assigned = fresh.pop((member, words[0]))
            before = bisect.bisect_left(commits[words[0]], (assigned,)) - 1
            if before >= 0 and int(words[1]) < commits[words[0]][before][1]:
                found.append(f"partition {words[0]}: offset {words[1]} though {commits[words[0]][before]} was committed "
                             f"before {assigned}")
    return found


def report(writer, watcher, everybody, shots, began):
    events = timeline(everybody)
    records = sum(kind == "r" for _, _, kind, _ in events)
    commits = sum(kind == "c" for _, _, kind, _ in events)
    rebalances = sum(kind == "+" for _, _, kind, _ in events)
    _, longest = ownership(events, [at for at, _ in shots], began)
    _, in_all = ownership(events, [began], began)
    again = given_again(events)
    kinds = collections.Counter(what for _, what in shots)
    print(", ".join(f"{what}: {count}" for what, count in sorted(kinds.items())))
    print(f"{len(writer.acknowledged)} acknowledged, all delivered, {records} deliveries, {commits} commits, "
          f"{rebalances} assignments; longest without an owner {max(longest.values()):.1f} s after the last "
          f"hit ({UNOWNED_SECONDS_MAX:.0f} allowed; {max(in_all.values()):.1f} s in all); committed offsets seen {watcher.looks} times, went back {len(watcher.errors)}; "
          f"given again after a commit {len(again)}")
    assert not writer.failed, writer.failed[:5]
    assert not watcher.errors, watcher.errors[:5]
    assert watcher.looks > 0 and commits > 0
    assert not again, again[:5]
    assert max(longest.values()) <= UNOWNED_SECONDS_MAX, longest


if __name__ == "__main__":
    main()

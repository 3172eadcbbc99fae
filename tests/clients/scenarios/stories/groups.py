"""Balanced consumers of the classic protocol."""

import signal
import time

from driver import Unavailable
from world import SESSION_MS, record, send

PARTITIONS, RECORDS = 6, 1_200
STATIC_SESSION_MS = 60_000


def produce(world, topic, first, count):
    """Numbers as values, the same count in each partition."""
    records = [record(b"%d" % number, partition=number % PARTITIONS) for number in range(first, first + count)]
    send(world.witness(), topic, records)
    return first + count


def read_by(members, upto):
    """Whether every number below has been read by somebody."""
    return {int(value) for member in members for value in member.values()} >= set(range(upto))


def rebalance_member_killed(world):
    """Three members, two partitions each; one is killed, the others own its partitions and read everything."""
    for strategy in world.client.strategies[:1 if world.fast else None]:
        _member_killed(world, strategy)


def _member_killed(world, strategy):
    topic = world.topic("rebalance", PARTITIONS)
    upto = produce(world, topic, 0, RECORDS)
    members = [world.member(topic, topic, strategy) for _ in range(3)]
    world.wait(f"{strategy}: two partitions each",
               lambda: all(len(member.owned()) == 2 for member in members) and _whole(members), *members)
    upto = produce(world, topic, upto, 60)
    world.wait(f"{strategy}: everything read", lambda: read_by(members, upto), *members)
    *left, killed = members
    lost = killed.owned()
    killed.process.send_signal(signal.SIGKILL)
    died = time.monotonic()
    upto = produce(world, topic, upto, 600)
    world.wait(f"{strategy}: the others take over", lambda: read_by(members, upto), *left)
    took = time.monotonic() - died
    assert took < 3 * SESSION_MS / 1_000 + 15, f"{strategy}: {took:.1f} s without an owner"
    assert _whole(left), f"{strategy}: {[member.owned() for member in left]}"
    read = {int(value) for member in left for value in member.values()}
    assert read >= {number for number in range(upto - 600, upto) if number % PARTITIONS in lost}, "read by the dead"


def _whole(members):
    """Every partition has one owner."""
    return sorted(partition for member in members for partition in member.owned()) == list(range(PARTITIONS))


def commit_and_resume_over_restart(world):
    """What was committed is found again after `kill -9` of the broker and not read twice; a member lives over it."""
    topic = world.topic("resume", PARTITIONS)
    upto = produce(world, topic, 0, RECORDS)
    first = world.member(topic, topic)
    world.wait("everything read", lambda: read_by([first], upto), first)
    with world.part("commit_and_resume_over_restart", "commit on demand"):
        _commit(world, first, topic, upto)
    first.close()
    assert _committed(world, topic) == _ends(upto), f"closed: {_committed(world, topic)}"
    world.reach().restart()
    assert _committed(world, topic) == _ends(upto), f"after kill -9: {_committed(world, topic)}"
    seen, upto = upto, produce(world, topic, upto, 300)
    second = world.member(topic, topic)
    world.wait("the new ones", lambda: read_by([first, second], upto), second)
    again = [value for value in second.values() if int(value) < seen]
    assert not again, f"{len(again)} records again"
    world.reach().restart()
    upto = produce(world, topic, upto, 300)
    world.wait("a member goes on", lambda: read_by([first, second], upto), second)
    second.close()
    assert _committed(world, topic) == _ends(upto), f"closed again: {_committed(world, topic)}"


def _commit(world, member, topic, upto):
    before = member.commits
    member.say({"do": "commit"})
    world.wait("the commit", lambda: member.look().commits > before, member)
    assert _committed(world, topic) == _ends(upto), f"committed: {_committed(world, topic)}"


def _ends(upto):
    return {str(partition): upto // PARTITIONS for partition in range(PARTITIONS)}


def _committed(world, topic):
    return world.witness().committed(group=topic, topic=topic, partitions=list(range(PARTITIONS)))["offsets"]


def static_membership(world):
    """A static member that is killed and comes back has its partitions again, and nobody else notices."""
    if not world.client.static:
        raise Unavailable("no static members (group.instance.id)")
    topic = world.topic("static", PARTITIONS)
    upto = produce(world, topic, 0, 600)

    def member(number):
        return world.member(topic, topic, instance=f"instance-{number}", session_ms=STATIC_SESSION_MS)

    other, mortal = member(0), member(1)
    world.wait("three partitions each", lambda: len(other.owned()) == len(mortal.owned()) == 3, other, mortal)
    world.wait("everything read", lambda: read_by([other, mortal], upto), other, mortal)
    mine, noticed = mortal.owned(), list(other.look().rebalances)
    mortal.process.send_signal(signal.SIGKILL)
    mortal.process.wait()
    back = member(1)
    world.wait("it is back", lambda: back.owned() == mine, other, back)
    produce(world, topic, upto, 60)
    wanted = {number for number in range(upto, upto + 60) if number % PARTITIONS in mine}
    world.wait("it reads", lambda: {int(value) for value in back.values()} >= wanted, other, back)
    assert other.look().rebalances == noticed, f"the other one noticed: {other.rebalances[len(noticed):]}"
    for each in (other, back):
        each.close()

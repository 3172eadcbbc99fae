"""Topics and configs, made and changed by the client, looked at by another one."""

from driver import Unavailable
from world import PARTITIONS_DEFAULT, read, read_all, record, refused, send

OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC, TOPIC_ALREADY_EXISTS = 1, 3, 17, 36
INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR, INVALID_CONFIG = 37, 38, 40
TOPIC_SOURCE, BROKER_SOURCE, STATIC_SOURCE, DEFAULT_SOURCE = 1, 2, 4, 5
LIST = "leader.replication.throttled.replicas"


def topic_administration(world):
    topic, admin = world.name("topic_administration"), world.subject()
    admin.create_topic(topic=topic, partitions=3, replication=1, configs={"retention.ms": "3600000"})
    world.wait("it exists", lambda: world.partitions(topic) == 3)
    assert admin.describe_topic(topic=topic) == {"partitions": 3}
    kept = world.witness().configs(type="topic", name=topic)["configs"]["retention.ms"]
    assert kept["value"] == "3600000", kept
    _refusals(world, admin, topic)
    with world.part("topic_administration", "add partitions"):
        admin.add_partitions(topic=topic, total=5)
        world.wait("two more", lambda: world.partitions(topic) == 5)
        refused(INVALID_PARTITIONS, admin.add_partitions, topic=topic, total=2)
        refused(UNKNOWN_TOPIC_OR_PARTITION, admin.add_partitions, topic="nowhere", total=2)
        assert world.partitions(topic) == 5
    with world.part("topic_administration", "delete records"):
        _delete_records(world, admin, topic)
    _delete(world, admin, topic)


def _refusals(world, admin, topic):
    wrong = [(TOPIC_ALREADY_EXISTS, topic, 3, 1, {}), (INVALID_TOPIC, "no/slash", 1, 1, {}),
             (INVALID_PARTITIONS, topic + ".zero", 0, 1, {}), (INVALID_REPLICATION_FACTOR, topic + ".two", 1, 2, {}),
             (INVALID_CONFIG, topic + ".odd", 1, 1, {"retention.ms": "soon"}),
             (INVALID_CONFIG, topic + ".odd", 1, 1, {"no.such.config": "1"})]
    for code, name, partitions, replication, configs in wrong:
        with world.part("topic_administration", f"{name.split('.')[-1]}: error {code}, {list(configs)}"):
            refused(code, admin.create_topic, topic=name, partitions=partitions, replication=replication,
                    configs=configs)
    assert world.partitions(topic + ".odd") is None, "created in spite of the error"
    refused(UNKNOWN_TOPIC_OR_PARTITION, admin.describe_topic, topic="nowhere")


def _delete_records(world, admin, topic):
    send(world.witness(), topic, [record(b"%d" % number, partition=1) for number in range(10)])
    assert admin.delete_records(topic=topic, before={1: 4}) == {"starts": {"1": 4}}
    found = read(world.witness(), topic, {1: "beginning"}, 6)
    assert [row[1] for row in found] == list(range(4, 10)), found
    refused(OFFSET_OUT_OF_RANGE, admin.delete_records, topic=topic, before={1: 11})
    assert admin.delete_records(topic=topic, before={1: -1}) == {"starts": {"1": 10}}


def _delete(world, admin, topic):
    admin.delete_topic(topic=topic)
    world.wait("it is gone", lambda: world.partitions(topic) is None)
    refused(UNKNOWN_TOPIC_OR_PARTITION, admin.delete_topic, topic=topic)
    admin.create_topic(topic=topic, partitions=2, replication=1, configs={})
    world.wait("another one of that name", lambda: world.partitions(topic) == 2)
    send(world.subject(), topic, [record(b"new", partition=1)])
    assert [row[1] for row in read_all(world.witness(), topic, 2, 1)] == [0], "the old one's records"


def configs(world):
    topic, admin = world.topic("configs", 2, **{"retention.ms": "3600000"}), world.subject()
    shown = admin.configs(type="topic", name=topic)["configs"]
    _shows(shown, "retention.ms", "3600000", TOPIC_SOURCE)
    _shows(shown, "max.message.bytes", "1048588", DEFAULT_SOURCE)
    _shows(shown, "cleanup.policy", "delete", DEFAULT_SOURCE)
    broker = admin.configs(type="broker", name="0")["configs"]
    _shows(broker, "num.partitions", str(PARTITIONS_DEFAULT), STATIC_SOURCE)
    with world.part("configs", "what is read-only"):
        if broker["node.id"]["read_only"] is None:
            raise Unavailable("it does not tell")
        assert broker["node.id"]["read_only"] and not broker["message.max.bytes"]["read_only"]
    with world.part("configs", "unknown topic"):
        refused(UNKNOWN_TOPIC_OR_PARTITION, admin.configs, type="topic", name="nowhere")
    with world.part("configs", "alter incrementally"):
        _alter(world, admin, topic)
    with world.part("configs", "replace all (AlterConfigs)"):
        _replace(world, admin, topic)
    with world.part("configs", "alter a broker"):
        _alter_broker(world, admin)


def _shows(configs, name, value, source):
    found = configs[name]
    assert (found["value"], found["source"]) == (value, source), f"{name}: {found}, not {value} of source {source}"


def _looks(world, topic, name, value, source):
    """Sooner or later, as the witness sees it."""
    def seen():
        found = world.witness().configs(type="topic", name=topic)["configs"][name]
        return (found["value"], found["source"]) == (value, source)
    world.wait(f"{name} = {value}", seen, seconds=10)


def _replace(world, admin, topic):
    admin.replace_configs(type="topic", name=topic, configs={"segment.bytes": "2000000", "retention.ms": "7200000"})
    _looks(world, topic, "retention.ms", "7200000", TOPIC_SOURCE)
    admin.replace_configs(type="topic", name=topic, configs={"segment.bytes": "3000000"})
    _looks(world, topic, "segment.bytes", "3000000", TOPIC_SOURCE)
    _looks(world, topic, "retention.ms", "604800000", DEFAULT_SOURCE)
    with world.part("configs", "what AlterConfigs refuses"):
        refused(INVALID_CONFIG, admin.replace_configs, type="topic", name=topic, configs={"retention.ms": "soon"})
    _looks(world, topic, "segment.bytes", "3000000", TOPIC_SOURCE)


def _alter(world, admin, topic):
    def alter(*changes):
        admin.alter_configs(type="topic", name=topic, changes=list(changes))

    def look(*expected):
        _looks(world, topic, *expected)

    alter(["set", "max.message.bytes", "2000000"], ["delete", "retention.ms", None])
    look("max.message.bytes", "2000000", TOPIC_SOURCE)
    look("retention.ms", "604800000", DEFAULT_SOURCE)
    alter(["append", LIST, "0:0"])
    alter(["append", LIST, "1:0"])
    look(LIST, "0:0,1:0", TOPIC_SOURCE)
    alter(["subtract", LIST, "0:0"])
    look(LIST, "1:0", TOPIC_SOURCE)
    for change in [["set", "retention.ms", "soon"], ["set", "max.message.bytes", "-1"], ["set", "no.such.config", "1"],
                   ["append", "retention.ms", "1"], ["set", "cleanup.policy", "burn"]]:
        refused(INVALID_CONFIG, admin.alter_configs, type="topic", name=topic, changes=[change])
    refused(INVALID_CONFIG, admin.alter_configs, type="topic", name=topic,
            changes=[["set", "retention.ms", "7200000"], ["set", "segment.bytes", "few"]])
    look("retention.ms", "604800000", DEFAULT_SOURCE)
    refused(UNKNOWN_TOPIC_OR_PARTITION, admin.alter_configs, type="topic", name="nowhere",
            changes=[["set", "retention.ms", "1"]])


def _alter_broker(world, admin):
    def seen(value, source):
        found = world.witness().configs(type="broker", name="0")["configs"]["message.max.bytes"]
        return (found["value"], found["source"]) == (value, source)

    admin.alter_configs(type="broker", name="0", changes=[["set", "message.max.bytes", "1500000"]])
    world.wait("message.max.bytes is changed", lambda: seen("1500000", BROKER_SOURCE), seconds=10)
    admin.alter_configs(type="broker", name="0", changes=[["delete", "message.max.bytes", None]])
    world.wait("message.max.bytes is as before", lambda: seen("1048588", DEFAULT_SOURCE), seconds=10)


def auto_creation_on(world):
    """The first record creates its topic, with the default number of partitions."""
    topic = world.name("auto_creation_on")
    send(world.subject(), topic, [record(b"first", b"key")])
    assert world.partitions(topic) == PARTITIONS_DEFAULT, world.partitions(topic)
    for reader in (world.subject(), world.witness()):
        assert [row[3:5] for row in read_all(reader, topic, PARTITIONS_DEFAULT, 1)] == [(b"key", b"first")]


def auto_creation_off(world):
    """No record creates a topic; once somebody has created it, the same producer's records are taken."""
    topic = world.name("auto_creation_off")
    refused(UNKNOWN_TOPIC_OR_PARTITION, send, driver=world.subject("strict"), topic=topic, records=[record(b"early")],
            timeout_ms=6_000)
    assert world.partitions(topic, "strict") is None, "it was created"
    world.witness("strict").create_topic(topic=topic, partitions=1, replication=1, configs={})
    world.wait("it exists", lambda: world.partitions(topic, "strict") == 1)
    send(world.subject("strict"), topic, [record(b"late")])
    for reader in (world.subject("strict"), world.witness("strict")):
        assert [row[4] for row in read_all(reader, topic, 1, 1)] == [b"late"]

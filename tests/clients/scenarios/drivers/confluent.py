"""confluent-kafka: librdkafka for Python."""

import time

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec)

import loop

UNKNOWN_TOPIC_OR_PARTITION = 3
# What librdkafka finds out from metadata has codes of its own.
LOCAL = {confluent_kafka.KafkaError._UNKNOWN_TOPIC: UNKNOWN_TOPIC_OR_PARTITION,
         confluent_kafka.KafkaError._UNKNOWN_PARTITION: UNKNOWN_TOPIC_OR_PARTITION}
# COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
NOT_YET = (14, 15, 16)
OPERATIONS = {"set": AlterConfigOpType.SET, "delete": AlterConfigOpType.DELETE,
              "append": AlterConfigOpType.APPEND, "subtract": AlterConfigOpType.SUBTRACT}
STRATEGIES = {"cooperative": "cooperative-sticky"}
REQUEST_SECONDS = 20


def result(futures):
    """The one answer of an admin request."""
    return next(iter(futures.values())).result(REQUEST_SECONDS)


def position(topic, partition, offset):
    special = {"beginning": OFFSET_BEGINNING, "end": OFFSET_END}
    return TopicPartition(topic, int(partition), special.get(offset, offset))


class Session:
    def __init__(self, address):
        self.servers = {"bootstrap.servers": address}
        self.admin = AdminClient(self.servers)

    def refusal(self, failure):
        if not isinstance(failure, confluent_kafka.KafkaException):
            return None
        code = failure.args[0].code()
        return LOCAL.get(code, code if code > 0 else None)

    def produce(self, request):
        producer = confluent_kafka.Producer({
            **self.servers, "compression.codec": request["codec"], "acks": request["acks"],
            "enable.idempotence": request["idempotent"], "message.max.bytes": request["request_bytes_max"],
            "message.timeout.ms": request["timeout_ms"], "linger.ms": 5, "topic.metadata.refresh.interval.ms": 1_000,
            # How long a topic may be unknown before it is unknown.
            "topic.metadata.propagation.max.ms": 1_000})
        places, errors = [None] * len(request["records"]), []
        for number, record in enumerate(request["records"]):
            self._send(producer, request["topic"], number, record, places, errors)
            if request["pause"] and number % request["pause"][0] == 0:
                producer.poll(request["pause"][1] / 1_000)
        producer.flush()
        if errors:
            raise confluent_kafka.KafkaException(errors[0])
        return {"places": places}

    def _send(self, producer, topic, number, record, places, errors):
        key, value, headers, partition, time_ms = record

        def delivered(error, message):
            if error is not None:
                errors.append(error)
            else:
                places[number] = [message.partition(), message.offset()]

        options = {} if partition is None else {"partition": partition}
        if time_ms is not None:
            options["timestamp"] = time_ms
        while True:
            try:
                return producer.produce(
                    topic, key=loop.unpacked(key), value=loop.unpacked(value), on_delivery=delivered,
                    headers=[(name, loop.unpacked(content)) for name, content in headers], **options)
            except BufferError:
                producer.poll(loop.POLL_SECONDS)

    def consumer(self, **options):
        return confluent_kafka.Consumer({
            **self.servers, "group.id": "unused", "enable.auto.commit": False, "fetch.error.backoff.ms": 100,
            "fetch.message.max.bytes": 8 << 20, **options})

    def consume(self, request):
        consumer = self.consumer(**{"auto.offset.reset": request["reset"], "fetch.wait.max.ms": request["wait_ms"]})
        consumer.assign([position(request["topic"], *place) for place in request["from"].items()])
        records, deadline = [], time.monotonic() + request["seconds"]
        while len(records) < request["count"] and time.monotonic() < deadline:
            records += [self._record(message) for message in consumer.consume(1_000, loop.POLL_SECONDS)]
        consumer.close()
        return {"records": records}

    def _record(self, message):
        if message.error():
            raise confluent_kafka.KafkaException(message.error())
        headers = [[name, loop.packed(content)] for name, content in message.headers() or []]
        return [message.partition(), message.offset(), message.timestamp()[1], loop.packed(message.key()),
                loop.packed(message.value()), headers]

    def seek(self, request):
        consumer = self.consumer()
        found = []
        for number, offset in enumerate(request["positions"]):
            place = TopicPartition(request["topic"], 0, offset)
            consumer.seek(place) if number else consumer.assign([place])
            offsets = []
            while len(offsets) < request["count"]:
                message = consumer.poll(REQUEST_SECONDS)
                offsets.append(self._record(message)[1])
            found.append(offsets)
        consumer.close()
        return {"offsets": found}

    def lookup(self, request):
        consumer = self.consumer()
        asked = [TopicPartition(request["topic"], int(partition), time) for partition, time in request["times"].items()]
        found = {}
        for place in consumer.offsets_for_times(asked, REQUEST_SECONDS):
            if place.error:
                raise confluent_kafka.KafkaException(place.error)
            found[place.partition] = -1 if place.offset == OFFSET_END else place.offset
        consumer.close()
        return {"offsets": found}

    def committed(self, request):
        consumer = self.consumer(**{"group.id": request["group"]})
        asked = [TopicPartition(request["topic"], partition) for partition in request["partitions"]]
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            try:
                found = {place.partition: max(place.offset, -1) for place in consumer.committed(asked, REQUEST_SECONDS)}
                break
            except confluent_kafka.KafkaException as failure:
                # A coordinator that has just started is for the caller to ask again.
                if failure.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                    raise
                time.sleep(loop.POLL_SECONDS)
        consumer.close()
        return {"offsets": found}

    def create_topic(self, request):
        result(self.admin.create_topics([NewTopic(
            request["topic"], request["partitions"], request["replication"], config=request["configs"])]))

    def describe_topic(self, request):
        topics = confluent_kafka.TopicCollection([request["topic"]])
        return {"partitions": len(result(self.admin.describe_topics(topics)).partitions)}

    def delete_topic(self, request):
        result(self.admin.delete_topics([request["topic"]]))

    def add_partitions(self, request):
        result(self.admin.create_partitions([NewPartitions(request["topic"], request["total"])]))

    def delete_records(self, request):
        places = [position(request["topic"], *place) for place in request["before"].items()]
        deleted = self.admin.delete_records(places)
        return {"starts": {place.partition: result({place: future}).low_watermark
                           for place, future in deleted.items()}}

    def configs(self, request):
        entries = result(self.admin.describe_configs([ConfigResource(request["type"], request["name"])]))
        return {"configs": {name: {"value": entry.value, "source": entry.source, "read_only": bool(entry.is_read_only)}
                            for name, entry in entries.items()}}

    def alter_configs(self, request):
        changes = [ConfigEntry(key, value, incremental_operation=OPERATIONS[operation])
                   for operation, key, value in request["changes"]]
        resource = ConfigResource(request["type"], request["name"], incremental_configs=changes)
        result(self.admin.incremental_alter_configs([resource]))

    def replace_configs(self, request):
        resource = ConfigResource(request["type"], request["name"], set_config=request["configs"])
        result(self.admin.alter_configs([resource]))


class Member:
    def __init__(self, address, settings):
        self.cooperative = settings["strategy"] == "cooperative"
        options = {"group.instance.id": settings["instance"]} if settings["instance"] else {}
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": address, "group.id": settings["group"], "enable.auto.commit": False,
            "partition.assignment.strategy": STRATEGIES.get(settings["strategy"], settings["strategy"]),
            "session.timeout.ms": settings["session_ms"], "heartbeat.interval.ms": settings["heartbeat_ms"],
            "auto.offset.reset": "earliest", **options})
        self.consumer.subscribe([settings["topic"]], on_assign=self.assigned, on_revoke=self.revoked)

    def assigned(self, consumer, partitions):
        (consumer.incremental_assign if self.cooperative else consumer.assign)(partitions)
        loop.say({"assigned": [place.partition for place in partitions]})

    def revoked(self, consumer, partitions):
        consumer.incremental_unassign(partitions) if self.cooperative else consumer.unassign()
        loop.say({"revoked": [place.partition for place in partitions]})

    def poll(self):
        found = [message for message in self.consumer.consume(500, loop.POLL_SECONDS) if message.error() is None]
        if found:
            loop.say({"records": [[message.partition(), message.offset(), loop.packed(message.value())]
                                  for message in found]})

    def commit(self):
        try:
            self.consumer.commit(asynchronous=False)
        except confluent_kafka.KafkaException as failure:
            if failure.args[0].code() != confluent_kafka.KafkaError._NO_OFFSET:
                raise


def member(address, settings, commands):
    running = Member(address, settings)
    while (command := commands.next()) != "close":
        if command == "commit":
            running.commit()
            loop.say({"committed": True})
        running.poll()
    running.commit()
    running.consumer.close()


if __name__ == "__main__":
    loop.run(Session, member)

"""kafka-python: the protocol in Python."""

import re
import time

import kafka
from kafka import TopicPartition, errors
from kafka.admin import ConfigResource
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

import loop

UNKNOWN_TOPIC_OR_PARTITION = 3
REQUEST_SECONDS = 20
SOURCES = ["UNKNOWN_CONFIG", "DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG",
           "STATIC_BROKER_CONFIG", "DEFAULT_CONFIG"]
STRATEGIES = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor,
              "cooperative": CooperativeStickyAssignor}


class Session:
    lacks = "AlterConfigs sends along whatever was set before"

    def __init__(self, address):
        self.address = address
        self.admin = kafka.KafkaAdminClient(bootstrap_servers=address)

    def refusal(self, failure):
        if isinstance(failure, errors.KafkaTimeoutError) and "Failed to update metadata" in str(failure):
            # All that a producer says about a topic that metadata does not know.
            return UNKNOWN_TOPIC_OR_PARTITION
        if isinstance(failure, (AssertionError, ValueError)) and "nrecognized partition" in str(failure):
            return UNKNOWN_TOPIC_OR_PARTITION
        return getattr(failure, "errno", None) if isinstance(failure, errors.BrokerResponseError) else None

    def produce(self, request):
        producer = kafka.KafkaProducer(
            bootstrap_servers=self.address, compression_type=None if request["codec"] == "none" else request["codec"],
            acks=request["acks"], enable_idempotence=request["idempotent"], linger_ms=5, batch_size=1 << 16,
            max_request_size=request["request_bytes_max"], max_block_ms=request["timeout_ms"],
            delivery_timeout_ms=request["timeout_ms"], request_timeout_ms=min(10_000, request["timeout_ms"] - 100))
        try:
            futures = []
            for number, record in enumerate(request["records"]):
                futures.append(self._send(producer, request["topic"], *record))
                if request["pause"] and number % request["pause"][0] == 0:
                    time.sleep(request["pause"][1] / 1_000)
            producer.flush()
            found = [future.get(request["timeout_ms"] / 1_000) for future in futures]
        finally:
            producer.close()
        return {"places": [[place.partition, place.offset] for place in found]}

    @staticmethod
    def _send(producer, topic, key, value, headers, partition, time_ms):
        if key is None and value is None:
            raise loop.Unavailable("a record needs a key or a value")
        if any(content is None for _, content in headers):
            raise loop.Unavailable("a header needs a value")
        return producer.send(
            topic, loop.unpacked(value), loop.unpacked(key), partition=partition, timestamp_ms=time_ms,
            headers=[(name, loop.unpacked(content)) for name, content in headers])

    def consumer(self, **options):
        return kafka.KafkaConsumer(bootstrap_servers=self.address, enable_auto_commit=False,
                                   max_partition_fetch_bytes=8 << 20, allow_auto_create_topics=False, **options)

    def consume(self, request):
        consumer = self.consumer(auto_offset_reset=request["reset"], fetch_max_wait_ms=request["wait_ms"])
        try:
            self._start(consumer, request["topic"], request["from"])
            records, deadline = [], time.monotonic() + request["seconds"]
            while len(records) < request["count"] and time.monotonic() < deadline:
                for found in consumer.poll(int(loop.POLL_SECONDS * 1_000)).values():
                    records += [self._record(record) for record in found]
        finally:
            consumer.close()
        return {"records": records}

    @staticmethod
    def _start(consumer, topic, places):
        consumer.assign([TopicPartition(topic, int(partition)) for partition in places])
        for partition, offset in places.items():
            place = TopicPartition(topic, int(partition))
            special = {"beginning": consumer.seek_to_beginning, "end": consumer.seek_to_end}
            special[offset](place) if offset in special else consumer.seek(place, offset)

    @staticmethod
    def _record(record):
        headers = [[name, loop.packed(content)] for name, content in record.headers]
        return [record.partition, record.offset, record.timestamp, loop.packed(record.key), loop.packed(record.value),
                headers]

    def seek(self, request):
        consumer, place, found = self.consumer(), TopicPartition(request["topic"], 0), []
        consumer.assign([place])
        for offset in request["positions"]:
            consumer.seek(place, offset)
            found.append([next(consumer).offset for _ in range(request["count"])])
        consumer.close()
        return {"offsets": found}

    def lookup(self, request):
        consumer = self.consumer(request_timeout_ms=10_000)
        times = {TopicPartition(request["topic"], int(partition)): at for partition, at in request["times"].items()}
        try:
            found = consumer.offsets_for_times(times)
        except errors.KafkaTimeoutError:
            raise loop.Unavailable("offsets_for_times asks again until its time is over") from None
        finally:
            consumer.close()
        return {"offsets": {place.partition: -1 if at is None else at.offset for place, at in found.items()}}

    def committed(self, request):
        asked = [TopicPartition(request["topic"], partition) for partition in request["partitions"]]
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            try:
                found = self.admin.list_group_offsets({request["group"]: asked})[request["group"]]
                break
            except errors.RetriableError:
                # It does not wait for a connection that is about to be made again.
                if time.monotonic() > deadline:
                    raise
                time.sleep(loop.POLL_SECONDS)
        return {"offsets": {place.partition: at.offset for place, at in found.items()}}

    def create_topic(self, request):
        self.admin.create_topics({request["topic"]: {
            "num_partitions": request["partitions"], "replication_factor": request["replication"],
            "configs": request["configs"]}})

    def describe_topic(self, request):
        topic = self.admin.describe_topics([request["topic"]])[0]
        if topic["error_code"]:
            raise loop.Refused(topic["error_code"], f"describe {request['topic']}")
        return {"partitions": len(topic["partitions"])}

    def delete_topic(self, request):
        self.admin.delete_topics([request["topic"]])

    def add_partitions(self, request):
        self.admin.create_partitions({request["topic"]: request["total"]})

    def delete_records(self, request):
        before = {TopicPartition(request["topic"], int(partition)): offset
                  for partition, offset in request["before"].items()}
        found = self.admin.delete_records(before)
        return {"starts": {place.partition: answer["low_watermark"] for place, answer in found.items()}}

    def configs(self, request):
        asked = ConfigResource(request["type"].upper(), request["name"])
        found = self.admin.describe_configs([asked], config_filter="all")[request["type"]][request["name"]]
        if not found:
            raise loop.Unavailable("describe_configs hides the error of a resource")
        return {"configs": {name: {"value": config["value"], "source": SOURCES.index(config["config_source"]),
                                   "read_only": config["read_only"]} for name, config in found.items()}}

    def alter_configs(self, request):
        self._alter(request, {key: (operation.upper(), value) for operation, key, value in request["changes"]})

    def _alter(self, request, changes):
        resource = ConfigResource(request["type"].upper(), request["name"], changes)
        # Unknown keys are for the broker to refuse.
        result = self.admin.alter_configs([resource], raise_on_unknown=False)[request["type"]][request["name"]]
        if result != "OK":
            raise getattr(errors, re.search(r"\w+Error\b|\w+Exception\b|Invalid\w+", result)[0])(result)


class Listener(kafka.ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        loop.say({"assigned": [place.partition for place in assigned]})

    def on_partitions_revoked(self, revoked):
        loop.say({"revoked": [place.partition for place in revoked]})


def member(address, settings, commands):
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=address, group_id=settings["group"], group_instance_id=settings["instance"],
        enable_auto_commit=False, auto_offset_reset="earliest", session_timeout_ms=settings["session_ms"],
        heartbeat_interval_ms=settings["heartbeat_ms"],
        partition_assignment_strategy=[STRATEGIES[settings["strategy"]]])
    consumer.subscribe([settings["topic"]], listener=Listener())
    # A leader joins again when metadata that it asked for after its subscription come after its assignment, and everybody
    # notices; when a poll ends while that second join is under way, kafka-python 3.0.12 never looks at its outcome.
    consumer.topics()
    while (command := commands.next()) != "close":
        if command == "commit":
            consumer.commit()
            loop.say({"committed": True})
        found = consumer.poll(int(loop.POLL_SECONDS * 1_000))
        records = [[record.partition, record.offset, loop.packed(record.value)]
                   for batch in found.values() for record in batch]
        if records:
            loop.say({"records": records})
    consumer.commit()
    consumer.close()


if __name__ == "__main__":
    loop.run(Session, member)

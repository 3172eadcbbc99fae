import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Producing, reading, looking up. */
final class Records {
    private static final Duration POLL = Duration.ofMillis(100);
    private static final long SEEK_MS_MAX = 30_000;
    private final String address;

    Records(String address) {
        this.address = address;
    }

    Map<String, Driver.Verb> verbs() {
        return Map.of("produce", this::produce, "consume", this::consume, "seek", this::seek, "lookup", this::lookup);
    }

    private Map<String, ?> produce(JsonNode request) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(producing(request))) {
            JsonNode pause = request.get("pause");
            for (JsonNode record : request.get("records")) {
                if (!pause.isNull() && sent.size() % pause.get(0).asInt() == 0) {
                    Thread.sleep(pause.get(1).asInt());
                }
                sent.add(producer.send(record(request.get("topic").asText(), record)));
            }
            producer.flush();
        }
        List<List<Number>> places = new ArrayList<>();
        for (Future<RecordMetadata> future : sent) {
            places.add(List.of(future.get().partition(), future.get().offset()));
        }
        return Map.of("places", places);
    }

    private Properties producing(JsonNode request) {
        int timeout = request.get("timeout_ms").asInt();
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("key.serializer", ByteArraySerializer.class.getName());
        settings.put("value.serializer", ByteArraySerializer.class.getName());
        settings.put("compression.type", request.get("codec").asText());
        settings.put("acks", request.get("acks").asText());
        settings.put("enable.idempotence", request.get("idempotent").asText());
        settings.put("max.request.size", request.get("request_bytes_max").asText());
        settings.put("linger.ms", "5");
        settings.put("max.block.ms", String.valueOf(timeout));
        settings.put("delivery.timeout.ms", String.valueOf(timeout));
        settings.put("request.timeout.ms", String.valueOf(Math.min(10_000, timeout - 100)));
        return settings;
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, JsonNode record) {
        Integer partition = record.get(3).isNull() ? null : record.get(3).asInt();
        Long timestamp = record.get(4).isNull() ? null : record.get(4).asLong();
        ProducerRecord<byte[], byte[]> made = new ProducerRecord<>(
                topic, partition, timestamp, Driver.unpacked(record.get(0)), Driver.unpacked(record.get(1)));
        for (JsonNode header : record.get(2)) {
            made.headers().add(header.get(0).asText(), Driver.unpacked(header.get(1)));
        }
        return made;
    }

    private KafkaConsumer<byte[], byte[]> consumer(String waitMs, String reset) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("enable.auto.commit", "false");
        settings.put("allow.auto.create.topics", "false");
        settings.put("auto.offset.reset", reset);
        settings.put("fetch.max.wait.ms", waitMs);
        settings.put("max.partition.fetch.bytes", String.valueOf(8 << 20));
        settings.put("default.api.timeout.ms", "10000");
        settings.put("request.timeout.ms", "9000");
        return new KafkaConsumer<>(settings);
    }

    private Map<String, ?> consume(JsonNode request) {
        List<List<Object>> records = new ArrayList<>();
        String reset = request.get("reset").asText();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(request.get("wait_ms").asText(), reset)) {
            start(consumer, request.get("topic").asText(), request.get("from"));
            long deadline = System.currentTimeMillis() + 1_000 * request.get("seconds").asLong();
            while (records.size() < request.get("count").asInt() && System.currentTimeMillis() < deadline) {
                consumer.poll(POLL).forEach(record -> records.add(row(record)));
            }
        }
        return Map.of("records", records);
    }

    private static void start(KafkaConsumer<byte[], byte[]> consumer, String topic, JsonNode from) {
        Map<TopicPartition, JsonNode> places = new HashMap<>();
        from.fields().forEachRemaining(place ->
                places.put(new TopicPartition(topic, Integer.parseInt(place.getKey())), place.getValue()));
        consumer.assign(places.keySet());
        places.forEach((partition, offset) -> {
            if (offset.isNumber()) {
                consumer.seek(partition, offset.asLong());
            } else if (offset.asText().equals("beginning")) {
                consumer.seekToBeginning(List.of(partition));
            } else {
                consumer.seekToEnd(List.of(partition));
            }
        });
    }

    private static List<Object> row(ConsumerRecord<byte[], byte[]> record) {
        List<List<String>> headers = new ArrayList<>();
        for (Header header : record.headers()) {
            headers.add(Arrays.asList(header.key(), Driver.packed(header.value())));
        }
        return Arrays.asList(record.partition(), record.offset(), record.timestamp(), Driver.packed(record.key()),
                Driver.packed(record.value()), headers);
    }

    private Map<String, ?> seek(JsonNode request) {
        TopicPartition partition = new TopicPartition(request.get("topic").asText(), 0);
        int count = request.get("count").asInt();
        List<List<Long>> found = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("500", "earliest")) {
            consumer.assign(List.of(partition));
            long deadline = System.currentTimeMillis() + SEEK_MS_MAX;
            for (JsonNode position : request.get("positions")) {
                consumer.seek(partition, position.asLong());
                List<Long> offsets = new ArrayList<>();
                while (offsets.size() < count && System.currentTimeMillis() < deadline) {
                    consumer.poll(POLL).forEach(record -> offsets.add(record.offset()));
                }
                found.add(offsets.subList(0, Math.min(count, offsets.size())));
            }
        }
        return Map.of("offsets", found);
    }

    private Map<String, ?> lookup(JsonNode request) {
        Map<TopicPartition, Long> times = new HashMap<>();
        request.get("times").fields().forEachRemaining(wanted -> times.put(
                new TopicPartition(request.get("topic").asText(), Integer.parseInt(wanted.getKey())),
                wanted.getValue().asLong()));
        Map<Integer, Long> offsets = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("500", "earliest")) {
            consumer.offsetsForTimes(times).forEach((partition, found) ->
                    offsets.put(partition.partition(), found == null ? -1 : found.offset()));
        } catch (TimeoutException failure) {
            throw new Driver.Unavailable("offsetsForTimes asks again until its time is over");
        }
        return Map.of("offsets", offsets);
    }
}

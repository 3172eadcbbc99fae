import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** One member of a group, until it is told to close. */
final class Member implements ConsumerRebalanceListener {
    private static final Duration POLL = Duration.ofMillis(100);
    private static final Map<String, Class<?>> STRATEGIES = Map.of("range", RangeAssignor.class,
            "roundrobin", RoundRobinAssignor.class, "cooperative", CooperativeStickyAssignor.class);
    private final Queue<String> commands = new ConcurrentLinkedQueue<>();
    private final KafkaConsumer<byte[], byte[]> consumer;

    Member(String address, JsonNode settings, BufferedReader lines) {
        consumer = new KafkaConsumer<>(joining(address, settings));
        consumer.subscribe(List.of(settings.get("topic").asText()), this);
        Thread reader = new Thread(() -> read(lines));
        reader.setDaemon(true);
        reader.start();
    }

    private static Properties joining(String address, JsonNode settings) {
        Properties joining = new Properties();
        joining.put("bootstrap.servers", address);
        joining.put("group.id", settings.get("group").asText());
        joining.put("key.deserializer", ByteArrayDeserializer.class.getName());
        joining.put("value.deserializer", ByteArrayDeserializer.class.getName());
        joining.put("enable.auto.commit", "false");
        joining.put("auto.offset.reset", "earliest");
        joining.put("session.timeout.ms", settings.get("session_ms").asText());
        joining.put("heartbeat.interval.ms", settings.get("heartbeat_ms").asText());
        joining.put("partition.assignment.strategy", STRATEGIES.get(settings.get("strategy").asText()).getName());
        if (!settings.get("instance").isNull()) {
            joining.put("group.instance.id", settings.get("instance").asText());
        }
        return joining;
    }

    private void read(BufferedReader lines) {
        try {
            for (String line; (line = lines.readLine()) != null; ) {
                commands.add(Driver.JSON.readTree(line).get("do").asText());
            }
        } catch (Exception failure) {
            failure.printStackTrace();
        }
        commands.add("close");
    }

    void run() throws Exception {
        try {
            String told;
            do {
                poll();
                told = commands.poll();
                if (told != null) {
                    consumer.commitSync();
                    Driver.say(Map.of("committed", told.equals("commit")));
                }
            } while (!"close".equals(told));
            consumer.close();
        } catch (Exception failure) {
            failure.printStackTrace();
            Driver.say(Map.of("failed", failure.toString()));
        }
    }

    private void poll() throws Exception {
        List<List<Object>> records = new ArrayList<>();
        consumer.poll(POLL).forEach(record ->
                records.add(List.of(record.partition(), record.offset(), Driver.packed(record.value()))));
        if (!records.isEmpty()) {
            Driver.say(Map.of("records", records));
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        tell("assigned", partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        tell("revoked", partitions);
    }

    private static void tell(String what, Collection<TopicPartition> partitions) {
        try {
            Driver.say(Map.of(what, partitions.stream().map(TopicPartition::partition).toList()));
        } catch (Exception failure) {
            throw new IllegalStateException(failure);
        }
    }
}

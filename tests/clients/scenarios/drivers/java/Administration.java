import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DeletedRecords;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** Topics, configs, committed offsets. */
final class Administration {
    /** Sources by their number on the wire. */
    private static final List<ConfigEntry.ConfigSource> SOURCES = List.of(
            ConfigEntry.ConfigSource.UNKNOWN, ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG,
            ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG, ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG,
            ConfigEntry.ConfigSource.STATIC_BROKER_CONFIG, ConfigEntry.ConfigSource.DEFAULT_CONFIG);
    private final Admin admin;

    Administration(String address) {
        admin = Admin.create(Map.of("bootstrap.servers", address));
    }

    Map<String, Driver.Verb> verbs() {
        return Map.of(
                "create_topic", this::createTopic, "describe_topic", this::describeTopic,
                "delete_topic", this::deleteTopic, "add_partitions", this::addPartitions,
                "delete_records", this::deleteRecords, "configs", this::configs, "alter_configs", this::alterConfigs,
                "replace_configs", this::replaceConfigs, "committed", this::committed);
    }

    private Map<String, ?> createTopic(JsonNode request) throws Exception {
        Map<String, String> configs = new HashMap<>();
        request.get("configs").fields().forEachRemaining(each -> configs.put(each.getKey(), each.getValue().asText()));
        NewTopic topic = new NewTopic(request.get("topic").asText(), Optional.of(request.get("partitions").asInt()),
                Optional.of((short) request.get("replication").asInt()));
        admin.createTopics(List.of(topic.configs(configs))).all().get();
        return Map.of();
    }

    private Map<String, ?> describeTopic(JsonNode request) throws Exception {
        String topic = request.get("topic").asText();
        return Map.of("partitions",
                admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size());
    }

    private Map<String, ?> deleteTopic(JsonNode request) throws Exception {
        admin.deleteTopics(List.of(request.get("topic").asText())).all().get();
        return Map.of();
    }

    private Map<String, ?> addPartitions(JsonNode request) throws Exception {
        NewPartitions total = NewPartitions.increaseTo(request.get("total").asInt());
        admin.createPartitions(Map.of(request.get("topic").asText(), total)).all().get();
        return Map.of();
    }

    private Map<String, ?> deleteRecords(JsonNode request) throws Exception {
        Map<TopicPartition, RecordsToDelete> before = new HashMap<>();
        request.get("before").fields().forEachRemaining(each -> before.put(
                new TopicPartition(request.get("topic").asText(), Integer.parseInt(each.getKey())),
                RecordsToDelete.beforeOffset(each.getValue().asLong())));
        Map<Integer, Long> starts = new HashMap<>();
        Map<TopicPartition, KafkaFuture<DeletedRecords>> deleted = admin.deleteRecords(before).lowWatermarks();
        for (TopicPartition partition : deleted.keySet()) {
            starts.put(partition.partition(), deleted.get(partition).get().lowWatermark());
        }
        return Map.of("starts", starts);
    }

    private static ConfigResource resource(JsonNode request) {
        ConfigResource.Type type = ConfigResource.Type.valueOf(request.get("type").asText().toUpperCase());
        return new ConfigResource(type, request.get("name").asText());
    }

    private Map<String, ?> configs(JsonNode request) throws Exception {
        ConfigResource resource = resource(request);
        Map<String, Map<String, Object>> configs = new HashMap<>();
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            Map<String, Object> shown = new HashMap<>();
            shown.put("value", entry.value());
            shown.put("source", SOURCES.indexOf(entry.source()));
            shown.put("read_only", entry.isReadOnly());
            configs.put(entry.name(), shown);
        }
        return Map.of("configs", configs);
    }

    private Map<String, ?> alterConfigs(JsonNode request) throws Exception {
        List<AlterConfigOp> changes = new ArrayList<>();
        for (JsonNode change : request.get("changes")) {
            String value = change.get(2).isNull() ? null : change.get(2).asText();
            changes.add(new AlterConfigOp(new ConfigEntry(change.get(1).asText(), value),
                    AlterConfigOp.OpType.valueOf(change.get(0).asText().toUpperCase())));
        }
        admin.incrementalAlterConfigs(Map.of(resource(request), changes)).all().get();
        return Map.of();
    }

    private Map<String, ?> replaceConfigs(JsonNode request) {
        throw new Driver.Unavailable("Kafka 4 has taken AlterConfigs out of its client");
    }

    private Map<String, ?> committed(JsonNode request) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> found =
                admin.listConsumerGroupOffsets(request.get("group").asText()).partitionsToOffsetAndMetadata().get();
        Map<Integer, Long> offsets = new HashMap<>();
        for (JsonNode partition : request.get("partitions")) {
            OffsetAndMetadata at = found.get(new TopicPartition(request.get("topic").asText(), partition.asInt()));
            offsets.put(partition.asInt(), at == null ? -1 : at.offset());
        }
        return Map.of("offsets", offsets);
    }
}

"""The steps with Kafka's own tools, in order: each builds on what those before it left."""

import collections

Step = collections.namedtuple("Step", "name tool arguments says input", defaults=["", None])

TOOLS = "org.apache.kafka.tools"
TOPICS = f"{TOOLS}.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"
GROUPS = f"{TOOLS}.consumer.group.ConsumerGroupCommand"
SHARES = f"{TOOLS}.consumer.group.ShareGroupCommand"
CONSOLE = f"{TOOLS}.consumer.ConsoleConsumer"
TRANSACTIONS = f"{TOOLS}.TransactionsCommand"
LINES = "one\ntwo\nthree\n"
# Each of them is a line of its own.
LINES_BACK = r"(?m)(?=[\s\S]*^one$)(?=[\s\S]*^two$)(?=[\s\S]*^three$)"
NEW_GROUPS = "--command-property group.protocol=consumer"

# `says` is a regular expression that the output must match; the exit code must be 0. {folder} holds files.
STEPS = [
    Step("TopicCommand_create", TOPICS, "--create --topic tools --partitions 3 --config retention.ms=3600000",
         "Created topic tools"),
    Step("TopicCommand_alter", TOPICS, "--alter --topic tools --partitions 6"),
    Step("TopicCommand_describe", TOPICS, "--describe --topic tools",
         r"PartitionCount: 6\s+ReplicationFactor: 1\s+Configs: .*retention.ms=3600000[\s\S]*"
         r"Partition: 5\s+Leader: 0\s+Replicas: 0\s+Isr: 0"),
    Step("BrokerApiVersionsCommand", f"{TOOLS}.BrokerApiVersionsCommand", "",
         r"\(id: 0 rack: null[^)]*\) -> \([\s\S]*Produce\(0\): 0 to \d+ \[usable: \d+\]"),
    Step("ClusterTool_id", f"{TOOLS}.ClusterTool", "cluster-id --bootstrap-server {address}", r"Cluster ID: \S{22}"),
    Step("ClusterTool_endpoints", f"{TOOLS}.ClusterTool", "list-endpoints --bootstrap-server {address}", r"0\s+127.0.0.1\s+{port}"),
    Step("FeatureCommand", f"{TOOLS}.FeatureCommand", "describe"),
    Step("MetadataQuorumCommand", f"{TOOLS}.MetadataQuorumCommand", "describe --status", r"LeaderId:\s+0"),
    Step("ConfigCommand_topic_alter", CONFIGS,
         "--alter --entity-type topics --entity-name tools --add-config max.message.bytes=2000000",
         "Completed updating config for topic tools"),
    Step("ConfigCommand_topic_describe", CONFIGS, "--describe --entity-type topics --entity-name tools",
         r"max.message.bytes=2000000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000, "
         r"DEFAULT_CONFIG:message.max.bytes=1048588\}"),
    Step("ConfigCommand_broker", CONFIGS, "--describe --entity-type brokers --entity-name 0 --all",
         r"num.partitions=4 sensitive=false"),
    Step("ConfigCommand_quota", CONFIGS,
         "--alter --entity-type clients --entity-name tools --add-config producer_byte_rate=1000000", "Completed"),
    Step("ConfigCommand_scram", CONFIGS,
         "--alter --entity-type users --entity-name tools --add-config SCRAM-SHA-256=[password=secret]", "Completed"),
    Step("ConfigCommand_group", CONFIGS,
         "--alter --entity-type groups --entity-name tools --add-config consumer.session.timeout.ms=50000",
         "Completed"),
    Step("LogDirsCommand", f"{TOOLS}.LogDirsCommand", "--describe --topic-list tools",
         r'"broker":0[\s\S]*"partition":"tools-5"'),
    Step("ProducerPerformance", f"{TOOLS}.ProducerPerformance",
         "--topic tools --num-records 20000 --record-size 100 --throughput -1", "20000 records sent"),
    *(Step(f"ProducerPerformance_{codec}", f"{TOOLS}.ProducerPerformance",
           "--topic tools --num-records 5000 --record-size 100 --throughput -1 --command-property "
           f"compression.type={codec}", "5000 records sent") for codec in ["gzip", "snappy", "lz4", "zstd"]),
    Step("ProducerPerformance_txn", f"{TOOLS}.ProducerPerformance",
         "--topic tools --num-records 5000 --record-size 100 --throughput -1 --transaction-duration-ms 100",
         "5000 records sent"),
    Step("ConsumerPerformance", f"{TOOLS}.ConsumerPerformance", "--topic tools --num-records 40000 --hide-header",
         r"(?m)^.*, 4\d{{4}}, "),
    Step("ConsumerPerformance_848", f"{TOOLS}.ConsumerPerformance",
         f"--topic tools --num-records 40000 --hide-header {NEW_GROUPS}", r"(?m)^.*, 4\d{{4}}, "),
    Step("EndToEndLatency", f"{TOOLS}.EndToEndLatency",
         "--topic latency --num-records 100 --producer-acks all --record-size 100", r"Avg latency: \d"),
    Step("GetOffsetShell", f"{TOOLS}.GetOffsetShell", "--topic latency", r"(?m)^latency:0:\d+$"),
    Step("GetOffsetShell_earliest", f"{TOOLS}.GetOffsetShell", "--topic tools --time earliest",
         r"(?m)\A(tools:\d:0\n){{6}}\Z"),
    Step("ConsoleProducer", f"{TOOLS}.ConsoleProducer", "--topic lines", input=LINES),
    Step("ConsoleConsumer", CONSOLE, "--topic lines --group readers --from-beginning --max-messages 3 "
         "--timeout-ms 30000", LINES_BACK),
    Step("ConsoleConsumer_848", CONSOLE, "--topic lines --group newer --from-beginning --max-messages 3 "
         f"--timeout-ms 30000 {NEW_GROUPS}", LINES_BACK),
    Step("GroupsCommand", f"{TOOLS}.GroupsCommand", "--list", r"readers\s+Classic\s+consumer"),
    Step("ConsumerGroupCommand_list", GROUPS, "--list", r"(?m)^readers$"),
    Step("ConsumerGroupCommand_describe", GROUPS, "--describe --group readers",
         r"(?m)^readers\s+lines\s+\d\s+\d+\s+\d+\s+0\s+-\s+-\s+-"),
    Step("ConsumerGroupCommand_state", GROUPS, "--describe --group readers --state",
         r"readers\s+127.0.0.1:{port}\s+\(0\)\s+.*Empty\s+0"),
    Step("ConsumerGroupCommand_reset", GROUPS,
         "--reset-offsets --group readers --topic lines --to-earliest --execute", r"(?m)^readers\s+lines\s+\d\s+0\s*$"),
    Step("ConsumerGroupCommand_delete_offsets", GROUPS, "--delete-offsets --group readers --topic lines",
         "Successful"),
    Step("ConsumerGroupCommand_delete", GROUPS, "--delete --group readers", r"groups \('readers'\) was successful"),
    Step("VerifiableProducer", f"{TOOLS}.VerifiableProducer", "--topic verified --max-messages 500 --throughput -1",
         r'"sent":500,"acked":500'),
    Step("VerifiableConsumer", f"{TOOLS}.VerifiableConsumer", "--topic verified --group-id verify --max-messages 500",
         r'"name":"records_consumed"[\s\S]*"name":"offsets_committed"[\s\S]*"success":true'),
    Step("VerifiableConsumer_848", f"{TOOLS}.VerifiableConsumer",
         "--topic verified --group-id verify-newer --max-messages 500 --group-protocol consumer",
         r'"name":"records_consumed"'),
    Step("TransactionalMessageCopier", f"{TOOLS}.TransactionalMessageCopier",
         "--broker-list {address} --input-topic latency --input-partition 0 --output-topic copied --max-messages 100 "
         "--consumer-group copier --transaction-size 50 --transactional-id copier", r'"consumed":100\b'),
    Step("TransactionsCommand_list", TRANSACTIONS, "list", "copier"),
    Step("TransactionsCommand_describe", TRANSACTIONS, "describe --transactional-id copier", "CompleteCommit"),
    Step("TransactionsCommand_producers", TRANSACTIONS, "describe-producers --topic tools --partition 0",
         r"ProducerId\s+ProducerEpoch[\s\S]*\n\d+\s+\d+\s+"),
    # It makes the group read from the start.
    Step("VerifiableShareConsumer", f"{TOOLS}.VerifiableShareConsumer",
         "--topic verified --group-id share --max-messages 100 --offset-reset-strategy earliest",
         r'"name":"records_consumed"'),
    Step("ConsoleShareConsumer", f"{TOOLS}.consumer.ConsoleShareConsumer",
         "--topic lines --group share --max-messages 3 --timeout-ms 20000", LINES_BACK),
    Step("ShareGroupCommand_describe", SHARES, "--describe --group share", r"(?m)^share\s+(verified|lines)\s+\d"),
    Step("ShareGroupCommand_list", SHARES, "--list", r"(?m)^share$"),
    Step("DeleteRecordsCommand", f"{TOOLS}.DeleteRecordsCommand", "--offset-json-file {folder}/records.json",
         r"partition: tools-0\s+low_watermark: 5"),
    Step("LeaderElectionCommand", f"{TOOLS}.LeaderElectionCommand",
         "--election-type preferred --topic tools --partition 0", "Valid replica already elected for partitions tools-0"),
    Step("ReassignPartitionsCommand", f"{TOOLS}.reassign.ReassignPartitionsCommand", "--list",
         "No partition reassignments found"),
    Step("AclCommand", f"{TOOLS}.AclCommand", "--add --allow-principal User:tools --operation Read --topic tools",
         "ALLOW"),
    Step("ClientMetricsCommand", f"{TOOLS}.ClientMetricsCommand", "--alter --name tools --interval 30000",
         "Altered client metrics config for tools"),
    Step("TopicCommand_delete", TOPICS, "--delete --topic tools"),
    Step("TopicCommand_list", TOPICS, "--list", r"(?m)^lines$"),
]
FILES = {"records.json": '{"partitions": [{"topic": "tools", "partition": 0, "offset": 5}], "version": 1}'}

use crate::base::ids::NodeId;
use crate::base::limits::Limits;
use crate::config::entry::{Entry, Origin};
use crate::config::own_keys::{self, Form, OWN_KEYS};
use crate::config::settings::{Endpoint, Settings, Sources};
use crate::config::topic::Durability;
use crate::config::{BrokerConfig, SettingsError, broker_keys};

fn load(file: &str, environment: &[(&str, &str)], set: &[&str]) -> Result<Settings, SettingsError> {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    Settings::load(Sources {
        file: Some(("ottla.toml", file)),
        environment: environment.iter().map(own).collect(),
        arguments: set
            .iter()
            .map(|text| Entry::set(text))
            .collect::<Result<_, _>>()?,
    })
}

fn message(file: &str, set: &[&str]) -> String {
    load(file, &[], set).expect_err("is refused").to_string()
}

#[test]
fn without_a_word_everything_has_its_default() {
    let settings = Settings::default();
    assert_eq!(settings.node_id, NodeId(0));
    assert_eq!(settings.listen.to_string(), "localhost:9092");
    assert_eq!(settings.advertised, settings.listen);
    assert_eq!(settings.admin, Endpoint::parse("127.0.0.1:9644"));
    assert_eq!(settings.data_dir.to_str(), Some("./ottla-data"));
    assert_eq!((settings.shards, settings.rack), (None, None));
    assert_eq!(settings.durability, Durability::Flushed);
    assert_eq!(settings.limits, Limits::DEFAULT);
    assert!(settings.kafka.is_empty());
    assert_eq!(settings.broker, BrokerConfig::default());
}

#[test]
fn the_table_of_own_keys_is_sorted_and_collides_with_no_section_of_kafka() {
    assert!(OWN_KEYS.is_sorted_by(|a, b| a.name < b.name));
    for row in OWN_KEYS {
        assert_eq!(row.name.split('.').count(), 2, "{}", row.name);
        assert!(!row.name.starts_with("kafka."), "{}", row.name);
        assert!(row.documentation.ends_with('.'), "{}", row.name);
        let is_derived = broker_keys::find(row.name)
            .is_none_or(|key| key.change == broker_keys::Change::Derived(row.name));
        assert!(is_derived, "{} would hide Kafka's", row.name);
    }
    let path = own_keys::find("node.data_dir").map(|row| row.form);
    assert_eq!(path, Some(Form::Path));
}

#[test]
fn a_full_file_is_understood() {
    let file = r#"
        [node]
        id = 7
        rack = "r1"
        data_dir = "/var/lib/ottla"
        [listeners]
        kafka = "0.0.0.0:19092"
        advertised = "broker.example.com:9092"
        [admin]
        listen = "off"
        [shards]
        count = 4
        pool = "128MiB"
        [storage]
        durability = "memory"
        journal_file = "8 MiB"
        journal_files = 16
        [log]
        level = "debug"
        [kafka]
        num.partitions = 4
        "log.retention.hours" = 1_0
        auto.create.topics.enable = false
        group.consumer.assignors = ["range", "uniform"]
    "#;
    let settings = load(file, &[], &[]).unwrap();
    assert_eq!(settings.node_id, NodeId(7));
    assert_eq!(settings.rack.as_deref(), Some("r1"));
    assert_eq!(settings.listen.to_string(), "0.0.0.0:19092");
    assert_eq!(settings.advertised.to_string(), "broker.example.com:9092");
    assert_eq!((settings.admin, settings.shards), (None, Some(4)));
    assert_eq!(settings.durability, Durability::Memory);
    assert_eq!(settings.limits.pool_bytes, 128 << 20);
    assert_eq!(settings.limits.journal_file_bytes, 8 << 20);
    assert_eq!(settings.limits.journal_reserve_bytes, 8 << 20);
    assert_eq!(settings.limits.journal_files, 16);
    assert_eq!(settings.limits.cycle_bytes_max, 4 << 20);
    assert_eq!(settings.log_level, "debug");
    assert_eq!(settings.broker.partitions_default, 4);
    assert!(!settings.broker.auto_create_topics);
    assert_eq!(settings.broker.topic.retention_ms, 36_000_000);
    assert_eq!(settings.broker.topic.durability, Durability::Memory);
    assert_eq!(settings.kafka["group.consumer.assignors"], "range,uniform");
}

#[test]
fn file_gives_way_to_environment_and_both_to_the_command_line() {
    let file = "[node]\nid = 1\n[kafka]\nnum.partitions = 1\nlog.retention.ms = 1\n";
    let environment = [
        ("OTTLA_NODE__ID", "2"),
        ("OTTLA_KAFKA__NUM_PARTITIONS", "2"),
        ("OTTLA_STORAGE__JOURNAL_FILE", "32MiB"),
        ("OTTLA_BOOTSTRAP", "elsewhere:9092"),
        ("OTTLA_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
        ("HOME", "/root"),
    ];
    let by_environment = load(file, &environment, &[]).unwrap();
    assert_eq!(by_environment.node_id, NodeId(2));
    assert_eq!(by_environment.broker.partitions_default, 2);
    assert_eq!(by_environment.limits.journal_file_bytes, 32 << 20);
    assert_eq!(by_environment.broker.topic.retention_ms, 1);

    let set = [
        "node.id=3",
        "num.partitions=3",
        "kafka.num.partitions=4",
        "shards.count=auto",
    ];
    let by_arguments = load(file, &environment, &set).unwrap();
    assert_eq!(by_arguments.node_id, NodeId(3));
    assert_eq!(by_arguments.broker.partitions_default, 4);
}

/// File, `--set` argument, message.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "[storage]\n\ndurability = \"fast\"\n",
        "",
        "ottla.toml, line 3: storage.durability is \"fast\", but must be one of flushed, memory",
    ),
    (
        "[storage]\ndurabilty = \"memory\"\n",
        "",
        "ottla.toml, line 2: unknown setting storage.durabilty; did you mean \
             storage.durability?",
    ),
    (
        "[kafka]\nlog.retention.hour = 1\n",
        "",
        "ottla.toml, line 2: unknown setting kafka.log.retention.hour; did you mean \
             kafka.log.retention.hours?",
    ),
    (
        "[shards]\npool = 64000000\n",
        "",
        "ottla.toml, line 2: shards.pool is \"64000000\", but must be a size with a unit (B, \
             KiB, MiB, GiB) from 512KiB to 64GiB, a multiple of 4KiB",
    ),
    (
        "",
        "shards.pool=1KiB",
        "argument --set shards.pool=1KiB: shards.pool is \"1KiB\", but must be a size with a \
             unit (B, KiB, MiB, GiB) from 512KiB to 64GiB, a multiple of 4KiB",
    ),
    (
        "",
        "shards.count=0",
        "argument --set shards.count=0: shards.count is \"0\", but must be auto, or a number \
             from 1 to 1024",
    ),
    (
        "",
        "node.id=-1",
        "argument --set node.id=-1: node.id is \"-1\", but must be a number from 0 to 1000000",
    ),
    (
        "",
        "listeners.kafka=::1:9092",
        "argument --set listeners.kafka=::1:9092: listeners.kafka is \"::1:9092\", but must be \
             HOST:PORT, an IPv6 address in brackets",
    ),
    (
        "",
        "num.partitions=0",
        "argument --set num.partitions=0: Invalid value 0 for configuration num.partitions: \
             Value must be at least 1",
    ),
    (
        "[kafka]\nlog.cleanup.policy = \"squash\"\n",
        "",
        "ottla.toml, line 2: Invalid value squash for configuration log.cleanup.policy: \
             String must be one of: compact, delete",
    ),
    (
        "",
        "message.max.bytes=8388609",
        "argument --set message.max.bytes=8388609: Invalid value 8388609 for configuration \
             message.max.bytes: Value must be no more than 8388608 on this node; raise the \
             setting shards.pool",
    ),
    (
        "",
        "kafka.listeners=PLAINTEXT://:9092",
        "argument --set kafka.listeners=PLAINTEXT://:9092: listeners follows from \
             listeners.kafka; set that instead",
    ),
    (
        "[listeners]\nkafka = \"0.0.0.0:9092\"\n",
        "",
        "ottla.toml, line 2: clients cannot dial 0.0.0.0:9092; set listeners.advertised to a \
             name or address that they reach, for example \
             --set listeners.advertised=broker.example.com:9092",
    ),
    (
        "",
        "admin.listen=0.0.0.0:9644",
        "argument --set admin.listen=0.0.0.0:9644: admin.listen is 0.0.0.0:9644, but answers \
             anybody who reaches it; use a loopback address such as 127.0.0.1:9644, or off",
    ),
    (
        "",
        "admin.listen=localhost:9092",
        "argument --set admin.listen=localhost:9092: listeners.kafka and admin.listen are both \
             localhost:9092; give one of them another port",
    ),
    (
        "[storage]\njournal_file = \"64KiB\"\n",
        "",
        "ottla.toml, line 2: a journal ring of 512KiB is too small for shards.pool 64MiB; set \
             storage.journal_files to at least 131, or shards.pool lower",
    ),
    (
        "[storage]\ndurability = \"memory\"\n[kafka]\nottla.durability = \"flushed\"\n",
        "",
        "ottla.toml, line 2: ottla.durability is flushed, but storage.durability is memory; \
             set storage.durability alone",
    ),
    (
        "[kafka]\nnum.partitions = 1\n\"num.partitions\" = 2\n",
        "",
        "ottla.toml, line 3: kafka.num.partitions is set here and in ottla.toml, line 2; \
             remove one of them",
    ),
    (
        "[kafka]\nnum.partitions = 2000-01-01\n",
        "",
        "ottla.toml, line 2: kafka.num.partitions is a date; write a string, a number, true \
             or false",
    ),
    (
        "",
        "num.partitions",
        "argument --set num.partitions: write --set key=value, for example \
             --set num.partitions=4",
    ),
];

#[test]
fn a_refusal_names_place_setting_and_fix_in_one_line() {
    for &(file, set, expected) in REFUSALS {
        let set: Vec<&str> = [set].into_iter().filter(|text| !text.is_empty()).collect();
        assert_eq!(message(file, &set), expected);
    }
}

#[test]
fn a_file_that_is_not_toml_names_its_line() {
    let found = message("[node]\nid = \n", &[]);
    assert!(
        found.starts_with("ottla.toml, line 2: not valid TOML: "),
        "{found}"
    );
    assert!(!found.contains('\n'));
}

#[test]
fn a_value_of_several_lines_stays_in_one() {
    let found = message("", &["retention\n=1", "log.level=a\nb"]);
    assert!(!found.contains('\n'), "{found}");
}

#[test]
fn a_variable_is_named_when_it_is_wrong() {
    let found = load("", &[("OTTLA_SHARDS__POOL", "big")], &[]).unwrap_err();
    assert!(
        found
            .to_string()
            .starts_with("environment variable OTTLA_SHARDS__POOL: shards.pool")
    );
    let unknown = load("", &[("OTTLA_SHARD__POOL", "64MiB")], &[]).unwrap_err();
    assert!(
        unknown.to_string().contains("did you mean shards.pool?"),
        "{unknown}"
    );
}

#[test]
fn a_wildcard_listener_needs_a_name_that_clients_can_dial() {
    for host in ["0.0.0.0", "[::]", "*"] {
        let listen = format!("listeners.kafka={host}:9092");
        assert!(load("", &[], &[&listen]).is_err(), "{host}");
        let advertised = "listeners.advertised=10.1.2.3:9092";
        assert!(load("", &[], &[&listen, advertised]).is_ok(), "{host}");
        let wildcard = format!("listeners.advertised={host}:9092");
        assert!(load("", &[], &[&wildcard]).is_err(), "{host}");
    }
}

#[test]
fn endpoints_have_a_host_and_a_port() {
    for (text, host, port) in [
        ("localhost:9092", "localhost", 9092),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:9092", "::1", 9092),
    ] {
        let endpoint = Endpoint::parse(text).unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
        assert_eq!(endpoint.to_string(), text);
    }
    for text in [
        "",
        ":9092",
        "localhost",
        "localhost:",
        "localhost:65536",
        "::1:9092",
        "[::1]",
        "a b:1",
        "http://x:1",
    ] {
        assert_eq!(Endpoint::parse(text), None, "{text}");
    }
}

#[test]
fn small_rings_and_pools_fit_together() {
    let set = [
        "shards.pool=512KiB",
        "storage.journal_file=64KiB",
        "storage.journal_files=4",
    ];
    let limits = load("", &[], &set).unwrap().limits;
    assert_eq!(limits.cycle_bytes_max, 32 << 10);
    assert_eq!(limits.batch_bytes_max(), 64 << 10);
    assert_eq!(limits.journal_file_bytes, 64 << 10);
}

#[test]
fn what_follows_from_other_settings_shows_among_the_broker_configs() {
    let set = [
        "listeners.kafka=127.0.0.1:0",
        "node.rack=r1",
        "num.partitions=4",
    ];
    let mut settings = load("", &[], &set).unwrap();
    settings.advertised.port = 4321;
    let fixed = settings.fixed();
    for (name, value) in [
        ("node.id", "0"),
        ("listeners", "PLAINTEXT://127.0.0.1:4321"),
        ("advertised.listeners", "PLAINTEXT://127.0.0.1:4321"),
        ("log.dirs", "./ottla-data"),
        ("broker.rack", "r1"),
        ("num.partitions", "4"),
    ] {
        assert_eq!(fixed[name], value, "{name}");
    }
    assert_eq!(fixed.len(), 6);
}

#[test]
fn a_flag_stands_for_a_setting() {
    let flag = Entry::flag("--listen", "listeners.kafka", "nowhere");
    let text = "--listen nowhere".to_owned();
    assert_eq!(flag.origin, Origin::Argument { text });
    let sources = Sources {
        arguments: vec![flag],
        ..Sources::default()
    };
    let found = Settings::load(sources).unwrap_err().to_string();
    assert!(found.starts_with("argument --listen nowhere: listeners.kafka is \"nowhere\""));
}

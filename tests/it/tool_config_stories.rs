//! `ottla config`: of a cluster, of a file, of the tables themselves.

use crate::harness::broker::Broker;
use crate::harness::directory::Directory;
use crate::harness::tool::Tool;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

fn value(tool: &Tool, whose: &[&str], key: &str) -> Value {
    let found = tool.json(&[&["config", "get"], whose, &[key]].concat());
    found["configs"][0].clone()
}

#[test]
fn configs_of_a_topic_are_read_and_changed() {
    let broker = Broker::start("tool_config_topic");
    let tool = Tool::at(&broker.address);
    tool.run(&["topic", "create", "t"]).ok();
    let before = value(&tool, &["topic", "t"], "retention.ms");
    assert_eq!(
        (
            &before["value"],
            &before["configSource"],
            &before["configType"]
        ),
        (
            &json!("604800000"),
            &json!("DEFAULT_CONFIG"),
            &json!("LONG")
        )
    );
    let set = [
        "config",
        "set",
        "topic",
        "t",
        "retention.ms=5000",
        "segment.ms=6000",
    ];
    assert_eq!(tool.run(&set).ok().text(), "topic t: changed\n");
    let after = value(&tool, &["topic", "t"], "retention.ms");
    assert_eq!(
        (&after["value"], &after["configSource"]),
        (&json!("5000"), &json!("DYNAMIC_TOPIC_CONFIG"))
    );
    let table = tool
        .run(&["config", "get", "topic", "t", "--changed"])
        .ok()
        .lines();
    assert_eq!(table.len(), 3, "{table:?}");
    tool.run(&["config", "set", "topic", "t", "--unset", "retention.ms"])
        .ok();
    assert_eq!(value(&tool, &["topic", "t"], "retention.ms"), before);
    let replicas = "leader.replication.throttled.replicas";
    for (operation, change, expected) in [
        ("--append", "0:1", "0:1"),
        ("--append", "1:1", "0:1,1:1"),
        ("--subtract", "0:1", "1:1"),
    ] {
        let change = format!("{replicas}={change}");
        tool.run(&["config", "set", "topic", "t", operation, &change])
            .ok();
        assert_eq!(value(&tool, &["topic", "t"], replicas)["value"], expected);
    }
    let refused = tool.run(&["config", "set", "topic", "t", "retention.ms=soon"]);
    refused.failed(
        1,
        &[
            "topic t: INVALID_CONFIG",
            "retention.ms",
            "ottla config reference",
        ],
    );
    tool.run(&["config", "get", "topic", "t", "nonsense"])
        .failed(1, &["topic t has no config nonsense"]);
    tool.run(&["config", "get", "topic", "ghost"])
        .failed(1, &["topic ghost"]);
}

#[test]
fn configs_of_brokers_are_read_and_changed() {
    let broker = Broker::start("tool_config_broker");
    let tool = Tool::at(&broker.address);
    tool.run(&["config", "set", "broker", "all", "background.threads=7"])
        .ok();
    let of_all = value(&tool, &["broker", "0"], "background.threads");
    assert_eq!(
        (&of_all["value"], &of_all["configSource"]),
        (&json!("7"), &json!("DYNAMIC_DEFAULT_BROKER_CONFIG"))
    );
    tool.run(&["config", "set", "broker", "0", "background.threads=8"])
        .ok();
    let of_one = value(&tool, &["broker", "0"], "background.threads");
    assert_eq!(of_one["value"], "8");
    assert_eq!(
        of_one["synonyms"].as_array().map(Vec::len),
        Some(3),
        "{of_one}"
    );
    assert_eq!(value(&tool, &["broker", "0"], "node.id")["readOnly"], true);
    for refused in ["node.id=9", "log.segment.bytes=10"] {
        let (key, _) = refused.split_once('=').expect("an assignment");
        tool.run(&["config", "set", "broker", "0", refused])
            .failed(1, &["broker 0: ", key, "Fix: ottla config reference"]);
    }
    tool.run(&["config", "get", "broker", "9"])
        .failed(1, &["broker 9 is not in the cluster", "cluster nodes"]);
}

#[test]
fn configs_of_groups_are_read_and_changed() {
    let broker = Broker::start("tool_config_group");
    let tool = Tool::at(&broker.address);
    let key = "consumer.session.timeout.ms";
    let set = format!("{key}=50000");
    let done = tool.run(&["config", "set", "group", "g", &set]).ok();
    assert_eq!(done.text(), "group g: changed\n");
    let found = value(&tool, &["group", "g"], key);
    assert_eq!(
        (&found["value"], &found["configSource"]),
        (&json!("50000"), &json!("GROUP_CONFIG"))
    );
    let refused = tool.run(&["config", "set", "group", "g", &format!("{key}=5")]);
    refused.failed(1, &["group g: ", key]);
}

#[test]
fn a_file_is_checked_and_shown_without_a_broker() {
    let directory = Directory::new("tool_config_file");
    let path = directory.path().join("ottla.toml");
    let file = path.to_str().expect("text");
    let tool = Tool::at("127.0.0.1:1");
    fs::write(&path, "[node]\nid = 3\n[kafka]\n\"num.partitions\" = 4\n").expect("a directory");
    let sound = tool.run(&["config", "check", file]).ok();
    assert!(
        sound.text().ends_with("ottla.toml: no problems\n"),
        "{sound:?}"
    );
    let shown = tool.json(&[
        "config",
        "print",
        "--config",
        file,
        "--listen",
        "localhost:1",
    ]);
    let settings = shown["settings"].as_array().expect("a list");
    let find = |name: &str| {
        settings
            .iter()
            .find(|row| row["name"] == name)
            .expect("it is there")
    };
    assert_eq!(find("node.id")["source"], format!("{file}, line 2"));
    assert_eq!(find("kafka.num.partitions")["value"], "4");
    assert_eq!(
        find("listeners.kafka")["source"],
        "argument --listen localhost:1"
    );
    fs::write(&path, "[node]\nid = -3\nnane = 1\n").expect("a directory");
    let found = tool.run(&["config", "check", file]);
    assert_eq!((found.code, found.errors.as_str()), (Some(3), ""));
    assert_eq!(found.lines().len(), 2, "{found:?}");
    let found = tool.run(&["config", "check", file, "-o", "json"]).json();
    assert_eq!(
        (&found["problems"][0]["line"], &found["problems"][1]["line"]),
        (&json!(2), &json!(3))
    );
    tool.run(&["config", "print", "--config", file])
        .failed(2, &["line 3", "node.nane"]);
    tool.run(&["config", "check", "/no/such/file"])
        .failed(1, &["/no/such/file cannot be read"]);
}

#[test]
fn the_reference_holds_what_the_broker_says_of_itself() {
    let broker = Broker::start("tool_config_reference");
    let tool = Tool::at(&broker.address);
    tool.run(&["topic", "create", "t"]).ok();
    let reference = tool.json(&["config", "reference"]);
    let markdown = tool.run(&["config", "reference"]).ok().text();
    for (section, whose, least) in [
        ("topic", ["topic", "t"], 30),
        ("broker", ["broker", "0"], 30),
        ("group", ["group", "g"], 2),
    ] {
        let told = tool.json(&[&["config", "get"], &whose[..]].concat());
        let told = told["configs"].as_array().expect("a list");
        assert!(told.len() >= least, "{section}: {}", told.len());
        for config in told {
            let rows = reference[section].as_array().expect("a list");
            let row = rows.iter().find(|row| row["name"] == config["name"]);
            let row = row.unwrap_or_else(|| panic!("{section} {config}"));
            assert_eq!(row["documentation"], config["documentation"]);
            let kind = config["configType"]
                .as_str()
                .expect("a type")
                .to_lowercase();
            assert_eq!(row["type"], kind, "{config}");
            let line = format!("| `{}` | {kind} |", row["name"].as_str().expect("a name"));
            assert!(markdown.contains(&line), "{line}");
        }
    }
    for (section, whose) in [("topic", ["topic", "t"]), ("broker", ["broker", "0"])] {
        let rows = reference[section].as_array().expect("a list");
        let bounds: Vec<Bounds> = rows.iter().filter_map(Bounds::of).collect();
        assert!(bounds.len() >= 15, "{section}: {}", bounds.len());
        bounds_are_enforced(&tool, &whose, &bounds);
    }
}

/// What the reference prints of the values of a number that can be set over the wire.
struct Bounds {
    name: String,
    least: i64,
    most: Option<i64>,
}

impl Bounds {
    fn of(row: &Value) -> Option<Bounds> {
        let text = |field: &str| row[field].as_str().expect("text");
        if !text("updateMode").starts_with("dynamic") {
            return None;
        }
        let range = text("range");
        let (least, most) = match (range.strip_suffix(" or more"), range.split_once(" to ")) {
            (Some(least), _) => (least, None),
            (None, Some((least, most))) => (least, Some(most)),
            (None, None) => return None,
        };
        Some(Bounds {
            name: text("name").to_owned(),
            // Of what is no plain range the first part is no number.
            least: least.parse().ok()?,
            most: most.map(|most| most.parse().expect("a number")),
        })
    }
}

/// The bounds themselves are taken, what lies one beyond is not.
fn bounds_are_enforced(tool: &Tool, whose: &[&str], all: &[Bounds]) {
    let set = |assignments: &[String]| {
        let assignments: Vec<&str> = assignments.iter().map(String::as_str).collect();
        tool.run(&[&["config", "set"], whose, &assignments, &["--dry-run"]].concat())
    };
    let assign = |bounds: &Bounds, value: i64| format!("{}={value}", bounds.name);
    let least = all.iter().map(|bounds| assign(bounds, bounds.least));
    set(&least.collect::<Vec<_>>()).ok();
    let limited = |bounds: &Bounds| bounds.most.map(|most| assign(bounds, most));
    set(&all.iter().filter_map(limited).collect::<Vec<_>>()).ok();
    for bounds in all {
        let above = bounds.most.map(|most| most + 1);
        for beyond in [Some(bounds.least - 1), above].into_iter().flatten() {
            let refused = set(&[assign(bounds, beyond)]);
            refused.failed(1, &[bounds.name.as_str(), "Fix: ottla config reference"]);
        }
    }
}

#[test]
fn completion_is_a_script_its_shell_can_read() {
    let tool = Tool::at("127.0.0.1:1");
    for shell in ["bash", "zsh", "fish"] {
        let script = tool.run(&["config", "completion", shell]).ok().text();
        for word in ["produce", "bootstrap", "if-not-exists"] {
            assert!(script.contains(word), "{shell} {word}");
        }
    }
    let script = tool.run(&["config", "completion", "bash"]).ok().output;
    let mut bash = Command::new("bash");
    let mut bash = bash
        .args(["-n"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut input = bash.stdin.take().expect("piped");
    input.write_all(&script).expect("it reads");
    drop(input);
    assert!(bash.wait().expect("it ends").success());
}

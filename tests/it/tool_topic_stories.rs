//! `ottla topic` and `cluster`, and how every command fails.

use crate::harness::broker::{Broker, binary};
use crate::harness::tool::{Running, Tool};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

fn broker(test: &str) -> (Broker, Tool) {
    let broker = Broker::start(test);
    let tool = Tool::at(&broker.address);
    (broker, tool)
}

fn names(tool: &Tool) -> Vec<String> {
    let topics = tool.json(&["topic", "list"]);
    let topics = topics["topics"].as_array().expect("a list").iter();
    topics
        .map(|topic| topic["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_topic_is_made_changed_trimmed_and_deleted() {
    let (_broker, tool) = broker("tool_topic_life");
    let made = tool
        .run(&["topic", "create", "t", "-p", "2", "-c", "retention.ms=-1"])
        .ok();
    assert_eq!(made.text(), "topic t: created\n");
    tool.fed(&["produce", "t", "-p", "1"], b"a\nb\nc\n").ok();
    let described = tool.json(&["topic", "describe", "t"]);
    let topic = &described["topics"][0];
    assert_eq!(topic["configs"], json!({"retention.ms": "-1"}));
    assert_eq!(topic["topicId"].as_str().map(str::len), Some(22));
    assert_eq!(
        topic["partitions"][1],
        json!({
            "partitionIndex": 1, "leaderId": 0, "leaderEpoch": 0, "replicaNodes": [0], "isrNodes": [0],
            "offlineReplicas": [], "logStartOffset": 0, "highWatermark": 3
        })
    );
    let altered = tool.run(&[
        "topic",
        "alter",
        "t",
        "-p",
        "3",
        "-c",
        "segment.ms=9",
        "--unset",
        "retention.ms",
    ]);
    assert_eq!(altered.ok().text(), "topic t: altered\n");
    let table = tool.run(&["topic", "describe", "t"]).ok().lines();
    assert!(table[1].starts_with("t      id "), "{table:?}");
    assert_eq!(
        table[2].split_whitespace().collect::<Vec<_>>(),
        ["segment.ms", "9"]
    );
    assert_eq!(table[4].split_whitespace().next(), Some("PARTITION"));
    assert_eq!(
        table[6].split_whitespace().collect::<Vec<_>>(),
        ["1", "0", "0", "0", "0", "3", "3"]
    );
    let trimmed = tool.json(&["topic", "trim", "t", "--before", "2", "-p", "1", "--yes"]);
    assert_eq!(trimmed["partitions"][0]["lowWatermark"], 2);
    let rest = tool.run(&["consume", "t"]).ok();
    assert_eq!(rest.text(), "c\n");
    assert_eq!(
        tool.run(&["topic", "delete", "t", "-y"]).ok().text(),
        "topic t: deleted\n"
    );
    assert!(names(&tool).is_empty());
}

#[test]
fn of_several_topics_some_or_none_may_be_done() {
    let (_broker, tool) = broker("tool_topic_some");
    tool.run(&["topic", "create", "a", "b"]).ok();
    tool.run(&["topic", "create", "b"])
        .failed(1, &["topic b: TOPIC_ALREADY_EXISTS", "Fix: "]);
    tool.run(&["topic", "create", "b", "c"])
        .failed(4, &["topic b: TOPIC_ALREADY_EXISTS"]);
    tool.run(&["topic", "create", "b", "--if-not-exists"]).ok();
    let some = tool.run(&["topic", "delete", "c", "ghost", "--yes", "-o", "json"]);
    let some = some
        .failed(4, &["topic ghost: UNKNOWN_TOPIC_OR_PARTITION"])
        .json();
    assert_eq!(some["topics"][0]["error"], json!(null));
    assert_eq!(some["topics"][1]["error"], "UNKNOWN_TOPIC_OR_PARTITION");
    tool.run(&["topic", "describe", "a", "ghost"])
        .failed(4, &["topic ghost"]);
    tool.run(&["topic", "describe", "ghost"])
        .failed(1, &["topic ghost"]);
    assert_eq!(names(&tool), ["a", "b"]);
    let table = tool.run(&["topic", "list"]).ok().lines();
    assert!(
        table[0].starts_with("TOPIC  PARTITIONS  REPLICAS  ID"),
        "{table:?}"
    );
    assert_eq!(
        table[1].split_whitespace().take(3).collect::<Vec<_>>(),
        ["a", "1", "1"]
    );
}

#[test]
fn nothing_is_destroyed_unasked_and_a_dry_run_changes_nothing() {
    let (_broker, tool) = broker("tool_topic_unasked");
    tool.run(&["topic", "create", "t"]).ok();
    tool.fed(&["produce", "t"], b"kept\n").ok();
    let before = tool.json(&["topic", "describe", "t"]);
    tool.run(&["topic", "delete", "t"])
        .failed(2, &["1 records are deleted for good", "--yes"]);
    tool.run(&["topic", "trim", "t", "--before", "end"])
        .failed(2, &["1 records", "--yes"]);
    for arguments in [
        &["topic", "delete", "t", "--dry-run"][..],
        &["topic", "trim", "t", "--before", "end", "--dry-run"],
        &[
            "topic",
            "alter",
            "t",
            "-p",
            "9",
            "-c",
            "retention.ms=5",
            "--dry-run",
        ],
        &["topic", "create", "u", "--dry-run"],
        &["config", "set", "topic", "t", "retention.ms=5", "--dry-run"],
    ] {
        let ran = tool.run(arguments).ok();
        assert!(!ran.output.is_empty(), "{ran:?}");
    }
    // What would be refused is refused in a dry run, too; and nothing is half done.
    tool.run(&["topic", "create", "t", "--dry-run"])
        .failed(1, &["TOPIC_ALREADY_EXISTS"]);
    let bad = ["topic", "alter", "t", "-p", "9", "-c", "retention.ms=soon"];
    tool.run(&bad)
        .failed(1, &["INVALID_CONFIG", "retention.ms"]);
    assert_eq!(tool.json(&["topic", "describe", "t"]), before);
    assert_eq!(names(&tool), ["t"]);
}

#[test]
fn the_cluster_tells_of_itself() {
    let (_broker, tool) = broker("tool_cluster");
    tool.run(&["topic", "create", "t", "-p", "3"]).ok();
    let info = tool.json(&["cluster", "info"]);
    assert_eq!(info["clusterId"].as_str().map(str::len), Some(22));
    assert_eq!(
        (&info["brokerCount"], &info["partitionCount"]),
        (&json!(1), &json!(3))
    );
    let nodes = tool.json(&["cluster", "nodes"]);
    let port: u16 = tool
        .address
        .rsplit(':')
        .next()
        .expect("a port")
        .parse()
        .expect("a number");
    assert_eq!(
        nodes["brokers"],
        json!([{
            "brokerId": 0, "host": "127.0.0.1", "port": port, "rack": null, "isController": true,
            "isFenced": false, "leaderCount": 3, "replicaCount": 3
        }])
    );
    let features = tool.json(&["cluster", "features"]);
    let apis = features["apiKeys"].as_array().expect("a list");
    let fetch = apis.iter().find(|api| api["name"] == "Fetch");
    assert_eq!(fetch.expect("it is served")["apiKey"], 1);
    for (what, heading) in [
        ("info", "CLUSTER"),
        ("nodes", "NODE"),
        ("features", "FEATURE"),
        ("quorum", "QUORUM"),
    ] {
        let text = tool.run(&["cluster", what]).ok().text();
        assert!(text.contains(heading), "{text}");
    }
}

#[test]
fn the_quorum_is_one_voter_that_leads_and_has_everything() {
    let (_broker, tool) = broker("tool_quorum");
    let before = tool.json(&["cluster", "quorum"]);
    tool.run(&["topic", "create", "t"]).ok();
    let after = tool.json(&["cluster", "quorum"]);
    let end = after["highWatermark"].as_i64().expect("an offset");
    assert!(before["highWatermark"].as_i64() < Some(end), "{after}");
    assert_eq!(
        (&after["leaderId"], &after["observers"]),
        (&json!(0), &json!([]))
    );
    let voter = &after["currentVoters"][0];
    let time = voter["lastFetchTimestamp"].as_str().expect("a time");
    assert_eq!(
        *voter,
        json!({
            "replicaId": 0, "replicaDirectoryId": "AAAAAAAAAAAAAAAAAAAAAA", "logEndOffset": end, "lag": 0,
            "lastFetchTimestamp": time, "lastCaughtUpTimestamp": time,
            "endpoints": [format!("PLAINTEXT://{}", tool.address)]
        })
    );
    let table = tool.run(&["cluster", "quorum"]).ok().lines();
    let row: Vec<&str> = table[6].split_whitespace().collect();
    assert_eq!(row[..4], ["0", "leader", &end.to_string(), "0"]);
}

#[test]
fn when_nobody_listens_one_line_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("bound").to_string();
    drop(free);
    let tool = Tool::at(&address);
    for arguments in [
        &["topic", "list"][..],
        &["topic", "delete", "t", "--yes"],
        &["cluster", "info"],
        &["consume", "t"],
        &["consume", "t", "--group", "g"],
        &["produce", "t"],
        &["group", "list"],
        &["config", "get", "topic", "t"],
    ] {
        let words = [
            &address,
            "nothing listens there",
            "Fix: ",
            "ottla serve",
            "--bootstrap",
        ];
        let ran = tool.run(arguments).failed(1, &words);
        assert!(ran.output.is_empty(), "{ran:?}");
    }
    // Programs are told too, with a name of the error.
    for (arguments, whose) in [
        (["topic", "delete", "t", "--yes"], "topics"),
        (["group", "delete", "g", "--yes"], "groups"),
    ] {
        let ran = tool.run(&[&arguments[..], &["-o", "json"]].concat());
        let told = ran.failed(1, &[&address]).json();
        let told = &told[whose][0];
        let message = told["errorMessage"].as_str().expect("words");
        assert_eq!(told["error"], "CONNECTION_FAILED", "{told}");
        assert!(message.contains("nothing listens there"), "{told}");
    }
    let told = tool.run(&["topic", "list", "-v"]);
    assert!(told.errors.contains("Connection refused"), "{told:?}");
    let unknown = tool.run(&["topic", "list", "--bootstrap", "no.such.host.invalid:9092"]);
    unknown.failed(1, &["no.such.host.invalid:9092", "cannot be reached"]);
    // The first of several that can be reached is asked.
    let broker = Broker::start("tool_two_addresses");
    let both = format!("{address},{}", broker.address);
    tool.run(&["topic", "list", "--bootstrap", &both]).ok();
}

#[test]
fn what_is_no_broker_is_told_from_one() {
    for (answer, words) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            ["gave an answer", "TLS"],
        ),
        (b"", ["closed the connection", "TLS"]),
        (b"\0\0\0\x04\0\0\0\x09", ["another question", "Fix: "]),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer);
        });
        Tool::at(&address).run(&["topic", "list"]).failed(1, &words);
        server.join().expect("it answered");
    }
    // Silence is ended by the timeout.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let tool = Tool::at(&silent.local_addr().expect("bound").to_string());
    let ran = tool.run(&["topic", "list", "--timeout", "0.2"]);
    ran.failed(1, &["did not answer ApiVersions within 0.2 s", "--timeout"]);
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let tool = Tool::at("127.0.0.1:1");
    for arguments in [
        &["topic"][..],
        &["topic", "--bogus"],
        &["topic", "make"],
        &["topic", "create", "t", "-p", "0"],
        &["topic", "create", "t", "-c", "retention.ms"],
        &["topic", "alter", "t"],
        &["topic", "trim", "t", "--before", "soon"],
        &["topic", "list", "-o", "xml"],
        &["topic", "list", "--timeout", "0"],
        &["consume"],
        &["consume", "t", "--from", "somewhere"],
        &["consume", "t", "--format", "{values}"],
        &["produce", "t", "--acks", "2"],
        &["produce", "t", "-z", "rar"],
        &["group", "reset", "g"],
        &["group", "reset", "g", "--to", "+x"],
        &["config", "set", "topic", "t"],
        &["config", "completion", "csh"],
        &["cluster", "reassign"],
        &["acl", "list"],
        &["serve", "--bogus"],
    ] {
        let ran = tool.run(arguments).failed(2, &[". Fix: "]);
        assert!(ran.output.is_empty(), "{ran:?}");
    }
    assert_eq!(
        tool.run(&["group", "list", "--bogus"]).errors,
        "ottla: unexpected argument '--bogus' found. Fix: ottla group list --help shows what it takes\n"
    );
    // To ask is no wrong usage.
    for (arguments, word) in [
        (&["group", "list", "--help"][..], "Usage: ottla group list"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&[], "Usage: ottla"),
    ] {
        let text = tool.run(arguments).ok().text();
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn the_tool_needs_no_io_uring() {
    let (_broker, tool) = broker("tool_without_ring");
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/without_io_uring.py"));
    command
        .arg(binary())
        .args(["topic", "list", "--bootstrap", &tool.address]);
    Running::start(command).wait().ok();
}

//! `ottla produce` and `consume`: what goes in comes out, whatever the bytes and whatever happens in between.

use crate::harness::broker::Broker;
use crate::harness::tool::Tool;
use crate::harness::wait::wait_until;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn topic(test: &str, partitions: &str) -> (Broker, Tool) {
    let broker = Broker::start(test);
    let tool = Tool::at(&broker.address);
    tool.run(&["topic", "create", "t", "-p", partitions]).ok();
    (broker, tool)
}

fn numbers(range: std::ops::Range<u32>) -> Vec<u8> {
    range
        .map(|number| format!("{number}\n"))
        .collect::<String>()
        .into_bytes()
}

/// One JSON object per line.
fn records(tool: &Tool, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["consume", "t", "-o", "json"], arguments].concat();
    let lines = tool.run(&arguments).ok().lines();
    let parse = |line: &String| serde_json::from_str(line).expect("an object");
    lines.iter().map(parse).collect()
}

fn offsets(tool: &Tool, arguments: &[&str]) -> Vec<i64> {
    let records = records(tool, arguments);
    records
        .iter()
        .map(|record| record["offset"].as_i64().expect("a number"))
        .collect()
}

#[test]
fn records_of_every_codec_and_acks_come_back() {
    let (_broker, tool) = topic("tool_codecs", "1");
    let mut expected = Vec::new();
    for (step, codec) in ["none", "gzip", "snappy", "lz4", "zstd"].iter().enumerate() {
        for (index, acks) in ["all", "1", "0"].iter().enumerate() {
            let first = (step * 3 + index) as u32 * 5_000;
            let input = numbers(first..first + 5_000);
            tool.fed(&["produce", "t", "-z", codec, "--acks", acks], &input)
                .ok();
            expected.extend(input);
        }
    }
    // Nobody said when the last ones were written; the end is where it is expected.
    wait_until("all records", || {
        offsets(&tool, &["--from", "-1"]) == [74_999]
    });
    assert_eq!(tool.run(&["consume", "t"]).ok().output, expected);
}

#[test]
fn keys_headers_and_nulls_are_what_they_were() {
    let (_broker, tool) = topic("tool_parts", "6");
    let input = b"a:1\nb:2\na:3\n:4\nnothing\nc:\na:5";
    let summary = tool.fed(
        &[
            "produce", "t", "-K", ":", "-Z", "-H", "h=1", "-H", "i=", "-o", "json",
        ],
        input,
    );
    let summary = summary.ok().json();
    assert_eq!(
        (&summary["records"], &summary["topic"]),
        (&json!(7), &json!("t"))
    );
    let all = records(&tool, &[]);
    let of = |key: Value| -> Vec<&Value> {
        let found = all.iter().filter(|record| record["key"] == key);
        found.map(|record| &record["value"]).collect()
    };
    assert_eq!(
        of(json!("a")),
        [&json!("1"), &json!("3"), &json!("5")],
        "in order"
    );
    assert_eq!(of(json!("b")), [&json!("2")]);
    assert_eq!(of(json!("")), [&json!("4")]);
    assert_eq!(of(json!("c")), [&json!(null)]);
    assert_eq!(of(json!(null)), [&json!("nothing")]);
    let headers = json!([{"key": "h", "value": "1"}, {"key": "i", "value": ""}]);
    assert!(all.iter().all(|record| record["headers"] == headers));
    let time = all[0]["timestamp"].as_str().expect("a time");
    assert!(
        time.starts_with("20") && time.ends_with('Z') && time.len() == 24,
        "{time}"
    );
    // A key is where other clients put it: murmur2("a") of six.
    let place = |record: &Value| record["partition"].clone();
    let places: BTreeSet<String> = all
        .iter()
        .filter(|record| record["key"] == "a")
        .map(|record| place(record).to_string())
        .collect();
    assert_eq!(places.len(), 1);
    let line = tool
        .run(&["consume", "t", "--format", "{key}={value} {headers}\\n"])
        .ok()
        .text();
    assert!(line.contains("b=2 h=1,i=\n"), "{line}");
}

#[test]
fn bytes_that_are_no_text_survive_both_outputs() {
    let (_broker, tool) = topic("tool_bytes", "1");
    let key = b"\xff\xfe";
    let value: Vec<u8> = (0..=255).collect();
    let input = [&key[..], b"=>", &value].concat();
    tool.fed(&["produce", "t", "-K", "=>", "--whole"], &input)
        .ok();
    let raw = tool
        .run(&["consume", "t", "--format", "{key}=>{value}"])
        .ok();
    assert_eq!(raw.output, input);
    let record = records(&tool, &[]).remove(0);
    assert_eq!(record["keyBase64"], "//4=");
    assert!(
        record.get("key").is_none() && record.get("value").is_none(),
        "{record}"
    );
    // What consume prints produce takes.
    tool.run(&["topic", "create", "u"]).ok();
    let lines = tool.run(&["consume", "t", "-o", "json"]).ok().output;
    tool.fed(&["produce", "u", "--json"], &lines).ok();
    let copy = tool
        .run(&["consume", "u", "--format", "{key}=>{value}"])
        .ok();
    assert_eq!(copy.output, input);
    let times = |topic| {
        tool.run(&["consume", topic, "--format", "{timestamp}"])
            .ok()
            .text()
    };
    assert_eq!(times("t"), times("u"), "with its time");
}

#[test]
fn a_record_of_megabytes_is_a_batch_of_its_own() {
    let (_broker, tool) = topic("tool_megabytes", "1");
    let limit = "max.message.bytes=8000000";
    tool.run(&["config", "set", "topic", "t", limit]).ok();
    let large: Vec<u8> = (0..5_000_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    tool.fed(&["produce", "t"], b"before\n").ok();
    tool.fed(&["produce", "t", "--whole"], &large).ok();
    tool.fed(&["produce", "t"], b"after\n").ok();
    let all = tool.run(&["consume", "t", "--format", "{value}"]).ok();
    assert_eq!(all.output, [b"before", &large[..], b"after"].concat());
}

#[test]
fn reading_begins_where_it_is_told() {
    let (_broker, tool) = topic("tool_from", "1");
    let lines: String = (0..10)
        .map(|number| {
            format!(
                "{{\"value\":\"{number}\",\"timestamp\":\"2026-01-0{}T00:00:00Z\"}}\n",
                number % 9 + 1
            )
        })
        .collect();
    tool.fed(&["produce", "t", "--json"], lines.as_bytes()).ok();
    tool.run(&["topic", "trim", "t", "--before", "2", "-y"])
        .ok();
    for (from, first) in [
        ("beginning", Some(2)),
        ("0", Some(2)),
        ("5", Some(5)),
        ("-3", Some(7)),
        ("-100", Some(2)),
        ("2026-01-04", Some(3)),
        ("2026-01-04T00:00:00.001Z", Some(4)),
        ("1s", None),
        ("end", None),
        ("10", None),
    ] {
        assert_eq!(
            offsets(&tool, &["--from", from]).first().copied(),
            first,
            "{from}"
        );
    }
    assert_eq!(offsets(&tool, &["--from", "5", "-n", "2"]), [5, 6]);
    assert_eq!(offsets(&tool, &["-p", "0", "-n", "0"]), Vec::<i64>::new());
    tool.run(&["consume", "t", "--from", "11"])
        .failed(1, &["t-0", "OFFSET_OUT_OF_RANGE", "2 to 10"]);
    tool.run(&["consume", "t", "-p", "7"])
        .failed(1, &["partition t-7", "UNKNOWN_TOPIC_OR_PARTITION"]);
    tool.run(&["consume", "ghost"])
        .failed(1, &["topic ghost", "ottla topic list"]);
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let (_broker, tool) = topic("tool_pipe", "1");
    tool.fed(&["produce", "t"], &numbers(0..200_000)).ok();
    let mut running = tool.start(&["consume", "t"]);
    assert_eq!(running.line(), "0");
    running.close_output();
    running.wait().ok();
}

#[test]
fn following_goes_on_until_a_signal() {
    let (_broker, tool) = topic("tool_follow", "2");
    tool.fed(&["produce", "t"], b"old\n").ok();
    let mut running = tool.start(&["consume", "t", "--follow", "--from", "beginning"]);
    assert_eq!(running.line(), "old");
    for number in 0..3 {
        tool.fed(&["produce", "t"], format!("{number}\n").as_bytes())
            .ok();
        assert_eq!(running.line(), number.to_string());
    }
    running.interrupt();
    let ran = running.wait().ok();
    assert!(ran.output.is_empty());
}

#[test]
fn a_writer_that_is_interrupted_writes_what_it_has_read() {
    let (_broker, tool) = topic("tool_interrupt", "1");
    let mut running = tool.start(&["produce", "t"]);
    running.write(b"one\ntwo\nhalf a line");
    wait_until("both lines are written", || offsets(&tool, &[]) == [0, 1]);
    running.interrupt();
    let ran = running.wait();
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.errors.contains("interrupted after line 2"), "{ran:?}");
    assert_eq!(tool.run(&["consume", "t"]).ok().text(), "one\ntwo\n");
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_no_record() {
    let (mut broker, tool) = topic("tool_restart", "3");
    let mut follower = tool.start(&["consume", "t", "--follow"]);
    let mut running = tool.start(&["produce", "t", "-z", "lz4"]);
    let mut seen = BTreeSet::new();
    for life in 0..3 {
        running.write(&numbers(life * 1_000..life * 1_000 + 500));
        while seen.len() < (life * 1_000 + 500) as usize {
            assert!(seen.insert(follower.line()), "each once");
        }
        broker.kill();
        running.write(&numbers(life * 1_000 + 500..life * 1_000 + 1_000));
        broker.restart();
        while seen.len() < (life * 1_000 + 1_000) as usize {
            assert!(seen.insert(follower.line()), "each once");
        }
    }
    running.end_input();
    running.wait().ok();
    follower.interrupt();
    follower.wait().ok();
    let all = tool.run(&["consume", "t"]).ok().lines();
    assert_eq!(all.len(), 3_000, "none twice");
}

#[test]
fn what_is_too_large_or_no_record_is_named() {
    let (_broker, tool) = topic("tool_refused", "1");
    tool.run(&["config", "set", "topic", "t", "max.message.bytes=2000"])
        .ok();
    // Many small ones are cut to fit, one large one cannot be.
    tool.fed(&["produce", "t"], &numbers(0..10_000)).ok();
    let large = [&b"x".repeat(3_000)[..], b"\n"].concat();
    tool.fed(&["produce", "t"], &large)
        .failed(1, &["t-0", "MESSAGE_TOO_LARGE", "max.message.bytes"]);
    let mut running = tool.start(&["produce", "t", "-o", "json"]);
    running.write(b"fits\n");
    wait_until("the first is written", || {
        offsets(&tool, &["--from", "-1"]) == [10_000]
    });
    running.write(&large);
    running.end_input();
    let ran = running.wait();
    assert_eq!(
        (ran.code, ran.json()["records"].as_u64()),
        (Some(4), Some(1)),
        "{ran:?}"
    );
    let json = ["produce", "t", "--json"];
    tool.fed(&json, b"{\"value\":\"a\"}\nnot json\n")
        .failed(1, &["standard input, line 2", "no JSON object"]);
    tool.fed(&json, b"{\"valueBase64\":\"?\"}\n")
        .failed(1, &["line 1", "no base64"]);
    tool.fed(&["produce", "t", "-p", "9"], b"a\n")
        .failed(1, &["t-9"]);
    tool.fed(&["produce", "ghost"], b"a\n")
        .failed(1, &["topic ghost", "ottla topic create"]);
    let nothing = tool.fed(&["produce", "t", "-o", "json"], b"").ok().json();
    assert_eq!(
        (&nothing["records"], &nothing["partitions"]),
        (&json!(0), &json!([]))
    );
}

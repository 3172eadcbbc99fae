//! `ottla group`, and `consume --group` as a member like any other.

use crate::harness::broker::Broker;
use crate::harness::tool::{Running, Tool};
use crate::harness::wait::wait_until;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn broker(test: &str, partitions: &str) -> (Broker, Tool) {
    let broker = Broker::start_with(test, |start| {
        start.set("kafka.group.initial.rebalance.delay.ms", "0")
    });
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

fn committed(tool: &Tool, group: &str) -> Vec<(i64, i64)> {
    let found = tool.json(&["group", "lag", group]);
    let rows = found["groups"][0]["partitions"].as_array().expect("a list");
    let number = |row: &Value, field: &str| row[field].as_i64().expect("a number");
    rows.iter()
        .map(|row| (number(row, "committedOffset"), number(row, "lag")))
        .collect()
}

#[test]
fn a_group_goes_on_where_it_was() {
    let (_broker, tool) = broker("tool_group_resume", "1");
    tool.fed(&["produce", "t"], &numbers(0..100)).ok();
    let first = tool.run(&["consume", "t", "--group", "g", "-n", "30"]).ok();
    assert_eq!(first.output, numbers(0..30));
    assert_eq!(committed(&tool, "g"), [(30, 70)]);
    let rest = tool.run(&["consume", "t", "--group", "g"]).ok();
    assert_eq!(rest.output, numbers(30..100));
    let nothing = tool.run(&["consume", "t", "--group", "g"]).ok();
    assert!(nothing.output.is_empty());
    // Where it has no offset it begins as told.
    let late = tool
        .run(&["consume", "t", "--group", "late", "--from", "-5"])
        .ok();
    assert_eq!(late.output, numbers(95..100));
    let listed = tool.json(&["group", "list"]);
    let row = |name: &str| {
        json!({"groupId": name, "protocolType": "consumer", "groupState": "Empty", "groupType": "classic",
            "coordinatorId": 0})
    };
    assert_eq!(listed["groups"], json!([row("g"), row("late")]));
    let table = tool.run(&["group", "lag", "g"]).ok().lines();
    assert_eq!(
        table[1].split_whitespace().collect::<Vec<_>>(),
        ["g", "t", "0", "100", "100", "0", "-"]
    );
}

fn member(tool: &Tool) -> Running {
    tool.start(&[
        "consume",
        "t",
        "--group",
        "g",
        "--follow",
        "--format",
        "{partition} {value}\\n",
    ])
}

/// How many members the group has, and how many partitions they read.
fn shape(tool: &Tool) -> (usize, usize) {
    let ran = tool.run(&["group", "describe", "g", "-o", "json"]);
    if ran.code != Some(0) {
        return (0, 0);
    }
    let group = ran.json()["groups"][0].clone();
    if group["groupState"] != "Stable" {
        return (0, 0);
    }
    let members = group["members"].as_array().expect("a list");
    let partitions = members
        .iter()
        .flat_map(|member| member["assignment"].as_array().expect("a list"));
    let partitions = partitions.map(|row| row["partitions"].as_array().expect("a list").len());
    (members.len(), partitions.sum())
}

#[test]
fn members_share_the_partitions_and_take_over() {
    let (_broker, tool) = broker("tool_group_share", "4");
    let (mut one, mut two) = (member(&tool), member(&tool));
    wait_until("both take part", || shape(&tool) == (2, 4));
    for partition in ["0", "1", "2", "3"] {
        tool.fed(&["produce", "t", "-p", partition], b"shared\n")
            .ok();
    }
    let read =
        |member: &mut Running| -> BTreeSet<String> { (0..2).map(|_| member.line()).collect() };
    let (of_one, of_two) = (read(&mut one), read(&mut two));
    let all: BTreeSet<String> = of_one.union(&of_two).cloned().collect();
    assert_eq!(all.len(), 4, "{of_one:?} {of_two:?}");
    // While members are there, nobody else moves or deletes the group.
    tool.run(&["group", "reset", "g", "--to", "earliest", "-y"])
        .failed(1, &["NON_EMPTY_GROUP", "stop its members"]);
    tool.run(&["group", "delete", "g", "-y"])
        .failed(1, &["NON_EMPTY_GROUP"]);
    let table = tool.run(&["group", "describe", "g"]).ok().text();
    assert!(
        table.contains("range") && table.contains("t:0,1"),
        "{table}"
    );
    // One leaves in order, so the other need not wait for its session to end.
    two.interrupt();
    two.wait().ok();
    wait_until("one has everything", || shape(&tool) == (1, 4));
    for partition in ["0", "1", "2", "3"] {
        tool.fed(&["produce", "t", "-p", partition], b"alone\n")
            .ok();
    }
    let mut seen = BTreeSet::new();
    while seen.len() < 4 {
        let line = one.line();
        if line.ends_with("alone") {
            seen.insert(line);
        }
    }
    one.interrupt();
    one.wait().ok();
    assert_eq!(
        committed(&tool, "g"),
        [(2, 0); 4],
        "what was printed is committed"
    );
}

#[test]
fn a_group_is_put_elsewhere_after_it_was_shown() {
    let (_broker, tool) = broker("tool_group_reset", "2");
    for partition in ["0", "1"] {
        tool.fed(&["produce", "t", "-p", partition], &numbers(0..50))
            .ok();
    }
    tool.run(&["consume", "t", "--group", "g"]).ok();
    let reset = |to: &str, more: &[&str]| {
        let arguments = [&["group", "reset", "g", "--to", to], more].concat();
        tool.run(&arguments)
    };
    reset("earliest", &[]).failed(2, &["from 50 to 0", "--yes"]);
    let plan = reset("-10", &["--dry-run", "-o", "json"]).ok().json();
    assert_eq!(
        plan["partitions"][0],
        json!({"topic": "t", "partitionIndex": 0, "committedOffset": 50, "newOffset": 40})
    );
    assert_eq!(
        committed(&tool, "g"),
        [(50, 0), (50, 0)],
        "nothing was moved"
    );
    for (to, more, expected) in [
        ("earliest", &[][..], [0, 0]),
        ("+20", &[][..], [20, 20]),
        ("-5", &["-t", "t:1"][..], [20, 15]),
        ("1000", &["-t", "t:0"][..], [50, 15]),
        ("7", &["-t", "t"][..], [7, 7]),
        ("1h", &[][..], [0, 0]),
        ("latest", &[][..], [50, 50]),
    ] {
        let ran = reset(to, &[&["-y"], more].concat()).ok();
        assert!(ran.text().starts_with("TOPIC"), "{ran:?}");
        let offsets: Vec<i64> = committed(&tool, "g")
            .iter()
            .map(|(offset, _)| *offset)
            .collect();
        assert_eq!(offsets, expected, "{to} {more:?}");
    }
    reset("+1", &["-y", "-t", "ghost"]).failed(1, &["ghost"]);
    // A group may be made this way, but not out of nothing.
    let fresh = ["group", "reset", "fresh", "--to", "10", "-y"];
    tool.run(&fresh)
        .failed(1, &["no offsets to reset", "--topic"]);
    tool.run(&[&fresh[..], &["-t", "t"]].concat()).ok();
    assert_eq!(
        tool.run(&["consume", "t", "--group", "fresh"])
            .ok()
            .lines()
            .len(),
        80
    );
}

#[test]
fn groups_are_deleted_and_unknown_ones_named() {
    let (_broker, tool) = broker("tool_group_delete", "1");
    tool.fed(&["produce", "t"], b"a\n").ok();
    for group in ["a", "b"] {
        tool.run(&["consume", "t", "--group", group]).ok();
    }
    tool.run(&["group", "delete", "a"])
        .failed(2, &["offsets of 1 partitions", "--yes"]);
    tool.run(&["group", "delete", "a", "--dry-run"]).ok();
    let some = tool.run(&["group", "delete", "a", "ghost", "-y", "-o", "json"]);
    let some = some.failed(4, &["group ghost: GROUP_ID_NOT_FOUND"]).json();
    assert_eq!(some["groups"][0]["error"], json!(null));
    assert_eq!(some["groups"][1]["error"], "GROUP_ID_NOT_FOUND");
    tool.run(&["group", "describe", "a"])
        .failed(1, &["GROUP_ID_NOT_FOUND", "ottla group list"]);
    tool.run(&["group", "lag", "b", "a"])
        .failed(4, &["group a"]);
    assert_eq!(
        tool.run(&["group", "delete", "b", "-y"]).ok().text(),
        "group b: deleted\n"
    );
    assert_eq!(tool.json(&["group", "list"])["groups"], json!([]));
}

#[test]
fn a_member_goes_on_over_a_broker_that_is_killed() {
    let (mut broker, tool) = broker("tool_group_restart", "2");
    let mut member = tool.start(&["consume", "t", "--group", "g", "--follow"]);
    let mut seen = BTreeSet::new();
    for life in 0..3 {
        let text = numbers(life * 100..life * 100 + 100);
        tool.fed(&["produce", "t"], &text).ok();
        while seen.len() < (life * 100 + 100) as usize {
            assert!(
                seen.insert(member.line()),
                "each once: it is still a member"
            );
        }
        broker.kill();
        broker.restart();
    }
    member.interrupt();
    member.wait().ok();
    let lags: Vec<i64> = committed(&tool, "g").iter().map(|(_, lag)| *lag).collect();
    assert_eq!(lags, [0, 0]);
}

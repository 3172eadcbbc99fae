//! `ottla group`: consumer groups, how far they are, and putting them elsewhere.

mod describe;
mod lag;
mod reset;

use crate::client::question::Question;
use crate::client::{Client, Contact, Found, Place};
use crate::consume::assignment::by_topic;
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Document, Leave, Output, Table, or_dash};
use crate::place::Target;
use clap::{Args, Subcommand};
use ottla::wire::ErrorCode;
use ottla::wire::messages::delete_groups::DeleteGroupsRequest;
use ottla::wire::messages::list_groups::{ListGroupsRequest, ListedGroup};
use ottla::wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use serde::Serialize;
use std::str::FromStr;

#[derive(Args)]
pub(crate) struct GroupArguments {
    #[command(flatten)]
    pub(crate) contact: Contact,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// All groups of the cluster.
    List,
    /// State, members and what each reads.
    Describe(Groups),
    /// How far a group is behind the ends of the logs it reads.
    Lag(Groups),
    /// Puts a group without members elsewhere.
    Reset(Reset),
    /// Deletes groups without members, with their offsets.
    Delete(Delete),
}

#[derive(Args)]
struct Groups {
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
}

#[derive(Args)]
struct Reset {
    group: String,
    /// earliest, latest, an offset, +N or -N from where it is, or a time: RFC 3339, or 5m for five minutes ago.
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    to: Target,
    /// TOPIC, or TOPIC:PARTITION,... May be repeated. Left out: all that the group has offsets of.
    #[arg(short, long = "topic", value_name = "TOPIC[:N,...]")]
    topics: Vec<Selection>,
    #[command(flatten)]
    leave: Leave,
}

#[derive(Args)]
struct Delete {
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    #[command(flatten)]
    leave: Leave,
}

/// A topic, or some of its partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Selection {
    topic: String,
    /// Empty: all.
    partitions: Vec<i32>,
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Selection, String> {
        let (topic, partitions) = match text.split_once(':') {
            None => (text, Vec::new()),
            Some((topic, list)) => {
                let numbers = list
                    .split(',')
                    .map(|number| number.trim().parse::<u16>().map(i32::from));
                let numbers: Result<Vec<i32>, _> = numbers.collect();
                (topic, numbers.map_err(|_| "write TOPIC or TOPIC:0,1,2")?)
            }
        };
        if topic.is_empty() {
            return Err("write TOPIC or TOPIC:0,1,2".into());
        }
        let topic = topic.to_owned();
        Ok(Selection { topic, partitions })
    }
}

pub(crate) fn run(arguments: GroupArguments) -> Outcome {
    let GroupArguments { contact, action } = arguments;
    let (mut client, output) = (contact.client(), &contact.output);
    match action {
        Action::List => list(&mut client, output),
        Action::Describe(wanted) => describe::run(&mut client, output, &wanted.groups),
        Action::Lag(wanted) => lag::run(&mut client, output, &wanted.groups),
        Action::Reset(wanted) => reset::run(&mut client, output, &wanted),
        Action::Delete(wanted) => delete(&mut client, output, &wanted),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    group_id: String,
    protocol_type: String,
    /// Null from brokers that do not tell.
    group_state: Option<String>,
    group_type: Option<String>,
    coordinator_id: i32,
}

fn list(client: &mut Client, output: &Output) -> Outcome {
    let mut groups = listed(client)?;
    groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
    output.show(&Document("groups", &groups), || {
        let mut table = Table::new(&[
            Column::Text("GROUP"),
            Column::Text("STATE"),
            Column::Text("TYPE"),
            Column::Text("PROTOCOL"),
            Column::Number("COORDINATOR"),
        ]);
        for group in &groups {
            table.row([
                group.group_id.clone(),
                or_dash(group.group_state.as_ref()),
                or_dash(group.group_type.as_ref()),
                group.protocol_type.clone(),
                group.coordinator_id.to_string(),
            ]);
        }
        vec![table]
    })?;
    Ok(Done::All)
}

/// Each broker knows the groups it coordinates.
fn listed(client: &mut Client) -> Result<Vec<Listed>, Failure> {
    let brokers = client.metadata(Some(&[]))?.brokers;
    let mut groups = Vec::new();
    for broker in brokers {
        let node = broker.node_id;
        let answer = client.patiently(|client| {
            let answer = client.ask(node, &ListGroupsRequest::default())?;
            Failure::check(&format!("groups of broker {node}"), answer.error_code, None)?;
            Ok(answer)
        })?;
        let told = |text: String| Some(text).filter(|text| !text.is_empty());
        groups.extend(answer.groups.into_iter().map(|group: ListedGroup| Listed {
            group_id: group.group_id,
            protocol_type: group.protocol_type,
            group_state: told(group.group_state),
            group_type: told(group.group_type),
            coordinator_id: node,
        }));
    }
    Ok(groups)
}

/// Asks the coordinator of a group, which may move while it is looked for.
fn ask_coordinator<Q: Question, T>(
    client: &mut Client,
    group: &str,
    question: &Q,
    judge: impl Fn(Q::Answer) -> Result<T, Failure>,
) -> Result<T, Failure> {
    client.patiently(|client| {
        let node = client.coordinator(group)?;
        judge(client.ask(node, question)?)
    })
}

/// Committed offsets, of all places the group has some of when none are named.
pub(crate) fn offsets_question(group: &str, places: Option<&[Place]>) -> OffsetFetchRequest {
    let topics = places.map(|places| {
        let topics = by_topic(places).into_iter();
        let topics = topics.map(|(name, partition_indexes)| OffsetFetchRequestTopics {
            name,
            partition_indexes,
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group.to_owned(),
            topics,
            ..OffsetFetchRequestGroup::default()
        }],
        require_stable: true,
        ..OffsetFetchRequest::default()
    }
}

pub(crate) fn offsets_told(
    group: &str,
    answer: <OffsetFetchRequest as Question>::Answer,
) -> Result<Found, Failure> {
    let mut found = Found::new();
    for told in answer.groups {
        Failure::check(&format!("group {group}"), told.error_code, None)?;
        for topic in told.topics {
            for row in topic.partitions {
                let place = Place::new(&topic.name, row.partition_index);
                Failure::check(
                    &format!("group {group}, partition {place}"),
                    row.error_code,
                    None,
                )?;
                if row.committed_offset >= 0 {
                    found.insert(place, row.committed_offset);
                }
            }
        }
    }
    Ok(found)
}

fn offsets(client: &mut Client, group: &str) -> Result<Found, Failure> {
    let question = offsets_question(group, None);
    ask_coordinator(client, group, &question, |answer| {
        offsets_told(group, answer)
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    group_id: String,
    /// Its name, Kafka's or ours; null when it is done.
    error: Option<&'static str>,
    error_message: Option<String>,
}

fn delete(client: &mut Client, output: &Output, wanted: &Delete) -> Outcome {
    let plans: Vec<Result<String, Failure>> = wanted
        .groups
        .iter()
        .map(|group| plan(client, group))
        .collect();
    let told: Vec<String> = plans.iter().flatten().cloned().collect();
    if !told.is_empty() {
        wanted.leave.ask(&told)?;
    }
    let mut results = Vec::new();
    for (group, plan) in wanted.groups.iter().zip(plans) {
        results.push(match plan {
            Ok(_) if !wanted.leave.dry_run => delete_one(client, group),
            plan => plan.map(|_| ()),
        });
    }
    let rows = wanted.groups.iter().zip(&results).map(|(group, result)| {
        let failure = result.as_ref().err();
        Deleted {
            group_id: group.clone(),
            error: failure.map(Failure::name),
            error_message: failure.map(Failure::text),
        }
    });
    if output.is_json() {
        output.show(&Document("groups", rows.collect::<Vec<_>>()), Vec::new)?;
    } else {
        let would = if wanted.leave.dry_run {
            "would be "
        } else {
            ""
        };
        for row in rows.filter(|row| row.error_message.is_none()) {
            crate::output::print(&format!("group {}: {would}deleted\n", row.group_id))?;
        }
    }
    Done::of_all(results, output.verbose)
}

/// Refuses what the coordinator would.
fn plan(client: &mut Client, group: &str) -> Result<String, Failure> {
    let described = describe::describe(client, group)?;
    let subject = format!("group {group}");
    if !described.members().is_empty() {
        return Err(Failure::refused(
            &subject,
            ErrorCode::NonEmptyGroup.code(),
            None,
        ));
    }
    let count = offsets(client, group)?.len();
    Ok(format!(
        "group {group}: its offsets of {count} partitions are deleted for good"
    ))
}

fn delete_one(client: &mut Client, group: &str) -> Result<(), Failure> {
    let question = DeleteGroupsRequest {
        groups_names: vec![group.to_owned()],
        ..DeleteGroupsRequest::default()
    };
    ask_coordinator(client, group, &question, |answer| {
        let mut rows = answer.results.iter();
        rows.try_for_each(|row| Failure::check(&format!("group {group}"), row.error_code, None))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_a_topic_or_some_of_its_partitions() {
        for (text, expected) in [
            ("t", Some(("t", vec![]))),
            ("t:0", Some(("t", vec![0]))),
            ("t:2, 0", Some(("t", vec![2, 0]))),
            ("t:", None),
            ("t:-1", None),
            (":1", None),
            ("", None),
        ] {
            let selection = text.parse::<Selection>().ok();
            let expected = expected.map(|(topic, partitions)| Selection {
                topic: topic.into(),
                partitions,
            });
            assert_eq!(selection, expected, "{text}");
        }
    }
}

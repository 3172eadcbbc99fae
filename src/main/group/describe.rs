//! `ottla group describe`.

use super::{Listed, ask_coordinator, listed};
use crate::client::{Client, Place};
use crate::consume::assignment::{by_topic, decode_assignment};
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Document, Output, Table, list, or_dash};
use ottla::wire::ErrorCode;
use ottla::wire::messages::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use serde::Serialize;

const DEAD: &str = "Dead";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described {
    group_id: String,
    /// `classic`, or a newer type that DescribeGroups does not tell of.
    group_type: String,
    pub(super) group_state: String,
    protocol_type: String,
    /// The assignor, of a consumer group.
    protocol_data: String,
    coordinator_id: i32,
    /// Null of newer types.
    members: Option<Vec<Member>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Member {
    pub(super) member_id: String,
    group_instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    assignment: Vec<Assigned>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assigned {
    topic: String,
    partitions: Vec<i32>,
}

pub(super) fn run(client: &mut Client, output: &Output, names: &[String]) -> Outcome {
    let mut groups = Vec::new();
    let mut results = Vec::new();
    for name in names {
        let group = describe(client, name);
        results.push(group.as_ref().map(|_| ()).map_err(Failure::clone));
        groups.extend(group);
    }
    if !groups.is_empty() {
        output.show(&Document("groups", &groups), || {
            groups.iter().flat_map(tables).collect()
        })?;
    }
    Done::of_all(results, output.verbose)
}

/// Fails for a group that nobody knows, whichever way the broker says so.
pub(super) fn describe(client: &mut Client, name: &str) -> Result<Described, Failure> {
    let failure = match describe_classic(client, name) {
        Err(failure) if failure.code() == Some(ErrorCode::GroupIdNotFound) => failure,
        result => return result,
    };
    let mut listed = listed(client)?.into_iter();
    let of_newer_type = listed.find(|group| group.group_id == name);
    of_newer_type.map(undescribed).ok_or(failure)
}

fn undescribed(group: Listed) -> Described {
    Described {
        group_id: group.group_id,
        group_type: group.group_type.unwrap_or_default(),
        group_state: group.group_state.unwrap_or_default(),
        protocol_type: group.protocol_type,
        protocol_data: String::new(),
        coordinator_id: group.coordinator_id,
        members: None,
    }
}

fn describe_classic(client: &mut Client, name: &str) -> Result<Described, Failure> {
    let question = DescribeGroupsRequest {
        groups: vec![name.to_owned()],
        ..DescribeGroupsRequest::default()
    };
    let subject = format!("group {name}");
    let group = ask_coordinator(client, name, &question, |answer| {
        let group = answer.groups.into_iter().next();
        let group = group.ok_or_else(|| Failure::new(format!("{subject}: no answer")))?;
        Failure::check(&subject, group.error_code, group.error_message.as_deref())?;
        match group.group_state.as_str() {
            DEAD => Err(Failure::refused(
                &subject,
                ErrorCode::GroupIdNotFound.code(),
                None,
            )),
            _ => Ok(group),
        }
    })?;
    let coordinator_id = client.coordinator(name)?;
    Ok(described(group, coordinator_id))
}

fn described(group: DescribedGroup, coordinator_id: i32) -> Described {
    let is_consumer = group.protocol_type == "consumer";
    let members = group.members.into_iter().map(|member| {
        // What other kinds of group say to each other is theirs.
        let assignment = match is_consumer {
            true => decode_assignment(member.member_assignment).unwrap_or_default(),
            false => Vec::new(),
        };
        let assigned = by_topic(&assignment).into_iter();
        Member {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            client_id: member.client_id,
            client_host: member.client_host,
            assignment: assigned
                .map(|(topic, partitions)| Assigned { topic, partitions })
                .collect(),
        }
    });
    let mut members: Vec<Member> = members.collect();
    members.sort_by(|one, other| one.member_id.cmp(&other.member_id));
    Described {
        group_id: group.group_id,
        group_type: "classic".into(),
        group_state: group.group_state,
        protocol_type: group.protocol_type,
        protocol_data: group.protocol_data,
        coordinator_id,
        members: Some(members),
    }
}

impl Described {
    /// Those that are known.
    pub(super) fn members(&self) -> &[Member] {
        self.members.as_deref().unwrap_or_default()
    }
}

impl Member {
    pub(super) fn reads(&self, place: &Place) -> bool {
        let mut assigned = self.assignment.iter();
        assigned.any(|row| row.topic == place.topic && row.partitions.contains(&place.partition))
    }
}

fn tables(group: &Described) -> Vec<Table> {
    let mut head = Table::new(&[
        Column::Text("GROUP"),
        Column::Text("STATE"),
        Column::Text("TYPE"),
        Column::Text("PROTOCOL"),
        Column::Text("ASSIGNOR"),
        Column::Number("COORDINATOR"),
        Column::Number("MEMBERS"),
    ]);
    let word = |text: &String| or_dash(Some(text).filter(|text| !text.is_empty()));
    head.row([
        group.group_id.clone(),
        group.group_state.clone(),
        word(&group.group_type),
        word(&group.protocol_type),
        word(&group.protocol_data),
        group.coordinator_id.to_string(),
        or_dash(group.members.as_ref().map(Vec::len)),
    ]);
    if group.members().is_empty() {
        return vec![head];
    }
    let mut table = Table::new(&[
        Column::Text("MEMBER"),
        Column::Text("INSTANCE"),
        Column::Text("CLIENT"),
        Column::Text("HOST"),
        Column::Text("READS"),
    ]);
    for member in group.members() {
        let reads = member.assignment.iter();
        let reads = reads.map(|row| format!("{}:{}", row.topic, list(&row.partitions)));
        table.row([
            member.member_id.clone(),
            or_dash(member.group_instance_id.as_ref()),
            member.client_id.clone(),
            member.client_host.clone(),
            reads.collect::<Vec<_>>().join(" "),
        ]);
    }
    vec![head, table]
}

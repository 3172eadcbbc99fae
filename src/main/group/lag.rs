//! `ottla group lag`: committed offsets beside the ends of the logs.

use super::describe::{Described, describe};
use super::offsets;
use crate::client::{Client, Found, LATEST, Place};
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Document, Output, Table, or_dash};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lagging {
    group_id: String,
    group_state: String,
    /// Of all partitions together.
    lag: i64,
    partitions: Vec<Row>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    topic: String,
    partition_index: i32,
    committed_offset: i64,
    /// Null when the partition is gone.
    high_watermark: Option<i64>,
    lag: Option<i64>,
    /// Who reads it now.
    member_id: Option<String>,
    client_id: Option<String>,
    client_host: Option<String>,
}

pub(super) fn run(client: &mut Client, output: &Output, names: &[String]) -> Outcome {
    let mut groups = Vec::new();
    let mut results = Vec::new();
    for name in names {
        let group = lag(client, name);
        results.push(group.as_ref().map(|_| ()).map_err(Failure::clone));
        groups.extend(group);
    }
    if !groups.is_empty() {
        output.show(&Document("groups", &groups), || vec![table(&groups)])?;
    }
    Done::of_all(results, output.verbose)
}

fn lag(client: &mut Client, name: &str) -> Result<Lagging, Failure> {
    let group = describe(client, name)?;
    let committed = offsets(client, name)?;
    let places: Vec<Place> = committed.keys().cloned().collect();
    let places = client.existing(&places)?;
    let ends = client.ends(&places, LATEST)?;
    Ok(lagging(name, &group, &committed, &ends))
}

fn lagging(name: &str, group: &Described, committed: &Found, ends: &Found) -> Lagging {
    let rows = committed.iter().map(|(place, offset)| {
        let end = ends.get(place).copied();
        let member = group.members().iter().find(|member| member.reads(place));
        Row {
            topic: place.topic.clone(),
            partition_index: place.partition,
            committed_offset: *offset,
            high_watermark: end,
            // A log that was made anew ends earlier than its readers were.
            lag: end.map(|end| (end - offset).max(0)),
            member_id: member.map(|member| member.member_id.clone()),
            client_id: member.map(|member| member.client_id.clone()),
            client_host: member.map(|member| member.client_host.clone()),
        }
    });
    let partitions: Vec<Row> = rows.collect();
    Lagging {
        group_id: name.to_owned(),
        group_state: group.group_state.clone(),
        lag: partitions.iter().filter_map(|row| row.lag).sum(),
        partitions,
    }
}

fn table(groups: &[Lagging]) -> Table {
    let mut table = Table::new(&[
        Column::Text("GROUP"),
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("COMMITTED"),
        Column::Number("END"),
        Column::Number("LAG"),
        Column::Text("MEMBER"),
    ]);
    for group in groups {
        for row in &group.partitions {
            table.row([
                group.group_id.clone(),
                row.topic.clone(),
                row.partition_index.to_string(),
                row.committed_offset.to_string(),
                or_dash(row.high_watermark),
                or_dash(row.lag),
                or_dash(row.member_id.as_ref()),
            ]);
        }
    }
    table
}

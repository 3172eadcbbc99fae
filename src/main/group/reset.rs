//! `ottla group reset`: a plan, then one commit that belongs to no member.

use super::{Reset, Selection, ask_coordinator, describe, offsets};
use crate::client::{Client, EARLIEST, Found, LATEST, Place, Wanted};
use crate::consume::member::commit_request;
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Output, Table, or_dash};
use crate::place::Target;
use ottla::wire::ErrorCode;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    group_id: &'a str,
    validate_only: bool,
    partitions: Vec<Move>,
}

#[derive(Serialize, Clone)]
#[serde(rename_all = "camelCase")]
struct Move {
    topic: String,
    partition_index: i32,
    /// Null where the group had none.
    committed_offset: Option<i64>,
    new_offset: i64,
}

pub(super) fn run(client: &mut Client, output: &Output, wanted: &Reset) -> Outcome {
    let group = &wanted.group;
    refuse_members(client, group)?;
    let committed = offsets(client, group)?;
    let places = places(client, wanted, &committed)?;
    if places.is_empty() {
        let failure = Failure::new(format!("group {group}: it has no offsets to reset"));
        return Err(failure.fix("--topic TOPIC names what it is to begin with"));
    }
    let moves = plan(client, wanted.to, &places, &committed)?;
    let told: Vec<String> = moves.iter().map(|row| row.text(group)).collect();
    wanted.leave.ask(&told)?;
    if !wanted.leave.dry_run {
        commit(client, group, &moves)?;
    }
    let document = Document {
        group_id: group,
        validate_only: wanted.leave.dry_run,
        partitions: moves.clone(),
    };
    output.show(&document, || vec![table(&moves)])?;
    Ok(Done::All)
}

/// A group that does not exist yet may be given offsets.
fn refuse_members(client: &mut Client, group: &str) -> Result<(), Failure> {
    match describe::describe(client, group) {
        Ok(found) if !found.members().is_empty() => {
            let code = ErrorCode::NonEmptyGroup.code();
            Err(Failure::refused(&format!("group {group}"), code, None))
        }
        Ok(_) => Ok(()),
        Err(failure) if failure.code() == Some(ErrorCode::GroupIdNotFound) => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn places(client: &mut Client, wanted: &Reset, committed: &Found) -> Result<Vec<Place>, Failure> {
    if wanted.topics.is_empty() {
        let all: Vec<Place> = committed.keys().cloned().collect();
        return client.existing(&all);
    }
    let mut places = Vec::new();
    for Selection { topic, partitions } in &wanted.topics {
        if partitions.is_empty() {
            let found = client.topics(&[topic])?;
            let all = found.iter().flat_map(|found| &found.partitions);
            places.extend(all.map(|partition| Place::new(topic, partition.partition_index)));
        } else {
            places.extend(
                partitions
                    .iter()
                    .map(|partition| Place::new(topic, *partition)),
            );
        }
    }
    places.sort();
    places.dedup();
    Ok(places)
}

fn plan(
    client: &mut Client,
    to: Target,
    places: &[Place],
    committed: &Found,
) -> Result<Vec<Move>, Failure> {
    let (starts, ends) = (client.ends(places, EARLIEST)?, client.ends(places, LATEST)?);
    let at_time = match to {
        Target::Time(timestamp) => {
            let wanted = places.iter().map(|place| Wanted {
                place: place.clone(),
                timestamp,
            });
            client.offsets(&wanted.collect::<Vec<_>>())?
        }
        _ => Found::new(),
    };
    let moves = places.iter().map(|place| {
        let current = committed.get(place).copied();
        let log = (starts[place], ends[place]);
        let new_offset = target(to, current, log, at_time.get(place).copied());
        let new_offset = new_offset.ok_or_else(|| {
            let failure = Failure::new(format!(
                "partition {place}: the group has no offset there to shift"
            ));
            failure.fix("--to with an offset, earliest, latest or a time")
        })?;
        Ok(Move {
            topic: place.topic.clone(),
            partition_index: place.partition,
            committed_offset: current,
            new_offset,
        })
    });
    moves.collect()
}

/// Always inside the log. None: a shift from nowhere.
fn target(
    to: Target,
    current: Option<i64>,
    (start, end): (i64, i64),
    at_time: Option<i64>,
) -> Option<i64> {
    let wished = match to {
        Target::Earliest => start,
        Target::Latest => end,
        Target::Offset(offset) => offset,
        Target::Time(_) => at_time.filter(|offset| *offset >= 0).unwrap_or(end),
        Target::Shift(by) => current?.saturating_add(by),
    };
    Some(wished.clamp(start, end))
}

impl Move {
    fn text(&self, group: &str) -> String {
        let place = Place::new(&self.topic, self.partition_index);
        let (was, is) = (or_dash(self.committed_offset), self.new_offset);
        format!("group {group}, partition {place}: from {was} to {is}")
    }
}

fn commit(client: &mut Client, group: &str, moves: &[Move]) -> Result<(), Failure> {
    let positions = moves.iter().map(|row| {
        let place = Place::new(&row.topic, row.partition_index);
        (place, row.new_offset)
    });
    let question = commit_request(group, &positions.collect());
    ask_coordinator(client, group, &question, |answer| {
        for topic in &answer.topics {
            for row in &topic.partitions {
                let place = Place::new(&topic.name, row.partition_index);
                Failure::check(
                    &format!("group {group}, partition {place}"),
                    row.error_code,
                    None,
                )?;
            }
        }
        Ok(())
    })
}

fn table(moves: &[Move]) -> Table {
    let mut table = Table::new(&[
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("WAS"),
        Column::Number("NEW"),
    ]);
    for row in moves {
        table.row([
            row.topic.clone(),
            row.partition_index.to_string(),
            or_dash(row.committed_offset),
            row.new_offset.to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log from 10 to 100, a group at 50 or nowhere.
    #[test]
    fn a_group_is_put_inside_the_log() {
        for (to, current, at_time, offset) in [
            (Target::Earliest, None, None, Some(10)),
            (Target::Latest, Some(50), None, Some(100)),
            (Target::Offset(60), Some(50), None, Some(60)),
            (Target::Offset(5), Some(50), None, Some(10)),
            (Target::Offset(500), None, None, Some(100)),
            (Target::Time(1), None, Some(20), Some(20)),
            (Target::Time(1), None, Some(-1), Some(100)),
            (Target::Shift(10), Some(50), None, Some(60)),
            (Target::Shift(-45), Some(50), None, Some(10)),
            (Target::Shift(i64::MAX), Some(50), None, Some(100)),
            (Target::Shift(i64::MIN), Some(50), None, Some(10)),
            (Target::Shift(1), None, None, None),
        ] {
            assert_eq!(
                target(to, current, (10, 100), at_time),
                offset,
                "{to:?} {current:?}"
            );
        }
    }
}

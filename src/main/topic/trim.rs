//! `ottla topic trim`: the log start of partitions moves up, and what lies before it is gone.

use super::Trim;
use crate::client::{Client, EARLIEST, Found, LATEST, Place, Wanted};
use crate::failure::{Done, Failure, Outcome};
use crate::output::{Column, Output, Table, or_dash};
use crate::place::Before;
use ottla::wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan<'a> {
    validate_only: bool,
    partitions: &'a [Step],
}

/// One partition, before and after.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
struct Step {
    topic: String,
    partition_index: i32,
    log_start_offset: i64,
    high_watermark: i64,
    /// The first offset that is left.
    offset: i64,
    records: i64,
    /// Null unless it was done.
    low_watermark: Option<i64>,
}

pub(super) fn run(client: &mut Client, output: &Output, wanted: &Trim) -> Outcome {
    let mut steps = plan(client, wanted)?;
    let told: Vec<String> = steps
        .iter()
        .filter(|step| step.records > 0)
        .map(Step::text)
        .collect();
    let mut results = Vec::new();
    if !told.is_empty() && !wanted.leave.dry_run {
        wanted.leave.ask(&told)?;
        results = trim(client, &mut steps)?;
    }
    let document = Plan {
        validate_only: wanted.leave.dry_run,
        partitions: &steps,
    };
    output.show(&document, || vec![table(&steps)])?;
    Done::of_all(results, output.verbose)
}

fn plan(client: &mut Client, wanted: &Trim) -> Result<Vec<Step>, Failure> {
    let topics = client.topics(&[&wanted.topic])?;
    let all = topics.iter().flat_map(|topic| &topic.partitions);
    let places: Vec<Place> = match wanted.partitions.is_empty() {
        true => all
            .map(|found| Place::new(&wanted.topic, found.partition_index))
            .collect(),
        false => {
            let chosen = wanted.partitions.iter();
            chosen
                .map(|partition| Place::new(&wanted.topic, *partition))
                .collect()
        }
    };
    let (starts, ends) = (
        client.ends(&places, EARLIEST)?,
        client.ends(&places, LATEST)?,
    );
    let found = match wanted.before {
        Before::Time(timestamp) => {
            let wanted = places.iter().map(|place| Wanted {
                place: place.clone(),
                timestamp,
            });
            client.offsets(&wanted.collect::<Vec<_>>())?
        }
        Before::End | Before::Offset(_) => Found::new(),
    };
    let steps = places.iter().map(|place| {
        let at_time = found.get(place).copied();
        step(place, wanted.before, (starts[place], ends[place]), at_time)
    });
    steps.collect()
}

/// `at_time` is the first offset at or after the time, -1 when all records are older.
fn step(
    place: &Place,
    before: Before,
    (start, end): (i64, i64),
    at_time: Option<i64>,
) -> Result<Step, Failure> {
    let offset = match before {
        Before::End => end,
        Before::Offset(offset) => offset,
        Before::Time(_) => at_time.filter(|offset| *offset >= 0).unwrap_or(end),
    };
    if offset > end {
        let failure = Failure::new(format!(
            "partition {place}: offset {offset} lies beyond the end, {end}"
        ));
        return Err(failure.fix("--before end"));
    }
    Ok(Step {
        topic: place.topic.clone(),
        partition_index: place.partition,
        log_start_offset: start,
        high_watermark: end,
        offset: offset.max(start),
        records: (offset - start).max(0),
        low_watermark: None,
    })
}

impl Step {
    fn place(&self) -> Place {
        Place::new(&self.topic, self.partition_index)
    }

    fn text(&self) -> String {
        let (place, records, offset) = (self.place(), self.records, self.offset);
        format!("partition {place}: {records} records before offset {offset} are deleted for good")
    }
}

fn trim(client: &mut Client, steps: &mut [Step]) -> Result<Vec<Result<(), Failure>>, Failure> {
    let places: Vec<Place> = steps
        .iter()
        .filter(|step| step.records > 0)
        .map(Step::place)
        .collect();
    let leaders = client.leaders(&places)?;
    let mut by_leader: BTreeMap<i32, Vec<DeleteRecordsPartition>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.records > 0) {
        let partition = DeleteRecordsPartition {
            partition_index: step.partition_index,
            offset: step.offset,
            ..DeleteRecordsPartition::default()
        };
        by_leader
            .entry(leaders[&step.place()])
            .or_default()
            .push(partition);
    }
    let mut results = Vec::new();
    for (leader, partitions) in by_leader {
        let question = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: steps[0].topic.clone(),
                partitions,
                ..DeleteRecordsTopic::default()
            }],
            timeout_ms: client.timeout_ms(),
            ..DeleteRecordsRequest::default()
        };
        let answer = client.ask(leader, &question)?;
        for row in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
            let mut found = steps.iter_mut();
            let Some(step) = found.find(|step| step.partition_index == row.partition_index) else {
                continue;
            };
            let result =
                Failure::check(&format!("partition {}", step.place()), row.error_code, None);
            step.low_watermark = result.is_ok().then_some(row.low_watermark);
            results.push(result);
        }
    }
    Ok(results)
}

fn table(steps: &[Step]) -> Table {
    let mut table = Table::new(&[
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("WAS"),
        Column::Number("END"),
        Column::Number("RECORDS TO GO"),
        Column::Number("START NOW"),
    ]);
    for step in steps {
        table.row([
            step.topic.clone(),
            step.partition_index.to_string(),
            step.log_start_offset.to_string(),
            step.high_watermark.to_string(),
            step.records.to_string(),
            or_dash(step.low_watermark),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log from 10 to 100.
    #[test]
    fn what_lies_before_goes_and_never_more_than_there_is() {
        let place = Place::new("t", 0);
        for (before, at_time, outcome) in [
            (Before::End, None, Some((100, 90))),
            (Before::Offset(40), None, Some((40, 30))),
            (Before::Offset(100), None, Some((100, 90))),
            (Before::Offset(5), None, Some((10, 0))),
            (Before::Offset(101), None, None),
            (Before::Time(1), Some(20), Some((20, 10))),
            (Before::Time(1), Some(-1), Some((100, 90))),
        ] {
            let step = step(&place, before, (10, 100), at_time).ok();
            let step = step.map(|step| (step.offset, step.records));
            assert_eq!(step, outcome, "{before:?}");
        }
    }
}

//! `ottla topic delete`. The wire has no dry run for it: then nothing is asked but what there is.

use super::{Delete, conclude};
use crate::client::{Client, EARLIEST, LATEST, Place};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use ottla::wire::messages::delete_topics::DeleteTopicsRequest;

pub(super) fn run(client: &mut Client, output: &Output, wanted: &Delete) -> Outcome {
    let plans: Vec<_> = wanted
        .topics
        .iter()
        .map(|name| plan(client, name))
        .collect();
    let told: Vec<String> = plans.iter().flatten().cloned().collect();
    if told.is_empty() || wanted.leave.dry_run {
        let results = plans.into_iter().map(|plan| plan.map(|_| ()));
        let results = wanted.topics.iter().cloned().zip(results).collect();
        return conclude(output, "deleted", wanted.leave.dry_run, results);
    }
    wanted.leave.ask(&told)?;
    let question = DeleteTopicsRequest {
        topic_names: wanted.topics.clone(),
        timeout_ms: client.timeout_ms(),
        ..DeleteTopicsRequest::default()
    };
    let answer = client.ask_controller(&question)?;
    let results = answer.responses.into_iter().map(|row| {
        let name = row.name.unwrap_or_default();
        let subject = format!("topic {name}");
        let result = Failure::check(&subject, row.error_code, row.error_message.as_deref());
        (name, result)
    });
    conclude(output, "deleted", false, results.collect())
}

fn plan(client: &mut Client, name: &str) -> Result<String, Failure> {
    let topics = client.topics(&[name])?;
    let partitions = topics.iter().flat_map(|topic| &topic.partitions);
    let led = partitions.filter(|partition| partition.leader_id >= 0);
    let places: Vec<Place> = led
        .map(|partition| Place::new(name, partition.partition_index))
        .collect();
    let (starts, ends) = (
        client.ends(&places, EARLIEST)?,
        client.ends(&places, LATEST)?,
    );
    let records: i64 = places.iter().map(|place| ends[place] - starts[place]).sum();
    let count = places.len();
    Ok(format!(
        "topic {name}: all {count} partitions with {records} records are deleted for good"
    ))
}

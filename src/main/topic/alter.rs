//! `ottla topic alter`: partitions first, which cannot be undone and so are checked hardest, then configs.

use super::create::await_partitions;
use super::{Alter, conclude};
use crate::client::Client;
use crate::configs::{self, Changes, TOPIC};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use ottla::wire::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};

pub(super) fn run(client: &mut Client, output: &Output, wanted: &Alter) -> Outcome {
    let changes = Changes {
        set: &wanted.configs,
        unset: &wanted.unset,
        ..Changes::default()
    };
    if wanted.partitions.is_none() && changes.is_empty() {
        let failure = Failure::usage("nothing is to be altered");
        return Err(failure.fix("--partitions N, --config KEY=VALUE or --unset KEY"));
    }
    if wanted.partitions.is_some() && !changes.is_empty() {
        // Nothing is half done when the broker refuses the configs.
        for result in change(client, wanted, &changes, true)? {
            result?;
        }
    }
    let mut results = vec![Ok(()); wanted.topics.len()];
    if let Some(count) = wanted.partitions {
        results = grow(client, wanted, count)?;
    }
    if !changes.is_empty() {
        let changed = change(client, wanted, &changes, wanted.dry_run)?;
        results = results
            .into_iter()
            .zip(changed)
            .map(|(one, other)| one.and(other))
            .collect();
    }
    let results = wanted.topics.iter().cloned().zip(results).collect();
    conclude(output, "altered", wanted.dry_run, results)
}

fn grow(
    client: &mut Client,
    wanted: &Alter,
    count: i32,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let topics = wanted.topics.iter().map(|name| CreatePartitionsTopic {
        name: name.clone(),
        count,
        assignments: None,
        ..CreatePartitionsTopic::default()
    });
    let question = CreatePartitionsRequest {
        topics: topics.collect(),
        timeout_ms: client.timeout_ms(),
        validate_only: wanted.dry_run,
        ..CreatePartitionsRequest::default()
    };
    let answer = client.patiently(|client| client.ask_controller(&question))?;
    let mut results = Vec::new();
    for name in &wanted.topics {
        let mut rows = answer.results.iter();
        let row = rows.find(|row| row.name == *name);
        let row = row
            .ok_or_else(|| Failure::new(format!("topic {name}: the broker said nothing of it")))?;
        let subject = format!("topic {name}");
        let result = Failure::check(&subject, row.error_code, row.error_message.as_deref());
        if result.is_ok() && !wanted.dry_run {
            await_partitions(client, name, count as usize)?;
        }
        results.push(result);
    }
    Ok(results)
}

fn change(
    client: &mut Client,
    wanted: &Alter,
    changes: &Changes<'_>,
    validate_only: bool,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let resources = wanted.topics.iter().map(|name| changes.of(TOPIC, name));
    configs::alter(client, resources.collect(), validate_only)
}

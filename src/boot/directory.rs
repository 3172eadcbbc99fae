//! The data directory at a start: locked, recovered, its metadata read, this run of the node registered.

use super::failure::StartError;
use super::start::Plan;
use crate::base::ids::{Incarnation, PartitionId};
use crate::config::{AcceptLoss, Settings};
use crate::control::command::Command;
use crate::control::controller::{Controller, Start};
use crate::control::image::{Image, Topic};
use crate::shard::runtime::ShardRuntime;
use crate::shard::{Decider, ShardMetaLog, entropy, routing};
use crate::storage::directory::Directory;
use crate::storage::dma::DmaDisk;
use crate::storage::errors::OpenError;
use crate::storage::meta_log::MetaRecovered;
use crate::storage::open::{Recovered, lock_directory};
use crate::storage::settings::{AcceptedLoss, Identity, KnownTopics, OpenSettings};
use crate::storage::start::RecoveredShard;
use std::sync::Arc;

/// A directory in its new life; all of it may be served.
pub(super) struct Opened {
    pub(super) runtime: ShardRuntime,
    pub(super) directory: Directory<DmaDisk>,
    pub(super) image: Arc<Image>,
    pub(super) decider: Decider,
    pub(super) shards: Vec<RecoveredShard>,
}

pub(super) async fn open_directory(plan: &Plan) -> Result<Opened, StartError> {
    let settings = &plan.settings;
    let failed = |error| StartError::of_open(&settings.data_dir, error);
    let runtime = ShardRuntime::start(plan.clock);
    let open = open_settings(settings);
    let locked = lock_directory(DmaDisk::new(), runtime.clone(), &open);
    let mut locked = locked.await.map_err(failed)?;
    tracing::debug!("the directory is locked");
    let metadata = locked.take_metadata();
    let mut controller = controller(settings, locked.identity(), metadata)?;
    let known = known_topics(controller.image());
    locked.accept_loss(accepted_loss(&settings.accept_loss, controller.image())?);
    let shards = u16::try_from(plan.cpus.len()).expect("placed as u16");
    let recovered = locked.recover(&known, shards, routing::owner).await;
    let Recovered {
        directory,
        mut meta_log,
        shards,
        deleted_done,
        ..
    } = recovered.map_err(failed)?;
    tracing::debug!("recovered");
    let tombstones = deleted_done.into_iter();
    let tombstones = tombstones.map(|topic| Command::RemoveTombstone { topic });
    for command in std::iter::once(registration(settings)).chain(tombstones) {
        let done = decide(&mut controller, &mut meta_log, command);
        done.await.map_err(failed)?;
    }
    Ok(Opened {
        runtime,
        directory,
        image: controller.image().clone(),
        decider: Decider {
            controller,
            log: meta_log,
        },
        shards,
    })
}

fn open_settings(settings: &Settings) -> OpenSettings {
    let random = entropy::random_uuid();
    let (incarnation, _) = random.0.split_at(8);
    let incarnation = incarnation.try_into().expect("eight bytes");
    OpenSettings {
        root: settings.data_dir.clone(),
        node_id: settings.node_id,
        new_cluster_id: entropy::random_uuid(),
        new_incarnation: Incarnation(u64::from_be_bytes(incarnation)),
        limits: settings.limits,
    }
}

fn controller(
    settings: &Settings,
    identity: Identity,
    metadata: MetaRecovered,
) -> Result<Controller, StartError> {
    let start = Start {
        cluster_id: identity.cluster_id,
        node_id: identity.node_id,
        fixed: settings.fixed().into(),
        rules: settings.topic_rules(),
    };
    let controller = Controller::recover(start, metadata.snapshot, metadata.records);
    controller.map_err(|error| StartError::metadata(&settings.data_dir, &error))
}

pub(super) fn known_topics(image: &Image) -> KnownTopics {
    let live = image.topics();
    let live = live.map(|topic| (topic.id, (topic.name.to_string(), topic.partitions)));
    KnownTopics {
        live: live.collect(),
        deleted: image.tombstones().map(|(topic, _)| topic).collect(),
    }
}

/// A partition that was named and does not exist is a slip of the pen: nothing is touched.
fn accepted_loss(wish: &AcceptLoss, image: &Image) -> Result<AcceptedLoss, StartError> {
    let partition = |topic: &Topic, index| {
        let id = PartitionId {
            topic: topic.id,
            index,
        };
        (id, image.leader_epoch(topic))
    };
    match wish {
        AcceptLoss::Nothing => Ok(AcceptedLoss::new()),
        AcceptLoss::All => {
            let topics = image.topics();
            let all = topics
                .flat_map(|topic| (0..topic.partitions).map(move |index| partition(topic, index)));
            Ok(all.collect())
        }
        AcceptLoss::Of(named) => {
            let named = named.iter().map(|(name, index)| {
                let topic = image.topic(name).filter(|topic| *index < topic.partitions);
                topic.map(|topic| partition(topic, *index)).ok_or_else(|| {
                    StartError::UnknownPartition {
                        name: format!("{name}-{index}"),
                    }
                })
            });
            named.collect()
        }
    }
}

fn registration(settings: &Settings) -> Command {
    Command::RegisterBroker {
        host: settings.advertised.host.clone(),
        port: settings.advertised.port,
        rack: settings.rack.clone(),
    }
}

async fn decide(
    controller: &mut Controller,
    log: &mut ShardMetaLog,
    command: Command,
) -> Result<(), OpenError> {
    let proposal = controller.propose(command);
    if proposal.records.is_empty() {
        return Ok(());
    }
    log.append(&proposal.records).await
}

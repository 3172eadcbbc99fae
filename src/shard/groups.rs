//! The shell around the coordinators of a shard: one for each partition of `__consumer_offsets` that it owns. Commands,
//! ends of writes and alarms come in, each is a turn, and what the coordinator wants done is done.

use super::alarms::Alarm;
use super::calls::Origin;
use super::core::Core;
use super::request::{CutAt, Image, ProduceError, ProduceItem, Request, Response};
use crate::base::few::Few;
use crate::base::ids::{PartitionId, Ticket};
use crate::base::limits::{COLD_READ_BYTES, GROUP_WRITE_MS_MAX};
use crate::base::offset::Offset;
use crate::base::time::{Instant, Now, Timestamp};
use crate::control::{Topic, names};
use crate::group::{Action, Command, Coordinator, GroupSettings, WriteError};
use crate::partition::Partition;
use crate::record::{BatchRules, Batches, TimestampKind, TimestampRules, validate};
use crate::storage::runtime::{Runtime, TaskClass};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

#[derive(Default)]
pub(super) struct Groups {
    coordinators: BTreeMap<PartitionId, Hosted>,
    /// Whom to answer.
    waiting: BTreeMap<Ticket, Origin>,
}

impl Groups {
    pub(super) fn each(&self, look: impl FnMut(&Coordinator)) {
        let hosted = self.coordinators.values();
        hosted.map(|hosted| &hosted.coordinator).for_each(look);
    }

    /// `None`: it is not here.
    pub(super) fn look<T>(
        &self,
        id: PartitionId,
        look: impl FnOnce(&Coordinator) -> T,
    ) -> Option<T> {
        let hosted = self.coordinators.get(&id);
        hosted.map(|hosted| look(&hosted.coordinator))
    }
}

struct Hosted {
    coordinator: Coordinator,
    /// When its deadlines are looked at next.
    alarm: Option<Instant>,
}

impl Core {
    /// A partition of this shard has come to be; groups may live in it.
    pub(super) fn host_groups(self: &Rc<Core>, id: PartitionId, topic: &Topic, image: &Image) {
        if &*topic.name != names::OFFSETS_TOPIC {
            return;
        }
        let settings = settings(image, self.settings.limits.batch_bytes_max());
        let hosted = Hosted {
            coordinator: Coordinator::new(settings),
            alarm: None,
        };
        self.groups.borrow_mut().coordinators.insert(id, hosted);
        let is_empty = |partition: &Partition| {
            let marks = partition.watermarks();
            Ok(marks.log_start() == marks.high_watermark())
        };
        if self.look(id, is_empty) == Ok(true) {
            self.groups_loaded(id);
            return;
        }
        let core = self.clone();
        let load = async move { core.load_groups(id).await };
        self.runtime.spawn(TaskClass::Read, load);
    }

    /// Reads what the coordinators of earlier runs wrote.
    async fn load_groups(self: Rc<Core>, id: PartitionId) {
        let marks = self.look(id, |partition| {
            let marks = partition.watermarks();
            Ok((marks.log_start(), marks.high_watermark()))
        });
        let loaded = match marks {
            Ok((start, end)) => self.replay_groups(id, start, end).await,
            Err(error) => Err(format!("{error:?}")),
        };
        match loaded {
            Ok(unread) => {
                if unread > 0 {
                    tracing::warn!(
                        partition = id.index,
                        unread,
                        "records of consumer groups that this release cannot read are left out"
                    );
                }
                self.groups_loaded(id);
            }
            Err(error) => {
                tracing::error!(
                    partition = id.index,
                    error,
                    "the state of consumer groups cannot be read: they are not served"
                );
                self.group_turn(id, |coordinator, _| coordinator.on_load_failed());
            }
        }
    }

    fn groups_loaded(self: &Rc<Core>, id: PartitionId) {
        let image = self.image.borrow().clone();
        let exists = |topic: &str| image.topic(topic).is_some();
        self.group_turn(id, |coordinator, now| coordinator.on_loaded(exists, now));
    }

    async fn replay_groups(
        self: &Rc<Core>,
        id: PartitionId,
        start: Offset,
        end: Offset,
    ) -> Result<usize, String> {
        let (mut next, mut unread) = (start, 0);
        while next < end {
            let read = self.store.read(id, next, end, COLD_READ_BYTES, true).await;
            let read = read.map_err(|error| format!("{error:?}"))?;
            let before = next;
            for piece in &read.pieces {
                for batch in Batches::new(piece) {
                    let (_, header, bytes) = batch.map_err(|error| format!("{error:?}"))?;
                    next = header.next_offset();
                    let replayed = self
                        .group_turn(id, |coordinator, now| coordinator.replay(bytes, start, now));
                    unread += replayed.ok_or("the topic is gone")?;
                }
            }
            if next == before {
                return Err(format!("nothing at offset {next}"));
            }
            self.runtime.yield_now().await;
        }
        Ok(unread)
    }

    pub(super) fn group_command(
        self: &Rc<Core>,
        origin: Origin,
        id: PartitionId,
        command: Command,
    ) {
        let ticket = self.tickets.next();
        self.groups.borrow_mut().waiting.insert(ticket, origin);
        let refusal = command.refusal(crate::group::GroupError::NotCoordinator);
        let served = self.group_turn(id, |coordinator, now| {
            coordinator.command(ticket, command, now)
        });
        if served.is_none() {
            self.groups.borrow_mut().waiting.remove(&ticket);
            self.reply(origin, Response::Group(Box::new(refusal)));
        }
    }

    pub(super) fn list_groups(&self) -> Response {
        let groups = self.groups.borrow();
        let mut all = Vec::new();
        for hosted in groups.coordinators.values() {
            match hosted.coordinator.list() {
                Ok(mut listed) => all.append(&mut listed),
                Err(error) => return Response::ListGroups(Err(error)),
            }
        }
        Response::ListGroups(Ok(all))
    }

    /// Their offsets mean nothing any more.
    pub(super) fn forget_topics(self: &Rc<Core>, deleted: &[std::sync::Arc<Topic>]) {
        let names: Vec<&str> = deleted.iter().map(|topic| &*topic.name).collect();
        for id in self.hosted() {
            self.group_turn(id, |coordinator, now| {
                coordinator.on_topics_deleted(&names, now)
            });
        }
    }

    pub(super) fn close_groups(self: &Rc<Core>) {
        for id in self.hosted() {
            self.group_turn(id, |coordinator, now| coordinator.close(now));
        }
    }

    pub(super) fn hosted(&self) -> Vec<PartitionId> {
        self.groups.borrow().coordinators.keys().copied().collect()
    }

    pub(super) fn on_group_alarm(self: &Rc<Core>, id: PartitionId) {
        if let Some(hosted) = self.groups.borrow_mut().coordinators.get_mut(&id) {
            hosted.alarm = None;
        }
        self.group_turn(id, |coordinator, now| coordinator.on_deadline(now));
    }

    /// Delivers one input to a coordinator and performs what it wants done. `None`: it is not here.
    fn group_turn<T>(
        self: &Rc<Core>,
        id: PartitionId,
        deliver: impl FnOnce(&mut Coordinator, Now) -> T,
    ) -> Option<T> {
        let now = self.runtime.now();
        let (result, actions) = {
            let mut groups = self.groups.borrow_mut();
            let hosted = groups.coordinators.get_mut(&id)?;
            let result = deliver(&mut hosted.coordinator, now);
            self.set_group_alarm(id, hosted);
            let actions: Vec<Action> =
                std::iter::from_fn(|| hosted.coordinator.poll_action()).collect();
            (result, actions)
        };
        for action in actions {
            self.perform_for_groups(id, action);
        }
        Some(result)
    }

    fn set_group_alarm(&self, id: PartitionId, hosted: &mut Hosted) {
        let Some(at) = hosted.coordinator.next_deadline() else {
            return;
        };
        if hosted.alarm.is_some_and(|set| set <= at) {
            return;
        }
        if let Some(later) = hosted.alarm.replace(at) {
            self.alarms.clear(later, Alarm::Groups(id));
        }
        self.alarms.set(at, Alarm::Groups(id));
    }

    fn perform_for_groups(self: &Rc<Core>, id: PartitionId, action: Action) {
        match action {
            Action::Append { batch } => {
                let core = self.clone();
                let append = async move {
                    let result = core.append_for_groups(id, batch).await;
                    core.group_turn(id, |coordinator, now| coordinator.on_written(result, now));
                };
                self.runtime.spawn(TaskClass::Foreground, append);
            }
            Action::Trim { before } => {
                let deadline = self.group_write_deadline();
                let cuts = Few::from_buf([(id, CutAt::Offset(before))]);
                drop(self.send(self.id, Request::DeleteRecords { cuts, deadline }));
            }
            Action::Answer { ticket, answer } => {
                let origin = self.groups.borrow_mut().waiting.remove(&ticket);
                let origin = origin.expect("a command is answered once");
                self.reply(origin, Response::Group(Box::new(answer)));
            }
        }
    }

    /// Through the partition, like a client's batch.
    async fn append_for_groups(
        self: &Rc<Core>,
        partition: PartitionId,
        batch: Bytes,
    ) -> Result<Offset, WriteError> {
        let rules = BatchRules {
            batch_bytes_max: batch.len(),
            zstd_allowed: true,
            timestamps: TimestampRules {
                kind: TimestampKind::CreateTime,
                before_max_ms: i64::MAX,
                after_max_ms: i64::MAX,
            },
            keys_required: false,
            now: Timestamp(0),
        };
        let batch = validate(batch, &rules).expect("a batch of our own is valid");
        let items = Few::from_buf([ProduceItem { partition, batch }]);
        let deadline = self.group_write_deadline();
        let answer = self
            .send(self.id, Request::Produce { items, deadline })
            .await;
        let Response::Produce(results) = answer else {
            return Err(WriteError::Unknown);
        };
        match results.first() {
            Some(Ok(appended)) => Ok(appended.base_offset),
            None | Some(Err(ProduceError::FateUnknown)) => Err(WriteError::Unknown),
            Some(Err(_)) => Err(WriteError::Refused),
        }
    }

    fn group_write_deadline(&self) -> Instant {
        let now = self.runtime.now().instant;
        now.plus(Duration::from_millis(GROUP_WRITE_MS_MAX))
    }
}

fn settings(image: &Image, batch_bytes_max: usize) -> GroupSettings {
    let config = &image.config.groups;
    let default = GroupSettings::default();
    GroupSettings {
        session_ms_min: config.session_ms_min,
        session_ms_max: config.session_ms_max,
        members_max: config.members_max,
        initial_delay_ms: config.initial_delay_ms,
        offsets_retention_ms: config.offsets_retention_ms,
        expiry_check_ms: config.expiry_check_ms,
        metadata_bytes_max: config.metadata_bytes_max,
        batch_bytes_max: default.batch_bytes_max.min(batch_bytes_max),
        ..default
    }
}

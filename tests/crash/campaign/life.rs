//! One life of the process: start, compare with the model, serve, end.

use super::broker::{Admin, Found, ROOT, Shards, Start, read_range, start};
use super::clients::{Clients, Plan};
use super::coverage::Coverage;
use super::left::Moment;
use super::model::{Model, Written};
use super::shard::SimStore;
use super::verify::check_start;
use crate::sim::{SimDisk, SimRuntime};
use ottla::base::ids::{PartitionId, Uuid};
use ottla::base::prng::Prng;
use ottla::storage::disk::{Disk, DiskError};
use ottla::storage::errors::OpenError;
use ottla::storage::runtime::{Runtime, TaskClass};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// How far a life came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Recovering,
    Serving,
    Stopping,
    Ended,
}

/// What a life is to do, and what the machine does to it.
#[derive(Clone, Copy, Debug)]
pub struct LifePlan {
    pub start: Start,
    pub clients: Plan,
    /// Changes on disk after which the machine halts while clients are served.
    pub cut_after: Option<u64>,
    /// Or the number of segment writes, the last of which is under way when it halts.
    pub cut_at_segment_write: Option<u64>,
    /// Changes on disk after which one fails, and with which error number.
    pub fail_after: Option<(u64, i32)>,
    /// Reads after which one fails.
    pub fail_read_after: Option<u64>,
    /// Changes on disk after which one takes this long.
    pub stall_after: Option<(u64, Duration)>,
    /// The disk is nearly full when clients come: bytes left, and when there is room again.
    pub full: Option<(u64, Duration)>,
    pub stops: bool,
}

impl LifePlan {
    /// A life in which nothing goes wrong.
    pub fn quiet(start: Start, clients: Plan, stops: bool) -> LifePlan {
        LifePlan {
            start,
            clients,
            cut_after: None,
            cut_at_segment_write: None,
            fail_after: None,
            fail_read_after: None,
            stall_after: None,
            full: None,
            stops,
        }
    }

    pub fn has_faults(&self) -> bool {
        self.fail_after.is_some() || self.fail_read_after.is_some()
    }

    fn arm(&self, disk: &SimDisk) {
        if let Some((events, errno)) = self.fail_after {
            disk.fail_after(Some(events), errno);
        }
        disk.fail_read_after(self.fail_read_after);
        if let Some((changes, wait)) = self.stall_after {
            disk.stall_after(Some(changes), wait);
        }
    }
}

/// Shared with whoever runs the machine, who looks at it when the life is over.
#[derive(Clone)]
pub struct Witness {
    pub model: Rc<RefCell<Model>>,
    pub coverage: Rc<RefCell<Coverage>>,
    pub phase: Rc<Cell<Phase>>,
    pub stores: Rc<RefCell<Vec<Rc<SimStore>>>>,
}

impl Witness {
    /// Sees the first start of a machine of which `model` is true.
    pub fn new(model: Model) -> Witness {
        Witness {
            model: Rc::new(RefCell::new(model)),
            coverage: Rc::default(),
            phase: Rc::new(Cell::new(Phase::Recovering)),
            stores: Rc::default(),
        }
    }
}

/// A process that has recovered, and was compared with the model; nobody is served yet.
pub struct Opened {
    pub shards: Shards,
    pub admin: Admin,
    pub found: Found,
    /// Batches of producers that will send them again.
    pub in_doubt: Vec<(PartitionId, Written)>,
}

/// Starts and compares. `Err`: the disk failed while it recovered.
pub async fn open(
    disk: SimDisk,
    runtime: SimRuntime,
    plan: Start,
    witness: &Witness,
    seed: u64,
) -> Result<Opened, OpenError> {
    let model = witness.model.clone();
    let (shards, admin, found) = start(disk.clone(), runtime, plan, model).await?;
    // One that was meant for the recovery and came too late.
    disk.fail_read_after(None);
    let stores = shards.iter().map(|shard| shard.store.clone()).collect();
    *witness.stores.borrow_mut() = stores;
    let in_doubt = compare(&shards, &found, witness, seed).await;
    check_folders(&disk, &admin).await;
    Ok(Opened {
        shards,
        admin,
        found,
        in_doubt,
    })
}

/// Runs to its planned end, or until the machine halts. `Err`: the disk failed while it recovered.
pub async fn live(
    disk: SimDisk,
    runtime: SimRuntime,
    plan: LifePlan,
    witness: Witness,
) -> Result<(), OpenError> {
    let seed = plan.clients.seed;
    let opened = open(disk.clone(), runtime.clone(), plan.start, &witness, seed).await?;
    let Opened {
        shards,
        mut admin,
        found,
        in_doubt,
    } = opened;
    shards.serve(&found);

    witness.phase.set(Phase::Serving);
    disk.cut_after(plan.cut_after);
    disk.cut_at_segment_write(plan.cut_at_segment_write);
    plan.arm(&disk);
    if let Some((left, wait)) = plan.full {
        disk.fill_up_to(left);
        let (disk, timer) = (disk.clone(), runtime.clone());
        runtime.spawn(TaskClass::Housekeeping, async move {
            timer.sleep(wait).await;
            disk.set_capacity(None);
        });
    }
    let stall = plan.stall_after.map_or(Duration::ZERO, |(_, wait)| wait);
    let clients = Clients::new(
        &shards,
        &admin.topics,
        &witness.model,
        &runtime,
        &witness.coverage,
        Plan {
            stall,
            ..plan.clients
        },
    );
    clients.work(&mut admin, in_doubt).await;
    if plan.stops && !shards.is_failed() {
        witness.phase.set(Phase::Stopping);
        let wall = runtime.now().wall;
        if admin.stop(&shards, wall).await.is_ok() {
            witness.coverage.borrow_mut().clean_stops += 1;
        }
    }
    witness.phase.set(Phase::Ended);
    Ok(())
}

/// Panics unless what was found is what must be there; the model goes on from what was found. Returns batches of
/// producers that will send them again.
async fn compare(
    shards: &Shards,
    found: &Found,
    witness: &Witness,
    seed: u64,
) -> Vec<(PartitionId, Written)> {
    assert_eq!(found.strays, [], "partitions of no topic");
    let mut prng = Prng::new(seed ^ 0xc0de);
    let mut in_doubt = Vec::new();
    for (&id, start) in &found.partitions {
        let log = witness.model.borrow_mut().log(id).clone();
        if let Err(wrong) = check_start(&log, start) {
            panic!("{id}: {wrong}");
        }
        let (from, end) = (start.log_start, start.next_offset);
        let bytes_max = 1 << (12 + prng.below(8));
        let bytes = read_range(shards.shard(id), id, from, end, bytes_max).await;
        let bytes = bytes.unwrap_or_else(|error| panic!("{id}: {from}..{end}: {error:?}"));
        let read = log.check_read(from, end, &bytes, Moment::Still);
        read.unwrap_or_else(|wrong| panic!("{id}: {wrong}"));

        let mut model = witness.model.borrow_mut();
        let log = model.log(id);
        log.settle_cut(end);
        let doubtful: Vec<Written> = log
            .batches
            .iter()
            .filter(|batch| !batch.certain && batch.header.producer_id.is_some())
            .cloned()
            .collect();
        let gone = log.settle(start);
        witness.coverage.borrow_mut().batches_lost_unanswered += gone.len() as u64;
        let remembered = log.producers(false);
        let is_remembered = |batch: &Written| {
            let base_offset = batch.header.base_offset;
            let known = remembered.get(&batch.header.producer_id);
            known.is_some_and(|(_, batches)| {
                batches.iter().any(|seen| seen.base_offset == base_offset)
            })
        };
        let again = doubtful
            .into_iter()
            .filter(|batch| batch.header.base_offset >= end || is_remembered(batch));
        in_doubt.extend(again.map(|batch| (id, batch)));
    }
    in_doubt
}

/// Folders of topics that nobody remembers are gone, or in quarantine where nobody looks.
async fn check_folders(disk: &SimDisk, admin: &Admin) {
    let folders = match disk.list(&Path::new(ROOT).join("topics")).await {
        Ok(folders) => folders,
        Err(DiskError::NotFound { .. }) => return,
        Err(error) => panic!("topics: {error:?}"),
    };
    for folder in folders {
        let id = Uuid::parse(&folder.name)
            .unwrap_or_else(|| panic!("a folder of nobody: {}", folder.name));
        let topics = admin.topics.borrow();
        assert!(
            topics.live.contains_key(&id) || topics.deleted.contains(&id),
            "{id}: a folder of a topic that is forgotten"
        );
    }
    let quarantined = disk.list(&Path::new(ROOT).join("quarantine")).await;
    assert!(
        quarantined.is_err(),
        "no crash leaves anything that recovery mistrusts: {quarantined:?}"
    );
}

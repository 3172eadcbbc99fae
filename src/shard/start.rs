//! A shard's start and stop.

use super::apply;
use super::core::Core;
use super::driver::Ear;
use super::handle::ShardHandle;
use super::heartbeat;
use super::mailbox::Mesh;
use super::metadata::{Decider, Metadata};
use super::parking::Parking;
use super::request::Image;
use super::runtime::ShardRuntime;
use super::tickets::Tickets;
use crate::base::ids::ShardId;
use crate::config::Settings;
use crate::metrics::ShardCells;
use crate::storage::dma::DmaDisk;
use crate::storage::errors::OpenError;
use crate::storage::runtime::{Runtime, TaskClass};
use crate::storage::settings::StoreSettings;
use crate::storage::start::{RecoveredShard, Stopped};
use crate::storage::store::Store;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// What a shard grows from. A clone for each.
#[derive(Clone)]
pub struct Seed {
    pub mesh: Mesh,
    pub settings: Arc<Settings>,
    pub image: Arc<Image>,
    pub recovered: RecoveredShards,
}

/// What recovery left for each shard. Which is whose, a shard knows once it has joined the mesh.
#[derive(Clone)]
pub struct RecoveredShards(Arc<Mutex<Vec<RecoveredShard>>>);

impl RecoveredShards {
    pub fn new(shards: Vec<RecoveredShard>) -> RecoveredShards {
        RecoveredShards(Arc::new(Mutex::new(shards)))
    }

    fn take(&self, id: ShardId) -> RecoveredShard {
        let mut shards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = shards.iter().position(|shard| shard.shard() == id);
        shards.swap_remove(place.expect("recovery leaves something for each shard, taken once"))
    }
}

impl ShardHandle {
    /// Joins the mesh, starts the store and the partitions that recovery left to this shard. Serves requests when it
    /// returns, of other shards too.
    pub async fn start(
        runtime: ShardRuntime,
        disk: DmaDisk,
        seed: Seed,
    ) -> Result<ShardHandle, OpenError> {
        let shards = seed.mesh.shards();
        let (id, mailbox, receivers) = seed.mesh.join(&runtime).await;
        tracing::debug!(%id, "joined the mesh");
        let ear = Rc::new(Ear::default());
        let settings = StoreSettings {
            root: seed.settings.data_dir.clone(),
            limits: seed.settings.limits,
            retention_check_ms: seed.settings.broker.retention_check_ms,
            compaction: apply::compaction_settings(&seed.image, shards),
        };
        let recovered = seed.recovered.take(id);
        let store = Store::start(disk, runtime.clone(), settings, recovered, ear.clone());
        let core = Rc::new(Core {
            id,
            shards,
            runtime,
            settings: seed.settings,
            image: RefCell::new(seed.image),
            tickets: Tickets::new(id, shards),
            mailbox,
            calls: RefCell::default(),
            waits: RefCell::default(),
            parking: RefCell::new(Parking::new()),
            alarms: Default::default(),
            store: store.await?,
            partitions: RefCell::default(),
            groups: RefCell::default(),
            producer_ids: Default::default(),
            metadata: OnceCell::new(),
            events: RefCell::default(),
            in_event: Cell::new(false),
            reservation: RefCell::default(),
            actions: RefCell::default(),
            failed: Cell::new(false),
            stopping: Cell::new(false),
            gone: Default::default(),
            admission_waits: Cell::new(0),
            cells: ShardCells {
                delay_seconds: heartbeat::delays(),
                ..ShardCells::default()
            },
            plane: Default::default(),
            plane_gauges: OnceCell::new(),
        });
        tracing::debug!(%id, "the store has started");
        core.adopt();
        ear.attach(&core);
        core.start_tasks(receivers);
        Ok(ShardHandle(core))
    }

    /// Makes this shard, shard 0, the one that decides about metadata.
    pub fn lead(&self, decider: Decider) {
        let core = self.0.clone();
        let metadata = Metadata::new(decider.controller.image());
        let first = core.metadata.set(metadata);
        assert!(
            first.is_ok() && core.id == ShardId(0),
            "shard 0 leads, once"
        );
        let runtime = core.runtime.clone();
        runtime.spawn(TaskClass::Foreground, core.decide(decider));
    }

    /// From now on nobody waits for data here.
    pub fn begin_stop(&self) {
        self.0.stopping.set(true);
        self.0.end_all_waits();
        self.0.close_groups();
    }

    /// Makes everything durable so that nothing is left to replay. Nobody may append any more.
    pub async fn stop(&self) -> Result<Stopped, OpenError> {
        self.0.stopping.set(true);
        self.0.store.stop().await
    }
}

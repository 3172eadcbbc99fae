//! A start, in order: host, directory, recovery, metadata, shards, listeners. `stop` goes the way back.

use super::addresses::{self, Listen};
use super::directory::{Opened, open_directory};
use super::failure::StartError;
use super::host;
use super::placement::{self, LockedMemory};
use super::shards::{self, Crew, Post};
use super::stop;
use crate::admin::{self, Admin, AdminSettings, ShardEnd};
use crate::base::limits::{DIRECTORY_LOCK_WAIT_MS, SHARD_IO_MEMORY_BYTES};
use crate::base::time::Instant;
use crate::config::{Endpoint, Settings};
use crate::shard::clock::Clock;
use crate::shard::runtime::ShardRuntime;
use crate::shard::{Mesh, RecoveredShards, Seed};
use crate::storage::directory::Directory;
use crate::storage::dma::DmaDisk;
use crate::storage::runtime::{Runtime, TaskClass};
use flume::Receiver;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How old the directory's idea of the wall time may be.
const WALL_SAVED_EVERY: Duration = Duration::from_secs(600);
/// As long as for the directory: a killed broker leaves both a moment after its end.
const PORT_PATIENCE: Duration = Duration::from_millis(DIRECTORY_LOCK_WAIT_MS);

/// What a broker that serves tells whoever started it.
#[derive(Clone, Debug)]
pub struct Ready {
    pub kafka: Listen,
    pub admin: Option<Listen>,
    pub data: PathBuf,
    pub shards: usize,
    pub durability: &'static str,
}

/// What is known before the first shard runs.
pub(super) struct Plan {
    pub(super) settings: Arc<Settings>,
    pub(super) kafka: Listen,
    pub(super) admin: Option<Listen>,
    pub(super) cpus: Vec<usize>,
    pub(super) clock: Clock,
}

/// Runs a broker until a signal ends it. `on_ready` is called once every shard serves.
pub fn serve(
    settings: Settings,
    on_ready: impl FnOnce(&Ready) + Send + 'static,
) -> Result<(), StartError> {
    let plan = plan(settings)?;
    let memory = locked_memory(&plan);
    let shards = plan.cpus.len();
    let (admin, operators) = admin(&plan)?.unzip();
    let (posts, crew) = shards::crew(shards, operators.unwrap_or_default());
    let admin = admin.map(Arc::new);
    let shown = admin.clone();
    let clock = plan.clock;
    let mut threads = Vec::new();
    let mut posts = posts.into_iter().zip(plan.cpus.clone()).enumerate();
    let (_, (first, cpu)) = posts.next().expect("a broker has a shard");
    let (ended, end) = flume::bounded(1);
    // The first executor is made before any other: its number, and so its shard's, is the lowest.
    threads.push(shards::launch(
        0,
        cpu,
        memory,
        shards,
        move || async move {
            let result = lead(plan, crew, first, shown, on_ready).await;
            let _ = ended.send(result);
        },
    )?);
    for (index, (post, cpu)) in posts {
        threads.push(shards::launch(index, cpu, memory, shards, move || {
            post.serve(clock)
        })?);
    }
    // The I/O memory of all shards has its huge pages. What is touched from now on has small ones: a huge page is cleared
    // whole at the first touch, and its shard does nothing else for milliseconds. A refusal costs that, and nothing more.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let gone = || StartError::Shard {
        reason: "its thread ended".to_owned(),
    };
    let result = end.recv().map_err(|_| gone())?;
    if result.is_ok() {
        for thread in threads {
            thread.join().map_err(|_| gone())?;
        }
    }
    if let Some(admin) = admin.and_then(Arc::into_inner) {
        admin.stop();
    }
    result
}

fn admin(plan: &Plan) -> Result<Option<(Admin, Vec<ShardEnd>)>, StartError> {
    let Some(listen) = &plan.admin else {
        return Ok(None);
    };
    let shards = u16::try_from(plan.cpus.len()).expect("placed as u16");
    let settings = AdminSettings {
        data_dir: plan.settings.data_dir.clone(),
        series_max: plan.settings.detail_series_max,
    };
    let started = admin::start(&listen.addresses, shards, settings);
    let started = started.map_err(|error| StartError::AddressUnusable {
        address: listen.addresses[0],
        reason: error.to_string(),
    });
    started.map(Some)
}

fn plan(mut settings: Settings) -> Result<Plan, StartError> {
    host::raise_open_files();
    settings.data_dir = host::prepare_directory(&settings.data_dir)?;
    let find = |plane: &Endpoint| addresses::find(&plane.host, plane.port, PORT_PATIENCE);
    let kafka = find(&settings.listen)?;
    let admin = settings.admin.as_ref().map(find);
    let admin = admin.transpose()?;
    if settings.advertised.port == 0 {
        settings.advertised.port = kafka.port;
    }
    let cpus = placement::place(&placement::affinity(), settings.shards);
    settings.limits.open_for_writing_max = host::open_for_writing_max(cpus.len());
    Ok(Plan {
        cpus,
        settings: Arc::new(settings),
        kafka,
        admin,
        clock: Clock::start(),
    })
}

fn locked_memory(plan: &Plan) -> LockedMemory {
    let limit = host::memlock();
    let memory = placement::locked_memory(limit, plan.cpus.len());
    if let (Some(wanted), Some(limit)) = (memory.short_of, limit) {
        tracing::warn!(
            "locked memory is limited to {} KiB; {} shards with {} MiB of I/O memory need {} MiB, running with {} KiB \
             each. Fix: LimitMEMLOCK=infinity (systemd), --ulimit memlock=-1 (containers)",
            limit / 1024,
            plan.cpus.len(),
            SHARD_IO_MEMORY_BYTES >> 20,
            wanted >> 20,
            memory.io_bytes / 1024,
        );
    }
    memory
}

/// The whole life of the broker, on shard 0.
async fn lead(
    plan: Plan,
    crew: Crew,
    post: Post,
    admin: Option<Arc<Admin>>,
    on_ready: impl FnOnce(&Ready),
) -> Result<(), StartError> {
    let failed = |error| StartError::of_open(&plan.settings.data_dir, error);
    let Opened {
        runtime,
        mut directory,
        image,
        decider,
        shards,
    } = open_directory(&plan).await?;
    let seed = Seed {
        mesh: Mesh::new(crew.shards()),
        settings: plan.settings.clone(),
        image,
        recovered: RecoveredShards::new(shards),
    };
    crew.send_seeds(&seed);
    if let Some(handle) = post.start(runtime.clone(), seed).await {
        handle.lead(decider);
        runtime.spawn(TaskClass::Foreground, post.follow(handle));
    }
    crew.wait_started().await.map_err(failed)?;
    crew.listen(&plan.kafka.addresses).await?;
    let stop_requested = stop::signals()?;
    let ready = Ready::of(&plan);
    if let Some(admin) = &admin {
        admin.ready(runtime.now().instant.since(Instant(0)));
    }
    tracing::info!("ready: {ready}");
    on_ready(&ready);
    serve_until(&stop_requested, &runtime, &mut directory).await;
    tracing::info!("stopping");
    if let Some(admin) = &admin {
        admin.not_ready();
    }
    stop::stop(&crew, directory, &runtime).await.map_err(failed)
}

/// Keeps the wall time in the directory meanwhile, which tells a restart whether the clock jumped.
async fn serve_until(
    stop_requested: &Receiver<i32>,
    runtime: &ShardRuntime,
    directory: &mut Directory<DmaDisk>,
) {
    loop {
        let stop = async {
            // An error means that nobody can ask any more.
            let _ = stop_requested.recv_async().await;
            true
        };
        let tick = async {
            runtime.sleep(WALL_SAVED_EVERY).await;
            false
        };
        if futures_lite::future::or(stop, tick).await {
            return;
        }
        if let Err(error) = directory.save_wall(runtime.now().wall).await {
            tracing::error!(?error, "the wall time could not be kept");
        }
    }
}

impl Ready {
    fn of(plan: &Plan) -> Ready {
        Ready {
            kafka: plan.kafka.clone(),
            admin: plan.admin.clone(),
            data: plan.settings.data_dir.clone(),
            shards: plan.cpus.len(),
            durability: plan.settings.durability.name(),
        }
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka {}, admin ", self.kafka)?;
        match &self.admin {
            Some(admin) => write!(f, "{admin}")?,
            None => f.write_str("off")?,
        }
        let (data, shards) = (self.data.display(), self.shards);
        let plural = if shards == 1 { "" } else { "s" };
        write!(
            f,
            ", data {data}, {shards} shard{plural}, durability {}",
            self.durability
        )
    }
}

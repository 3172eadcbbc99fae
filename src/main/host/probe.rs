//! What one file does not tell: each probe looks for one thing and says it in the words of the table.

mod cores;
mod routes;

use super::direct;
use super::limits::{boot_parameter, swaps};
use super::mounts::Mount;
use super::reading::{Reading, Value};
use super::scene::Scene;
use ottla::boot::survey;
use ottla::config::quantity::render_size;
use serde::Deserialize;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Probe {
    IoUring,
    LockedMemory,
    OpenFiles,
    FileSystem,
    DirectIo,
    AccessTimes,
    WriteBarriers,
    FlushedWrite,
    StorageInterrupts,
    NetworkInterrupts,
    IdleStates,
    RcuNocbs,
    NumaNodes,
    Siblings,
    Swap,
    TimeSynchronisation,
    CpuQuota,
}

const SWAPPINESS: &str = "/proc/sys/vm/swappiness";

impl Probe {
    pub(crate) fn look(self, scene: &Scene) -> Reading {
        match self {
            Probe::IoUring => io_uring(scene),
            Probe::LockedMemory => limit(survey::locked_memory().map(render_size)),
            Probe::OpenFiles => limit(survey::open_files().map(|files| files.to_string())),
            Probe::FileSystem => of_mount(scene, |mount| mount.file_system.clone()),
            Probe::DirectIo => direct_io(scene),
            Probe::AccessTimes => of_mount(scene, |mount| mount.access_times().to_owned()),
            Probe::WriteBarriers => of_mount(scene, |mount| {
                let state = if mount.has_barriers() { "on" } else { "off" };
                state.to_owned()
            }),
            Probe::FlushedWrite => flushed_write(scene),
            Probe::StorageInterrupts => routes::storage(scene),
            Probe::NetworkInterrupts => routes::network(scene),
            Probe::IdleStates => cores::idle_states(scene),
            Probe::RcuNocbs => Reading::of(scene.root.read("/proc/cmdline").map(|line| {
                let cpus = boot_parameter(&line, "rcu_nocbs");
                cpus.unwrap_or("none").to_owned()
            })),
            Probe::NumaNodes => cores::numa_nodes(scene),
            Probe::Siblings => cores::siblings(scene),
            Probe::Swap => swap(scene),
            Probe::TimeSynchronisation => time_synchronisation(scene),
            Probe::CpuQuota => cores::quota_of_group(scene),
        }
    }
}

fn io_uring(scene: &Scene) -> Reading {
    let cpu = scene.shards.first().copied().unwrap_or(0);
    let tried = survey::try_executor(cpu, scene.shards.len());
    Reading::one(match tried {
        Ok(()) => "works".to_owned(),
        Err(error) => error.to_string(),
    })
}

fn limit(bound: Option<String>) -> Reading {
    Reading::one(bound.unwrap_or_else(|| "unlimited".to_owned()))
}

fn of_mount(scene: &Scene, tell: impl Fn(&Mount) -> String) -> Reading {
    Reading::of(scene.mount.as_ref().map(tell).map_err(String::clone))
}

fn direct_io(scene: &Scene) -> Reading {
    let directory = scene.data.display();
    match direct::works(&scene.data) {
        Ok(true) => Reading::one("works"),
        Ok(false) => Reading::one(format!(
            "in {directory} other bytes come back than were written"
        )),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            Reading::one(format!("{directory} refuses it"))
        }
        Err(error) => Reading::Unknown(format!("{directory} cannot be written to: {error}")),
    }
}

fn flushed_write(scene: &Scene) -> Reading {
    match scene.flushed_write {
        Some(micros) => Reading::one(format!("{micros:.0} us")),
        None => Reading::Unknown("not measured; ottla doctor --disk does".to_owned()),
    }
}

fn swap(scene: &Scene) -> Reading {
    let swappiness = || {
        let table = scene.root.read("/proc/swaps")?;
        if swaps(&table).is_empty() {
            return Ok(None);
        }
        scene.root.read(SWAPPINESS).map(Some)
    };
    match swappiness() {
        Ok(None) => Reading::one("no swap"),
        Ok(Some(text)) => Reading::Values(vec![Value {
            text,
            label: None,
            place: Some(SWAPPINESS.into()),
        }]),
        Err(reason) => Reading::Unknown(reason),
    }
}

fn time_synchronisation(scene: &Scene) -> Reading {
    let signs = [
        (
            "/run/systemd/timesync/synchronized",
            "systemd-timesyncd has synchronised",
        ),
        ("/run/chrony/chronyd.pid", "chronyd runs"),
        ("/run/chronyd.pid", "chronyd runs"),
        ("/run/ptp4l", "ptp4l runs"),
        ("/run/ntpd.pid", "ntpd runs"),
    ];
    let sign = signs.iter().find(|(path, _)| scene.root.exists(path));
    match sign {
        Some((_, text)) => Reading::one(*text),
        None => Reading::Unknown(
            "neither systemd-timesyncd nor chronyd nor ptp4l is seen here; a host may do it for its guests".to_owned(),
        ),
    }
}

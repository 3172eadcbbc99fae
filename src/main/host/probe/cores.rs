//! The CPUs that shards run on: how they sleep, where they are, with whom they share what.

use crate::host::cpus::Cpus;
use crate::host::limits::{CpuGroup, quota};
use crate::host::reading::{Reading, Value};
use crate::host::scene::Scene;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// States that take longer to wake from are deep.
const SHALLOW_MICROS_MAX: u64 = 10;

pub(super) fn idle_states(scene: &Scene) -> Reading {
    let root = &scene.root;
    let states = root.find("/sys/devices/system/cpu/cpu*/cpuidle/state*");
    if states.is_empty() {
        return Reading::Unknown(
            "no idle states are seen here, as in most virtual machines".to_owned(),
        );
    }
    let deep = states.iter().filter(|state| {
        let latency = root.read(state.join("latency")).ok();
        let latency = latency.and_then(|text| text.parse::<u64>().ok());
        latency.is_some_and(|micros| micros > SHALLOW_MICROS_MAX)
    });
    let value = |state: &PathBuf| {
        let place = state.join("disable");
        let cpu = state
            .ancestors()
            .nth(2)
            .and_then(Path::file_name)
            .unwrap_or_default();
        let name = root.read(state.join("name")).unwrap_or_default();
        Ok(Value {
            text: root.read(&place)?,
            label: Some(format!("{}/{name}", cpu.to_string_lossy())),
            place: Some(place),
        })
    };
    match deep.map(value).collect::<Result<Vec<Value>, String>>() {
        Ok(values) => Reading::Values(values),
        Err(reason) => Reading::Unknown(reason),
    }
}

pub(super) fn numa_nodes(scene: &Scene) -> Reading {
    let root = &scene.root;
    let shards = scene.shard_cpus();
    let nodes = root.find("/sys/devices/system/node/node*/cpulist");
    if nodes.is_empty() {
        return Reading::Unknown("/sys/devices/system/node is missing".to_owned());
    }
    let of_shards = nodes.iter().filter_map(|file| {
        let cpus = Cpus::parse(&root.read(file).ok()?)?;
        let name = file.parent()?.file_name()?.to_str()?;
        let node = name.strip_prefix("node")?.to_owned();
        shards.iter().any(|cpu| cpus.contains(cpu)).then_some(node)
    });
    let mut all: BTreeSet<String> = of_shards.collect();
    let mut told = format!("shards on {}", list(&all));
    let drives = scene.drives.iter().flatten();
    let drives = drives.map(|drive| (drive.name.clone(), drive.folder.clone()));
    let cards = root.find("/sys/class/net/*/device").into_iter();
    let cards = cards.filter_map(|card| {
        let name = card.parent()?.file_name()?.to_string_lossy().into_owned();
        Some((name, root.resolve(card)?))
    });
    for (name, folder) in drives.chain(cards) {
        let mut nodes = folder
            .ancestors()
            .map(|folder| root.read(folder.join("numa_node")));
        // -1: the firmware does not tell.
        let node = nodes.find_map(Result::ok).filter(|node| node != "-1");
        if let Some(node) = node {
            told.push_str(&format!(", {name} on {node}"));
            all.insert(node);
        }
    }
    Reading::one(match all.len() {
        0 | 1 => "one node".to_owned(),
        _ => told,
    })
}

fn list(words: &BTreeSet<String>) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.join(" and ")
}

/// Threads of one core that run a shard each, or one CPU that runs several.
pub(super) fn siblings(scene: &Scene) -> Reading {
    let shards = scene.shard_cpus();
    if shards.iter().count() < scene.shards.len() {
        return Reading::one(format!("{} shards on CPUs {shards}", scene.shards.len()));
    }
    let mut shared = BTreeSet::new();
    for cpu in shards.iter() {
        let file = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        let threads = match scene.root.read(&file) {
            Ok(text) => Cpus::parse(&text).unwrap_or_default(),
            Err(reason) => return Reading::Unknown(reason),
        };
        let beside: Cpus = threads
            .iter()
            .filter(|thread| shards.contains(*thread))
            .collect();
        if beside.iter().count() > 1 {
            shared.insert(beside.to_string());
        }
    }
    Reading::one(match shared.is_empty() {
        true => "one shard per core".to_owned(),
        false => format!("CPUs {} share a core", list(&shared)),
    })
}

/// The tightest of the process's control group and those above it.
pub(super) fn quota_of_group(scene: &Scene) -> Reading {
    let root = &scene.root;
    let group = match root.read("/proc/self/cgroup") {
        Ok(table) => CpuGroup::parse(&table),
        Err(reason) => return Reading::Unknown(reason),
    };
    let files = group.as_ref().map(CpuGroup::files).unwrap_or_default();
    let texts = files.iter().filter_map(|file| {
        let text = root.read(file).ok()?;
        let period = root.read(file.with_file_name("cpu.cfs_period_us"));
        Some(period.map_or(text.clone(), |period| format!("{text} {period}")))
    });
    let quotas = texts.filter_map(|text| quota(&text));
    let tightest = quotas.min_by(f64::total_cmp);
    Reading::one(match tightest {
        Some(cpus) => format!("{cpus:.2} CPUs"),
        None => "none".to_owned(),
    })
}

//! Which CPUs the interrupts of a drive or a network card go to.

use crate::host::cpus::Cpus;
use crate::host::interrupts::{self, Interrupt};
use crate::host::reading::{Reading, Value};
use crate::host::scene::Scene;
use std::path::{Path, PathBuf};

pub(super) fn storage(scene: &Scene) -> Reading {
    let drives = match &scene.drives {
        Ok(drives) => drives,
        Err(reason) => return Reading::Unknown(reason.clone()),
    };
    let folders: Vec<PathBuf> = drives.iter().map(|drive| drive.folder.clone()).collect();
    interrupts_of(scene, &folders)
}

/// Of every card that is more than software.
pub(super) fn network(scene: &Scene) -> Reading {
    let cards = scene.root.find("/sys/class/net/*/device");
    let folders: Vec<PathBuf> = cards
        .iter()
        .filter_map(|card| scene.root.resolve(card))
        .collect();
    match folders.is_empty() {
        true => Reading::Unknown("no network card is seen here".to_owned()),
        false => interrupts_of(scene, &folders),
    }
}

fn interrupts_of(scene: &Scene, devices: &[PathBuf]) -> Reading {
    let all = match scene.root.read("/proc/interrupts") {
        Ok(table) => interrupts::parse(&table),
        Err(reason) => return Reading::Unknown(reason),
    };
    let is_theirs =
        |interrupt: &Interrupt| devices.iter().any(|device| is_of(scene, device, interrupt));
    let theirs = all
        .iter()
        .filter(|one| one.is_of_traffic() && is_theirs(one));
    let theirs: Vec<(&Interrupt, Cpus)> = theirs.map(|one| (one, taken_by(scene, one))).collect();
    let cpus: Vec<Cpus> = theirs.iter().map(|(_, cpus)| cpus.clone()).collect();
    if interrupts::are_spread(&cpus) {
        return Reading::one("a queue per CPU");
    }
    let values = theirs.iter().map(|(interrupt, cpus)| Value {
        text: cpus.to_string(),
        label: Some(interrupt.name.clone()),
        place: Some(affinity_file(interrupt)),
    });
    match theirs.is_empty() {
        true => Reading::Unknown("/proc/interrupts names none of its interrupts".to_owned()),
        false => Reading::Values(values.collect()),
    }
}

fn affinity_file(interrupt: &Interrupt) -> PathBuf {
    format!("/proc/irq/{}/smp_affinity_list", interrupt.number).into()
}

/// Where it goes now; without an answer, where it has gone so far.
fn taken_by(scene: &Scene, interrupt: &Interrupt) -> Cpus {
    let now = format!("/proc/irq/{}/effective_affinity_list", interrupt.number);
    let answers = [now.into(), affinity_file(interrupt)].into_iter();
    let mut answers = answers.filter_map(|file| Cpus::parse(&scene.root.read(file).ok()?));
    let answer = answers.find(|cpus| !cpus.is_empty());
    answer.unwrap_or_else(|| interrupt.taken_by.clone())
}

/// Whether an interrupt is of a device: the nearest bus function above it lists it; without one it bears a name of theirs.
fn is_of(scene: &Scene, device: &Path, interrupt: &Interrupt) -> bool {
    let mut above = device.ancestors();
    if let Some(function) = above.find(|folder| scene.root.exists(folder.join("irq"))) {
        let number = interrupt.number.to_string();
        let listed = scene.root.names(function.join("msi_irqs"));
        return match listed.is_empty() {
            true => scene.root.read(function.join("irq")).as_ref() == Ok(&number),
            false => listed.contains(&number),
        };
    }
    let names = device
        .ancestors()
        .filter_map(|folder| folder.file_name()?.to_str());
    names.into_iter().any(|name| {
        let controller = name
            .strip_prefix("nvme")
            .and_then(|rest| rest.split_once('n'));
        match controller {
            Some((number, _)) => interrupt.name.starts_with(&format!("nvme{number}q")),
            None => interrupt.name == name || interrupt.name.starts_with(&format!("{name}-")),
        }
    })
}

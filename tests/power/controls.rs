//! Writers that acknowledge before they flush: the same disk, the same cuts and the same comparison must find them out.

use crate::device::Device;
use crate::machine::{FileSystem, Machine};
use crate::power_cut::{Cuts, Loss};
use crate::round::{Settings, record};
use ottla::base::prng::Prng;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const BLOCK: usize = 4096;
const BLOCKS: u8 = 200;
const CUTS: u64 = 12;
/// Cuts of a broker that acknowledges from memory, each of which loses nearly surely.
const BROKER_CUTS: usize = 5;

#[test]
fn a_broker_that_acknowledges_from_memory_is_caught() {
    let Some(machine) = Machine::new("power_memory", FileSystem::Ext4) else {
        return;
    };
    let settings = Settings {
        shards: 2,
        durability: "memory",
    };
    let formatted = machine.device.image();
    let (recording, promises) = record(&machine, formatted, &settings, 500);
    let mut cuts = Cuts::of(&recording);
    let (first, end) = (promises.topic_made_at, recording.events.len());
    let caught = (1..=BROKER_CUTS).filter(|number| {
        let instant = first + (end - first) * number / BROKER_CUTS;
        let image = cuts.at(instant, Loss::Everything, &mut Prng::new(0));
        let mounted = machine.switch_on(image);
        let broker = settings.start(&machine, &mounted);
        let anomalies = promises.check(&broker, instant).anomalies;
        println!("{anomalies:?}");
        let lost = |anomaly: &String| anomaly.contains(", lost ") && !anomaly.contains(", lost 0,");
        anomalies.iter().any(lost)
    });
    let caught = caught.count();
    assert!(caught > 0, "it lost nothing in {BROKER_CUTS} cuts");
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    FlushFirst,
    AcknowledgeFirst,
}

/// Direct writes, which are on the disk when they return, and safe when it was flushed.
#[test]
fn a_writer_that_acknowledges_before_its_flush_is_caught() {
    for file_system in [FileSystem::Ext4, FileSystem::Xfs] {
        let name = format!("power_control_{}", file_system.name());
        let Some(machine) = Machine::new(&name, file_system) else {
            continue;
        };
        let formatted = machine.device.image();
        for order in [Order::FlushFirst, Order::AcknowledgeFirst] {
            let mounted = machine.switch_on(formatted.clone());
            let path = mounted.path().join("blocks");
            preallocate(&path, mounted.path());
            let begin = machine.device.position();
            let acknowledged_at = write_blocks(&path, order, &machine.device);
            let recording = machine.device.take_recording();
            drop(mounted);

            let mut random = Prng::new(7);
            let span = (recording.events.len() - begin) as u64;
            let mut instants: Vec<usize> = (0..CUTS)
                .map(|_| begin + random.below(span + 1) as usize)
                .collect();
            instants.sort_unstable();
            let mut cuts = Cuts::of(&recording);
            let mut lost = 0;
            for instant in instants {
                let image = cuts.at(instant, Loss::Everything, &mut random);
                let mounted = machine.switch_on(image);
                lost += lost_blocks(&mounted.path().join("blocks"), &acknowledged_at, instant);
            }
            println!("{} {order:?}: {lost} blocks lost", file_system.name());
            assert_eq!(lost == 0, order == Order::FlushFirst, "{lost}");
        }
    }
}

/// Written once, so that a block that is written again changes nothing but itself.
fn preallocate(path: &Path, folder: &Path) {
    fs::write(path, vec![0; BLOCK * usize::from(BLOCKS)]).expect("room");
    for path in [path, folder] {
        let synced = File::open(path).and_then(|file| file.sync_all());
        synced.expect("a disk that works");
    }
}

/// Positions of the acknowledgements. Block n is full of n + 1.
fn write_blocks(path: &Path, order: Order, device: &Device) -> Vec<usize> {
    let direct = OpenOptions::new()
        .write(true)
        .custom_flags(OFlags::DIRECT.bits() as i32)
        .open(path)
        .expect("direct I/O");
    let mut memory = vec![0; 2 * BLOCK];
    let at = memory.as_ptr().align_offset(BLOCK);
    let block = &mut memory[at..at + BLOCK];
    let mut acknowledged_at = Vec::new();
    for number in 0..BLOCKS {
        block.fill(number + 1);
        let written = direct.write_all_at(block, u64::from(number) * BLOCK as u64);
        written.expect("a disk that works");
        if order == Order::AcknowledgeFirst {
            acknowledged_at.push(device.position());
        }
        direct.sync_data().expect("a disk that works");
        if order == Order::FlushFirst {
            acknowledged_at.push(device.position());
        }
    }
    acknowledged_at
}

/// Acknowledged by then, and not there.
fn lost_blocks(path: &Path, acknowledged_at: &[usize], instant: usize) -> usize {
    let bytes = fs::read(path).expect("it was synced");
    let blocks = bytes.chunks(BLOCK).zip(1u8..).zip(acknowledged_at);
    let lost = blocks
        .filter(|((block, fill), at)| **at <= instant && block.iter().any(|byte| byte != fill));
    lost.count()
}

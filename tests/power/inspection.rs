//! The next broker on a disk whose power was cut, and the one after a second cut.

use super::round::{Answer, Promises, Settings};
use super::{PARTITIONS, TOPIC};
use crate::harness::broker::Broker;
use crate::harness::client::Connection;
use crate::image::Image;
use crate::machine::Machine;
use crate::power_cut::{Cuts, Loss, Recording, Taken};
use ottla::base::prng::Prng;
use std::fmt;
use std::thread;

#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) rounds: u64,
    pub(crate) events: usize,
    pub(crate) overlaps: usize,
    /// First cuts.
    pub(crate) images: u64,
    /// Second cuts, during the start after the first.
    pub(crate) during_start: u64,
    /// Second cuts, after everything had been read.
    pub(crate) after_reading: u64,
    /// Cuts whose tears the file system could not repair, taken again without tears.
    pub(crate) beyond_repair: u64,
    pub(crate) taken: Taken,
    pub(crate) kept: usize,
}

impl Totals {
    pub(crate) fn add_round(&mut self, recording: &Recording) {
        self.rounds += 1;
        self.events += recording.events.len();
        self.overlaps += recording.overlaps;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} images of {} recordings with {} writes and flushes ({} flushes beside a write), {} cut again during the start and {} after reading; {}, {} of the images with torn \
             writes given up by the file system and taken again without; \
             {} promises found kept, lost 0, wrong 0",
            self.images,
            self.rounds,
            self.events,
            self.overlaps,
            self.during_start,
            self.after_reading,
            self.taken,
            self.beyond_repair,
            self.kept
        )
    }
}

pub(crate) struct Inspection<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) promises: &'a Promises,
    pub(crate) random: &'a mut Prng,
    pub(crate) totals: &'a mut Totals,
}

/// Keeps the disk that an anomaly or a panic was about.
struct Evidence<'a> {
    machine: &'a Machine,
    image: Image,
    is_wanted: bool,
}

impl Drop for Evidence<'_> {
    fn drop(&mut self) {
        if self.is_wanted || thread::panicking() {
            let path = self.machine.directory.path().join("image");
            let saved = self.image.save(&path);
            eprintln!(
                "the disk as it was switched on: {} {saved:?}",
                path.display()
            );
        }
    }
}

/// A start, what was found, and how the disk went on: up to the ready line, and up to the last answer.
struct Life {
    answer: Answer,
    recording: Recording,
    ready: usize,
}

impl Inspection<'_> {
    /// What is wrong with the next broker on `image`, and with the one after.
    pub(crate) fn inspect(&mut self, image: Image, instant: usize) -> Vec<String> {
        let settings = Settings {
            shards: 1 + self.random.below(3) as u16,
            durability: "flushed",
        };
        self.totals.images += 1;
        let life = self.live(&settings, image, instant);
        self.totals.kept += life.answer.kept;
        if !life.answer.anomalies.is_empty() {
            return life.answer.anomalies;
        }
        let mut cuts = Cuts::of(&life.recording);
        match self.random.below(4) {
            0 => {
                self.totals.during_start += 1;
                let again = self.random.below(life.ready as u64 + 1) as usize;
                let loss = Loss::draw(self.random);
                let image = self.cut(&mut cuts, again, loss);
                let next = self.live(&settings, image, instant);
                context(next.answer.anomalies, "second cut, during the start")
            }
            1 => {
                self.totals.after_reading += 1;
                let end = life.recording.events.len();
                let image = cuts.at(end, Loss::Everything, self.random);
                let mut next = self.live(&settings, image, instant).answer;
                if next.logs != life.answer.logs {
                    let what = "what had been read is not what is there";
                    next.anomalies.push(what.into());
                }
                context(next.anomalies, "second cut, after reading")
            }
            _ => Vec::new(),
        }
    }

    /// A file system may find out a block that was torn while it was written back, by its checksum, and refuse to mount;
    /// XFS has. From whole writes, whichever are missing, it must recover.
    pub(crate) fn cut(&mut self, cuts: &mut Cuts<'_>, instant: usize, loss: Loss) -> Image {
        let before = cuts.taken;
        let image = cuts.at(instant, loss, self.random);
        if cuts.taken.torn == before.torn || self.machine.try_switch_on(image.clone()).is_ok() {
            return image;
        }
        println!(
            "{} gives up on torn writes",
            self.machine.file_system.name()
        );
        self.totals.beyond_repair += 1;
        cuts.taken = before;
        cuts.at(instant, loss.without_tears(), self.random)
    }

    fn live(&self, settings: &Settings, image: Image, instant: usize) -> Life {
        let mut evidence = Evidence {
            machine: self.machine,
            image: image.clone(),
            is_wanted: false,
        };
        let mounted = self.machine.switch_on(image);
        let mut broker = settings.start(self.machine, &mounted);
        let ready = self.machine.device.position();
        let mut answer = self.promises.check(&broker, instant);
        let recording = self.machine.device.take_recording();
        if answer.anomalies.is_empty() {
            answer.anomalies = goes_on(&broker, &answer.logs);
        }
        broker.kill();
        evidence.is_wanted = !answer.anomalies.is_empty();
        Life {
            answer,
            recording,
            ready,
        }
    }
}

/// Every partition takes a record, at its end.
fn goes_on(broker: &Broker, logs: &[Vec<String>]) -> Vec<String> {
    let mut client = Connection::open(&broker.address);
    if logs.is_empty() {
        client.create_topic(TOPIC, PARTITIONS, &[]);
    }
    let mut wrong = Vec::new();
    for partition in 0..PARTITIONS {
        let end = logs.get(partition as usize).map_or(0, Vec::len) as i64;
        let offset = client.produce_values(TOPIC, partition, &["goes on"]);
        if offset != end {
            wrong.push(format!(
                "{TOPIC}-{partition} goes on at {offset}, not {end}"
            ));
        }
    }
    wrong
}

fn context(anomalies: Vec<String>, what: &str) -> Vec<String> {
    let named = anomalies
        .into_iter()
        .map(|anomaly| format!("{what}: {anomaly}"));
    named.collect()
}

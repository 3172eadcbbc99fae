//! One knob on this host: what was found, and what to think of it.

use super::knobs::{Knob, Remedy, Source};
use super::reading::{Reading, Value, chosen};
use super::scene::Scene;
use super::verdict::Verdict;
use super::wanted::Wanted;

pub(crate) struct Finding<'a> {
    pub(crate) knob: &'a Knob,
    pub(crate) reading: Reading,
    /// With this host's numbers in it.
    pub(crate) wanted: String,
    pub(crate) verdict: Verdict,
}

impl<'a> Finding<'a> {
    pub(crate) fn of(knob: &'a Knob, scene: &Scene) -> Finding<'a> {
        let reading = look(knob, scene);
        let wanted = scene.fill(&knob.wanted);
        let finding = |wanted, verdict| Finding {
            knob,
            reading: reading.clone(),
            wanted,
            verdict,
        };
        if let Some(only) = knob
            .only
            .as_deref()
            .filter(|only| !scene.has_drives_like(only))
        {
            let verdict = match reading {
                Reading::Values(_) => Verdict::Ok,
                Reading::Unknown(_) => Verdict::Unknown,
            };
            return finding(format!("{wanted}, on {only}"), verdict);
        }
        let parse = |text: &str| Wanted::parse(&scene.fill(text)).expect("a test reads the table");
        let needed = knob.needed.as_deref().map(parse);
        let verdict = Verdict::of(&reading, &parse(&knob.wanted), needed.as_ref());
        finding(wanted, verdict)
    }

    /// Whether there is a way to what is wanted: no CPU is free for interrupts when each runs a shard.
    pub(crate) fn is_tunable(&self, scene: &Scene) -> bool {
        match &self.knob.remedy {
            None => false,
            Some(Remedy::Install(_)) => true,
            Some(Remedy::Set(text)) => {
                let wanted = Wanted::parse(&scene.fill(&self.knob.wanted));
                wanted.is_some_and(|wanted| wanted.fits(&scene.fill(text)))
            }
        }
    }

    pub(crate) fn is_fault(&self) -> bool {
        matches!(self.verdict, Verdict::Warn | Verdict::Bad)
    }
}

fn look(knob: &Knob, scene: &Scene) -> Reading {
    let reading = match &knob.source {
        Source::Probe(probe) => probe.look(scene),
        Source::File(pattern) => read(pattern, scene),
    };
    match (reading, &knob.absent) {
        (Reading::Unknown(reason), Some(absent)) => Reading::Unknown(format!("{reason}: {absent}")),
        (reading, _) => reading,
    }
}

fn read(pattern: &str, scene: &Scene) -> Reading {
    let is_of_several = pattern.contains(['*', '{']);
    let read = || {
        let files = scene.files(pattern)?;
        let values = files.iter().map(|file| {
            let text = scene.root.read(file)?;
            Ok(Value {
                text: chosen(&text).to_owned(),
                label: label(file).filter(|_| is_of_several),
                place: Some(file.clone()),
            })
        });
        values.collect::<Result<Vec<Value>, String>>()
    };
    match read() {
        Ok(values) => Reading::Values(values),
        Err(reason) => Reading::Unknown(reason),
    }
}

/// `cpu3` of a file below `/sys/devices/system/cpu/cpu3`, `nvme0n1` of one below `/sys/block/nvme0n1`.
fn label(file: &std::path::Path) -> Option<String> {
    let grand = file.ancestors().nth(2)?.file_name()?;
    Some(grand.to_string_lossy().into_owned())
}

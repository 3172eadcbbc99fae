//! How many cuts fell where.

use super::labels::Label;
use crate::sim::Moment;
use std::collections::BTreeMap;

/// What has cuts of its own besides entries.
const WANTED: [&str; 4] = [
    "segment write",
    "cut of segment",
    "snapshot write",
    "superblock write",
];

/// Whether the ledger asks for cuts there.
pub fn is_wanted(label: &Label) -> bool {
    label.starts_with("entry: ") || WANTED.contains(&&**label)
}

/// Sums of one run, or of many. A cut counts once for each label of the change it meets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub cuts: u64,
    /// Of them, those that met a recovery.
    pub in_recovery: u64,
    /// Recoveries that ran twice on one image, with equal traces.
    pub repeated: u64,
    /// Recoveries that were followed by a cut and another one, with equal results.
    pub recovered_twice: u64,
    /// Recoveries behind which clients were served again.
    pub served: u64,
    /// By label: before, inside, after.
    by_label: BTreeMap<Label, [u64; 3]>,
}

impl Tally {
    pub fn count(&mut self, labels: &[Label], moment: Moment, in_recovery: bool) {
        self.cuts += 1;
        self.in_recovery += u64::from(in_recovery);
        for label in labels {
            self.by_label.entry(label.clone()).or_default()[moment as usize] += 1;
        }
    }

    /// Cuts at this moment of the rarest of these labels.
    pub fn rarest(&self, labels: &[Label], moment: Moment) -> u64 {
        let counts = labels.iter().map(|label| {
            let moments = self.by_label.get(label);
            moments.map_or(0, |moments| moments[moment as usize])
        });
        counts.min().unwrap_or(0)
    }

    pub fn add(&mut self, other: &Tally) {
        self.cuts += other.cuts;
        self.in_recovery += other.in_recovery;
        self.repeated += other.repeated;
        self.recovered_twice += other.recovered_twice;
        self.served += other.served;
        for (label, moments) in &other.by_label {
            let sums = self.by_label.entry(label.clone()).or_default();
            sums.iter_mut()
                .zip(moments)
                .for_each(|(sum, count)| *sum += count);
        }
    }

    /// The fewest cuts at any of the three moments of what the ledger asks for: each kind of entry, and `WANTED`.
    pub fn fewest(&self) -> (u64, Label) {
        let entries = self
            .by_label
            .keys()
            .filter(|label| label.starts_with("entry: "));
        let wanted = WANTED.iter().map(|&label| Label::from(label));
        let all = entries.cloned().chain(wanted);
        let fewest = all.map(|label| {
            let moments = self.by_label.get(&label).copied().unwrap_or_default();
            (moments.into_iter().min().unwrap_or(0), label)
        });
        fewest.min().unwrap_or_default()
    }

    /// Members of a JSON object, without the braces.
    pub fn json(&self) -> String {
        let labels: Vec<String> = self
            .by_label
            .iter()
            .map(|(label, [before, inside, after])| {
                format!("\"{label}\": [{before}, {inside}, {after}]")
            })
            .collect();
        format!(
            "\"cuts\": {}, \"in_recovery\": {}, \"repeated\": {}, \"recovered_twice\": {}, \"served\": {}, \
             \"before_inside_after\": {{{}}}",
            self.cuts,
            self.in_recovery,
            self.repeated,
            self.recovered_twice,
            self.served,
            labels.join(", ")
        )
    }
}

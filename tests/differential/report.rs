//! What a run found: one result per API and version, differences gathered over rounds and versions.

use std::collections::{BTreeMap, BTreeSet};

use ottla::wire::ApiKey;
use ottla::wire::version::VersionRange;

use crate::compare::{Comparison, Difference};
use crate::listed::Listed;
use crate::session::{Broker, Exchange};

/// Where an unlisted difference showed.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Unlisted {
    api: ApiKey,
    place: String,
    difference: Difference,
}

pub(crate) struct Report {
    listed: Listed,
    /// Questions asked.
    asked: BTreeMap<(ApiKey, i16), u64>,
    failed: BTreeSet<(ApiKey, i16)>,
    unlisted: BTreeMap<Unlisted, BTreeSet<i16>>,
    /// Stories that went different ways.
    astray: Vec<String>,
}

impl Report {
    pub(crate) fn new(listed: Listed) -> Report {
        let (asked, failed, unlisted) = Default::default();
        Report {
            listed,
            asked,
            failed,
            unlisted,
            astray: Vec::new(),
        }
    }

    pub(crate) fn compare(
        &mut self,
        story: &str,
        suffix: &str,
        (kafka, their_exchanges): (&Broker, &[Exchange]),
        (ottla, our_exchanges): (&Broker, &[Exchange]),
    ) {
        let mut comparison = Comparison::new(kafka, ottla, suffix);
        if their_exchanges.len() != our_exchanges.len() {
            let counts = (their_exchanges.len(), our_exchanges.len());
            self.astray.push(format!(
                "{story}{suffix}: {} questions, then {}",
                counts.0, counts.1
            ));
        }
        for (theirs, ours) in their_exchanges.iter().zip(our_exchanges) {
            if theirs.what != ours.what {
                let ways = format!(
                    "{story}{suffix}: {:?} there, {:?} here",
                    theirs.what, ours.what
                );
                return self.astray.push(ways);
            }
            *self.asked.entry((ours.api, ours.version)).or_default() += 1;
            let found = comparison.exchange(theirs, ours);
            self.note(story, suffix, theirs, ours, found);
        }
    }

    fn note(
        &mut self,
        story: &str,
        suffix: &str,
        theirs: &Exchange,
        ours: &Exchange,
        found: Vec<Difference>,
    ) {
        let place = format!("{story}: {}", ours.what).replace(suffix, "");
        for difference in found {
            if self
                .listed
                .covers(ours.api, ours.version, &place, &difference)
            {
                continue;
            }
            self.failed.insert((ours.api, ours.version));
            let unlisted = Unlisted {
                api: ours.api,
                place: place.clone(),
                difference,
            };
            let versions = self.unlisted.entry(unlisted).or_default();
            if versions.insert(ours.version) && std::env::var_os("DIFFERENTIAL_VERBOSE").is_some() {
                println!(
                    "{} {} {place}\n  kafka {} {:?}\n  ottla {} {:?}",
                    ours.api,
                    ours.version,
                    theirs.question,
                    theirs.outcome,
                    ours.question,
                    ours.outcome
                );
            }
        }
    }

    /// Prints everything; whether all is well.
    pub(crate) fn finish(
        self,
        shared: &BTreeMap<ApiKey, VersionRange>,
        skipped: &[String],
        is_whole: bool,
    ) -> bool {
        for (
            Unlisted {
                api,
                place,
                difference,
            },
            versions,
        ) in &self.unlisted
        {
            let Difference { path, kafka, ottla } = difference;
            println!(
                "{api} | {} | {place} | {path} | {kafka} -> {ottla}",
                spans(versions)
            );
        }
        for way in &self.astray {
            println!("went astray: {way}");
        }
        // A part of the stories does not show all of them.
        let stale: Vec<&str> = match is_whole {
            true => self.listed.stale().collect(),
            false => Vec::new(),
        };
        for line in &stale {
            println!("stale: {line}");
        }
        for reason in skipped {
            println!("skipped {reason}");
        }
        let (mut passed, mut failed) = (0, 0);
        for (&api, range) in shared {
            for version in range.iter() {
                let asked = self.asked.get(&(api, version)).copied().unwrap_or(0);
                if asked == 0 || self.failed.contains(&(api, version)) {
                    println!("FAILED {api} {version}: {asked} questions");
                    failed += 1;
                } else {
                    passed += 1;
                }
            }
        }
        let questions: u64 = self.asked.values().sum();
        println!(
            "{questions} questions, {} listed differences, {} stale",
            self.listed.len(),
            stale.len()
        );
        println!(
            "differential: {passed} passed, {failed} failed, {} skipped",
            skipped.len()
        );
        failed == 0 && stale.is_empty() && self.astray.is_empty()
    }
}

/// `0-3,5`.
fn spans(versions: &BTreeSet<i16>) -> String {
    let mut spans: Vec<(i16, i16)> = Vec::new();
    for &version in versions {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == version => *last = version,
            _ => spans.push((version, version)),
        }
    }
    let span = |(first, last): &(i16, i16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    spans.iter().map(span).collect::<Vec<_>>().join(",")
}

//! Instructions of one stage, counted by callgrind: the same on a busy machine as on an idle one.
//!
//! Counted is what our binary executes, without the bodies of the checksum and without the C library (memory is copied
//! and handed out there): both choose their code by the CPU, so their counts belong to a machine, not to a change.

use super::stage::REQUESTS;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The crate that computes checksums, as paths and as symbols spell it.
const CHECKSUM: [&str; 2] = ["crc-fast", "crc_fast"];
/// The frame of `stage::measured_run`, mangled or not.
const TOGGLE: &str = "--toggle-collect=*measured_run*";

/// Instructions by function, of one request.
pub(crate) struct Profile {
    pub(crate) functions: BTreeMap<String, f64>,
    pub(crate) checksum: f64,
    pub(crate) library: f64,
}

impl Profile {
    pub(crate) fn total(&self) -> f64 {
        self.functions.values().sum()
    }

    /// The functions with the most of it, for whoever has to find out what changed.
    pub(crate) fn top(&self, count: usize) -> Vec<(&str, f64)> {
        let mut functions: Vec<(&str, f64)> = self
            .functions
            .iter()
            .map(|(name, cost)| (name.as_str(), *cost))
            .collect();
        functions.sort_by(|one, other| other.1.total_cmp(&one.1));
        functions.truncate(count);
        functions
    }
}

/// Runs this program again under callgrind, with the arguments that make it run the one stage so often.
pub(crate) fn profile(stage: &str, runs: usize) -> Result<Profile, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = program.with_file_name(format!("callgrind.{}", std::process::id()));
    let ended = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", TOGGLE])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(&program)
        .args(["--one", stage])
        .output()
        .map_err(|error| {
            format!("valgrind does not start ({error}). Fix: apt-get install valgrind")
        })?;
    if !ended.status.success() {
        let errors = String::from_utf8_lossy(&ended.stderr);
        return Err(format!("callgrind ended with {}: {errors}", ended.status));
    }
    let text = std::fs::read_to_string(&output).map_err(|error| error.to_string())?;
    std::fs::remove_file(&output).map_err(|error| error.to_string())?;
    let mut profile = parse(&text, &program);
    if profile.functions.is_empty() {
        return Err(format!("callgrind has seen nothing of {stage}"));
    }
    let requests = (runs * REQUESTS) as f64;
    let all = profile.functions.values_mut();
    for cost in all.chain([&mut profile.checksum, &mut profile.library]) {
        *cost /= requests;
    }
    Ok(profile)
}

/// What a line of costs belongs to, in callgrind's format: names are given once and repeated by number.
#[derive(Default)]
struct Place {
    objects: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    functions: BTreeMap<String, String>,
    object: String,
    /// Of the code itself, which may have been inlined from elsewhere.
    file: String,
    function: String,
}

impl Place {
    /// Takes a line that names something. False: it is none.
    fn take(&mut self, line: &str) -> bool {
        let Some((kind, name)) = line.split_once('=') else {
            return false;
        };
        match kind {
            "ob" => self.object = resolve(&mut self.objects, name),
            "fl" | "fi" | "fe" => self.file = resolve(&mut self.files, name),
            "fn" => self.function = resolve(&mut self.functions, name),
            "cob" => drop(resolve(&mut self.objects, name)),
            "cfi" | "cfl" => drop(resolve(&mut self.files, name)),
            "cfn" => drop(resolve(&mut self.functions, name)),
            _ => return false,
        }
        true
    }
}

/// `(7) name` the first time, `(7)` from then on.
fn resolve(known: &mut BTreeMap<String, String>, text: &str) -> String {
    match text.split_once(' ') {
        Some((number, name)) => {
            known.insert(number.to_owned(), name.to_owned());
            name.to_owned()
        }
        None => known.get(text).cloned().unwrap_or_else(|| text.to_owned()),
    }
}

fn parse(text: &str, program: &Path) -> Profile {
    let program = program.to_string_lossy();
    let mut profile = Profile {
        functions: BTreeMap::new(),
        checksum: 0.0,
        library: 0.0,
    };
    let mut place = Place::default();
    let mut is_call = false;
    for line in text.lines() {
        if line.starts_with("calls=") {
            is_call = true;
            continue;
        }
        if place.take(line) || !line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c))
        {
            continue;
        }
        // The line after `calls=` is what the callee cost, which is counted there.
        let cost = line.split_whitespace().nth(1);
        let cost = cost.and_then(|cost| cost.parse::<f64>().ok());
        let Some(cost) = cost.filter(|_| !std::mem::take(&mut is_call)) else {
            continue;
        };
        let is_checksum = |name: &str| CHECKSUM.iter().any(|known| name.contains(known));
        if place.object != program {
            profile.library += cost;
        } else if is_checksum(&place.file) || is_checksum(&place.function) {
            profile.checksum += cost;
        } else if !place.file.ends_with("allocation.rs") {
            // Not the counting of allocations, which only this program does.
            *profile.functions.entry(place.function.clone()).or_default() += cost;
        }
    }
    profile
}

//! The gate: no stage costs more than its baseline says.

use super::baseline::{Baseline, Cost, INSTRUCTIONS_OVER_MAX, compiler};
use super::callgrind::{Profile, profile};
use super::{COUNTED_RUNS, STAGES, allocations};
use std::collections::BTreeMap;

const UPDATE: &str =
    "cargo bench --profile counted -p ottla --no-default-features --bench stages -- --update";
const PROFILE: &str = "counted";
/// Functions named of a stage that costs too much.
const FUNCTIONS_NAMED: usize = 6;

pub(crate) fn update() -> Result<(), String> {
    check_profile()?;
    let mut costs = BTreeMap::new();
    for stage in STAGES {
        let counted = profile(stage.name, COUNTED_RUNS)?;
        let cost = Cost {
            instructions: counted.total(),
            allocations: allocations(stage),
        };
        tell(stage.name, cost, &counted);
        costs.insert(stage.name.to_owned(), cost);
    }
    let compiler = compiler()?;
    Baseline { compiler, costs }.write()
}

pub(crate) fn check() -> Result<(), String> {
    check_profile()?;
    let baseline = Baseline::read()?;
    let compiler = compiler()?;
    let is_comparable = compiler == baseline.compiler;
    if !is_comparable {
        println!(
            "instructions are told, not judged: this is {compiler}, the baseline is of {}",
            baseline.compiler
        );
    }
    let mut faults = allocation_faults(&baseline);
    for stage in STAGES {
        let counted = profile(stage.name, COUNTED_RUNS)?;
        let cost = Cost {
            instructions: counted.total(),
            allocations: allocations(stage),
        };
        tell(stage.name, cost, &counted);
        let before = baseline.costs.get(stage.name);
        if let Some(before) = before.filter(|_| is_comparable) {
            faults.extend(instruction_fault(stage.name, before.instructions, &counted));
        }
    }
    verdict(faults)
}

/// Another profile makes other code.
fn check_profile() -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let is_counted = program.iter().any(|part| part == PROFILE);
    let gate = UPDATE.replace("--update", "--gate");
    is_counted.then_some(()).ok_or_else(|| {
        format!("instructions are counted in the profile `{PROFILE}` alone. Fix: {gate}")
    })
}

/// Allocations alone, which need no tool and are the same whatever compiles.
pub(crate) fn check_allocations() -> Result<(), String> {
    verdict(allocation_faults(&Baseline::read()?))
}

/// Exact: what has become better is written down too, so that it stays.
fn allocation_faults(baseline: &Baseline) -> Vec<String> {
    let mut faults = Vec::new();
    for stage in STAGES {
        let count = allocations(stage);
        match baseline.costs.get(stage.name) {
            None => faults.push(format!("{}: not in the baseline", stage.name)),
            Some(before) if (before.allocations - count).abs() >= 0.000_1 => faults.push(format!(
                "{}: {count:.4} allocations per request, the baseline has {:.4}",
                stage.name, before.allocations
            )),
            Some(_) => {}
        }
    }
    let known = |name: &String| STAGES.iter().any(|stage| stage.name == name);
    let gone = baseline.costs.keys().filter(|name| !known(name));
    faults.extend(gone.map(|name| format!("{name}: in the baseline, but no stage any more")));
    faults
}

fn instruction_fault(stage: &str, before: f64, counted: &Profile) -> Option<String> {
    let (now, over) = (counted.total(), counted.total() / before - 1.0);
    if over < -INSTRUCTIONS_OVER_MAX {
        println!(
            "{stage}: {:.1} % fewer instructions; keep them with {UPDATE}",
            over * -100.0
        );
    }
    if over <= INSTRUCTIONS_OVER_MAX {
        return None;
    }
    let functions = counted.top(FUNCTIONS_NAMED).into_iter();
    let functions = functions.map(|(name, cost)| format!("\n    {cost:9.1}  {name}"));
    Some(format!(
        "{stage}: {now:.1} instructions per request, {:.1} % above {before:.1}; most of them in{}",
        over * 100.0,
        functions.collect::<String>()
    ))
}

fn verdict(faults: Vec<String>) -> Result<(), String> {
    if faults.is_empty() {
        return Ok(());
    }
    let faults = faults.join("\n  ");
    Err(format!(
        "\n  {faults}\nIf that is meant, say why in the commit, after: {UPDATE}"
    ))
}

fn tell(stage: &str, cost: Cost, counted: &Profile) {
    println!(
        "{stage:40} {:9.1} instructions, {:7.1} of the C library, {:7.1} of the checksum, {:7.4} allocations",
        cost.instructions, counted.library, counted.checksum, cost.allocations
    );
}

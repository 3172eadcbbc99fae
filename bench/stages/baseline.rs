//! What each stage costs as of the last commit that meant to change it: `bench/stages.csv`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// More instructions than this over the baseline fail the gate.
pub(crate) const INSTRUCTIONS_OVER_MAX: f64 = 0.02;

/// Of one request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

pub(crate) struct Baseline {
    /// Another compiler makes other code: then instructions are only told.
    pub(crate) compiler: String,
    pub(crate) costs: BTreeMap<String, Cost>,
}

impl Baseline {
    pub(crate) fn read() -> Result<Baseline, String> {
        let path = path();
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        let mut baseline = Baseline {
            compiler: String::new(),
            costs: BTreeMap::new(),
        };
        for line in text.lines() {
            if let Some(compiler) = line.strip_prefix("# ") {
                baseline.compiler = compiler.to_owned();
            } else if let Some((stage, cost)) = cost_of(line) {
                baseline.costs.insert(stage.to_owned(), cost);
            }
        }
        Ok(baseline)
    }

    pub(crate) fn write(&self) -> Result<(), String> {
        let mut text = format!("# {}\nstage,instructions,allocations\n", self.compiler);
        for (stage, cost) in &self.costs {
            let (instructions, allocations) = (cost.instructions, cost.allocations);
            writeln!(text, "{stage},{instructions:.1},{allocations:.4}")
                .map_err(|error| error.to_string())?;
        }
        std::fs::write(path(), text).map_err(|error| error.to_string())
    }
}

/// `None` for the line of headings.
fn cost_of(line: &str) -> Option<(&str, Cost)> {
    let mut fields = line.rsplitn(3, ',');
    let allocations = fields.next()?.parse().ok()?;
    let instructions = fields.next()?.parse().ok()?;
    let cost = Cost {
        instructions,
        allocations,
    };
    Some((fields.next()?, cost))
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench/stages.csv")
}

/// As it names itself; what it makes depends on the machine it compiles for too.
pub(crate) fn compiler() -> Result<String, String> {
    let output = Command::new("rustc").arg("--version").output();
    let output = output.map_err(|error| format!("rustc --version: {error}"))?;
    let version = String::from_utf8_lossy(&output.stdout);
    Ok(format!("{}, {}", version.trim(), std::env::consts::ARCH))
}

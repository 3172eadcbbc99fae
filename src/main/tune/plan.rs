//! What is to be written where, for the knobs that are not as wanted.

use super::ByHand;
use crate::failure::Failure;
use crate::host::finding::Finding;
use crate::host::knobs::{LIMITS, Remedy};
use crate::host::root::{Root, unreadable};
use crate::host::scene::Scene;
use crate::host::wanted::Wanted;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// One place that is to say something else. The texts are whole files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) place: PathBuf,
    /// `None`: there is no such file.
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) by_hand: Vec<ByHand>,
}

impl Plan {
    /// A knob that could not be looked at is left alone.
    pub(super) fn new(findings: &[Finding], scene: &Scene) -> Result<Plan, Failure> {
        let mut plan = Plan {
            steps: Vec::new(),
            by_hand: Vec::new(),
        };
        for finding in findings.iter().filter(|finding| finding.is_fault()) {
            let steps = match &finding.knob.remedy {
                None => Vec::new(),
                Some(Remedy::Set(text)) => set(finding, text, scene)?,
                Some(Remedy::Install(place)) => match install(finding, Path::new(place), scene)? {
                    Some(step) => vec![step],
                    // It is there already, and counts from the next login.
                    None => Vec::new(),
                },
            };
            if steps.is_empty() {
                plan.by_hand.push(by_hand(finding, scene));
            }
            // Two knobs of one file need it once.
            let is_new =
                |step: &Step, steps: &[Step]| steps.iter().all(|other| other.place != step.place);
            for step in steps {
                if is_new(&step, &plan.steps) {
                    plan.steps.push(step);
                }
            }
        }
        Ok(plan)
    }
}

fn set(finding: &Finding, text: &str, scene: &Scene) -> Result<Vec<Step>, Failure> {
    let wanted = Wanted::parse(&finding.wanted).expect("a test reads the table");
    let text = scene.fill(text);
    if !finding.is_tunable(scene) {
        return Ok(Vec::new());
    }
    let values = finding.reading.values().iter();
    let places = values
        .filter(|value| !wanted.fits(&value.text))
        .filter_map(|value| value.place.as_ref());
    let steps = places.map(|place| {
        Ok(Step {
            name: finding.knob.name.clone(),
            place: place.clone(),
            before: whole(&scene.root, place)?,
            after: Some(format!("{text}\n")),
        })
    });
    steps.collect()
}

fn install(finding: &Finding, place: &Path, scene: &Scene) -> Result<Option<Step>, Failure> {
    let before = whole(&scene.root, place)?;
    let step = Step {
        name: finding.knob.name.clone(),
        place: place.to_owned(),
        before,
        after: Some(LIMITS.to_owned()),
    };
    Ok(Some(step).filter(|step| step.before != step.after))
}

fn by_hand(finding: &Finding, scene: &Scene) -> ByHand {
    ByHand {
        name: finding.knob.name.clone(),
        found: finding.reading.show(),
        wanted: finding.wanted.clone(),
        how: scene.fill(&finding.knob.how),
    }
}

/// The file with every byte of it; `None` when there is none.
pub(super) fn whole(root: &Root, place: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(root.at(place)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(unreadable(place, &error)).fix("run it as root")),
    }
}

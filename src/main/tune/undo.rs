//! Putting back what was before.

use super::Change;
use super::apply::{is_same, put};
use super::plan::{Step, whole};
use super::record::{self, Record};
use crate::failure::Failure;
use crate::host::reading::chosen;
use crate::host::root::Root;

/// The last change first. What somebody else has changed since is left alone, and told.
pub(super) fn run(root: &Root) -> Result<Vec<Change>, Failure> {
    if !Record::exists(root) {
        let failure = Failure::new(format!(
            "nothing to undo: {}/{} does not exist",
            record::FOLDER,
            record::NAME
        ));
        return Err(failure.fix(
            "ottla tune --apply makes it; tuning/README.md has the usual values of every knob",
        ));
    }
    let mut record = Record::open(root)?;
    let changes = record.steps().into_iter().map(|made| {
        let stands = whole(root, &made.place)?;
        let step = Step {
            before: stands,
            after: made.before.clone().map(|text| writable(&text)),
            name: made.name.clone(),
            place: made.place.clone(),
        };
        let is_ours = is_same(step.before.as_deref(), made.after.as_deref());
        let is_back = is_same(step.before.as_deref(), made.before.as_deref());
        let result = match (is_back, is_ours) {
            (true, _) => Ok(()),
            (false, true) => put(root, &step),
            (false, false) => Err(changed_since(&step)),
        };
        let has_failed = is_ours && result.is_err();
        if !has_failed {
            record.forget(&made.place)?;
        }
        Ok(Change { step, result })
    });
    let changes = changes.collect::<Result<Vec<Change>, Failure>>()?;
    // Also when all that it held went with an earlier boot.
    record.save()?;
    Ok(changes)
}

/// Of a choice the kernel takes the chosen word alone.
fn writable(text: &str) -> String {
    let word = chosen(text.trim_end());
    match word == text.trim_end() {
        true => text.to_owned(),
        false => format!("{word}\n"),
    }
}

fn changed_since(step: &Step) -> Failure {
    let [stands, before] = [&step.before, &step.after].map(|text| super::shown(text.as_deref()));
    let failure = Failure::new(format!(
        "{}: {} says {stands}, which tune did not set; left alone",
        step.name,
        step.place.display()
    ));
    failure.fix(format!("set it by hand; before tune it was {before}"))
}

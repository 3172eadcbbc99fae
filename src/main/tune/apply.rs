//! Making the changes of a plan, each written down before.

use super::Change;
use super::plan::{Plan, Step, whole};
use super::record::Record;
use crate::failure::Failure;
use crate::host::cpus::Cpus;
use crate::host::reading::chosen;
use crate::host::root::Root;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// One that fails leaves the others to be made.
pub(super) fn run(root: &Root, plan: &Plan) -> Result<Vec<Change>, Failure> {
    if plan.steps.is_empty() {
        return Ok(Vec::new());
    }
    let mut record = Record::open(root)?;
    let changes = plan.steps.iter().map(|step| {
        record.keep(step)?;
        let result = put(root, step);
        let stands = whole(root, &step.place);
        if result.is_err() && stands.as_ref() == Ok(&step.before) {
            record.forget(&step.place)?;
        }
        Ok(Change {
            step: step.clone(),
            result,
        })
    });
    changes.collect()
}

/// Writes what the step says, and looks whether it stands there then: the kernel may take a value and keep its own.
pub(super) fn put(root: &Root, step: &Step) -> Result<(), Failure> {
    let Step {
        name,
        place,
        before,
        after,
    } = step;
    let path = root.at(place);
    let written = match after {
        None => fs::remove_file(&path),
        Some(text) => write(&path, text, before.is_none()),
    };
    let refused = |reason: String| {
        let failure = Failure::new(format!("{name}: {} {reason}", place.display()));
        failure.fix("ottla doctor says how to set it by hand")
    };
    written.map_err(|error| refused(format!("cannot be written: {error}")))?;
    let stands = whole(root, place)?;
    match is_same(stands.as_deref(), after.as_deref()) {
        true => Ok(()),
        false => {
            let stands = stands.unwrap_or_default();
            Err(refused(format!("still says {}", chosen(stands.trim()))))
        }
    }
}

/// As the kernel writes it: of a choice the chosen word, of CPUs the same ones.
pub(super) fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return one == other;
    };
    let (one, other) = (chosen(one.trim()), chosen(other.trim()));
    let cpus = || Cpus::parse(one).zip(Cpus::parse(other));
    one == other || cpus().is_some_and(|(one, other)| one == other)
}

fn write(path: &Path, text: &str, is_new: bool) -> io::Result<()> {
    if let (true, Some(folder)) = (is_new, path.parent()) {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .create(is_new)
        .open(path)?;
    // The kernel takes a value in one piece.
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_has_its_own_way_to_write_the_same() {
        for (one, other, same) in [
            (Some("4096\n"), Some("4096"), true),
            (Some("none [mq-deadline]\n"), Some("mq-deadline\n"), true),
            (Some("0,1,2\n"), Some("0-2\n"), true),
            (Some("0-1\n"), Some("1\n"), false),
            (Some("1\n"), Some("2\n"), false),
            (None, None, true),
            (None, Some(""), false),
        ] {
            assert_eq!(is_same(one, other), same, "{one:?} {other:?}");
        }
    }
}

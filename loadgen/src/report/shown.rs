//! Runs as a page shows them: each with a name that no other has, and the colour of its kind.

use super::html::{Cell, escape};
use crate::headline::{durability, kind, kinds};
use crate::result::RunResult;
use serde::Serialize;

/// Colours the style defines; more kinds of runs begin again.
const COLOURS: usize = 8;

#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) run: &'a RunResult,
    /// Rounds of one label and one durability share a colour.
    pub(super) colour: usize,
    /// From 1; 0 when it is the only one of its kind.
    pub(super) round: usize,
}

/// What the script needs to know of a run besides its document.
#[derive(Serialize)]
pub(super) struct Legend {
    name: String,
    colour: usize,
}

pub(super) fn shown(runs: &[RunResult]) -> Vec<Shown<'_>> {
    let kinds = kinds(runs);
    let mut shown = Vec::with_capacity(runs.len());
    for (index, run) in runs.iter().enumerate() {
        let same = |other: &&RunResult| kind(other) == kind(run);
        let kind = kinds.iter().position(|found| *found == kind(run));
        let alone = runs.iter().filter(same).count() == 1;
        shown.push(Shown {
            run,
            colour: kind.expect("each run is of a kind") % COLOURS,
            round: if alone {
                0
            } else {
                runs[..=index].iter().filter(same).count()
            },
        });
    }
    shown
}

impl Shown<'_> {
    pub(super) fn legend(&self) -> Legend {
        Legend {
            name: self.name(),
            colour: self.colour,
        }
    }

    /// For a legend and for headings where the durability has no column.
    pub(super) fn name(&self) -> String {
        let durability = durability(self.run);
        match self.round {
            0 => format!("{} ({durability})", self.run.label),
            round => format!("{} ({durability}) #{round}", self.run.label),
        }
    }

    /// First cell of a row.
    pub(super) fn cell(&self) -> Cell {
        let mut label = escape(&self.run.label);
        if self.round > 0 {
            label = format!("{label} #{}", self.round);
        }
        let void = match self.run.void.is_empty() {
            true => "",
            false => " <b class=\"tag\">void</b>",
        };
        let colour = self.colour;
        Cell::html(format!(
            "<span class=\"run\"><i class=\"swatch c{colour}\"></i><span>{label}{void}</span></span>"
        ))
    }

    pub(super) fn durability_cell(&self) -> Cell {
        Cell::text(durability(self.run)).class("quiet")
    }
}

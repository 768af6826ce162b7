//! The mistakes of one kustomization, bounded in number, and their findings.

use super::shape::Mistake;
use crate::{
    finding::{Finding, Place},
    position::Position,
    yaml::Places,
};

/// The most mistakes that are reported of one kustomization.
const MAX_REPORTED: usize = 100;

/// The mistakes of a kustomization.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    reported: Vec<Mistake>,
    /// The number of further mistakes.
    more: usize,
}

impl Mistakes {
    pub(super) fn is_empty(&self) -> bool {
        self.reported.is_empty()
    }

    /// Adds a mistake; the closure is not called if there are enough.
    pub(super) fn add(&mut self, mistake: impl FnOnce() -> Mistake) {
        if self.reported.len() < MAX_REPORTED {
            self.reported.push(mistake());
        } else {
            self.more += 1;
        }
    }

    /// Returns the findings, each at its position in the text of the file.
    ///
    /// The kustomization starts at `line`.
    pub(super) fn findings(self, path: &str, text: &str, line: u32) -> Vec<Finding> {
        let (places, start) = (Places::of(text, line), Position { line, column: 1 });
        let at_its_place = |mistake: Mistake| {
            let position = places.nearest(&mistake.pointer).unwrap_or(start);
            finding(mistake, Place::in_file(path, position))
        };
        let mut findings: Vec<Finding> = self.reported.into_iter().map(at_its_place).collect();
        if self.more > 0 {
            let evidence = format!("there are {} mistakes more", self.more);
            let mistake = Mistake::error("", evidence, "correct those that are reported first");
            findings.push(finding(mistake, Place::in_file(path, start)));
        }
        findings
    }
}

/// Returns the finding about a mistake.
pub(super) fn finding(mistake: Mistake, place: Place) -> Finding {
    let Mistake { code, evidence, remedy, .. } = mistake;
    Finding { code, subject: place.path.to_string(), place: Some(place), evidence, remedy }
}

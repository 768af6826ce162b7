//! Sets of findings, as plans and reports have them.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Finding, Place};

/// A set of findings, sorted and each once.
///
/// It reads as a slice, and its JSON is a list.
///
/// ```
/// use flux_core::{
///     Findings,
///     finding::{Code, Finding, Place},
/// };
///
/// let finding = |path: &str| Finding {
///     code: Code::InvalidYaml,
///     subject: path.to_owned(),
///     place: Some(Place::start_of(path)),
///     evidence: "the mapping does not end".to_owned(),
///     remedy: "correct it".to_owned(),
/// };
/// let mut findings: Findings = [finding("b.yaml"), finding("a.yaml")].into_iter().collect();
/// findings.extend([finding("b.yaml")]);
/// assert_eq!(findings.len(), 2);
/// assert_eq!(findings[0].subject, "a.yaml");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Finding>")]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Makes an empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the findings as a list, in their order.
    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    /// Returns the findings as a list in the order of their places; those without one come first.
    pub fn by_place(self) -> Vec<Finding> {
        let Self(mut findings) = self;
        findings.sort_by(|a, b| (&a.place, a).cmp(&(&b.place, b)));
        findings
    }

    /// Moves findings to other places.
    ///
    /// `to` returns the new place; `None` if the finding stays where it is.
    pub fn relocate(&mut self, to: impl Fn(&Place) -> Option<Place>) {
        for place in self.0.iter_mut().filter_map(|finding| finding.place.as_mut()) {
            if let Some(new) = to(place) {
                *place = new;
            }
        }
        self.restore();
    }

    /// Restores the order after a change.
    fn restore(&mut self) {
        self.0.sort();
        self.0.dedup();
    }
}

impl Deref for Findings {
    type Target = [Finding];

    fn deref(&self) -> &[Finding] {
        &self.0
    }
}

impl From<Vec<Finding>> for Findings {
    fn from(findings: Vec<Finding>) -> Self {
        let mut set = Self(findings);
        set.restore();
        set
    }
}

impl From<Findings> for Vec<Finding> {
    fn from(findings: Findings) -> Self {
        findings.0
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<I: IntoIterator<Item = Finding>>(findings: I) -> Self {
        Vec::from_iter(findings).into()
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        let before = self.0.len();
        self.0.extend(findings);
        if self.0.len() > before {
            self.restore();
        }
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::Code, position::Position};

    fn finding(code: Code, path: &str) -> Finding {
        Finding {
            code,
            subject: "x".to_owned(),
            place: (!path.is_empty()).then(|| Place::start_of(path)),
            evidence: String::new(),
            remedy: String::new(),
        }
    }

    #[test]
    fn findings_are_sorted_and_each_stands_once_however_they_come() {
        let [a, b, none] = [
            finding(Code::InvalidYaml, "b.yaml"),
            finding(Code::Template, "a.yaml"),
            finding(Code::UnknownKind, ""),
        ];
        let expected = [a.clone(), b.clone(), none.clone()];
        let mut extended = Findings::new();
        for one in [&none, &a, &b, &a] {
            extended.extend([one.clone()]);
        }
        let collected: Findings = [&b, &a, &b, &none].into_iter().cloned().collect();
        assert_eq!(*extended, expected);
        assert_eq!(extended, collected);
        assert_eq!(collected.clone().by_place(), [none, b, a]);

        let json = serde_json::to_value(&collected).unwrap();
        assert!(json.is_array());
        assert_eq!(serde_json::from_value::<Findings>(json).unwrap(), collected);
        let unsorted = serde_json::to_value(collected.clone().by_place()).unwrap();
        assert_eq!(serde_json::from_value::<Findings>(unsorted).unwrap(), collected);
    }

    #[test]
    fn findings_that_come_to_one_place_are_one() {
        let two = ["a.yaml", "b.yaml"].map(|path| finding(Code::Template, path));
        let mut findings = Findings::from(two.to_vec());
        let to = Place::in_file("c.yaml", Position { line: 2, column: 1 });
        findings.relocate(|place| (&*place.path != "d.yaml").then(|| to.clone()));
        assert_eq!(*findings, [Finding { place: Some(to), ..two[0].clone() }]);
    }
}

//! The fields in which an object of the cluster is not what is to be sent.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    compare::{Compare, is_nothing},
    fields,
};
use crate::{
    backend::Fidelity,
    schema::{lists::Schema, path::FieldPath},
};

/// The object that is to be sent, beside the object as it is.
pub(super) struct Differences<'a> {
    pub(super) sent: &'a Value,
    pub(super) live: &'a Value,
    pub(super) group: &'a str,
    pub(super) fidelity: Fidelity,
}

impl Differences<'_> {
    /// Returns the fields that differ though they were applied: those that we no longer hold, and
    /// those with another value, whoever holds them.
    ///
    /// An admission policy changes a field and leaves it ours.
    pub(super) fn drift(&self, ours: &Map<String, Value>) -> Vec<FieldPath> {
        let mut paths = fields::uncovered(self.sent, ours);
        // The absence of something empty is no difference.
        paths.retain(|path| {
            let says_nothing = |object| path.get(object).is_none_or(is_nothing);
            !(says_nothing(self.sent) && says_nothing(self.live))
        });
        paths.extend(self.values(Some(ours), self.fidelity == Fidelity::Normalised));
        paths
    }

    /// Returns the fields with another value. With `defaults`, the items of lists that are one
    /// value may have fields that git does not name.
    ///
    /// `ours` are the fields that we own, if we own any.
    pub(super) fn values(&self, ours: Option<&Map<String, Value>>, defaults: bool) -> Vec<FieldPath> {
        let rewritten = self.fidelity == Fidelity::Normalised;
        let compare = Compare { schema: Schema::of_group(self.group), rewritten, defaults };
        compare.objects(self.sent, self.live, ours)
    }
}

/// Returns the paths without those that are part of another.
pub(super) fn outermost(paths: impl Iterator<Item = FieldPath>) -> BTreeSet<FieldPath> {
    let mut out = BTreeSet::<FieldPath>::new();
    // In order, a path comes before those within it.
    for path in paths.collect::<BTreeSet<_>>() {
        if !out.last().is_some_and(|outer| outer.contains(&path)) {
            out.insert(path);
        }
    }
    out
}

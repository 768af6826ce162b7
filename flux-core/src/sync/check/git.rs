//! The objects that git describes, as the checker identifies them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::known::{Identity, Known, Scopes};
use crate::{
    backend::Observed,
    finding::Place,
    manifest::ResourceId,
    sync::{Desired, DesiredObject, SyncOptions},
};

/// Objects with their ids.
type Identified<'a> = Vec<(ResourceId, &'a DesiredObject)>;

/// The objects that git describes, by id.
pub(super) struct Git<'a> {
    objects: ById<'a>,
    unknown_kinds: ById<'a>,
    /// The ids of the records of Jobs that go by their own time limit.
    records: BTreeSet<ResourceId>,
    /// The places of documents that are no objects.
    pub(super) no_objects: Vec<&'a Place>,
}

/// Objects in the order of their ids, those of one id beside each other.
struct ById<'a> {
    objects: Identified<'a>,
    /// `true` if two of them have one id.
    has_twins: bool,
}

impl<'a> ById<'a> {
    fn new(mut objects: Identified<'a>) -> Self {
        objects.sort_by(|(a, _), (b, _)| a.cmp(b));
        let has_twins = objects.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
        Self { objects, has_twins }
    }

    fn get(&self, id: &ResourceId) -> &[(ResourceId, &'a DesiredObject)] {
        let start = self.objects.partition_point(|(other, _)| other < id);
        let from = self.objects.get(start..).unwrap_or_default();
        let count = from.iter().take_while(|(other, _)| other == id).count();
        from.get(..count).unwrap_or_default()
    }
}

/// Skips the objects before an id, and returns those that have it.
fn advance<'g, 'a>(
    rest: &mut &'g [(ResourceId, &'a DesiredObject)],
    id: &ResourceId,
) -> &'g [(ResourceId, &'a DesiredObject)] {
    while let Some((first, others)) = rest.split_first()
        && first.0 < *id
    {
        *rest = others;
    }
    let count = rest.iter().take_while(|(other, _)| other == id).count();
    rest.get(..count).unwrap_or_default()
}

impl<'a> Git<'a> {
    pub(super) fn new(
        desired: &'a Desired,
        observed: &'a Observed,
        options: &'a SyncOptions,
        known: &mut Known,
    ) -> Self {
        let mut scopes = Scopes::new(desired, observed, options, known);
        let (mut objects, mut unknown_kinds) = (Vec::with_capacity(desired.objects.len()), Vec::new());
        let (mut records, mut no_objects) = (BTreeSet::new(), Vec::new());
        for described in &desired.objects {
            let object = &described.object;
            match scopes.identify(object) {
                Identity::Known(id) => {
                    let has_limit = |value: &Value| value.pointer("/spec/ttlSecondsAfterFinished").is_some();
                    if id.kind() == "Job" && *known.jobs.of(object, |object| has_limit(&object.value())) {
                        let name = format!("{}.has-run.fluxcd.io", id.name());
                        records.insert(ResourceId::new(id.namespace(), "ConfigMap", &name, ""));
                    }
                    objects.push((id, described));
                }
                Identity::UnknownKind(id) => unknown_kinds.push((id, described)),
                Identity::NoObject => no_objects.push(&described.place),
            }
        }
        Self { objects: ById::new(objects), unknown_kinds: ById::new(unknown_kinds), records, no_objects }
    }

    /// Returns every object with its id.
    pub(super) fn all(&self) -> impl Iterator<Item = (&ResourceId, &'a DesiredObject)> {
        self.objects.objects.iter().chain(&self.unknown_kinds.objects).map(|(id, described)| (id, *described))
    }

    /// Returns the objects of each id, known kinds and unknown ones, in one pass; the ids are in
    /// order.
    pub(super) fn of_each<'i>(
        &self,
        ids: impl Iterator<Item = &'i ResourceId>,
    ) -> Vec<[&[(ResourceId, &'a DesiredObject)]; 2]> {
        let (mut known, mut unknown) =
            (self.objects.objects.as_slice(), self.unknown_kinds.objects.as_slice());
        ids.map(|id| [advance(&mut known, id), advance(&mut unknown, id)]).collect()
    }

    /// Returns the number of objects of an id.
    pub(super) fn count(&self, id: &ResourceId) -> usize {
        self.objects.get(id).len() + self.unknown_kinds.get(id).len()
    }

    /// Returns `true` if not all that git describes is sound.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.objects.has_twins || !self.unknown_kinds.objects.is_empty() || !self.no_objects.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.objects.objects.is_empty() && self.unknown_kinds.objects.is_empty()
    }

    pub(super) fn describes(&self, id: &ResourceId) -> bool {
        self.count(id) > 0
    }

    /// Returns `true` if git describes an object, or one that has it as its record.
    pub(super) fn needs(&self, id: &ResourceId) -> bool {
        self.describes(id) || self.records.contains(id)
    }
}

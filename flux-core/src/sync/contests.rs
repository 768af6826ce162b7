//! The memory of fields that something in the cluster sets again after each sync.
//!
//! Without it, a sync and an admission policy, or a sync and a controller, would write against each
//! other for ever.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    manifest::ResourceId,
    sync::{Action, CHECKSUM_ANNOTATION, Contest, FieldDiff, Outcome, Reason, SyncPlan, SyncReport},
};

/// How often a field is set within [`MEMORY`] before it is left to whoever sets it again.
const WRITES: u32 = 3;
/// How long a contest is remembered; then the field is set once more.
const MEMORY: SignedDuration = SignedDuration::from_mins(10);

/// The fields that were set, and to what others set them before and after.
#[derive(Default)]
pub(crate) struct Contests(Mutex<BTreeMap<ResourceId, Object>>);

/// The fields of one object, for one state of it in git.
#[derive(Default)]
struct Object {
    checksum: String,
    /// By the path and the digest of the value that it was set from.
    fields: BTreeMap<(String, String), Writes>,
}

struct Writes {
    count: u32,
    last: Timestamp,
}

impl Contests {
    /// Returns the contests that a sync at `now` has to leave alone.
    pub(crate) fn at(&self, now: Timestamp) -> BTreeMap<ResourceId, Contest> {
        let mut objects = self.objects();
        objects.retain(|_, object| {
            object.fields.retain(|_, writes| now.duration_since(writes.last) < MEMORY);
            !object.fields.is_empty()
        });
        let contests = objects.iter().map(|(id, object)| {
            let lost = object.fields.iter().filter(|(_, writes)| writes.count >= WRITES);
            let mut contest = Contest::new(&object.checksum);
            contest.fields = lost.map(|((path, value), _)| (path.clone(), value.clone())).collect();
            (id.clone(), contest)
        });
        contests.filter(|(_, contest)| !contest.fields.is_empty()).collect()
    }

    /// Takes note of a plan that was carried out.
    pub(crate) fn note(&self, plan: &SyncPlan, report: &SyncReport, now: Timestamp) {
        let mut objects = self.objects();
        if !plan.steps.iter().any(|step| step.is_sent()) {
            return;
        }
        let reports: HashMap<_, _> = report.resources.iter().map(|report| (&report.id, report)).collect();
        for step in &plan.steps {
            let (Action::Create { object: sent, .. } | Action::Apply { object: sent, .. }) = &step.action
            else {
                continue;
            };
            let Some(report) = reports.get(&step.id).filter(|report| report.outcome != Outcome::Failed)
            else {
                continue;
            };
            let annotations = sent.at("/metadata/annotations").unwrap_or_default();
            let checksum = annotations[CHECKSUM_ANNOTATION].as_str().unwrap_or_default();
            let drifted =
                step.fields.iter().filter(|field| step.reason == Reason::Drifted && !is_person(field));
            let drifted = drifted.map(|field| ((field.path.clone(), field.live.clone()), 1));
            // What an admission policy does, it does to every write.
            let unsettled = report.unsettled.0.iter();
            let unsettled = unsettled.map(|(path, value)| ((path.clone(), value.clone()), WRITES));
            let mut writes = drifted.chain(unsettled).peekable();
            if writes.peek().is_none() && !objects.contains_key(&step.id) {
                continue;
            }
            let object = objects.entry(step.id.clone()).or_default();
            if object.checksum != checksum {
                *object = Object { checksum: checksum.to_owned(), fields: BTreeMap::new() };
            }
            for (field, count) in writes {
                let writes = object.fields.entry(field).or_insert(Writes { count: 0, last: now });
                writes.count = writes.count.saturating_add(count);
                writes.last = now;
            }
        }
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<ResourceId, Object>> {
        // Each object is whole between any two steps.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns `true` if a person changed a field by hand, which may well be done twice.
fn is_person(field: &FieldDiff) -> bool {
    field.owner.as_ref().is_some_and(|owner| owner.starts_with("kubectl"))
}

//! The decision about one object that git describes once and whose kind is known.

use serde_json::Value;

use crate::{
    backend::{Observation, Observed},
    finding::{Code, Finding},
    manifest::ResourceId,
    object::Object,
    plan::sync::UNMARKED,
    policy::Suspension,
    sync::{
        Action, DesiredObject, Owned, Reason, Step, SyncOptions, job,
        kept::Definitions,
        mark,
        object::{self, Ignore},
        order, prune,
        scaling::Autoscaled,
    },
};

/// All that speaks for every object.
pub(super) struct World<'a> {
    pub(super) observed: &'a Observation<Observed>,
    pub(super) options: &'a SyncOptions,
    pub(super) definitions: Definitions,
    pub(super) autoscaled: Autoscaled,
    /// Set if nothing is to be synced.
    pub(super) suspended: Option<&'a Suspension>,
}

/// A decision that is being made.
pub(super) struct Decision<'p> {
    pub(super) world: &'p World<'p>,
    pub(super) desired: &'p DesiredObject,
    /// The object of git.
    pub(super) object: &'p Value,
    pub(super) step: Option<Step>,
    pub(super) findings: Vec<Finding>,
    /// `true` if the object carries the mark of another sync set.
    pub(super) is_of_others: bool,
}

impl Decision<'_> {
    /// Decides; `past` is the record of a Job.
    pub(super) fn decide(&mut self, id: &ResourceId, live: Option<&Value>, past: Option<&Object>) {
        if !prune::may_touch(id, self.world.options) {
            let message = "its namespace is not among those that may be touched".to_owned();
            return self.push(id, Action::Skip, Reason::NamespaceNotAllowed, message);
        }
        let wholly = |object: &Value| object::ignore(object) == Ignore::Wholly;
        let ignored = match live {
            _ if wholly(self.object) => Some("its ignore annotation in git says so"),
            Some(live) if wholly(live) => Some("its ignore annotation in the cluster says so"),
            _ => None,
        };
        if let Some(message) = ignored {
            return self.push(id, Action::Skip, Reason::Ignored, message.to_owned());
        }
        let live_suspension =
            || Some(format!("{}; the annotation is in the cluster", object::suspended(live?)?));
        let suspended = self.world.suspended.cloned().or_else(|| object::suspended(self.object));
        if let Some(message) = suspended.map(|suspension| suspension.to_string()).or_else(live_suspension) {
            return self.push(id, Action::Skip, Reason::Suspended, message);
        }
        if object::is_encrypted(self.object) {
            let message = "it is encrypted with SOPS, and is left as it is in the cluster".to_owned();
            return self.push(id, Action::Skip, Reason::Encrypted, message);
        }
        match object::desired_form(self.object, id.namespace()) {
            Ok(form) => match live {
                None => self.create(id, form, past),
                Some(live) => self.update(id, form, live),
            },
            Err(problem) => {
                self.findings.push(Finding {
                    code: Code::NotAnObject,
                    subject: id.to_string(),
                    place: Some(self.desired.place.clone()),
                    evidence: problem.clone(),
                    remedy: "Correct the shape of the document.".to_owned(),
                });
                self.push(id, Action::Fail, Reason::Rejected, problem);
            }
        }
    }

    fn create(&mut self, id: &ResourceId, mut form: Value, past: Option<&Object>) {
        let checksum = object::checksum(&form);
        let record_id = job::record_id(id, &form);
        let has_run = past.is_some_and(|past| job::has_run(&past.value(), &checksum));
        if let (Some(record_id), true) = (&record_id, has_run) {
            let message = format!(
                "it has run, and its time limit took it away; to run it again, change it or delete {record_id}"
            );
            return self.push(id, Action::Skip, Reason::HasRun, message);
        }
        let record = job::record(id, &form, &checksum, &self.world.options.sync_set);
        let mark = |owned| mark::value(owned, &self.world.options.sync_set, id);
        // What could not be seen may have been there before: then it must never be pruned, unless
        // the cluster says that it was not.
        let (owned, mark_if_created) = if self.world.observed.has_seen(id.group(), id.kind()) {
            (Owned::Created, None)
        } else {
            (Owned::Adopted, Some(mark(Owned::Created)))
        };
        let adopted_from = (owned == Owned::Adopted).then_some(UNMARKED);
        object::put_mark(&mut form, mark(owned), checksum, adopted_from);
        let action = Action::Create { object: form.into(), mark_if_created };
        self.push(id, action, Reason::NotInCluster, String::new());
        if let Some(step) = &mut self.step {
            step.record = record;
        }
    }

    pub(super) fn push(&mut self, id: &ResourceId, action: Action, reason: Reason, message: String) {
        self.step = Some(desired_step(id, self.desired, action, reason, message));
    }
}

/// Returns the step of an object that git describes.
pub(super) fn desired_step(
    id: &ResourceId,
    desired: &DesiredObject,
    action: Action,
    reason: Reason,
    message: String,
) -> Step {
    Step {
        id: id.clone(),
        api_version: desired.object.api_version().to_owned(),
        action,
        stage: order::apply_stage(id.group(), id.kind()),
        reason,
        message,
        fields: Vec::new(),
        place: Some(desired.place.clone()),
        record: None,
    }
}

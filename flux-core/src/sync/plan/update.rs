//! The decision about an object that git describes and the cluster has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decide::Decision;
use crate::{
    backend::Fidelity,
    manifest::ResourceId,
    plan::contest::digest,
    schema::path::{Elem, FieldPath},
    sync::{
        Action, ApplyOptions, CHECKSUM_ANNOTATION, FieldDiff, Owned, Reason,
        differences::{Differences, outermost},
        fields::Managers,
        findings, ignored, job, mark,
        object::{self, is_mark},
        prune,
        takeover::{KindOf, Ownership, is_item},
    },
};

impl Decision<'_> {
    pub(super) fn update(&mut self, id: &ResourceId, form: Value, live: &Value) {
        let checksum = object::checksum(&form);
        let unchanged_in_git = live["metadata"]["annotations"][CHECKSUM_ANNOTATION] == checksum.as_str();
        let mark::Mark { owned, is_current } = mark::read(live, self.world.options.sets(), true);
        if owned == Owned::No && mark::has_mark(live) {
            self.is_of_others = true;
        }
        let managers = Managers::read(live);

        let record = job::record(id, &form, &checksum, &self.world.options.sync_set);
        let mut sent = form;
        let mut yielded = self.world.autoscaled.yield_fields(&mut sent, id, live, &managers);
        yielded.fields.extend(ignored::leave_fields(&mut sent, live));
        let mark = if owned == Owned::Created { Owned::Created } else { Owned::Adopted };
        let adopted_from = mark::adopted_from(live, &self.world.options.sync_set);
        let adopted_from = (mark == Owned::Adopted).then_some(adopted_from);
        let value = mark::value(mark, &self.world.options.sync_set, id);
        object::put_mark(&mut sent, value, checksum.clone(), adopted_from);

        let seen = &self.world.observed.value;
        let tracked = managers.ours().filter(|_| owned != Owned::No);
        let is_drift = tracked.is_some() && unchanged_in_git;
        let ownership = Ownership::new(live, self.kind_of(id), &sent, &yielded.fields, tracked.is_none());
        let differences = Differences { sent: &sent, live, group: id.group(), fidelity: seen.fidelity };
        let changed = match tracked {
            Some(ours) if is_drift => differences.drift(ours),
            Some(ours) => differences.values(Some(ours), seen.fidelity == Fidelity::Normalised),
            None => differences.values(managers.ours(), true),
        };
        let different: BTreeSet<FieldPath> =
            changed.into_iter().filter(|path| !yielded.covers(path) && !is_mark(path)).collect();
        let mut changed = outermost(different.iter().cloned());
        let released: BTreeMap<FieldPath, Option<String>> = ownership
            .released(&sent, &managers, is_drift)
            .into_iter()
            .filter(|(path, _)| !is_mark(path) && !changed.iter().any(|outer| outer.contains(path)))
            .collect();
        let contested = self.contested(id, live, &checksum, &mut changed);

        let removed =
            outermost(released.iter().filter(|(_, keeper)| keeper.is_none()).map(|(path, _)| path.clone()));
        let equal = changed.is_empty() && removed.is_empty();
        let (leave, reason) = match (owned, tracked.is_some()) {
            (Owned::No, _) => (false, Reason::Adopted),
            _ if is_drift && equal && is_current => (true, Reason::UpToDate),
            // Of a set that is taken over: it gets the mark of this one.
            _ if equal && !is_current => (false, Reason::Adopted),
            _ if is_drift => (false, Reason::Drifted),
            // Marked, but not by server-side apply of ours: v1 did it.
            (_, false) if equal => (false, Reason::Adopted),
            _ => (false, Reason::ChangedInGit),
        };
        let content_equal = equal && reason == Reason::Adopted;
        let fields = differences_of(&changed, &removed, live, &managers);
        let mut replaces = "";
        let only_reports = reason == Reason::Drifted && self.reports_drift();
        if only_reports {
            self.findings.push(findings::drifted(id, &self.desired.place, &fields));
        }
        let action = if only_reports {
            Action::Skip
        } else if leave {
            Action::Leave
        } else {
            let is_asked = object::says(self.object, "force", true)
                || self.world.options.force.contains(&id.to_string());
            let may_replace = is_asked && !prune::holds_others(id);
            let options = Box::new(ApplyOptions {
                takeover: ownership.takeover(&sent, tracked.is_none(), &different),
                replace: may_replace
                    .then(|| object::text(&live["metadata"], "uid").map(str::to_owned))
                    .flatten(),
                force_conflicts: !object::says(self.object, "force-conflicts", false),
            });
            if may_replace && !content_equal {
                replaces = "it may be deleted and created anew, if the API server does not let it be changed";
            }
            Action::Apply { object: sent.into(), content_equal, options }
        };
        let mut messages = vec![yielded.message, replaces.to_owned()];
        if mark::has_lost_its_mark(live) {
            messages.push("somebody removed its mark, which is put back".to_owned());
        }
        if !contested.is_empty() {
            let all: Vec<String> = contested.iter().map(ToString::to_string).collect();
            messages.push(format!("{} is left, because it is set again after each sync", all.join(" and ")));
            self.findings.push(findings::contested(id, &self.desired.place, &contested));
        }
        if let Some(deletion) = object::deletion(live) {
            messages.push(format!("{deletion}; git still names it"));
        }
        let kept = released.into_iter().filter(|(path, _)| !is_item(path));
        let kept = kept.filter_map(|(path, keeper)| Some((path, keeper?)));
        // Our own entry forgets the field with this apply: later syncs do not know of it.
        self.findings.extend(
            kept.filter(|_| !leave).map(|(path, keeper)| {
                findings::kept(id, Some(&self.desired.place), &path.to_string(), &keeper)
            }),
        );
        messages.retain(|message| !message.is_empty());
        self.push(id, action, reason, messages.join("; "));
        if let Some(step) = &mut self.step {
            step.record = record.filter(|_| matches!(step.action, Action::Apply { .. }));
            step.fields = fields;
        }
    }

    /// Returns `true` if what others change of an object is only reported.
    fn reports_drift(&self) -> bool {
        match object::annotation(self.object, "drift").and_then(Value::as_str) {
            Some("report") => true,
            Some("repair") => false,
            _ => self.world.options.report_drift,
        }
    }

    fn kind_of<'k>(&'k self, id: &'k ResourceId) -> KindOf<'k> {
        KindOf {
            group: id.group(),
            api_version: self.desired.object.api_version(),
            has_defaults: self.world.observed.value.fidelity == Fidelity::Normalised,
            // A definition of git's is applied before its objects.
            served: self
                .world
                .definitions
                .served
                .get(&(id.group().to_owned(), id.kind().to_owned()))
                .or_else(|| {
                    self.world.observed.value.versions.get(&(id.group().to_owned(), id.kind().to_owned()))
                }),
        }
    }

    /// Takes the fields out of `changed` that are set again after each sync, and returns them.
    fn contested(
        &self,
        id: &ResourceId,
        live: &Value,
        checksum: &str,
        changed: &mut BTreeSet<FieldPath>,
    ) -> Vec<FieldPath> {
        let contest =
            self.world.observed.value.contests.get(id).filter(|contest| contest.checksum == checksum);
        let Some(contest) = contest else { return Vec::new() };
        let is_contested = |path: &FieldPath| {
            contest.fields.get(&path.to_string()).is_some_and(|value| *value == digest(path.get(live)))
        };
        let found: Vec<FieldPath> = changed.iter().filter(|path| is_contested(path)).cloned().collect();
        changed.retain(|path| !found.contains(path));
        found
    }
}

/// Returns the differences, in the order of their paths.
fn differences_of(
    changed: &BTreeSet<FieldPath>,
    removed: &BTreeSet<FieldPath>,
    live: &Value,
    managers: &Managers<'_>,
) -> Vec<FieldDiff> {
    changed
        .union(removed)
        .map(|path| {
            let is_removed = removed.contains(path) && !changed.contains(path);
            let elements = || path.0.iter().map(Elem::to_fields_v1).collect();
            FieldDiff {
                released: is_removed.then(elements).unwrap_or_default(),
                ..diff(path, live, managers)
            }
        })
        .collect()
}

/// Returns a difference with the value that the cluster has.
fn diff(path: &FieldPath, live: &Value, managers: &Managers<'_>) -> FieldDiff {
    FieldDiff {
        path: path.to_string(),
        owner: managers.owner(path),
        changed: managers.time(path),
        released: Vec::new(),
        live: digest(path.get(live)),
    }
}

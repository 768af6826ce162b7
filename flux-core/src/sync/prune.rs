//! The deletions of a sync, and the guards that hold them back.
//!
//! Only objects that carry this sync set's mark of creation and that git does not name are ever
//! deleted. All of it is held back when anything is in doubt: something of git could not be read,
//! git names nothing at all, or more than ten objects and more than half of ours would go. Objects
//! of a kind that could not be seen in full in the cluster stay; those of other kinds may go.
//!
//! Namespaces and CustomResourceDefinitions are only deleted if the annotation `fluxcd.io/prune:
//! "true"` on them asks for it, and nothing that is known to be in them, or of their kind, is to
//! stay: it goes too, and much of it may be none of ours and out of sight. A PersistentVolume that
//! a claim is bound to is never deleted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Action, FieldDiff, Owned, Reason, Step, SyncOptions, mark,
    object::{self, Ignore},
    order,
};
use crate::{
    backend::{Completeness, Observation, Observed},
    finding::{Code, Finding},
    manifest::ResourceId,
    memo::Memo,
    object::Object,
    plan::contest::content_digest,
    policy::Suspension,
    schema::lists::is_builtin_group,
};

/// How many objects may go whatever the share of ours they are.
const FEW: usize = 10;

/// The objects that git names, and the findings about them.
pub(super) struct NamedByGit<'a> {
    /// The ids of the objects that a decision is made about, in order.
    pub(super) decided: &'a [ResourceId],
    /// The objects of the cluster that no decision is made about.
    pub(super) others: &'a [(&'a ResourceId, &'a Object)],
    /// The other ids that git names, in any order: of records, and of what is not sound.
    pub(super) also: &'a [ResourceId],
    /// How many of the decided objects this sync set has created.
    pub(super) ours: usize,
    /// Everything that was found out about it so far.
    pub(super) findings: &'a [Finding],
    /// Set if nothing is to be synced.
    pub(super) suspended: Option<&'a Suspension>,
}

impl NamedByGit<'_> {
    /// Returns all ids.
    fn ids(&self) -> impl Iterator<Item = &ResourceId> {
        self.decided.iter().chain(self.also)
    }

    /// Returns `true` if a decision is made about an object.
    fn decides(&self, id: &ResourceId) -> bool {
        self.decided.binary_search(id).is_ok()
    }
}

/// Returns the steps for objects that are ours and that git does not name, and what held them back.
pub(super) fn prune(
    wanted: &NamedByGit<'_>,
    observed: &Observation<Observed>,
    options: &SyncOptions,
    owners: &mut Memo<Owned>,
) -> (Vec<Step>, Vec<Finding>) {
    let seen = &observed.value.objects;
    let also: BTreeSet<&ResourceId> = wanted.also.iter().collect();
    let mut wanted_uids: Option<BTreeSet<&str>> = None;
    let mut steps = Vec::new();
    let mut findings = Vec::new();
    let mut candidates = Vec::new();
    let mut unseen = Vec::new();
    let mut holders = Vec::new();
    let mut ours = wanted.ours;
    for &(id, live) in wanted.others {
        let owned = *owners.of(live, |live| mark::read(&live.value(), options.sets(), false).owned);
        ours += usize::from(owned == Owned::Created);
        if owned == Owned::No || also.contains(id) {
            continue;
        }
        // The same object may be seen under two groups (extensions, apps): its uid tells.
        let uids = wanted_uids.get_or_insert_with(|| {
            let named = seen.iter().filter(|(id, _)| wanted.decides(id) || also.contains(*id));
            named.filter_map(|(_, live)| uid(live)).collect()
        });
        if uid(live).is_some_and(|uid| uids.contains(uid)) {
            continue;
        }
        match verdict(id, &live.value(), owned, wanted.suspended, options) {
            Some((reason, message)) => {
                if reason == Reason::PruneHeldBack {
                    findings.push(Finding {
                        code: Code::PruneHeldBack,
                        subject: id.to_string(),
                        place: None,
                        evidence: message.clone(),
                        remedy: remedy(id),
                    });
                }
                steps.push(step(id, live, Action::Skip, reason, message));
            }
            None if !observed.has_seen(id.group(), id.kind()) => unseen.push((id, live)),
            None if holds_objects(id) => holders.push((id, live)),
            None => candidates.push((id, live)),
        }
    }
    // What holds others goes only with all that is known to be in it.
    let goes: BTreeSet<&ResourceId> = candidates.iter().chain(&holders).map(|(id, _)| *id).collect();
    for (id, live) in holders {
        let object = live.value();
        let mut known = wanted.ids().chain(seen.keys());
        match known.find(|inner| is_in(inner, id, &object) && !goes.contains(inner)) {
            None => candidates.push((id, live)),
            Some(inner) => {
                let message = format!("{inner} would go with it, and is to stay");
                findings.push(Finding {
                    code: Code::PruneHeldBack,
                    subject: id.to_string(),
                    place: None,
                    evidence: message.clone(),
                    remedy: format!("Keep {id} in git, or let go of {inner} first."),
                });
                steps.push(step(id, live, Action::Skip, Reason::PruneHeldBack, message));
            }
        }
    }
    let held = guard(wanted, options, candidates.len(), ours);
    for (id, live) in &candidates {
        steps.push(match &held {
            Some((evidence, _)) => step(id, live, Action::Skip, Reason::PruneHeldBack, evidence.clone()),
            None if options.prune_dry_run => {
                let message = "only a dry run of pruning was asked for, which would delete it".to_owned();
                step(id, live, Action::Skip, Reason::PruneOff, message)
            }
            None => {
                let action = Action::Prune {
                    uid: uid(live).map(str::to_owned),
                    resource_version: Some(live.resource_version().to_owned())
                        .filter(|version| !version.is_empty()),
                    content: content_digest(&live.value()),
                };
                step(id, live, action, Reason::NotInGit, String::new())
            }
        });
    }
    let mut for_all = |evidence: &str, remedy: String, kept: &[(&ResourceId, &Object)]| {
        findings.push(Finding {
            code: Code::PruneHeldBack,
            subject: "prune".to_owned(),
            place: None,
            evidence: format!("{evidence}; kept, though git does not name them: {}", listing(kept)),
            remedy,
        });
    };
    if let (Some((evidence, remedy)), false) = (held, candidates.is_empty()) {
        for_all(&evidence, remedy, &candidates);
    }
    if !unseen.is_empty() {
        let (evidence, remedy) = cluster_in_doubt(&observed.completeness);
        for_all(evidence, remedy.to_owned(), &unseen);
        let held = |(id, live): &(&ResourceId, &Object)| {
            step(id, live, Action::Skip, Reason::PruneHeldBack, evidence.to_owned())
        };
        steps.extend(unseen.iter().map(held));
    }
    (steps, findings)
}

/// Returns the reason for which one object stays, whatever the others; `None` if it may go.
fn verdict(
    id: &ResourceId,
    live: &Value,
    owned: Owned,
    suspended: Option<&Suspension>,
    options: &SyncOptions,
) -> Option<(Reason, String)> {
    let metadata = &live["metadata"];
    let holds = |why: &str| Some((Reason::PruneHeldBack, why.to_owned()));
    if !may_touch(id, options) {
        return Some((Reason::NamespaceNotAllowed, String::new()));
    }
    if owned == Owned::Adopted {
        return Some((Reason::NotCreatedByFlux, "it was there before it was first synced".to_owned()));
    }
    if object::ignore(live) != Ignore::No {
        return Some((Reason::Ignored, "its ignore annotation in the cluster says so".to_owned()));
    }
    if object::prune(live) == Some(false) {
        return Some((Reason::Ignored, "its prune annotation in the cluster says so".to_owned()));
    }
    if let Some(owner) = metadata["ownerReferences"].as_array().and_then(|owners| owners.first()) {
        let word = |key: &str| object::text(owner, key).unwrap_or("?").to_owned();
        return Some((Reason::NotCreatedByFlux, format!("it belongs to {} {}", word("kind"), word("name"))));
    }
    if let Some(suspension) = suspended.cloned().or_else(|| object::suspended(live)) {
        return Some((Reason::Suspended, suspension.to_string()));
    }
    if !options.prune && !options.prune_dry_run {
        return Some((Reason::PruneOff, String::new()));
    }
    if let Some(deletion) = object::deletion(live) {
        return Some((Reason::NotInGit, deletion));
    }
    if !is_builtin_group(id.group()) {
        return None;
    }
    match id.kind() {
        "Namespace" | "CustomResourceDefinition" if object::prune(live) == Some(true) => None,
        "Namespace" => holds("deleting a namespace deletes everything in it, whoever made it"),
        "CustomResourceDefinition" => {
            holds("deleting a definition deletes every object of its kind, whoever made it")
        }
        "PersistentVolume" if live["status"]["phase"] == "Bound" => holds("a claim is bound to it"),
        _ => None,
    }
}

/// Returns the remedy for an object that is not deleted because of what would go with it.
fn remedy(id: &ResourceId) -> String {
    let (kind, name) = (id.kind().to_lowercase(), id.name());
    let delete = format!("kubectl delete {kind} {name}");
    match id.kind() {
        "PersistentVolume" => format!("Delete it by hand if it should go: {delete}"),
        _ => format!(
            "If it should go with all of that, delete it by hand: {delete}; or let the next sync do it: kubectl annotate {kind} {name} fluxcd.io/prune=true"
        ),
    }
}

/// Returns why objects of kinds that could not be seen in full stay, and what to do about it.
fn cluster_in_doubt(completeness: &Completeness) -> (&'static str, &'static str) {
    match completeness {
        Completeness::Stale { .. } => (
            "what was seen of their kinds in the cluster is old",
            "See that the cluster can be reached; the next sync prunes.",
        ),
        _ => (
            "not all objects of their kinds in the cluster could be seen",
            "See that these kinds can be listed and watched; the next sync prunes.",
        ),
    }
}

/// Returns `true` if an object may hold others that are objects of their own.
fn holds_objects(id: &ResourceId) -> bool {
    let kind = (id.group(), id.kind());
    [("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")].contains(&kind)
}

/// Returns `true` if an object is in a Namespace, or is of the kind of a definition.
fn is_in(inner: &ResourceId, holder: &ResourceId, live: &Value) -> bool {
    match holder.kind() {
        "Namespace" => inner.namespace() == Some(holder.name()),
        _ => live["spec"]["group"] == *inner.group() && live["spec"]["names"]["kind"] == *inner.kind(),
    }
}

/// Returns `true` if other objects, or data, go with an object of a kind when it is deleted: it is
/// never deleted to be created anew.
pub(super) fn holds_others(id: &ResourceId) -> bool {
    matches!(
        (id.group(), id.kind()),
        ("", "Namespace" | "PersistentVolume" | "PersistentVolumeClaim")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

/// Returns `true` if the options allow touching an object.
pub(super) fn may_touch(id: &ResourceId, options: &SyncOptions) -> bool {
    let Some(allowed) = &options.namespaces else { return true };
    let is_allowed = |namespace: &str| allowed.iter().any(|one| one == namespace);
    match id.namespace() {
        Some(namespace) => is_allowed(namespace),
        None => id.kind() != "Namespace" || !id.group().is_empty() || is_allowed(id.name()),
    }
}

/// Returns why nothing at all is deleted, and what to do about it.
fn guard(
    wanted: &NamedByGit<'_>,
    options: &SyncOptions,
    candidates: usize,
    ours: usize,
) -> Option<(String, String)> {
    let held_back = |evidence: String, remedy: &str| Some((evidence, remedy.to_owned()));
    if let Some(finding) = wanted.findings.iter().find(|f| f.code.hides_objects()) {
        let place = finding.place.as_ref().map_or_else(|| finding.subject.clone(), ToString::to_string);
        return held_back(
            format!("what git says is not known in full ({} at {place})", finding.code),
            "Correct what the errors name; the next sync prunes.",
        );
    }
    if wanted.ids().next().is_none() {
        return held_back(
            "git names no object at all".to_owned(),
            "See that the branch and the paths are right; if everything should go, delete it by hand.",
        );
    }
    if candidates > FEW && candidates * 2 > ours && !options.prune_all {
        return held_back(
            format!("{candidates} of {ours} objects would be deleted"),
            "If they should go, sync once with the guard off (prune_all); otherwise see that the branch and the paths are right.",
        );
    }
    None
}

fn uid(live: &Object) -> Option<&str> {
    Some(live.uid()).filter(|uid| !uid.is_empty())
}

fn step(id: &ResourceId, live: &Object, action: Action, reason: Reason, message: String) -> Step {
    Step {
        id: id.clone(),
        api_version: live.api_version().to_owned(),
        action,
        stage: order::prune_stage(id.group(), id.kind()),
        reason,
        message,
        fields: Vec::<FieldDiff>::new(),
        place: None,
        record: None,
    }
}

fn listing<T>(candidates: &[(&ResourceId, T)]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> = candidates.iter().take(SHOWN).map(|(id, _)| id.to_string()).collect();
    if candidates.len() > SHOWN {
        text.push(format!("and {} more", candidates.len() - SHOWN));
    }
    text.join(", ")
}

//! The rules of deletions: nothing is deleted against them, and no object is forgotten.

use std::{cell::OnceCell, collections::BTreeSet};

use serde_json::Value;

use super::{
    git::Git,
    known::Known,
    read::{Mark, is_allowed, is_kept, is_seen, is_suspended, mark_of, may_be_pruned, text},
    violation::{PruneRule, Violation},
};
use crate::{
    backend::{Observation, Observed},
    manifest::ResourceId,
    object::Object,
    plan::sync::{Action, Step, SyncPlan},
    sync::{Desired, SyncOptions},
};

/// The number of objects that may always go.
const ALWAYS_ALLOWED: usize = 10;

pub(super) fn check(
    plan: &SyncPlan,
    git: &Git<'_>,
    desired: &Desired,
    observed: &Observation<Observed>,
    options: &SyncOptions,
    known: &mut Known,
) -> Vec<Violation> {
    let live = &observed.value.objects;
    let uid = |id: &ResourceId| live.get(id).map(Object::uid).filter(|uid| !uid.is_empty());
    // One object may be seen under two API groups.
    let described: OnceCell<BTreeSet<&str>> = OnceCell::new();
    let read_uids = || git.all().filter_map(|(id, _)| uid(id)).collect();
    let in_git = |id: &ResourceId| {
        git.needs(id) || uid(id).is_some_and(|uid| described.get_or_init(read_uids).contains(uid))
    };

    let mut marked = Vec::with_capacity(live.len());
    for (id, object) in live {
        let mark = known.marks.of(object, |object| mark_of(&object.value(), options, id, false));
        marked.push((id, *mark));
    }
    let mut violations = forgotten(plan, observed, options, &marked, &in_git);
    let pruned: Vec<&Step> = plan
        .steps
        .iter()
        .map(|step| &**step)
        .filter(|step| matches!(step.action, Action::Prune { .. }))
        .collect();
    let ours = marked.iter().filter(|(_, mark)| *mark == Mark::Created).count();
    let git_in_doubt = git.is_in_doubt()
        || desired.findings.iter().chain(&plan.findings).any(|finding| finding.code.hides_objects());
    let for_all = [
        (PruneRule::Off, !options.prune || options.prune_dry_run),
        (PruneRule::GitInDoubt, git_in_doubt),
        (PruneRule::Suspended, options.suspended.is_some() || desired.suspended.is_some()),
        (PruneRule::EmptyGit, git.is_empty()),
        (PruneRule::TooMany, pruned.len() > ALWAYS_ALLOWED && pruned.len() * 2 > ours && !options.prune_all),
    ];
    let gone: BTreeSet<&ResourceId> = pruned.iter().map(|step| &step.id).collect();
    // What a Namespace or a definition would take along, and what is not deleted itself.
    let takes_along = |id: &ResourceId, object: &Value| {
        let mut known = live.keys().chain(git.all().map(|(id, _)| id));
        let is_inside = |inner: &ResourceId| match id.kind() {
            "Namespace" => inner.namespace() == Some(id.name()),
            "CustomResourceDefinition" => {
                text(object, "/spec/group") == Some(inner.group())
                    && text(object, "/spec/names/kind") == Some(inner.kind())
            }
            _ => false,
        };
        known.any(|inner| is_inside(inner) && !gone.contains(inner))
    };
    for step in &pruned {
        let object = &live.get(&step.id).map(Object::value).unwrap_or_default();
        let for_one = [
            (PruneRule::NotOurs, mark_of(object, options, &step.id, false) != Mark::Created),
            (PruneRule::ClusterInDoubt, !is_seen(observed, &step.id)),
            (PruneRule::InGit, in_git(&step.id)),
            (PruneRule::Namespace, !is_allowed(&step.id, options)),
            (PruneRule::Ignored, is_kept(object) || may_be_pruned(object) == Some(false)),
            (PruneRule::OwnedByOthers, is_owned(object)),
            (PruneRule::Suspended, is_suspended(object)),
            (PruneRule::HoldsOthers, holds_others(&step.id, object) || takes_along(&step.id, object)),
            (PruneRule::NoPrecondition, !has_preconditions(&step.action, object)),
        ];
        let broken = for_all.into_iter().chain(for_one).filter(|(_, is_broken)| *is_broken);
        violations.extend(broken.map(|(rule, _)| Violation::ForbiddenPrune { id: step.id.clone(), rule }));
    }
    violations
}

/// Checks that every object of the sync set that git no longer describes has a step.
///
/// An object that carries no mark has none.
fn forgotten(
    plan: &SyncPlan,
    observed: &Observation<Observed>,
    options: &SyncOptions,
    marked: &[(&ResourceId, Mark)],
    in_git: &dyn Fn(&ResourceId) -> bool,
) -> Vec<Violation> {
    let live = &observed.value.objects;
    let mut violations = Vec::new();
    let mut steps: Vec<&ResourceId> = plan.steps.iter().map(|step| &step.id).collect();
    steps.sort();
    let mut steps = steps.into_iter().peekable();
    // The objects of the cluster are in order too.
    for (id, mark) in marked {
        while steps.next_if(|step| step < id).is_some() {}
        if *mark != Mark::None && steps.peek() != Some(id) && !in_git(id) {
            violations.push(Violation::ForgottenObject { id: (*id).clone() });
        }
    }
    for step in plan.steps.iter().filter(|step| step.place.is_none()) {
        let object = live.get(&step.id);
        let ours =
            object.is_some_and(|object| mark_of(&object.value(), options, &step.id, false) != Mark::None);
        let acts = matches!(step.action, Action::Prune { .. } | Action::Skip);
        if !ours || !acts {
            violations.push(Violation::UnexpectedStep { id: step.id.clone() });
        }
    }
    violations
}

/// Returns `true` if something else owns an object, or deletes it already.
fn is_owned(object: &Value) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.is_some_and(|owners| !owners.is_empty())
        || object.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string)
}

/// Returns `true` if other objects, or data, would go with an object.
fn holds_others(id: &ResourceId, object: &Value) -> bool {
    match (id.group(), id.kind()) {
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            may_be_pruned(object) != Some(true)
        }
        ("", "PersistentVolume") => text(object, "/status/phase") == Some("Bound"),
        _ => false,
    }
}

/// Returns `true` if a deletion is conditional on what was seen.
fn has_preconditions(action: &Action, object: &Value) -> bool {
    let Action::Prune { uid, resource_version, .. } = action else { return true };
    uid.as_deref() == object.pointer("/metadata/uid").and_then(Value::as_str)
        && resource_version.as_deref() == object.pointer("/metadata/resourceVersion").and_then(Value::as_str)
}

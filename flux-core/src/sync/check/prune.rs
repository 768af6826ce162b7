//! The rules of deletions: nothing is deleted against them, and no object is forgotten.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    read::{Mark, is_allowed, is_kept, is_seen, is_suspended, mark_of, may_be_pruned, text},
    steps::Git,
    violation::{PruneRule, Violation},
};
use crate::{
    backend::{Observation, Observed},
    manifest::ResourceId,
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
) -> Vec<Violation> {
    let live = &observed.value.objects;
    let uid = |id: &ResourceId| live.get(id).and_then(|object| text(object, "/metadata/uid"));
    // One object may be seen under two API groups.
    let described: BTreeSet<&str> =
        git.objects.keys().chain(git.unknown_kinds.keys()).filter_map(uid).collect();
    let in_git = |id: &ResourceId| git.needs(id) || uid(id).is_some_and(|uid| described.contains(uid));

    let mut violations = forgotten(plan, observed, options, &in_git);
    let pruned: Vec<&Step> =
        plan.steps.iter().filter(|step| matches!(step.action, Action::Prune { .. })).collect();
    let ours = live.iter().filter(|(id, o)| mark_of(o, options, id, false) == Mark::Created).count();
    let git_in_doubt = !git.unknown_kinds.is_empty()
        || !git.no_objects.is_empty()
        || git.objects.values().any(|objects| objects.len() > 1)
        || desired.findings.iter().chain(&plan.findings).any(|finding| finding.code.hides_objects());
    let for_all = [
        (PruneRule::Off, !options.prune || options.prune_dry_run),
        (PruneRule::GitInDoubt, git_in_doubt),
        (PruneRule::Suspended, options.suspended.is_some() || desired.suspended.is_some()),
        (PruneRule::EmptyGit, git.objects.is_empty() && git.unknown_kinds.is_empty()),
        (PruneRule::TooMany, pruned.len() > ALWAYS_ALLOWED && pruned.len() * 2 > ours && !options.prune_all),
    ];
    let gone: BTreeSet<&ResourceId> = pruned.iter().map(|step| &step.id).collect();
    // What a Namespace or a definition would take along, and what is not deleted itself.
    let takes_along = |id: &ResourceId, object: &Value| {
        let known = live.keys().chain(git.objects.keys()).chain(git.unknown_kinds.keys());
        let is_inside = |inner: &ResourceId| match id.kind.as_str() {
            "Namespace" => inner.namespace.as_deref() == Some(&*id.name),
            "CustomResourceDefinition" => {
                text(object, "/spec/group") == Some(&*inner.group)
                    && text(object, "/spec/names/kind") == Some(&*inner.kind)
            }
            _ => false,
        };
        known.into_iter().any(|inner| is_inside(inner) && !gone.contains(inner))
    };
    for step in &pruned {
        let object = live.get(&step.id).map_or(&Value::Null, |object| &**object);
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
    in_git: &dyn Fn(&ResourceId) -> bool,
) -> Vec<Violation> {
    let live = &observed.value.objects;
    let mut violations = Vec::new();
    let steps: BTreeSet<&ResourceId> = plan.steps.iter().map(|step| &step.id).collect();
    for (id, object) in live {
        let ours = mark_of(object, options, id, false) != Mark::None;
        if ours && !in_git(id) && !steps.contains(id) {
            violations.push(Violation::ForgottenObject { id: id.clone() });
        }
    }
    for step in plan.steps.iter().filter(|step| step.place.is_none()) {
        let object = live.get(&step.id);
        let ours = object.is_some_and(|object| mark_of(object, options, &step.id, false) != Mark::None);
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
    match (id.group.as_str(), id.kind.as_str()) {
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

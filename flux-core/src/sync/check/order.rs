//! The order of the steps: one in which each finds what it needs.

use std::collections::BTreeMap;

use super::{read::text, violation::Violation};
use crate::{
    manifest::ResourceId,
    object::Object,
    plan::sync::{Action, Step, SyncPlan},
};

/// The kinds that run pods.
const WORKLOADS: [&str; 8] = [
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// The kinds that pods refer to.
const USED: [&str; 4] = ["ConfigMap", "PersistentVolumeClaim", "Secret", "ServiceAccount"];

pub(super) fn check(plan: &SyncPlan) -> Vec<Violation> {
    let mut violations = Vec::new();
    for pair in plan.steps.windows(2) {
        if let [before, after] = pair
            && before.stage > after.stage
        {
            violations.push(Violation::OutOfOrder { id: after.id.clone() });
        }
    }
    let steps = || plan.steps.iter().map(|step| &**step);
    let applied: Vec<&Step> = steps().filter(|step| sent(step).is_some()).collect();
    let pruned: Vec<&Step> = steps().filter(|step| matches!(step.action, Action::Prune { .. })).collect();
    violations.extend(needs_of_applied(&applied));
    // Deletions come after everything that is applied, and in the opposite order.
    let last_applied = applied.iter().max_by_key(|step| step.stage);
    for step in &pruned {
        if let Some(last) = last_applied.filter(|last| last.stage >= step.stage) {
            violations.push(too_early(step, &last.id));
        }
    }
    violations.extend(users_and_used(&pruned, false));
    violations
}

/// Returns the object that is sent, if one is.
fn sent(step: &Step) -> Option<&Object> {
    match &step.action {
        Action::Create { object, .. } | Action::Apply { object, .. } => Some(object),
        _ => None,
    }
}

fn too_early(step: &Step, needs: &ResourceId) -> Violation {
    Violation::TooEarly { id: step.id.clone(), needs: needs.clone() }
}

fn needs_of_applied(applied: &[&Step]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut namespaces: BTreeMap<&str, &Step> = BTreeMap::new();
    let mut definitions: BTreeMap<(String, String), &Step> = BTreeMap::new();
    for step in applied {
        if is(step, "", "Namespace") {
            namespaces.insert(step.id.name(), step);
        }
        let defined = sent(step).filter(|_| is(step, "apiextensions.k8s.io", "CustomResourceDefinition"));
        let kind = defined.map(Object::value).and_then(|d| {
            Some((text(&d, "/spec/group")?.to_owned(), text(&d, "/spec/names/kind")?.to_owned()))
        });
        if let Some(kind) = kind {
            definitions.insert(kind, step);
        }
    }
    for step in applied {
        let namespace = step.id.namespace().and_then(|namespace| namespaces.get(namespace));
        let definition = (!definitions.is_empty())
            .then(|| definitions.get(&(step.id.group().to_owned(), step.id.kind().to_owned())))
            .flatten();
        for needs in namespace.into_iter().chain(definition).filter(|needs| needs.stage >= step.stage) {
            violations.push(too_early(step, &needs.id));
        }
    }
    // A webhook that is configured before it runs refuses what would make it run.
    let last_workload = applied.iter().filter(|step| is_workload(step)).max_by_key(|step| step.stage);
    let webhooks = applied.iter().filter(|step| step.id.kind().ends_with("WebhookConfiguration"));
    for webhook in webhooks {
        if let Some(workload) = last_workload.filter(|workload| workload.stage >= webhook.stage) {
            violations.push(too_early(webhook, &workload.id));
        }
    }
    violations.extend(users_and_used(applied, true));
    violations
}

/// Holds what pods use against the workloads of the same namespace: the users wait for what they
/// use when it is applied, and the other way round when it is deleted.
fn users_and_used(steps: &[&Step], users_wait: bool) -> Vec<Violation> {
    let mut by_namespace: BTreeMap<Option<&str>, (Vec<&Step>, Vec<&Step>)> = BTreeMap::new();
    for step in steps {
        let (users, used) = by_namespace.entry(step.id.namespace()).or_default();
        if is_workload(step) {
            users.push(step);
        } else if step.id.group().is_empty() && USED.contains(&step.id.kind()) {
            used.push(step);
        }
    }
    let violation = |(users, used): (Vec<&Step>, Vec<&Step>)| {
        let (waiting, first) = if users_wait { (users, used) } else { (used, users) };
        let waiting = waiting.into_iter().min_by_key(|step| step.stage)?;
        let last = first.into_iter().max_by_key(|step| step.stage)?;
        (waiting.stage <= last.stage).then(|| too_early(waiting, &last.id))
    };
    by_namespace.into_values().filter_map(violation).collect()
}

fn is(step: &Step, group: &str, kind: &str) -> bool {
    step.id.group() == group && step.id.kind() == kind
}

fn is_workload(step: &Step) -> bool {
    let built_in = !step.id.group().contains('.');
    built_in && WORKLOADS.contains(&step.id.kind())
}

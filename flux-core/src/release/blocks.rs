//! Step 2, policy: workloads that a rule keeps as they are are settled as a whole.
//!
//! The rules are those of v1, in its order: see the page of [`release`](super).

use super::{
    context::Context,
    decision::{ContainerDecision, Decision, WorkloadDecision},
};
use crate::{
    manifest::Container,
    plan::{ImageRelease, ImageTarget, Operation, Reason, WorkloadVerdict},
    policy::Stop,
    workload::Class,
};

/// Settles the workloads that a rule blocks.
///
/// A change of policies is blocked by none of them.
pub(super) fn settle(context: &Context<'_>, decisions: &mut [WorkloadDecision<'_>]) {
    for workload in decisions.iter_mut().filter(|workload| workload.is_pending()) {
        let blocked = match context.operation {
            Operation::Policy(_) => None,
            _ => blocked_by(context, workload),
        };
        let encrypted = || {
            let encrypted = workload.located.resource.is_encrypted();
            encrypted.then(|| WorkloadVerdict::whole(Reason::Encrypted))
        };
        if let Some(verdict) = blocked.or_else(encrypted) {
            workload.decision = Decision::Whole(verdict);
        }
    }
}

/// Returns the verdict of the first rule that blocks the workload as a whole.
fn blocked_by(context: &Context<'_>, workload: &WorkloadDecision<'_>) -> Option<WorkloadVerdict> {
    let resource = workload.located.resource;
    if let Some(Class::ReadOnly(why)) = resource.class() {
        return Some(WorkloadVerdict::whole(Reason::ReadOnly).with_message(why));
    }
    // A cluster does not list the workloads of custom kinds.
    let in_cluster = |facts: &super::snapshot::ClusterFacts| {
        !facts.complete || resource.class() == Some(Class::Custom) || facts.workloads.contains(&workload.id)
    };
    if !context.snapshot.cluster.as_ref().is_none_or(in_cluster) {
        return Some(WorkloadVerdict::whole(Reason::NotInCluster));
    }
    let containers = resource.workload.as_deref().unwrap_or_default();
    if !uses_image(context.operation, containers) {
        return Some(WorkloadVerdict::whole(Reason::DifferentImage));
    }
    stopped(context, workload, containers)
}

/// Reports that a container has an image of the name that is asked for, or that no name is.
fn uses_image(operation: &Operation, containers: &[Container]) -> bool {
    let Operation::Image(ImageRelease { image: ImageTarget::Image(image), .. }) = operation else {
        return true;
    };
    let canonical = image.name.canonical();
    containers.iter().any(|container| match &container.image {
        Ok(image) => image.name.canonical() == canonical,
        // An image of this name that cannot be read is reported, not passed over.
        Err(bad) => bad.name().is_some_and(|name| name.canonical() == canonical),
    })
}

/// Returns the verdict of the policy that stops the workload, if one does.
fn stopped(
    context: &Context<'_>,
    workload: &WorkloadDecision<'_>,
    containers: &[Container],
) -> Option<WorkloadVerdict> {
    if context.operation.is_forced() {
        return None;
    }
    let policies = &workload.policies;
    let stop = policies.stop(context.now, context.operation.is_automatic())?;
    let (reason, message) = match &stop {
        // What keeps releases back does not keep a person from going back.
        Stop::Frozen(_) | Stop::InvalidGuards(_) if matches!(context.operation, Operation::Rollback(_)) => {
            return None;
        }
        Stop::Locked(_) => (Reason::Locked, Reason::Locked.message().to_owned()),
        Stop::Ignored => (Reason::IgnoredByPolicy, Reason::IgnoredByPolicy.message().to_owned()),
        Stop::InvalidGuards(_) => (Reason::InvalidPolicy, stop.to_string()),
        Stop::Frozen(_) => (Reason::Frozen, stop.to_string()),
        Stop::Held(_) => (Reason::OnHold, stop.to_string()),
    };
    let from = policies.from(stop.policy(), workload.located.path);
    let from = from.map(|(path, position)| context.snapshot.manifests.place(path, position));
    let why = from.map_or_else(|| stop.to_string(), |from| format!("{stop} ({from})"));
    let verdicts = containers.iter().map(|c| ContainerDecision::keep(reason, why.clone()).into_verdict(c));
    Some(WorkloadVerdict::whole(reason).with_message(message).with_containers(verdicts.collect()))
}

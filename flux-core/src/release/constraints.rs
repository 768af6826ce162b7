//! Step 5, constraints: workloads that may only change together are held back together.
//!
//! This step has the last word: it is taken again after each of the others that takes an update
//! back. It takes updates back itself and never makes one, so the planner goes round until nothing
//! changes.

use std::collections::BTreeMap;

use super::{
    context::Context,
    decision::{ContainerDecision, Decision, Progress, WorkloadDecision},
    groups,
    scope::not_described,
};
use crate::{
    manifest::WorkloadId,
    plan::{ContainersRelease, Operation, Reason, WorkloadVerdict},
};

/// Holds back whatever may not change alone.
pub(super) fn hold(context: &Context<'_>, decisions: &mut [WorkloadDecision<'_>]) -> Progress {
    match context.operation {
        Operation::Image(release) if release.is_forced() => Progress::Unchanged,
        Operation::Image(_) | Operation::Auto => groups::hold(decisions),
        Operation::Containers(release) => all_or_nothing(context, release, decisions),
        Operation::Policy(_) | Operation::Rollback(_) => Progress::Unchanged,
    }
}

/// Takes every update back, if any container that was named is not done, for whatever reason.
fn all_or_nothing(
    context: &Context<'_>,
    release: &ContainersRelease,
    decisions: &mut [WorkloadDecision<'_>],
) -> Progress {
    let undone: BTreeMap<WorkloadId, String> = release
        .containers
        .keys()
        .filter_map(|id| {
            let workload = decisions.iter().find(|workload| workload.id == *id);
            let why = match workload {
                Some(workload) => undone(workload)?,
                None => words(&not_described(context, id)),
            };
            Some((id.clone(), why))
        })
        .collect();
    if undone.is_empty() {
        return Progress::Unchanged;
    }
    let why: Vec<String> = undone.iter().map(|(id, why)| format!("{id}: {why}")).collect();
    let message = format!("something else of the request cannot be done: {}", why.join("; "));
    let blocked_by: Vec<WorkloadId> = undone.into_keys().collect();
    let mut changed = false;
    for workload in decisions {
        changed |= workload.take_back(|_| ContainerDecision::Keep {
            reason: Reason::NothingDone,
            message: message.clone(),
            blocked_by: blocked_by.clone(),
        });
    }
    Progress::of(changed)
}

/// Returns why a workload that was named is not done; `None` if it is done, or is as was asked.
fn undone(workload: &WorkloadDecision<'_>) -> Option<String> {
    match &workload.decision {
        Decision::Whole(verdict) => Some(words(verdict)),
        Decision::Containers(containers) => containers.iter().find_map(|(_, decision)| match decision {
            // One that is not named, or is passed over as it runs something else.
            ContainerDecision::Keep { reason: Reason::UpToDate | Reason::OtherImage, .. }
            | ContainerDecision::Update { .. } => None,
            // It was held back by this step, because of another.
            ContainerDecision::Keep { blocked_by, .. } if !blocked_by.is_empty() => None,
            ContainerDecision::Keep { message, .. } => Some(message.clone()),
        }),
        Decision::Pending | Decision::OutOfScope | Decision::Policies(_) => None,
    }
}

fn words(verdict: &WorkloadVerdict) -> String {
    if verdict.message.is_empty() { verdict.reason.to_string() } else { verdict.message.clone() }
}

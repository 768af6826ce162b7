//! Step 1, scope: every workload is taken up, and those that the request is not about are settled.
//!
//! A change of annotations may be about other objects too.

use super::{
    context::Context,
    decision::{Decision, WorkloadDecision},
};
use crate::{
    manifest::WorkloadId,
    plan::{Operation, Reason, Selection, WorkloadVerdict},
    policy::Policies,
};

/// Takes up every workload with its policies, and settles those that are out of scope.
pub(super) fn take_up<'a>(context: &mut Context<'a>) -> Vec<WorkloadDecision<'a>> {
    let manifests = &*context.snapshot.manifests;
    // The annotations of syncs can be changed on any object.
    let others = manifests.resources().filter(|located| match context.operation {
        Operation::Policy(change) => {
            located.resource.workload.is_none() && change.updates.contains_key(&located.workload_id())
        }
        _ => false,
    });
    manifests
        .workloads()
        .chain(others.collect::<Vec<_>>())
        .map(|located| {
            let patterns = &mut context.candidates.patterns;
            let policies = context.index.evaluate(&located, patterns, &mut context.findings);
            let id = located.workload_id();
            let decision = out_of_scope(context.operation, &id, &policies).unwrap_or(Decision::Pending);
            WorkloadDecision { id, located, policies, decision }
        })
        .collect()
}

/// Returns the decision about a workload that the request is not about; `None` if it is.
fn out_of_scope<'a>(operation: &Operation, id: &WorkloadId, policies: &Policies) -> Option<Decision<'a>> {
    let selection = match operation {
        Operation::Auto => return (!policies.automated).then_some(Decision::OutOfScope),
        Operation::Image(release) => &release.workloads,
        Operation::Rollback(rollback) => &rollback.workloads,
        Operation::Containers(release) => {
            let named = release.containers.contains_key(id);
            return (!named).then(|| Decision::whole(Reason::NotIncluded));
        }
        Operation::Policy(change) => {
            return (!change.updates.contains_key(id)).then_some(Decision::OutOfScope);
        }
    };
    let reason = match (operation, selection) {
        (_, Selection::Named(ids)) if !ids.contains(id) => Reason::NotIncluded,
        (Operation::Image(release), _) if release.exclude.contains(id) => Reason::Excluded,
        _ => return None,
    };
    Some(Decision::whole(reason))
}

/// Returns the verdict on a workload that the request names and git does not describe.
pub(super) fn not_described(context: &Context<'_>, id: &WorkloadId) -> WorkloadVerdict {
    let runs = context.snapshot.cluster.as_ref().is_some_and(|facts| facts.workloads.contains(id));
    let verdict = WorkloadVerdict::whole(if runs { Reason::NotInRepository } else { Reason::NotFound });
    match context.snapshot.manifests.candidates_for(id).as_slice() {
        [] | [_] => verdict,
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            verdict.with_message(format!("it may be {}: name one", ids.join(" or ")))
        }
    }
}

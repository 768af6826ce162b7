//! Step 3, images: each container of the workloads that are left is decided by candidates, guards
//! and holds, or by what was asked for it.

use super::{
    chooser::Chooser,
    containers,
    context::Context,
    decision::{ContainerDecision, Decision, WorkloadDecision},
    policy_change, rollback,
};
use crate::{
    manifest::Container,
    plan::{ImageRelease, ImageTarget, Operation, Reason},
};

/// Decides about every workload that is still pending.
pub(super) fn choose<'a>(context: &mut Context<'a>, decisions: &mut [WorkloadDecision<'a>]) {
    for workload in decisions.iter_mut().filter(|workload| workload.is_pending()) {
        let containers = workload.located.resource.workload.as_deref().unwrap_or_default();
        workload.decision = match context.operation {
            Operation::Policy(change) => policy_change::decide(context, workload, change),
            Operation::Containers(release) => {
                containers::decide(containers, release.containers.get(&workload.id), release)
            }
            Operation::Rollback(to) => rollback::decide(context, &workload.id, containers, to),
            Operation::Image(_) | Operation::Auto => {
                let decide =
                    |container: &'a Container| (container, of_container(context, workload, container));
                Decision::Containers(containers.iter().map(decide).collect())
            }
        };
        refuse_generated(workload);
    }
}

/// Decides about one container.
fn of_container(
    context: &mut Context<'_>,
    workload: &WorkloadDecision<'_>,
    container: &Container,
) -> ContainerDecision {
    let current = match &container.image {
        Ok(image) => image,
        Err(bad) => {
            let message = format!("`{}` is not an image reference: {}", bad.text, bad.problem);
            return ContainerDecision::keep(Reason::InvalidImage, message);
        }
    };
    let chooser = Chooser {
        snapshot: context.snapshot,
        automatic: context.operation.is_automatic(),
        current,
        container,
        located: &workload.located,
        policies: &workload.policies,
    };
    match context.operation {
        Operation::Image(ImageRelease { image: ImageTarget::Image(image), .. }) => {
            let forced = context.operation.is_forced();
            chooser.requested(image, forced, &mut context.needs, &mut context.candidates)
        }
        _ => chooser.newest(&mut context.needs, &mut context.candidates),
    }
}

/// Takes the updates of a generated workload back, where nothing changes what it is generated from.
fn refuse_generated(workload: &mut WorkloadDecision<'_>) {
    let refused = workload.located.generated.and_then(|generated| generated.refuses_images.as_ref());
    if let Some(refused) = refused {
        workload.take_back(|_| ContainerDecision::keep(Reason::NotEditable, refused.clone()));
    }
}

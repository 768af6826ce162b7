//! Back to the images of an earlier revision.

use super::{
    context::Context,
    decision::{ContainerDecision, Decision},
};
use crate::{
    manifest::{Container, WorkloadId},
    plan::{Reason, Rollback},
};

/// Decides about a workload that is to go back.
pub(super) fn decide<'a>(
    context: &mut Context<'_>,
    id: &WorkloadId,
    containers: &'a [Container],
    to: &Rollback,
) -> Decision<'a> {
    let revision = &to.to;
    let then = match context.snapshot.revisions.get(revision) {
        Some(Some(manifests)) => manifests,
        Some(None) => {
            let message = format!("revision {revision} is not in the repository");
            return Decision::whole_with(Reason::RevisionNotFound, message);
        }
        None => {
            context.needs.revisions.insert(revision.clone());
            return Decision::whole(Reason::Incomplete);
        }
    };
    let Some(before) = then.workload(id) else {
        return Decision::whole(Reason::NotInRevision);
    };
    let before = before.resource.workload.as_deref().unwrap_or_default();
    Decision::Containers(
        containers.iter().map(|container| (container, back(container, before, to))).collect(),
    )
}

fn back(container: &Container, before: &[Container], to: &Rollback) -> ContainerDecision {
    let short = to.to.short();
    let Some(then) = before.iter().find(|c| c.name == container.name) else {
        let message = format!("{short} has no container of this name");
        return ContainerDecision::keep(Reason::NotInRevision, message);
    };
    match (&then.image, &container.image) {
        (Err(bad), _) => ContainerDecision::keep(
            Reason::InvalidImage,
            format!("in {short}, `{}` is not an image reference: {}", bad.text, bad.problem),
        ),
        (Ok(then), Ok(now)) if then == now => ContainerDecision::up_to_date(now),
        (Ok(then), _) => ContainerDecision::Update {
            target: then.clone(),
            reason: Reason::RolledBack,
            message: format!("{then} is what {short} has"),
        },
    }
}

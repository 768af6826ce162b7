//! Back to the images of an earlier revision.

use super::{
    Reason, Rollback, WorkloadVerdict,
    choice::Chosen,
    plan::{Walk, What},
};
use crate::manifest::{Container, WorkloadId};

/// Decides on a workload that is to go back.
pub(super) fn decide<'a>(
    walk: &mut Walk<'a>,
    id: &WorkloadId,
    list: &'a [Container],
    to: &Rollback,
) -> What<'a> {
    let revision = &to.to;
    let then = match walk.snapshot.revisions.get(revision) {
        Some(Some(manifests)) => manifests,
        Some(None) => {
            let message = format!("revision {revision} is not in the repository");
            return What::Whole(WorkloadVerdict::whole(Reason::RevisionNotFound).saying(message));
        }
        None => {
            walk.needs.revisions.insert(revision.clone());
            return What::Whole(WorkloadVerdict::whole(Reason::Incomplete));
        }
    };
    let Some(before) = then.workload(id) else {
        return What::Whole(WorkloadVerdict::whole(Reason::NotInRevision));
    };
    let before = before.resource.workload.as_deref().unwrap_or_default();
    What::Containers(list.iter().map(|container| (container, back(container, before, to))).collect())
}

fn back(container: &Container, before: &[Container], to: &Rollback) -> Chosen {
    let short = to.to.short();
    let Some(then) = before.iter().find(|c| c.name == container.name) else {
        return Chosen::left(Reason::NotInRevision, format!("{short} has no container of this name"));
    };
    match (&then.image, &container.image) {
        (Err(bad), _) => Chosen::left(
            Reason::InvalidImage,
            format!("in {short}, `{}` is not an image reference: {}", bad.text, bad.problem),
        ),
        (Ok(then), Ok(now)) if then == now => Chosen::up_to_date(now),
        (Ok(then), _) => Chosen::Update {
            target: then.clone(),
            reason: Reason::RolledBack,
            message: format!("{then} is what {short} has"),
        },
    }
}

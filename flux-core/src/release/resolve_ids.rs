//! The ids of a request, resolved to those that workloads have.

use crate::{
    manifest::WorkloadId,
    manifest_set::Manifests,
    plan::{Operation, Selection},
};

/// Returns the same operation with the ids that workloads have.
///
/// An id with an API group that nothing needs, or without one that is needed, becomes that of the
/// one workload that it can name. Everything that an excluded id may name is left out; an id
/// that may name several workloads stays as it is, and is not found.
pub(super) fn resolve_ids(operation: &Operation, manifests: &Manifests) -> Operation {
    let one = |id: &WorkloadId| match manifests.candidates_for(id).as_slice() {
        [one] => one.clone(),
        _ => id.clone(),
    };
    let selection = |selection: &mut Selection| {
        if let Selection::Named(ids) = selection {
            *ids = ids.iter().map(one).collect();
        }
    };
    let mut resolved = operation.clone();
    match &mut resolved {
        Operation::Image(release) => {
            selection(&mut release.workloads);
            release.exclude = release.exclude.iter().flat_map(|id| manifests.candidates_for(id)).collect();
        }
        Operation::Rollback(rollback) => selection(&mut rollback.workloads),
        Operation::Containers(release) => {
            let containers = std::mem::take(&mut release.containers);
            release.containers = containers.into_iter().map(|(id, to)| (one(&id), to)).collect();
        }
        Operation::Policy(change) => {
            let updates = std::mem::take(&mut change.updates);
            change.updates = updates.into_iter().map(|(id, to)| (one(&id), to)).collect();
        }
        Operation::Auto => {}
    }
    resolved
}

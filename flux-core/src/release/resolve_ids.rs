//! The ids of a request, resolved to those that workloads have.

use crate::{
    manifest::{CLUSTER, WorkloadId},
    manifest_set::Manifests,
    plan::{Operation, Selection},
};

/// Returns the id of an object that is in no namespace, if an id names nothing else:
/// `namespace/shop` is read as one in the default namespace.
fn any_object(id: &WorkloadId, manifests: &Manifests) -> WorkloadId {
    let elsewhere = WorkloadId::new(CLUSTER, id.kind(), id.name());
    let has = |id: &WorkloadId| manifests.resources().any(|located| located.workload_id() == *id);
    if !has(id) && has(&elsewhere) { elsewhere } else { id.clone() }
}

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
            let any = |id: &WorkloadId| any_object(&one(id), manifests);
            change.updates = updates.into_iter().map(|(id, to)| (any(&id), to)).collect();
        }
        Operation::Auto => {}
    }
    resolved
}

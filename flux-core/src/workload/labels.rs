//! The labels that repeat the tag of a container.

use super::pods::pod_path;
use crate::{
    manifest::{Resource, ScalarRef, scalar_ref::scalar_ref},
    yaml::cursor::Cursor,
};

/// The labels that hold the version of an application.
const VERSION_LABELS: [&str; 2] = ["version", "app.kubernetes.io/version"];

const LABELS: &[&str] = &["metadata", "labels"];

/// Returns the version labels of an object of a file, its own and those of its pods.
///
/// They are `version` and `app.kubernetes.io/version`.
pub(crate) fn version_labels(at: &Cursor<'_, '_>, resource: &Resource) -> Vec<ScalarRef> {
    let own = at.path(LABELS);
    let of_pods = pod_path(resource.group(), &resource.kind)
        .and_then(|path| path.split_last())
        .filter(|(_, template)| !template.is_empty())
        .and_then(|(_, template)| at.path(template)?.path(LABELS));
    let labels = [own, of_pods].into_iter().flatten();
    let read_only_reason = resource.read_only_reason();
    labels
        .flat_map(|labels| VERSION_LABELS.map(|key| scalar_ref(&labels.get(key)?, read_only_reason)))
        .flatten()
        .collect()
}

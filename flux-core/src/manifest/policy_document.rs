//! The objects that are policy documents; [`policy`](crate::policy) reads their contents.

use super::Resource;

/// The API group of policy documents.
pub const POLICY_GROUP: &str = "fluxcd.io";

/// The kind of policy documents.
pub const POLICY_KIND: &str = "FluxPolicy";

/// Returns `true` if an object is a policy document, of any version.
///
/// It is read, and never applied to the cluster.
pub fn is_policy_document(resource: &Resource) -> bool {
    resource.group() == POLICY_GROUP && resource.kind == POLICY_KIND
}

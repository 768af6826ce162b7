//! Which objects are policy documents; [`policy`](crate::policy) reads what they say.

use super::Resource;

/// The API group of policy documents.
pub const POLICY_GROUP: &str = "fluxcd.io";

/// The kind of policy documents.
pub const POLICY_KIND: &str = "FluxPolicy";

/// Returns whether an object is a policy document, of whatever version: it is read, and never sent
/// to the cluster.
pub fn is_policy_document(resource: &Resource) -> bool {
    resource.group() == POLICY_GROUP && resource.kind == POLICY_KIND
}

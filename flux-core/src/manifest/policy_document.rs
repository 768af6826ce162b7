//! Policy documents as objects: they are read, and never sent to the cluster.

use super::Resource;

/// The API group of policy documents.
pub const POLICY_GROUP: &str = "fluxcd.io";

/// The kind of policy documents.
pub const POLICY_KIND: &str = "FluxPolicy";

/// Reports that an object is a policy document, of whatever version.
pub fn is_policy_document(resource: &Resource) -> bool {
    resource.group() == POLICY_GROUP && resource.kind == POLICY_KIND
}

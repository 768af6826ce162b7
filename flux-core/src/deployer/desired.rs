//! The objects that the cluster should have, of what was loaded.

use crate::{
    backend::Revision,
    finding::Findings,
    manifest::ApiVersion,
    manifest_set::{Located, Manifests},
    policy::{Suspension, is_policy_document},
    release,
    sync::{Desired, DesiredObject},
};

/// Returns the objects that git says the cluster should have.
pub(super) fn desired(revision: &Revision, manifests: &Manifests, findings: &Findings) -> Desired {
    let objects = sent(manifests)
        .map(|located| DesiredObject { object: located.resource.object.clone(), place: located.place() })
        .collect();
    let documents = manifests.resources().map(|located| located.resource);
    let mut policies = documents.filter(|document| is_policy_document(document));
    let mut findings = findings.to_vec();
    // A suspension that was misspelt must not go unnoticed.
    findings.extend(release::document_findings(manifests));
    Desired {
        revision: Some(revision.clone()),
        objects,
        findings,
        default_namespace: Some(manifests.default_namespace().to_owned()),
        suspended: policies.find_map(|policy| Suspension::of_document(&policy.object.value())),
    }
}

/// Returns the objects that are for the cluster.
pub(crate) fn sent(manifests: &Manifests) -> impl Iterator<Item = Located<'_>> {
    manifests.resources().filter(|located| !is_for_tools(&located.resource.api_version))
}

/// Returns `true` if a document speaks to tools and is never sent to a cluster.
fn is_for_tools(api_version: &ApiVersion) -> bool {
    *api_version == "fluxcd.io/v1alpha1" || api_version.group() == "kustomize.config.k8s.io"
}

//! Manifests: the objects that a file describes, as Kubernetes reads them, with the positions for
//! edits.

mod annotations;
mod container;
mod document_id;
pub(crate) mod kinds;
pub(crate) mod kustomization;
#[cfg_attr(
    not(feature = "deployer"),
    allow(dead_code, reason = "the shapes are for the checks, which the deployer makes")
)]
pub(crate) mod kustomization_keys;
pub(crate) mod load;
mod object;
mod paths;
mod policy_document;
pub(crate) mod scalar_ref;
pub(crate) mod sops;
mod template;

pub use container::{BadImage, Container, ContainerRole, ImageOrigin};
pub use document_id::DocumentId;
pub use kinds::{Scope, scope_of};
pub(crate) use kustomization::FILES as KUSTOMIZATION_FILES;
#[cfg(feature = "deployer")]
pub(crate) use kustomization::{is_file as is_kustomization_file, is_kustomization};
pub use object::{Annotation, Annotations, ParsedFile, Resource};
pub use paths::manifest_paths;
pub use policy_document::{POLICY_GROUP, POLICY_KIND, is_policy_document};
pub use scalar_ref::{Part, ScalarRef, SharedScalar, Site};

pub use crate::api_version::ApiVersion;
pub use crate::id::{CLUSTER, InvalidId, ResourceId, WorkloadId};
use crate::yaml::limits::Limit;

/// The bytes that a file may have; a larger one is not read.
pub const MAX_FILE_BYTES: u64 = Limit::BYTES as u64;

/// The version of the format of a [`ParsedFile`], for caches that outlive the process.
///
/// It changes whenever the same bytes would be parsed into something else.
pub const PARSE_FORMAT: u32 = 6;

//! Workloads: the objects that run images, and the places of their images.
//!
//! [`parse`] reads a file with the workloads in it. A [`ParsedFile`](crate::manifest::ParsedFile)
//! depends on nothing but the file's bytes: it is kept by the file's
//! [`ContentId`](crate::backend::ContentId) and never parsed twice.
//!
//! | what | its images | |
//! |---|---|---|
//! | Deployment, DaemonSet, StatefulSet, CronJob | those of its pods: containers, init containers, ephemeral ones | released |
//! | Argo's Rollout, Knative's Service | the same; a container that Knative leaves unnamed is `user-container` | released |
//! | HelmRelease of `helm.fluxcd.io` and `helm.toolkit.fluxcd.io` | by v1's conventions in `spec.values`: `chart-image` at the top, else called by its path | released |
//! | kinds that a `FluxPolicy` names in `spec.workloads` | where its paths lead | released |
//! | any object with a comment `# {"$imagepolicy": "ns:name:tag"}` | where the comments are; called by the policy's name | released |
//! | ReplicaSet, Job, Pod | as of a Deployment | listed, never edited |
//!
//! Where a kustomization sets an image (`images:` with `newName`, `newTag`, `digest`), that is the
//! image and the place to write: see
//! [`Manifests::new`](crate::manifest_set::Manifests::new). Labels that repeat a tag follow it by
//! [`version_label_edits`](crate::edit::version_label_edits).
//!
//! A rule for a custom kind has its `group` and `kind` (or `apiVersion`, for one version), and
//! paths:
//!
//! ```yaml
//! apiVersion: fluxcd.io/v1alpha1
//! kind: FluxPolicy
//! metadata: {name: platform}
//! spec:
//!   workloads:
//!   - group: example.com
//!     kind: Pipeline
//!     # each with containers, initContainers, ephemeralContainers
//!     pods: [spec.template.spec]
//!     # a mapping with `image`, or a list of such mappings
//!     containers: [spec.steps, "spec.templates.*.container"]
//!     # single images, whole or in parts
//!     images:
//!     - {name: agent, image: spec.agentImage}
//!     - name: db
//!       registry: spec.db.registry
//!       repository: spec.db.repository
//!       tag: spec.db.tag
//!       digest: spec.db.digest
//! ```
//!
//! A path has dots between its keys, or is a JSON pointer (`/spec/a.b`); `*` stands for every item
//! of a list and every entry of a mapping. A path that matches nothing in an
//! object is ignored. A mistake in a rule is reported with its line, and the rule is left out.

mod context;
mod custom;
mod helm;
mod image_parts;
mod labels;
mod parse;
mod pods;
mod setter;
mod unread;

pub(crate) use custom::{apply, apply_those_of, has_rules};
pub use parse::parse;
pub use pods::Class;

//! Manifests: YAML documents with byte spans, the workloads in them and their containers, and edits in place.
//!
//! Reading and editing share one parse ([`parse`]), so they cannot disagree. A [`ParsedFile`] depends on nothing but the file's bytes: it
//! is kept under the file's [`ContentId`](crate::backend::ContentId) and never made twice.
//!
//! What is read is what `kubectl` would send: YAML 1.1 scalars as Go's library types them (`on` is true, `0644` is 420, `1.20` is 1.2), of equal keys
//! the last (that there are such is told), aliases and merge keys resolved, lists taken apart into their items. What cannot be read is a [`Problem`] with its place, and never
//! stops the rest. [Where kubectl reads otherwise](#where-kubectl-reads-otherwise) says what is refused and what is read beyond it.
//!
//! An edit of an image replaces the scalar that holds it and no other byte:
//!
//! - quotes stay; a new value without quotes gets them where YAML would read it as something else; a block scalar becomes a plain one;
//! - a value that several places have (by an anchor and its aliases, or by merge keys) is written once, where it stands, when all of them change to
//!   the same in one set ([`image_edits`]);
//! - otherwise an alias of the value is replaced by it, and a mapping that merges it in gets a key of its own right behind the `<<`, in the style of its
//!   neighbours. The anchor and its other users keep theirs;
//! - the anchored value itself is written when all others that have it are written elsewhere in the same set, and refused while one of them stays;
//! - what stands in a mapping or list that other places have by an alias is refused while one of these stays. The reason names the anchor, its line and what
//!   helps;
//! - an image in several keys (`registry`, `repository`, `tag`, `digest`) is changed in all that differ, or not at all;
//! - a value whose tag says that it is no text (`!!binary`, `!!float`) is refused;
//! - a document encrypted with SOPS is refused: its seal would break.
//!
//! A key is added in two places only: where an image comes by a merge key, and as the `newTag` beside a lone `digest` in a kustomization. [Edits of annotations](annotation_edits)
//! add and remove entries, and the `annotations` key with them, in the style of their neighbours.
//!
//! [`prove`] applies edits only if the result, read again, differs in the intended values and nothing else.
//!
//! # Workloads
//!
//! | what | its images | |
//! |---|---|---|
//! | Deployment, DaemonSet, StatefulSet, CronJob | those of its pods: containers, init containers, ephemeral ones | released |
//! | Argo's Rollout, Knative's Service | the same; what Knative leaves unnamed is `user-container` | released |
//! | HelmRelease of `helm.fluxcd.io` and `helm.toolkit.fluxcd.io` | by v1's conventions in `spec.values`: `chart-image` at the top, else called by its path | released |
//! | kinds that a `FluxPolicy` names in `spec.workloads` | where its paths lead | released |
//! | any object with a comment `# {"$imagepolicy": "ns:name:tag"}` | where the comments are; called by the policy's name | released |
//! | ReplicaSet, Job, Pod | as of a Deployment | listed, never edited |
//!
//! Where a kustomization sets an image (`images:` with `newName`, `newTag`, `digest`), that is the image and the place to write: see
//! [`Manifests::new`]. Labels that repeat a tag follow it by [`version_label_edits`].
//!
//! A rule for a custom kind has its `group` and `kind` (or `apiVersion`, for one version), and paths:
//!
//! ```yaml
//! apiVersion: fluxcd.io/v1alpha1
//! kind: FluxPolicy
//! metadata: {name: platform}
//! spec:
//!   workloads:
//!   - group: example.com
//!     kind: Pipeline
//!     pods: [spec.template.spec]                            # each with containers, initContainers, ephemeralContainers
//!     containers: [spec.steps, "spec.templates.*.container"] # a mapping with `image`, or a list of such
//!     images:                                               # single images, whole or in parts
//!     - {name: agent, image: spec.agentImage}
//!     - {name: db, registry: spec.db.registry, repository: spec.db.repository, tag: spec.db.tag, digest: spec.db.digest}
//! ```
//!
//! A path has dots between its keys, or is a JSON pointer (`/spec/a.b`); `*` stands for every item of a list and every entry of a mapping. One that leads nowhere
//! in an object is passed over. What is wrong with a rule is told with its line, and the rule is left out.
//!
//! # Where kubectl reads otherwise
//!
//! kubectl cuts a file at the lines that start with `---` and gives each piece to a reader of YAML 1.1 that is lenient in some places and strict in others.
//! What it reads is read here too, to the same value: `"it\'s"`, `"a"#comment`, a text between quotes that goes on at the indentation of its
//! key, tabs before lines between braces, `---# comment`, a byte order mark behind a separator, JSON objects behind one another.
//!
//! | in the file | kubectl | here |
//! |---|---|---|
//! | `{a:}`, `[?a]`, `[!x, b]`, `&a:b` | reads silently what nobody meant: the key `a:`, the key `a`, the tag `!x,`, the text `:b` | refused |
//! | U+0085, U+2028 and U+2029 in a text | ends a line there | refused, unless the text is the same either way or the file is JSON |
//! | what is indented less than the first line, or follows a whole value: `{a: b} c` | dropped without a word | refused, and the value before it used |
//! | `.inf`, a number past 64 bits as a key, a value that contains itself, all under a key that is written again | used or not as the later key says | refused |
//! | `[-]`, `{a: b:}` | reads `-` and `b:` | refused |
//! | a directive (`%YAML 1.1`) in a document, without `---` before it | refuses or drops it | refused |
//! | a document behind `...` without a `---` | dropped without a word | read |
//! | `--- text` on one line, `%YAML`, other directives | refused | read |
//! | `"\/"`, `"\ud83d\ude00"`, tabs in blank lines, a key over several lines between braces | refused | read |
//! | UTF-16 | read | refused: save the file as UTF-8 |
//! | keys that are equal only as text (`1` and `'1'`) | one of them, by chance | the last |
//!
//! # Example
//!
//! ```
//! use flux_core::manifest::{parse, prove};
//!
//! let file = b"apiVersion: apps/v1
//! kind: Deployment
//! metadata: {name: web}
//! spec:
//!   template:
//!     spec:
//!       containers:
//!       - {name: web, image: 'example/web:1.19'}  # the shop window
//! ";
//! let parsed = parse(file);
//! let web = &parsed.resources[0].workload.as_ref().unwrap()[0];
//! let (edits, intents): (Vec<_>, Vec<_>) = web.edits(&"example/web:1.20".parse()?)?.into_iter().unzip();
//! let edited = prove(file, &edits, &intents)?;
//! assert!(String::from_utf8(edited)?.ends_with("image: 'example/web:1.20'}  # the shop window\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotations;
mod custom;
mod dialect;
mod document;
mod edit;
mod emit;
mod files;
mod helm;
mod id;
mod kinds;
pub(crate) mod kustomize;
mod labels;
mod layout;
mod leaves;
mod limits;
mod load;
mod mend;
mod merge;
mod parts;
mod places;
mod prove;
mod quote;
mod scalar;
mod seal;
mod setter;
mod site;
mod template;
mod text;
mod tree;
mod uses;
mod value;
mod walk;
mod workload;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    finding::{Code, Finding, Place},
    image::{ImageName, ImageRef, InvalidImage},
};

pub use annotations::annotation_edits;
pub(crate) use document::{document, first_document};
pub use edit::{ImageChange, PlacedEdit, apply, image_edits};
pub use emit::emit;
pub use files::{Generated, Located, Manifests, manifest_paths};
pub use id::{CLUSTER, InvalidId, ResourceId, WorkloadId};
pub use kinds::{Scope, scope_of};
pub(crate) use kustomize::image_by_entry;
pub use kustomize::{Build, Described};
pub(crate) use kustomize::{FILES as KUSTOMIZATION_FILES, is_file as is_kustomization_file};
pub use labels::{LeftLabel, VersionLabels, version_label_edits};
pub use load::parse;
pub(crate) use places::{Places, Spot};
pub use prove::prove;
pub use site::{Leaf, NewKey, Part, SharedScalar, Site};
pub use workload::Class;

/// The bytes that a file may have; a larger one is not read.
pub const MAX_FILE_BYTES: u64 = limits::Limit::BYTES as u64;

/// The format of a [`ParsedFile`], for caches that outlive the process. It changes whenever the same bytes would be parsed into something else.
pub const PARSE_FORMAT: u32 = 4;

/// Everything that was read of one file. Holds no path: equal bytes have equal parses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParsedFile {
    /// The objects, in the order in which they stand. Items of a list stand as objects of their own.
    pub resources: Vec<Resource>,
    /// What could not be read. The rest of the file is used.
    pub problems: Vec<Problem>,
}

/// A finding about a file whose path is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which rule speaks.
    pub code: Code,
    /// Of what, when it is not the file itself.
    pub subject: Option<String>,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// What was seen.
    pub evidence: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// What is wrong with a file at a line and column of it.
    fn new(code: Code, (line, column): (u32, u32), evidence: impl Into<String>, remedy: &str) -> Self {
        let (evidence, remedy) = (evidence.into(), remedy.to_owned());
        Self { code, subject: None, line, column, evidence, remedy }
    }

    /// The same, of a part of the file that has a name.
    fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// The finding about the file at `path`.
    pub fn at(&self, path: &str) -> Finding {
        Finding {
            code: self.code,
            subject: self.subject.clone().unwrap_or_else(|| path.to_owned()),
            place: Some(Place { path: path.to_owned(), line: self.line, column: self.column }),
            evidence: self.evidence.clone(),
            remedy: self.remedy.clone(),
        }
    }
}

/// One Kubernetes object of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`, as written.
    pub kind: String,
    /// `metadata.namespace`, if written.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// Where the object starts: line, counted from 1.
    pub line: u32,
    /// Where the object starts: column in characters, counted from 1.
    pub column: u32,
    /// The object as Kubernetes reads it.
    pub object: Arc<Value>,
    /// The annotations, with the places of their values.
    pub annotations: BTreeMap<String, Annotation>,
    /// The containers, if this is a workload: containers, then init containers, then ephemeral ones.
    pub workload: Option<Vec<Container>>,
    /// The scalars that may hold images, of objects whose kind says nothing of where images stand: rules in another file may say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<Leaf>,
    /// The labels that may repeat the tag of a container: `version` and `app.kubernetes.io/version`, of the object and of its pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version_labels: Vec<Leaf>,
}

impl Resource {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether it may be what an id names. If it names no namespace itself, it is in `default`, or in none if its kind
    /// is scoped to the cluster; of kinds that are not built in, either may be the case.
    pub fn is(&self, id: &WorkloadId) -> bool {
        let is_there = match (self.namespace.as_deref(), scope_of(&self.api_version, &self.kind)) {
            (_, Some(Scope::Cluster)) => id.namespace() == CLUSTER,
            (Some(namespace), _) => id.namespace() == namespace,
            (None, Some(Scope::Namespaced)) => id.namespace() == "default",
            (None, None) => matches!(id.namespace(), "default" | CLUSTER),
        };
        is_there
            && self.name == id.name()
            && self.kind.to_lowercase() == id.kind()
            && id.group().is_none_or(|group| self.group().eq_ignore_ascii_case(group))
    }

    /// Whether SOPS has encrypted the document: it is not what the cluster should get, and an edit would break its seal.
    pub fn is_encrypted(&self) -> bool {
        self.object.as_object().is_some_and(seal::is_sealed)
    }
}

/// The value of an annotation and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The value.
    pub value: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

/// A place in a workload that names an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The index of its object in the file.
    pub resource: usize,
    /// The container's name.
    pub name: String,
    /// Which list it stands in.
    pub role: ContainerRole,
    /// The image as written; an error if there is none or it cannot be parsed.
    pub image: Result<ImageRef, BadImage>,
    /// Line of the image, counted from 1.
    pub line: u32,
    /// Column of the image in characters, counted from 1.
    pub column: u32,
    /// The scalars that an edit of the image rewrites.
    pub sites: Vec<Site>,
    /// Where the scalars stand, if not in the object: an entry of a kustomization sets the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
    /// The name that the object gives the image, where a kustomization puts another in its place and leaves the tag to the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed: Option<ImageName>,
}

/// The document that sets the image of an object in another file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Its file.
    pub path: String,
    /// The index of the document in its file.
    pub resource: usize,
    /// Where the image stands in the object itself, as a JSON pointer.
    pub pointer: String,
    /// Line of what says the image there, counted from 1.
    pub line: u32,
    /// Its column in characters, counted from 1.
    pub column: u32,
    /// The `name` of the entry of `images:`, if the document is a kustomization; else that of the object which it describes.
    pub name: String,
}

/// The text of an image that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadImage {
    /// The text as written.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

impl BadImage {
    /// The name that the text gives, where what is wrong stands behind it.
    pub(crate) fn name(&self) -> Option<ImageName> {
        let start = self.text.rfind('/').unwrap_or(0);
        let end = self.text[start..].find([':', '@']).map_or(self.text.len(), |at| start + at);
        self.text[..end].parse().ok()
    }
}

impl From<InvalidImage> for BadImage {
    fn from(e: InvalidImage) -> Self {
        Self { problem: e.problem.to_owned(), text: e.text }
    }
}

/// Which list of a pod a container stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerRole {
    /// `containers`.
    Main,
    /// `initContainers`.
    Init,
    /// `ephemeralContainers`.
    Ephemeral,
}

impl Container {
    /// The edits that set the image: all parts or none, and none if it is that image already. They are for the container's own
    /// file, and as if no other container changed; [`image_edits`] makes those of several together.
    ///
    /// # Errors
    /// [`EditError`] if a part cannot be written in place, or stands in [another file](Self::elsewhere).
    pub fn edits(&self, to: &ImageRef) -> Result<Vec<(Edit, Intent)>, EditError> {
        edit::own_edits(self, to)
    }
}

/// A replacement of bytes in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edit {
    /// First byte replaced.
    pub start: usize,
    /// The byte after the last one replaced.
    pub end: usize,
    /// What stands there.
    pub before: String,
    /// What is to stand there.
    pub after: String,
}

/// What an edit is meant to do to the values of a file; [`prove`] holds the result against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The index of the object in the file.
    pub resource: usize,
    /// The path of the value within the object, as a JSON pointer.
    pub pointer: String,
    /// The new value; none if it is to go.
    pub value: Option<Value>,
}

/// Why an edit cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file is not the one that the edit was made for.
    #[error("the bytes {start}..{end} are not what the edit expects")]
    Mismatch {
        /// First byte of the edit.
        start: usize,
        /// The byte after its last.
        end: usize,
    },
    /// The shape of the document does not allow an edit in place.
    #[error("cannot be edited in place: {0}")]
    Unsupported(String),
    /// Another container of the same object cannot be edited, and an object changes as a whole or not at all.
    #[error("another container of the workload cannot be edited")]
    NotAlone,
    /// The edited file does not say exactly what was meant.
    #[error("the edit would change more than was meant, or something else: {0}")]
    NotProven(String),
}

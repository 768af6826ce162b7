//! Edits in place of images, annotations and labels, and the proof that nothing else changed.
//!
//! An edit of an image replaces the scalar that holds it and no other byte:
//!
//! - quotes stay; a new value without quotes gets them if YAML would read it as another type;
//!   a block scalar becomes a plain one;
//! - a value that several places have (by an anchor and its aliases, or by merge keys) is written
//!   once, in its own place, when all of them change to the same in one set ([`image_edits`]);
//! - otherwise an alias of the value is replaced by it, and a mapping that merges it in gets a key
//!   of its own right behind the `<<`, in the style of its neighbours. The anchor and its other
//!   users keep theirs;
//! - the anchored value itself is written when all others that have it are written elsewhere in the
//!   same set, and refused if one of them keeps it;
//! - a value in a mapping or list that other places have by an alias is refused if one of these
//!   keeps the old value. The reason names the anchor, its line and the remedy;
//! - an image in several keys (`registry`, `repository`, `tag`, `digest`) is changed in all that
//!   differ, or not at all;
//! - a value whose tag makes it another type than a string (`!!binary`, `!!float`) is refused;
//! - a document encrypted with SOPS is refused: its MAC would become invalid.
//!
//! A key is added in two places only: where an image comes by a merge key, and as the `newTag`
//! beside a lone `digest` in a kustomization. [Edits of annotations](annotation_edits) add and
//! remove entries, and the `annotations` key with them, in the style of their neighbours.
//!
//! [`prove`] applies edits only if the result, read again, differs in the intended values and
//! nothing else. Where documents stand between `---` lines, only those that the edits touch are
//! read again; with the parse of the file at hand ([`prove_parsed`]) nothing else is read at all,
//! so an edit costs what its document does and not what its file does.
//!
//! # Example
//!
//! ```
//! use flux_core::{edit::prove, workload::parse};
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
//! let edits = web.edits(&"example/web:1.20".parse()?)?;
//! let (edits, intents): (Vec<_>, Vec<_>) = edits.into_iter().unzip();
//! let edited = prove(file, &edits, &intents)?;
//! let edited = String::from_utf8(edited)?;
//! assert!(edited.ends_with("image: 'example/web:1.20'}  # the shop window\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotations;
#[expect(clippy::module_inception, reason = "the data that the other files of this room make")]
mod edit;
mod image;
mod labels;
mod placed;
mod prove;
mod windows;

pub use annotations::annotation_edits;
pub use edit::{Edit, EditError, Intent, apply};
pub use image::{ImageChange, PlacedEdit, image_edits};
pub use labels::{SkippedLabel, VersionLabels, version_label_edits};
pub use prove::{prove, prove_parsed};

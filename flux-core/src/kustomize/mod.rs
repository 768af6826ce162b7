//! Kustomizations: their `images:` set the images of the objects that they list, so that a release
//! writes tags there.
//!
//! A kustomization governs the files that its `resources` list, and those of the folders that its
//! `resources`, `bases` and `components` list, by the kustomizations of these; a component governs
//! all that the kustomization which lists it has, once for each time that it is reached. Entries
//! apply as kustomize applies them: in order, the inner folder's before the outer's, to the images
//! of `containers` and `initContainers` wherever an object has such lists, and to no others. `name`
//! is a regular expression for the image's name as written; `newName`, `newTag` and `digest`
//! replace the parts of the image. The image of a container is the result, and it is set in the
//! last entry that gives a tag or a digest. An entry with `newName` alone leaves the tag to the
//! object; one with `digest` alone gets a `newTag` when there is one to write. An entry whose
//! result is no valid image is reported.
//!
//! Objects are synced with the same image, also when kustomize is not run; nothing else of a
//! kustomization is carried out here. The files that it names as patches and the like describe no
//! objects.
//!
//! An entry that several workloads take their tag from is changed when all of them change to the
//! same; read-only workloads (Jobs, Pods) follow and have no say. A file that several
//! kustomizations list on the same level has as many images as there are of these: if they differ
//! from the file's own image, it is not edited.

mod annotated;
mod chain;
mod entries;
mod images;
mod origins;
mod parts;
mod shared;
mod trace;
#[cfg(feature = "deployer")]
mod unfinished;

pub(crate) use annotated::annotated_by;
#[cfg(feature = "deployer")]
pub(crate) use chain::join;
#[cfg(feature = "deployer")]
pub(crate) use entries::is_no_expression;
pub(crate) use images::{apply, image_by_entry, misplaced};
pub use origins::Described;
pub(crate) use origins::Origins;
pub(crate) use parts::{PartFiles, parts};
pub use trace::Build;
pub(crate) use trace::trace;
#[cfg(feature = "deployer")]
pub(crate) use unfinished::unfinished;

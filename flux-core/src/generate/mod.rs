//! Manifests that commands make: `.flux.yaml`, and folders that kustomize builds.
//!
//! # Which paths are generated
//!
//! For each configured path of the repository (a *git path*; the root, if none is configured) the
//! nearest `.flux.yaml` counts: in that folder, else in the one above, up to the root. A git path
//! may also be such a file itself, or a `kustomization.yaml`: it stands for its folder then. Where
//! there is none and the folder has a `kustomization.yaml`, kustomize builds it; otherwise its
//! files are read as they stand. A file under several git paths belongs to the deepest of them.
//!
//! # `.flux.yaml`
//!
//! `version: 1` and one of the three, unknown keys being an error:
//!
//! ```yaml
//! version: 1
//! commandUpdated:               # what the commands print are the manifests
//!   generators:
//!   - command: ./render.sh
//!     timeout: 90s              # at least 1s; less, or nothing, is the default
//!   updaters:                   # what changes the files that the commands read
//!   - containerImage:
//!       command: sed -i "s|tag:.*|tag: $FLUX_TAG|" values.yaml
//!     policy:
//!       command: ./annotate.sh
//!   allowEmpty: false           # whether printing no object at all is no mistake
//! ```
//!
//! ```yaml
//! version: 1
//! patchUpdated:                 # as above, with changes kept in a file of patches
//!   generators:
//!   - command: helm template shop ./chart
//!   patchFile: flux-patch.yaml  # from the git path; made when it is missing
//! ```
//!
//! ```yaml
//! version: 1
//! scanForFiles: {}              # files as they stand, whatever a `.flux.yaml` above says
//! ```
//!
//! Commands run by `/bin/sh -c` in the git path, in a private copy of the repository, one after
//! another. They see `PATH` and, when they update,
//!
//! | variable | holds |
//! |---|---|
//! | `FLUX_WORKLOAD` | the workload's id, `shop:deployment/web` |
//! | `FLUX_WL_NS`, `FLUX_WL_KIND`, `FLUX_WL_NAME` | its parts |
//! | `FLUX_CONTAINER`, `FLUX_IMG`, `FLUX_TAG` | the container, the image's name and its new tag |
//! | `FLUX_DIGEST` | the digest, where one is to be written |
//! | `FLUX_POLICY`, `FLUX_POLICY_VALUE` | the policy's name without prefix; its value, none if it is removed |
//!
//! A generator may add a variable by which it finds what a command started (`FLUX_RUN` in the crate
//! `flux-generate`, another value for each command).
//!
//! They must depend on nothing but the files: what they printed for a revision is taken to be what
//! they would print again.
//!
//! # Changes
//!
//! A release cannot edit what no file holds. It runs the updaters, or rewrites the patch file, in a
//! private copy; then generates everything from a fresh copy with the changed files, and lands them
//! only if exactly the intended images, or policies, differ; under `patchUpdated` and for
//! kustomize, in every field of every object. Files that updaters make are added, unless the
//! repository ignores them; none is taken away. Manifests that are read as they stand, and what
//! says how a path is made, are not theirs to change. A patch file that has a patch which was not
//! applied is not rewritten. What kustomize builds is changed in the files that it is built from,
//! by edits in place, and proven the same way.
//!
//! Commands run only where an embedder gives a [`Generator`], as what is in the repository then
//! runs on its machine.

#[cfg(feature = "deployer")]
mod builds;
mod config;
#[cfg(feature = "deployer")]
mod detect;
#[cfg(feature = "deployer")]
mod engine;
mod error;
#[cfg(feature = "deployer")]
mod files;
#[cfg(feature = "deployer")]
mod findings;
mod generator;
#[cfg(feature = "deployer")]
mod manifests;
#[cfg(feature = "deployer")]
mod not_loaded;
#[cfg(feature = "deployer")]
mod objects;
mod patch;
#[cfg(feature = "deployer")]
mod patched;
#[cfg(feature = "deployer")]
mod proof;
mod runs;
mod source;

pub use crate::plan::{GeneratedChange, GeneratedEdit};
pub use crate::repo_path::is_under;
#[cfg(feature = "deployer")]
pub(crate) use builds::builds;
pub use config::{Command, Config, Generators, InvalidConfig, Updater};
#[cfg(feature = "deployer")]
pub(crate) use engine::{Engine, RefusedPath};
pub use error::{GenerateError, short_command};
#[cfg(feature = "deployer")]
pub(crate) use files::Files;
pub use generator::{Checkout, Generation, Generator, Output, Run};
#[cfg(feature = "deployer")]
pub use manifests::GeneratedManifests;
pub use patch::{PatchError, apply_patches, patch_file};
pub use runs::{image_runs, policy_runs};
pub use source::{Detected, Method, Source, find, in_view, owner};

//! Checks of kustomizations without a run: in themselves, and held against the tree. They say what
//! kustomize would say.
//!
//! Those among the loaded files count, those that kustomize is to build, and those that these list,
//! wherever in the repository. Only files with mistakes are read again, for the lines of these.

mod check;
mod cycles;
mod entries;
mod gather;
mod kustomization;
mod mistakes;

pub(crate) use check::check;

//! Checks of kustomizations without running kustomize: in themselves, and against the tree.
//!
//! The findings are those that kustomize would report.
//!
//! These kustomizations are checked: those among the loaded files, those that kustomize is to
//! build, and those that these list, wherever in the repository. Only files with mistakes are read
//! again, to find the lines of the mistakes.

mod check;
mod cycles;
mod entries;
mod gather;
mod kustomization;
mod mistakes;
mod shape;

pub(crate) use check::check;

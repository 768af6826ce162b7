//! Checks the rules that the source of this workspace keeps and that no compiler holds.
//!
//! [`check`] reads every Rust file below a folder and reports all that is wrong at once, each with
//! its file and line. [`Rule`] lists the rules. `tests/workspace.rs` runs it on this workspace:
//!
//! ```sh
//! cargo test -p flux-house --test workspace
//! FLUX_HOUSE=report cargo test -p flux-house --test workspace -- --nocapture  # only counts
//! ```
//!
//! Imports are read as the compiler resolves them: a re-export is followed to the file that defines
//! the item, so nothing imports a `mod.rs` that only declares and re-exports. Methods are not seen,
//! as their files are not named where they are called. Items under `#[cfg(test)]` and links in
//! documentation are no imports.

mod circles;
mod crates;
mod exhaustive;
mod imports;
mod module_tree;
mod problem;
mod text;
mod tokens;
mod words;

use std::{collections::BTreeSet, path::Path};

pub use crates::{CrateRoot, crate_roots};
pub use problem::{Error, Problem, Rule};

/// The folder whose files have a limit of lines.
const LIMITED_FOLDER: &str = "flux-core/src/";
/// The beginning of the folders of the libraries.
const LIBRARIES: &str = "flux-";

/// Returns everything that breaks a rule in the workspace at `root`, sorted and each problem once.
///
/// `crates` are the roots of the libraries and binaries whose imports are followed; every other
/// rule holds for each Rust file below `root`.
///
/// # Errors
///
/// Returns an error when a file cannot be read or is not Rust.
pub fn check(root: &Path, crates: &[CrateRoot]) -> Result<BTreeSet<Problem>, Error> {
    let mut problems = BTreeSet::new();
    for entry in crates {
        let tree = module_tree::ModuleTree::read(root, entry)?;
        let edges = imports::imports(&tree);
        problems.extend(circles::file_circles(&edges));
        problems.extend(circles::folder_circles(&tree, &edges));
        if entry.is_library && entry.file.starts_with(LIBRARIES) {
            problems.extend(words::flags(&tree));
        }
    }
    for file in crates::rust_files(root)? {
        let source = crates::read(root, &file)?;
        problems.extend(text::doc_comments(&file, &source));
        if file.starts_with(LIMITED_FOLDER) {
            problems.extend(text::length(&file, &source));
        }
        problems.extend(words::names(&file, &source)?);
        if file.starts_with(LIBRARIES) && file.contains("/src/") {
            problems.extend(exhaustive::items(&file, &source)?);
        }
    }
    Ok(problems)
}

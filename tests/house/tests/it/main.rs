//! The rules, on small trees of files in temporary folders.

#![expect(clippy::unwrap_used, reason = "what a test asks its surroundings for has to be there")]

mod circles;
mod words;

use std::{fs, path::Path};

use flux_house::{CrateRoot, Problem, Rule, check};
use tempfile::TempDir;

/// Writes `files` and returns the problems of the library whose root is `flux-x/src/lib.rs`.
fn problems(files: &[(&str, &str)]) -> Vec<Problem> {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let file = folder.path().join("flux-x/src").join(name);
        fs::create_dir_all(file.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(file, text).unwrap();
    }
    let root = CrateRoot { file: "flux-x/src/lib.rs".into(), is_library: true };
    check(folder.path(), &[root]).unwrap().into_iter().collect()
}

/// The files and lines at which `rule` is broken.
fn places(files: &[(&str, &str)], rule: Rule) -> Vec<(String, usize)> {
    let found = problems(files).into_iter().filter(|problem| problem.rule == rule);
    found.map(|problem| (problem.file.trim_start_matches("flux-x/src/").to_owned(), problem.line)).collect()
}

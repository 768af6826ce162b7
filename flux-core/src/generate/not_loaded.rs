//! The findings about what counts and is not loaded.

use super::{Generation, detect::PathSources, findings::missing_path, in_view};
use crate::{
    backend::{Entry, Tree},
    finding::{Code, Finding, Place},
    repo_path::{RepoPath, name},
};

impl PathSources {
    /// Returns the findings about paths, files and folders that are not loaded though they count.
    pub(crate) fn not_loaded(&self, generation: &Generation, tree: &Tree) -> Vec<Finding> {
        // Those of the configured paths are among the sources' findings; a `.flux.yaml` above them
        // may be there, and need not.
        let in_view = in_view(&generation.paths);
        let missing = tree.missing().iter().filter(|path| !in_view.contains(path));
        let mut findings: Vec<Finding> = missing.map(|path| missing_path(path)).collect();
        let manifests = self.raw_manifests(tree.file_paths().chain(tree.links()));
        // What is called like a folder may be one, with manifests in it; README and LICENSE are
        // not.
        let is_bare = |name: &str| !name.contains('.') && !name.contains(char::is_uppercase);
        let is_raw = self.are_raw();
        let may_be_folder = |path: &str| is_bare(name(path)) && is_raw(path);
        let leads_on = |path: &&RepoPath| manifests.contains(path) || may_be_folder(path);
        findings.extend(tree.links().filter(leads_on).map(|path| linked(path)));
        findings.extend(tree.left_out().filter_map(|(path, entry)| self.left_out(path, entry)));
        findings
    }

    /// Returns the finding about something that is left out of the tree, if it counts.
    fn left_out(&self, path: &str, entry: &Entry) -> Option<Finding> {
        match entry {
            Entry::Misnamed { is_folder } => {
                let path = shown(path, *is_folder);
                self.may_hold_manifests(&path).then(|| misnamed(&path, *is_folder))
            }
            Entry::Unreadable { is_folder, reason } => {
                let path = shown(path, *is_folder);
                self.counts(&path).then(|| unreadable(&path, *is_folder, reason))
            }
            _ => None,
        }
    }
}

/// Returns the path as findings have it: that of a folder ends in a slash.
fn shown(path: &str, is_folder: bool) -> String {
    format!("{path}{}", if is_folder { "/" } else { "" })
}

fn misnamed(path: &str, is_folder: bool) -> Finding {
    let what = if is_folder { "folder and all that is in it" } else { "file" };
    Finding {
        code: Code::InvalidName,
        subject: path.to_owned(),
        place: Some(Place::start_of(path)),
        evidence: format!(
            "its name is not UTF-8, or one that git refuses to check out (shown with `\u{fffd}`), so the \
             {what} is not loaded"
        ),
        remedy: "rename it".to_owned(),
    }
}

fn linked(path: &str) -> Finding {
    Finding {
        code: Code::LinkedManifest,
        subject: path.to_owned(),
        place: Some(Place::start_of(path)),
        evidence:
            "it is a symbolic link or a submodule, which is not followed: manifests that it leads to are not loaded"
                .to_owned(),
        remedy: "put the manifests themselves there, or name the folder that it leads to as a path too".to_owned(),
    }
}

fn unreadable(path: &str, is_folder: bool, why: &str) -> Finding {
    let what = if is_folder { "the folder, and all that is in it, is" } else { "the file is" };
    Finding {
        code: Code::UnreadableFile,
        subject: path.to_owned(),
        place: Some(Place::start_of(path)),
        evidence: format!("{what} not loaded: {why}"),
        remedy: "let the user that runs this read it, or keep it elsewhere".to_owned(),
    }
}

//! The config repository: files for kubectl, and the bare repository that all else works with.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use git2::{ObjectType, Oid, Repository, Signature, build::TreeUpdateBuilder};

use crate::objects::{self, Object};

/// The branch of the repository.
pub(crate) const BRANCH: &str = "main";

/// A bare repository on this disk, and the folder of the files of its first commit.
pub(crate) struct Upstream {
    bare: PathBuf,
    files: PathBuf,
    repository: Repository,
}

impl Upstream {
    /// Writes objects to files, and makes a repository of one commit with them.
    pub(crate) fn with(folder: &Path, name: &str, objects: &[Object]) -> Self {
        let (files, bare) = (folder.join(name), folder.join(format!("{name}.git")));
        objects::write(&files, objects);
        git(&files, &["init", "--quiet", &format!("--initial-branch={BRANCH}")]);
        git(&files, &["config", "gc.auto", "0"]);
        git(&files, &["add", "."]);
        git(&files, &["commit", "--quiet", "--message", "All objects"]);
        git(&files, &["gc", "--quiet"]);
        let bare_path = bare.to_str().expect("a path in UTF-8");
        git(folder, &["clone", "--quiet", "--bare", files.to_str().expect("a path in UTF-8"), bare_path]);
        // The folder is for kubectl alone from here on.
        fs::remove_dir_all(files.join(".git")).expect("the first repository goes");
        let repository = Repository::open_bare(&bare).expect("the repository opens");
        Self { bare, files, repository }
    }

    /// Returns the folder with the files of the first commit.
    pub(crate) fn files(&self) -> &Path {
        &self.files
    }

    /// Returns the URL of the repository.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.bare.display())
    }

    /// Writes files in a commit on top of the branch, as a push from elsewhere does.
    pub(crate) fn push<'a>(&self, files: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let reference = format!("refs/heads/{BRANCH}");
        let parent = self.repository.find_reference(&reference).and_then(|r| r.peel_to_commit());
        let parent = parent.expect("the branch has a commit");
        let mut update = TreeUpdateBuilder::new();
        for (path, text) in files {
            let blob = self.repository.blob(text.as_bytes()).expect("the blob is written");
            update.upsert(path, blob, git2::FileMode::Blob);
        }
        let tree = update.create_updated(&self.repository, &parent.tree().expect("a tree"));
        let tree: Oid = tree.expect("the tree is written");
        let tree = self.repository.find_object(tree, Some(ObjectType::Tree)).and_then(|o| o.peel_to_tree());
        let who = Signature::now("Bench", "bench@example.com").expect("a signature");
        let commit = self.repository.commit(
            Some(&reference),
            &who,
            &who,
            "Change",
            &tree.expect("a tree"),
            &[&parent],
        );
        commit.expect("the commit lands");
    }
}

/// Returns the command of git, which depends on no configuration of this machine.
pub(crate) fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).envs(environment());
    command
}

/// Returns the variables with which git depends on no configuration of this machine.
pub(crate) fn environment() -> [(&'static str, &'static str); 6] {
    [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Bench"),
        ("GIT_AUTHOR_EMAIL", "bench@example.com"),
        ("GIT_COMMITTER_NAME", "Bench"),
        ("GIT_COMMITTER_EMAIL", "bench@example.com"),
    ]
}

fn git(folder: &Path, words: &[&str]) {
    let status = git_command(folder).args(words).status().expect("git is installed");
    assert!(status.success(), "git {words:?} failed");
}

//! A config repository with the sock shop, and the binaries run on it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    ran::{Ran, example},
    sock_shop,
};

/// A folder with a bare repository, an images file and a place for a cluster file.
pub(crate) struct Shop {
    folder: TempDir,
}

impl Shop {
    /// Creates the sock shop of the story.
    pub(crate) fn new() -> Self {
        Self::with(sock_shop::files())
    }

    /// Creates a repository of these files.
    pub(crate) fn with(files: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shop = Self { folder };
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        git2::Repository::init_opts(shop.git(), &options).expect("a bare repository");
        shop.commit(&files, "Describe the shop");
        shop.images(&sock_shop::images_yaml(&[]));
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn git(&self) -> PathBuf {
        self.path("config.git")
    }

    /// Writes the images file.
    pub(crate) fn images(&self, text: &str) {
        std::fs::write(self.path("images.yaml"), text).expect("the images file is written");
    }

    /// Commits files on the branch, as another person would.
    pub(crate) fn commit(&self, files: &[(String, String)], message: &str) -> String {
        // Scripts are committed as what can be run.
        let mode = |text: &str| if text.starts_with("#!") { 0o100_755 } else { 0o100_644 };
        let files: Vec<_> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str(), mode(text))).collect();
        self.commit_as(&files, message)
    }

    /// Commits a symbolic link.
    pub(crate) fn link(&self, path: &str, to: &str) {
        self.commit_as(&[(path, to, 0o120_000)], "Link it");
    }

    fn commit_as(&self, files: &[(&str, &str, u32)], message: &str) -> String {
        let repo = git2::Repository::open_bare(self.git()).expect("the repository opens");
        let parent = repo.head().ok().map(|head| head.peel_to_commit().expect("the head is a commit"));
        let mut index = git2::Index::new().expect("an index");
        if let Some(parent) = &parent {
            index.read_tree(&parent.tree().expect("a tree")).expect("the tree is read");
        }
        for &(path, text, mode) in files {
            let zero = git2::IndexTime::new(0, 0);
            let entry = git2::IndexEntry {
                ctime: zero,
                mtime: zero,
                dev: 0,
                ino: 0,
                mode,
                uid: 0,
                gid: 0,
                file_size: 0,
                id: repo.blob(text.as_bytes()).expect("a blob"),
                flags: 0,
                flags_extended: 0,
                path: path.as_bytes().to_vec(),
            };
            index.add(&entry).expect("an entry");
        }
        let tree = repo.find_tree(index.write_tree_to(&repo).expect("a tree")).expect("the tree");
        let author = git2::Signature::now("A Person", "person@example.com").expect("a signature");
        let parents: Vec<_> = parent.iter().collect();
        repo.commit(Some("HEAD"), &author, &author, message, &tree, &parents).expect("a commit").to_string()
    }

    /// Returns the file at the tip of the branch.
    pub(crate) fn file(&self, path: &str) -> String {
        let repo = git2::Repository::open_bare(self.git()).expect("the repository opens");
        let tree = repo.head().and_then(|head| head.peel_to_tree()).expect("a tree");
        let entry = tree.get_path(Path::new(path)).expect("the file is there");
        let blob = repo.find_blob(entry.id()).expect("a blob");
        String::from_utf8(blob.content().to_vec()).expect("text")
    }

    /// Returns the paths of all files at the tip of the branch.
    pub(crate) fn files(&self) -> Vec<String> {
        let repo = git2::Repository::open_bare(self.git()).expect("the repository opens");
        let mut index = git2::Index::new().expect("an index");
        index
            .read_tree(&repo.head().and_then(|head| head.peel_to_tree()).expect("a tree"))
            .expect("it is read");
        index.iter().map(|entry| String::from_utf8(entry.path).expect("text")).collect()
    }

    /// Returns the messages of the branch's commits, newest first.
    pub(crate) fn messages(&self) -> Vec<String> {
        let repo = git2::Repository::open_bare(self.git()).expect("the repository opens");
        let mut walk = repo.revwalk().expect("a walk");
        walk.push_head().expect("a head");
        walk.map(|id| {
            let commit = repo.find_commit(id.expect("an id")).expect("a commit");
            commit.message().expect("a message").trim_end().to_owned()
        })
        .collect()
    }

    /// Runs `fluxctl` with these arguments on this repository and images file.
    ///
    /// The cluster is in memory unless the arguments name another.
    pub(crate) fn fluxctl(&self, words: &[&str]) -> Ran {
        let mut command = self.command("fluxctl");
        if !words.iter().any(|w| w.starts_with("--cluster") || w.starts_with("--kubeconfig")) {
            command.args(["--cluster", "memory"]);
        }
        command.args(words).output().expect("fluxctl runs").into()
    }

    /// Returns the command of a binary with the flags of this repository, in an empty environment.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(example(name));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("FLUX_NOW", sock_shop::NOW)
            .arg("--git-url")
            .arg(self.git())
            .arg("--images")
            .arg(self.path("images.yaml"))
            .arg("--cache-dir")
            .arg(self.path("cache"));
        command
    }
}

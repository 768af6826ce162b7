//! [`GitRepoBuilder`]: what a [`GitRepo`] is made of.

use std::{path::PathBuf, time::Duration};

use flux_core::backend::{Author, Error, Result};

use crate::{
    credentials::Credentials,
    globals,
    local::Local,
    mirror::Mirror,
    paths::Paths,
    remote::Remote,
    repo::{GitRepo, Inner},
    upstream::Upstream,
    url::RepoUrl,
};

/// The configuration of a [`GitRepo`]; each setter returns the builder with one thing changed.
///
/// ```
/// use flux_core::backend::ErrorKind;
/// use flux_git::GitRepo;
///
/// let builder = GitRepo::builder("https://git.example.com/shop/config.git").branch("main");
/// let repo = builder.clone().paths(["deploy/prod"]).open()?;
/// assert_eq!(repo.url(), "https://git.example.com/shop/config.git");
/// let error = builder.paths(["../elsewhere"]).open().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// # Ok::<(), flux_core::backend::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct GitRepoBuilder {
    url: Redacted,
    branch: Option<String>,
    paths: Vec<String>,
    mirror: Option<PathBuf>,
    committer: Author,
    notes_ref: String,
    credentials: Credentials,
    ca_file: Option<PathBuf>,
    timeout: Duration,
}

/// An address that was not looked at yet and may hold a password.
#[derive(Clone)]
struct Redacted(String);

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match RepoUrl::parse(&self.0) {
            Ok(url) => url.fmt(f),
            Err(_) => f.write_str("…"),
        }
    }
}

impl GitRepo {
    /// Begins with where the repository is: a path, a `file`, `http(s)` or `ssh` URL, or
    /// `user@host:path`.
    pub fn builder(url: impl Into<String>) -> GitRepoBuilder {
        GitRepoBuilder {
            url: Redacted(url.into()),
            branch: None,
            paths: Vec::new(),
            mirror: None,
            committer: Author { name: "Flux".into(), email: "flux@localhost".into() },
            notes_ref: "refs/notes/flux".into(),
            credentials: Credentials::default(),
            ca_file: None,
            timeout: Duration::from_secs(30),
        }
    }
}

impl GitRepoBuilder {
    /// Sets the branch.
    ///
    /// By default it is that of upstream's `HEAD`, asked anew each time.
    pub fn branch(self, name: impl Into<String>) -> Self {
        Self { branch: Some(name.into()), ..self }
    }

    /// Sets the files and folders that are looked at, with all that is below them.
    ///
    /// They are relative to the root of the repository; by default it is all of it.
    pub fn paths<P: Into<String>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        Self { paths: paths.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the folder of the mirror.
    ///
    /// It is kept, and several processes and several repositories may use it at once. By default it
    /// is a temporary one that goes with the [`GitRepo`]. A repository on this machine needs no
    /// mirror and ignores this.
    pub fn mirror(self, folder: impl Into<PathBuf>) -> Self {
        Self { mirror: Some(folder.into()), ..self }
    }

    /// Sets the committer. By default `Flux <flux@localhost>`.
    pub fn committer(self, name: impl Into<String>, email: impl Into<String>) -> Self {
        Self { committer: Author { name: name.into(), email: email.into() }, ..self }
    }

    /// Sets the reference under which the notes of commits are kept.
    ///
    /// By default it is `refs/notes/flux`; a short name is taken to be under `refs/notes/`.
    pub fn notes_ref(self, name: impl Into<String>) -> Self {
        let name = name.into();
        let notes_ref = if name.starts_with("refs/") { name } else { format!("refs/notes/{name}") };
        Self { notes_ref, ..self }
    }

    /// Sets the credentials for upstream. By default those that this user of this machine has.
    pub fn credentials(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// Trusts a PEM file of certificate authorities for https, beside the system's.
    ///
    /// libgit2 knows one set of them for the whole process: they are then trusted for every
    /// repository of the process.
    pub fn ca_file(self, path: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(path.into()), ..self }
    }

    /// Sets how long a server may stay silent.
    ///
    /// By default it is 30 s. libgit2 knows one limit for the whole process: the longest that any
    /// of its repositories asked for holds.
    pub fn timeout(self, silence: Duration) -> Self {
        Self { timeout: silence, ..self }
    }

    /// Makes it. Touches neither network nor repository: what is wrong there comes with the first
    /// use.
    ///
    /// # Errors
    /// [`Invalid`](flux_core::backend::ErrorKind::Invalid) for an address that is none, a path that
    /// leads out of the repository, names that git doesn't take, or certificates that can't be
    /// read.
    pub fn open(self) -> Result<GitRepo> {
        let url = RepoUrl::parse(&self.url.0)?;
        let paths = Paths::new(self.paths)?;
        let branch = self.branch.map(|name| checked_branch(&name)).transpose()?;
        if !git2::Reference::is_valid_name(&self.notes_ref) {
            return Err(invalid_name("the notes' reference", &self.notes_ref));
        }
        let upstream: Box<dyn Upstream> = match url.path() {
            Some(path) => Box::new(Local::new(url.clone(), path, branch, self.notes_ref)),
            None => {
                globals::set_timeouts(self.timeout)?;
                if let Some(file) = &self.ca_file {
                    globals::trust(file)?;
                }
                // Another process may be fetching as slowly as we may ourselves.
                let mirror = Mirror::new(self.mirror, self.timeout * 4);
                Box::new(Remote::new(url.clone(), mirror, self.credentials, branch, self.notes_ref))
            }
        };
        Ok(GitRepo::new(Inner { url, paths, committer: self.committer, upstream, trees: Default::default() }))
    }
}

fn checked_branch(name: &str) -> Result<String> {
    let short = name.strip_prefix("refs/heads/").unwrap_or(name);
    if git2::Branch::name_is_valid(short).unwrap_or(false) {
        Ok(short.to_owned())
    } else {
        Err(invalid_name("the branch", name))
    }
}

fn invalid_name(what: &str, name: &str) -> Error {
    Error::invalid(name, format!("{what} `{name}` is no name that git takes; correct it"))
}

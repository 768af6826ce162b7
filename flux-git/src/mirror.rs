//! The mirror of a repository behind a server.
//!
//! It is a bare repository in a folder that may outlive the process and be shared by several.
//!
//! Objects need no guarding, as they are named by their content. The folder's `lock` file guards
//! the rest: making the mirror, fetching into it, moving its references. Only those who write wait
//! for it.
//!
//! ```text
//! FOLDER/lock       held while writing
//! FOLDER/repo.git   the mirror; its references are under refs/flux/KEY/, a key for each upstream
//! ```

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use flux_core::backend::{Error, Result};
use git2::{Repository, RepositoryInitOptions};

use crate::{
    compact::{Limits, compact},
    errors::git_error,
    store::{Loan, Store},
};

/// A mirror, made when it is first used.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// `None` for a folder of our own.
    folder: Option<PathBuf>,
    opened: OnceLock<Opened>,
    opening: Mutex<()>,
    /// How long to wait for another process that writes.
    patience: Duration,
}

#[derive(Debug)]
struct Opened {
    folder: PathBuf,
    store: Store,
    /// Deleted with the mirror.
    _private: Option<tempfile::TempDir>,
}

/// The lock of a mirror, held until dropped.
#[derive(Debug)]
pub(crate) struct Guard(#[expect(dead_code, reason = "held for its lock")] File);

impl Mirror {
    pub(crate) fn new(folder: Option<PathBuf>, patience: Duration) -> Self {
        Self { folder, opened: OnceLock::new(), opening: Mutex::new(()), patience }
    }

    /// Opens a repository over the mirror.
    ///
    /// One that cannot be opened is made anew, empty.
    pub(crate) fn open(&self) -> Result<Loan<'_>> {
        let opened = self.opened()?;
        if let Ok(loan) = opened.store.open() {
            return Ok(loan);
        }
        let guard = self.lock()?;
        // Somebody else may have made it while we waited.
        match opened.store.open() {
            Ok(loan) => Ok(loan),
            Err(error) => {
                if opened.store.path().exists() {
                    tracing::warn!(mirror = %opened.store.path().display(), %error, "the mirror is damaged and is made anew");
                }
                self.make_anew(&guard)?;
                opened.store.open().map_err(|error| self.failed(&error))
            }
        }
    }

    /// Lets go of what is open, so that what is opened next is what is on disk.
    pub(crate) fn reopen(&self) -> Result<()> {
        self.opened().map(|opened| opened.store.forget())
    }

    /// Waits until no other writes to the mirror, and keeps others from it.
    pub(crate) fn lock(&self) -> Result<Guard> {
        let path = self.opened()?.folder.join("lock");
        let unusable = |error: io::Error| unusable(&path, &error);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(unusable)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Guard(file)),
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
                Err(TryLockError::WouldBlock) if began.elapsed() > self.patience => {
                    let (lock, patience) = (path.display(), self.patience);
                    let text = format!(
                        "another process has been writing to the mirror {lock} for {patience:?}; wait for it, end it, or use another folder"
                    );
                    return Err(Error::unavailable(lock, text));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Compacts the mirror when it is time to.
    pub(crate) fn tidy(&self, repo: &Repository, _: &Guard) {
        match compact(repo, Limits::default(), SystemTime::now()) {
            Ok(false) => {}
            Ok(true) => {
                tracing::debug!(mirror = %repo.path().display(), "compacted");
                // What is open still maps the packs that are gone.
                drop(self.reopen());
            }
            // It works as it is; the next time may do.
            Err(error) => {
                tracing::warn!(mirror = %repo.path().display(), %error, "the mirror was not compacted");
            }
        }
    }

    /// Replaces the mirror by an empty one.
    pub(crate) fn make_anew(&self, _: &Guard) -> Result<()> {
        let opened = self.opened()?;
        let path = opened.store.path();
        // Made aside and moved into place: whoever opens it finds a whole one, or none.
        let aside = |name: &str| opened.folder.join(format!("{name}-{}", std::process::id()));
        let (fresh, old) = (aside("new"), aside("old"));
        let unusable = |error: io::Error| unusable(path, &error);
        for leftover in [&fresh, &old] {
            remove_all(leftover).map_err(unusable)?;
        }
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false);
        Repository::init_opts(&fresh, &options).map_err(|error| self.failed(&error))?;
        if path.exists() {
            fs::rename(path, &old).map_err(unusable)?;
        }
        fs::rename(&fresh, path).map_err(unusable)?;
        opened.store.forget();
        remove_all(&old).map_err(unusable)
    }

    fn opened(&self) -> Result<&Opened> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let _one = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let (folder, private) = match &self.folder {
            Some(folder) => {
                fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
                (folder.clone(), None)
            }
            None => {
                let private = tempfile::Builder::new().prefix("flux-git-").tempdir();
                let private = private.map_err(|error| unusable(&std::env::temp_dir(), &error))?;
                (private.path().to_owned(), Some(private))
            }
        };
        let store = Store::new(folder.join("repo.git"));
        Ok(self.opened.get_or_init(|| Opened { folder, store, _private: private }))
    }

    fn failed(&self, error: &git2::Error) -> Error {
        let folder = self.folder.as_deref().unwrap_or(Path::new("the temporary folder"));
        git_error(error, "making the mirror in", folder.display())
    }
}

fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(path),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    let text = format!("the mirror {path} cannot be used: {error}; make it writable, or give another folder");
    Error::invalid(path, text)
}

//! A private copy of the repository in a folder.

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use flux_core::{
    RepoPath,
    generate::{Checkout, GenerateError, Output, Run, short_command},
};
use git2::{ObjectType, Oid};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    changes::changes,
    limits::Limits,
    process::{Ended, ProcessGroup, RUN_VARIABLE},
};

/// The `PATH` of commands where this process has none.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A temporary folder with the files of a tree; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct FolderCheckout {
    folder: TempDir,
    /// The files that were written, by the ids that git has for their contents.
    files: BTreeMap<RepoPath, Oid>,
    limits: Limits,
}

impl FolderCheckout {
    /// Makes an empty one.
    pub(crate) fn new(parent: Option<&Path>, limits: Limits) -> Result<Self, GenerateError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("flux-generate-").permissions(fs::Permissions::from_mode(0o700));
        let folder = match parent {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        let folder = folder.map_err(|e| {
            GenerateError::Unavailable(format!(
                "a temporary folder for generated manifests cannot be made: {e}"
            ))
        })?;
        Ok(Self { folder, files: BTreeMap::new(), limits })
    }

    /// Writes a file.
    pub(crate) fn write(
        &mut self,
        path: &RepoPath,
        bytes: &[u8],
        executable: bool,
    ) -> Result<(), GenerateError> {
        let cannot = |e: &dyn Display| GenerateError::Unavailable(format!("{path} cannot be copied: {e}"));
        let target = self.folder.path().join(path.as_str());
        let mode = if executable { 0o700 } else { 0o600 };
        if let Some(parent) = target.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|e| cannot(&e))?;
        }
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&target)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|e| cannot(&e))?;
        let id = Oid::hash_object(ObjectType::Blob, bytes).map_err(|e| cannot(&e))?;
        self.files.insert(path.clone(), id);
        Ok(())
    }

    /// Returns a value of the run variable that no other command has.
    fn next_run(&self) -> String {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let folder = self.folder.path().file_name().unwrap_or_default().to_string_lossy();
        format!("{folder}-{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns where a path of the repository lies; `None` for one that leads out of it.
    fn resolve(&self, path: &str) -> Option<PathBuf> {
        let inside = !path.starts_with('/') && path.split('/').all(|part| !matches!(part, ".."));
        inside.then(|| self.folder.path().join(path))
    }
}

#[async_trait]
impl Checkout for FolderCheckout {
    async fn run(&mut self, run: &Run) -> Result<Output, GenerateError> {
        let unavailable =
            |what: String| GenerateError::Unavailable(format!("`{}`: {what}", short_command(&run.command)));
        let folder = self
            .resolve(&run.folder)
            .filter(|folder| folder.is_dir())
            .ok_or_else(|| unavailable(format!("there is no folder {} to run it in", run.folder)))?;
        let mark = self.next_run();
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(&run.command)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()))
            .envs(&run.env)
            .env(RUN_VARIABLE, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let child = command.spawn().map_err(|e| unavailable(format!("it cannot be started: {e}")))?;
        let mut group = ProcessGroup::of(child, mark);
        match tokio::time::timeout(run.timeout, group.output(self.limits)).await {
            Err(_) => Err(GenerateError::TimedOut { command: run.command.clone(), after: run.timeout }),
            Ok(Err(Ended::Unreadable(error))) => Err(unavailable(error.to_string())),
            Ok(Err(Ended::TooMuch)) => {
                Err(GenerateError::TooMuch { command: run.command.clone(), limit: self.limits.output })
            }
            Ok(Ok((status, stdout, stderr))) if !status.success() => {
                // What was printed may hold secrets, and most likely is in the way, too.
                drop(stdout);
                let (command, status) = (run.command.clone(), status.to_string());
                Err(GenerateError::Failed { command, status, stderr })
            }
            Ok(Ok((_, stdout, _))) => Ok(Output { stdout: stdout.into() }),
        }
    }

    async fn changes(&mut self) -> Result<BTreeMap<RepoPath, Option<Bytes>>, GenerateError> {
        changes(self.folder.path(), &self.files, self.limits)
    }
}

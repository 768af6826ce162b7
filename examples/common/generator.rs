//! Runs the commands of a repository: in a private folder, without this process's environment, for a limited time.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use flux::{
    backend::{ConfigRepo, FileBody, Tree},
    generate::{Checkout, GenerateError, Generator, Output, Run, brief},
};
use git2::{ObjectType, Oid};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

/// What a command may print: as much as a manifest file may have.
const MOST_OUTPUT: u64 = flux::manifest::MAX_FILE_BYTES;

/// How much of what a command says to standard error is kept: its end.
const STDERR_KEPT: usize = 2000;

/// How many files commands may add in one change, and of how many bytes together.
const MOST_NEW_FILES: usize = 1000;
const MOST_NEW_BYTES: u64 = flux::manifest::MAX_FILE_BYTES;

/// The variable by which all that a command started is found.
const MARK: &str = "FLUX_RUN";

/// How often it is looked for, while there is more of it each time.
#[cfg(target_os = "linux")]
const MOST_ROUNDS: usize = 20;

/// The files that are read from the repository at a time.
const PORTION: usize = 32;

/// A [`Generator`] that runs commands as processes of this machine.
#[derive(Debug, Default)]
pub(crate) struct ShellGenerator;

#[async_trait]
impl Generator for ShellGenerator {
    async fn checkout(
        &self,
        repo: &dyn ConfigRepo,
        tree: &Tree,
        over: &BTreeMap<String, Bytes>,
    ) -> Result<Box<dyn Checkout>, GenerateError> {
        hide_this_process()?;
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("flux-generate-").permissions(private).tempdir();
        let folder = folder.map_err(|e| {
            GenerateError::Unavailable(format!(
                "a temporary folder for generated manifests cannot be made: {e}"
            ))
        })?;
        let mut checkout = FolderCheckout { folder, files: BTreeMap::new() };
        let read: Vec<_> = tree.files().filter(|(path, _)| !over.contains_key(*path)).collect();
        for portion in read.chunks(PORTION) {
            let ids: Vec<_> = portion.iter().map(|(_, id)| (*id).clone()).collect();
            let bodies = repo.read(&ids, u64::MAX).await?;
            for ((path, _), body) in portion.iter().zip(bodies) {
                if let FileBody::Bytes(bytes) = body {
                    checkout.write(path, &bytes, tree.is_executable(path))?;
                }
            }
        }
        for (path, bytes) in over {
            checkout.write(path, bytes, tree.is_executable(path))?;
        }
        Ok(Box::new(checkout))
    }
}

/// Keeps the environment and the memory of this process from what runs as the same user: commands would find both in `/proc`. Who may read the memory of every
/// process (by `CAP_SYS_PTRACE`, `CAP_PERFMON` or `CAP_SYS_ADMIN`, as root outside of containers) is not kept away.
fn hide_this_process() -> Result<(), GenerateError> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};

        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| {
            GenerateError::Unavailable(format!("this process cannot be hidden from the commands: {e}"))
        })?;
    }
    Ok(())
}

/// A temporary folder with the files of a tree; it is gone when this is dropped.
#[derive(Debug)]
struct FolderCheckout {
    folder: TempDir,
    /// What was written, by the ids that git has for contents.
    files: BTreeMap<String, Oid>,
}

impl FolderCheckout {
    /// Writes a file.
    fn write(&mut self, path: &str, bytes: &[u8], executable: bool) -> Result<(), GenerateError> {
        let cannot =
            |e: &dyn std::fmt::Display| GenerateError::Unavailable(format!("{path} cannot be copied: {e}"));
        let target = self.place(path).ok_or_else(|| cannot(&"it would lie outside of the copy"))?;
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
        self.files.insert(path.to_owned(), id);
        Ok(())
    }

    /// What no other command has in its environment.
    fn mark(&self) -> String {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let folder = self.folder.path().file_name().unwrap_or_default().to_string_lossy();
        format!("{folder}-{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed))
    }

    /// Where a path of the repository lies; none for one that leads out of it.
    fn place(&self, path: &str) -> Option<PathBuf> {
        let inside = !path.starts_with('/') && path.split('/').all(|part| !matches!(part, ".."));
        inside.then(|| self.folder.path().join(path))
    }
}

#[async_trait]
impl Checkout for FolderCheckout {
    async fn run(&mut self, run: &Run) -> Result<Output, GenerateError> {
        let unavailable =
            |what: String| GenerateError::Unavailable(format!("`{}`: {what}", brief(&run.command)));
        let folder = self
            .place(&run.folder)
            .filter(|folder| folder.is_dir())
            .ok_or_else(|| unavailable(format!("there is no folder {} to run it in", run.folder)))?;
        let mark = self.mark();
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(&run.command)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
            .envs(&run.env)
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let child = command.spawn().map_err(|e| unavailable(format!("it cannot be started: {e}")))?;
        let mut group = Group::of(child, mark);
        match tokio::time::timeout(run.timeout, group.output()).await {
            Err(_) => Err(GenerateError::TimedOut { command: run.command.clone(), after: run.timeout }),
            Ok(Err(Ended::Unreadable(error))) => Err(unavailable(error.to_string())),
            Ok(Err(Ended::TooMuch)) => {
                Err(GenerateError::TooMuch { command: run.command.clone(), limit: MOST_OUTPUT })
            }
            Ok(Ok((status, stdout, stderr))) if !status.success() => {
                // What was printed may hold secrets and is not told; it is most likely in the way, too.
                drop(stdout);
                let (command, status) = (run.command.clone(), status.to_string());
                Err(GenerateError::Failed { command, status, stderr })
            }
            Ok(Ok((_, stdout, _))) => Ok(Output { stdout: stdout.into() }),
        }
    }

    async fn changes(&mut self) -> Result<BTreeMap<String, Option<Bytes>>, GenerateError> {
        let mut changes = BTreeMap::new();
        for (path, id) in &self.files {
            let place = self.folder.path().join(path);
            match changed(&place, *id) {
                Ok(Changed::No) => {}
                Ok(Changed::To(bytes)) => drop(changes.insert(path.clone(), Some(bytes.into()))),
                Ok(Changed::Gone) => drop(changes.insert(path.clone(), None)),
                Err(error) => {
                    return Err(GenerateError::Unavailable(format!("{path} cannot be read back: {error}")));
                }
            }
        }
        new_files(self.folder.path(), &self.files, &mut changes)?;
        Ok(changes)
    }
}

/// The files below a folder that were not written there, and that git would not ignore.
fn new_files(
    root: &Path,
    known: &BTreeMap<String, Oid>,
    changes: &mut BTreeMap<String, Option<Bytes>>,
) -> Result<(), GenerateError> {
    let cannot = |path: &Path, what: &dyn std::fmt::Display| {
        let path = path.strip_prefix(root).unwrap_or(path).display();
        GenerateError::Unavailable(format!("{path}, which is new, cannot be added: {what}"))
    };
    let ignore = Ignore::new(root).map_err(|e| cannot(root, &e))?;
    let mut room = (MOST_NEW_FILES, MOST_NEW_BYTES);
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| cannot(&folder, &e))? {
            let entry = entry.map_err(|e| cannot(&folder, &e))?;
            let path = entry.path();
            let name = path.strip_prefix(root).ok().and_then(Path::to_str);
            if name.is_some_and(|name| known.contains_key(name)) || ignore.covers(&path) {
                continue;
            }
            let data = entry.metadata().map_err(|e| cannot(&path, &e))?;
            if data.is_dir() {
                folders.push(path);
                continue;
            }
            let name = name.ok_or_else(|| cannot(&path, &"its name is not UTF-8"))?;
            if !data.is_file() {
                return Err(cannot(&path, &"it is a link, or something else that is no file"));
            }
            let spent = room.0.checked_sub(1).zip(room.1.checked_sub(data.len()));
            let too_many = GenerateError::TooManyFiles { files: MOST_NEW_FILES, bytes: MOST_NEW_BYTES };
            room = spent.ok_or(too_many)?;
            let bytes = fs::read(&path).map_err(|e| cannot(&path, &e))?;
            changes.insert(name.to_owned(), Some(bytes.into()));
        }
    }
    Ok(())
}

/// What the `.gitignore` files of a folder say.
struct Ignore {
    repo: git2::Repository,
    /// Where git keeps its own files of it.
    _beside: TempDir,
}

impl Ignore {
    fn new(root: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let beside = tempfile::Builder::new().prefix("flux-ignore-").tempdir()?;
        let mut options = git2::RepositoryInitOptions::new();
        let repo = git2::Repository::init_opts(beside.path(), options.bare(true).external_template(false))?;
        repo.set_workdir(root, false)?;
        Ok(Self { repo, _beside: beside })
    }

    fn covers(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == ".git")
            || self.repo.is_path_ignored(path).unwrap_or(false)
    }
}

enum Changed {
    No,
    To(Vec<u8>),
    Gone,
}

/// Whether a file is still what was written. A link in its place does not count as a file: what it leads to is none of the repository's.
fn changed(place: &Path, id: Oid) -> Result<Changed, Box<dyn std::error::Error>> {
    if !fs::symlink_metadata(place).is_ok_and(|found| found.is_file()) {
        return Ok(Changed::Gone);
    }
    let bytes = fs::read(place)?;
    Ok(if Oid::hash_object(ObjectType::Blob, &bytes)? == id { Changed::No } else { Changed::To(bytes) })
}

/// A process and all that it started, killed when this is dropped.
struct Group {
    child: Child,
    id: Option<Pid>,
    /// What it, and all that it started, has in its environment.
    mark: String,
}

/// How the output of a process ended before its time.
enum Ended {
    Unreadable(std::io::Error),
    TooMuch,
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Group {
    fn of(child: Child, mark: String) -> Self {
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Self { child, id, mark }
    }

    /// Waits for the end, with all of standard output and the end of standard error.
    async fn output(&mut self) -> Result<(std::process::ExitStatus, Vec<u8>, String), Ended> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let (stdout, stderr) = tokio::try_join!(whole(stdout), end(stderr))?;
        Ok((self.child.wait().await?, stdout, stderr))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The group outlives its leader: what it left running in the background goes too.
        if let Some(id) = self.id {
            let _ = kill_process_group(id, Signal::KILL);
        }
        kill_marked(&self.mark);
    }
}

/// Kills what left the process group, as `setsid` does: what still has the mark in its environment. What takes it off goes on; so it is with what
/// starts others faster than they are found.
#[cfg(target_os = "linux")]
fn kill_marked(mark: &str) {
    let mark = format!("{MARK}={mark}");
    let mut killed = std::collections::BTreeSet::new();
    for _ in 0..MOST_ROUNDS {
        let before = killed.len();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        killed.extend(pids.filter(|pid| kill_if_marked(*pid, mark.as_bytes())).map(Pid::as_raw_pid));
        if killed.len() == before {
            return;
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn kill_marked(_mark: &str) {}

/// Whether a process had the mark and was killed.
#[cfg(target_os = "linux")]
fn kill_if_marked(pid: Pid, mark: &[u8]) -> bool {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

    // Taken first, so that the signal goes to the process whose environment is read, and to none that has its number afterwards.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_pid())).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark)
        && pidfd_send_signal(&process, Signal::KILL).is_ok()
}

async fn whole(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, Ended> {
    let mut all = Vec::new();
    let Some(stream) = stream else { return Ok(all) };
    let read = stream.take(MOST_OUTPUT + 1).read_to_end(&mut all).await?;
    if read as u64 > MOST_OUTPUT { Err(Ended::TooMuch) } else { Ok(all) }
}

async fn end(stream: Option<impl AsyncRead + Unpin>) -> Result<String, Ended> {
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    let Some(mut stream) = stream else { return Ok(String::new()) };
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(String::from_utf8_lossy(&kept).into_owned());
        }
        kept.extend_from_slice(&buffer[..read]);
        let surplus = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..surplus);
    }
}

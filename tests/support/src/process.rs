//! Processes: servers that outlive the test that started them, and commands that are waited for.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::run::{Run, make_dir, write};

/// The number of attempts to start a server, each on new ports.
///
/// Another process may take a free port before the server listens on it.
const ATTEMPTS: u32 = 3;

/// A server that is not yet known to be ready. Dropped before [`Server::keep`], it is ended again.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    child: Child,
    log: PathBuf,
    pid_file: PathBuf,
    kept: bool,
}

impl Server {
    /// Starts `command` with its output in `dir/NAME.log`.
    ///
    /// It runs in a process group of its own, so that a signal to the tests does not reach it. Its
    /// process id is stored where the end of the run finds it.
    ///
    /// `dir` (or a file in it) has to be among the arguments: the end of the run recognizes our
    /// processes by it.
    pub(crate) fn start(run: &Run, dir: &Path, name: &str, command: &mut Command) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let output =
            OpenOptions::new().create(true).append(true).open(&log).map_err(Failure::at("open", &log))?;
        let errors = output.try_clone().map_err(Failure::at("open", &log))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(Failure::of(&format!("start {}", command.get_program().display())))?;
        make_dir(&run.pids())?;
        let pid_file = run.pids().join(child.id().to_string());
        let server = Self { name: name.to_owned(), child, log, pid_file, kept: false };
        write(&server.pid_file, format!("{name}\n"))?;
        Ok(server)
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Keeps a server that is ready running until the end of the run.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    /// Sends it a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let (signal, id) = (format!("-{name}"), self.child.id().to_string());
        output(Command::new("kill").args([signal, id])).map(drop)
    }

    fn failure(&self, what: &str) -> Failure {
        Failure(format!("{} {what}; see {}", self.name, self.log.display()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.kept {
            // An error here means that it is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
            let _ = std::fs::remove_file(&self.pid_file);
        }
    }
}

/// Calls `ready` until it returns `true`.
///
/// Fails when one of the servers ends, or when `limit` has passed; the failure then names the last
/// server.
pub(crate) fn wait_until_ready(
    servers: &mut [Server],
    limit: Duration,
    mut ready: impl FnMut() -> bool,
) -> Result<()> {
    let start = Instant::now();
    loop {
        for server in &mut *servers {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(server.failure(&format!("ended before it was ready ({status})")));
            }
        }
        if ready() {
            return Ok(());
        }
        if start.elapsed() > limit {
            let what = format!("was not ready after {} s", limit.as_secs());
            return Err(servers.last().map_or_else(|| Failure(what.clone()), |s| s.failure(&what)));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Calls `start`, which picks free ports, until it succeeds, at most [`ATTEMPTS`] times.
pub(crate) fn attempts<T>(mut start: impl FnMut() -> Result<T>) -> Result<T> {
    let mut result = start();
    for _ in 1..ATTEMPTS {
        if result.is_ok() {
            break;
        }
        result = start();
    }
    result
}

/// Returns `N` loopback ports on which nothing listens at present.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N); // all at once, so that they differ
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::of("find a free port"))?;
        *port = listener.local_addr().map_err(Failure::of("find a free port"))?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Runs a command to its end and returns its standard output.
///
/// A failure has all its output, standard error included.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    output_with(command, b"")
}

/// Runs a command like [`output`], with `input` on its standard input.
pub(crate) fn output_with(command: &mut Command, input: &[u8]) -> Result<String> {
    let doing = format!("run {command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Failure::of(&doing))?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let done = child.wait_with_output().map_err(Failure::of(&doing))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !done.status.success() {
        let printed = format!("{}{}", text(&done.stdout), text(&done.stderr));
        return Err(Failure(format!("cannot {doing}: {}: {}", done.status, printed.trim())));
    }
    written.map_err(Failure::of(&doing))?;
    Ok(text(&done.stdout))
}

//! A process with all that it starts: its output, bounded, and its end.

use std::{collections::BTreeSet, fs, process::ExitStatus};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Child,
};

use crate::limits::Limits;

/// The variable by which all that a command started is found.
pub(crate) const RUN_VARIABLE: &str = "FLUX_RUN";

/// How often processes are looked for, while there are more of them each time.
#[cfg(target_os = "linux")]
const MAX_ROUNDS: usize = 20;

/// A process and all that it started, killed when this is dropped.
pub(crate) struct ProcessGroup {
    child: Child,
    id: Option<Pid>,
    /// The value of the run variable that it, and all that it started, has in its environment.
    mark: String,
}

/// How the output of a process ended before its time.
pub(crate) enum Ended {
    Unreadable(std::io::Error),
    TooMuch,
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl ProcessGroup {
    pub(crate) fn of(child: Child, mark: String) -> Self {
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Self { child, id, mark }
    }

    /// Waits for the end, with all of standard output and the end of standard error.
    pub(crate) async fn output(&mut self, limits: Limits) -> Result<(ExitStatus, Vec<u8>, String), Ended> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let (stdout, stderr) =
            tokio::try_join!(read_all(stdout, limits.output), read_end(stderr, limits.stderr))?;
        Ok((self.child.wait().await?, stdout, stderr))
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // The group outlives its leader: what it left running in the background goes too.
        if let Some(id) = self.id {
            let _ = kill_process_group(id, Signal::KILL);
        }
        kill_marked(&self.mark);
    }
}

/// Kills the processes that left the process group, as `setsid` does, and still have the run
/// variable in their environment.
///
/// One that takes it off goes on; so does one that starts others faster than they are found.
#[cfg(target_os = "linux")]
fn kill_marked(mark: &str) {
    let mark = format!("{RUN_VARIABLE}={mark}");
    let mut killed = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
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

/// Kills a process that has the run variable with this value; returns whether it did.
#[cfg(target_os = "linux")]
fn kill_if_marked(pid: Pid, mark: &[u8]) -> bool {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

    // Taken first, so that the signal goes to the process whose environment is read, and to none
    // that has its number afterwards.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_pid())).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark)
        && pidfd_send_signal(&process, Signal::KILL).is_ok()
}

async fn read_all(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> Result<Vec<u8>, Ended> {
    let mut all = Vec::new();
    let Some(stream) = stream else { return Ok(all) };
    let read = stream.take(limit.saturating_add(1)).read_to_end(&mut all).await?;
    if read as u64 > limit { Err(Ended::TooMuch) } else { Ok(all) }
}

async fn read_end(stream: Option<impl AsyncRead + Unpin>, limit: usize) -> Result<String, Ended> {
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    let Some(mut stream) = stream else { return Ok(String::new()) };
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(String::from_utf8_lossy(&kept).into_owned());
        }
        kept.extend_from_slice(&buffer[..read]);
        let surplus = kept.len().saturating_sub(limit);
        kept.drain(..surplus);
    }
}

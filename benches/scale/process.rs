//! Child processes, measured through `/proc`.
//!
//! A child that has ended stays readable in `/proc` until it is waited for, with its processor time
//! and that of its own children. Its memory is gone by then, so the greatest memory is read while
//! it runs: the kernel's own high-water mark, every other millisecond. (`ru_maxrss` of `wait4` is
//! not used: between fork and exec a child shares the memory of its parent, and that counts.)

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The clock ticks of `/proc` in a second. Linux tells user space 100 whatever the kernel uses.
const TICKS: u64 = 100;
/// The time between two looks at a child.
const STEP: Duration = Duration::from_millis(2);
/// The mean load of a minute from which on times say little. The bench itself causes less between
/// two parts.
const BUSY: f64 = 2.5;

/// The cost of a command that has ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    /// User and system, its own children included.
    pub(crate) cpu: Duration,
    /// The greatest memory (RSS) in KiB of the process itself.
    pub(crate) peak: u64,
}

/// Runs a command to its end, with its output in a file.
pub(crate) fn run(command: &mut Command, log: &Path) -> Usage {
    let start = Instant::now();
    let mut child = spawn(command, log);
    let mut usage = Usage::default();
    while !has_ended(child.id()) {
        usage.peak = usage.peak.max(memory(child.id(), "VmHWM:").unwrap_or_default());
        std::thread::sleep(STEP);
    }
    usage.wall = start.elapsed();
    usage.cpu = cpu(child.id());
    let status = child.wait().expect("the child is waited for");
    assert!(status.success(), "{command:?} failed: {}", last_lines(log));
    usage
}

/// A process that runs until the value is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a command with its output in a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        Self { child: spawn(command, log), log: log.to_owned() }
    }

    /// Returns the processor time until now.
    pub(crate) fn cpu(&self) -> Duration {
        cpu(self.child.id())
    }

    /// Returns the time for which its threads waited for a processor until now.
    pub(crate) fn waited(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let waited = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').nth(1)?.parse::<u64>().ok()
        });
        Duration::from_nanos(waited.sum())
    }

    /// Returns the memory (RSS) at present, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        self.memory_of("VmRSS:")
    }

    /// Returns the greatest memory (RSS) until now, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.memory_of("VmHWM:")
    }

    fn memory_of(&self, field: &str) -> u64 {
        memory(self.child.id(), field).unwrap_or_else(|| panic!("it has ended: {}", last_lines(&self.log)))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has not been waited for, so the id is still its own.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(15);
        while !has_ended(self.child.id()) && Instant::now() < deadline {
            std::thread::sleep(STEP);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the processor time of a process and of its children that have ended.
pub(crate) fn cpu(id: u32) -> Duration {
    // After the name, which may have spaces: the state is the first field, user time the 12th.
    let stat = stat(id).unwrap_or_default();
    let ticks: u64 = stat.split(' ').skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// Says so if other processes keep this machine busy before a measurement.
pub(crate) fn others() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|load| load.parse::<f64>().ok()).unwrap_or_default();
    let is_busy = load > BUSY;
    if is_busy {
        format!(" (other work on this machine, load {load:.1}: times are too long)")
    } else {
        String::new()
    }
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let output = File::create(log).expect("the log is made");
    let errors = output.try_clone().expect("the log is made");
    let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
    child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

fn stat(id: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    text.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

/// Returns `true` when a child of this process has ended and was not waited for yet.
fn has_ended(id: u32) -> bool {
    stat(id).is_none_or(|stat| stat.starts_with('Z'))
}

fn memory(id: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

//! The real servers of one measurement, and the requests that they got.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use flux_test_support::ControlPlane;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{
    api::Api,
    objects,
    process::{self, Daemon, Usage},
    programs::Programs,
    upstream::{BRANCH, Upstream, environment},
};

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(1800);

/// An API server without objects, and the programs that are measured on it.
pub(crate) struct Servers {
    plane: ControlPlane,
    programs: Programs,
    folder: PathBuf,
    /// The client of the bench itself.
    pub(crate) api: Api,
    /// The client that is measured.
    pub(crate) raw: Api,
}

impl Servers {
    /// Starts them; `None`, after saying so, where real servers are not required.
    pub(crate) fn start(runtime: &Arc<Runtime>, programs: &Programs, folder: &Path) -> Option<Self> {
        let plane = ControlPlane::start_audited()?;
        let (api, raw) =
            (Api::of_bench(runtime, plane.server()), Api::of_measured_user(runtime, plane.server()));
        // The first apply of each type pays for what the server builds once; nobody here is to.
        api.apply(&objects::namespaces(), 8);
        api.apply(&objects::applications(1), 8);
        api.clear();
        Some(Self { plane, programs: programs.clone(), folder: folder.to_owned(), api, raw })
    }

    /// Starts the controllers of Deployments, and waits until they have seen all of them.
    pub(crate) fn start_controllers(&mut self, deployments: usize) {
        self.plane.start_controllers(&["deployment-controller", "replicaset-controller"]);
        until("every Deployment has its ReplicaSet", Duration::from_millis(500), || {
            self.api.count("/apis/apps/v1/replicasets") >= deployments
        });
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Measured {
        let (mark, log) = (self.mark(), self.folder.join("command.log"));
        let usage = process::run(command, &log);
        Measured { usage, requests: self.requests_since(mark) }
    }

    /// Starts `fluxd` on a repository, with polls and cycles each second.
    pub(crate) fn fluxd(&self, upstream: &Upstream, cache: &str) -> Daemon {
        let mut command = self.command("fluxd", upstream, cache);
        command.args(["--git-poll-interval=1s", "--sync-interval=1s", "--automation-interval=1h"]);
        Daemon::start(&mut command, &self.folder.join("fluxd.log"))
    }

    /// Returns the command of `fluxctl` on a repository.
    pub(crate) fn fluxctl(&self, upstream: &Upstream, cache: &str, words: &[&str]) -> Command {
        let mut command = self.command("fluxctl", upstream, cache);
        command.args(words);
        command
    }

    fn command(&self, program: &str, upstream: &Upstream, cache: &str) -> Command {
        let images = self.folder.join("images.yaml");
        objects::write_images(&images);
        let mut command = Command::new(self.programs.path(program));
        self.isolate(&mut command);
        command.arg(format!("--git-url={}", upstream.url())).arg(format!("--git-branch={BRANCH}"));
        command.arg("--cache-dir").arg(self.folder.join(cache)).arg("--images").arg(images);
        command.arg("--kubeconfig").arg(self.plane.server().restricted_kubeconfig());
        command
    }

    /// Returns the command of a server-side apply by kubectl.
    pub(crate) fn kubectl_apply(&self, words: &[&str], files: &Path) -> Command {
        let mut command = Command::new(self.kubectl());
        self.isolate(&mut command);
        command.arg("--kubeconfig").arg(self.plane.server().restricted_kubeconfig());
        command.args(["apply", "--server-side", "--force-conflicts", "--field-manager=bench"]);
        command.args(words).arg("-f").arg(files);
        command
    }

    /// Returns the path of kubectl.
    pub(crate) fn kubectl(&self) -> PathBuf {
        self.plane.server().kubectl_folder().join("kubectl")
    }

    /// Returns the kubeconfig of the measured user.
    pub(crate) fn kubeconfig(&self) -> &Path {
        self.plane.server().restricted_kubeconfig()
    }

    /// Lets a command depend on nothing in the environment of this process.
    pub(crate) fn isolate(&self, command: &mut Command) {
        command.env_clear().env("HOME", &self.folder).envs(environment());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    }

    /// Returns the place in the log of requests at present.
    pub(crate) fn mark(&self) -> Mark {
        Mark(fs::metadata(self.plane.audit_log()).map_or(0, |log| log.len()))
    }

    /// Returns the requests of the measured user after a mark.
    pub(crate) fn requests_since(&self, mark: Mark) -> Requests {
        Requests::read(&self.plane.audit_log(), mark)
    }
}

/// A place in the log of requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

/// The cost of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) usage: Usage,
    pub(crate) requests: Requests,
}

/// The requests of the measured user, by verb and resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(BTreeMap<String, u64>);

impl Requests {
    /// Reads the audit log from a mark on.
    fn read(log: &Path, Mark(from): Mark) -> Self {
        let mut counts = BTreeMap::new();
        let mut text = String::new();
        if let Ok(mut file) = fs::File::open(log) {
            file.seek(SeekFrom::Start(from)).expect("the audit log is read");
            file.read_to_string(&mut text).expect("the audit log is read");
        }
        for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let verb = event["verb"].as_str().unwrap_or_default();
            // A watch counts when it starts, and not again when it ends.
            if verb == "watch" && event["stage"] != "ResponseStarted" {
                continue;
            }
            let resource = event["objectRef"]["resource"].as_str().unwrap_or("(discovery)");
            *counts.entry(format!("{verb} {resource}")).or_default() += 1;
        }
        Self(counts)
    }

    /// Returns these and others together.
    pub(crate) fn plus(&self, others: &Self) -> Self {
        let mut sum = self.clone();
        for (name, count) in &others.0 {
            *sum.0.entry(name.clone()).or_default() += count;
        }
        sum
    }

    /// Returns their number.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Returns the number of those of a verb.
    pub(crate) fn of(&self, verb: &str) -> u64 {
        self.each_of(verb).sum()
    }

    /// Returns the greatest number of those of a verb for one resource.
    pub(crate) fn most_of(&self, verb: &str) -> u64 {
        self.each_of(verb).max().unwrap_or_default()
    }

    fn each_of(&self, verb: &str) -> impl Iterator<Item = u64> {
        self.0.iter().filter(move |(name, _)| name.split(' ').next() == Some(verb)).map(|(_, count)| *count)
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut most: Vec<_> = self.0.iter().collect();
        most.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
        let words: Vec<String> = most.iter().take(5).map(|(name, count)| format!("{count} {name}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// Asks until something is so.
pub(crate) fn until(what: &str, step: Duration, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < LIMIT, "not within {} s: {what}", LIMIT.as_secs());
        std::thread::sleep(step);
    }
}

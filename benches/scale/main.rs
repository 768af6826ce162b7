//! The reference binaries at scale, on real servers, beside kubectl, git and a plain client.
//!
//! `tests/run --exec cargo bench --bench scale` starts etcd and a kube-apiserver for each part,
//! measures `fluxd` and `fluxctl` on 1,000 and 10,000 Deployments in as many files, and prints one
//! table in Markdown: ours, what does the same work beside it in the same run, and the limits that
//! are to be kept. `-- --help` prints its arguments; `--soak MINUTES` is a soak in place of the
//! table.
//!
//! - **Read ratios, not seconds**: all share the machine with the API server. Memory is steady, and
//!   processor time on a quiet machine; with other work on it, that doubles too.
//! - The floor is a plain client: one server-side apply for each object, of the text of its file,
//!   at the best of 8 to 128 requests at once. It reads no repository and decides nothing.
//! - The binaries are those of `cargo build --release --examples`, and are built so unless the
//!   variable `FLUX_BIN` names the folder of others.
//! - All that is measured goes by one user, whose requests the API server writes to its audit log:
//!   so they are counted one by one, without those of controllers and of the bench.
//! - Planning, loading and editing alone are `cargo bench --bench plan` and `--bench edit`.
//!
//! Without `tests/run` there are no servers, and it says so and does nothing. `tests/run --bench
//! scale` is a small case, which sees that all parts work.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench prints, and stops at what it cannot set up"
)]

mod api;
mod applications;
mod arguments;
mod daemon;
mod deployment;
mod first;
mod objects;
mod process;
mod programs;
mod release;
mod servers;
mod soak;
mod table;
mod upstream;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use arguments::Arguments;
use programs::Programs;
use servers::Servers;
use table::Row;

/// A part of the table. Each has servers of its own, unless the case is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    First,
    Release,
    Applications,
    Daemon,
}

/// The size of a measurement.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// A folder for its files.
    pub(crate) folder: PathBuf,
    /// The number of objects.
    pub(crate) n: usize,
    /// The number of applications.
    pub(crate) applications: usize,
    /// How often each contender has its turn at first syncs.
    pub(crate) turns: usize,
    /// How many releases.
    pub(crate) releases: usize,
    /// How many changed files.
    pub(crate) samples: usize,
    /// How long quiet cycles are measured.
    pub(crate) quiet: Duration,
    /// `true` if the controllers of Deployments run beside the daemon.
    pub(crate) controllers: bool,
}

impl Part {
    /// The one with controllers comes last, as they stay.
    pub(crate) const ALL: [Self; 4] = [Self::First, Self::Release, Self::Applications, Self::Daemon];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Release => "release",
            Self::Applications => "applications",
            Self::Daemon => "daemon",
        }
    }

    fn rows(self, context: &Context, servers: &mut Servers) -> Vec<Row> {
        match self {
            Self::First => first::rows(context, servers),
            Self::Release => release::rows(context, servers),
            Self::Applications => applications::rows(context, servers),
            Self::Daemon => daemon::rows(context, servers),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::read();
    if !flux_test_support::real() {
        println!("skipped: the servers of the measurements are started by tests/run only");
        return ExitCode::SUCCESS;
    }
    let programs = Programs::find(arguments.bench);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = Arc::new(runtime.expect("a runtime"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |name: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let servers = Servers::start(&runtime, &programs, &folder).expect("the servers are required");
        (folder, servers)
    };
    if !arguments.bench {
        let (folder, mut servers) = start("small");
        let context = Context::small(folder);
        let rows: Vec<Row> = Part::ALL.iter().flat_map(|part| part.rows(&context, &mut servers)).collect();
        table::print(&rows);
        return ExitCode::SUCCESS;
    }
    if let Some(time) = arguments.soak {
        let (folder, mut servers) = start("soak");
        return soak::run(&Context::of(folder, arguments.sizes[0], &arguments), &mut servers, time);
    }
    let mut rows = Vec::new();
    for n in &arguments.sizes {
        for part in &arguments.parts {
            // Applications have a size of their own.
            if *part == Part::Applications && n != &arguments.sizes[0] {
                continue;
            }
            println!("\n{}, {n} objects{}", part.name(), process::others());
            let (folder, mut servers) = start(&format!("{}-{n}", part.name()));
            let more = part.rows(&Context::of(folder, *n, &arguments), &mut servers);
            // The whole takes long: what is known is not lost with the rest.
            more.iter().for_each(|row| println!("{}", row.line()));
            rows.extend(more);
        }
    }
    rows.extend(daemon::by_object(&rows));
    table::print(&rows);
    println!(
        "\nPlanning, loading and editing alone: `cargo bench --bench plan`, `cargo bench --bench edit`."
    );
    ExitCode::SUCCESS
}

impl Context {
    fn of(folder: PathBuf, n: usize, arguments: &Arguments) -> Self {
        Self {
            folder,
            n,
            applications: n.min(1_000),
            turns: arguments.turns.unwrap_or(if n <= 2_000 { 3 } else { 1 }),
            releases: 5,
            samples: 20,
            quiet: Duration::from_secs(20),
            controllers: true,
        }
    }

    fn small(folder: PathBuf) -> Self {
        Self {
            folder,
            n: 20,
            applications: 3,
            turns: 1,
            releases: 1,
            samples: 1,
            quiet: Duration::from_secs(1),
            controllers: false,
        }
    }
}

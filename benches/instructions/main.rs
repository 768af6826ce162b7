//! Instructions of the loader and the planners, held against a table: a guard against regressions.
//!
//! Counts of instructions are steady where times are not. Each case runs once under `valgrind
//! --tool=callgrind`, in a child process; its preparation is not counted, and the threads that it
//! starts are.
//!
//! ```text
//! cargo bench --bench instructions                           # compares
//! FLUX_INSTRUCTIONS=write cargo bench --bench instructions   # writes benches/instructions.txt anew
//! ```
//!
//! It fails when a case takes twice the instructions of the table or more. From a tenth on, more or
//! fewer, it says that the table is to be written anew, so that slow growth is seen in a commit.
//! Another compiler or another processor moves the counts by a few per cent.
//!
//! Under `cargo test --benches` one small case is counted twice, in a build without optimisation,
//! and compared with itself. Without valgrind it says so and counts nothing; under `tests/run` that
//! is a failure.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench prints, and stops at what it cannot set up"
)]

mod cases;
#[path = "../scale/deployment.rs"]
mod deployment;
mod table;

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use cases::Case;
use table::{Table, Verdict};

/// The switch that writes the table.
const WRITE: &str = "FLUX_INSTRUCTIONS";
/// The argument that makes this the child process of a case.
const CHILD: &str = "--case";
/// The most that two counts of one small case differ by, in per cent.
const NOISE: f64 = 5.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, divisor] = arguments.as_slice()
        && flag == CHILD
    {
        let case = Case::ALL.into_iter().find(|case| case.name() == name).expect("a case of the list");
        case.run(divisor.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    if let Err(why) = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status() {
        println!(
            "no instructions are counted: valgrind does not run ({why}); `tests/run --prepare` brings it"
        );
        return if flux_test_support::real() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    if arguments.iter().any(|argument| argument == "--bench") {
        compare(folder.path())
    } else {
        let counts = [1, 2].map(|_| count(folder.path(), Case::Parse, 50));
        println!("{} in four files, counted twice: {} and {}", Case::Parse.name(), counts[0], counts[1]);
        let differ = (counts[0] as f64 / counts[1] as f64 - 1.0).abs() * 100.0;
        assert!(differ <= NOISE, "two counts of the same work differ by {differ:.1} %");
        ExitCode::SUCCESS
    }
}

/// Counts all cases and holds them against the table, or writes it.
fn compare(folder: &Path) -> ExitCode {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt");
    let known = Table::read(&path);
    let mut counted = Table::default();
    let mut is_doubled = false;
    println!("{:<34} {:>16} {:>16} {:>7}", "case", "instructions", "table", "ratio");
    for case in Case::ALL {
        let count = count(folder, case, 1);
        counted.set(case.name(), count);
        let verdict = known.verdict(case.name(), count);
        is_doubled |= matches!(verdict, Verdict::Doubled(_));
        let table = known.get(case.name()).map_or_else(|| "—".to_owned(), |known| known.to_string());
        println!("{:<34} {count:>16} {table:>16} {verdict}", case.name());
    }
    if std::env::var(WRITE).is_ok_and(|value| value == "write") {
        counted.write(&path);
        println!("written to {}", path.display());
        return ExitCode::SUCCESS;
    }
    println!("`{WRITE}=write cargo bench --bench instructions` writes the table anew");
    if is_doubled { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Returns the instructions of a case, its preparation left out.
fn count(folder: &Path, case: Case, divisor: usize) -> u64 {
    let out = folder.join("callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(format!("--zero-before=*::{}", cases::MEASURED))
        .arg(format!("--dump-after=*::{}", cases::MEASURED))
        .arg(std::env::current_exe().expect("this program has a path"))
        .args([CHILD, case.name(), &divisor.to_string()])
        // Threads take turns in it as they happen to; fewer of them are steadier.
        .env("TOKIO_WORKER_THREADS", "1")
        .output()
        .expect("valgrind runs");
    assert!(output.status.success(), "{}: {}", case.name(), String::from_utf8_lossy(&output.stderr));
    // The first dump is that of the measured function; the last is of the end of the process.
    let dump = fs::read_to_string(folder.join("callgrind.out.1"))
        .unwrap_or_else(|error| panic!("callgrind has not dumped {}: {error}", cases::MEASURED));
    assert!(dump.contains("Trigger: --dump-after"), "the dump is of something else");
    let totals = dump.lines().find_map(|line| line.strip_prefix("totals: ")).expect("totals");
    totals.trim().parse().expect("a number of instructions")
}

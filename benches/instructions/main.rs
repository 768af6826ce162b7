//! Instructions of the loader and the planners, held against a table: a guard against regressions.
//!
//! Counts of instructions are steady where times are not. A child process does each case once under
//! `valgrind --tool=callgrind`; the preparation of a case is not counted, and the threads that it
//! starts are.
//!
//! ```text
//! cargo bench --bench instructions                           # compares
//! FLUX_INSTRUCTIONS=write cargo bench --bench instructions   # writes the table anew
//! ```
//!
//! It fails when a case takes twice the instructions of the table or more. From a tenth on, more or
//! fewer, it says that the table is to be written anew, so that slow growth is seen in a commit.
//! Another compiler or another processor moves the counts by a few per cent.
//!
//! Under `cargo test --benches` small cases are counted twice, in a build without optimisation, and
//! compared with themselves. Without valgrind it says so and counts nothing; under `tests/run` that
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

use table::{Table, Verdict};

/// The switch that writes the table.
const WRITE: &str = "FLUX_INSTRUCTIONS";
/// The argument that makes this the child process, which does the work.
const CHILD: &str = "--divided-by";
/// The most that two counts of small cases differ by, in per cent.
const NOISE: f64 = 5.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, divisor] = arguments.as_slice()
        && flag == CHILD
    {
        cases::run(divisor.parse().expect("a number"));
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
        let counts = [(); 2].map(|()| count(folder.path(), 100));
        println!("small cases, counted twice:");
        for (name, (one, other)) in cases::CASES.iter().zip(counts[0].iter().zip(&counts[1])) {
            println!("{name:<34} {one:>16} {other:>16}");
            let differ = (*one as f64 / *other as f64 - 1.0).abs() * 100.0;
            assert!(differ <= NOISE, "two counts of the same work differ by {differ:.1} %");
        }
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
    for (name, count) in cases::CASES.into_iter().zip(count(folder, 1)) {
        counted.set(name, count);
        let verdict = known.verdict(name, count);
        is_doubled |= matches!(verdict, Verdict::Doubled(_));
        let table = known.get(name).map_or_else(|| "—".to_owned(), |known| known.to_string());
        println!("{name:<34} {count:>16} {table:>16} {verdict}");
    }
    if std::env::var(WRITE).is_ok_and(|value| value == "write") {
        counted.write(&path);
        println!("written to {}", path.display());
        return ExitCode::SUCCESS;
    }
    println!("`{WRITE}=write cargo bench --bench instructions` writes the table anew");
    if is_doubled { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Returns the instructions of each case, their preparation left out.
fn count(folder: &Path, divisor: usize) -> Vec<u64> {
    let out = folder.join("callgrind.out");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(format!("--zero-before=*::{}", cases::MEASURED))
        .arg(format!("--dump-after=*::{}", cases::MEASURED))
        .arg(std::env::current_exe().expect("this program has a path"))
        .args([CHILD, &divisor.to_string()])
        .output()
        .expect("valgrind runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (1..=cases::CASES.len()).map(|number| total(&folder.join(format!("callgrind.out.{number}")))).collect()
}

/// Returns the instructions in a dump.
fn total(dump: &Path) -> u64 {
    let text = fs::read_to_string(dump)
        .unwrap_or_else(|error| panic!("callgrind has not dumped {}: {error}", cases::MEASURED));
    assert!(text.contains("Trigger: --dump-after"), "the dump is of something else");
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: ")).expect("totals");
    totals.trim().parse().expect("a number of instructions")
}

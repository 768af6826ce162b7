//! Commands are bounded in time and in what they print.

use std::time::{Duration, Instant};

use flux_core::generate::GenerateError;
use flux_generate::ProcessGenerator;

use crate::support::{checkout, checkout_by, command};

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed() {
    let mut copy = checkout(&[("a.txt", "")]).await;
    let mut run = command("sleep 300");
    run.timeout = Duration::from_millis(200);
    let start = Instant::now();
    let error = copy.run(&run).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(matches!(&error, GenerateError::TimedOut { after, .. } if *after == run.timeout), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_command_that_prints_without_end_is_killed() {
    let generator = ProcessGenerator::builder().max_output(1000).build();
    let mut copy = checkout_by(&generator, &[("a.txt", "")], &[]).await.unwrap();
    let error = copy.run(&command("yes")).await.unwrap_err();
    assert!(matches!(error, GenerateError::TooMuch { limit: 1000, .. }), "{error}");
    assert!(!error.is_retryable());
    let output = copy.run(&command("printf %1000s")).await.unwrap();
    assert_eq!(output.stdout.len(), 1000, "as much as is allowed");
}

#[tokio::test]
async fn a_command_that_fails_tells_the_end_of_its_errors_and_nothing_that_it_printed() {
    let generator = ProcessGenerator::builder().max_stderr(9).build();
    let mut copy = checkout_by(&generator, &[("a.txt", "")], &[]).await.unwrap();
    let error = copy.run(&command("echo a secret; yes | head -n 9999 >&2; echo the wind >&2; exit 3")).await;
    let error = error.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("a secret\n"), "{error:?}");
    let GenerateError::Failed { status, stderr, .. } = error else { panic!("{error}") };
    assert_eq!((status.as_str(), stderr.as_str()), ("exit status: 3", "the wind\n"));
}

#[tokio::test]
async fn a_flood_of_errors_does_not_block_a_command_that_succeeds() {
    let mut copy = checkout(&[("a.txt", "")]).await;
    let output = copy.run(&command("yes | head -n 1000000 >&2; echo done")).await.unwrap();
    assert_eq!(output.stdout, "done\n");
}

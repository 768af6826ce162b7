//! Nothing that a command started is left behind.

use std::time::Duration;

use flux_core::generate::GenerateError;

use crate::support::{checkout, command, is_gone};

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed_with_all_that_it_started() {
    let mut copy = checkout(&[("a.txt", "")]).await;
    let shared = tempfile::tempdir().unwrap();
    let started = shared.path().join("started");
    let mut run = command(&format!("sleep 300 & echo $! > {}; wait", started.display()));
    run.timeout = Duration::from_secs(1);
    assert!(matches!(copy.run(&run).await, Err(GenerateError::TimedOut { .. })));
    is_gone(&started);
}

#[tokio::test]
async fn processes_in_the_background_go_when_their_command_ends() {
    for (end, succeeds) in [("exit 0", true), ("exit 3", false)] {
        let mut copy = checkout(&[("a.txt", "")]).await;
        let shared = tempfile::tempdir().unwrap();
        let started = shared.path().join("started");
        let text = format!("sleep 300 >/dev/null 2>&1 & echo $! > {}; {end}", started.display());
        assert_eq!(copy.run(&command(&text)).await.is_ok(), succeeds);
        is_gone(&started);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn processes_in_sessions_of_their_own_are_found_and_killed() {
    for (end, succeeds) in [("wait", false), ("exit 3", false), ("exit 0", true)] {
        let mut copy = checkout(&[("a.txt", "")]).await;
        let shared = tempfile::tempdir().unwrap();
        let started = shared.path().join("started");
        // It starts another of its own, and both are out of the group.
        let text = format!(
            "setsid sh -c 'setsid sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait' >/dev/null 2>&1 &\nwhile ! [ -f {0} ]; do sleep 0.01; done\n{end}",
            started.display()
        );
        let mut run = command(&text);
        run.timeout = Duration::from_secs(2);
        assert_eq!(copy.run(&run).await.is_ok(), succeeds, "{end}");
        is_gone(&started);
    }
}

#[tokio::test]
async fn a_command_whose_future_is_dropped_is_killed() {
    let mut copy = checkout(&[("a.txt", "")]).await;
    let shared = tempfile::tempdir().unwrap();
    let started = shared.path().join("started");
    let run = command(&format!("echo $$ > {0}.new; mv {0}.new {0}; sleep 300", started.display()));
    let is_started = async {
        while !started.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = copy.run(&run) => panic!("it sleeps"),
        () = is_started => {}
    }
    is_gone(&started);
}

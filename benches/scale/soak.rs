//! A soak: changes in git and in the cluster, and nothing may grow.

use std::{
    collections::BTreeSet,
    fs,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Context,
    objects::{self, Workload},
    servers::{Servers, until},
    upstream::Upstream,
};

/// The time between two changes: five a second.
const STEP: Duration = Duration::from_millis(200);
/// The time between two lines of the report.
const LINE: Duration = Duration::from_secs(30);
/// The most that memory may drift after the first quarter, in per cent.
const DRIFT: f64 = 5.0;
/// The watches of one resource at a time: of its objects, and of workloads.
const WATCHES: u64 = 2;
/// The time after which a watch ends and is taken up again, so that a dead connection is noticed.
const WATCH: Duration = Duration::from_secs(120);

/// Lets `fluxd` work on a stream of changes, and judges its memory and its requests.
pub(crate) fn run(context: &Context, servers: &mut Servers, time: Duration) -> ExitCode {
    let n = context.n;
    let all = [objects::namespaces(), objects::deployments(n)].concat();
    let upstream = Upstream::with(&context.folder, "soak", &all);
    let _ = fs::remove_dir_all(context.folder.join("cache"));
    let daemon = servers.fluxd(&upstream, "cache");
    until("fluxd creates all", Duration::from_millis(100), || {
        servers.api.count("/apis/apps/v1/deployments") == n
    });
    servers.start_controllers(n);
    thread::sleep(context.quiet);

    println!("| s | RSS MiB | CPU s | pushes | edits | requests |\n|---|---|---|---|---|---|");
    let (mark, spent, start) = (servers.mark(), daemon.cpu(), Instant::now());
    let mut memory: Vec<(Duration, u64)> = Vec::new();
    let (mut pushed, mut edited, mut next_line) = (BTreeSet::new(), BTreeSet::new(), Duration::ZERO);
    let mut change = 0;
    while start.elapsed() < time {
        // A different object each time, until all have had their turn.
        let (workload, round) = (Workload(change * 7 % n), change / n + 1);
        if change % 2 == 0 {
            push(&upstream, workload, round);
            pushed.insert(change);
        } else {
            let patch = json!({ "metadata": { "labels": { "team": format!("somebody-{round}") } } });
            servers.api.merge(&workload.api(), &patch);
            edited.insert(change);
        }
        change += 1;
        memory.push((start.elapsed(), daemon.memory()));
        if start.elapsed() >= next_line {
            let cpu = (daemon.cpu() - spent).as_secs_f64();
            let (seconds, now) = (start.elapsed().as_secs(), daemon.memory() as f64 / 1024.0);
            let requests = servers.requests_since(mark);
            println!(
                "| {seconds} | {now:.1} | {cpu:.1} | {} | {} | {requests} |",
                pushed.len(),
                edited.len()
            );
            next_line += LINE;
        }
        let due = STEP * u32::try_from(change).expect("fewer changes");
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    until("the cluster is as git says", Duration::from_secs(1), || {
        is_as_git_says(servers, &pushed, &edited, n)
    });

    let requests = servers.requests_since(mark);
    let needed = u64::try_from(pushed.len() + edited.len()).expect("fewer changes");
    let rate = change as f64 / start.elapsed().as_secs_f64();
    let watches = WATCHES * (start.elapsed().as_secs() / WATCH.as_secs() + 1);
    let more = requests.total().saturating_sub(needed + requests.of("watch"));
    let drift = drift(&memory, time);
    println!(
        "\n{change} changes, {rate:.1} a second; memory drifts by {drift:+.1} % after the first quarter ({DRIFT} % are allowed)"
    );
    println!("requests: {requests}; the changes need {needed} patches");
    println!("beyond these and watches that are taken up again: {more} (0 are allowed)");
    let resumed = requests.most_of("watch");
    println!("watches of one resource that were taken up again: at most {resumed} ({watches} are allowed)");
    let is_flat = drift.abs() <= DRIFT;
    let is_frugal = requests.of("patch") <= needed && more == 0 && resumed <= watches;
    if is_flat && is_frugal { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Changes the image of a workload in git.
fn push(upstream: &Upstream, workload: Workload, round: usize) {
    let (file, text) = (workload.file(), workload.text(round % 10));
    upstream.push([(file.as_str(), text.as_str())]);
}

/// Returns by how many per cent the mean of the last quarter is above that of the second.
fn drift(memory: &[(Duration, u64)], time: Duration) -> f64 {
    let quarter = |from: u32| {
        let (from, to) = (time * from / 4, time * (from + 1) / 4);
        let inside: Vec<f64> =
            memory.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, kib)| *kib as f64).collect();
        inside.iter().sum::<f64>() / inside.len() as f64
    };
    (quarter(3) / quarter(1) - 1.0) * 100.0
}

/// Returns `true` when every change of git is live and every edit of the cluster is undone.
fn is_as_git_says(servers: &Servers, pushed: &BTreeSet<usize>, edited: &BTreeSet<usize>, n: usize) -> bool {
    // The last change of an object counts.
    let recent = |changes: &BTreeSet<usize>| changes.iter().rev().take(50).copied().collect::<Vec<_>>();
    let live = recent(pushed).into_iter().all(|change| {
        let (workload, round) = (Workload(change * 7 % n), change / n + 1);
        let object = servers.api.get(&workload.api());
        object["spec"]["template"]["spec"]["containers"][0]["image"] == workload.image(round % 10).as_str()
    });
    live && recent(edited).into_iter().all(|change| {
        let workload = Workload(change * 7 % n);
        let object = servers.api.get(&workload.api());
        object["metadata"]["labels"]["team"] == format!("team-{}", workload.0 % 7).as_str()
    })
}

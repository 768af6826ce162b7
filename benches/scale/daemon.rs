//! The daemon: its memory, its quiet cycles, and one changed file.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    Context,
    objects::{self, Workload},
    process::Daemon,
    servers::{Servers, until},
    table::{Row, median, seconds},
    upstream::Upstream,
};

/// The time that is given to what a change brings after it is live.
const AFTERMATH: Duration = Duration::from_millis(1200);

/// Measures one daemon, with the controllers of Deployments beside it if they are asked for.
pub(crate) fn rows(context: &Context, servers: &mut Servers) -> Vec<Row> {
    let n = context.n;
    let all = [objects::namespaces(), objects::deployments(n)].concat();
    let upstream = Upstream::with(&context.folder, "daemon", &all);
    let _ = fs::remove_dir_all(context.folder.join("cache"));
    let daemon = servers.fluxd(&upstream, "cache");
    until("fluxd creates all", Duration::from_millis(100), || {
        servers.api.count("/apis/apps/v1/deployments") == n
    });
    if context.controllers {
        servers.start_controllers(n);
    }
    settle(&daemon, context.quiet);

    let (mark, before, waited) = (servers.mark(), daemon.cpu(), daemon.waited());
    let start = Instant::now();
    thread::sleep(context.quiet);
    let passed = start.elapsed().as_secs_f64();
    let cycle = (daemon.cpu() - before).div_f64(passed);
    let waited = daemon.waited().saturating_sub(waited).div_f64(passed);
    let requests = servers.requests_since(mark);
    let quiet = Row {
        cpu: Some(cycle),
        requests: Some(requests.total()),
        also: format!("{requests}{}", starved(waited)),
        ..Row::new("fluxd, a second with a poll and a cycle, nothing changed", n)
    };
    let calm = |limit| cycle <= Duration::from_millis(limit);
    let quiet = quiet
        .wanted_at(1_000, "≤ 3 ms", calm(3))
        .wanted_at(10_000, "≤ 10 ms", calm(10))
        .wanted("no request", requests.total() == 0)
        .recorded("Flux v2 no-op 4.4 s CPU, Flux v1 3.2 s, at 1,000 (recorded)");

    let changed = changes(context, servers, &upstream, &daemon, cycle);
    let now = daemon.memory();
    let memory = Row { peak: Some(daemon.peak()), now: Some(now), ..Row::new("fluxd, memory", n) };
    let memory = memory
        .wanted_at(1_000, "≤ 45 MiB", now <= 45 * 1024)
        .wanted_at(10_000, "≤ 120 MiB", now <= 120 * 1024)
        .recorded("Flux v2 243 MiB, Flux v1 191 at 1,000; v1 176 and 730 at 10,000 (recorded)");
    drop(daemon);
    servers.api.clear();
    vec![memory, quiet, changed]
}

/// Says so if the daemon could not have a processor when it wanted one: then a second may have less
/// than a cycle in it.
fn starved(waited: Duration) -> String {
    let is_starved = waited > Duration::from_millis(20);
    if is_starved {
        format!("waited {} for a processor: cycles may be missing", seconds(waited))
    } else {
        String::new()
    }
}

/// Returns the row of the memory that each object takes, from the rows of two sizes.
pub(crate) fn by_object(rows: &[Row]) -> Option<Row> {
    let mut memory: Vec<(usize, u64)> = rows
        .iter()
        .filter(|row| row.work == "fluxd, memory")
        .filter_map(|row| Some((row.n, row.now?)))
        .collect();
    memory.sort_unstable();
    let [(few, less), .., (many, more)] = memory[..] else { return None };
    let kib = more.saturating_sub(less) as f64 / (many - few) as f64;
    let row = Row {
        also: format!("{kib:.1} KiB an object"),
        ..Row::new("fluxd, memory beyond that of fewer", many)
    };
    Some(row.wanted("≤ 9 KiB an object", kib <= 9.0))
}

/// Changes one file after the other, and measures when each is live and its cost.
fn changes(
    context: &Context,
    servers: &Servers,
    upstream: &Upstream,
    daemon: &Daemon,
    cycle: Duration,
) -> Row {
    let (n, samples) = (context.n, context.samples);
    let (mut live, mut cost) = (Vec::new(), Vec::new());
    let mark = servers.mark();
    for sample in 0..samples {
        let workload = Workload((sample * n / samples + 7) % n);
        let tag = sample % 9 + 1;
        let (file, text) = (workload.file(), workload.text(tag));
        let seen = servers.api.when_it_runs(workload, workload.image(tag));
        let (before, start) = (daemon.cpu(), Instant::now());
        upstream.push([(file.as_str(), text.as_str())]);
        let pushed = Instant::now();
        let at = seen.recv_timeout(Duration::from_secs(120)).expect("the change is live");
        live.push(at.saturating_duration_since(pushed));
        // Spread over the second between two polls.
        thread::sleep(AFTERMATH + Duration::from_secs(1) * u32::try_from(sample).expect("few") / 20);
        cost.push((daemon.cpu() - before).saturating_sub(cycle.mul_f64(start.elapsed().as_secs_f64())));
    }
    let (middle, worst) = (median(live.iter().copied()), live.iter().copied().max().unwrap_or_default());
    let requests = servers.requests_since(mark);
    // Ticks of the processor's clock are coarse: the mean of all is steadier than a median.
    let mean = cost.iter().sum::<Duration>().div_f64(samples as f64);
    let row = Row {
        wall: Some(middle),
        cpu: Some(mean),
        requests: Some(requests.total()),
        also: format!("slowest {} of {samples}; all requests: {requests}", seconds(worst)),
        ..Row::new("one changed file, live after the push (poll 1 s)", n)
    };
    let row = row.wanted_at(10_000, "≤ 60 ms CPU", mean <= Duration::from_millis(60));
    row.wanted("≤ 1.2 s, all", worst <= Duration::from_millis(1200))
        .recorded("Flux v2 6.3 s at 1,000 (recorded)")
}

/// Waits until the daemon no longer works off its start.
fn settle(daemon: &Daemon, window: Duration) {
    let window = window.min(Duration::from_secs(3));
    let mut last = Duration::MAX;
    until("fluxd is quiet", Duration::ZERO, || {
        let before = daemon.cpu();
        thread::sleep(window);
        let spent = daemon.cpu() - before;
        let is_steady = spent.mul_f64(1.1) >= last;
        last = spent;
        is_steady
    });
}

//! First syncs of an empty cluster, and syncs when nothing has changed.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    Context, objects,
    servers::{Measured, Servers, until},
    table::{Row, median, seconds},
    upstream::Upstream,
};

/// The numbers of requests that the raw client has under way.
const AT_ONCE: [usize; 5] = [8, 16, 32, 64, 128];
/// The most objects for which kubectl is waited for: it takes 5 s for each 1,000.
const MOST_FOR_KUBECTL: usize = 2_000;
/// The runs of `fluxctl sync` without changes in each turn.
const UNCHANGED: usize = 3;

/// One that brings an empty cluster to what git says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    Kubectl,
    Fluxctl,
    Fluxd,
    Raw(usize),
}

/// The figures of all turns.
#[derive(Debug, Default)]
struct Figures {
    kubectl: Vec<Measured>,
    kubectl_unchanged: Vec<Measured>,
    fluxctl: Vec<Measured>,
    fluxctl_unchanged: Vec<Measured>,
    fluxd: Vec<Measured>,
    raw: Vec<(usize, Duration)>,
}

/// Measures all, each in its turn on the emptied cluster.
pub(crate) fn rows(context: &Context, servers: &mut Servers) -> Vec<Row> {
    let n = context.n;
    let all = [objects::namespaces(), objects::deployments(n)].concat();
    let upstream = Upstream::with(&context.folder, "first", &all);
    let mut contenders: Vec<Contender> = AT_ONCE.map(Contender::Raw).to_vec();
    contenders.extend([Contender::Fluxd, Contender::Fluxctl]);
    contenders.extend((n <= MOST_FOR_KUBECTL).then_some(Contender::Kubectl));
    let mut figures = Figures::default();
    for turn in 0..context.turns {
        let first = turn * contenders.len() / context.turns;
        for contender in contenders.iter().cycle().skip(first).take(contenders.len()) {
            // A cold start each time.
            let _ = fs::remove_dir_all(context.folder.join("cache"));
            measure(*contender, servers, &upstream, &all, &mut figures);
            assert_eq!(servers.api.count("/apis/apps/v1/deployments"), n, "{contender:?}");
            servers.api.clear();
        }
    }
    figures.rows(n)
}

fn measure(
    contender: Contender,
    servers: &Servers,
    upstream: &Upstream,
    all: &[objects::Object],
    figures: &mut Figures,
) {
    let deployments = all.len() - objects::NAMESPACES;
    match contender {
        Contender::Kubectl => {
            let mut command = servers.kubectl_apply(&["--recursive"], upstream.files());
            figures.kubectl.push(servers.run(&mut command));
            figures.kubectl_unchanged.push(servers.run(&mut command));
        }
        Contender::Fluxctl => {
            let mut command = servers.fluxctl(upstream, "cache", &["sync"]);
            figures.fluxctl.push(servers.run(&mut command));
            let unchanged = (0..UNCHANGED).map(|_| servers.run(&mut command));
            figures.fluxctl_unchanged.extend(unchanged);
        }
        Contender::Fluxd => figures.fluxd.push(fluxd(servers, upstream, deployments)),
        Contender::Raw(at_once) => {
            let (namespaces, workloads) = all.split_at(objects::NAMESPACES);
            let time = servers.raw.apply(namespaces, at_once) + servers.raw.apply(workloads, at_once);
            figures.raw.push((at_once, time));
        }
    }
}

/// Starts `fluxd`, and measures until all objects are there.
fn fluxd(servers: &Servers, upstream: &Upstream, deployments: usize) -> Measured {
    let (mark, start) = (servers.mark(), Instant::now());
    let daemon = servers.fluxd(upstream, "cache");
    let mut measured = Measured::default();
    until("fluxd creates all", Duration::from_millis(20), || {
        measured.usage.peak = daemon.peak();
        servers.api.count("/apis/apps/v1/deployments") == deployments
    });
    measured.usage.wall = start.elapsed();
    measured.usage.cpu = daemon.cpu();
    measured.usage.peak = daemon.peak();
    measured.requests = servers.requests_since(mark);
    measured
}

impl Figures {
    fn rows(&self, n: usize) -> Vec<Row> {
        let of =
            |at_once: usize| median(self.raw.iter().filter(|(c, _)| *c == at_once).map(|(_, time)| *time));
        let times = AT_ONCE.map(|at_once| (of(at_once), at_once));
        let (floor, best) = times.into_iter().min().expect("it has run");
        let all: Vec<String> =
            times.iter().map(|(time, at_once)| format!("{at_once}: {}", seconds(*time))).collect();
        println!("raw client, {n} objects: {}", all.join(", "));
        let raw = format!("raw client at {best}");
        let kubectl = self.kubectl.first().map(|_| wall(&self.kubectl));
        let with_kubectl = |row: Row, theirs: &[Measured]| match theirs {
            [] => row,
            _ => row.beside("kubectl", wall(theirs)),
        };

        let fluxd = row("first sync, fluxd", n, &self.fluxd).beside(&raw, floor);
        let fluxd = with_kubectl(fluxd, &self.kubectl);
        let (ours, cpu) = (wall(&self.fluxd), fluxd.cpu.unwrap_or_default());
        let near = ours.as_secs_f64() <= 1.25 * floor.as_secs_f64();
        let fluxd = fluxd.wanted("≤ 1.25 × raw", near);
        let fluxd = fluxd.wanted_at(10_000, "≤ 2.5 s CPU", cpu <= Duration::from_millis(2500));
        let fluxd = match kubectl {
            Some(theirs) => fluxd.wanted_at(1_000, "≥ 3 × kubectl", theirs >= 3 * ours),
            None => fluxd,
        };

        let fluxctl = row("first sync, fluxctl", n, &self.fluxctl).beside(&raw, floor);
        let unchanged = row("fluxctl sync, nothing changed", n, &self.fluxctl_unchanged);
        let is_met = wall(&self.fluxctl_unchanged) <= Duration::from_millis(150);
        let unchanged = unchanged.wanted_at(1_000, "≤ 0.15 s", is_met);
        vec![fluxd, with_kubectl(fluxctl, &self.kubectl), with_kubectl(unchanged, &self.kubectl_unchanged)]
    }
}

fn wall(measured: &[Measured]) -> Duration {
    median(measured.iter().map(|m| m.usage.wall))
}

/// Returns the medians of a program's runs.
pub(crate) fn row(work: &'static str, n: usize, measured: &[Measured]) -> Row {
    Row {
        wall: Some(wall(measured)),
        cpu: Some(median(measured.iter().map(|m| m.usage.cpu))),
        peak: Some(median(measured.iter().map(|m| m.usage.peak))),
        requests: Some(median(measured.iter().map(|m| m.requests.total()))),
        also: measured.last().map(|m| m.requests.to_string()).unwrap_or_default(),
        ..Row::new(work, n)
    }
}

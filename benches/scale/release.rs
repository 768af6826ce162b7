//! A release by hand, and lists.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Context, first,
    objects::{self, Workload},
    servers::{Measured, Servers},
    table::{Row, median, seconds},
    upstream::{BRANCH, Upstream},
};

/// Measures releases beside the commands that a person would type, in turns, and lists.
pub(crate) fn rows(context: &Context, servers: &mut Servers) -> Vec<Row> {
    let n = context.n;
    let all = [objects::namespaces(), objects::deployments(n)].concat();
    let upstream = Upstream::with(&context.folder, "release", &all);
    let _ = fs::remove_dir_all(context.folder.join("cache"));
    servers.run(&mut servers.fluxctl(&upstream, "cache", &["sync"]));

    let (mut released, mut live, mut committed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut by_hand, mut live_by_hand) = (Vec::new(), Vec::new());
    for turn in 0..context.releases {
        let (workload, tag) = (Workload((turn * n / context.releases + 7) % n), turn % 9 + 1);
        let mut measured = Measured::default();
        live.push(until_live(servers, workload, tag, || {
            let id = format!("{}:deployment/{}", workload.namespace(), workload.name());
            let image = workload.image(tag);
            let words = ["release", "--workload", &id, "--update-image", &image];
            measured = servers.run(&mut servers.fluxctl(&upstream, "cache", &words));
            committed.push(measured.usage.wall);
            measured = sum(&measured, &servers.run(&mut servers.fluxctl(&upstream, "cache", &["sync"])));
        }));
        released.push(measured);

        let (workload, tag) = (Workload(turn * n / context.releases), turn % 9 + 1);
        let clone = context.folder.join("clone");
        let _ = fs::remove_dir_all(&clone);
        let mut command = typed(servers, &upstream, &clone, workload, tag);
        live_by_hand.push(until_live(servers, workload, tag, || by_hand.push(servers.run(&mut command))));
    }
    let (ours, theirs) = (median(live), median(live_by_hand));
    let mut release = first::row("fluxctl release of one, then sync: live", n, &released);
    release.wall = Some(ours);
    release.also = format!("release {}; {}", seconds(median(committed)), release.also);
    let cpu = median(by_hand.iter().map(|m| m.usage.cpu));
    let what = format!("git clone, edit, commit, push, kubectl apply of the file (CPU {})", seconds(cpu));
    let release = release
        .beside(&what, theirs)
        .wanted_at(1_000, "≤ 0.24 s", ours <= Duration::from_millis(240))
        .wanted_at(1_000, "≤ by hand", ours <= theirs);

    let list =
        |_| servers.run(&mut servers.fluxctl(&upstream, "cache", &["list-workloads", "--output", "json"]));
    let listed: Vec<Measured> = (0..context.releases).map(list).collect();
    let listed = first::row("fluxctl list-workloads", n, &listed);
    let (wall, peak) = (listed.wall.unwrap_or_default(), listed.peak.unwrap_or_default());
    let listed = listed
        .wanted_at(1_000, "≤ 0.08 s", wall <= Duration::from_millis(80))
        .wanted_at(1_000, "≤ 35 MiB", peak <= 35 * 1024)
        .recorded("Flux v1 0.87 s at 1,000 (recorded)");
    servers.api.clear();
    vec![release, listed]
}

/// Returns the time from the start of some work until a workload runs an image.
fn until_live(servers: &Servers, workload: Workload, tag: usize, work: impl FnOnce()) -> Duration {
    let seen = servers.api.when_it_runs(workload, workload.image(tag));
    let start = Instant::now();
    work();
    let at = seen.recv_timeout(Duration::from_secs(60)).expect("the release is live");
    at.saturating_duration_since(start)
}

/// Returns the commands that a person would type.
fn typed(
    servers: &Servers,
    upstream: &Upstream,
    clone: &std::path::Path,
    workload: Workload,
    tag: usize,
) -> Command {
    let (from, to) = (workload.image(0), workload.image(tag));
    let script = "git clone --quiet --branch \"$BRANCH\" \"$URL\" \"$CLONE\" && cd \"$CLONE\" && sed -i \"s|$FROM|$TO|\" \"$FILE\" \
                  && git commit --quiet --all --message Release && git push --quiet \
                  && \"$KUBECTL\" apply --server-side --force-conflicts --field-manager=flux --filename \"$FILE\"";
    let mut command = Command::new("bash");
    servers.isolate(&mut command);
    command.args(["-c", script]).env("BRANCH", BRANCH).env("URL", upstream.url()).env("CLONE", clone);
    command.env("FROM", from).env("TO", to).env("FILE", workload.file());
    command.env("KUBECTL", servers.kubectl()).env("KUBECONFIG", servers.kubeconfig());
    command
}

fn sum(one: &Measured, other: &Measured) -> Measured {
    let mut sum = other.clone();
    sum.usage.wall += one.usage.wall;
    sum.usage.cpu += one.usage.cpu;
    sum.usage.peak = sum.usage.peak.max(one.usage.peak);
    sum.requests = one.requests.plus(&other.requests);
    sum
}

//! Applications of four objects, all in one push, and a sync of all when nothing has changed.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    Context, first, objects,
    servers::{Measured, Servers, until},
    table::Row,
    upstream::Upstream,
};

/// The number of requests that the raw client has under way.
const AT_ONCE: usize = 32;

/// Measures a daemon that is given all applications in one push, beside a raw client.
pub(crate) fn rows(context: &Context, servers: &mut Servers) -> Vec<Row> {
    let n = context.applications;
    let (namespaces, applications) = (objects::namespaces(), objects::applications(n));
    let upstream = Upstream::with(&context.folder, "applications", &namespaces);
    let before = counts(servers);
    let namespaces_before = servers.api.count("/api/v1/namespaces");
    servers.raw.apply(&namespaces, AT_ONCE);
    let floor = servers.raw.apply(&applications, AT_ONCE);
    assert!(all_exist(servers, before, n), "the raw client has made all");
    servers.api.clear();

    let _ = fs::remove_dir_all(context.folder.join("cache"));
    let daemon = servers.fluxd(&upstream, "cache");
    until("fluxd creates the namespaces", Duration::from_millis(100), || {
        servers.api.count("/api/v1/namespaces") == namespaces_before + objects::NAMESPACES
    });
    thread::sleep(context.quiet.min(Duration::from_secs(3)));
    let (mark, spent) = (servers.mark(), daemon.cpu());
    upstream.push(applications.iter().map(|object| (object.file.as_str(), object.text.as_str())));
    let start = Instant::now();
    until("fluxd creates all", Duration::from_millis(20), || all_exist(servers, before, n));
    let (wall, cpu) = (start.elapsed(), daemon.cpu() - spent);
    let requests = servers.requests_since(mark);
    let first = Row {
        wall: Some(wall),
        cpu: Some(cpu),
        peak: Some(daemon.peak()),
        now: Some(daemon.memory()),
        requests: Some(requests.total()),
        also: requests.to_string(),
        ..Row::new("applications × 4 objects in one push (poll 1 s), fluxd", n)
    };
    let first = first.beside(&format!("raw client at {AT_ONCE}"), floor);
    let first = first.recorded("Flux v2 58 s at 1,000 (recorded)");

    drop(daemon);
    let sync = |_| servers.run(&mut servers.fluxctl(&upstream, "cache", &["sync"]));
    let unchanged: Vec<Measured> = (0..context.turns).map(sync).collect();
    let unchanged = first::row("the same applications again, nothing changed, fluxctl sync", n, &unchanged);
    let unchanged = unchanged.recorded("Flux v2 60 s at 1,000 (recorded)");
    servers.api.clear();
    vec![first, unchanged]
}

/// Returns how many objects of each kind there are, the API server's own included.
fn counts(servers: &Servers) -> [usize; 4] {
    objects::KINDS.map(|(group, kind)| servers.api.count(&format!("{group}/{kind}")))
}

fn all_exist(servers: &Servers, before: [usize; 4], n: usize) -> bool {
    // The API server makes some of its own accord, but not so many.
    counts(servers).iter().zip(before).all(|(now, before)| *now >= before + n)
}

//! A sync that is killed in the middle, and the one after it.

use std::{collections::BTreeSet, process::Stdio};

use crate::world::{Transport, World};

const OBJECTS: usize = 200;
/// How many kills have to hit a sync in its middle.
const KILLS: usize = 4;

/// Returns the name and the manifest of an object: a Deployment, a Service, mostly a ConfigMap.
fn object(n: usize, namespace: &str) -> (String, String) {
    let name = format!("o-{n}");
    let metadata = format!("metadata: {{name: {name}, namespace: {namespace}}}\n");
    let (kind, rest) = match n % 20 {
        0 | 1 => (
            "deployment.apps",
            format!(
                "apiVersion: apps/v1\nkind: Deployment\n{metadata}spec: {{replicas: 0, selector: {{matchLabels: {{app: a}}}}, \
                 template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: a, image: 'a:1'}}]}}}}}}\n"
            ),
        ),
        2 | 3 => {
            ("service", format!("apiVersion: v1\nkind: Service\n{metadata}spec: {{ports: [{{port: 80}}]}}\n"))
        }
        _ => ("configmap", format!("apiVersion: v1\nkind: ConfigMap\n{metadata}data: {{n: '{n}'}}\n")),
    };
    (format!("{kind}/{name}"), rest)
}

/// Commits those objects of which the numbers are wanted; returns their names.
fn commit(world: &World, wanted: impl Fn(usize) -> bool) -> BTreeSet<String> {
    let objects: Vec<_> = (0..OBJECTS).filter(|n| wanted(*n)).map(|n| object(n, &world.namespace)).collect();
    let documents: Vec<&str> = objects.iter().map(|(_, text)| text.as_str()).collect();
    world.commit(&[("all.yaml", &documents.join("---\n"))], "Describe the objects");
    objects.into_iter().map(|(name, _)| name).collect()
}

/// Returns the names of the objects that the namespace has.
fn existing(world: &World) -> BTreeSet<String> {
    let names = world.kubectl(&["get", "configmaps,services,deployments", "-o", "name"]);
    names.lines().filter(|name| name.contains("/o-")).map(str::to_owned).collect()
}

#[test]
fn a_sync_that_was_killed_leaves_nothing_that_the_next_one_does_not_put_right() {
    let Some(world) = World::new(Transport::Http) else { return };
    let all = commit(&world, |_| true);
    world.fluxctl(&["sync"]).exits(0);
    assert_eq!(existing(&world), all);

    // Each is killed when a number of its own is there; one that is faster than the looks at it is
    // tried again.
    let mut seed = 7_u32;
    let mut left = Vec::new();
    for _ in 0..5 * KILLS {
        let Some(world) = World::new(Transport::Http) else { return };
        let all = commit(&world, |_| true);
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let enough = 1 + (seed >> 8) as usize % (OBJECTS * 3 / 4);
        let mut command = world.command("fluxctl");
        command.arg("sync").stdout(Stdio::null()).stderr(Stdio::null());
        let mut sync = command.spawn().expect("fluxctl starts");
        let mut has_ended = false;
        while !has_ended && existing(&world).len() < enough {
            has_ended = sync.try_wait().expect("fluxctl is asked").is_some();
        }
        sync.kill().expect("fluxctl is killed");
        sync.wait().expect("fluxctl has ended");
        let made = existing(&world);
        assert!(made.is_subset(&all), "{made:?}");
        assert!(!has_ended || made == all, "a sync that was not killed makes all of them");

        // Half of the objects go from git meanwhile. How many of those that were made they are is
        // left to chance, and so may be more than the guard of pruning lets go by itself.
        let kept = commit(&world, |n| n % 2 == 0);
        let words = ["sync", "--prune", "--prune-all", "-o", "json"];
        let report = world.fluxctl(&words).exits(0).json();
        assert_eq!(existing(&world), kept, "killed with {} made: {report:#}", made.len());
        world.fluxctl(&["sync", "--prune", "--fail-if-unchanged"]).exits(3);
        left.extend((1..OBJECTS).contains(&made.len()).then_some(made.len()));
        if left.len() == KILLS {
            break;
        }
    }
    println!("killed with {left:?} of {OBJECTS} made");
    assert_eq!(left.len(), KILLS, "too few kills hit the middle: {left:?}");
}

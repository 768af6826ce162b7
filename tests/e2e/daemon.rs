//! `fluxd` brings a pushed image to the cluster without human help.

use std::process::{Child, Command, Stdio};

use crate::world::{Deployment, Transport, World};

/// A daemon that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn fluxd_follows_a_push_and_undoes_a_hand_edit() {
    let Some(world) = World::new(Transport::Http) else { return };
    world.push("catalogue", "0.2.0", "2016-11-08T09:12:00Z");
    let image = world.image("catalogue");
    let deployment = Deployment {
        name: "catalogue",
        image: &format!("{image}:0.2.0"),
        annotations: "  annotations:\n    fluxcd.io/automated: \"true\"\n    fluxcd.io/tag.catalogue: semver:~0.2\n",
        replicas: Some(1),
    };
    world.commit(&[("shop/catalogue.yaml", &world.deployment(&deployment))], "Describe the catalogue");

    let mut command = world.command("fluxd");
    command.args(["--sync-interval", "1s", "--git-poll-interval", "1s", "--automation-interval", "1s"]);
    let _daemon = Running(command.stderr(Stdio::inherit()).spawn().expect("fluxd starts"));

    world.kubectl(&["wait", "deployment/catalogue", "--for=create", "--timeout=60s"]);
    world.rolled_out("catalogue");
    world.push("catalogue", "0.2.1", "2016-11-18T16:30:00Z");
    let wanted = format!("--for=jsonpath={{.spec.template.spec.containers[0].image}}={image}:0.2.1");
    world.kubectl(&["wait", "deployment/catalogue", &wanted, "--timeout=60s"]);
    world.rolled_out("catalogue");

    let patch = r#"{"spec":{"replicas":4}}"#;
    world.kubectl(&["patch", "deployment", "catalogue", "--field-manager=kubectl-edit", "-p", patch]);
    world.kubectl(&["wait", "deployment/catalogue", "--for=jsonpath={.spec.replicas}=1", "--timeout=60s"]);
}

const OBJECTS: usize = 200;

/// Returns the number of requests of a verb that the API server got for a group's objects.
fn requests(world: &World, group: &str, verb: &str) -> u64 {
    let has = |line: &str| {
        line.starts_with("apiserver_request_total{")
            && line.contains(&format!("group=\"{group}\""))
            && line.contains(&format!("verb=\"{verb}\""))
    };
    let metrics = world.kube.metrics();
    let counts = metrics
        .lines()
        .filter(|line| has(line))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    counts.sum::<f64>() as u64
}

#[test]
fn a_cycle_with_nothing_changed_makes_no_request_beyond_the_watches() {
    let Some(world) = World::new(Transport::Http) else { return };
    // A kind of our own, which no other test asks for.
    let group = format!("{}.example.com", world.namespace);
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: gadgets.{group}}}\nspec:\n  group: {group}\n  scope: Namespaced\n  \
         names: {{kind: Gadget, plural: gadgets}}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        \
         properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}\n"
    );
    let gadgets: String = (0..OBJECTS)
        .map(|n| {
            let namespace = &world.namespace;
            format!("---\napiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: g-{n}, namespace: {namespace}}}\nspec: {{size: 3}}\n")
        })
        .collect();
    world.commit(&[("definition.yaml", &definition), ("gadgets.yaml", &gadgets)], "Describe the gadgets");

    let mut command = world.command("fluxd");
    command.args(["--sync-interval", "200ms", "--git-poll-interval", "1s", "--automation-interval", "1s"]);
    let _daemon = Running(command.stderr(Stdio::inherit()).spawn().expect("fluxd starts"));
    let kind = format!("gadgets.{group}");
    let crd = format!("crd/{kind}");
    world.kubectl(&["wait", &crd, "--for=create", "--timeout=60s"]);
    world.kubectl(&["wait", &crd, "--for=condition=established", "--timeout=60s"]);
    world.kubectl(&["wait", &format!("{kind}/g-{}", OBJECTS - 1), "--for=create", "--timeout=90s"]);

    // Each hand edit that is undone is a whole cycle at least. The first one ends the start: from
    // then on only the edits cost anything.
    let undone = |n: usize| {
        let name = format!("{kind}/g-{n}");
        let patch =
            ["patch", &name, "--type=merge", "--field-manager=kubectl-edit", "-p", r#"{"spec":{"size":9}}"#];
        world.kubectl(&patch);
        world.kubectl(&["wait", &name, "--for=jsonpath={.spec.size}=3", "--timeout=60s"]);
    };
    undone(0);
    let counts = || ["APPLY", "GET", "LIST"].map(|verb| requests(&world, &group, verb));
    let before = counts();
    (1..=5).for_each(undone);
    let after = counts();
    assert_eq!(after[0] - before[0], 5, "one request for each edit, none for the {OBJECTS} objects");
    // kubectl reads what it patches, and other tests that look for marked objects list every kind
    // once: a dozen reads. If each cycle listed the objects, five times a second, there would be
    // several times as many; if each cycle read each object, thousands.
    let looked = after[1] - before[1] + after[2] - before[2];
    assert!(looked < 25, "{looked} reads of {OBJECTS} objects");
}

#[test]
fn a_release_is_watched_until_the_cluster_runs_it_or_it_is_known_why_not() {
    let Some(world) = World::new(Transport::Http) else { return };
    // The simulated kubelet never gets the image of the tag `broken`.
    for (tag, created) in
        [("1.0", "2016-11-08T09:12:00Z"), ("1.1", "2016-11-09T09:12:00Z"), ("broken", "2016-11-10T09:12:00Z")]
    {
        world.push("web", tag, created);
    }
    let image = world.image("web");
    let running = format!("{image}:1.0");
    let deployment = Deployment { name: "web", image: &running, annotations: "", replicas: Some(2) };
    world.commit(&[("web.yaml", &world.deployment(&deployment))], "Describe the web");
    let mut command = world.command("fluxd");
    command.args(["--git-poll-interval", "1s", "--no-automation"]);
    let _daemon = Running(command.stderr(Stdio::inherit()).spawn().expect("fluxd starts"));
    world.kubectl(&["wait", "deployment/web", "--for=create", "--timeout=60s"]);
    world.rolled_out("web");

    let id = format!("{}:deployment/web", world.namespace);
    let release = |tag: &str, timeout: &str| {
        let image = format!("{image}:{tag}");
        world.fluxctl(&["release", "-w", &id, "-i", &image, "--watch", "--timeout", timeout])
    };
    let released = release("1.1", "90s").exits(0);
    assert!(released.stdout.ends_with("Healthy: the object is current\n"), "{}", released.stdout);
    let lines: Vec<&str> = released.stderr.lines().collect();
    // What it is waiting for at first depends on how soon fluxd syncs.
    assert!(lines[0].starts_with(&format!("{id}: InProgress: ")), "{lines:#?}");
    assert_eq!(lines.last(), Some(&&*format!("{id}: Current: 2 of 2 pods are available")));
    assert_eq!(world.running("web"), format!("{image}:1.1"));

    let broken = release("broken", "15s").exits(1);
    assert!(
        broken.stderr.contains("did not become healthy within 15s: 1 of 1 objects is not current"),
        "{}",
        broken.stderr
    );
    let pull = format!("container web: ImagePullBackOff of {image}:broken");
    assert!(
        broken.stderr.contains("image-pull: pod web-") && broken.stderr.contains(&pull),
        "{}",
        broken.stderr
    );
}

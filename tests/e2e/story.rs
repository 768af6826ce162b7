//! The lists of workloads and images, a release, the cluster after it, drift and its repair.

use serde_json::json;

use crate::world::{Deployment, Transport, World};

const NEWEST: &str = "7f511af2d21fd601b86b3bed7baa6adfa9c8c669";

#[test]
fn story_over_http() {
    story(Transport::Http);
}

#[test]
fn story_over_ssh() {
    story(Transport::Ssh);
}

fn story(transport: Transport) {
    let Some(world) = World::new(transport) else { return };
    for (tag, created) in [
        ("0.2.0", "2016-11-09T10:26:00Z"),
        ("4d3ea2896c81e40a630d36cdc29ce740e7617016", "2016-11-10T11:30:00Z"),
        (NEWEST, "2016-11-18T16:00:00Z"),
        ("latest", "2016-11-18T16:00:00Z"),
        ("snapshot", "2016-11-18T16:00:00Z"),
    ] {
        world.push("front-end", tag, created);
    }
    world.push("cart", "0.3.0", "2016-11-08T09:10:00Z");
    let front_end = format!("{}:0.2.0", world.image("front-end"));
    let cart = format!("{}:0.3.0", world.image("cart"));
    let of = |name, image, replicas| Deployment { name, image, annotations: "", replicas };
    world.commit(
        &[
            ("shop/front-end.yaml", &world.deployment(&of("front-end", &front_end, Some(2)))),
            ("shop/cart.yaml", &world.deployment(&of("cart", &cart, None))),
        ],
        "Describe the shop",
    );
    let id = format!("{}:deployment/front-end", world.namespace);

    // The cluster follows git, and its Deployments really roll out.
    let synced = world.fluxctl(&["sync", "-o", "json"]).exits(0).json();
    let outcomes: Vec<_> =
        synced["resources"].as_array().expect("resources").iter().map(|r| &r["outcome"]).collect();
    assert_eq!(outcomes, ["created", "created"]);
    world.rolled_out("front-end");
    world.rolled_out("cart");
    let list = world.fluxctl(&["list-workloads", "-n", &world.namespace, "-o", "json"]).exits(0).json();
    assert_eq!(list[1]["id"], id.as_str());
    assert_eq!(
        (&list[1]["status"], &list[1]["containers"][0]["image"]),
        (&json!("ready"), &json!(front_end))
    );

    // The list of images shows that the running one is far behind.
    let images = world.fluxctl(&["list-images", "-w", &id, "-o", "json"]).exits(0).json();
    let available = images[0]["containers"][0]["available"].as_array().expect("tags");
    assert_eq!(available.len(), 5);
    assert_eq!(
        (&available[0]["tag"], &available[0]["created"]),
        (&json!(NEWEST), &json!("2016-11-18T16:00:00Z"))
    );
    assert!(available[0]["digest"].as_str().is_some_and(|d| d.starts_with("sha256:")));

    // One release, one commit, one line; the cluster follows, and the rollout completes.
    let service = format!("--service={}/front-end", world.namespace);
    let released = world.fluxctl(&["release", &service, "--update-all-images", "-o", "json"]).exits(0).json();
    let target = format!("{}:{NEWEST}", world.image("front-end"));
    assert_eq!(released["workloads"][&id]["containers"][0]["target"], target.as_str());
    assert!(released["revision"].is_string());
    assert_eq!(world.running("front-end"), front_end, "the cluster has not moved yet");
    let synced = world.fluxctl(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(synced["revision"], released["revision"]);
    assert_eq!(world.running("front-end"), target);
    world.rolled_out("front-end");
    let again = world.fluxctl(&["release", &service, "--update-all-images", "-o", "json"]).exits(0).json();
    assert_eq!(again["workloads"][&id]["message"], "image(s) up to date");

    // A hand edit is undone; a field that git does not set keeps its value.
    let patch = r#"{"spec":{"replicas":5}}"#;
    world.kubectl(&["patch", "deployment", "front-end", "--field-manager=kubectl-edit", "-p", patch]);
    world.kubectl(&["scale", "deployment", "cart", "--replicas=3"]);
    let synced = world.fluxctl(&["sync", "-o", "json"]).exits(0).json();
    let changed: Vec<_> = synced["resources"]
        .as_array()
        .expect("resources")
        .iter()
        .filter(|r| r["outcome"] == "changed")
        .map(|r| (&r["id"], &r["reason"], &r["fields"]))
        .collect();
    assert_eq!(changed, [(&json!(id), &json!("drifted"), &json!(["spec.replicas"]))]);
    assert_eq!(world.field("front-end", "{.spec.replicas}"), "2");
    assert_eq!(world.field("cart", "{.spec.replicas}"), "3");
    let synced = world.fluxctl(&["sync", "-o", "json", "--fail-if-unchanged"]).exits(3).json();
    assert!(synced["resources"].as_array().expect("resources").iter().all(|r| r["outcome"] == "unchanged"));
}

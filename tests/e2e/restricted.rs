//! An account with rights in one namespace, through the command line.

use serde_json::{Value, json};

use crate::{
    ran::Ran,
    world::{Transport, World},
};

fn sync(world: &World, words: &[&str]) -> Ran {
    let mut command = world.command_as("fluxctl", world.kube.restricted_kubeconfig());
    command.args(["sync", "--prune", "-o", "json"]).args(words).output().expect("fluxctl runs").into()
}

fn outcome<'a>(report: &'a Value, id: &str) -> (&'a Value, &'a Value) {
    let resources = report["resources"].as_array().expect("resources");
    let found = resources.iter().find(|r| r["id"] == id).unwrap_or_else(|| panic!("no {id}: {report:#}"));
    (&found["outcome"], &found["reason"])
}

#[test]
fn a_role_in_one_namespace_is_enough_for_a_sync_that_is_limited_to_it() {
    let Some(world) = World::new(Transport::Http) else { return };
    let role = format!("{}-sync", world.namespace);
    let verbs = "--verb=get,list,watch,create,patch,delete";
    world.kubectl(&["create", "role", &role, verbs, "--resource=configmaps"]);
    let (user, of_role) = (format!("--user={}", world.kube.restricted_user()), format!("--role={role}"));
    world.kubectl(&["create", "rolebinding", &role, &of_role, &user]);

    let map = |name: &str, namespace: &str, value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{key: {value}}}\n"
        )
    };
    let (a, b) = (map("a", &world.namespace, "git"), map("b", &world.namespace, "git"));
    let elsewhere = map("c", "default", "git");
    world.commit(&[("a.yaml", &a), ("b.yaml", &b), ("c.yaml", &elsewhere)], "Describe three");
    let limited = ["--k8s-allow-namespace", world.namespace.as_str()];
    let id = |name: &str| format!("{}:configmap/{name}", world.namespace);

    let report = sync(&world, &limited).exits(0).json();
    for name in ["a", "b"] {
        assert_eq!(outcome(&report, &id(name)), (&json!("created"), &json!("not-in-cluster")));
    }
    let not_allowed = (&json!("skipped"), &json!("namespace-not-allowed"));
    assert_eq!(outcome(&report, "default:configmap/c"), not_allowed);
    assert_eq!(report["findings"], json!([]));

    // What drifts is repaired, and what goes from git is pruned.
    world.kubectl(&["patch", "configmap", "a", "-p", r#"{"data":{"key":"hand"}}"#]);
    world.commit(&[("b.yaml", "# nothing is left here\n")], "Remove one");
    let report = sync(&world, &limited).exits(0).json();
    assert_eq!(outcome(&report, &id("a")), (&json!("changed"), &json!("drifted")));
    assert_eq!(outcome(&report, &id("b")), (&json!("pruned"), &json!("not-in-git")));
    assert_eq!(report["findings"], json!([]));
    let left = world.kubectl(&["get", "configmap", "a", "-o", "jsonpath={.data.key}"]);
    assert_eq!(left, "git");
    sync(&world, &[&limited[..], &["--fail-if-unchanged"]].concat()).exits(3);
}

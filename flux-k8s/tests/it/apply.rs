//! The effects of a plan on the cluster.

use std::sync::Mutex;

use flux_core::{
    backend::{Cluster as _, Progress},
    finding::Code,
    sync::{Outcome, Reason, ResourceReport},
};
use serde_json::{Value, json};

use crate::support::{
    apply, change, config_map, create, eventually, id, leave, marked, names, of, open, outcomes, plan, prune,
    scope,
};

#[tokio::test]
async fn objects_are_made_then_unchanged_then_changed_then_pruned() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("life");
    let cluster = open(&server).await;
    let object = marked(config_map(&namespace, "a", "1"));
    assert_eq!(outcomes(&apply(&cluster, vec![create(0, object.clone())]).await), [("a", Outcome::Created)]);
    let observed = cluster.observe(&scope([&object])).await.unwrap().value;
    let seen = &observed.objects[&id(&object)].value();
    assert_eq!(seen["data"]["key"], "1");
    assert_eq!(seen["metadata"]["managedFields"][0]["manager"], "flux");

    assert_eq!(
        outcomes(&apply(&cluster, vec![change(0, object.clone())]).await),
        [("a", Outcome::Unchanged)]
    );
    let other = marked(config_map(&namespace, "a", "2"));
    assert_eq!(outcomes(&apply(&cluster, vec![change(0, other)]).await), [("a", Outcome::Changed)]);

    let observed = cluster.observe(&scope([])).await.unwrap().value;
    let seen = &observed.objects[&id(&object)].value();
    assert_eq!(seen["data"]["key"], "2", "our own apply is seen at once");
    assert_eq!(outcomes(&apply(&cluster, vec![prune(seen)]).await), [("a", Outcome::Pruned)]);
    let observed = cluster.observe(&scope([&object])).await.unwrap().value;
    assert_eq!(names(&observed, &namespace), [""; 0], "and so is our own deletion");
}

#[tokio::test]
async fn what_has_changed_since_the_look_is_not_deleted() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("race");
    let cluster = open(&server).await;
    let object = marked(config_map(&namespace, "a", "1"));
    apply(&cluster, vec![create(0, object.clone())]).await;
    let observed = cluster.observe(&scope([&object])).await.unwrap().value;
    server.kubectl(&["-n", &namespace, "patch", "configmap", "a", "-p", r#"{"data":{"theirs":"x"}}"#]);
    let report =
        cluster.apply(&plan(vec![prune(&observed.objects[&id(&object)].value())]), &()).await.unwrap();
    assert_eq!(of(&report, "a").outcome, Outcome::Failed);
    assert!(of(&report, "a").message.contains("changed since it was looked at"), "{report:?}");
    server.kubectl(&["-n", &namespace, "get", "configmap", "a"]);
}

#[tokio::test]
async fn an_edit_of_a_field_of_ours_is_undone_and_a_field_of_others_is_left_alone() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("drift");
    let cluster = open(&server).await;
    let deployment = marked(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": namespace },
        "spec": {
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
            },
        },
    }));
    apply(&cluster, vec![create(0, deployment.clone())]).await;
    cluster.observe(&scope([&deployment])).await.unwrap();
    server.kubectl(&["-n", &namespace, "set", "image", "deployment/web", "web=web:edited"]);
    server.kubectl(&["-n", &namespace, "scale", "deployment/web", "--replicas=3"]);

    // The watch delivers the edit…
    eventually("the edit is seen", async || {
        let observed = cluster.observe(&scope([&deployment])).await.unwrap().value;
        let seen = observed.objects[&id(&deployment)].value();
        (seen.pointer("/spec/template/spec/containers/0/image").unwrap() == "web:edited"
            && seen.pointer("/spec/replicas").unwrap() == 3)
            .then_some(())
    })
    .await;
    // …and the apply undoes it for the fields that git sets, and only for those.
    assert_eq!(
        outcomes(&apply(&cluster, vec![change(0, deployment.clone())]).await),
        [("web", Outcome::Changed)]
    );
    let path = "-o=jsonpath={.spec.template.spec.containers[0].image} {.spec.replicas}";
    assert_eq!(server.kubectl(&["-n", &namespace, "get", "deployment", "web", path]), "web:1 3");
}

#[tokio::test]
async fn a_definition_and_its_resource_come_in_one_plan() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("crd");
    let cluster = open(&server).await;
    let (definition, resource) = widgets(&namespace);
    // The kind is unknown at first, and that is no failure.
    let observed = cluster.observe(&scope([&definition, &resource])).await.unwrap();
    assert!(!observed.value.kinds.contains_key(&api_version_and_kind(&resource)));

    let report = apply(&cluster, vec![create(4, resource.clone()), create(1, definition.clone())]).await;
    assert!(report.resources.iter().all(|r| r.outcome == Outcome::Created), "{report:#?}");
    let observed = cluster.observe(&scope([&definition, &resource])).await.unwrap().value;
    assert!(observed.kinds[&api_version_and_kind(&resource)].namespaced);
    assert!(!observed.kinds[&api_version_and_kind(&definition)].namespaced);
    assert_eq!(names(&observed, &namespace), ["a"]);

    // When the definition goes, its kind is gone too, and a look says so.
    server.kubectl(&["delete", "crd", definition["metadata"]["name"].as_str().unwrap()]);
    eventually("the kind is gone", async || {
        let observed = cluster.observe(&scope([&resource])).await.unwrap().value;
        (!observed.kinds.contains_key(&api_version_and_kind(&resource))).then_some(())
    })
    .await;
}

fn api_version_and_kind(object: &Value) -> (String, String) {
    (object["apiVersion"].as_str().unwrap().to_owned(), object["kind"].as_str().unwrap().to_owned())
}

/// A kind of this test's own, and one resource of it.
pub(crate) fn widgets(namespace: &str) -> (Value, Value) {
    let plural = flux_test_support::unique("widgets").replace('-', "");
    let group = format!("{plural}.example.com");
    let kind = plural[..1].to_uppercase() + &plural[1..];
    let definition = marked(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced", "names": { "kind": kind, "plural": plural, "singular": plural },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object",
                "properties": { "spec": { "type": "object", "properties": { "size": { "type": "integer" } } } },
            } } }],
        },
    }));
    let resource = marked(json!({
        "apiVersion": format!("{group}/v1"), "kind": kind,
        "metadata": { "name": "a", "namespace": namespace },
        "spec": { "size": 1 },
    }));
    (definition, resource)
}

#[tokio::test]
async fn one_bad_object_is_its_own_failure_and_the_others_are_applied() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("bad");
    let cluster = open(&server).await;
    let mut unknown_field = config_map(&namespace, "typo", "1");
    unknown_field["dataa"] = json!({});
    let mut invalid = config_map(&namespace, "not-valid", "1");
    invalid["data"] = json!({ "no spaces": "x" });
    let homeless = config_map(&format!("{namespace}-none"), "homeless", "1");
    let alien = json!({ "apiVersion": "example.com/v1", "kind": "Alien", "metadata": { "name": "alien" } });
    let mut astray = config_map(&namespace, "astray", "1");
    astray["metadata"]["name"] = json!("../configmaps/x");
    let objects = [unknown_field, invalid, homeless, alien, astray, config_map(&namespace, "good", "1")];
    let report = cluster.apply(&plan(objects.map(|o| create(0, o)).into()), &()).await.unwrap();

    assert_eq!(of(&report, "good").outcome, Outcome::Created);
    for (name, reason, message) in [
        ("typo", Reason::Rejected, "dataa"),
        ("not-valid", Reason::Rejected, "no spaces"),
        ("homeless", Reason::Rejected, "not found"),
        ("alien", Reason::UnknownKind, "no kind Alien in example.com/v1"),
        ("../configmaps/x", Reason::Rejected, "cannot be a name"),
    ] {
        let report_of = of(&report, name);
        assert_eq!((report_of.outcome, report_of.reason), (Outcome::Failed, reason), "{name}");
        assert!(report_of.message.contains(message), "{name}: {}", report_of.message);
        let finding = report.findings.iter().find(|f| f.subject.ends_with(name)).unwrap();
        assert_eq!(finding.code == Code::UnknownKind, name == "alien");
        assert!(!finding.remedy.is_empty());
    }
    assert_eq!(report.findings.len(), 5);
}

#[tokio::test]
async fn a_secret_that_is_refused_is_not_quoted() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("secret");
    let cluster = open(&server).await;
    let secret = |name: &str, data: Value| {
        create(
            0,
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": namespace }, "data": data }),
        )
    };
    let steps = vec![
        secret("not-base64", json!({ "password": "hunter2!" })),
        secret("not-text", json!({ "password": { "hunter2": "hunter2" } })),
        secret("bad-key", json!({ "hunter 2": "aHVudGVyMg==" })),
    ];
    let report = cluster.apply(&plan(steps), &()).await.unwrap();
    assert!(report.resources.iter().all(|r| r.outcome == Outcome::Failed), "{report:#?}");
    let shown = format!("{report:?}");
    assert!(!shown.contains("hunter") && !shown.contains("aHVudGVy"), "{shown}");
}

#[tokio::test]
async fn what_has_a_finalizer_is_there_until_that_is_done() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("finalizer");
    let cluster = open(&server).await;
    let mut object = marked(config_map(&namespace, "a", "1"));
    object["metadata"]["finalizers"] = json!(["example.com/wait"]);
    apply(&cluster, vec![create(0, object.clone())]).await;
    let observed = cluster.observe(&scope([&object])).await.unwrap().value;
    apply(&cluster, vec![prune(&observed.objects[&id(&object)].value())]).await;
    let observed = cluster.observe(&scope([&object])).await.unwrap().value;
    assert!(observed.objects[&id(&object)].value()["metadata"]["deletionTimestamp"].is_string());
    server.kubectl(&[
        "-n",
        &namespace,
        "patch",
        "configmap",
        "a",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ]);
    eventually("it is gone", async || {
        let observed = cluster.observe(&scope([&object])).await.unwrap().value;
        names(&observed, &namespace).is_empty().then_some(())
    })
    .await;
}

#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Progress for Recorder {
    fn resource(&self, report: &ResourceReport) {
        self.0.lock().unwrap().push(report.id.name().to_owned());
    }
}

#[tokio::test]
async fn progress_is_reported_in_the_order_of_the_stages() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("stages");
    let cluster = open(&server).await;
    let recorder = Recorder::default();
    let steps = vec![
        create(3, config_map(&namespace, "third", "1")),
        create(1, config_map(&namespace, "first", "1")),
        create(2, config_map(&namespace, "second", "1")),
        leave(&config_map(&namespace, "zeroth", "1")),
    ];
    let report = cluster.apply(&plan(steps), &recorder).await.unwrap();
    assert_eq!(*recorder.0.lock().unwrap(), ["zeroth", "first", "second", "third"]);
    let by_id = ["first", "second", "third", "zeroth"];
    assert_eq!(report.resources.iter().map(|r| r.id.name()).collect::<Vec<_>>(), by_id);
}

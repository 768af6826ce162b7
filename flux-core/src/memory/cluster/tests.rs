//! Rules of the model that the conformance suite cannot see.

use futures::executor::block_on;
use serde_json::json;

use super::*;
use crate::{
    backend::RolloutState,
    finding::Place,
    sync::{self, Desired, DesiredObject, Outcome, Reason, SyncOptions, SyncSet},
};

fn id(kind: &str, name: &str) -> ResourceId {
    let group = if kind == "Deployment" { "apps" } else { "" };
    ResourceId::new(Some("default"), kind, name, group)
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn sync(cluster: &MemoryCluster, objects: &[Value]) -> SyncReport {
    let place = Place::start_of("a.yaml");
    let objects = objects.iter().map(|o| DesiredObject { object: o.into(), place: place.clone() }).collect();
    let desired = Desired { objects, ..Desired::default() };
    let observed = block_on(cluster.observe(&desired.scope())).unwrap();
    let plan = sync::plan(&desired, &observed, &SyncOptions::new(SyncSet::new("s")));
    block_on(cluster.apply(&plan, &())).unwrap()
}

fn outcomes(report: &SyncReport) -> Vec<(String, Outcome, Reason)> {
    report.resources.iter().map(|r| (r.id.name().to_owned(), r.outcome, r.reason)).collect()
}

#[test]
fn what_is_written_to_a_file_and_read_again_is_the_same_cluster() {
    let cluster = MemoryCluster::new();
    let objects = [config_map("a", json!({"k": "v"})), config_map("b", json!({}))];
    sync(&cluster, &objects);
    let again = MemoryCluster::from_objects(cluster.objects()).unwrap();
    assert_eq!(again.objects(), cluster.objects());
    for (name, outcome, reason) in outcomes(&sync(&again, &objects)) {
        assert_eq!((outcome, reason), (Outcome::Unchanged, Reason::UpToDate), "{name}");
    }
    assert_eq!(again.objects(), cluster.objects());
}

#[test]
fn a_value_changed_in_the_file_is_drift_although_nobody_is_on_record() {
    let cluster = MemoryCluster::new();
    let objects = [config_map("a", json!({"k": "v", "l": "w"}))];
    sync(&cluster, &objects);
    let mut file = cluster.objects();
    file[0]["data"] = json!({"k": "changed"});
    let again = MemoryCluster::from_objects(file).unwrap();
    let report = sync(&again, &objects);
    assert_eq!(outcomes(&report), [("a".to_owned(), Outcome::Changed, Reason::Drifted)]);
    assert_eq!(report.resources[0].fields, ["data.k", "data.l"]);
    assert_eq!(again.objects()[0]["data"], json!({"k": "v", "l": "w"}));
}

#[test]
fn objects_of_a_file_need_no_more_than_people_write() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        config_map("a", json!({"k": "v"})),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}]});
    let cluster = MemoryCluster::from_objects(vec![list]).unwrap();
    let names: Vec<String> = cluster.state().objects.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["<cluster>:namespace/shop", "<cluster>:widget/w", "default:configmap/a"]);
    assert!(cluster.objects().iter().all(|o| o["metadata"]["uid"].is_string()));
    let report = sync(&cluster, &[config_map("a", json!({"k": "v"}))]);
    assert_eq!(outcomes(&report), [("a".to_owned(), Outcome::Unchanged, Reason::Adopted)]);
}

#[test]
fn a_broken_file_is_refused_by_what_is_wrong_with_it() {
    let broken = |objects| MemoryCluster::from_objects(objects).unwrap_err().to_string();
    assert!(broken(vec![json!({"kind": "ConfigMap"})]).starts_with("object 1 "));
    let twice = vec![config_map("a", json!({})), config_map("a", json!({}))];
    assert_eq!(broken(twice), "the cluster has default:configmap/a twice: remove one");
}

#[test]
fn a_definition_and_its_object_go_in_with_one_plan() {
    let cluster = MemoryCluster::new();
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget"}, "versions": [{"name": "v1"}]}});
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"l": [1]}});
    let objects = [widget, definition];
    for outcome in [Outcome::Created, Outcome::Unchanged] {
        let report = sync(&cluster, &objects);
        assert!(report.resources.iter().all(|r| r.outcome == outcome), "{report:?}");
    }
}

#[test]
fn an_item_that_somebody_else_holds_a_part_of_stays() {
    let pod = |containers: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": containers}}}})
    };
    let cluster = MemoryCluster::new();
    sync(&cluster, &[pod(json!([{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]))]);
    let web = id("Deployment", "web");
    let args = |o: &mut Value| o["spec"]["template"]["spec"]["containers"][1]["args"] = json!(["-v"]);
    cluster.edit_as("robot", None, &web, args).unwrap();
    sync(&cluster, &[pod(json!([{"name": "a", "image": "a:1"}]))]);
    let live = cluster.get(&web).unwrap();
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"],
        json!([{"name": "a", "image": "a:1"}, {"name": "b", "args": ["-v"]}])
    );
}

#[test]
fn an_apply_that_changes_nothing_keeps_the_resource_version() {
    let cluster = MemoryCluster::new();
    let object = config_map("a", json!({"k": "v"}));
    cluster.state().apply(&object).unwrap();
    let before = cluster.objects();
    cluster.state().apply(&object).unwrap();
    assert_eq!(cluster.objects(), before);
}

#[test]
fn the_status_of_an_older_generation_goes_with_it() {
    let cluster = MemoryCluster::from_objects(vec![json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "generation": 4},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}},
        "status": {"observedGeneration": 4, "replicas": 1, "updatedReplicas": 0}})])
    .unwrap();
    let state = || block_on(cluster.workloads(None)).unwrap().value[0].rollout.state;
    assert_eq!(state(), RolloutState::Updating);
    cluster.edit(&id("Deployment", "web"), |o| o["spec"]["replicas"] = json!(2)).unwrap();
    assert_eq!(state(), RolloutState::Ready);
    assert_eq!(cluster.objects()[0]["metadata"]["generation"], 5);
}

#[test]
fn what_is_shown_of_a_cluster_holds_no_content() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "hunter2"}});
    let cluster = MemoryCluster::from_objects(vec![secret]).unwrap();
    assert!(!format!("{cluster:?}").contains("hunter2"));
}

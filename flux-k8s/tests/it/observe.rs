//! Observations of the cluster: their content, their cost, and the findings when they are partial.

use std::sync::atomic::Ordering;

use flux_core::{
    backend::{Cluster as _, Completeness, ErrorKind},
    finding::Place,
    sync::{self, Desired, DesiredObject, Outcome, SyncOptions, SyncSet},
};
use flux_k8s::KubeCluster;
use serde_json::{Value, json};

use crate::{
    apply::widgets,
    support::{apply, config_map, counted, create, eventually, id, marked, names, open, scope},
};

/// Returns the number of requests for a kind that the API server has counted.
///
/// Watches do not matter here, and lists are left out because others list every kind too: the
/// controllers, and the other tests' clusters.
fn requests_of(metrics: &str, plural: &str) -> f64 {
    metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"))
        .filter(|line| line.contains(&format!("resource=\"{plural}\"")))
        .filter(|line| !["WATCH", "LIST"].iter().any(|verb| line.contains(&format!("verb=\"{verb}\""))))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_changed_a_cycle_makes_no_request() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("quiet");
    let (cluster, count) = counted(&server).await;
    let (definition, widget) = widgets(&namespace);
    let plural = definition.pointer("/spec/names/plural").unwrap().as_str().unwrap();
    // As git would have them: the plan puts the mark on.
    let unmarked = |object: &Value| {
        let mut object = object.clone();
        object["metadata"].as_object_mut().unwrap().remove("labels");
        object
    };
    let widget = unmarked(&widget);
    let mut objects = vec![unmarked(&definition)];
    for n in 0..100 {
        objects.push(config_map(&namespace, &format!("c{n}"), "1"));
        let mut widget = widget.clone();
        widget["metadata"]["name"] = json!(format!("w{n}"));
        objects.push(widget);
    }
    let options = SyncOptions::new(SyncSet::new(namespace.clone()));
    let desired = Desired {
        objects: objects
            .iter()
            .map(|object| DesiredObject { object: object.into(), place: Place::start_of("all.yaml") })
            .collect(),
        ..Desired::default()
    };
    let wanted = desired.scope();
    let cycle = async || {
        let seen = cluster.observe(&wanted).await.unwrap();
        assert!(seen.completeness.is_complete(), "{:?}", seen.completeness);
        let plan = sync::plan(&desired, &seen, &options);
        cluster.apply(&plan, &()).await.unwrap()
    };
    let report = cycle().await;
    assert!(report.resources.iter().all(|r| r.outcome == Outcome::Created), "{report:#?}");
    // The kind that was made in that cycle is first looked at in this one.
    cycle().await;

    let at_server = requests_of(&server.metrics(), plural);
    assert!((at_server - 100.0).abs() < 0.5, "each was applied once: {at_server}");
    let before = count.load(Ordering::SeqCst);
    for _ in 0..3 {
        let report = cycle().await;
        assert_eq!(report.resources.len(), 201);
        assert!(report.resources.iter().all(|r| r.outcome == Outcome::Unchanged), "{report:#?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), before, "of any kind and verb, as counted on our side");
    let after = requests_of(&server.metrics(), plural);
    assert!(
        (after - at_server).abs() < 0.5,
        "of the kind that only we use, as counted there: {at_server}, {after}"
    );
    server.kubectl(&["delete", "crd", definition["metadata"]["name"].as_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_without_the_mark_is_watched_too() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("unmarked");
    let (cluster, count) = counted(&server).await;
    // Few in one kind, many in another; some there, some not.
    let few: Vec<_> = (0..4)
        .map(|n| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": format!("s{n}"), "namespace": namespace } }))
        .collect();
    let many: Vec<_> = (0..20).map(|n| config_map(&namespace, &format!("c{n}"), "1")).collect();
    for service in &few[..2] {
        let name = service["metadata"]["name"].as_str().unwrap();
        server.kubectl(&["-n", &namespace, "create", "service", "clusterip", name, "--tcp=80"]);
    }
    for map in &many[..10] {
        server.kubectl(&["-n", &namespace, "create", "configmap", map["metadata"]["name"].as_str().unwrap()]);
    }
    let wanted = scope(few.iter().chain(&many));
    for _ in 0..2 {
        let seen = cluster.observe(&wanted).await.unwrap();
        assert_eq!(names(&seen.value, &namespace).len(), 12);
        assert!(seen.completeness.is_complete(), "{:?}", seen.completeness);
    }
    let before = count.load(Ordering::SeqCst);
    let seen = cluster.observe(&wanted).await.unwrap();
    assert_eq!(names(&seen.value, &namespace).len(), 12);
    // What comes and goes is seen all the same.
    server.kubectl(&["-n", &namespace, "create", "service", "clusterip", "s3", "--tcp=80"]);
    server.kubectl(&["-n", &namespace, "delete", "configmap", "c0", "c1"]);
    eventually("the watches tell", async || {
        let seen = cluster.observe(&wanted).await.unwrap();
        (names(&seen.value, &namespace).len() == 11).then_some(())
    })
    .await;
    assert_eq!(count.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn what_git_no_longer_names_is_found_by_its_mark() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("orphans");
    let policy = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": "closed", "namespace": namespace }, "spec": { "podSelector": {} } });
    apply(&open(&server).await, vec![create(0, marked(policy.clone()))]).await;

    let later = open(&server).await;
    let seen = later.observe(&scope([])).await.unwrap();
    assert_eq!(names(&seen.value, &namespace), ["closed"]);
    assert!(seen.value.objects[&id(&policy)].value()["metadata"]["managedFields"].is_array());
    assert_eq!(seen.value.objects[&id(&policy)].kind(), "NetworkPolicy");
}

#[tokio::test]
async fn an_object_is_seen_in_the_version_that_git_has_it_in() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("versions");
    let cluster = open(&server).await;
    let scaler = |version: &str| {
        marked(json!({
            "apiVersion": format!("autoscaling/{version}"), "kind": "HorizontalPodAutoscaler",
            "metadata": { "name": "web", "namespace": namespace },
            "spec": { "maxReplicas": 3, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" } },
        }))
    };
    apply(&cluster, vec![create(0, scaler("v1"))]).await;
    for version in ["v2", "v1", "v2"] {
        let seen = cluster.observe(&scope([&scaler(version)])).await.unwrap().value;
        let api_version = seen.objects[&id(&scaler(version))].api_version();
        assert_eq!(api_version, &format!("autoscaling/{version}"));
    }
}

#[tokio::test]
async fn a_kind_that_must_not_be_seen_makes_the_observation_partial() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespace = server.namespace("rbac");
    let user = format!("--user={}", server.restricted_user());
    let everywhere = flux_test_support::unique("reader");
    let (verbs, role) = ("--verb=get,list,watch", format!("--clusterrole={everywhere}"));
    server.kubectl(&["create", "clusterrole", &everywhere, verbs, "--resource=configmaps"]);
    server.kubectl(&["create", "clusterrolebinding", &everywhere, &role, &user]);
    let here = |plural: &str, verbs: &str| {
        let (role, resource) = (format!("--role={plural}"), format!("--resource={plural}"));
        server.kubectl(&["-n", &namespace, "create", "role", plural, verbs, &resource]);
        server.kubectl(&["-n", &namespace, "create", "rolebinding", plural, &role, &user]);
    };
    here("services", verbs);
    here("resourcequotas", "--verb=get");
    server.kubectl(&["-n", &namespace, "create", "quota", "seen-by-name"]);
    server.kubectl(&["-n", &namespace, "create", "configmap", "seen"]);
    server.kubectl(&["-n", &namespace, "create", "service", "clusterip", "seen-too", "--tcp=80"]);
    server.kubectl(&["-n", &namespace, "create", "secret", "generic", "unseen"]);

    let cluster = KubeCluster::builder().kubeconfig(server.restricted_kubeconfig()).open().await.unwrap();
    let object = |kind: &str, name: &str| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": namespace } });
    let objects = [
        object("ConfigMap", "seen"),
        object("ResourceQuota", "seen-by-name"),
        object("Service", "seen-too"),
        object("Secret", "unseen"),
    ];
    for _ in 0..3 {
        let seen = cluster.observe(&scope(&objects)).await.unwrap();
        assert_eq!(names(&seen.value, &namespace), ["seen", "seen-by-name", "seen-too"]);
        let Completeness::Partial(missing) = seen.completeness else { panic!("{:?}", seen.completeness) };
        let is_missing = |kind: &str| missing.iter().any(|m| m.contains(kind));
        for kind in ["Service (v1): ", "Secret (v1): ", "kinds that git does not name"] {
            assert!(is_missing(kind), "{kind}: {missing:#?}");
        }
        assert!(!is_missing("ConfigMap"), "{missing:#?}");
    }
    let seen = cluster.workloads(Some(&namespace)).await.unwrap();
    assert!(matches!(seen.completeness, Completeness::Partial(missing) if missing.len() == 4));
    server.kubectl(&["delete", "clusterrole,clusterrolebinding", &everywhere]);
}

#[tokio::test]
async fn wrong_credentials_are_an_error_that_says_whose() {
    let Some(server) = flux_test_support::kube() else { return };
    let config = std::fs::read_to_string(server.kubeconfig()).unwrap().replace(server.token(), "wrong");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    let cluster = KubeCluster::builder().kubeconfig(file.path()).open().await.unwrap();
    for error in [cluster.observe(&scope([])).await.unwrap_err(), cluster.workloads(None).await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
        assert!(
            error.to_string().contains(server.url())
                && error.to_string().contains("credentials of flux-tests"),
            "{error}"
        );
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_reported_as_such() {
    let Some(server) = flux_test_support::kube() else { return };
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(server.kubeconfig()).unwrap()).unwrap();
    config["clusters"][0]["cluster"] = json!({ "server": server.url() });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config.to_string()).unwrap();
    let cluster = KubeCluster::builder().kubeconfig(file.path()).open().await.unwrap();
    let error = cluster.observe(&scope([])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted, "{error:?}");
    assert!(error.to_string().contains("certificate-authority"), "{error}");
}

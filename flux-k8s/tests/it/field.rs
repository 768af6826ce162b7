//! Clusters as they are: admission policies, autoscalers, immutable fields, namespaces that go,
//! API services that are down, accounts with rights in one namespace.

use std::sync::Arc;

use flux_core::{
    finding::Code,
    sync::{Outcome, Reason, SyncOptions},
};
use flux_k8s::KubeCluster;
use serde_json::{Value, json};

use crate::support::{Team, config_map, eventually, id, of, scope};

fn deployment(namespace: &str, name: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    })
}

/// Makes an admission policy of a kind for the ConfigMaps of a namespace, and waits until it holds.
async fn policy(team: &Team, kind: &str, spec: Value) {
    let name = format!("{}-policy", team.namespace);
    let mut spec = spec;
    spec["matchConstraints"] = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": team.namespace}},
        "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
            "operations": ["CREATE", "UPDATE"]}]});
    let of = |kind: &str, spec: Value| json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    let mut binding = json!({"policyName": name});
    if kind.starts_with("Validating") {
        binding["validationActions"] = json!(["Deny"]);
    }
    team.server.kubectl_with(&["create", "-f", "-"], &of(kind, spec).to_string());
    team.server.kubectl_with(&["create", "-f", "-"], &of(&format!("{kind}Binding"), binding).to_string());
}

#[tokio::test]
async fn a_policy_that_changes_a_field_is_told_and_not_fought() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "fight").await;
    let map = config_map(&team.namespace, "map", "ours");
    team.settle(std::slice::from_ref(&map)).await;
    let spec = json!({"reinvocationPolicy": "Never", "failurePolicy": "Fail", "mutations": [{"patchType": "ApplyConfiguration",
        "applyConfiguration": {"expression": "Object{data: {\"key\": \"theirs\"}}"}}]});
    policy(&team, "MutatingAdmissionPolicy", spec).await;
    eventually("the policy holds", async || {
        team.kubectl(&["annotate", "--overwrite", "configmap", "map", "touched=yes"]);
        team.kubectl(&["annotate", "configmap", "map", "touched-"]);
        (team.live(&map)["data"]["key"] == "theirs").then_some(())
    })
    .await;
    team.seen(&map).await;

    // Written once, to no avail; then told, and left.
    let version = |team: &Team| team.live(&map)["metadata"]["resourceVersion"].clone();
    let report = team.sync().await;
    assert_eq!(
        (of(&report, "map").outcome, of(&report, "map").reason),
        (Outcome::Unchanged, Reason::Drifted)
    );
    assert_eq!(
        report.findings.iter().map(|f| f.code).collect::<Vec<_>>(),
        [Code::FieldContested],
        "{report}"
    );
    let before = version(&team);
    for _ in 0..3 {
        let plan = team.plan().await;
        assert_eq!(plan.changes().count(), 0, "{plan}");
        assert_eq!(plan.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::FieldContested]);
        assert!(plan.findings[0].evidence.contains("data.key"), "{}", plan.findings[0]);
    }
    assert_eq!(version(&team), before);

    // A change in git is written once more.
    let mut changed = map.clone();
    changed["data"]["other"] = json!("2");
    let report = team.settle(std::slice::from_ref(&changed)).await;
    assert_eq!(of(&report, "map").fields, ["data.other"], "{report}");
    assert_eq!(team.live(&changed)["data"], json!({"key": "theirs", "other": "2"}));
}

#[tokio::test]
async fn a_controller_that_sets_a_field_again_is_told_and_left_after_a_few_writes() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "robots").await;
    let map = config_map(&team.namespace, "map", "ours");
    team.settle(std::slice::from_ref(&map)).await;
    let edit = |manager: &str| {
        let manager = format!("--field-manager={manager}");
        team.kubectl(&["patch", "configmap", "map", &manager, "-p", r#"{"data":{"key":"theirs"}}"#]);
    };
    let mut writes = 0;
    for _ in 0..6 {
        edit("robot");
        team.seen(&map).await;
        let plan = team.plan().await;
        if plan.changes().count() > 0 {
            writes += 1;
            team.sync().await;
        }
    }
    assert_eq!(writes, 3, "then it is left");
    assert_eq!(team.plan().await.findings[0].code, Code::FieldContested);
    // A person's edit is undone however often it is made.
    let other = config_map(&team.namespace, "other", "ours");
    team.settle(&[map.clone(), other.clone()]).await;
    for _ in 0..5 {
        team.kubectl(&["patch", "configmap", "other", "-p", r#"{"data":{"key":"mine"}}"#]);
        team.seen(&other).await;
        team.sync().await;
        assert_eq!(team.live(&other)["data"]["key"], "ours");
    }
}

#[tokio::test]
async fn one_object_that_a_policy_denies_stops_no_other_and_names_the_policy() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "denied").await;
    let spec = json!({"failurePolicy": "Fail", "validations": [
        {"expression": "object.metadata.name != 'bad'", "message": "no map may be called bad"}]});
    policy(&team, "ValidatingAdmissionPolicy", spec).await;
    let bad = config_map(&team.namespace, "bad", "1");
    eventually("the policy holds", async || {
        let made = team.server.try_kubectl(&["-n", &team.namespace, "create", "configmap", "bad"]);
        if made.is_ok() {
            team.kubectl(&["delete", "configmap", "bad"]);
        }
        made.err()
    })
    .await;
    let mut objects: Vec<Value> =
        (0..10).map(|n| config_map(&team.namespace, &format!("good{n}"), "1")).collect();
    objects.push(bad);
    team.commit(&objects);
    let report = team.try_sync().await;
    let created = report.resources.iter().filter(|r| r.outcome == Outcome::Created).count();
    assert_eq!((created, of(&report, "bad").outcome), (10, Outcome::Failed), "{report}");
    assert!(of(&report, "bad").message.contains("no map may be called bad"), "{report}");
}

#[tokio::test]
async fn replicas_are_left_to_an_autoscaler_that_exists_and_to_no_other() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "scaled").await;
    let web = deployment(&team.namespace, "web", 2);
    team.settle(std::slice::from_ref(&web)).await;
    let scale = |replicas: u32, manager: &str| {
        let patch = json!({"spec": {"replicas": replicas}}).to_string();
        let manager = format!("--field-manager={manager}");
        team.kubectl(&[
            "patch",
            "deployment",
            "web",
            "--subresource=scale",
            "--type=merge",
            &manager,
            "-p",
            &patch,
        ]);
    };
    // A dashboard, once: git's number counts.
    scale(5, "dashboard");
    team.seen(&web).await;
    let report = team.settle(std::slice::from_ref(&web)).await;
    assert_eq!(of(&report, "web").fields, ["spec.replicas"]);
    assert_eq!(team.live(&web)["spec"]["replicas"], 2);

    // An autoscaler that git does not name.
    let hpa = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": team.namespace},
        "spec": {"minReplicas": 1, "maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
    team.kubectl_with(&["create", "-f", "-"], &hpa);
    team.seen(&hpa).await;
    scale(7, "kube-controller-manager");
    team.seen(&web).await;
    let report = team.settle(std::slice::from_ref(&web)).await;
    assert_eq!(of(&report, "web").outcome, Outcome::Unchanged, "{report}");
    assert!(of(&report, "web").message.contains("spec.replicas is left to"), "{report}");
    assert_eq!(team.live(&web)["spec"]["replicas"], 7);

    // Scaled to zero, nobody is on record as the owner; a change in git does not wake it.
    scale(0, "keda-operator");
    let mut next = web.clone();
    next["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:2");
    team.seen(&web).await;
    team.settle(std::slice::from_ref(&next)).await;
    let live = team.live(&next);
    assert_eq!(live["spec"]["replicas"], 0);
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "web:2");

    // Git leaves the number to the autoscaler: it is not reset to one.
    scale(4, "kube-controller-manager");
    team.seen(&next).await;
    next["spec"].as_object_mut().unwrap().remove("replicas");
    team.settle(std::slice::from_ref(&next)).await;
    assert_eq!(team.live(&next)["spec"]["replicas"], 4);

    // The autoscaler is gone: git decides again.
    team.kubectl(&["delete", "hpa", "web", "--wait"]);
    next["spec"]["replicas"] = json!(3);
    eventually("the autoscaler is no longer seen", async || {
        let observed =
            flux_core::backend::Cluster::observe(&*team.cluster, &scope([&next])).await.unwrap().value;
        (!observed.objects.contains_key(&id(&hpa))).then_some(())
    })
    .await;
    team.settle(std::slice::from_ref(&next)).await;
    assert_eq!(team.live(&next)["spec"]["replicas"], 3);
}

#[tokio::test]
async fn an_immutable_field_is_replaced_only_where_git_allows_it_and_the_new_object_is_valid() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "immutable").await;
    let map = |name: &str, data: Value, force: bool| {
        let mut object = config_map(&team.namespace, name, "1");
        object["immutable"] = json!(true);
        object["data"] = data;
        if force {
            object["metadata"]["annotations"] = json!({"fluxcd.io/force": "true"});
        }
        object
    };
    let (kept, forced) = (map("kept", json!({"a": "1"}), false), map("forced", json!({"a": "1"}), true));
    team.settle(&[kept.clone(), forced.clone()]).await;
    let uid = |object: &Value| team.live(object)["metadata"]["uid"].clone();
    let (kept_uid, forced_uid) = (uid(&kept), uid(&forced));

    let objects = [map("kept", json!({"a": "2"}), false), map("forced", json!({"a": "2"}), true)];
    team.commit(&objects);
    let plan = team.plan().await;
    assert!(plan.to_string().contains("deleted and created anew"), "the plan says so beforehand: {plan}");
    let report = team.try_sync().await;
    assert_eq!(of(&report, "kept").outcome, Outcome::Failed);
    assert!(of(&report, "kept").message.contains("immutable"), "{report}");
    let remedy = &report.findings.iter().find(|f| f.subject.ends_with("/kept")).unwrap().remedy;
    assert!(remedy.contains("fluxcd.io/force"), "{remedy}");
    assert_ne!(of(&report, "forced").outcome, Outcome::Failed, "{report}");
    assert_eq!(team.live(&forced)["data"]["a"], "2");
    assert_eq!(uid(&kept), kept_uid);
    let new_uid = uid(&forced);
    assert_ne!(new_uid, forced_uid);

    // A typo deletes nothing: the new object would not be accepted.
    team.commit(&[kept.clone(), map("forced", json!({"not a key": "3"}), true)]);
    let report = team.try_sync().await;
    assert_eq!(of(&report, "forced").outcome, Outcome::Failed, "{report}");
    assert_eq!(uid(&forced), new_uid);
}

#[tokio::test]
async fn conflicts_are_not_forced_where_git_says_so_and_are_told_with_their_manager() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "conflicts").await;
    let mut map = config_map(&team.namespace, "map", "ours");
    map["metadata"]["annotations"] = json!({"fluxcd.io/force-conflicts": "false"});
    team.settle(std::slice::from_ref(&map)).await;
    team.kubectl(&[
        "patch",
        "configmap",
        "map",
        "--field-manager=robot",
        "-p",
        r#"{"data":{"key":"theirs"}}"#,
    ]);
    team.seen(&map).await;
    let report = team.try_sync().await;
    let message = &of(&report, "map").message;
    assert!(message.contains("data.key is owned by the field manager robot"), "{report}");
    assert_eq!(team.live(&map)["data"]["key"], "theirs");
}

#[tokio::test]
async fn what_the_server_cannot_read_is_the_manifests_fault() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "faulty").await;
    let mut twice = deployment(&team.namespace, "twice", 0);
    twice["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "A"}, {"name": "A"}]);
    let mut text = deployment(&team.namespace, "text", 0);
    text["spec"]["replicas"] = json!("two");
    let mut unknown = deployment(&team.namespace, "unknown", 0);
    unknown["spec"]["replica"] = json!(2);
    team.commit(&[twice, text, unknown]);
    let report = team.try_sync().await;
    for finding in report.findings.iter().filter(|f| f.code == Code::ApplyFailed) {
        assert_eq!(finding.remedy, "Correct the manifest in git.", "{finding}");
    }
    assert_eq!(report.findings.iter().filter(|f| f.code == Code::ApplyFailed).count(), 3, "{report}");
}

#[tokio::test]
async fn a_namespace_that_is_being_deleted_is_named_as_the_reason() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "going").await;
    let mut held = config_map(&team.namespace, "held", "1");
    held["metadata"]["finalizers"] = json!(["example.com/wait"]);
    team.settle(std::slice::from_ref(&held)).await;
    team.server.kubectl(&["delete", "namespace", &team.namespace, "--wait=false"]);
    eventually("it is being deleted", async || {
        team.live(&held)["metadata"]["deletionTimestamp"].as_str().map(str::to_owned)
    })
    .await;
    team.seen(&held).await;
    team.commit(&[held.clone(), config_map(&team.namespace, "new", "1")]);
    let report = team.try_sync().await;
    assert!(of(&report, "held").message.contains("being deleted"), "{report}");
    let finding = report.findings.iter().find(|f| f.subject.ends_with("/new")).unwrap();
    assert!(finding.remedy.contains("namespace"), "{finding}");
    let patch = r#"{"metadata":{"finalizers":null}}"#;
    team.kubectl(&["patch", "configmap", "held", "--type=merge", "-p", patch]);
}

#[tokio::test]
async fn an_api_service_that_is_down_spoils_nothing_else() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "aggregated").await;
    let group = format!("{}.example.com", team.namespace);
    let name = format!("v1.{group}");
    // Its Service does not exist, so that nobody is asked for an address.
    let service = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": name},
        "spec": {"group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"namespace": "default", "name": "nowhere", "port": 1}}});
    team.server.kubectl_with(&["create", "-f", "-"], &service.to_string());
    let (a, b) = (config_map(&team.namespace, "a", "1"), config_map(&team.namespace, "b", "1"));
    let report = team.settle(&[a.clone(), b.clone()]).await;
    assert_eq!(report.findings, [], "git names nothing of that group");
    let report = team.settle(std::slice::from_ref(&a)).await;
    assert_eq!(of(&report, "b").outcome, Outcome::Pruned, "what was created meanwhile is ours: {report}");
    // What git does name of it is told.
    let lost = json!({"apiVersion": format!("{group}/v1"), "kind": "Lost",
        "metadata": {"name": "x", "namespace": team.namespace}});
    team.commit(&[a, lost]);
    let report = team.try_sync().await;
    assert!(
        report.findings.iter().any(|f| f.code == Code::PartialCluster && f.evidence.contains(&group)),
        "{report}"
    );
    team.server.kubectl(&["delete", "apiservice", &name]);
}

#[tokio::test]
async fn a_role_in_one_namespace_is_enough() {
    let Some(server) = flux_test_support::kube() else { return };
    let namespaces = [server.namespace("role")];
    let cluster = KubeCluster::builder()
        .kubeconfig(server.restricted_kubeconfig())
        .limited_to(namespaces.clone())
        .open()
        .await
        .unwrap();
    let mut team = Team::with_cluster(server, "role-other", cluster);
    team.namespace.clone_from(&namespaces[0]);
    team.options = SyncOptions { namespaces: Some(namespaces.to_vec()), ..team.options.clone() };
    let team = Arc::new(team);
    let (a, b) = (config_map(&team.namespace, "a", "1"), config_map(&team.namespace, "b", "1"));
    let web = deployment(&team.namespace, "web", 0);
    team.commit(&[a.clone(), b.clone(), web.clone()]);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "sync", "namespace": team.namespace}, "rules": team.rules().await});
    team.kubectl_with(&["create", "-f", "-"], &role);
    let user = format!("--user={}", team.server.restricted_user());
    team.kubectl(&["create", "rolebinding", "sync", "--role=sync", &user]);

    let report = team.settle(&[a.clone(), b, web.clone()]).await;
    assert!(report.resources.iter().all(|r| r.outcome == Outcome::Created), "{report}");
    assert_eq!(report.findings, []);
    // Drift is repaired…
    team.kubectl(&["patch", "configmap", "a", "-p", r#"{"data":{"key":"edited"}}"#]);
    eventually("the edit is seen", async || (team.plan().await.changes().count() == 1).then_some(())).await;
    let report = team.settle(&[a.clone(), web.clone()]).await;
    assert_eq!(
        (of(&report, "a").reason, of(&report, "b").outcome),
        (Reason::Drifted, Outcome::Pruned),
        "{report}"
    );
    // …and what was created under these rights is known as ours.
    let report = team.settle(&[web]).await;
    assert_eq!(of(&report, "a").outcome, Outcome::Pruned, "{report}");
    assert_eq!(report.findings, []);
}

#[tokio::test]
async fn a_job_that_its_time_limit_took_away_does_not_run_again() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "jobs").await;
    let job = |image: &str| {
        json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "migrate", "namespace": team.namespace},
            "spec": {"ttlSecondsAfterFinished": 0, "template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "migrate", "image": image}]}}}})
    };
    let gone = async || {
        let args = ["-n", &team.namespace, "delete", "job", "migrate", "--ignore-not-found"];
        // As the controller of such Jobs does it, whose kubelet here lets no pod finish.
        team.server.kubectl(&args);
        let observed = scope([&job("migrate:1")]);
        eventually("the Job is gone", async || {
            let seen = flux_core::backend::Cluster::observe(&*team.cluster, &observed).await.unwrap().value;
            (!seen.objects.contains_key(&id(&job("migrate:1")))).then_some(())
        })
        .await;
    };
    let report = team.settle(&[job("migrate:1")]).await;
    assert_eq!(of(&report, "migrate").outcome, Outcome::Created);
    gone().await;
    let report = team.settle(&[job("migrate:1")]).await;
    assert_eq!(
        (of(&report, "migrate").outcome, of(&report, "migrate").reason),
        (Outcome::Skipped, Reason::HasRun)
    );
    let report = team.settle(&[job("migrate:2")]).await;
    assert_eq!(of(&report, "migrate").outcome, Outcome::Created, "what git changes runs: {report}");
    // The record goes with the Job.
    let report = team.settle(&[config_map(&team.namespace, "other", "1")]).await;
    let pruned = report.resources.iter().filter(|r| r.outcome == Outcome::Pruned).count();
    assert_eq!(pruned, 2, "{report}");
}

#[tokio::test]
async fn a_field_that_git_leaves_null_is_left_to_others() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "nulls").await;
    let mut web = deployment(&team.namespace, "web", 1);
    web["spec"]["replicas"] = Value::Null;
    web["spec"]["strategy"] = Value::Null;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "map", "namespace": team.namespace, "annotations": {"note": null}}, "data": {"a": null, "b": "1"}});
    let objects = [web.clone(), map.clone()];
    team.settle(&objects).await;
    assert_eq!(team.live(&map)["data"], json!({"a": "", "b": "1"}));
    team.kubectl(&["scale", "deployment", "web", "--replicas=3"]);
    team.seen(&web).await;
    team.settle(&objects).await;
    web["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/web:2".into();
    team.settle(&[web.clone(), map]).await;
    assert_eq!(team.live(&web)["spec"]["replicas"], 3);
}

//! The cases.

#![expect(clippy::expect_used, clippy::panic, reason = "a conformance suite reports by panicking")]

use futures::future::{join, select};
use serde_json::{Value, json};

use super::{
    bench::{Bench, IMAGE, of},
    fixture::ClusterFixture,
};
use crate::{
    backend::{ContainerState, LabelSelector, PodQuery, RolloutState},
    finding::Code,
    manifest::ResourceId,
    sync::{self, Outcome, Reason},
};

/// An object that git names and the cluster lacks is created, and then left alone.
pub async fn what_is_missing_is_created_and_then_left(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "create");
    let objects = [bench.deployment("create", "web:1"), bench.config_map("create-map", json!({"a": "1"}))];
    bench.expect(&objects, "create", Outcome::Created, Reason::NotInCluster, &[]).await;
    let before = bench.get("ConfigMap", "create-map").await;
    let report = bench.sync(&objects).await;
    for resource in &report.resources {
        assert_eq!(
            (resource.outcome, resource.reason),
            (Outcome::Unchanged, Reason::UpToDate),
            "{resource:?}"
        );
    }
    assert!(bench.plan(&objects).await.steps.iter().all(|step| !step.is_sent()), "nothing is sent again");
    assert_eq!(bench.get("ConfigMap", "create-map").await, before, "an unchanged object is not touched");
}

/// A change in git is applied, and named by its field.
pub async fn a_change_in_git_is_applied(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "change");
    bench.sync(&[bench.deployment("change", "web:1")]).await;
    let changed = [bench.deployment("change", "web:2")];
    bench.expect(&changed, "change", Outcome::Changed, Reason::ChangedInGit, &[IMAGE]).await;
    let live = bench.get("Deployment", "change").await;
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "web:2");
    bench.expect(&changed, "change", Outcome::Unchanged, Reason::UpToDate, &[]).await;
}

/// A field that git named and names no longer is removed.
pub async fn a_field_that_git_no_longer_names_goes(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "removal");
    bench.sync(&[bench.config_map("removal", json!({"stays": "1", "goes": "2"}))]).await;
    let fewer = [bench.config_map("removal", json!({"stays": "1"}))];
    bench.expect(&fewer, "removal", Outcome::Changed, Reason::ChangedInGit, &["data.goes"]).await;
    assert_eq!(bench.get("ConfigMap", "removal").await["data"], json!({"stays": "1"}));

    let mut deployment = bench.deployment("removal-env", "web:1");
    bench.sync(&[deployment.clone()]).await;
    let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
    container.as_object_mut().expect("a container").remove("env");
    let fields = ["spec.template.spec.containers[name=web].env[name=COLOUR]"];
    bench.expect(&[deployment.clone()], "removal-env", Outcome::Changed, Reason::ChangedInGit, &fields).await;
    let live = bench.get("Deployment", "removal-env").await;
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0].get("env"), None);
    bench.expect(&[deployment], "removal-env", Outcome::Unchanged, Reason::UpToDate, &[]).await;
}

/// A field that somebody changed by hand is set back, with the editor named.
pub async fn a_hand_edit_is_undone(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "drift");
    let objects =
        [bench.deployment("drift", "web:1"), bench.config_map("drift-map", json!({"a": "1", "b": "2"}))];
    bench.sync(&objects).await;
    bench.fixture.edit_by_hand(&bench.id("Deployment", "drift"), json!({"spec": {"replicas": 5}})).await;
    bench
        .fixture
        .edit_by_hand(&bench.id("ConfigMap", "drift-map"), json!({"data": {"a": "edited", "b": null}}))
        .await;
    let plan = bench.plan(&objects).await;
    let step = plan.steps.iter().find(|s| s.id.name() == "drift").expect("a step");
    let owner = step.fields.first().and_then(|field| field.owner.as_deref());
    assert_eq!(owner, Some("kubectl-edit"), "the plan says who changed it");
    let report = bench.sync(&objects).await;
    let fields =
        |name| (of(&report, name).outcome, of(&report, name).reason, of(&report, name).fields.clone());
    assert_eq!(fields("drift"), (Outcome::Changed, Reason::Drifted, vec!["spec.replicas".to_owned()]));
    let both = vec!["data.a".to_owned(), "data.b".to_owned()];
    assert_eq!(fields("drift-map"), (Outcome::Changed, Reason::Drifted, both));
    assert_eq!(bench.get("Deployment", "drift").await["spec"]["replicas"], 2);
    assert_eq!(bench.get("ConfigMap", "drift-map").await["data"], json!({"a": "1", "b": "2"}));
    bench.expect(&objects, "drift", Outcome::Unchanged, Reason::UpToDate, &[]).await;
}

/// An object that somebody deleted by hand is created again.
pub async fn a_hand_deletion_is_undone(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "deletion");
    let objects = [bench.config_map("deletion", json!({"a": "1"}))];
    bench.sync(&objects).await;
    bench.fixture.delete_by_hand(&bench.id("ConfigMap", "deletion")).await;
    bench.expect(&objects, "deletion", Outcome::Created, Reason::NotInCluster, &[]).await;
    bench.expect(&objects, "deletion", Outcome::Unchanged, Reason::UpToDate, &[]).await;
}

/// A field that git never named stays as others set it.
pub async fn a_foreign_field_is_left_alone(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "foreign");
    bench.sync(&[bench.config_map("foreign", json!({"ours": "1"}))]).await;
    let hand = json!({"metadata": {"annotations": {"example.com/note": "mine"}}, "data": {"theirs": "2"}});
    bench.fixture.edit_by_hand(&bench.id("ConfigMap", "foreign"), hand).await;
    let same = [bench.config_map("foreign", json!({"ours": "1"}))];
    bench.expect(&same, "foreign", Outcome::Unchanged, Reason::UpToDate, &[]).await;
    let changed = [bench.config_map("foreign", json!({"ours": "3"}))];
    bench.expect(&changed, "foreign", Outcome::Changed, Reason::ChangedInGit, &["data.ours"]).await;
    let live = bench.get("ConfigMap", "foreign").await;
    assert_eq!(live["data"], json!({"ours": "3", "theirs": "2"}));
    assert_eq!(live["metadata"]["annotations"]["example.com/note"], "mine");
}

/// Replicas that were set through `scale` stay as they are if an autoscaler is there to have done
/// it; else git's number counts.
pub async fn what_an_autoscaler_set_is_left_alone(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "scale");
    bench.sync(&[bench.deployment("scale", "web:1")]).await;
    bench.fixture.scale_by_controller(&bench.id("Deployment", "scale"), 5).await;
    let same = [bench.deployment("scale", "web:1")];
    bench.expect(&same, "scale", Outcome::Changed, Reason::Drifted, &["spec.replicas"]).await;

    let autoscaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": bench.fixture.namespace(), "name": "scale"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scale"},
            "minReplicas": 1, "maxReplicas": 9}});
    bench.fixture.create_by_hand(autoscaler).await;
    bench.fixture.scale_by_controller(&bench.id("Deployment", "scale"), 7).await;
    let same = [bench.deployment("scale", "web:1")];
    bench.expect(&same, "scale", Outcome::Unchanged, Reason::UpToDate, &[]).await;
    let changed = [bench.deployment("scale", "web:2")];
    bench.expect(&changed, "scale", Outcome::Changed, Reason::ChangedInGit, &[IMAGE]).await;
    assert_eq!(bench.get("Deployment", "scale").await["spec"]["replicas"], 7);
    bench.expect(&changed, "scale", Outcome::Unchanged, Reason::UpToDate, &[]).await;
}

/// An object that exists as git has it is adopted without a change.
pub async fn an_equal_object_is_adopted_as_unchanged(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "adopt");
    let object = bench.deployment("adopt", "web:1");
    bench.fixture.create_by_hand(object.clone()).await;
    let objects = [object];
    bench.expect(&objects, "adopt", Outcome::Unchanged, Reason::Adopted, &[]).await;
    bench.expect(&objects, "adopt", Outcome::Unchanged, Reason::UpToDate, &[]).await;
    bench.fixture.edit_by_hand(&bench.id("Deployment", "adopt"), json!({"spec": {"replicas": 5}})).await;
    bench.expect(&objects, "adopt", Outcome::Changed, Reason::Drifted, &["spec.replicas"]).await;
}

/// An object that exists otherwise is adopted and changed.
pub async fn a_different_object_is_adopted_and_changed(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "adopt-change");
    bench.fixture.create_by_hand(bench.deployment("adopt-change", "web:1")).await;
    let objects = [bench.deployment("adopt-change", "web:2")];
    bench.expect(&objects, "adopt-change", Outcome::Changed, Reason::Adopted, &[IMAGE]).await;
    bench.expect(&objects, "adopt-change", Outcome::Unchanged, Reason::UpToDate, &[]).await;
}

/// An object that was created and is no longer in git is pruned, if that is asked for.
pub async fn what_git_no_longer_names_is_pruned_when_asked(fixture: &dyn ClusterFixture) {
    let keep = Bench::new(fixture, "prune");
    let bench = Bench::pruning(fixture, "prune");
    let stays = keep.config_map("prune-stays", json!({"a": "1"}));
    keep.sync(&[stays.clone(), keep.config_map("prune-goes", json!({"a": "1"}))]).await;
    let objects = [stays];
    keep.expect(&objects, "prune-goes", Outcome::Skipped, Reason::PruneOff, &[]).await;
    let report = bench.sync(&[]).await;
    assert_eq!(of(&report, "prune-goes").reason, Reason::PruneHeldBack, "not when git names nothing");
    assert!(report.findings.iter().any(|f| f.code == Code::PruneHeldBack), "and a finding says so");
    bench.expect(&objects, "prune-goes", Outcome::Pruned, Reason::NotInGit, &[]).await;
    assert_eq!(fixture.get(&bench.id("ConfigMap", "prune-goes")).await, None);
    let report = bench.sync(&objects).await;
    assert_eq!(report.resources.len(), 1, "what was pruned is not spoken of again: {report:?}");
    assert_eq!(of(&report, "prune-stays").outcome, Outcome::Unchanged);
}

/// An object that was there before is never pruned.
pub async fn what_was_adopted_is_never_pruned(fixture: &dyn ClusterFixture) {
    let bench = Bench::pruning(fixture, "prune-adopted");
    let stays = bench.config_map("adopted-stays", json!({}));
    let theirs = bench.config_map("adopted-theirs", json!({"a": "1"}));
    bench.fixture.create_by_hand(theirs.clone()).await;
    bench.sync(&[stays.clone(), theirs]).await;
    bench.expect(&[stays], "adopted-theirs", Outcome::Skipped, Reason::NotCreatedByFlux, &[]).await;
    bench.get("ConfigMap", "adopted-theirs").await;
}

/// An object that changed after it was observed is not pruned.
pub async fn an_object_that_changed_since_is_not_pruned(fixture: &dyn ClusterFixture) {
    let bench = Bench::pruning(fixture, "prune-race");
    let stays = bench.config_map("race-stays", json!({}));
    bench.sync(&[stays.clone(), bench.config_map("race", json!({"a": "1"}))]).await;
    let plan = bench.plan(&[stays]).await;
    bench.fixture.edit_by_hand(&bench.id("ConfigMap", "race"), json!({"data": {"b": "2"}})).await;
    let report = fixture.cluster().apply(&plan, &()).await.expect("the plan can be carried out");
    assert_eq!(
        (of(&report, "race").outcome, of(&report, "race").reason),
        (Outcome::Failed, Reason::Rejected)
    );
    bench.get("ConfigMap", "race").await;
}

/// A mark that was copied to another object does not make that one ours.
pub async fn a_copied_mark_counts_for_nothing(fixture: &dyn ClusterFixture) {
    let bench = Bench::pruning(fixture, "copied");
    let original = bench.config_map("copied", json!({"a": "1"}));
    bench.sync(std::slice::from_ref(&original)).await;
    let live = bench.get("ConfigMap", "copied").await;
    let mut copy = bench.config_map("copied-copy", json!({"a": "1"}));
    copy["metadata"]["labels"] = live["metadata"]["labels"].clone();
    copy["metadata"]["annotations"] = live["metadata"]["annotations"].clone();
    bench.fixture.create_by_hand(copy).await;
    let report = bench.sync(&[original]).await;
    assert!(!report.resources.iter().any(|r| r.id.name() == "copied-copy"), "it is none of ours: {report:?}");
    bench.get("ConfigMap", "copied-copy").await;
}

/// An object that the server refuses fails alone, with a finding.
pub async fn one_refused_object_does_not_stop_the_others(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "refused");
    let objects = [
        bench.config_map("Refused_Name", json!({"a": "1"})),
        bench.config_map("refused-good", json!({"a": "1"})),
        bench.deployment("refused-later", "web:1"),
    ];
    let report = bench.sync(&objects).await;
    let refused = of(&report, "Refused_Name");
    assert_eq!((refused.outcome, refused.reason), (Outcome::Failed, Reason::Rejected));
    assert!(!refused.message.is_empty(), "the message says why");
    assert!(refused.place.is_some(), "the report says where");
    assert_eq!(of(&report, "refused-good").outcome, Outcome::Created);
    assert_eq!(of(&report, "refused-later").outcome, Outcome::Created);
    let finding = report.findings.iter().find(|f| f.code == Code::ApplyFailed).expect("a finding");
    assert!(finding.subject.contains("Refused_Name") && finding.place.is_some(), "{finding}");
}

/// An object of an unknown kind fails alone, with a finding.
pub async fn an_unknown_kind_is_reported_and_the_rest_applied(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "unknown");
    let mut unknown = bench.config_map("unknown-kind", json!({}));
    unknown["apiVersion"] = "no-such-group.example.com/v1".into();
    unknown["kind"] = "NoSuchKind".into();
    let report = bench.sync(&[unknown, bench.config_map("unknown-good", json!({"a": "1"}))]).await;
    let failed = of(&report, "unknown-kind");
    assert_eq!((failed.outcome, failed.reason), (Outcome::Failed, Reason::UnknownKind));
    assert_eq!(of(&report, "unknown-good").outcome, Outcome::Created);
    assert!(report.findings.iter().any(|f| f.code == Code::UnknownKind), "{report:?}");
}

/// `stringData` of a Secret is compared with the `data` that it becomes.
pub async fn string_data_of_a_secret_is_not_drift(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "secret");
    let secret = |value: &str| {
        [json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"namespace": fixture.namespace(), "name": "secret"}, "stringData": {"key": value}})]
    };
    bench.expect(&secret("one"), "secret", Outcome::Created, Reason::NotInCluster, &[]).await;
    bench.expect(&secret("one"), "secret", Outcome::Unchanged, Reason::UpToDate, &[]).await;
    bench.expect(&secret("two"), "secret", Outcome::Changed, Reason::ChangedInGit, &["data.key"]).await;
    bench.fixture.edit_by_hand(&bench.id("Secret", "secret"), json!({"data": {"key": "aGFuZA=="}})).await;
    bench.expect(&secret("two"), "secret", Outcome::Changed, Reason::Drifted, &["data.key"]).await;
    assert_eq!(bench.get("Secret", "secret").await["data"]["key"], "dHdv");
}

/// Every outcome is reported as soon as it is known.
pub async fn progress_is_reported_for_every_step(fixture: &dyn ClusterFixture) {
    #[derive(Default)]
    struct Recorder(std::sync::Mutex<Vec<ResourceId>>);
    impl crate::backend::Progress for Recorder {
        fn resource(&self, report: &sync::ResourceReport) {
            self.0.lock().expect("no panic while it is held").push(report.id.clone());
        }
    }
    let bench = Bench::new(fixture, "progress");
    let plan = bench
        .plan(&[bench.config_map("progress-a", json!({})), bench.config_map("progress-b", json!({}))])
        .await;
    let recorder = Recorder::default();
    let report = fixture.cluster().apply(&plan, &recorder).await.expect("the plan can be carried out");
    let mut reported = recorder.0.into_inner().expect("no panic while it is held");
    reported.sort();
    assert_eq!(reported, report.resources.iter().map(|r| r.id.clone()).collect::<Vec<_>>());
}

/// Workloads are listed with their images and rollouts.
pub async fn workloads_are_listed_with_their_images(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "workloads");
    bench.sync(&[bench.deployment("workloads", "web:1")]).await;
    let mut last = None;
    for _ in 0..300 {
        let workloads = fixture
            .cluster()
            .workloads(Some(fixture.namespace()))
            .await
            .expect("workloads can be listed")
            .value;
        let all = fixture.cluster().workloads(None).await.expect("workloads can be listed").value;
        last = workloads.into_iter().find(|w| w.id.name() == "workloads");
        if let Some(workload) = last.as_ref().filter(|w| w.rollout.state == RolloutState::Ready) {
            assert!(all.iter().any(|w| w.id == workload.id), "all namespaces include this one");
            let images: Vec<(&str, &str)> =
                workload.containers.iter().map(|c| (c.name.as_str(), c.image.as_str())).collect();
            assert_eq!(images, [("web", "web:1"), ("setup", "setup:1")], "containers, then init containers");
            assert_eq!((workload.rollout.desired, workload.rollout.available), (2, 2));
            return;
        }
        fixture.pause().await;
    }
    panic!("the workload is ready in time: {last:?}");
}

/// Everybody who waits is woken by a change of something observed, be it only its status.
pub async fn a_change_of_a_status_is_reported_to_all_who_wait(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "status");
    let objects = [bench.deployment("status", "web:1")];
    bench.sync(&objects).await;
    bench.plan(&objects).await;
    let cluster = fixture.cluster();
    let since = cluster.status_changed(0).await;
    let status = json!({"conditions": [{"type": "Example", "status": "True"}]});
    fixture.set_status_by_controller(&bench.id("Deployment", "status"), status).await;
    let both = Box::pin(join(cluster.status_changed(since), cluster.status_changed(since)));
    let patience = Box::pin(async {
        for _ in 0..300 {
            fixture.pause().await;
        }
    });
    match select(both, patience).await {
        futures::future::Either::Left(((first, second), _)) => {
            assert!(first != since && second != since, "the number is another one");
        }
        futures::future::Either::Right(_) => panic!("the change of the status is reported in time"),
    }
}

/// A version of what was seen holds until something else may be seen: a deployer looks no more
/// while it does.
pub async fn a_version_holds_until_something_else_may_be_seen(fixture: &dyn ClusterFixture) {
    let bench = Bench::new(fixture, "version");
    let objects = [bench.config_map("version", json!({"a": "1"}))];
    bench.sync(&objects).await;
    let cluster = fixture.cluster();
    let version = async || bench.observe(&objects).await.value.version;
    // The backend may have none.
    let Some(before) = version().await else { return };
    fixture.edit_by_hand(&bench.id("ConfigMap", "version"), json!({"data": {"a": "2"}})).await;
    assert!(cluster.has_changed_since(before), "an edit by hand may be seen");
    let Some(before) = version().await else { return };
    bench.sync(&objects).await;
    assert!(cluster.has_changed_since(before), "our own apply may be seen");
    let Some(before) = version().await else { return };
    fixture.delete_by_hand(&bench.id("ConfigMap", "version")).await;
    assert!(cluster.has_changed_since(before), "a deletion may be seen");
}

/// Pods are read on demand, by namespace and labels, with the images that run.
pub async fn pods_are_taken_by_their_labels(fixture: &dyn ClusterFixture) {
    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000001";
    let bench = Bench::new(fixture, "pods");
    let pod = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": fixture.namespace(), "name": name, "labels": {"app": name}},
            // Nobody schedules it, so that nobody else sets its status.
            "spec": {"schedulerName": "nobody", "containers": [{"name": "web", "image": "web:1"}]}})
    };
    for name in ["pods-a", "pods-b"] {
        fixture.create_by_hand(pod(name)).await;
    }
    let status = json!({"phase": "Pending", "containerStatuses": [{
        "name": "web", "image": "web:1", "imageID": format!("web@{DIGEST}"), "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]});
    fixture.set_status_by_controller(&bench.id("Pod", "pods-a"), status).await;
    let pods = async |selector: Value| {
        let selector = json!({"spec": {"selector": selector}});
        let selector = LabelSelector::of_workload(&selector).expect("a selector");
        let query = PodQuery { namespace: fixture.namespace().to_owned(), selector };
        fixture.cluster().pods(&query).await.expect("pods can be read").value
    };
    let found = pods(json!({"matchLabels": {"app": "pods-a"}})).await;
    let [pod] = &found[..] else { panic!("one pod has the label: {found:?}") };
    let [container] = &pod.containers[..] else { panic!("its container has a status: {pod:?}") };
    assert_eq!((&*pod.name, &*pod.phase, &*container.image), ("pods-a", "Pending", "web:1"));
    assert_eq!(container.digest().map(|digest| digest.to_string()).as_deref(), Some(DIGEST));
    let waiting =
        ContainerState::Waiting { reason: "ErrImagePull".to_owned(), message: "not found".to_owned() };
    assert_eq!(container.state, waiting);
    let both =
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["pods-b", "pods-a"]}]});
    let names: Vec<String> = pods(both).await.into_iter().map(|pod| pod.name).collect();
    assert_eq!(names, ["pods-a", "pods-b"], "sorted by name");
    assert!(pods(json!({"matchLabels": {"app": "pods-c"}})).await.is_empty());
}

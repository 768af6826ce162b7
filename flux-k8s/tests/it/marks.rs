//! Whose an object is: marks that go, sets that hand objects over, and what is pruned by them.

use std::sync::Arc;

use flux_core::{
    Code,
    backend::{
        Error,
        layers::{Fault, FaultPlan, Injected},
    },
    deployer::{Deployer, Options},
    memory::{MemoryRegistry, MemoryRepo},
    sync::{MARK_LABEL, Outcome, Owned, Reason, SyncOptions, SyncSet, owned},
};
use serde_json::{Value, json};

use crate::support::{Team, config_map};

fn outcome<'a>(report: &'a flux_core::sync::SyncReport, name: &str) -> &'a flux_core::sync::ResourceReport {
    let found = report.resources.iter().find(|resource| resource.id.name() == name);
    found.unwrap_or_else(|| panic!("no {name}: {report}"))
}

#[tokio::test]
async fn a_mark_that_a_person_removed_is_put_back_and_the_object_stays_prunable() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "unmarked").await;
    let [ours, kept] = ["ours", "kept"].map(|name| config_map(&team.namespace, name, "1"));
    team.settle(&[ours.clone(), kept.clone()]).await;
    team.kubectl(&["label", "configmap", "ours", &format!("{MARK_LABEL}-")]);
    team.seen_without_mark(&ours).await;

    let report = team.settle(&[ours.clone(), kept.clone()]).await;
    assert!(outcome(&report, "ours").message.contains("removed its mark"), "{report}");
    assert_eq!(owned(&team.live(&ours), &team.options.sync_set), Owned::Created);
    let report = team.settle(&[kept]).await;
    assert_eq!(outcome(&report, "ours").outcome, Outcome::Pruned);

    // What was there before stays adopted, whatever becomes of its mark.
    let before = config_map(&team.namespace, "before", "1");
    team.kubectl_with(&["create", "-f", "-"], &before);
    team.settle(&[config_map(&team.namespace, "kept", "1"), before.clone()]).await;
    team.kubectl(&["label", "configmap", "before", &format!("{MARK_LABEL}-")]);
    team.seen_without_mark(&before).await;
    team.settle(&[config_map(&team.namespace, "kept", "1"), before.clone()]).await;
    assert_eq!(owned(&team.live(&before), &team.options.sync_set), Owned::Adopted);
}

#[tokio::test]
async fn an_object_moves_between_sets_without_a_gap_and_stays_prunable() {
    let Some(server) = flux_test_support::kube() else { return };
    let from = Team::new(server.clone(), "moves").await;
    let cluster = crate::support::open(&server).await;
    let mut to = Team::of(server, from.namespace.clone(), cluster);
    let [moves, stays] = ["moves", "stays"].map(|name| config_map(&from.namespace, name, "1"));
    from.settle(&[moves.clone(), stays.clone()]).await;
    let uid = from.live(&moves)["metadata"]["uid"].clone();

    to.options = SyncOptions {
        moved_from: vec![from.options.sync_set.clone()],
        prune: true,
        ..SyncOptions::new(SyncSet::new("the-other"))
    };
    to.settle(std::slice::from_ref(&moves)).await;
    from.seen(&moves).await;
    let report = from.settle(std::slice::from_ref(&stays)).await;
    assert!(!report.resources.iter().any(|resource| resource.outcome == Outcome::Pruned), "{report}");
    assert_eq!(to.live(&moves)["metadata"]["uid"], uid, "it was never gone");
    let report = to.settle(&[config_map(&to.namespace, "another", "1")]).await;
    assert_eq!(outcome(&report, "moves").outcome, Outcome::Pruned);
    assert_eq!(to.live(&stays)["data"]["key"], "1", "nothing else is touched");
}

/// Kinds of which the cluster makes most objects itself, with labels copied from ours.
#[tokio::test]
async fn the_last_object_of_a_kind_that_the_cluster_makes_too_is_pruned() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "copied-labels").await;
    let namespace = team.namespace.clone();
    let named = |api_version: &str, kind: &str, rest: Value| {
        let mut object = rest;
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        object["metadata"]["name"] = "last".into();
        object["metadata"]["namespace"] = namespace.as_str().into();
        object
    };
    let service =
        named("v1", "Service", json!({"spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}}));
    let kinds = [
        named(
            "v1",
            "Endpoints",
            json!({"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]}),
        ),
        named(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 80, "name": ""}]}),
        ),
        named("coordination.k8s.io/v1", "Lease", json!({"spec": {"holderIdentity": "me"}})),
    ];
    for mut object in kinds {
        object["metadata"]["name"] = "own".into();
        let kept = config_map(&team.namespace, "kept", "1");
        team.settle(&[service.clone(), kept.clone(), object.clone()]).await;
        let mut fresh =
            Team::of(team.server.clone(), team.namespace.clone(), crate::support::open(&team.server).await);
        fresh.options = team.options.clone();
        // Nothing in git is of the kind any more, and nothing was watched before.
        fresh.commit(&[service.clone(), kept]);
        let report = fresh.sync().await;
        let gone = outcome(&report, "own");
        assert_eq!((gone.outcome, gone.reason), (Outcome::Pruned, Reason::NotInGit), "{report}");
    }
}

#[tokio::test]
async fn a_namespace_goes_when_it_is_asked_for_and_names_what_it_waits_for() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server.clone(), "prune-namespace").await;
    let name = flux_test_support::unique("asked");
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let kept = config_map(&team.namespace, "kept", "1");
    team.settle(&[kept.clone(), object.clone()]).await;
    let mut held = config_map(&name, "held", "1");
    held["metadata"]["finalizers"] = json!(["example.com/wait"]);
    server.kubectl_with(&["create", "-f", "-"], &held.to_string());

    team.commit(std::slice::from_ref(&kept));
    let report = team.sync().await;
    let skipped = outcome(&report, &name);
    assert_eq!((skipped.outcome, skipped.reason), (Outcome::Skipped, Reason::PruneHeldBack));
    assert!(report.findings[0].remedy.contains("fluxcd.io/prune=true"), "{}", report.findings[0]);

    server.kubectl(&["annotate", "namespace", &name, "fluxcd.io/prune=true"]);
    let report = crate::support::eventually("the namespace is deleted", async || {
        let report = team.sync().await;
        (outcome(&report, &name).outcome == Outcome::Pruned).then_some(report)
    })
    .await;
    assert_eq!(outcome(&report, &name).reason, Reason::NotInGit);
    // The controller says after a while what is left in it.
    crate::support::eventually("the finalizer is named", async || {
        let report = team.sync().await;
        outcome(&report, &name).message.contains("example.com/wait").then_some(())
    })
    .await;
    server.kubectl(&[
        "patch",
        "-n",
        &name,
        "configmap",
        "held",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ]);
    crate::support::eventually("the namespace is gone", async || {
        let report = team.sync().await;
        (!report.resources.iter().any(|resource| resource.id.name() == name)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_set_under_another_name_takes_its_objects_over_and_prunes_them() {
    let Some(server) = flux_test_support::kube() else { return };
    let from = Team::new(server.clone(), "renamed").await;
    let cluster = crate::support::open(&server).await;
    let mut to = Team::of(server, from.namespace.clone(), cluster);
    let [stays, goes] = ["stays", "goes"].map(|name| config_map(&from.namespace, name, "1"));
    from.settle(&[stays.clone(), goes]).await;
    to.options = SyncOptions {
        takes_over: vec![from.options.sync_set.clone()],
        prune: true,
        ..SyncOptions::new(SyncSet::new("renamed"))
    };
    let report = to.settle(std::slice::from_ref(&stays)).await;
    assert_eq!(outcome(&report, "goes").outcome, Outcome::Pruned, "{report}");
    assert_eq!(owned(&to.live(&stays), &to.options.sync_set), Owned::Created);
}

#[tokio::test]
async fn objects_without_a_namespace_go_to_the_one_given_and_are_adopted_there() {
    let Some(server) = flux_test_support::kube() else { return };
    let mut team = Team::new(server, "default-namespace").await;
    let mut options = Options::default();
    options.default_namespace.clone_from(&team.namespace);
    team.deployer = team.deployer.clone().with_options(options);
    let there = config_map(&team.namespace, "there", "1");
    team.kubectl_with(&["create", "-f", "-"], &there);
    let unnamed = ["there", "new"].map(|name| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "1"}})
    });
    team.settle(&unnamed).await;
    let owner =
        |name: &str| owned(&team.live(&config_map(&team.namespace, name, "")), &team.options.sync_set);
    assert_eq!((owner("there"), owner("new")), (Owned::Adopted, Owned::Created));
}

#[tokio::test]
async fn more_than_half_is_pruned_only_when_it_is_confirmed() {
    let Some(server) = flux_test_support::kube() else { return };
    let mut team = Team::new(server, "prune-all").await;
    let all: Vec<Value> = (0..12).map(|n| config_map(&team.namespace, &format!("o-{n:02}"), "1")).collect();
    team.settle(&all).await;
    team.commit(&all[..1]);
    let report = team.sync().await;
    let reasons = |report: &flux_core::sync::SyncReport, reason: Reason| {
        report.resources.iter().filter(|resource| resource.reason == reason).count()
    };
    assert_eq!(reasons(&report, Reason::PruneHeldBack), 11, "{report}");
    team.options.prune_all = true;
    let report = team.sync().await;
    assert_eq!(report.resources.iter().filter(|r| r.outcome == Outcome::Pruned).count(), 11, "{report}");
}

#[tokio::test]
async fn what_others_change_is_repaired_while_the_repository_is_away() {
    let Some(server) = flux_test_support::kube() else { return };
    let team = Team::new(server, "repository-away").await;
    let map = config_map(&team.namespace, "a", "1");
    let away = Injected::Refused(Error::unavailable("git", "the server does not answer"));
    // The tip, its tree and its one file are read; then the server goes away.
    let plan = FaultPlan::script([None, None, None].into_iter().chain(vec![Some(away); 100]));
    let repo = Fault::new(MemoryRepo::new([("all.yaml", map.to_string())]), plan);
    let deployer = Deployer::new(Arc::new(repo), Arc::new(MemoryRegistry::new()), team.cluster.clone());
    deployer.sync(&team.options, &()).await.unwrap();
    team.kubectl(&["patch", "configmap", "a", "-p", r#"{"data":{"key":"hand"}}"#]);
    team.seen(&map).await;
    let report = deployer.repair(&team.options, &()).await.unwrap();
    assert_eq!(outcome(&report, "a").outcome, Outcome::Changed, "{report}");
    assert_eq!(team.live(&map)["data"]["key"], "1");
    let plan = deployer.plan_sync(&team.options).await.unwrap();
    assert_eq!(plan.findings[0].code, Code::RepositoryUnavailable, "{plan}");
}

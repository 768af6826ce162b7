//! Whose an object is: marks that go, sets that hand objects over, and what is pruned by them.

use flux_core::sync::{MARK_LABEL, Outcome, Owned, Reason, SyncOptions, SyncSet, owned};
use serde_json::{Value, json};

use crate::support::{Team, config_map};

fn outcome<'a>(report: &'a flux_core::sync::SyncReport, name: &str) -> &'a flux_core::sync::ResourceReport {
    let found = report.resources.iter().find(|resource| resource.id.name == name);
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
        (!report.resources.iter().any(|resource| resource.id.name == name)).then_some(())
    })
    .await;
}

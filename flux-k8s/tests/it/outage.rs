//! Control planes that go away in the middle of a sync, and come back.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use flux_core::sync::{Action, Outcome, SyncReport};
use flux_test_support::ControlPlane;
use serde_json::Value;

use crate::support::{Team, config_map, eventually, open};

const OBJECTS: usize = 200;

fn objects(namespace: &str, wanted: impl Fn(usize) -> bool) -> Vec<Value> {
    (0..OBJECTS).filter(|n| wanted(*n)).map(|n| config_map(namespace, &format!("o-{n:03}"), "1")).collect()
}

/// Returns the names of the objects that the namespace has.
fn existing(team: &Team) -> Vec<String> {
    let names = team.kubectl(&["get", "configmaps", "-o", "name"]);
    let names = names.lines().filter_map(|name| name.strip_prefix("configmap/"));
    names.filter(|name| name.starts_with("o-")).map(str::to_owned).collect()
}

fn names(objects: &[Value]) -> Vec<String> {
    objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Syncs until a report has neither a failure nor anything that changed.
async fn settled(team: &Team) -> SyncReport {
    eventually("a sync has nothing to do", async || {
        let report = team.deployer.sync(&team.options, &()).await.ok()?;
        let is_still = |outcome| matches!(outcome, Outcome::Unchanged | Outcome::Skipped);
        report.resources.iter().all(|r| is_still(r.outcome)).then_some(report)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_goes_on_after_the_api_server_was_killed_in_its_middle() {
    let Some(mut plane) = ControlPlane::start() else { return };
    let cluster = open(plane.server()).await;
    let mut team = Team::with_cluster(plane.server().clone(), "killed", cluster);
    team.options.prune_all = true;
    let all = objects(&team.namespace, |_| true);
    team.commit(&all);
    // The sync is well on its way when the first objects are there.
    let (report, ()) = tokio::join!(team.try_sync(), async {
        eventually("some objects are there", async || (existing(&team).len() > 5).then_some(())).await;
        plane.kill_api();
    });
    let failed = report.resources.iter().filter(|r| r.outcome == Outcome::Failed).count();
    assert!(failed > 0, "the server was killed too late: {report}");

    // What cannot be seen is not pruned, and a half of it goes from git meanwhile.
    let half = objects(&team.namespace, |n| n % 2 == 0);
    team.commit(&half);
    let away = team.deployer.sync(&team.options, &()).await;
    let pruned = |report: &SyncReport| report.resources.iter().any(|r| r.outcome == Outcome::Pruned);
    assert!(away.as_ref().is_err() || away.as_ref().is_ok_and(|report| !pruned(report)), "{away:?}");

    plane.restart_api();
    settled(&team).await;
    assert_eq!(existing(&team), names(&half), "exactly what git names");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_etcd_stands_still_and_syncs_go_on_after_it() {
    let Some(plane) = ControlPlane::start() else { return };
    let cluster = open(plane.server()).await;
    let mut team = Team::with_cluster(plane.server().clone(), "stopped", cluster);
    team.options.prune_all = true;
    team.settle(&objects(&team.namespace, |_| true)).await;
    let changed: Vec<Value> =
        (0..OBJECTS / 2).map(|n| config_map(&team.namespace, &format!("o-{n:03}"), "2")).collect();
    team.commit(&changed);

    plane.pause_etcd();
    let is_paused = AtomicBool::new(true);
    // One that has seen nothing yet, and one whose watches are there.
    let fresh = team.deployer_with(open(plane.server()).await);
    let looks = async {
        let plan = fresh.plan_sync(&team.options).await;
        if is_paused.load(Ordering::SeqCst)
            && let Ok(plan) = plan
        {
            assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::Prune { .. })), "{plan}");
        }
    };
    let (_, (), ()) = tokio::join!(team.deployer.sync(&team.options, &()), looks, async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        is_paused.store(false, Ordering::SeqCst);
        plane.resume_etcd();
    });
    settled(&team).await;
    assert_eq!(existing(&team), names(&changed), "exactly what git names");
    assert_eq!(team.live(&changed[0])["data"]["key"], "2");
}

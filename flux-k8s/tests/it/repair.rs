//! A daemon that repairs at once what others change.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use flux_core::{
    daemon::{Daemon, Event, Observer, Settings},
    sync::Outcome,
};
use serde_json::json;

use crate::support::{Team, config_map, counted, eventually};

/// A second, and as much again for a machine that does other things beside.
const ABOUT_A_SECOND: Duration = Duration::from_secs(2);

/// The syncs of a daemon: when each was done, and the fields that it changed.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<(Instant, Vec<String>)>>);

impl Log {
    /// Returns when the sync after the first so many was done that changed these fields.
    async fn repaired(&self, after: usize, fields: &[&str]) -> Instant {
        eventually("the edit is undone", async || {
            let syncs = self.0.lock().unwrap();
            syncs.iter().skip(after).find(|(_, changed)| changed == fields).map(|(at, _)| *at)
        })
        .await
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Observer for Log {
    fn event(&self, event: &Event<'_>) {
        let Event::Synced(report) = event else { panic!("only syncs are expected: {event:?}") };
        let changed = report.resources.iter().filter(|r| r.outcome != Outcome::Unchanged);
        let fields = changed.flat_map(|r| r.fields.clone()).collect();
        self.0.lock().unwrap().push((Instant::now(), fields));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_edit_is_undone_within_a_second_by_one_request() {
    let Some(server) = flux_test_support::kube() else { return };
    let (cluster, count) = counted(&server).await;
    let team = Team::with_cluster(server, "repair", cluster);
    let map = config_map(&team.namespace, "map", "git");
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": team.namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]}]}}}});
    team.settle(&[map.clone(), web.clone()]).await;

    let hour = Duration::from_secs(3600);
    let settings = Settings {
        git_poll_interval: hour,
        sync_interval: hour,
        automation_interval: None,
        ..Settings::new(team.options.clone())
    };
    let log = Arc::new(Log::default());
    let daemon = Daemon::new(team.deployer.clone(), settings, log.clone());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        daemon.run(async { drop(stopped.await) }).await;
    });
    eventually("the first sync is done", async || (log.len() > 0).then_some(())).await;

    let container = "spec.template.spec.containers[name=web]";
    let (image, env) = (format!("{container}.image"), format!("{container}.env[name=A].value"));
    let patch = |object: &'static str, patch: &'static str| {
        move |team: &Team| drop(team.kubectl(&["patch", object, "--field-manager=kubectl-edit", "-p", patch]))
    };
    let sed = |script: &'static str| {
        let web = web.clone();
        move |team: &Team| team.kubectl_edit(&web, script)
    };
    let edits: [(&str, Box<dyn Fn(&Team)>); 4] = [
        ("data.key", Box::new(patch("configmap/map", r#"{"data":{"key":"hand"}}"#))),
        (&image, Box::new(sed("s/image: web:1/image: web:hand/"))),
        ("spec.replicas", Box::new(patch("deployment/web", r#"{"spec":{"replicas":1}}"#))),
        (&env, Box::new(sed("s/value: \"1\"/value: \"2\"/"))),
    ];
    let before = count.load(Ordering::SeqCst);
    for (n, (field, edit)) in edits.iter().enumerate() {
        let after = log.len();
        edit(&team);
        // The watch tells of it no later than about now.
        let edited = Instant::now();
        let took = log.repaired(after, &[field]).await.saturating_duration_since(edited);
        assert!(took < ABOUT_A_SECOND, "{field}: {took:?}");
        assert_eq!(count.load(Ordering::SeqCst) - before, n + 1, "{field}: one request for each repair");
    }
    assert_eq!(team.live(&map)["data"]["key"], "git");
    let live = team.live(&web);
    assert_eq!(live["spec"]["replicas"], 0);
    let container = &live["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&container["image"], &container["env"][0]["value"]), (&json!("web:1"), &json!("1")));

    drop(stop);
    running.await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst) - before, edits.len(), "nothing else was asked for");
}

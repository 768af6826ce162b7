//! Waits in time that passes only when everything waits.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::*;
use crate::{
    backend::layers::{Fault, FaultPlan, Injected},
    health::EvidenceCode,
    image::ImageInfo,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
    plan::Request,
    sync::SyncSet,
};

#[derive(Debug)]
struct Time;

#[async_trait]
impl Sleeper for Time {
    async fn sleep(&self, duration: Duration) {
        sleep(duration).await;
    }
}

/// Keeps the statuses, and the codes of the evidence, as they are reported.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl HealthProgress for Log {
    fn health(&self, id: &ResourceId, health: &Health) {
        let codes: Vec<_> = health.evidence.iter().map(|one| one.code.as_str()).collect();
        let line = format!("{} {} {}", id.name(), health.status, codes.join(","));
        self.0.lock().unwrap().push(line.trim_end().to_owned());
    }
}

struct World {
    repo: MemoryRepo,
    cluster: Arc<MemoryCluster>,
    deployer: Deployer,
    sync: SyncOptions,
    options: WaitOptions,
    log: Log,
}

fn deployment(name: &str, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop", "annotations": {"fluxcd.io/tag.web": "semver:*"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": image}]}}}})
}

fn id(name: &str) -> ResourceId {
    ResourceId::new(Some("shop"), "Deployment", name, "apps")
}

fn second(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    fn new(names: &[&str]) -> Self {
        Self::with(names, |cluster| cluster)
    }

    fn with(
        names: &[&str],
        wrap: impl FnOnce(Arc<MemoryCluster>) -> Arc<dyn crate::backend::Cluster>,
    ) -> Self {
        let files =
            names.iter().map(|name| (format!("{name}.yaml"), deployment(name, "team/web:1.0").to_string()));
        let repo = MemoryRepo::new(files);
        let registry = MemoryRegistry::new().with_image(
            &"team/web".parse().unwrap(),
            "1.1".parse().unwrap(),
            ImageInfo::default(),
        );
        let cluster = Arc::new(MemoryCluster::new());
        let deployer = Deployer::new(Arc::new(repo.clone()), Arc::new(registry), wrap(cluster.clone()));
        let sync = SyncOptions::new(SyncSet::new("shop"));
        Self { repo, cluster, deployer, sync, options: WaitOptions::default(), log: Log::default() }
    }

    /// Syncs, and lets every Deployment be rolled out to no pods yet.
    async fn synced(&self, names: &[&str]) -> SyncReport {
        let report = self.deployer.sync(&self.sync, &()).await.unwrap();
        names.iter().for_each(|name| self.status(name, json!({"replicas": 1, "updatedReplicas": 1})));
        report
    }

    fn status(&self, name: &str, status: Value) {
        let set = |object: &mut Value| {
            object["status"] = status;
            object["status"]["observedGeneration"] = object["metadata"]["generation"].clone();
        };
        self.cluster.edit_as("controller", Some("status"), &id(name), set).unwrap();
    }

    fn available(&self, name: &str) {
        self.status(
            name,
            json!({"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}),
        );
    }

    fn late(&self, name: &str) {
        let condition =
            json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"});
        self.status(name, json!({"replicas": 1, "conditions": [condition]}));
    }

    fn pod(&self, of: &str) {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{of}-1"), "namespace": "shop", "labels": {"app": of}},
            "spec": {"containers": [{"name": "web", "image": "team/web:1.0"}]},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "web", "image": "team/web:1.0",
                "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]}});
        self.cluster.create(pod).unwrap();
    }

    async fn wait(&self, report: &SyncReport) -> Result<WaitReport, DeployError> {
        self.deployer.wait_for_sync(report, &self.sync, &self.options, &Time, &self.log).await
    }

    fn log(&self) -> Vec<String> {
        self.log.0.lock().unwrap().clone()
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(test);
}

#[test]
fn a_wait_ends_as_soon_as_the_last_object_is_current() {
    run(async {
        let world = World::new(&["a", "b"]);
        let report = world.synced(&["a", "b"]).await;
        let began = Instant::now();
        let rollout = async {
            sleep(second(2)).await;
            world.available("a");
            sleep(second(1)).await;
            world.available("b");
        };
        let (waited, ()) = futures::join!(world.wait(&report), rollout);
        let waited = waited.unwrap();
        assert_eq!((waited.outcome, began.elapsed()), (WaitOutcome::Healthy, second(3) + GATHER));
        assert_eq!(waited.revision, report.revision);
        assert_eq!(world.log(), ["a InProgress", "b InProgress", "a Current", "b Current"]);
    });
}

#[test]
fn where_no_controller_reports_what_is_there_is_healthy_at_once() {
    run(async {
        let world = World::new(&["a"]);
        let report = world.deployer.sync(&world.sync, &()).await.unwrap();
        assert_eq!(world.wait(&report).await.unwrap().outcome, WaitOutcome::Healthy);
    });
}

#[test]
fn at_the_deadline_it_is_known_which_are_not_healthy_and_why() {
    run(async {
        let world = World::new(&["a", "b"]);
        let report = world.synced(&["a", "b"]).await;
        world.available("a");
        world.pod("b");
        let began = Instant::now();
        let waited = world.wait(&report).await.unwrap();
        assert_eq!((&waited.outcome, began.elapsed()), (&WaitOutcome::TimedOut, second(300)));
        let unhealthy: Vec<_> = waited.unhealthy().collect();
        let [(of, health)] = &unhealthy[..] else { panic!("{unhealthy:?}") };
        assert_eq!((of.name(), &*health.message), ("b", "0 of 1 pod is available"));
        let [evidence] = &health.evidence[..] else { panic!("{health:?}") };
        assert_eq!(
            evidence.to_string(),
            "image-pull: pod b-1, container web: ErrImagePull of team/web:1.0: not found"
        );
        // The pods were looked at while it waited, and what they say was reported once.
        assert_eq!(world.log(), ["a Current", "b InProgress", "b InProgress image-pull"]);
    });
}

#[test]
fn a_failure_ends_the_wait_at_once_or_when_the_others_are_settled() {
    run(async {
        let mut world = World::new(&["a", "b"]);
        let report = world.synced(&["a", "b"]).await;
        world.late("a");
        world.pod("a");
        let waited = world.wait(&report).await.unwrap();
        assert_eq!(waited.outcome, WaitOutcome::Failed);
        let codes: Vec<_> = waited.healths[&id("a")].evidence.iter().map(|one| one.code).collect();
        assert_eq!(codes, [EvidenceCode::DeadlineExceeded, EvidenceCode::ImagePull]);

        world.options.fail_fast = false;
        let began = Instant::now();
        let rollout = async {
            sleep(second(7)).await;
            world.available("b");
        };
        let (waited, ()) = futures::join!(world.wait(&report), rollout);
        assert_eq!((waited.unwrap().outcome, began.elapsed()), (WaitOutcome::Failed, second(7) + GATHER));
    });
}

#[test]
fn a_newer_revision_ends_the_wait_for_the_older() {
    run(async {
        let world = World::new(&["a"]);
        let report = world.synced(&["a"]).await;
        let newer = async {
            sleep(second(40)).await;
            world.repo.push_file("a.yaml", deployment("a", "team/web:1.1").to_string(), "Mend it")
        };
        let began = Instant::now();
        let (waited, newer) = futures::join!(world.wait(&report), newer);
        assert_eq!(waited.unwrap().outcome, WaitOutcome::Superseded(newer));
        assert_eq!(began.elapsed(), second(60), "the branch is asked every 30 seconds");
    });
}

#[test]
fn what_could_not_be_applied_has_failed_and_what_is_ignored_is_not_waited_for() {
    run(async {
        let world = World::new(&["a"]);
        let mut ignored = deployment("b", "team/web:1.0");
        ignored["metadata"]["annotations"]["fluxcd.io/ignore"] = json!("true");
        world.repo.push_file("b.yaml", ignored.to_string(), "Ignore b");
        let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\n";
        world.repo.push_file("w.yaml", widget, "Add a widget of no kind");
        let report = world.deployer.sync(&world.sync, &()).await.unwrap();
        let waited = world.wait(&report).await.unwrap();
        assert_eq!(waited.outcome, WaitOutcome::Failed);
        assert_eq!(world.log(), ["a Current", "w Failed not-applied"]);
    });
}

#[test]
fn a_cluster_that_is_away_for_a_while_does_not_end_the_wait() {
    run(async {
        let away = Some(Injected::Refused(Error::unavailable("cluster", "it does not answer")));
        // The sync looks and applies; the wait fails to look twice.
        let plan = FaultPlan::script([None, None, away.clone(), away]);
        let world = World::with(&["a"], |cluster| Arc::new(Fault::new(cluster, plan)));
        let report = world.synced(&["a"]).await;
        world.available("a");
        assert_eq!(world.wait(&report).await.unwrap().outcome, WaitOutcome::Healthy);

        let away = Injected::Refused(Error::unavailable("cluster", "it does not answer"));
        let gone = FaultPlan::script([None, None].into_iter().chain(vec![Some(away); 1000]));
        let world = World::with(&["a"], |cluster| Arc::new(Fault::new(cluster, gone)));
        let report = world.synced(&["a"]).await;
        let error = world.wait(&report).await.unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("does not answer"), "{error}");
    });
}

#[test]
fn a_release_is_healthy_when_the_cluster_has_its_images() {
    run(async {
        let world = World::new(&["a"]);
        world.synced(&["a"]).await;
        world.available("a");
        let request = Request::latest("shop:deployment/a".parse().unwrap());
        let released = world.deployer.release(&request).await.unwrap();
        assert!(released.revision.is_some());
        let daemon = async {
            sleep(second(10)).await;
            world.synced(&["a"]).await;
            sleep(second(10)).await;
            world.available("a");
        };
        let wait = world.deployer.wait_for_release(&released, &world.options, &Time, &world.log);
        let (waited, ()) = futures::join!(wait, daemon);
        assert_eq!(waited.unwrap().outcome, WaitOutcome::Healthy);
        assert_eq!(world.log(), ["a InProgress other-image", "a InProgress", "a Current"]);
    });
}

#[test]
fn a_release_that_changes_nothing_is_healthy_at_once() {
    run(async {
        let world = World::new(&["a"]);
        world.synced(&["a"]).await;
        let request = Request::latest("shop:deployment/none".parse().unwrap());
        let released = world.deployer.release(&request).await.unwrap();
        let waited = world.deployer.wait_for_release(&released, &world.options, &Time, &()).await.unwrap();
        assert_eq!((waited.outcome, waited.healths.len()), (WaitOutcome::Healthy, 0));
    });
}

#[test]
fn without_the_right_to_see_pods_the_wait_goes_on_and_says_so() {
    run(async {
        let forbidden = Error::forbidden("pods", "robot must not list pods in shop");
        // The sync looks and applies; the wait looks twice, and at the first tick once more.
        let calls = std::iter::repeat_n(None, 5).chain([Some(Injected::Refused(forbidden))]);
        let plan = FaultPlan::script(calls);
        let world = World::with(&["a"], |cluster| Arc::new(Fault::new(cluster, plan)));
        let report = world.synced(&["a"]).await;
        let rollout = async {
            sleep(second(8)).await;
            world.available("a");
        };
        let (waited, ()) = futures::join!(world.wait(&report), rollout);
        assert_eq!(waited.unwrap().outcome, WaitOutcome::Healthy);
        assert_eq!(world.log(), ["a InProgress", "a InProgress pods-unseen", "a Current"]);
    });
}

#[test]
fn a_job_that_its_own_time_limit_takes_away_has_ended_as_it_was_seen_last() {
    // Seen complete, seen failed, and not seen to end.
    let table = [
        (json!([{"type": "Complete", "status": "True"}]), WaitOutcome::Healthy),
        (
            json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]),
            WaitOutcome::Failed,
        ),
        (json!([]), WaitOutcome::Failed),
    ];
    for (conditions, expected) in table {
        a_job_that_goes(conditions, expected);
    }
}

fn a_job_that_goes(conditions: Value, expected: WaitOutcome) {
    run(async {
        let world = World::new(&[]);
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "shop"},
            "spec": {"ttlSecondsAfterFinished": 0, "template": {"spec": {"containers": [{"name": "j", "image": "team/web:1.0"}]}}}});
        world.repo.push_file("j.yaml", job.to_string(), "Add a job");
        let report = world.deployer.sync(&world.sync, &()).await.unwrap();
        let job = ResourceId::new(Some("shop"), "Job", "j", "batch");
        let status = json!({"startTime": "now", "active": 1, "conditions": conditions});
        let set = |object: &mut Value| object["status"] = status;
        world.cluster.edit_as("controller", Some("status"), &job, set).unwrap();
        let controller = async {
            sleep(second(1)).await;
            assert!(world.cluster.delete(&job));
        };
        let (waited, ()) = futures::join!(world.wait(&report), controller);
        assert_eq!(waited.unwrap().outcome, expected);
        // The next sync does not run it again, and there is nothing to wait for.
        let report = world.deployer.sync(&world.sync, &()).await.unwrap();
        let waited = world.wait(&report).await.unwrap();
        assert_eq!(waited.healths[&job].message, "the Job has run");
    });
}

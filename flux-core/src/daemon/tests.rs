//! The daemon on its own, in time that passes only when everything waits.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;

use super::*;
use crate::{
    backend::{Change, Commit, ConfigRepo, ContentId, Error, FileBody, Range, Result, Tree},
    finding::Code,
    image::{ImageInfo, ImageName},
    manifest::ResourceId,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
    sync::{Outcome, SyncSet},
};

fn manifest(tag: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\n  annotations: {{fluxcd.io/automated: 'true', fluxcd.io/tag.web: 'semver:*'}}\n\
         spec:\n  replicas: 1\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - name: web\n        \
         image: team/web:{tag}\n"
    )
}

#[derive(Debug, Default)]
struct EventLog(Mutex<Vec<String>>);

impl EventLog {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for EventLog {
    fn event(&self, event: &Event<'_>) {
        let text = match event {
            Event::Synced(report) => {
                let touched = report.resources.iter().filter(|r| r.outcome != Outcome::Unchanged).count();
                format!("synced {touched}")
            }
            Event::Released(report) => format!("released {}", report.plan.edits.len()),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(text);
    }
}

struct World {
    repo: MemoryRepo,
    registry: Arc<MemoryRegistry>,
    cluster: Arc<MemoryCluster>,
    log: Arc<EventLog>,
    web: ResourceId,
}

impl World {
    fn new() -> (Self, Daemon) {
        let name: ImageName = "team/web".parse().unwrap();
        let registry = MemoryRegistry::new().with_image(&name, "1.0".parse().unwrap(), ImageInfo::default());
        let world = Self {
            repo: MemoryRepo::new([("web.yaml", manifest("1.0"))]),
            registry: Arc::new(registry),
            cluster: Arc::new(MemoryCluster::new()),
            log: Arc::default(),
            web: ResourceId::new(Some("shop"), "Deployment", "web", "apps"),
        };
        let deployer =
            Deployer::new(Arc::new(world.repo.clone()), world.registry.clone(), world.cluster.clone());
        let settings = Settings {
            git_poll_interval: Duration::from_secs(10),
            sync_interval: Duration::from_secs(25),
            repair_at_once: false,
            automation_interval: Some(Duration::from_secs(60)),
            sync: SyncOptions::new(SyncSet::new("test")),
        };
        let daemon = Daemon::new(deployer, settings, world.log.clone());
        (world, daemon)
    }

    fn runs(&self) -> String {
        let object = self.cluster.get(&self.web).unwrap();
        object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    }
}

/// Lets the daemon run for so many seconds, then does what a test says, and so on; then stops it.
async fn run(daemon: Daemon, script: impl Future<Output = ()>) {
    daemon.run(script).await;
}

async fn after(seconds: u64) {
    // The clock is paused: this is over as soon as nothing else is due.
    tokio::time::advance(Duration::ZERO).await;
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn the_cluster_follows_git_and_git_follows_the_registry() {
    let (world, daemon) = World::new();
    run(daemon, async {
        after(1).await;
        assert_eq!(world.log.take(), ["synced 1", "released 0"], "both are looked at first");
        // A commit is seen at the next poll, and synced at once.
        world.repo.push_file("web.yaml", manifest("1.0").replace("replicas: 1", "replicas: 2"), "Two");
        after(10).await;
        assert_eq!(world.log.take(), ["synced 1"]);
        // A push is followed at automation's next turn, and the release synced at once.
        let name: ImageName = "team/web".parse().unwrap();
        world.registry.push(&name, "1.1".parse().unwrap(), ImageInfo::default());
        after(51).await;
        assert_eq!(world.log.take(), ["synced 0", "synced 0", "released 1", "synced 1"]);
        assert_eq!(world.runs(), "team/web:1.1");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hand_edit_is_undone_at_the_next_sync() {
    let (world, daemon) = World::new();
    run(daemon, async {
        after(1).await;
        world.cluster.edit(&world.web, |object| object["spec"]["replicas"] = 9.into()).unwrap();
        world.log.take();
        after(25).await;
        assert_eq!(world.log.take(), ["synced 1"]);
        assert_eq!(world.cluster.get(&world.web).unwrap()["spec"]["replicas"], 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hand_edit_is_undone_at_once_where_the_settings_say_so() {
    let (world, daemon) = World::new();
    let settings = Settings { repair_at_once: true, ..daemon.settings.clone() };
    let daemon = Daemon { settings, ..daemon };
    run(daemon, async {
        after(1).await;
        world.log.take();
        world.cluster.edit(&world.web, |object| object["spec"]["replicas"] = 9.into()).unwrap();
        after(1).await;
        assert_eq!(world.log.take(), ["synced 1"]);
        assert_eq!(world.cluster.get(&world.web).unwrap()["spec"]["replicas"], 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_suspended_is_left_until_it_is_resumed() {
    let (world, daemon) = World::new();
    let handle = daemon.clone();
    run(daemon, async {
        after(1).await;
        handle.suspend(Suspension { by: Some("alice".to_owned()), reason: None });
        world.cluster.edit(&world.web, |object| object["spec"]["replicas"] = 9.into()).unwrap();
        after(30).await;
        assert_eq!(world.cluster.get(&world.web).unwrap()["spec"]["replicas"], 9);
        assert_eq!(handle.suspended().and_then(|suspension| suspension.by).as_deref(), Some("alice"));
        handle.resume();
        world.log.take();
        after(1).await;
        assert_eq!(world.log.take(), ["synced 1"], "at once");
        assert_eq!(world.cluster.get(&world.web).unwrap()["spec"]["replicas"], 1);
    })
    .await;
}

/// A repository whose server can go away.
#[derive(Debug)]
struct Remote {
    repo: MemoryRepo,
    is_away: AtomicBool,
}

impl Remote {
    fn answers(&self) -> Result<&MemoryRepo> {
        let away = || Error::unavailable("git", "the git server is away");
        if self.is_away.load(Ordering::SeqCst) { Err(away()) } else { Ok(&self.repo) }
    }
}

#[async_trait]
impl ConfigRepo for Remote {
    async fn head(&self) -> Result<Revision> {
        self.answers()?.head().await
    }

    async fn tree(&self, at: &Revision) -> Result<Tree> {
        self.answers()?.tree(at).await
    }

    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>> {
        self.answers()?.read(ids, limit).await
    }

    async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision> {
        self.answers()?.commit(base, change).await
    }

    async fn history(&self, range: &Range) -> Result<Vec<Commit>> {
        self.answers()?.history(range).await
    }
}

#[tokio::test(start_paused = true)]
async fn repairs_do_not_need_the_git_server() {
    let (world, daemon) = World::new();
    let remote = Arc::new(Remote { repo: world.repo.clone(), is_away: AtomicBool::new(false) });
    let deployer = Deployer::new(remote.clone(), world.registry.clone(), world.cluster.clone());
    let daemon = Daemon { deployer: deployer.clone(), ..daemon };
    run(daemon, async {
        after(1).await;
        world.log.take();
        remote.is_away.store(true, Ordering::SeqCst);
        world.cluster.edit(&world.web, |object| object["spec"]["replicas"] = 9.into()).unwrap();
        after(25).await;
        let log = world.log.take();
        assert!(log.contains(&"synced 1".to_owned()), "{log:?}");
        assert!(log.iter().any(|event| event.starts_with("PollFailed")), "{log:?}");
        assert_eq!(world.cluster.get(&world.web).unwrap()["spec"]["replicas"], 1);
        // Who asks for a sync hears that the server is away.
        let options = SyncOptions::new(SyncSet::new("test"));
        let plan = deployer.plan_sync(&options).await.unwrap();
        assert_eq!(plan.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::RepositoryUnavailable]);
    })
    .await;
}

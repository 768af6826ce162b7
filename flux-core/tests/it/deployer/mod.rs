//! The deployer around the planners, on in-memory backends, with mocks for what these cannot do.

mod approval;
mod generated;
mod kustomizations;
mod refused;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use flux_core::{
    backend::{
        Change, Commit, ConfigRepo, ContentId, Entry, Error, ErrorKind, FileBody, FixedClock, Range,
        Registry, Revision, Tree,
    },
    deployer::{DeployError, Deployer, Options},
    finding::Code,
    image::{ImageInfo, ImageName},
    manifest::WorkloadId,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
    release::{Reason, Request, Status},
    sync::{Outcome, SyncOptions, SyncSet},
};
use futures::executor::block_on;

fn manifest(name: &str, tag: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
         template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers:\n      - name: {name}\n        image: team/{name}:{tag}\n"
    )
}

fn repo() -> MemoryRepo {
    MemoryRepo::new([("shop/web.yaml", manifest("web", "1.0")), ("shop/api.yaml", manifest("api", "1.0"))])
}

fn registry() -> MemoryRegistry {
    let mut registry = MemoryRegistry::new();
    for name in ["team/web", "team/api"] {
        let name: ImageName = name.parse().unwrap();
        for (tag, created) in [("1.0", "2026-01-01T00:00:00Z"), ("1.1", "2026-02-01T00:00:00Z")] {
            let created = Some(created.parse().unwrap());
            registry = registry.with_image(
                &name,
                tag.parse().unwrap(),
                ImageInfo { created, ..ImageInfo::default() },
            );
        }
    }
    registry
}

fn web() -> WorkloadId {
    "shop:deployment/web".parse().unwrap()
}

fn options() -> SyncOptions {
    SyncOptions::new(SyncSet::new("test"))
}

/// Returns a deployer whose cluster runs the workloads as git has them.
fn deployer(repo: Arc<dyn ConfigRepo>, registry: Arc<dyn Registry>) -> Deployer {
    let deployer = Deployer::new(repo, registry, Arc::new(MemoryCluster::new()))
        .with_clock(Arc::new(FixedClock("2026-03-01T00:00:00Z".parse().unwrap())));
    block_on(deployer.sync(&options(), &())).unwrap();
    deployer
}

/// A repository around another, on which somebody else commits before each of the first `races`
/// commits.
#[derive(Debug)]
struct Contended {
    inner: MemoryRepo,
    races: AtomicUsize,
    reads: Mutex<Vec<ContentId>>,
}

impl Contended {
    fn new(inner: MemoryRepo, races: usize) -> Arc<Self> {
        Arc::new(Self { inner, races: AtomicUsize::new(races), reads: Mutex::default() })
    }
}

#[async_trait]
impl ConfigRepo for Contended {
    async fn head(&self) -> Result<Revision, Error> {
        self.inner.head().await
    }

    async fn tree(&self, at: &Revision) -> Result<Tree, Error> {
        self.inner.tree(at).await
    }

    async fn read(&self, ids: &[ContentId], limit: u64) -> Result<Vec<FileBody>, Error> {
        self.reads.lock().unwrap().extend(ids.iter().cloned());
        self.inner.read(ids, limit).await
    }

    async fn commit(&self, base: &Revision, change: &Change) -> Result<Revision, Error> {
        let left = self.races.load(Ordering::SeqCst);
        if left > 0 {
            self.races.store(left - 1, Ordering::SeqCst);
            self.inner.push_file(
                format!("shop/other-{left}.yaml"),
                manifest(&format!("other-{left}"), "1.0"),
                "Another hand",
            );
        }
        self.inner.commit(base, change).await
    }

    async fn history(&self, range: &Range) -> Result<Vec<Commit>, Error> {
        self.inner.history(range).await
    }
}

#[test]
fn a_release_is_one_commit_on_the_revision_that_was_planned_on() {
    let repo = Arc::new(repo());
    let deployer = deployer(repo.clone(), Arc::new(registry()));
    let report = block_on(deployer.release(&Request::latest(web()))).unwrap();
    let revision = report.revision.unwrap();
    let range = Range { after: Some(report.plan.base.clone()), upto: revision, limit: 10 };
    let commits = block_on(repo.history(&range)).unwrap();
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].message, "Release all latest to shop:deployment/web");
    assert_eq!(commits[0].note.as_deref(), Some(report.plan.note().as_str()));
    let loaded = block_on(deployer.load()).unwrap();
    let image =
        loaded.manifests.workload(&web()).unwrap().resource.workload.as_ref().unwrap()[0].image.clone();
    assert_eq!(image.unwrap().to_string(), "team/web:1.1");
}

#[test]
fn when_the_branch_moves_the_release_is_planned_anew_and_nothing_is_lost() {
    let repo = Contended::new(repo(), 3);
    let deployer = deployer(repo.clone(), Arc::new(registry()));
    let report = block_on(deployer.release(&Request::latest(web()))).unwrap();
    assert!(report.revision.is_some());
    let loaded = block_on(deployer.load()).unwrap();
    let ids: Vec<String> = loaded.manifests.workloads().map(|w| w.id.to_string()).collect();
    assert_eq!(ids.len(), 5, "{ids:?}");
}

#[test]
fn a_branch_that_keeps_moving_is_given_up_on_with_nothing_written() {
    let repo = Contended::new(repo(), usize::MAX);
    let mut options = Options::default();
    options.attempts = 3;
    let deployer = deployer(repo, Arc::new(registry())).with_options(options);
    let error = block_on(deployer.release(&Request::latest(web()))).unwrap_err();
    assert!(error.is_retryable());
    assert!(matches!(error, DeployError::KeptMoving { attempts: 3 }), "{error}");
}

#[test]
fn a_plan_of_an_older_revision_does_not_land() {
    let repo = Arc::new(repo());
    let deployer = deployer(repo.clone(), Arc::new(registry()));
    let planned = block_on(deployer.plan_release(&Request::latest(web()))).unwrap();
    repo.push_file("shop/new.yaml", manifest("new", "1.0"), "Another hand");
    let head = block_on(repo.head()).unwrap();
    let base = planned.plan.base.clone();
    let error = block_on(deployer.carry_out(planned)).unwrap_err();
    assert!(!error.is_retryable());
    assert!(
        matches!(&error, DeployError::Outdated { planned, head: now } if (planned, now) == (&base, &head)),
        "{error}"
    );
    assert_eq!(block_on(repo.head()).unwrap(), head, "nothing is written");
}

#[test]
fn a_file_that_was_read_once_is_not_read_again() {
    let repo = Contended::new(repo(), 0);
    let deployer = deployer(repo.clone(), Arc::new(registry()));
    repo.reads.lock().unwrap().clear();
    block_on(deployer.plan_sync(&options())).unwrap();
    assert_eq!(repo.reads.lock().unwrap().len(), 0, "an unmoved tip");
    repo.inner.push_file("shop/web.yaml", manifest("web", "1.1"), "By hand");
    let loaded = block_on(deployer.load()).unwrap();
    assert_eq!((loaded.stats.files, loaded.stats.parsed), (2, 1));
    assert_eq!(repo.reads.lock().unwrap().len(), 1);
}

#[test]
fn only_what_a_policy_needs_is_asked_of_the_registry() {
    let versions = manifest("web", "1.0").replace(
        "  namespace: shop\n",
        "  namespace: shop\n  annotations: {fluxcd.io/tag.web: 'semver:*'}\n",
    );
    // By version only the image that is written.
    for (text, inspected) in [(versions, 1), (manifest("web", "1.0"), 2)] {
        let registry = Arc::new(registry());
        let deployer = deployer(Arc::new(MemoryRepo::new([("web.yaml", text)])), registry.clone());
        let plan = block_on(deployer.plan_release(&Request::latest(web()))).unwrap().plan;
        assert_eq!(plan.workloads[&web()].status, Status::Success);
        assert_eq!((registry.counts().tags, registry.counts().inspected), (1, inspected));
    }
}

#[test]
fn one_repository_that_cannot_be_read_stops_no_other() {
    let api: ImageName = "team/api".parse().unwrap();
    let refused = Error::unauthorized(&api, "team/api wants a login");
    let registry = registry().with_error(&api, refused);
    let deployer = deployer(Arc::new(repo()), Arc::new(registry));
    let request = Request::image(flux_core::release::Selection::All, flux_core::release::ImageTarget::Latest);
    let report = block_on(deployer.release(&request)).unwrap();
    let verdicts: BTreeMap<String, Reason> =
        report.plan.workloads.iter().map(|(id, v)| (id.name().to_owned(), v.reason)).collect();
    assert_eq!(verdicts["web"], Reason::NewerImage);
    assert_eq!(verdicts["api"], Reason::RegistryUnauthorized);
    assert!(report.plan.findings.iter().any(|f| f.code == Code::RegistryUnauthorized));
}

#[test]
fn a_broken_file_stops_no_other_and_is_reported_by_release_and_sync_alike() {
    let repo = Arc::new(repo());
    repo.push_file("shop/broken.yaml", "kind: [\n", "Break");
    let deployer = deployer(repo, Arc::new(registry()));
    let report = block_on(deployer.release(&Request::latest(web()))).unwrap();
    assert!(report.revision.is_some());
    let synced = block_on(deployer.sync(&options(), &())).unwrap();
    assert!(synced.resources.iter().any(|r| r.outcome == Outcome::Changed));
    for findings in [&*report.plan.findings, &synced.findings] {
        let broken = findings.iter().find(|f| f.code == Code::InvalidYaml).unwrap();
        assert_eq!(&*broken.place.as_ref().unwrap().path, "shop/broken.yaml");
    }
}

#[test]
fn what_is_kept_in_memory_is_known_part_by_part() {
    let deployer = deployer(Arc::new(repo()), Arc::new(registry()));
    block_on(deployer.sync(&options(), &())).unwrap();
    let loaded = block_on(deployer.load()).unwrap();
    let parts = deployer.footprint();
    let of = |name: &str| parts.iter().find(|part| part.part == name).unwrap();
    let files = of("files of git");
    assert_eq!(files.items, loaded.manifests.files().len());
    let packed: usize = loaded.manifests.resources().map(|at| at.resource.object.footprint()).sum();
    assert!(files.bytes > packed, "{files}");
    assert_eq!(of("decisions of the last sync").items, loaded.manifests.resources().count());
}

#[test]
fn lists_join_git_the_cluster_and_the_registry() {
    let deployer = deployer(Arc::new(repo()), Arc::new(registry()));
    let workloads = block_on(deployer.list_workloads(Some("shop"))).unwrap();
    assert_eq!(workloads.entries.len(), 2);
    assert_eq!(workloads.entries[1].containers[0].image, "team/web:1.0");
    let images = block_on(deployer.list_images(|id| *id == web())).unwrap();
    let tags: Vec<String> =
        images.entries[0].containers[0].available.iter().map(|t| t.tag.to_string()).collect();
    assert_eq!(tags, ["1.1", "1.0"]);
}

#[cfg(feature = "testing")]
mod failing {
    //! Errors that the in-memory backends do not produce.

    use flux_core::{
        backend::{InspectError, Observation},
        testing::{MockCluster, MockConfigRepo, MockRegistry},
    };
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_repository_that_is_away_fails_the_operation_and_asks_nothing_else() {
        let mut repo = MockConfigRepo::new();
        repo.expect_head()
            .returning(|| Err(Error::unavailable("git.example.com", "git.example.com does not answer")));
        let deployer =
            Deployer::new(Arc::new(repo), Arc::new(MockRegistry::new()), Arc::new(MockCluster::new()));
        let error = block_on(deployer.plan_sync(&options())).unwrap_err();
        assert_eq!(error.to_string(), "git.example.com does not answer");
    }

    #[test]
    fn a_cluster_that_is_away_fails_a_release_before_anything_is_written() {
        let mut cluster = MockCluster::new();
        cluster.expect_workloads().returning(|_| Err(Error::unavailable("the API server", "no API server")));
        let repo = Arc::new(repo());
        let head = block_on(repo.head()).unwrap();
        let deployer = Deployer::new(repo.clone(), Arc::new(registry()), Arc::new(cluster));
        let error = block_on(deployer.release(&Request::latest(web()))).unwrap_err();
        assert!(matches!(&error, DeployError::Cluster(e) if e.kind() == ErrorKind::Unavailable), "{error}");
        assert!(error.is_retryable());
        assert_eq!(block_on(repo.head()).unwrap(), head);
    }

    #[test]
    fn a_registry_that_knows_nothing_of_the_newest_tag_decides_nothing() {
        let mut registry = MockRegistry::new();
        registry.expect_tags().returning(|_| {
            Ok(Observation::complete(vec!["1.0".parse().unwrap(), "1.1".parse().unwrap()], "test"))
        });
        registry.expect_inspect().times(1).returning(|_, tags| {
            let broken = InspectError::unreadable("500");
            let images =
                tags.iter().filter(|t| t.as_str() == "1.1").map(|t| (t.clone(), Err(broken.clone())));
            // There is no answer at all for 1.0: a backend that breaks its contract must not be
            // asked for ever.
            Ok(Observation::complete(images.collect(), "test"))
        });
        let deployer = deployer(Arc::new(repo()), Arc::new(registry));
        let plan = block_on(deployer.plan_release(&Request::latest(web()))).unwrap().plan;
        assert_eq!(plan.workloads[&web()].reason, Reason::Incomplete);
        assert!(plan.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_reported_and_keeps_no_other_from_being_loaded() {
        let lists = "resources: [../closed, ../shop, b.yaml, c.yaml]\n";
        let inner = repo();
        inner.push_file("all/kustomization.yaml", lists, "List them");
        let mut hidden = MockConfigRepo::new();
        let (upstream, head) = (inner.clone(), block_on(inner.head()).unwrap());
        hidden.expect_head().returning(move || Ok(head.clone()));
        hidden.expect_tree().returning(move |at| {
            let mut tree = upstream.tree(at).now_or_never().unwrap()?;
            for path in ["all/b.yaml", "closed", "shop/kustomization.yaml", "README.md"] {
                let (is_folder, reason) = (path == "closed", "Permission denied".to_owned());
                tree.insert(path, Entry::Unreadable { is_folder, reason });
            }
            Ok(tree)
        });
        hidden.expect_read().returning(move |ids, limit| inner.read(ids, limit).now_or_never().unwrap());
        let deployer = Deployer::new(Arc::new(hidden), Arc::new(registry()), Arc::new(MemoryCluster::new()));
        let loaded = block_on(deployer.load()).unwrap();
        assert_eq!(loaded.manifests.workloads().count(), 2);
        let reported: Vec<String> = loaded
            .findings
            .iter()
            .map(|f| format!("{} {}: {}", f.code, f.place.as_ref().unwrap(), f.evidence))
            .collect();
        assert_eq!(
            reported,
            [
                "unreadable-file all/b.yaml:1:1: the file is not loaded: Permission denied",
                "unreadable-file closed/:1:1: the folder, and all that is in it, is not loaded: Permission denied",
                "unreadable-file shop/kustomization.yaml:1:1: the file is not loaded: Permission denied",
                // A listed file that merely cannot be read is no mistake of the kustomization.
                "invalid-kustomization all/kustomization.yaml:1:41: all/c.yaml is not in the repository",
            ]
        );
        assert!(loaded.findings[0].code.hides_objects());
    }
}

#[test]
fn a_sync_that_was_planned_earlier_is_carried_out_unless_something_moved() {
    let repo = repo();
    let cluster = Arc::new(MemoryCluster::new());
    let deployer = Deployer::new(Arc::new(repo.clone()), Arc::new(registry()), cluster.clone());
    let plan = block_on(deployer.plan_sync(&options())).unwrap();
    let stored: flux_core::sync::SyncPlan =
        serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    let report = block_on(deployer.carry_out_sync(&stored, &options(), &())).unwrap();
    assert_eq!(report.resources.iter().filter(|r| r.outcome == Outcome::Created).count(), 2);

    // The object that the plan was to create exists now.
    let again = block_on(deployer.carry_out_sync(&stored, &options(), &())).unwrap_err();
    assert!(matches!(&again, DeployError::SyncOutdated(steps) if steps.len() == 2), "{again}");
    assert!(again.to_string().contains("shop:deployment/web"), "{again}");

    let plan = block_on(deployer.plan_sync(&options())).unwrap();
    repo.push_file("shop/web.yaml", manifest("web", "1.1"), "Another hand");
    let moved = block_on(deployer.carry_out_sync(&plan, &options(), &())).unwrap_err();
    assert!(matches!(moved, DeployError::Outdated { .. }), "{moved}");
}

//! The cases: fixed work, the same in every run.

use std::{collections::BTreeMap, hint::black_box, sync::Arc};

use flux::{
    RepoPath,
    backend::{Completeness, FixedClock, Images},
    deployer::Deployer,
    image::{ImageInfo, ImageName, Tag},
    manifest::ParsedFile,
    manifest_set::Manifests,
    memory::{MemoryCluster, MemoryRegistry, MemoryRepo},
    release::{self, ImageFacts, RepositoryFacts, Request, Snapshot},
    sync::{Action, SyncOptions, SyncSet},
    workload::parse,
};
use jiff::Timestamp;
use tokio::runtime::Runtime;

use crate::deployment::deployment;

/// The name of the function whose instructions are counted.
pub(crate) const MEASURED: &str = "measured_section";

const NAMESPACES: usize = 20;
const REPOSITORIES: usize = 20;
const FILES: usize = 200;
const OBJECTS: usize = 2_000;
const WORKLOADS: usize = 500;
const TAGS: usize = 200;

/// The names of the cases, in the order in which they are done.
pub(crate) const CASES: [&str; 7] = [
    "parse-200-files",
    "manifests-of-2000-files",
    "plan-release-500-by-200-tags",
    "plan-sync-2000-first",
    "plan-sync-2000-unchanged",
    "plan-sync-2000-one-changed",
    "list-2000-workloads",
];

/// Does the work of all cases in their order; with a divisor above 1, a part of it.
///
/// One process does all, as each needs what the one before it has made.
pub(crate) fn run(divisor: usize) {
    let objects = OBJECTS / divisor;
    let texts: Vec<String> = (0..FILES / divisor).map(|n| text(n, 0)).collect();
    measured(&mut || {
        texts.iter().for_each(|text| drop(black_box(parse(text.as_bytes()))));
    });

    let parsed: BTreeMap<RepoPath, Arc<ParsedFile>> = (0..objects)
        .map(|n| (path(n).parse().expect("a path"), Arc::new(parse(text(n, 0).as_bytes()))))
        .collect();
    measured(&mut || {
        assert_eq!(Manifests::new(parsed.clone()).workloads().count(), objects);
    });

    plan_release(WORKLOADS / divisor, TAGS / divisor.min(20));

    let world = World::new(objects);
    world.runtime.block_on(world.deployer.load()).expect("it loads");
    measured(&mut || assert_eq!(world.steps(), [objects, 0]));

    world.runtime.block_on(world.deployer.sync(&world.options, &())).expect("it syncs");
    // The first plan after the sync may be dearer than those that follow.
    assert_eq!(world.steps(), [0, 0]);
    measured(&mut || assert_eq!(world.steps(), [0, 0]));

    world.repo.push_file(path(7), text(7, 1), "Change one");
    measured(&mut || assert_eq!(world.steps(), [0, 1]));

    measured(&mut || {
        let listed = world.runtime.block_on(world.deployer.list_workloads(None));
        assert_eq!(listed.expect("it lists").entries.len(), objects);
    });
}

/// Does the work whose instructions are counted.
fn measured(work: &mut dyn FnMut()) {
    measured_section(work);
}

/// Callgrind knows it by its name.
#[inline(never)]
fn measured_section(work: &mut dyn FnMut()) {
    work();
    // Without it the call could be a jump, and the function over before the work.
    black_box(());
}

/// A deployer over backends in memory.
struct World {
    runtime: Runtime,
    repo: Arc<MemoryRepo>,
    deployer: Deployer,
    options: SyncOptions,
}

impl World {
    fn new(objects: usize) -> Self {
        let repo = Arc::new(MemoryRepo::new((0..objects).map(|n| (path(n), text(n, 0)))));
        let deployer =
            Deployer::new(repo.clone(), Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            runtime: runtime.expect("a runtime"),
            repo,
            deployer: deployer.with_clock(Arc::new(FixedClock(now()))),
            options: SyncOptions::new(SyncSet::new("bench")),
        }
    }

    /// Plans a sync, and counts the objects to create and to change.
    fn steps(&self) -> [usize; 2] {
        let plan = self.runtime.block_on(self.deployer.plan_sync(&self.options)).expect("a plan");
        let created = plan.steps.iter().filter(|step| matches!(step.action, Action::Create { .. })).count();
        let applied = plan.steps.iter().filter(|step| matches!(step.action, Action::Apply { .. })).count();
        [created, applied]
    }
}

/// Plans a release of workloads that are all behind.
fn plan_release(workloads: usize, tags: usize) {
    let files = (0..workloads).map(|n| {
        let policy = "metadata:\n  annotations:\n    fluxcd.io/automated: \"true\"\n    fluxcd.io/tag.main: semver:>=1.0\n";
        (path(n), text(n, 0).replacen("metadata:\n", policy, 1))
    });
    let files = Snapshot::of_files(files.collect::<Vec<_>>()).expect("paths of files");
    let snapshot = Snapshot { images: images(tags), ..files };
    measured(&mut || {
        let plan = release::plan(&snapshot, &Request::automation(), now());
        assert_eq!(plan.edits.len(), workloads);
    });
}

fn images(tags: usize) -> ImageFacts {
    let mut facts = ImageFacts::default();
    for repository in 0..REPOSITORIES {
        let images: Images = (0..tags)
            .map(|n| {
                let tag: Tag = format!("1.{}.{}", n / 20, n % 20).parse().expect("a tag");
                (tag, Ok(ImageInfo::default()))
            })
            .collect();
        let tags = images.keys().cloned().collect();
        let known = RepositoryFacts {
            tags,
            completeness: Completeness::Complete,
            images,
            dates: flux_core::image::DatePreference::default(),
        };
        let name: ImageName = repository_name(repository).parse().expect("a name");
        facts.repositories.insert(name.canonical(), Ok(known));
    }
    facts
}

fn now() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().expect("a time")
}

fn path(n: usize) -> String {
    format!("ns-{:02}/app-{n:05}.yaml", n % NAMESPACES)
}

fn repository_name(n: usize) -> String {
    format!("registry.example/team/app-{n:02}")
}

fn text(n: usize, tag: usize) -> String {
    let image = format!("{}:1.0.{tag}", repository_name(n % REPOSITORIES));
    deployment(&format!("app-{n:05}"), &format!("ns-{:02}", n % NAMESPACES), n % 7, &image)
}

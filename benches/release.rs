//! A release of one workload of 1,000, compared with the `git` command.
//!
//! A release observes, plans, commits and pushes; the `git` command clones, edits, commits and
//! pushes on the same repository.
//!
//! `cargo bench --bench release` prints medians and the ratio, cold (no mirror, nothing parsed) and
//! warm (the mirror and the parses of an earlier run are on disk, in a new process' state). Both
//! sides work on the same bare repository on the same disk in the same run, in turns.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at what it cannot set up"
)]

#[path = "../examples/common/cache.rs"]
mod cache;
mod figures;

use std::{fmt::Write as _, fs, path::Path, process::Command, sync::Arc, time::Duration};

use figures::{median, millis, timed};
use flux::{
    deployer::Deployer,
    git::GitRepo,
    image::{ImageInfo, ImageName},
    memory::{MemoryCluster, MemoryRegistry},
    release::{ImageTarget, Request, Selection},
    sync::{SyncOptions, SyncSet},
};

const WORKLOADS: usize = 1_000;
const NAMESPACES: usize = 20;
const TURNS: usize = 7;

fn main() {
    // `cargo test --benches` runs this too: once is enough to see that it works.
    let turns = if std::env::args().any(|a| a == "--bench") { TURNS } else { 1 };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let upstream = folder.path().join("config.git");
    make_upstream(folder.path(), &upstream);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let registry = Arc::new(registry());
    let cluster = Arc::new(MemoryCluster::new());
    runtime.block_on(fill(&upstream, &cluster, &registry));

    let (mut cold, mut warm, mut git) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..turns {
        let fresh = folder.path().join(format!("cold-{turn}"));
        let tag = |n: usize| format!("1.0.{}", (3 * turn + n) % 10);
        cold.push(timed(|| runtime.block_on(release(&upstream, &fresh, &registry, &cluster, &tag(1)))));
        warm.push(timed(|| runtime.block_on(release(&upstream, &fresh, &registry, &cluster, &tag(2)))));
        git.push(timed(|| by_hand(folder.path(), &upstream, &tag(3))));
    }
    let (cold, warm, git) = (median(cold), median(warm), median(git));
    let ratio = |ours: Duration| git.as_secs_f64() / ours.as_secs_f64();
    println!("release of one workload of {WORKLOADS}, medians of {turns}:");
    println!("  git clone, edit, commit, push   {:>8.1} ms", millis(git));
    println!("  flux, cold                      {:>8.1} ms   {:.2} times as fast", millis(cold), ratio(cold));
    println!("  flux, warm                      {:>8.1} ms   {:.2} times as fast", millis(warm), ratio(warm));
}

/// Looks, plans, commits and pushes, with everything but the files in `cache` new.
async fn release(
    upstream: &Path,
    cache: &Path,
    registry: &Arc<MemoryRegistry>,
    cluster: &Arc<MemoryCluster>,
    tag: &str,
) {
    fs::create_dir_all(cache).expect("the cache folder");
    let repo = GitRepo::builder(upstream.display().to_string()).mirror(cache.join("mirror.git")).open();
    let deployer =
        Deployer::new(Arc::new(repo.expect("the repository opens")), registry.clone(), cluster.clone())
            .with_parse_cache(Arc::new(cache::FileParseCache::open(cache)));
    let workload = "ns-7:deployment/app-507".parse().expect("an id");
    let image = format!("registry.example/team/app-7:{tag}").parse().expect("an image");
    let request = Request::image(Selection::Named([workload].into()), ImageTarget::Image(image));
    let report = deployer.release(&request).await.expect("the release lands");
    assert!(report.revision.is_some(), "nothing was released: {:?}", report.plan.workloads);
}

/// Brings the cluster to what git says.
async fn fill(upstream: &Path, cluster: &Arc<MemoryCluster>, registry: &Arc<MemoryRegistry>) {
    let repo = GitRepo::builder(upstream.display().to_string()).open().expect("the repository opens");
    let deployer = Deployer::new(Arc::new(repo), registry.clone(), cluster.clone());
    let options = SyncOptions::new(SyncSet::new("bench"));
    deployer.sync(&options, &()).await.expect("the cluster is filled");
}

/// Releases with the commands that a person would type.
fn by_hand(folder: &Path, upstream: &Path, tag: &str) {
    let clone = folder.join("clone");
    git(folder, &["clone", "--quiet", &upstream.display().to_string(), "clone"]);
    let file = clone.join("ns-7/app-507.yaml");
    let text = fs::read_to_string(&file).expect("the file is there");
    let line = text.lines().find(|line| line.contains("image:")).expect("an image").to_owned();
    let new = format!("        image: registry.example/team/app-7:{tag}");
    fs::write(&file, text.replace(&line, &new)).expect("the file is written");
    git(&clone, &["commit", "--quiet", "--all", "--message", "Release"]);
    git(&clone, &["push", "--quiet"]);
    fs::remove_dir_all(&clone).expect("the clone goes");
}

fn git(folder: &Path, words: &[&str]) {
    let status = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Bench", "-c", "user.email=bench@example.com"])
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .status()
        .expect("git is installed");
    assert!(status.success(), "git {words:?} failed");
}

fn make_upstream(folder: &Path, upstream: &Path) {
    let seed = folder.join("seed");
    for n in 0..WORKLOADS {
        let (namespace, app) = (n % NAMESPACES, n % NAMESPACES);
        let path = seed.join(format!("ns-{namespace}/app-{n}.yaml"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        let mut text = String::new();
        let _ = write!(
            text,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{n}\n  namespace: ns-{namespace}\nspec:\n  replicas: 0\n  \
             selector:\n    matchLabels:\n      app: app-{n}\n  template:\n    metadata:\n      labels:\n        app: app-{n}\n    spec:\n      \
             containers:\n      - name: app\n        image: registry.example/team/app-{app}:1.0.0\n"
        );
        fs::write(path, text).expect("the file is written");
    }
    git(&seed, &["init", "--quiet", "--initial-branch=main"]);
    git(&seed, &["add", "."]);
    git(&seed, &["commit", "--quiet", "--message", "Seed"]);
    git(folder, &["clone", "--quiet", "--bare", "seed", &upstream.display().to_string()]);
}

fn registry() -> MemoryRegistry {
    let mut registry = MemoryRegistry::new();
    for app in 0..NAMESPACES {
        let name: ImageName = format!("registry.example/team/app-{app}").parse().expect("a name");
        for patch in 0..10 {
            let tag = format!("1.0.{patch}").parse().expect("a tag");
            registry = registry.with_image(&name, tag, ImageInfo::default());
        }
    }
    registry
}

//! Plans for 10,000 workloads with 1,000 tags each, compared with one scan of the same tags.
//!
//! `cargo bench --bench plan` prints median times, for patterns that order by version, by build
//! date and by a part of the tag that a regular expression takes out:
//!
//! - of deciding, [`flux::release::needs`] for automation over all workloads where nothing is
//!   missing, and its ratio to a scan: for each workload, one pass over its tags that looks at
//!   every byte of every tag and keeps the greatest text. The scan decides nothing; it is the least
//!   that anything has to do that reads all tags.
//! - of deciding where nothing is to be released, as it mostly is, and where one workload is;
//! - of the whole plan, [`flux::release::plan`], in which every workload has an edit. In addition
//!   it applies 10,000 edits to their files, reads these again and compares them, and hashes the
//!   plan.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops at what it cannot set up"
)]

mod figures;

use std::{fmt::Write as _, hint::black_box, time::Duration};

use figures::{median, millis, timed};
use flux::{
    backend::{Completeness, Images},
    image::{ImageInfo, ImageName, Tag},
    release::{self, ImageFacts, RepositoryFacts, Request, Snapshot},
};
use jiff::Timestamp;

const WORKLOADS: usize = 10_000;
const REPOSITORIES: usize = 100;
const TAGS: usize = 1_000;
/// The tag that each of the patterns prefers.
const NEWEST: &str = "1.19.49";

fn main() {
    // `cargo test --benches` runs this too: a small case is enough to see that it works.
    let (workloads, turns) = if std::env::args().any(|a| a == "--bench") { (WORKLOADS, 5) } else { (100, 1) };
    let now: Timestamp = "2026-11-21T00:00:00Z".parse().expect("a time");
    let images = images();
    println!("{workloads} workloads, {TAGS} tags each, medians of {turns}:");
    let scanned = middle(turns, || scan(workloads, &images));
    println!("  scan of the tags                {:>8.1} ms", millis(scanned));
    let patterns = [
        ("by version", "semver:>=1.0"),
        ("by build date", "glob:1.*"),
        ("by what a regexp takes out", r"regexp:^1\.(?P<order>\d+)\.49$"),
    ];
    for (title, pattern) in patterns {
        let snapshot = |outdated| {
            let files = Snapshot::of_files(files(workloads, pattern, outdated)).expect("paths of files");
            Snapshot { images: images.clone(), ..files }
        };
        let decide = |snapshot: &Snapshot| {
            middle(turns, || {
                let needs = release::needs(snapshot, &Request::automation(), now);
                assert!(needs.is_empty());
                black_box(needs);
            })
        };
        let (quiet, one) = (decide(&snapshot(0)), decide(&snapshot(1)));
        let snapshot = snapshot(workloads);
        let decided = decide(&snapshot);
        let planned = middle(turns, || {
            let plan = release::plan(&snapshot, &Request::automation(), now);
            assert_eq!(plan.edits.len(), workloads);
            black_box(plan);
        });
        let ratio = decided.as_secs_f64() / scanned.as_secs_f64();
        println!("  decide {title:<26} {:>8.1} ms   {ratio:.1} times the scan", millis(decided));
        println!("    where nothing is to be released {:>8.1} ms", millis(quiet));
        println!("    where one workload is           {:>8.1} ms", millis(one));
        println!("  plan and verify {:>27.1} ms", millis(planned));
    }
}

fn name(repository: usize) -> ImageName {
    format!("registry.example/team/app-{repository}").parse().expect("a name")
}

fn images() -> ImageFacts {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut facts = ImageFacts::default();
    for repository in 0..REPOSITORIES {
        let images: Images = (0..TAGS)
            .map(|n| {
                let tag: Tag = format!("1.{}.{}", n / 50, n % 50).parse().expect("a tag");
                let seconds = i64::try_from(n).expect("a small number") * 3600;
                let created = start.checked_add(jiff::SignedDuration::from_secs(seconds)).expect("a time");
                (tag, Ok(ImageInfo { created: Some(created), ..ImageInfo::default() }))
            })
            .collect();
        let known = RepositoryFacts {
            tags: images.keys().cloned().collect(),
            completeness: Completeness::Complete,
            images,
            dates: flux_core::image::DatePreference::default(),
        };
        facts.repositories.insert(name(repository).canonical(), Ok(known));
    }
    facts
}

/// Returns the files of workloads, of which the first so many do not run the newest tag.
fn files(workloads: usize, pattern: &str, outdated: usize) -> Vec<(String, String)> {
    (0..workloads)
        .map(|n| {
            let tag = if n < outdated { "1.0.0" } else { NEWEST };
            let mut text = String::new();
            let _ = write!(
                text,
                "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{n}\n  namespace: ns-{}\n  annotations:\n    fluxcd.io/automated: \"true\"\n    \
                 fluxcd.io/tag.app: '{pattern}'\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: {}:{tag}\n",
                n % 20,
                name(n % REPOSITORIES),
            );
            (format!("app-{n}.yaml"), text)
        })
        .collect()
}

/// Makes one pass over the tags of each workload.
fn scan(workloads: usize, images: &ImageFacts) {
    for n in 0..workloads {
        let facts = images.get(&name(n % REPOSITORIES)).and_then(|known| known.as_ref().ok());
        let tags = facts.map(|facts| facts.tags.as_slice()).unwrap_or_default();
        black_box(
            tags.iter()
                .map(|tag| tag.as_str().bytes().fold(0_u64, |h, b| h.wrapping_mul(31) + u64::from(b)))
                .max(),
        );
    }
}

fn middle(turns: usize, mut work: impl FnMut()) -> Duration {
    median((0..turns).map(|_| timed(&mut work)).collect())
}

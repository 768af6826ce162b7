//! What every [`ConfigRepo`] must do.
//!
//! An implementation writes a [`Fixture`], which makes upstreams, and calls [`all`]; or the functions one by one, for a test each.
//! They panic where the contract is broken, and say which rule it was.
//!
//! ```
//! # use flux_core::testing::config_repo::{self, MemoryFixture};
//! # futures::executor::block_on(async {
//! config_repo::all(&MemoryFixture).await;
//! # });
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;

use crate::{
    backend::{Author, Change, ConfigRepo, Error, ErrorKind, FileBody, Range, Result, Revision, Tree},
    memory::MemoryRepo,
};

/// A file of the first commit of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Its path.
    pub path: &'static str,
    /// Its content; for a link, where it points.
    pub body: &'static str,
    /// What it is.
    pub kind: SeedKind,
}

/// What a seeded file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedKind {
    /// A file.
    Plain,
    /// A file with the executable bit.
    Executable,
    /// A symbolic link. Fixtures without links leave it out.
    Link,
}

/// Makes upstreams for the suite.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A new upstream of its own, whose default branch holds one commit with these files; with no files, one without any commit.
    /// None if there is no such thing as an empty upstream.
    async fn upstream(&self, seeds: &[Seed]) -> Option<Box<dyn Upstream>>;
}

/// An upstream, seen by the suite as by another person who works on it.
#[async_trait]
pub trait Upstream: Send + Sync {
    /// The repository under test, on the default branch, under these paths (none: everything). Each call gives one that knows nothing yet.
    async fn repo(&self, paths: &[&str]) -> Arc<dyn ConfigRepo>;

    /// The same on another branch. None if there are no branches.
    async fn repo_on(&self, branch: &str) -> Option<Arc<dyn ConfigRepo>>;

    /// Lands a commit on the default branch by another hand, writing these files; gives the new tip.
    async fn push(&self, files: &[(&str, &str)], message: &str) -> Revision;

    /// Puts the default branch back to a revision, by force. False if that cannot be.
    async fn rewind(&self, to: &Revision) -> bool;

    /// From now on refuses whatever is pushed.
    async fn refuse(&self, words: &str) -> Refusal;

    /// The modes of all files at a revision, as git counts them (`0o100644`). None if there are no modes.
    async fn modes(&self, at: &Revision) -> Option<BTreeMap<String, u32>>;
}

/// How an upstream refuses what is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It can't.
    Unsupported,
    /// It refuses without the words.
    Silent,
    /// It says the words, and the error has to repeat them.
    Spoken,
}

/// The [`Fixture`] of [`MemoryRepo`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFixture;

#[async_trait]
impl Fixture for MemoryFixture {
    async fn upstream(&self, seeds: &[Seed]) -> Option<Box<dyn Upstream>> {
        if seeds.is_empty() {
            return None;
        }
        let files = seeds.iter().filter(|seed| seed.kind != SeedKind::Link);
        let executable = seeds.iter().filter(|seed| seed.kind == SeedKind::Executable);
        let repo = MemoryRepo::new(files.map(|seed| (seed.path, seed.body)));
        Some(Box::new(repo.with_executables(executable.map(|seed| seed.path))))
    }
}

#[async_trait]
impl Upstream for MemoryRepo {
    async fn repo(&self, paths: &[&str]) -> Arc<dyn ConfigRepo> {
        Arc::new(self.clone().with_paths(paths))
    }

    async fn repo_on(&self, _: &str) -> Option<Arc<dyn ConfigRepo>> {
        None
    }

    async fn push(&self, files: &[(&str, &str)], message: &str) -> Revision {
        let files = files
            .iter()
            .map(|(path, body)| ((*path).to_owned(), Some(Bytes::copy_from_slice(body.as_bytes()))))
            .collect();
        Self::push(self, files, message)
    }

    async fn rewind(&self, _: &Revision) -> bool {
        false
    }

    async fn refuse(&self, _: &str) -> Refusal {
        Refusal::Unsupported
    }

    async fn modes(&self, at: &Revision) -> Option<BTreeMap<String, u32>> {
        let tree = ConfigRepo::tree(&self.clone().with_paths::<&str>([]), at).await.ok()?;
        let mode = |path: &String| if tree.executable.contains(path) { 0o100_755 } else { 0o100_644 };
        Some(tree.files.keys().map(|path| (path.clone(), mode(path))).collect())
    }
}

/// The whole suite, one rule after the other.
pub async fn all(fixture: &dyn Fixture) {
    head_follows_upstream(fixture).await;
    head_follows_a_forced_push(fixture).await;
    tree_lists_files_under_the_paths(fixture).await;
    tree_tells_of_modes_and_links(fixture).await;
    tree_of_an_old_revision_stays(fixture).await;
    read_gives_contents_in_order_and_within_the_limit(fixture).await;
    commit_lands_with_all_it_says(fixture).await;
    commit_keeps_everything_else(fixture).await;
    commit_adds_files_that_are_not_there(fixture).await;
    commit_on_a_stale_base_changes_nothing(fixture).await;
    commit_of_several_at_once_lands_one(fixture).await;
    commit_that_cannot_be_is_refused(fixture).await;
    commit_refused_upstream_says_why(fixture).await;
    history_tells_of_the_paths_newest_first(fixture).await;
    what_is_not_there_is_not_found(fixture).await;
}

const SHOP: [Seed; 6] = [
    Seed { path: "README.md", body: "# shop\n", kind: SeedKind::Plain },
    Seed { path: "deploy/web.yaml", body: "image: web:1\n", kind: SeedKind::Plain },
    Seed { path: "deploy/db/claims/data.yaml", body: "size: 1Gi\n", kind: SeedKind::Plain },
    Seed { path: "deploy/render.sh", body: "#!/bin/sh\n", kind: SeedKind::Executable },
    Seed { path: "deploy/latest.yaml", body: "web.yaml", kind: SeedKind::Link },
    Seed {
        path: "deployment/other.yaml",
        body: "a: neighbour whose name begins alike\n",
        kind: SeedKind::Plain,
    },
];

const FILES_UNDER_DEPLOY: [&str; 3] = ["deploy/db/claims/data.yaml", "deploy/render.sh", "deploy/web.yaml"];

/// `head` is the tip upstream, now, and the same while upstream stands still.
pub async fn head_follows_upstream(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let first = good("head", repo.head().await);
    assert_eq!(good("head", repo.head().await), first, "head changed while upstream did not");
    let second = upstream.push(&[("deploy/web.yaml", "image: web:2\n")], "by hand").await;
    assert_ne!(first, second, "the fixture's push made no new revision");
    assert_eq!(good("head", repo.head().await), second, "head did not follow upstream");
    assert_eq!(body(&*repo, &second, "deploy/web.yaml").await, "image: web:2\n");
}

/// A branch that was put back or rewritten upstream is followed.
pub async fn head_follows_a_forced_push(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let first = good("head", repo.head().await);
    upstream.push(&[("deploy/web.yaml", "image: web:2\n")], "a mistake").await;
    good("head", repo.head().await);
    if !upstream.rewind(&first).await {
        return;
    }
    assert_eq!(good("head", repo.head().await), first, "head did not follow the branch back");
    let other = upstream.push(&[("deploy/web.yaml", "image: web:3\n")], "done anew").await;
    assert_eq!(good("head", repo.head().await), other, "head did not follow the rewritten branch");
    let landed = repo.commit(&other, &change(&[("deploy/web.yaml", "image: web:4\n")])).await;
    assert_eq!(good("head", repo.head().await), good("commit on the rewritten branch", landed));
}

/// `tree` has every file under the configured paths, at any depth, no links and nothing else; and names the paths that are missing.
pub async fn tree_lists_files_under_the_paths(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let all: Vec<&str> =
        SHOP.iter().filter(|seed| seed.kind != SeedKind::Link).map(|seed| seed.path).collect();
    let cases: [(&[&str], Vec<&str>, &[&str]); 6] = [
        (&[], all, &[]),
        (&["deploy"], FILES_UNDER_DEPLOY.to_vec(), &[]),
        (&["deploy", "deploy/db"], FILES_UNDER_DEPLOY.to_vec(), &[]),
        (&["deploy/db", "README.md"], vec!["README.md", "deploy/db/claims/data.yaml"], &[]),
        (&["deploy/db", "nowhere"], vec!["deploy/db/claims/data.yaml"], &["nowhere"]),
        (&["README.md/below-a-file"], vec![], &["README.md/below-a-file"]),
    ];
    for (paths, files, missing) in cases {
        let repo = upstream.repo(paths).await;
        let head = good("head", repo.head().await);
        let tree = good("tree", repo.tree(&head).await);
        let found: BTreeSet<&str> = tree.files.keys().map(String::as_str).collect();
        assert_eq!(found, files.into_iter().collect(), "files under {paths:?}");
        assert_eq!(tree.missing, missing, "what is missing of {paths:?}");
    }
}

/// `tree` says which files can be run, which links there are, and what part of the repository it tells of.
pub async fn tree_tells_of_modes_and_links(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    for paths in [&[][..], &["deploy"], &["deploy/render.sh", "README.md"]] {
        let repo = upstream.repo(paths).await;
        let head = good("head", repo.head().await);
        let tree = good("tree", repo.tree(&head).await);
        assert_eq!(tree.paths, paths, "what the tree tells of");
        assert!(tree.misnamed.is_empty(), "all names are UTF-8: {:?}", tree.misnamed);
        let Some(modes) = upstream.modes(&head).await else { continue };
        let of = |is: fn(u32) -> bool| -> BTreeSet<String> {
            let all = modes.iter().filter(|(path, mode)| tree.covers(path) && is(**mode));
            all.map(|(path, _)| path.clone()).collect()
        };
        assert_eq!(tree.executable, of(|mode| mode == 0o100_755), "what can be run under {paths:?}");
        assert_eq!(tree.links, of(|mode| mode & 0o170_000 != 0o100_000), "links under {paths:?}");
    }
}

/// Equal contents have equal addresses, and a revision's tree stays what it was when upstream moves on.
pub async fn tree_of_an_old_revision_stays(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&["deploy"]).await;
    let first = good("head", repo.head().await);
    let before = good("tree", repo.tree(&first).await);
    upstream.push(&[("deploy/web.yaml", "image: web:2\n")], "by hand").await;
    let second = good("head", repo.head().await);
    let after = good("tree", repo.tree(&second).await);
    assert_eq!(good("tree", repo.tree(&first).await), before, "the tree of a revision changed");
    let changed: Vec<&String> = after
        .files
        .iter()
        .filter(|(path, id)| before.files.get(*path) != Some(id))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(changed, ["deploy/web.yaml"], "only the changed file has another address");
    assert_eq!(body(&*repo, &first, "deploy/web.yaml").await, "image: web:1\n");
}

/// `read` gives contents in the order asked for, repeated if so asked, and of a file beyond the limit its size only.
pub async fn read_gives_contents_in_order_and_within_the_limit(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let tree = good("tree", repo.tree(&good("head", repo.head().await)).await);
    let (readme, web) = (tree.files["README.md"].clone(), tree.files["deploy/web.yaml"].clone());
    let bytes = |text: &'static str| FileBody::Bytes(Bytes::from_static(text.as_bytes()));
    assert_eq!(good("read", repo.read(&[], 0).await), []);
    assert_eq!(
        good("read", repo.read(&[web.clone(), readme.clone(), web.clone()], 13).await),
        [bytes("image: web:1\n"), bytes("# shop\n"), bytes("image: web:1\n")],
        "a file of exactly the limit is read"
    );
    assert_eq!(
        good("read", repo.read(&[web, readme], 12).await),
        [FileBody::TooLarge { size: 13 }, bytes("# shop\n")],
        "a file beyond the limit doesn't stop the others"
    );
}

/// A commit becomes the tip upstream, with its contents, message, author, time and note, for everybody.
pub async fn commit_lands_with_all_it_says(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&["deploy"]).await;
    let base = good("head", repo.head().await);
    let mut change =
        change(&[("deploy/web.yaml", "image: web:2\n"), ("deploy/db/claims/data.yaml", "size: 2Gi\n")]);
    change.message = "Release web:2\n\nAnd a larger claim.\n".into();
    change.author = Some(Author { name: "Ada Lovelace".into(), email: "ada@example.com".into() });
    change.note = Some("{\"job\":\"1\"}\n".into());
    let landed = good("commit", repo.commit(&base, &change).await);
    let stranger = upstream.repo(&["deploy"]).await;
    for (who, repo) in [("who committed", repo), ("a stranger", stranger)] {
        assert_eq!(good("head", repo.head().await), landed, "the tip that {who} sees");
        assert_eq!(body(&*repo, &landed, "deploy/web.yaml").await, "image: web:2\n");
        assert_eq!(body(&*repo, &landed, "deploy/db/claims/data.yaml").await, "size: 2Gi\n");
        let range = Range { after: Some(base.clone()), upto: landed.clone(), limit: 10 };
        let history = good("history", repo.history(&range).await);
        assert_eq!(history.len(), 1, "one change is one commit for {who}: {history:?}");
        let commit = &history[0];
        assert_eq!(commit.revision, landed);
        assert_eq!(commit.message, change.message);
        assert_eq!(Some(&commit.author), change.author.as_ref());
        assert_eq!(commit.time, change.time);
        assert_eq!(commit.note, change.note, "the note that {who} sees");
    }
}

/// An upstream with the repository under one of its folders, at the same tip as the whole of it.
struct NarrowShop {
    upstream: Box<dyn Upstream>,
    repo: Arc<dyn ConfigRepo>,
    everything: Arc<dyn ConfigRepo>,
    base: Revision,
    before: Tree,
}

impl NarrowShop {
    async fn of(fixture: &dyn Fixture) -> Self {
        let upstream = shop(fixture).await;
        let repo = upstream.repo(&["deploy"]).await;
        let everything = upstream.repo(&[]).await;
        let base = good("head", everything.head().await);
        let before = good("tree", everything.tree(&base).await);
        good("head", repo.head().await);
        Self { upstream, repo, everything, base, before }
    }

    /// Commits under the folder; gives the new tip and all that is there then.
    async fn land(&self, files: &[(&str, &str)]) -> (Revision, Tree) {
        let landed = good("commit", self.repo.commit(&self.base, &change(files)).await);
        good("head", self.everything.head().await);
        let after = good("tree", self.everything.tree(&landed).await);
        (landed, after)
    }
}

/// What a commit doesn't name keeps content and mode, inside and outside of the configured paths; what it names keeps its mode.
pub async fn commit_keeps_everything_else(fixture: &dyn Fixture) {
    let shop = NarrowShop::of(fixture).await;
    let (landed, after) = shop.land(&[("deploy/render.sh", "#!/bin/bash\n")]).await;
    let unchanged = |tree: &Tree| {
        tree.files
            .clone()
            .into_iter()
            .filter(|(path, _)| path != "deploy/render.sh")
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(unchanged(&after), unchanged(&shop.before));
    assert_eq!(shop.upstream.modes(&landed).await, shop.upstream.modes(&shop.base).await, "modes changed");
}

/// A file that is not there is added as a plain one, with its folders.
pub async fn commit_adds_files_that_are_not_there(fixture: &dyn Fixture) {
    let shop = NarrowShop::of(fixture).await;
    let added = [("deploy/db/claims/more/logs.yaml", "size: 3Gi\n"), ("deploy/new.yaml", "")];
    for (path, _) in added {
        assert_eq!(shop.before.refuses(path), None, "the tree would have refused {path}");
    }
    let changed = [&added[..], &[("deploy/web.yaml", "image: web:2\n")]].concat();
    let (landed, mut after) = shop.land(&changed).await;
    for (path, text) in changed {
        assert_eq!(body(&*shop.everything, &landed, path).await, text, "{path}");
    }
    for (path, _) in added {
        after.files.remove(path);
        assert!(!after.executable.contains(path), "{path} is added as a plain file");
    }
    assert_eq!(
        after.files.keys().collect::<Vec<_>>(),
        shop.before.files.keys().collect::<Vec<_>>(),
        "nothing else comes or goes"
    );
    let (old, new) = (shop.upstream.modes(&shop.base).await, shop.upstream.modes(&landed).await);
    if let (Some(old), Some(mut new)) = (old, new) {
        let modes = added.map(|(path, _)| new.remove(path));
        assert_eq!(modes, [Some(0o100_644); 2], "the modes of what was added");
        assert_eq!(new, old, "the modes of what was there");
    }
}

/// A commit on a revision that is no longer the tip is [`ErrorKind::Moved`], and upstream is as it was.
pub async fn commit_on_a_stale_base_changes_nothing(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let base = good("head", repo.head().await);
    // Elsewhere in the tree: a merge would have succeeded, but the plan was not made on it.
    let moved = upstream.push(&[("README.md", "# store\n")], "by hand").await;
    let mut late = change(&[("deploy/web.yaml", "image: web:2\n")]);
    late.note = Some("late".into());
    for when in ["before head was asked", "after head was asked"] {
        let refused = repo.commit(&base, &late).await;
        assert_eq!(refused, Err(Error::moved(&base)), "{when}");
        assert_eq!(good("head", repo.head().await), moved, "upstream changed {when}");
    }
    assert_eq!(body(&*repo, &moved, "deploy/web.yaml").await, "image: web:1\n");
    let again = good("commit on the new tip", repo.commit(&moved, &late).await);
    assert_eq!(good("head", repo.head().await), again);
}

/// Of several commits at once on one base exactly one lands, and the others are [`ErrorKind::Moved`]; repeated, all land.
pub async fn commit_of_several_at_once_lands_one(fixture: &dyn Fixture) {
    const AT_ONCE: usize = 4;
    let upstream = shop(fixture).await;
    let mut waiting: Vec<(Arc<dyn ConfigRepo>, Change)> = Vec::new();
    let shared = upstream.repo(&[]).await;
    for n in 0..AT_ONCE {
        // Half of them through one repository, half through one of their own.
        let repo = if n % 2 == 0 { Arc::clone(&shared) } else { upstream.repo(&[]).await };
        let mut change = change(&[("deploy/web.yaml", &format!("image: web:{}\n", n + 2))]);
        change.message = format!("commit {n}\n");
        change.note = Some(format!("note {n}"));
        waiting.push((repo, change));
    }
    let start = good("head", shared.head().await);
    let mut base = start.clone();
    while !waiting.is_empty() {
        for (repo, _) in &waiting {
            assert_eq!(good("head", repo.head().await), base);
        }
        let outcomes = join_all(waiting.iter().map(|(repo, change)| repo.commit(&base, change))).await;
        let landed: Vec<usize> = (0..outcomes.len()).filter(|n| outcomes[*n].is_ok()).collect();
        assert_eq!(landed.len(), 1, "how many landed on one base: {outcomes:?}");
        for outcome in outcomes.iter().filter(|outcome| outcome.is_err()) {
            assert_eq!(outcome, &Err(Error::moved(&base)));
        }
        base = good("head", shared.head().await);
        assert_eq!(
            outcomes[landed[0]],
            Ok(base.clone()),
            "the tip is the commit that was said to have landed"
        );
        waiting.remove(landed[0]);
    }
    let range = Range { after: Some(start), upto: base, limit: 100 };
    let history = good("history", shared.history(&range).await);
    let messages: BTreeSet<&str> = history.iter().map(|commit| commit.message.as_str()).collect();
    assert_eq!(messages.len(), AT_ONCE, "each lands once: {history:?}");
    for commit in &history {
        let note = commit.message.trim_end().replace("commit", "note");
        assert_eq!(commit.note, Some(note), "no note is lost or on another commit");
    }
}

/// A change outside of the paths or of the repository, through or to what is no file, or of nothing at all, is refused, and upstream is as it was.
pub async fn commit_that_cannot_be_is_refused(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&["deploy"]).await;
    let base = good("head", repo.head().await);
    let modes = upstream.modes(&base).await.unwrap_or_default();
    let links = modes.get("deploy/latest.yaml").map(|_| "deploy/latest.yaml/x");
    let cannot_be = [
        "deploy/db",
        "deploy/web.yaml/below-a-file",
        "deploy/web.yaml/deep/below-a-file",
        "README.md",
        "new-outside.yaml",
        "deploy/../README.md",
        "deploy/../../out.yaml",
        "/deploy/new.yaml",
        "deploy/new/",
        "deploy//new.yaml",
        "deploy/./new.yaml",
        "deploy/.git/config",
        "deploy/.GIT/config",
        "",
    ];
    let tree = good("tree", repo.tree(&base).await);
    for path in cannot_be.into_iter().chain(links) {
        assert!(tree.refuses(path).is_some(), "the tree would have taken {path}");
        let refused = repo.commit(&base, &change(&[("deploy/web.yaml", "x\n"), (path, "x\n")])).await;
        assert!(is(&refused, ErrorKind::Invalid, path), "{path}: {refused:?}");
    }
    let one_below_the_other = change(&[("deploy/new", "x\n"), ("deploy/new/file.yaml", "x\n")]);
    let refused = repo.commit(&base, &one_below_the_other).await;
    assert!(is(&refused, ErrorKind::Invalid, ""), "{refused:?}");
    let same = repo.commit(&base, &change(&[("deploy/web.yaml", "image: web:1\n")])).await;
    assert!(is(&same, ErrorKind::Invalid, ""), "{same:?}");
    let nothing = repo.commit(&base, &change(&[])).await;
    assert!(is(&nothing, ErrorKind::Invalid, ""), "{nothing:?}");
    let nowhere = repo.commit(&unknown(&base), &change(&[("deploy/web.yaml", "x\n")])).await;
    assert!(is(&nowhere, ErrorKind::NotFound, ""), "{nowhere:?}");
    assert_eq!(good("head", repo.head().await), base);
}

/// What upstream refuses is [`ErrorKind::Rejected`], in upstream's words, and upstream is as it was.
pub async fn commit_refused_upstream_says_why(fixture: &dyn Fixture) {
    let words = "releases are frozen until Monday";
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let base = good("head", repo.head().await);
    let refusal = upstream.refuse(words).await;
    if refusal == Refusal::Unsupported {
        return;
    }
    let mut change = change(&[("deploy/web.yaml", "image: web:2\n")]);
    for note in [None, Some("noted".to_owned())] {
        change.note = note;
        let refused = repo.commit(&base, &change).await;
        let repeated = if refusal == Refusal::Spoken { words } else { "" };
        assert!(
            is(&refused, ErrorKind::Rejected, repeated),
            "not refused, or not in upstream's words: {refused:?}"
        );
        assert_eq!(good("head", repo.head().await), base, "upstream changed");
    }
}

/// `history` has the commits of the range that touched the paths, newest first, at most as many as asked for.
pub async fn history_tells_of_the_paths_newest_first(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&["deploy"]).await;
    let first = good("head", repo.head().await);
    upstream.push(&[("README.md", "# store\n")], "elsewhere").await;
    let second = upstream.push(&[("deploy/web.yaml", "image: web:2\n")], "by hand").await;
    good("head", repo.head().await);
    let mut change = change(&[("deploy/web.yaml", "image: web:3\n")]);
    change.note = Some("noted".into());
    let third = good("commit", repo.commit(&second, &change).await);
    let fourth = upstream.push(&[("deploy/db/claims/data.yaml", "size: 2Gi\n")], "grow").await;
    good("head", repo.head().await);
    let told = async |after: Option<&Revision>, upto: &Revision, limit: usize| {
        let range = Range { after: after.cloned(), upto: upto.clone(), limit };
        let history = good("history", repo.history(&range).await);
        history.into_iter().map(|commit| commit.revision).collect::<Vec<_>>()
    };
    let revisions = |list: &[&Revision]| list.iter().map(|revision| (*revision).clone()).collect::<Vec<_>>();
    assert_eq!(told(None, &fourth, 10).await, revisions(&[&fourth, &third, &second, &first]));
    assert_eq!(told(Some(&first), &fourth, 10).await, revisions(&[&fourth, &third, &second]));
    assert_eq!(told(Some(&second), &third, 10).await, revisions(&[&third]));
    assert_eq!(told(None, &fourth, 2).await, revisions(&[&fourth, &third]));
    assert_eq!(told(None, &first, 10).await, revisions(&[&first]));
    assert_eq!(told(Some(&fourth), &fourth, 10).await, []);
    assert_eq!(told(None, &fourth, 0).await, []);
    let range = Range { after: Some(second), upto: fourth, limit: 10 };
    let notes: Vec<_> =
        good("history", repo.history(&range).await).into_iter().map(|commit| commit.note).collect();
    assert_eq!(notes, [None, Some("noted".to_owned())]);
}

/// A revision, a content, a branch that is not there, and an upstream without commits, are [`ErrorKind::NotFound`] and named.
pub async fn what_is_not_there_is_not_found(fixture: &dyn Fixture) {
    let upstream = shop(fixture).await;
    let repo = upstream.repo(&[]).await;
    let head = good("head", repo.head().await);
    let nowhere = unknown(&head);
    let tree = repo.tree(&nowhere).await;
    assert!(is(&tree, ErrorKind::NotFound, nowhere.as_str()), "{tree:?}");
    let read = repo.read(&[nowhere.as_str().into()], 100).await;
    assert!(is(&read, ErrorKind::NotFound, nowhere.as_str()), "{read:?}");
    let history = repo.history(&Range { after: None, upto: nowhere, limit: 1 }).await;
    assert!(is(&history, ErrorKind::NotFound, ""), "{history:?}");
    if let Some(repo) = upstream.repo_on("no-such-branch").await {
        let head = repo.head().await;
        assert!(is(&head, ErrorKind::NotFound, "no-such-branch"), "{head:?}");
    }
    if let Some(empty) = fixture.upstream(&[]).await {
        let head = empty.repo(&[]).await.head().await;
        assert!(is(&head, ErrorKind::NotFound, ""), "{head:?}");
    }
}

async fn shop(fixture: &dyn Fixture) -> Box<dyn Upstream> {
    let upstream = fixture.upstream(&SHOP).await;
    good("making the upstream", upstream.ok_or("a fixture makes an upstream with files"))
}

/// The content of a file at a revision.
async fn body(repo: &dyn ConfigRepo, at: &Revision, path: &str) -> String {
    let tree = good("tree", repo.tree(at).await);
    let id = good("finding the file", tree.files.get(path).ok_or(path));
    match good("read", repo.read(std::slice::from_ref(id), u64::MAX).await).pop() {
        Some(FileBody::Bytes(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("not bytes: {other:?}"),
    }
}

fn change(files: &[(&str, &str)]) -> Change {
    Change {
        files: files
            .iter()
            .map(|(path, body)| ((*path).to_owned(), Bytes::copy_from_slice(body.as_bytes())))
            .collect(),
        message: "Release\n".into(),
        author: None,
        time: Timestamp::constant(1_700_000_000, 0),
        note: None,
    }
}

/// Returns whether it failed in this way, with these words in the message.
fn is<T>(outcome: &Result<T>, kind: ErrorKind, words: &str) -> bool {
    outcome.as_ref().is_err_and(|error| error.kind() == kind && error.message().contains(words))
}

/// A revision of the same form that is not there.
fn unknown(like: &Revision) -> Revision {
    let turned: String = like.as_str().chars().rev().collect();
    Revision::from(turned.as_str())
}

#[expect(clippy::panic, reason = "a conformance suite tells its verdict as tests do")]
#[track_caller]
fn good<T, E: fmt::Debug>(what: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error:?}"),
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn the_repository_in_memory_keeps_the_contract() {
        block_on(all(&MemoryFixture));
    }
}

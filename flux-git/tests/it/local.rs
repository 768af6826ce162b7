//! A repository on this machine: hermetic, made with libgit2 itself.

use std::{path::Path, sync::Arc};

use flux_core::{
    backend::{Author, Change, ConfigRepo as _, Entry, ErrorKind, Range},
    deployer::Deployer,
    memory::{MemoryCluster, MemoryRegistry},
    testing::config_repo::Refusal,
};
use flux_git::GitRepo;

use crate::{
    servers::{WEB, change},
    upstream::{GitFixture, init_bare, revision},
};

/// Repositories in a folder, reached by their paths.
pub(crate) fn fixture(folder: &Path, refusal: Refusal) -> GitFixture {
    let folder = folder.to_owned();
    let count = std::sync::atomic::AtomicU32::new(0);
    GitFixture {
        create: Box::new(move || {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let path = folder.join(format!("{n}.git"));
            init_bare(&path);
            path
        }),
        reach: Arc::new(|path| GitRepo::builder(path.to_str().unwrap())),
        refusal,
    }
}

mod a_path_conforms {
    use super::*;

    flux_core::testing::config_repo_conformance!(async || {
        let dir = tempfile::tempdir().unwrap();
        // A hook is not run for a path; what it might refuse is refused.
        let fixture = fixture(dir.path(), Refusal::Silent);
        let create = move || {
            let _kept = &dir;
            (fixture.create)()
        };
        Some(GitFixture { create: Box::new(create), reach: fixture.reach, refusal: fixture.refusal })
    });
}

#[tokio::test]
async fn a_file_url_is_a_path() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let repo = GitRepo::builder(format!("file://{}", bare.path.display())).open().unwrap();
    assert!(repo.head().await.is_ok());
}

#[tokio::test]
async fn what_a_push_would_refuse_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let repo = bare.open(|builder| builder);
    let base = repo.head().await.unwrap();
    for hook in ["pre-receive", "update", "reference-transaction"] {
        bare.hook(hook, "#!/bin/sh\nexit 0\n");
        let refused = repo.commit(&base, &change("image: web:2\n")).await;
        assert!(
            matches!(&refused, Err(e) if e.kind() == ErrorKind::Rejected && e.message().contains(hook)),
            "{refused:?}"
        );
        std::fs::remove_file(bare.path.join("hooks").join(hook)).unwrap();
    }
    bare.hook("post-receive", "#!/bin/sh\nexit 1\n");
    repo.commit(&base, &change("image: web:2\n")).await.unwrap();
}

#[tokio::test]
async fn a_working_copys_checked_out_branch_is_not_moved() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let copy = git2::Repository::clone(bare.path.to_str().unwrap(), dir.path().join("copy")).unwrap();
    let repo = GitRepo::builder(dir.path().join("copy").to_str().unwrap()).open().unwrap();
    let base = repo.head().await.unwrap();
    let refused = repo.commit(&base, &change("image: web:2\n")).await;
    assert!(
        matches!(&refused, Err(e) if e.kind() == ErrorKind::Rejected && e.message().contains("bare")),
        "{refused:?}"
    );
    let other = copy.head().unwrap().peel_to_commit().unwrap();
    copy.branch("flux", &other, false).unwrap();
    let repo = GitRepo::builder(dir.path().join("copy").to_str().unwrap()).branch("flux").open().unwrap();
    repo.commit(&base, &change("image: web:2\n")).await.unwrap();
}

#[tokio::test]
async fn a_branch_locked_by_another_program_is_waited_for_and_then_named() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let repo = bare.open(|builder| builder);
    let base = repo.head().await.unwrap();
    let lock = bare.path.join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let held = repo.commit(&base, &change("image: web:2\n")).await;
    assert!(
        matches!(&held, Err(e) if e.kind() == ErrorKind::Unavailable && e.message().contains("refs/heads/main")),
        "{held:?}"
    );
    let waiting = tokio::spawn({
        let (repo, base) = (repo.clone(), base.clone());
        async move { repo.commit(&base, &change("image: web:2\n")).await }
    });
    std::fs::remove_file(&lock).unwrap();
    let landed = waiting.await.unwrap().unwrap();
    assert_eq!(repo.head().await.unwrap(), landed);
}

#[tokio::test]
async fn notes_that_stay_locked_do_not_hold_a_release_up() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let repo = bare.open(|builder| builder);
    let base = repo.head().await.unwrap();
    std::fs::create_dir_all(bare.path.join("refs/notes")).unwrap();
    std::fs::write(bare.path.join("refs/notes/flux.lock"), "").unwrap();
    let landed = repo.commit(&base, &change("image: web:2\n")).await.unwrap();
    assert_eq!(repo.head().await.unwrap(), landed);
}

#[tokio::test]
async fn the_same_commit_sent_again_after_a_lost_answer_is_the_one_that_landed() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let repo = bare.open(|builder| builder);
    let base = repo.head().await.unwrap();
    let first = repo.commit(&base, &change("image: web:2\n")).await.unwrap();
    assert_eq!(repo.commit(&base, &change("image: web:2\n")).await.unwrap(), first);
}

#[tokio::test]
async fn names_and_addresses_that_git_cannot_hold_are_made_fit() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let repo = bare.open(|builder| builder.committer("", ""));
    let mut base = repo.head().await.unwrap();
    for (n, (name, email, kept_name, kept_email)) in [
        ("Ada <x>\nparent 0000", "a@b\n> 1 +0000", "Ada xparent 0000", "a@b 1 +0000"),
        ("", "", "unknown", ""),
        ("  Ünal Çelik.", "", "Ünal Çelik", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let mut change = change(&format!("image: web:{}\n", n + 2));
        change.author = Some(Author { name: name.into(), email: email.into() });
        base = repo.commit(&base, &change).await.unwrap();
        let commit =
            repo.history(&Range { after: None, upto: base.clone(), limit: 1 }).await.unwrap().remove(0);
        assert_eq!(commit.author, Author { name: kept_name.into(), email: kept_email.into() });
        let read = bare.repository();
        let commit = read.find_commit(git2::Oid::from_str(base.as_str()).unwrap()).unwrap();
        assert_eq!(commit.parent_count(), 1);
        assert_eq!(commit.message().unwrap(), "Release\n");
    }
}

#[tokio::test]
async fn notes_are_where_git_finds_them() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let repo = bare.open(|builder| builder.notes_ref("releases"));
    let base = repo.head().await.unwrap();
    let noted = Change { note: Some("why".into()), ..change("image: web:2\n") };
    let landed = git2::Oid::from_str(repo.commit(&base, &noted).await.unwrap().as_str()).unwrap();
    let read = bare.repository();
    assert_eq!(read.find_note(Some("refs/notes/releases"), landed).unwrap().message().unwrap(), "why");
}

#[tokio::test]
async fn history_tells_of_merges_as_git_does() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let repo = bare.open(|builder| builder.paths(["web.yaml"]));
    let base = repo.head().await.unwrap();
    let side = bare.write(&[("web.yaml", "image: web:2\n")], "on the side");
    let git = bare.repository();
    git.reference("refs/heads/main", git2::Oid::from_str(base.as_str()).unwrap(), true, "").unwrap();
    let ours = bare.write(&[("other.yaml", "x: 1\n")], "elsewhere");
    let (ours, side) = (git.find_commit(ours).unwrap(), git.find_commit(side).unwrap());
    let tree = git.merge_commits(&ours, &side, None).unwrap().write_tree_to(&git).unwrap();
    let hand = git2::Signature::now("Another Hand", "hand@example.com").unwrap();
    let merge = git
        .commit(
            Some("refs/heads/main"),
            &hand,
            &hand,
            "merge",
            &git.find_tree(tree).unwrap(),
            &[&ours, &side],
        )
        .unwrap();
    let range = Range { after: Some(base), upto: revision(merge), limit: 10 };
    let messages: Vec<_> =
        repo.history(&range).await.unwrap().into_iter().map(|commit| commit.message).collect();
    assert_eq!(messages, ["on the side"]);
}

#[tokio::test]
async fn what_is_no_repository_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nowhere.git");
    let head = GitRepo::builder(path.to_str().unwrap()).open().unwrap().head().await;
    assert!(
        matches!(&head, Err(e) if e.kind() == ErrorKind::NotFound && e.message().contains("nowhere.git")),
        "{head:?}"
    );
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_touched() {
    for builder in [
        GitRepo::builder(""),
        GitRepo::builder("gopher://host/a"),
        GitRepo::builder("/a").paths(["../etc"]),
        GitRepo::builder("/a").branch("a..b"),
        GitRepo::builder("/a").notes_ref("refs/no tes"),
        GitRepo::builder("https://host/a").ca_file("/nowhere/ca.pem"),
    ] {
        let refused = builder.clone().open();
        assert!(matches!(&refused, Err(e) if e.kind() == ErrorKind::Invalid), "{builder:?}");
    }
}

#[test]
fn nothing_printed_holds_a_secret() {
    let builder = GitRepo::builder("https://u:s3cret@host/a.git")
        .credentials(flux_git::Credentials::basic("u", "s3cret").ssh_passphrase("s3cret"));
    let repo = builder.clone().open().unwrap();
    for text in [
        format!("{builder:?}"),
        format!("{repo:?}"),
        repo.url(),
        format!("{:?}", GitRepo::builder("https://u:s3cret@")),
    ] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn names_that_are_not_utf_8_are_reported_and_survive_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let git = bare.repository();
    let tip = git.find_commit(git.refname_to_id("refs/heads/main").unwrap()).unwrap();
    let blob = git.blob(b"image: web:1\n").unwrap();
    let mut folder = git.treebuilder(None).unwrap();
    folder.insert(&b"caf\xe9.yaml"[..], blob, 0o100_644).unwrap();
    folder.insert("plain.yaml", blob, 0o100_644).unwrap();
    let folder = folder.write().unwrap();
    let mut root = git.treebuilder(Some(&tip.tree().unwrap())).unwrap();
    root.insert(&b"\xff"[..], folder, 0o040_000).unwrap();
    root.insert("menu", folder, 0o040_000).unwrap();
    bare.commit(&git, root.write().unwrap(), "Latin letters");
    let repo = bare.open(|builder| builder);
    let base = repo.head().await.unwrap();
    let tree = repo.tree(&base).await.unwrap();
    let [file, folder] = [false, true].map(|is_folder| Entry::Misnamed { is_folder });
    let left_out: Vec<_> = tree.left_out().map(|(path, entry)| (path.as_str(), entry)).collect();
    assert_eq!(left_out, [("menu/caf\u{fffd}.yaml", &file), ("\u{fffd}", &folder)]);
    assert!(tree.file("menu/plain.yaml").is_some());
    let landed = repo.commit(&base, &change("image: web:2\n")).await.unwrap();
    assert!(repo.tree(&landed).await.unwrap().left_out().eq(tree.left_out()));
}

/// Writes a folder whose entries have any names: their modes, names and contents.
fn raw_tree(git: &git2::Repository, entries: &[(&str, &str, git2::Oid)]) -> git2::Oid {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        bytes.extend_from_slice(id.as_bytes());
    }
    git.odb().unwrap().write(git2::ObjectType::Tree, &bytes).unwrap()
}

#[tokio::test]
async fn names_that_git_does_not_check_out_are_findings_and_survive_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let bare = fixture(dir.path(), Refusal::Silent).bare(&WEB);
    let git = bare.repository();
    let blob = git.blob(b"image: web:1\n").unwrap();
    let folder = raw_tree(&git, &[("100644", "plain.yaml", blob)]);
    let hidden = raw_tree(&git, &[("40000", "GIT~1", folder), ("100644", "plain.yaml", blob)]);
    let root = raw_tree(
        &git,
        &[
            ("40000", ".GIT", folder),
            ("40000", ".git", folder),
            ("100644", "a//b.yaml", blob),
            ("100644", "a/b.yaml", blob),
            ("40000", "menu", hidden),
            ("100644", "web.yaml", blob),
        ],
    );
    bare.commit(&git, root, "Hide");
    let repo = Arc::new(bare.open(|builder| builder));
    let base = repo.head().await.unwrap();
    let tree = repo.tree(&base).await.unwrap();
    let [file, folder] = [false, true].map(|is_folder| Entry::Misnamed { is_folder });
    let left_out: Vec<_> = tree.left_out().map(|(path, entry)| (path.as_str(), entry)).collect();
    let expected = [
        ("a/b.yaml", &file),
        ("a/\u{fffd}/b.yaml", &file),
        ("menu/\u{fffd}GIT~1", &folder),
        ("\u{fffd}.GIT", &folder),
        ("\u{fffd}.git", &folder),
    ];
    assert_eq!(left_out, expected);
    assert_eq!(tree.file_paths().collect::<Vec<_>>(), ["menu/plain.yaml", "web.yaml"]);
    let deployer =
        Deployer::new(repo.clone(), Arc::new(MemoryRegistry::new()), Arc::new(MemoryCluster::new()));
    let report = deployer.check().await.unwrap();
    let misnamed = report.findings.iter().filter(|finding| finding.code == flux_core::Code::InvalidName);
    let subjects: Vec<&str> = misnamed.map(|finding| finding.subject.as_str()).collect();
    let folders = ["menu/\u{fffd}GIT~1/", "\u{fffd}.GIT/", "\u{fffd}.git/"];
    assert_eq!(subjects, [&["a/b.yaml", "a/\u{fffd}/b.yaml"][..], &folders].concat());
    let landed = repo.commit(&base, &change("image: web:2\n")).await.unwrap();
    assert!(repo.tree(&landed).await.unwrap().left_out().eq(tree.left_out()));
}

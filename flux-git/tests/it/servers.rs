//! Repositories behind real servers: `git http-backend` over HTTP and TLS, and `sshd`.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use flux_core::{
    backend::{Change, ConfigRepo as _, ErrorKind, Range},
    testing::config_repo::{Refusal, Seed, SeedKind},
};
use flux_git::{Credentials, GitRepo, GitRepoBuilder};
use flux_test_support::{GitServer, git_http, git_http_auth, git_https, git_ssh, unique};
use jiff::Timestamp;

use crate::upstream::{Bare, GitFixture, Reach};

pub(crate) const WEB: [Seed; 1] = [Seed { path: "web.yaml", body: "image: web:1\n", kind: SeedKind::Plain }];

/// Repositories of a server, with the credentials that it requires.
fn fixture(
    server: GitServer,
    reach: impl Fn(GitRepoBuilder, &GitServer) -> GitRepoBuilder + Send + Sync + 'static,
) -> GitFixture {
    let server = Arc::new(server);
    let creating = Arc::clone(&server);
    let reach: Arc<Reach> = Arc::new(move |path: &Path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        reach(GitRepo::builder(server.url(name)), &server)
    });
    GitFixture {
        create: Box::new(move || creating.create(&unique("config"))),
        reach,
        refusal: Refusal::Spoken,
    }
}

fn over_http() -> Option<GitFixture> {
    Some(fixture(git_http()?, |builder, _| builder.credentials(Credentials::none())))
}

fn over_ssh() -> Option<GitFixture> {
    Some(fixture(git_ssh()?, |builder, server| builder.credentials(ssh_credentials(server))))
}

fn ssh_credentials(server: &GitServer) -> Credentials {
    Credentials::none().ssh_identity(server.identity()).known_hosts(server.known_hosts())
}

pub(crate) fn change(body: &str) -> Change {
    Change {
        files: [("web.yaml".parse().unwrap(), Bytes::copy_from_slice(body.as_bytes()))].into(),
        message: "Release".into(),
        author: None,
        time: Timestamp::constant(1_700_000_000, 0),
        note: Some("why".into()),
    }
}

mod http_conforms {
    flux_core::testing::config_repo_conformance!(async || super::over_http());
}

mod http_with_a_password_conforms {
    use super::*;

    flux_core::testing::config_repo_conformance!(async || {
        Some(fixture(git_http_auth()?, |builder, server| {
            builder.credentials(Credentials::basic(server.user(), server.password()))
        }))
    });
}

mod https_of_a_private_authority_conforms {
    use super::*;

    flux_core::testing::config_repo_conformance!(async || {
        Some(fixture(git_https()?, |builder, server| builder.ca_file(server.ca())))
    });
}

mod ssh_conforms {
    flux_core::testing::config_repo_conformance!(async || super::over_ssh());
}

mod a_mirror_shared_by_all_conforms {
    use super::*;

    flux_core::testing::config_repo_conformance!(async || {
        let mirror = tempfile::tempdir().unwrap();
        Some(fixture(git_http()?, move |builder, _| builder.mirror(mirror.path())))
    });
}

#[tokio::test]
async fn a_password_in_the_url_is_used_and_never_shown() {
    let Some(server) = git_http_auth() else { return };
    let name = unique("config");
    server.create(&name);
    let (user, password) = (server.user(), server.password());
    let url = |password: &str| server.url(&name).replace("://", &format!("://{user}:{password}@"));
    let good = GitRepo::builder(url(password)).credentials(Credentials::none()).open().unwrap();
    // With valid credentials, the error is that there is no commit.
    assert!(matches!(good.head().await, Err(e) if e.kind() == ErrorKind::NotFound));
    let bad = GitRepo::builder(url("n0t-it")).credentials(Credentials::none()).open().unwrap();
    let error = bad.head().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
    assert!(!format!("{error:?} {error} {bad:?}").contains("n0t-it"), "{error}");
}

#[tokio::test]
async fn missing_or_wrong_credentials_are_reported_once() {
    let Some(server) = git_http_auth() else { return };
    let name = unique("config");
    server.create(&name);
    for (credentials, words) in
        [(Credentials::none(), "none were given"), (Credentials::basic("who", "knows"), "doesn't accept")]
    {
        let repo = GitRepo::builder(server.url(&name)).credentials(credentials).open().unwrap();
        let head = repo.head().await;
        assert!(
            matches!(&head, Err(e) if e.kind() == ErrorKind::Unauthorized && e.message().contains(words)),
            "{head:?}"
        );
    }
}

#[tokio::test]
async fn a_host_key_that_is_not_known_is_refused_with_the_remedy() {
    let Some(server) = git_ssh() else { return };
    let name = unique("config");
    server.create(&name);
    let dir = tempfile::tempdir().unwrap();
    let known = std::fs::read_to_string(server.known_hosts()).unwrap();
    let mut fields = known.split_whitespace();
    let (host, kind) = (fields.next().unwrap(), fields.next().unwrap());
    for (file, content, words) in [
        ("empty", String::new(), "ssh-keyscan"),
        ("other-type", format!("{host} ssh-rsa AAAA\n"), "other types only (ssh-rsa)"),
        ("changed", format!("{host} {kind} AAAA\n"), "line 1"),
    ] {
        let path = dir.path().join(file);
        std::fs::write(&path, content).unwrap();
        let credentials = ssh_credentials(&server).known_hosts(&path);
        let head = GitRepo::builder(server.url(&name)).credentials(credentials).open().unwrap().head().await;
        assert!(
            matches!(&head, Err(e) if e.kind() == ErrorKind::Untrusted && e.message().contains(words)),
            "{head:?}"
        );
    }
    let home = Credentials::none().ssh_identity(server.identity());
    let head = GitRepo::builder(server.url(&name)).credentials(home).open().unwrap().head().await;
    assert!(
        matches!(&head, Err(e) if e.kind() == ErrorKind::Untrusted && e.message().contains("SHA256:")),
        "{head:?}"
    );
}

#[tokio::test]
async fn ssh_without_a_key_that_fits_is_unauthorized() {
    let Some(server) = git_ssh() else { return };
    let name = unique("config");
    server.create(&name);
    let dir = tempfile::tempdir().unwrap();
    let strange = dir.path().join("strange");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&strange)
        .status();
    assert!(made.unwrap().success());
    for (credentials, words) in [
        (Credentials::none(), "none were given"),
        (Credentials::none().ssh_identity("/nowhere/identity"), "/nowhere/identity"),
        (Credentials::none().ssh_identity(strange), "doesn't accept the SSH key file"),
    ] {
        let credentials = credentials.known_hosts(server.known_hosts());
        let head = GitRepo::builder(server.url(&name)).credentials(credentials).open().unwrap().head().await;
        assert!(
            matches!(&head, Err(e) if e.kind() == ErrorKind::Unauthorized && e.message().contains(words)),
            "{head:?}"
        );
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_not_found() {
    for fixture in [over_http(), over_ssh()].into_iter().flatten() {
        let nowhere = (fixture.create)().with_file_name("no-such.git");
        let head = (fixture.reach)(&nowhere).open().unwrap().head().await;
        assert!(
            matches!(&head, Err(e) if e.kind() == ErrorKind::NotFound && e.message().contains("no-such.git")),
            "{head:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_not_trusted_is_distinguished() {
    let repo = GitRepo::builder("http://127.0.0.1:9/a.git").timeout(Duration::from_secs(5)).open().unwrap();
    let head = repo.head().await;
    assert!(
        matches!(&head, Err(e) if e.kind() == ErrorKind::Unavailable && e.message().contains("127.0.0.1:9")),
        "{head:?}"
    );
    assert!(head.unwrap_err().is_retryable());
}

/// A hook that refuses notes, and lets branches through.
const NO_NOTES: &str = "#!/bin/sh\nwhile read old new ref; do case $ref in refs/notes/*) echo 'no notes here' >&2; exit 1;; esac; done\n";
const NO_NOTES_BY_REF: &str = "#!/bin/sh\ncase $1 in refs/notes/*) echo 'no notes here' >&2; exit 1;; esac\n";

#[tokio::test]
async fn a_server_that_takes_no_notes_still_gets_the_branch() {
    for fixture in [over_http(), over_ssh()].into_iter().flatten() {
        for (hook, script) in [("pre-receive", NO_NOTES), ("update", NO_NOTES_BY_REF)] {
            let bare = fixture.bare(&WEB);
            bare.hook(hook, script);
            let repo = bare.open(|builder| builder);
            let base = repo.head().await.unwrap();
            let landed = repo.commit(&base, &change("image: web:2\n")).await.unwrap();
            assert_eq!(repo.head().await.unwrap(), landed);
            assert!(bare.repository().find_reference("refs/notes/flux").is_err());
        }
    }
}

/// Moves the notes' history on, as somebody else would.
fn move_notes(bare: &Bare, text: &str) {
    let repo = bare.repository();
    let hand = git2::Signature::now("Another Hand", "hand@example.com").unwrap();
    let tip = repo.refname_to_id("refs/heads/main").unwrap();
    repo.note(&hand, &hand, Some("refs/notes/flux"), tip, text, true).unwrap();
}

#[tokio::test]
async fn notes_that_are_none_do_not_hold_a_release_up() {
    let Some(fixture) = over_http() else { return };
    let bare = fixture.bare(&WEB);
    let git = bare.repository();
    git.reference("refs/notes/flux", git.blob(b"no commit").unwrap(), true, "").unwrap();
    let repo = bare.open(|builder| builder);
    let base = repo.head().await.unwrap();
    let landed = repo.commit(&base, &change("image: web:2\n")).await.unwrap();
    assert_eq!(repo.head().await.unwrap(), landed);
    let range = Range { after: Some(base), upto: landed, limit: 10 };
    assert_eq!(repo.history(&range).await.unwrap()[0].note, None);
}

#[tokio::test]
async fn notes_that_moved_meanwhile_are_kept_beside_ours() {
    for fixture in [over_http(), over_ssh()].into_iter().flatten() {
        let bare = fixture.bare(&WEB);
        let repo = bare.open(|builder| builder);
        let base = repo.head().await.unwrap();
        move_notes(&bare, "theirs");
        let first = repo.commit(&base, &change("image: web:2\n")).await.unwrap();
        let git = bare.repository();
        for (revision, text) in [(&base, "theirs"), (&first, "why")] {
            let id = git2::Oid::from_str(revision.as_str()).unwrap();
            assert_eq!(git.find_note(Some("refs/notes/flux"), id).unwrap().message().unwrap(), text);
        }
        // Begun anew, by force.
        git.find_reference("refs/notes/flux").unwrap().delete().unwrap();
        let second = repo.commit(&first, &change("image: web:3\n")).await.unwrap();
        let id = git2::Oid::from_str(second.as_str()).unwrap();
        assert_eq!(
            bare.repository().find_note(Some("refs/notes/flux"), id).unwrap().message().unwrap(),
            "why"
        );
    }
}

#[tokio::test]
async fn a_damaged_mirror_is_made_anew() {
    let Some(fixture) = over_http() else { return };
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("no objects", |repo| drop(std::fs::remove_dir_all(repo.join("objects")))),
        ("packs lost", |repo| {
            std::fs::remove_dir_all(repo.join("objects")).unwrap();
            std::fs::create_dir_all(repo.join("objects/pack")).unwrap();
        }),
        ("packs cut off", |repo| {
            for pack in std::fs::read_dir(repo.join("objects/pack")).unwrap() {
                let path = pack.unwrap().path();
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, "PACK").unwrap();
            }
        }),
        ("references cut off", |repo| {
            let refs = repo.join("refs/flux");
            let key = std::fs::read_dir(&refs).unwrap().next().unwrap().unwrap().path();
            std::fs::write(key.join("heads/main"), "").unwrap();
        }),
        ("no repository", |repo| std::fs::write(repo.join("HEAD"), "garbage").unwrap()),
    ];
    let bare = fixture.bare(&WEB);
    for (what, damage) in damages {
        for opened_before in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let mut repo = bare.open(|builder| builder.mirror(folder.path()));
            let head = repo.head().await.unwrap();
            let tree = repo.tree(&head).await.unwrap();
            damage(&folder.path().join("repo.git"));
            if !opened_before {
                repo = bare.open(|builder| builder.mirror(folder.path()));
            }
            assert_eq!(repo.head().await.unwrap(), head, "{what}");
            assert_eq!(repo.tree(&head).await.unwrap(), tree, "{what}");
            assert!(
                repo.read(std::slice::from_ref(tree.file("web.yaml").unwrap()), 100).await.is_ok(),
                "{what}"
            );
            damage(&folder.path().join("repo.git"));
            let landed = repo.commit(&head, &change(&format!("image: {what} {opened_before}\n"))).await;
            assert!(landed.is_ok(), "{what}: {landed:?}");
            damage(&folder.path().join("repo.git"));
            let strange = bare.open(|builder| builder.mirror(folder.path()));
            assert!(strange.tree(&landed.unwrap()).await.is_ok(), "{what}");
        }
    }
}

#[tokio::test]
async fn a_kept_mirror_is_read_without_asking_upstream() {
    let Some(fixture) = over_http() else { return };
    let bare = fixture.bare(&WEB);
    let folder = tempfile::tempdir().unwrap();
    let head = bare.open(|builder| builder.mirror(folder.path())).head().await.unwrap();
    std::fs::rename(&bare.path, bare.path.with_extension("gone")).unwrap();
    let later = bare.open(|builder| builder.mirror(folder.path()));
    let tree = later.tree(&head).await.unwrap();
    assert!(later.read(std::slice::from_ref(tree.file("web.yaml").unwrap()), 100).await.is_ok());
    assert!(matches!(later.head().await, Err(e) if e.kind() == ErrorKind::NotFound));
}

#[tokio::test]
async fn two_upstreams_in_one_mirror_do_not_mix() {
    let Some(fixture) = over_http() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (fixture.bare(&WEB), fixture.bare(&WEB));
    let repos = [&first, &second].map(|bare| bare.open(|builder| builder.mirror(folder.path())));
    first.write(&[("web.yaml", "image: web:2\n")], "only here");
    let heads = [repos[0].head().await.unwrap(), repos[1].head().await.unwrap()];
    assert_ne!(heads[0], heads[1]);
    for (repo, head) in repos.iter().zip(&heads) {
        let landed = repo.commit(head, &change("image: web:9\n")).await.unwrap();
        assert_eq!(repo.head().await.unwrap(), landed);
    }
}

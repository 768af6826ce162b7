//! Git servers: a push by the git command arrives, and one without rights is refused.

use std::path::Path;
use std::process::Command;

use flux_test_support::{GitServer, commit_files, git, git_http, git_http_auth, git_https, git_ssh, unique};

/// Clones `url` into a new folder, commits a file and pushes it; an error is git's own message.
fn push_to(url: &str, environment: &[(&str, &str)]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(args).current_dir(&folder).envs(environment.iter().copied());
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_GLOBAL", "/dev/null");
        let done = command.output().unwrap();
        if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
    };
    run(&["clone", "--quiet", url, "."])?;
    commit_files(folder.path(), &[("b.yaml", "b: 2\n")], "Add b");
    run(&["push", "--quiet", "origin", "main"])
}

/// Returns the commits of a served repository, newest first.
fn subjects(path: &Path) -> String {
    git(path, &["log", "--format=%s", "main"])
}

/// Creates a repository of one commit, and returns its name.
fn repository(server: &GitServer) -> String {
    let repo = unique("config");
    let path = server.create(&repo);
    commit_files(&path, &[("a.yaml", "a: 1\n")], "Add a");
    repo
}

#[test]
fn http_takes_a_push_from_anybody() {
    let Some(server) = git_http() else { return };
    let repo = repository(&server);
    push_to(&server.url(&repo), &[]).unwrap();
    assert_eq!(subjects(&server.path(&repo)), "Add b\nAdd a");
}

#[test]
fn http_with_a_password_takes_a_push_from_its_user_only() {
    let Some(server) = git_http_auth() else { return };
    let repo = repository(&server);
    let url = server.url(&repo);
    assert!(push_to(&url, &[]).is_err());
    let login = format!("http://{}:{}@", server.user(), server.password());
    push_to(&url.replacen("http://", &login, 1), &[]).unwrap();
    assert_eq!(subjects(&server.path(&repo)), "Add b\nAdd a");
}

#[test]
fn https_is_trusted_with_its_authority_only() {
    let Some(server) = git_https() else { return };
    let repo = repository(&server);
    let url = server.url(&repo);
    assert!(push_to(&url, &[]).unwrap_err().contains("certificate"));
    push_to(&url, &[("GIT_SSL_CAINFO", &server.ca().display().to_string())]).unwrap();
    assert_eq!(subjects(&server.path(&repo)), "Add b\nAdd a");
}

#[test]
fn ssh_takes_a_push_with_its_key_only() {
    let Some(server) = git_ssh() else { return };
    let repo = repository(&server);
    let url = server.url(&repo);
    let ssh = |identity: &str| {
        let hosts = server.known_hosts().display();
        format!(
            "ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o UserKnownHostsFile={hosts} -i {identity}"
        )
    };
    assert!(push_to(&url, &[("GIT_SSH_COMMAND", &ssh("/dev/null"))]).is_err());
    push_to(&url, &[("GIT_SSH_COMMAND", &ssh(&server.identity().display().to_string()))]).unwrap();
    assert_eq!(subjects(&server.path(&repo)), "Add b\nAdd a");
}

#[test]
fn files_are_committed_on_top_of_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "."]);
    let first = commit_files(folder.path(), &[("a.yaml", "a: 1\n"), ("deep/er/b.yaml", "ü")], "One");
    let second = commit_files(folder.path(), &[("a.yaml", "a: 2")], "Two\n\nwith a body");
    assert_eq!(git(folder.path(), &["rev-parse", "main~1"]), first);
    assert_eq!(git(folder.path(), &["rev-parse", "main"]), second);
    assert_eq!(git(folder.path(), &["show", "main:a.yaml"]), "a: 2");
    assert_eq!(git(folder.path(), &["show", "main:deep/er/b.yaml"]), "ü");
    assert_eq!(git(folder.path(), &["log", "-1", "--format=%B", "main"]), "Two\n\nwith a body");
}

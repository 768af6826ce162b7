//! State of a whole process: its environment, and libgit2's globals.
//!
//! Each test runs its other half in a process of its own.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use flux_core::backend::{ConfigRepo as _, ErrorKind};
use flux_git::{Credentials, GitRepo};
use flux_test_support::{git_http_auth, git_https, git_ssh, unique};

use crate::{servers::WEB, upstream::Bare};

/// The variables that give the other process the half to run, and its repository.
const HALF: &str = "FLUX_GIT_TEST_HALF";
const URL: &str = "FLUX_GIT_TEST_URL";

fn run(half: &str, url: &str, with: impl FnOnce(&mut Command)) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "surroundings::the_other_half", "--nocapture"]).env(HALF, half).env(URL, url);
    with(&mut command);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn the_other_half() {
    let (Ok(half), Ok(url)) = (std::env::var(HALF), std::env::var(URL)) else { return };
    let began = Instant::now();
    let builder = GitRepo::builder(url);
    match half.as_str() {
        "silent" => {
            let head = builder.timeout(Duration::from_millis(500)).open().unwrap().head().await;
            assert!(matches!(&head, Err(e) if e.kind() == ErrorKind::Unavailable), "{head:?}");
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        }
        "strange authority" => {
            let head = builder.open().unwrap().head().await;
            assert!(
                matches!(&head, Err(e) if e.kind() == ErrorKind::Untrusted && e.message().contains("authority")),
                "{head:?}"
            );
        }
        "agent" => {
            let known_hosts = std::env::var("KNOWN_HOSTS").unwrap();
            let credentials = Credentials::default().known_hosts(known_hosts);
            builder.credentials(credentials).open().unwrap().head().await.unwrap();
        }
        "helper" => drop(builder.open().unwrap().head().await.unwrap()),
        other => assert_eq!(other, "a half that is known"),
    }
}

#[test]
fn a_server_that_stays_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    run("silent", &format!("http://{}/a.git", listener.local_addr().unwrap()), |_| {});
}

#[test]
fn a_certificate_of_an_unknown_authority_is_not_trusted() {
    let Some(server) = git_https() else { return };
    let name = unique("config");
    server.create(&name);
    run("strange authority", &server.url(&name), |_| {});
}

#[test]
fn gits_credential_helpers_are_asked() {
    let Some(server) = git_http_auth() else { return };
    let name = unique("config");
    Bare::at(server.create(&name)).seed(&WEB);
    let home = tempfile::tempdir().unwrap();
    let helper =
        format!("!f() {{ echo username={}; echo password={}; }}; f", server.user(), server.password());
    std::fs::write(home.path().join(".gitconfig"), format!("[credential]\n\thelper = \"{helper}\"\n"))
        .unwrap();
    run("helper", &server.url(&name), |command| {
        command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME");
    });
}

/// A process that is ended with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn agent_with(key: &Path, socket: &Path) -> Agent {
    let agent = Command::new("ssh-agent").args(["-D", "-a"]).arg(socket).stdout(Stdio::null()).spawn();
    let agent = Agent(agent.unwrap());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !socket.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", socket).status();
    assert!(added.unwrap().success());
    agent
}

#[test]
fn the_ssh_agent_is_asked() {
    let Some(server) = git_ssh() else { return };
    let name = unique("config");
    Bare::at(server.create(&name)).seed(&WEB);
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("agent");
    let _agent = agent_with(server.identity(), &socket);
    run("agent", &server.url(&name), |command| {
        command.env("SSH_AUTH_SOCK", &socket).env("KNOWN_HOSTS", server.known_hosts());
    });
}

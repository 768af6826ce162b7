//! A git server over SSH: a private sshd that accepts one key for the user who runs the tests.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::git::GitServer;
use crate::process::{Server, attempts, free_ports, output, wait_until_ready};
use crate::run::{Run, installed, make_dir, write};

const READY: Duration = Duration::from_secs(20);

pub(crate) fn start(run: &Run, dir: &Path) -> Result<GitServer> {
    let (root, identity, host_key) = (dir.join("data"), dir.join("identity"), dir.join("host_key"));
    make_dir(&root)?;
    generate(&identity)?;
    generate(&host_key)?;
    let authorized = dir.join("identity.pub");
    let host_public =
        std::fs::read_to_string(dir.join("host_key.pub")).map_err(Failure::at("read", &host_key))?;
    let user = output(Command::new("id").arg("-un"))?.trim().to_owned();
    // The folder of a distribution's sshd for privilege separation; only root needs it, and only
    // root can create it.
    let _ = std::fs::create_dir_all("/run/sshd");

    attempts(|| {
        let [port] = free_ports()?;
        let config = dir.join("sshd_config");
        let lines = format!(
            "ListenAddress 127.0.0.1\n\
             Port {port}\n\
             HostKey {}\n\
             AuthorizedKeysFile {}\n\
             PidFile none\n\
             StrictModes no\n\
             UsePAM {}\n\
             PasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n\
             MaxStartups 200\n\
             MaxSessions 200\n\
             SetEnv GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null\n",
            host_key.display(),
            authorized.display(),
            if is_locked(&user) { "yes" } else { "no" },
        );
        let sshd = installed("sshd", "openssh-server")?;
        // Newer servers delay clients that fail to log in, which tests do on purpose; older ones do
        // not know the option.
        write(&config, format!("{lines}PerSourcePenalties no\n"))?;
        if output(Command::new(&sshd).arg("-t").arg("-f").arg(&config)).is_err() {
            write(&config, lines)?;
        }
        let mut command = Command::new(sshd);
        command.arg("-D").arg("-e").arg("-f").arg(&config);
        let mut servers = [Server::start(run, dir, "sshd", &mut command)?];
        wait_until_ready(&mut servers, READY, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        let [server] = servers;
        let log = server.log().to_path_buf();
        server.keep();
        let known_hosts = dir.join("known_hosts");
        write(&known_hosts, format!("[127.0.0.1]:{port} {host_public}"))?;
        Ok(GitServer {
            base: format!("ssh://{user}@127.0.0.1:{port}{}", root.display()),
            root: root.clone(),
            log,
            user: Some(user.clone()),
            password: None,
            ca: None,
            identity: Some(identity.clone()),
            known_hosts: Some(known_hosts),
        })
    })
}

/// Returns `true` if the account has no password to log in with.
///
/// sshd then refuses the account, even with its key, unless PAM is used.
fn is_locked(user: &str) -> bool {
    // Only root may read this, and only root's account is likely to be locked.
    std::fs::read_to_string("/etc/shadow")
        .is_ok_and(|shadow| shadow.lines().any(|line| line.starts_with(&format!("{user}:!"))))
}

fn generate(key: &Path) -> Result<()> {
    // A process that died while it started the server may have left a key, and ssh-keygen would
    // ask.
    let _ = std::fs::remove_file(key);
    output(
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "flux-tests", "-f"]).arg(key),
    )
    .map(drop)
}

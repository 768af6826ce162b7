//! A git server over SSH: a private sshd that takes one key for the user who runs the tests.

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
    // Where sshd of a distribution keeps its privileges apart; only root needs it, and only root can make it.
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
             UsePAM no\n\
             PasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\n\
             MaxStartups 200\n\
             MaxSessions 200\n\
             SetEnv GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null\n",
            host_key.display(),
            authorized.display()
        );
        let sshd = installed("sshd", "openssh-server")?;
        // Newer servers put off who fails to log in, which tests do on purpose; older ones do not know the word.
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

fn generate(key: &Path) -> Result<()> {
    // A starter that died before may have left one, and ssh-keygen would ask.
    let _ = std::fs::remove_file(key);
    output(
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "flux-tests", "-f"]).arg(key),
    )
    .map(drop)
}

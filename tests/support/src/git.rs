//! Git servers over HTTP, and the git command for the tests themselves.
//!
//! The servers are lighttpd in front of `git http-backend`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result, must};
use crate::process::{Server, attempts, free_ports, output, output_with, wait_until_ready};
use crate::run::{Run, installed, make_dir, write};
use crate::tls;

const READY: Duration = Duration::from_secs(20);
const USER: &str = "flux";
const PASSWORD: &str = "git-password";

/// A server of git repositories on a loopback port.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GitServer {
    /// The part of a URL before `/NAME.git`.
    pub(crate) base: String,
    /// The folder of the bare repositories.
    pub(crate) root: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) identity: Option<PathBuf>,
    pub(crate) known_hosts: Option<PathBuf>,
}

impl GitServer {
    /// Returns the URL of a repository.
    ///
    /// It is `http://127.0.0.1:PORT/NAME.git`, `ssh://USER@127.0.0.1:PORT/path/NAME.git`, and so
    /// on. It never contains a password.
    pub fn url(&self, repo: &str) -> String {
        format!("{}/{repo}.git", self.base)
    }

    /// Returns the path of the bare repository behind the URL.
    pub fn path(&self, repo: &str) -> PathBuf {
        self.root.join(format!("{repo}.git"))
    }

    /// Creates a bare repository that accepts pushes, and returns its path.
    ///
    /// Its branch is `main` and it has no commit yet.
    #[track_caller]
    pub fn create(&self, repo: &str) -> PathBuf {
        let path = self.path(repo);
        git(&self.root, &["init", "--quiet", "--bare", "--initial-branch=main", &path.display().to_string()]);
        git(&path, &["config", "http.receivepack", "true"]);
        path
    }

    /// Returns the path of the server's log, or of its error log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Returns the user name for a server that requires one.
    #[track_caller]
    pub fn user(&self) -> &str {
        must(self.user.as_deref().ok_or_else(|| self.without("user")))
    }

    /// Returns the password for a server that requires one.
    #[track_caller]
    pub fn password(&self) -> &str {
        must(self.password.as_deref().ok_or_else(|| self.without("password")))
    }

    /// Returns the certificate (PEM) of the authority that issued the server's own.
    #[track_caller]
    pub fn ca(&self) -> &Path {
        must(self.ca.as_deref().ok_or_else(|| self.without("certificate authority")))
    }

    /// Returns the private key that an SSH server accepts (OpenSSH form, ed25519, no passphrase).
    #[track_caller]
    pub fn identity(&self) -> &Path {
        must(self.identity.as_deref().ok_or_else(|| self.without("key")))
    }

    /// Returns the known-hosts file with an SSH server's host key.
    #[track_caller]
    pub fn known_hosts(&self) -> &Path {
        must(self.known_hosts.as_deref().ok_or_else(|| self.without("host key")))
    }

    fn without(&self, what: &str) -> Failure {
        Failure(format!("the git server {} has no {what}", self.base))
    }
}

/// Runs git in `dir`, and returns its output without the last line's end.
///
/// It reads no configuration but the repository's own.
#[track_caller]
pub fn git(dir: &Path, args: &[&str]) -> String {
    must(output(hermetic(dir).args(args))).trim_end().to_owned()
}

/// Commits files (path and content) on the branch that `HEAD` names, and returns the commit's id.
///
/// The branch may have no commit yet. The repository is bare, or its working tree is left as it is.
#[track_caller]
pub fn commit_files(repo: &Path, files: &[(&str, &str)], message: &str) -> String {
    let branch = git(repo, &["symbolic-ref", "HEAD"]);
    let tip = git(repo, &["for-each-ref", "--format=%(objectname)", &branch]);
    let mut stream =
        format!("commit {branch}\ncommitter {NAME} <{EMAIL}> now\ndata {}\n{message}\n", message.len());
    // Writing to a string does not fail.
    if !tip.is_empty() {
        let _ = writeln!(stream, "from {tip}");
    }
    for (path, content) in files {
        let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{content}\n", content.len());
    }
    let import = ["fast-import", "--quiet", "--date-format=now"];
    must(output_with(hermetic(repo).args(import), stream.as_bytes()));
    git(repo, &["rev-parse", &branch])
}

const NAME: &str = "A Tester";
const EMAIL: &str = "tester@example.com";

fn hermetic(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    command.env("GIT_AUTHOR_NAME", NAME).env("GIT_AUTHOR_EMAIL", EMAIL);
    command.env("GIT_COMMITTER_NAME", NAME).env("GIT_COMMITTER_EMAIL", EMAIL);
    // Variables that a surrounding hook or rebase has set would lead to another repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(variable);
    }
    command
}

pub(crate) fn start_http(run: &Run, dir: &Path) -> Result<GitServer> {
    attempts(|| start(run, dir, "http", "", |server| server))
}

pub(crate) fn start_http_auth(run: &Run, dir: &Path) -> Result<GitServer> {
    let passwords = dir.join("passwords");
    write(&passwords, format!("{USER}:{PASSWORD}\n"))?;
    let config = format!(
        "server.modules += (\"mod_auth\", \"mod_authn_file\")\n\
         auth.backend = \"plain\"\n\
         auth.backend.plain.userfile = {passwords:?}\n\
         auth.require = (\"/\" => (\"method\" => \"basic\", \"realm\" => \"git\", \"require\" => \"valid-user\"))\n"
    );
    let login = |server| GitServer { user: Some(USER.into()), password: Some(PASSWORD.into()), ..server };
    attempts(|| start(run, dir, "http", &config, login))
}

pub(crate) fn start_https(run: &Run, dir: &Path) -> Result<GitServer> {
    let made = tls::certificates(&dir.join("keys"))?;
    let config = format!(
        "server.modules += (\"mod_openssl\")\n\
         ssl.engine = \"enable\"\n\
         ssl.pemfile = {:?}\n\
         ssl.privkey = {:?}\n",
        made.certificate, made.key
    );
    attempts(|| start(run, dir, "https", &config, |server| GitServer { ca: Some(made.ca.clone()), ..server }))
}

fn start(
    run: &Run,
    dir: &Path,
    scheme: &str,
    more: &str,
    with: impl Fn(GitServer) -> GitServer,
) -> Result<GitServer> {
    let (root, uploads) = (dir.join("data"), dir.join("uploads"));
    make_dir(&root)?;
    make_dir(&uploads)?;
    let backend = Path::new(output(hermetic(dir).arg("--exec-path"))?.trim()).join("git-http-backend");
    let [port] = free_ports()?;
    let config = dir.join("lighttpd.conf");
    write(
        &config,
        format!(
            "server.document-root = {root:?}\n\
             server.bind = \"127.0.0.1\"\n\
             server.port = {port}\n\
             server.upload-dirs = ({uploads:?})\n\
             server.modules = (\"mod_setenv\", \"mod_alias\", \"mod_cgi\")\n\
             setenv.set-environment = (\"GIT_PROJECT_ROOT\" => {root:?}, \"GIT_HTTP_EXPORT_ALL\" => \"1\", \
             \"GIT_CONFIG_NOSYSTEM\" => \"1\", \"GIT_CONFIG_GLOBAL\" => \"/dev/null\")\n\
             alias.url = (\"/\" => \"{}/\")\n\
             cgi.assign = (\"\" => \"\")\n\
             {more}",
            backend.display()
        ),
    )?;
    let mut command = Command::new(installed("lighttpd", "lighttpd")?);
    command.arg("-D").arg("-f").arg(&config);
    let mut servers = [Server::start(run, dir, "lighttpd", &mut command)?];
    // It listens when it is ready to answer.
    wait_until_ready(&mut servers, READY, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    let [server] = servers;
    let log = server.log().to_path_buf();
    server.keep();
    Ok(with(GitServer {
        base: format!("{scheme}://127.0.0.1:{port}"),
        root,
        log,
        user: None,
        password: None,
        ca: None,
        identity: None,
        known_hosts: None,
    }))
}

//! The distribution registry with three kinds of authentication.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::artifact::{self, Artifact};
use crate::failure::{Failure, Result, must};
use crate::http::http;
use crate::image::{Image, Repository, push};
use crate::process::{Server, attempts, free_ports, wait_until_ready};
use crate::run::{Run, write};
use crate::tls;

const READY: Duration = Duration::from_secs(20);
const USER: &str = "flux";
const PASSWORD: &str = "registry-password";
/// The line of htpasswd for the two above: bcrypt, the only hash that the registry takes.
const HTPASSWD: &str = "flux:$2y$05$fluxtestsregistrysalt.Xsa9VacWupnTTX.QYXn1WzjDbMq/4m.\n";
const SERVICE: &str = "flux-tests";

/// A registry on a loopback port, over plain HTTP.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegistryServer {
    host: String,
    auth: Auth,
    log: PathBuf,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Auth {
    Nobody,
    Basic,
    /// Bearer tokens, with the URL of the token server.
    Token(String),
}

impl RegistryServer {
    /// Returns `127.0.0.1:PORT`, the first part of the names of its images.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the name of its one user, for a registry that requires one.
    pub fn user(&self) -> &str {
        USER
    }

    /// Returns the user's password.
    pub fn password(&self) -> &str {
        PASSWORD
    }

    /// Returns the path of its log.
    ///
    /// The log has a line for each request: `… "GET /v2/NAME/tags/list HTTP/1.1" 200 …`. The
    /// requests of all tests of a run are in it, so a test looks for the names of its own
    /// repositories.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Pushes an image of schema OCI, and returns its digest.
    ///
    /// The digest is of a manifest for one platform, of an index for several. `created` is RFC
    /// 3339, or empty for an image without a date; `platforms` are of the form `os/arch` or
    /// `os/arch/variant`, and none means `linux/amd64`.
    #[track_caller]
    pub fn push_image(
        &self,
        name: &str,
        tag: &str,
        created: &str,
        labels: &[(&str, &str)],
        platforms: &[&str],
    ) -> String {
        self.push(&Image::new(name, tag).created(created).labels(labels).platforms(platforms))
    }

    /// Pushes an image, and returns its digest.
    #[track_caller]
    pub fn push(&self, image: &Image) -> String {
        must(self.authorization(&image.name).and_then(|header| push(&self.host, header.as_deref(), image)))
    }

    /// Pushes an artifact, as the tool does that makes such ones, and returns its digest.
    #[track_caller]
    pub fn push_artifact(&self, name: &str, tag: &str, artifact: Artifact<'_>) -> String {
        must(self.authorization(name).and_then(|header| {
            artifact::push(&Repository::new(&self.host, name, header.as_deref()), tag, artifact)
        }))
    }

    /// Returns the `Authorization` header that lets its user read and write `name`.
    fn authorization(&self, name: &str) -> Result<Option<String>> {
        match &self.auth {
            Auth::Nobody => Ok(None),
            Auth::Basic => Ok(Some(basic())),
            Auth::Token(realm) => {
                let url = format!("{realm}?service={SERVICE}&scope=repository:{name}:pull,push");
                let asked = http().get(&url).header("Authorization", basic()).call();
                let answer = asked
                    .and_then(|mut answer| answer.body_mut().read_to_string())
                    .map_err(Failure::of(&format!("get a token from {realm}")))?;
                let answer: TokenAnswer =
                    serde_json::from_str(&answer).map_err(Failure::of("understand the token server"))?;
                Ok(Some(format!("Bearer {}", answer.token)))
            }
        }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: String,
}

/// Pushes an image to a registry that lets anybody write; see [`RegistryServer::push_image`].
#[track_caller]
pub fn push_image(
    host: &str,
    name: &str,
    tag: &str,
    created: &str,
    labels: &[(&str, &str)],
    platforms: &[&str],
) -> String {
    must(push(host, None, &Image::new(name, tag).created(created).labels(labels).platforms(platforms)))
}

fn basic() -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

pub(crate) fn start_open(run: &Run, dir: &Path) -> Result<RegistryServer> {
    attempts(|| {
        let [port] = free_ports()?;
        start(run, dir, port, Auth::Nobody, "", Vec::new())
    })
}

pub(crate) fn start_basic(run: &Run, dir: &Path) -> Result<RegistryServer> {
    let passwords = dir.join("htpasswd");
    write(&passwords, HTPASSWD)?;
    let auth = format!("auth: {{htpasswd: {{realm: flux-tests, path: {passwords:?}}}}}\n");
    attempts(|| {
        let [port] = free_ports()?;
        start(run, dir, port, Auth::Basic, &auth, Vec::new())
    })
}

pub(crate) fn start_token(run: &Run, dir: &Path) -> Result<RegistryServer> {
    let made = tls::certificates(&dir.join("keys"))?;
    attempts(|| {
        let [port, tokens] = free_ports()?;
        let realm = format!("http://127.0.0.1:{tokens}/token");
        let auth = format!(
            "auth: {{token: {{realm: {realm:?}, service: {SERVICE}, issuer: flux-tests, rootcertbundle: {:?}}}}}\n",
            made.certificate
        );
        let mut command = Command::new(run.built("tokens")?);
        command.arg("-listen").arg(format!("127.0.0.1:{tokens}")).arg("-issuer").arg("flux-tests");
        command.arg("-certificate").arg(&made.certificate).arg("-key").arg(&made.key);
        command.env("TOKENS_USER", USER).env("TOKENS_PASSWORD", PASSWORD);
        let token_server = Server::start(run, dir, "tokens", &mut command)?;
        start(run, dir, port, Auth::Token(realm), &auth, vec![token_server])
    })
}

fn start(
    run: &Run,
    dir: &Path,
    port: u16,
    auth: Auth,
    auth_config: &str,
    mut servers: Vec<Server>,
) -> Result<RegistryServer> {
    let host = format!("127.0.0.1:{port}");
    let config = dir.join("config.yml");
    let data = dir.join("data");
    write(
        &config,
        format!(
            "version: 0.1\n\
             log: {{level: info, formatter: text}}\n\
             storage: {{filesystem: {{rootdirectory: {data:?}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: {host:?}, secret: flux-tests, relativeurls: true}}\n\
             {auth_config}"
        ),
    )?;
    let mut command = Command::new(run.built("registry")?);
    command.arg("serve").arg(&config).env("OTEL_TRACES_EXPORTER", "none");
    let server = Server::start(run, dir, "registry", &mut command)?;
    let log = server.log().to_path_buf();
    servers.push(server);

    let front = format!("http://{host}/v2/");
    let token = match &auth {
        Auth::Token(realm) => Some(realm.clone()),
        Auth::Nobody | Auth::Basic => None,
    };
    let http = http();
    // Any answer will do: a registry with authentication answers 401.
    let answers = |url: &str| http.get(url).call().is_ok();
    wait_until_ready(&mut servers, READY, || answers(&front) && token.as_deref().is_none_or(answers))?;
    servers.into_iter().for_each(Server::keep);
    Ok(RegistryServer { host, auth, log })
}

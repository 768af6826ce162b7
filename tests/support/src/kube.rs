//! A Kubernetes cluster with real servers and simulated kubelets.
//!
//! etcd, API server, controller manager and scheduler are the real ones; kwok stands in for the
//! kubelets.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::failure::{Failure, Result, must};
use crate::process::{Server, attempts, free_ports, output, output_with, wait_until_ready};
use crate::run::{Run, make_dir, write};
use crate::tls;
use crate::unique::unique;

const READY: Duration = Duration::from_secs(60);
const ADMIN_TOKEN: &str = "flux-tests-admin-token";
const RESTRICTED_USER: &str = "restricted";
const RESTRICTED_TOKEN: &str = "flux-tests-restricted-token";
mod control_plane;

pub use control_plane::ControlPlane;

const STAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../servers/stages.yaml");

/// A Kubernetes cluster on loopback ports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KubeServer {
    url: String,
    ca: PathBuf,
    kubeconfig: PathBuf,
    restricted_kubeconfig: PathBuf,
    kubectl: PathBuf,
    log: PathBuf,
}

impl KubeServer {
    /// Returns the URL of the API server, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the certificate (PEM) of the authority that issued the API server's own.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// Returns the kubeconfig file of a user who may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Returns the bearer token of the user who may do everything.
    pub fn token(&self) -> &str {
        ADMIN_TOKEN
    }

    /// Returns the name of a user (`kind: User`) who has no rights without a role binding.
    pub fn restricted_user(&self) -> &str {
        RESTRICTED_USER
    }

    /// Returns the bearer token of the restricted user.
    pub fn restricted_token(&self) -> &str {
        RESTRICTED_TOKEN
    }

    /// Returns the kubeconfig file of the restricted user.
    pub fn restricted_kubeconfig(&self) -> &Path {
        &self.restricted_kubeconfig
    }

    /// Returns the path of the API server's log; those of the other servers are in the same folder.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Creates a namespace with a unique name, and returns the name.
    #[track_caller]
    pub fn namespace(&self, prefix: &str) -> String {
        let name = unique(prefix);
        self.kubectl(&["create", "namespace", &name]);
        name
    }

    /// Runs kubectl as the user who may do everything, and returns its output.
    ///
    /// # Panics
    /// kubectl's exit code was not 0.
    #[track_caller]
    pub fn kubectl(&self, args: &[&str]) -> String {
        must(output(self.command().args(args)))
    }

    /// Runs kubectl like [`KubeServer::kubectl`], but returns a failure with kubectl's output.
    ///
    /// # Errors
    /// kubectl's exit code was not 0.
    pub fn try_kubectl(&self, args: &[&str]) -> std::result::Result<String, String> {
        output(self.command().args(args)).map_err(|failure| failure.to_string())
    }

    /// Runs kubectl with `input` on its standard input: `&["apply", "-f", "-"]`.
    #[track_caller]
    pub fn kubectl_with(&self, args: &[&str], input: &str) -> String {
        must(output_with(self.command().args(args), input.as_bytes()))
    }

    /// Runs `kubectl edit` with an editor that changes the YAML by a script of sed.
    ///
    /// # Panics
    /// kubectl's exit code was not 0.
    #[track_caller]
    pub fn kubectl_edit(&self, args: &[&str], script: &str) {
        let editor = format!("sed -i '{script}'");
        must(output(self.command().args(args).env("KUBE_EDITOR", editor)));
    }

    /// Returns the API server's metrics in Prometheus' text form, with `apiserver_request_total`.
    #[track_caller]
    pub fn metrics(&self) -> String {
        self.kubectl(&["get", "--raw", "/metrics"])
    }

    /// Returns the folder of the kubectl program.
    pub fn kubectl_folder(&self) -> &Path {
        self.kubectl.parent().unwrap_or(Path::new(""))
    }

    fn command(&self) -> Command {
        kubectl(&self.kubectl, &self.kubeconfig)
    }
}

fn kubectl(program: &Path, kubeconfig: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--kubeconfig").arg(kubeconfig);
    if let Some(dir) = kubeconfig.parent() {
        command.arg("--cache-dir").arg(dir.join("kubectl-cache"));
    }
    command
}

pub(crate) fn start(run: &Run, dir: &Path) -> Result<KubeServer> {
    let keys = dir.join("keys");
    let made = make_keys(&keys)?;
    attempts(|| start_on_free_ports(run, dir, &keys, &made))
}

fn start_on_free_ports(run: &Run, dir: &Path, keys: &Path, made: &tls::Certificates) -> Result<KubeServer> {
    let [etcd_port, peer_port, api_port] = free_ports()?;
    let server = described(run, dir, made, api_port)?;
    let etcd = format!("http://127.0.0.1:{etcd_port}");
    let mut servers = vec![start_etcd(run, dir, &etcd, peer_port)?];
    servers.push(start_api(run, dir, keys, made, &etcd, api_port, &[])?);
    let answers = |args: &[&str]| output(kubectl(&server.kubectl, &server.kubeconfig).args(args));
    wait_until_ready(&mut servers, READY, || answers(&["get", "--raw", "/readyz"]).is_ok())?;

    let mut command = Command::new(run.built("kube-controller-manager")?);
    command.arg("--kubeconfig").arg(&server.kubeconfig);
    command.arg("--service-account-private-key-file").arg(keys.join("sa.key"));
    command.args(["--bind-address", "127.0.0.1", "--secure-port", "0", "--leader-elect=false"]);
    command.args(["--kube-api-qps", "500", "--kube-api-burst", "500"]);
    servers.push(Server::start(run, dir, "kube-controller-manager", &mut command)?);

    let mut command = Command::new(run.built("kube-scheduler")?);
    command.arg("--kubeconfig").arg(&server.kubeconfig);
    command.args(["--bind-address", "127.0.0.1", "--secure-port", "0", "--leader-elect=false"]);
    servers.push(Server::start(run, dir, "kube-scheduler", &mut command)?);

    let mut command = Command::new(run.built("kwok")?);
    command.arg("--kubeconfig").arg(&server.kubeconfig).args(["--config", STAGES]);
    // Without leases the node is taken for dead after a while, and nothing is scheduled any more.
    command.args(["--manage-all-nodes", "--node-lease-duration-seconds", "40"]);
    servers.push(Server::start(run, dir, "kwok", &mut command)?);

    output_with(kubectl(&server.kubectl, &server.kubeconfig).args(["create", "-f", "-"]), node().as_bytes())?;
    let ready = r#"-o=jsonpath={.status.conditions[?(@.type=="Ready")].status} {.spec.taints}"#;
    wait_until_ready(&mut servers, READY, || {
        answers(&["get", "node", "node", ready]).is_ok_and(|status| status.trim() == "True")
    })?;
    // The controllers create this service account, and some objects need it.
    wait_until_ready(&mut servers, READY, || answers(&["get", "serviceaccount", "default"]).is_ok())?;
    servers.into_iter().for_each(Server::keep);
    Ok(server)
}

/// Returns how an API server on a port is reached.
fn described(run: &Run, dir: &Path, made: &tls::Certificates, api_port: u16) -> Result<KubeServer> {
    let url = format!("https://127.0.0.1:{api_port}");
    Ok(KubeServer {
        ca: made.ca.clone(),
        kubeconfig: kubeconfig(dir, "kubeconfig", &url, &made.ca, ADMIN_TOKEN)?,
        restricted_kubeconfig: kubeconfig(dir, "restricted.kubeconfig", &url, &made.ca, RESTRICTED_TOKEN)?,
        url,
        kubectl: run.built("kubectl")?,
        log: dir.join("kube-apiserver.log"),
    })
}

/// Makes the keys, certificates and tokens of a control plane in a folder.
fn make_keys(keys: &Path) -> Result<tls::Certificates> {
    let made = tls::certificates(keys)?;
    tls::private_key(keys, "sa.key")?;
    tls::public_key(keys, "sa.key", "sa.pub")?;
    write(
        &keys.join("tokens.csv"),
        format!(
            "{ADMIN_TOKEN},admin,1,\"system:masters\"\n\
             {RESTRICTED_TOKEN},{RESTRICTED_USER},2\n"
        ),
    )?;
    Ok(made)
}

/// Starts an etcd without data.
fn start_etcd(run: &Run, dir: &Path, etcd: &str, peer_port: u16) -> Result<Server> {
    let peer = format!("http://127.0.0.1:{peer_port}");
    let data = dir.join("data");
    // An earlier attempt may have left data.
    let _ = std::fs::remove_dir_all(&data);
    make_dir(&data)?;
    let mut command = Command::new(run.built("etcd")?);
    command.arg("--data-dir").arg(data.join("etcd"));
    command.args(["--listen-client-urls", etcd, "--advertise-client-urls", etcd]);
    command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    command.args(["--initial-cluster", &format!("default={peer}")]);
    command.args(["--unsafe-no-fsync", "--log-level", "error"]);
    Server::start(run, dir, "etcd", &mut command)
}

fn start_api(
    run: &Run,
    dir: &Path,
    keys: &Path,
    made: &tls::Certificates,
    etcd: &str,
    api_port: u16,
    more: &[String],
) -> Result<Server> {
    let mut command = Command::new(run.built("kube-apiserver")?);
    command.args(["--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"]);
    command.args(["--secure-port", &api_port.to_string(), "--endpoint-reconciler-type", "none"]);
    command.arg("--cert-dir").arg(keys);
    command.arg("--tls-cert-file").arg(&made.certificate).arg("--tls-private-key-file").arg(&made.key);
    command.arg("--service-account-key-file").arg(keys.join("sa.pub"));
    command.arg("--service-account-signing-key-file").arg(keys.join("sa.key"));
    command.args(["--service-account-issuer", "https://kubernetes.default.svc"]);
    command.arg("--token-auth-file").arg(keys.join("tokens.csv")).args(["--authorization-mode", "RBAC"]);
    command.args(["--service-cluster-ip-range", "10.0.0.0/16"]);
    command.args(["--disable-admission-plugins", "ServiceAccount"]);
    command.args(["--allow-privileged", "--profiling=false"]).args(more);
    Server::start(run, dir, "kube-apiserver", &mut command)
}

fn node() -> String {
    let room = json!({ "cpu": "1000", "memory": "1Ti", "pods": "100000" });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "node",
            "annotations": { "kwok.x-k8s.io/node": "fake" },
            "labels": { "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": "node" },
        },
        "status": { "capacity": room, "allocatable": room },
    })
    .to_string()
}

/// Writes a kubeconfig file (JSON is YAML) with one context, `flux-tests`.
fn kubeconfig(dir: &Path, name: &str, url: &str, ca: &Path, token: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    let named = "flux-tests";
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": named, "cluster": { "server": url, "certificate-authority": ca } }],
        "users": [{ "name": named, "user": { "token": token } }],
        "contexts": [{ "name": named, "context": { "cluster": named, "user": named } }],
        "current-context": named,
    });
    let text = serde_json::to_string_pretty(&config).map_err(Failure::of("write a kubeconfig"))?;
    write(&path, text)?;
    Ok(path)
}

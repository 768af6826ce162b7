//! An etcd and an API server of one test alone, which can be stopped and started again.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{KubeServer, READY, RESTRICTED_USER, described, kubectl, make_keys, start_api, start_etcd};
use crate::failure::{Failure, Result, must};
use crate::process::{Server, attempts, free_ports, output, wait_until_ready};
use crate::run::{Run, make_dir, skipped, write};
use crate::tls;
use crate::{real, unique};

/// The requests of the restricted user, each once: a watch when it starts, all else when it is
/// answered.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, users: [restricted]}
- {level: None}
";

/// An etcd and an API server, without controllers unless they are asked for; all end with the
/// value.
#[derive(Debug)]
pub struct ControlPlane {
    server: KubeServer,
    run: Run,
    dir: PathBuf,
    keys: PathBuf,
    certificates: tls::Certificates,
    etcd_url: String,
    api_port: u16,
    etcd: Server,
    api: Option<Server>,
    audit: Vec<String>,
    controllers: Option<Server>,
}

impl ControlPlane {
    /// Starts both, and waits until they are ready; `None`, after saying so, where real servers are
    /// not required.
    ///
    /// # Panics
    /// They are required and cannot be started.
    #[track_caller]
    pub fn start() -> Option<Self> {
        Self::start_if_real(false)
    }

    /// Starts both like [`ControlPlane::start`], with a log of the requests of the restricted user,
    /// who here may do everything.
    ///
    /// # Panics
    /// They are required and cannot be started.
    #[track_caller]
    pub fn start_audited() -> Option<Self> {
        let plane = Self::start_if_real(true)?;
        let (role, user) = ("--clusterrole=cluster-admin", format!("--user={RESTRICTED_USER}"));
        plane.server.kubectl(&["create", "clusterrolebinding", "audited", role, &user]);
        Some(plane)
    }

    #[track_caller]
    fn start_if_real(audited: bool) -> Option<Self> {
        if !real() {
            skipped("kube-apiserver");
            return None;
        }
        Some(must(Run::from_env().and_then(|run| Self::started(run, audited))))
    }

    fn started(run: Run, audited: bool) -> Result<Self> {
        let dir = run.folder(&unique("control-plane"));
        make_dir(&dir)?;
        let audit = if audited { audit_flags(&dir)? } else { Vec::new() };
        let keys = dir.join("keys");
        let certificates = make_keys(&keys)?;
        let (server, etcd_url, api_port, etcd, api) = attempts(|| {
            let [etcd_port, peer_port, api_port] = free_ports()?;
            let etcd_url = format!("http://127.0.0.1:{etcd_port}");
            let server = described(&run, &dir, &certificates, api_port)?;
            let etcd = start_etcd(&run, &dir, &etcd_url, peer_port)?;
            let api = start_api(&run, &dir, &keys, &certificates, &etcd_url, api_port, &audit)?;
            let mut servers = [etcd, api];
            ready(&server, &mut servers)?;
            let [etcd, api] = servers;
            Ok((server, etcd_url, api_port, etcd, api))
        })?;
        let (api, controllers) = (Some(api), None);
        Ok(Self { server, run, dir, keys, certificates, etcd_url, api_port, etcd, api, audit, controllers })
    }

    /// Returns how the API server is reached, whether or not it runs.
    pub fn server(&self) -> &KubeServer {
        &self.server
    }

    /// Ends the API server with SIGKILL.
    pub fn kill_api(&mut self) {
        self.api = None;
    }

    /// Starts the API server again on the same port, and waits until it is ready.
    ///
    /// # Panics
    /// It cannot be started.
    #[track_caller]
    pub fn restart_api(&mut self) {
        self.api = None;
        let api = start_api(
            &self.run,
            &self.dir,
            &self.keys,
            &self.certificates,
            &self.etcd_url,
            self.api_port,
            &self.audit,
        );
        let mut servers = [must(api)];
        must(ready(&self.server, &mut servers));
        let [api] = servers;
        self.api = Some(api);
    }

    /// Returns the path of the log of requests, in JSON lines, of [`ControlPlane::start_audited`].
    pub fn audit_log(&self) -> PathBuf {
        audit_log(&self.dir)
    }

    /// Starts some controllers of the controller manager, by their names.
    ///
    /// # Panics
    /// They cannot be started.
    #[track_caller]
    pub fn start_controllers(&mut self, names: &[&str]) {
        self.controllers = Some(must(self.controllers(names)));
    }

    fn controllers(&self, names: &[&str]) -> Result<Server> {
        let mut command = Command::new(self.run.built("kube-controller-manager")?);
        command.arg("--kubeconfig").arg(&self.server.kubeconfig);
        command.arg("--controllers").arg(names.join(","));
        command.args(["--bind-address", "127.0.0.1", "--secure-port", "0", "--leader-elect=false"]);
        command.args(["--kube-api-qps", "500", "--kube-api-burst", "1000"]);
        Server::start(&self.run, &self.dir, "kube-controller-manager", &mut command)
    }

    /// Stops etcd where it stands (SIGSTOP): it answers nothing, and its connections stay open.
    #[track_caller]
    pub fn pause_etcd(&self) {
        must(self.etcd.signal("STOP"));
    }

    /// Lets etcd go on (SIGCONT).
    #[track_caller]
    pub fn resume_etcd(&self) {
        must(self.etcd.signal("CONT"));
    }
}

fn audit_log(dir: &Path) -> PathBuf {
    dir.join("audit.jsonl")
}

/// Writes the policy of a log of requests, and returns the flags of the API server for it.
fn audit_flags(dir: &Path) -> Result<Vec<String>> {
    let policy = dir.join("audit-policy.yaml");
    write(&policy, AUDIT_POLICY)?;
    let log = audit_log(dir);
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| not_text(path));
    Ok(vec![format!("--audit-policy-file={}", text(&policy)?), format!("--audit-log-path={}", text(&log)?)])
}

fn not_text(path: &Path) -> Failure {
    Failure(format!("the path {} is not UTF-8", path.display()))
}

fn ready(server: &KubeServer, servers: &mut [Server]) -> Result<()> {
    let answers = |args: &[&str]| output(kubectl(&server.kubectl, &server.kubeconfig).args(args)).is_ok();
    wait_until_ready(servers, READY, || answers(&["get", "--raw", "/readyz"]))?;
    wait_until_ready(servers, READY, || answers(&["get", "namespace", "default"]))
}

//! An etcd and an API server of one test alone, which can be stopped and started again.

use std::path::PathBuf;

use super::{KubeServer, READY, described, kubectl, make_keys, start_api, start_etcd};
use crate::failure::{Result, must};
use crate::process::{Server, attempts, free_ports, output, wait_until_ready};
use crate::run::{Run, make_dir, skipped};
use crate::tls;
use crate::{real, unique};

/// An etcd and an API server, without controllers; both end with the value.
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
}

impl ControlPlane {
    /// Starts both, and waits until they are ready; `None`, after saying so, where real servers are
    /// not required.
    ///
    /// # Panics
    /// They are required and cannot be started.
    #[track_caller]
    pub fn start() -> Option<Self> {
        if !real() {
            skipped("kube-apiserver");
            return None;
        }
        Some(must(Run::from_env().and_then(Self::started)))
    }

    fn started(run: Run) -> Result<Self> {
        let dir = run.folder(&unique("control-plane"));
        make_dir(&dir)?;
        let keys = dir.join("keys");
        let certificates = make_keys(&keys)?;
        let (server, etcd_url, api_port, etcd, api) = attempts(|| {
            let [etcd_port, peer_port, api_port] = free_ports()?;
            let etcd_url = format!("http://127.0.0.1:{etcd_port}");
            let server = described(&run, &dir, &certificates, api_port)?;
            let etcd = start_etcd(&run, &dir, &etcd_url, peer_port)?;
            let api = start_api(&run, &dir, &keys, &certificates, &etcd_url, api_port)?;
            let mut servers = [etcd, api];
            ready(&server, &mut servers)?;
            let [etcd, api] = servers;
            Ok((server, etcd_url, api_port, etcd, api))
        })?;
        Ok(Self { server, run, dir, keys, certificates, etcd_url, api_port, etcd, api: Some(api) })
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
        let api =
            start_api(&self.run, &self.dir, &self.keys, &self.certificates, &self.etcd_url, self.api_port);
        let mut servers = [must(api)];
        must(ready(&self.server, &mut servers));
        let [api] = servers;
        self.api = Some(api);
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

fn ready(server: &KubeServer, servers: &mut [Server]) -> Result<()> {
    let answers = |args: &[&str]| output(kubectl(&server.kubectl, &server.kubeconfig).args(args)).is_ok();
    wait_until_ready(servers, READY, || answers(&["get", "--raw", "/readyz"]))?;
    wait_until_ready(servers, READY, || answers(&["get", "namespace", "default"]))
}

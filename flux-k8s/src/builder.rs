//! Makes a client from a kubeconfig, or from the inside of a pod.
//!
//! It finds the server and the account, and reports errors of the configuration.

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flux_core::backend::{Error, Result};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use crate::{
    cluster::KubeCluster,
    failure::{Failure, Target},
    http::Http,
};

/// The time limit of a connection attempt, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// The time for which a connection may be silent.
///
/// It is longer than the term of a watch, which is never silent at its end.
const SILENCE: Duration = Duration::from_secs(130);

/// The configuration of a [`KubeCluster`]; each setter returns the builder with one thing changed.
///
/// ```no_run
/// # async fn example() -> flux_core::backend::Result<()> {
/// use flux_k8s::KubeCluster;
///
/// let builder = KubeCluster::builder().kubeconfig("/etc/flux/kubeconfig").context("shop");
/// let cluster = builder.open().await?;
/// # Ok(())
/// # }
/// ```
///
/// By default it is the cluster of kubectl's default: `KUBECONFIG`, else `~/.kube/config`, and
/// where neither exists the cluster of the pod that this runs in.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct KubeClusterBuilder {
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    namespaces: Option<Vec<String>>,
    impersonated: Option<String>,
    events: Option<String>,
}

impl KubeCluster {
    /// Returns a builder for the cluster of kubectl's default.
    pub fn builder() -> KubeClusterBuilder {
        KubeClusterBuilder::default()
    }
}

impl KubeClusterBuilder {
    /// Sets the kubeconfig file.
    pub fn kubeconfig(self, path: impl Into<PathBuf>) -> Self {
        Self { kubeconfig: Some(path.into()), ..self }
    }

    /// Sets the context of the kubeconfig; its current one by default.
    pub fn context(self, name: impl Into<String>) -> Self {
        Self { context: Some(name.into()), ..self }
    }

    /// Limits the cluster to namespaces, as [`KubeCluster::limited_to`] does.
    pub fn limited_to(self, namespaces: impl IntoIterator<Item = String>) -> Self {
        Self { namespaces: Some(namespaces.into_iter().collect()), ..self }
    }

    /// Acts as another user, such as `system:serviceaccount:shop:deployer`: a set then has the
    /// rights of a team's account, and no more.
    ///
    /// The user of the configuration needs the right to `impersonate` that account. A service
    /// account is in its groups without being asked.
    pub fn impersonate(self, user: impl Into<String>) -> Self {
        Self { impersonated: Some(user.into()), ..self }
    }

    /// Writes Kubernetes Events, as [`KubeCluster::with_events`] does.
    pub fn events(self, instance: impl Into<String>) -> Self {
        Self { events: Some(instance.into()), ..self }
    }

    /// Reads the configuration and makes a cluster of it.
    ///
    /// No request is sent to the API server yet, so that a daemon can start before it: the first
    /// call shows if it is there. Must be called within a tokio runtime, in which the watches will
    /// run.
    ///
    /// # Errors
    /// [`NotFound`](flux_core::backend::ErrorKind::NotFound) if the kubeconfig or the context does
    /// not exist, or there is no configuration at all;
    /// [`Invalid`](flux_core::backend::ErrorKind::Invalid) if the kubeconfig makes no sense or
    /// names files that cannot be read.
    pub async fn open(self) -> Result<KubeCluster> {
        let (mut config, mut target) = match (&self.kubeconfig, &self.context) {
            (Some(path), _) => {
                let kubeconfig = Kubeconfig::read_from(path).map_err(|e| unreadable(&e, path))?;
                self.of_kubeconfig(kubeconfig, &path.display().to_string()).await?
            }
            (None, context) => match Kubeconfig::read() {
                Ok(kubeconfig) => self.of_kubeconfig(kubeconfig, &default_path()).await?,
                Err(e) if is_absent(&e) && context.is_none() => in_cluster()?,
                Err(e) => return Err(unreadable(&e, Path::new(&default_path()))),
            },
        };
        if let Some(user) = self.impersonated {
            target.impersonated_by = Some(std::mem::replace(&mut target.user, user.clone()));
            config.auth_info.impersonate = Some(user);
        }
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(SILENCE);
        config.reset_reader_on_write = true;
        // Retrying is this crate's own business: kube's default can hold a call for many minutes.
        config.default_retry = false;
        let client = Client::try_from(config).map_err(|e| Failure::from_kube(&e).error(&target))?;
        let cluster = KubeCluster::new(Http { client, target: Arc::new(target) });
        let cluster = match self.namespaces {
            Some(namespaces) => cluster.limited_to(namespaces),
            None => cluster,
        };
        Ok(match self.events {
            Some(instance) => cluster.with_events(instance),
            None => cluster,
        })
    }

    async fn of_kubeconfig(&self, kubeconfig: Kubeconfig, file: &str) -> Result<(Config, Target)> {
        let Some(name) = self.context.clone().or_else(|| kubeconfig.current_context.clone()) else {
            let text = format!(
                "{file} has no current context; name a context, or set one with `kubectl config use-context`"
            );
            return Err(Error::not_found(file, text));
        };
        let Some(context) =
            kubeconfig.contexts.iter().find(|c| c.name == name).and_then(|c| c.context.clone())
        else {
            let names: Vec<&str> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Error::not_found(&name, format!("{file} has no context `{name}`; it has {names}")));
        };
        let named_proxy = kubeconfig
            .clusters
            .iter()
            .find(|c| c.name == context.cluster)
            .and_then(|c| c.cluster.as_ref()?.proxy_url.clone())
            .is_some_and(|url| !url.is_empty());
        let source = format!("context `{name}` of {file}");
        let options = KubeConfigOptions { context: Some(name), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|e| Error::invalid(&source, format!("{source} cannot be used: {}", plain(&e))))?;
        let host = config.cluster_url.host().unwrap_or_default();
        if !named_proxy && goes_direct(host, &no_proxy()) {
            config.proxy_url = None;
        }
        let target = Target {
            server: server(&config),
            source,
            user: context.user.unwrap_or_else(|| "anonymous".to_owned()),
            impersonated_by: None,
        };
        Ok((config, target))
    }
}

fn in_cluster() -> Result<(Config, Target)> {
    let config = Config::incluster_env().map_err(|_| {
        let path = default_path();
        let text = format!(
            "there is no cluster to talk to: {path} does not exist and this is not running in a pod; give the path of a kubeconfig"
        );
        Error::not_found(path, text)
    })?;
    let target = Target {
        server: server(&config),
        source: "of this pod's cluster".to_owned(),
        user: format!("the service account of namespace {}", config.default_namespace),
        impersonated_by: None,
    };
    Ok((config, target))
}

/// The address without credentials.
fn server(config: &Config) -> String {
    let url = &config.cluster_url;
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme_str().unwrap_or("http"), url.host().unwrap_or_default())
}

fn default_path() -> String {
    match std::env::var("KUBECONFIG") {
        Ok(paths) if !paths.is_empty() => paths,
        _ => "~/.kube/config".to_owned(),
    }
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(e, _) => e.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

fn unreadable(error: &KubeconfigError, path: &Path) -> Error {
    let path = path.display().to_string();
    if is_absent(error) {
        let text = format!("the kubeconfig {path} does not exist; give the path of one that does");
        return Error::not_found(path, text);
    }
    let text = format!("the kubeconfig {path} cannot be used: {}", plain(error));
    Error::invalid(path, text)
}

/// An error's words. Those of the YAML parser quote the file, in which there are secrets.
fn plain(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(e) => match e.location() {
            Some(at) => format!("it is not YAML of the right form at line {}", at.line()),
            None => "it is not YAML of the right form".to_owned(),
        },
        other => other.to_string(),
    }
}

fn no_proxy() -> String {
    ["NO_PROXY", "no_proxy"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default()
}

/// Returns `true` if no proxy from the environment is used for a host.
///
/// These are this machine, and the entries of `NO_PROXY` (hosts, domains, addresses, networks).
fn goes_direct(host: &str, no_proxy: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|a| a.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|rule| rule.trim().to_lowercase()).filter(|rule| !rule.is_empty()).any(|rule| {
        if rule == "*" || rule == host {
            return true;
        }
        match (address, rule.split_once('/')) {
            (Some(address), Some((network, bits))) => is_within(address, network, bits),
            (Some(_), None) => false,
            (None, _) => {
                let domain = rule.trim_start_matches('*').trim_start_matches('.');
                host == domain || host.ends_with(&format!(".{domain}"))
            }
        }
    })
}

fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    match (network.parse::<IpAddr>(), bits.parse::<u32>()) {
        (Ok(network), Ok(bits)) if network.is_ipv4() == address.is_ipv4() => {
            let ((a, most), (n, _)) = (number(address), number(network));
            bits <= most && (bits == 0 || (a ^ n) >> (128 - bits) == 0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_the_environment_is_not_for_this_machine_nor_for_what_no_proxy_names() {
        let rules = "example.com, .corp.test,10.0.0.0/8,192.168.7.1,fd00::/8";
        for direct in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "example.com",
            "k8s.example.com",
            "a.corp.test",
            "10.1.2.3",
            "192.168.7.1",
            "[fd00::1]",
        ] {
            assert!(goes_direct(direct, rules), "{direct}");
        }
        for proxied in ["example.org", "notexample.com", "11.0.0.1", "192.168.7.2", "[fe80::1]"] {
            assert!(!goes_direct(proxied, rules), "{proxied}");
        }
        assert!(goes_direct("anything.test", "*"));
    }
}

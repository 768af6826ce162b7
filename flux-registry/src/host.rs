//! Hosts: how they are written in credentials, where their registry is asked, and over what.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use flux_core::image::{DEFAULT_REGISTRY, ImageName};

/// The names under which Docker Hub goes.
const DOCKER_HUB: &[&str] = &["docker.io", DEFAULT_REGISTRY, HUB_ENDPOINT, "registry.hub.docker.com"];

/// Where Docker Hub answers registry requests.
const HUB_ENDPOINT: &str = "registry-1.docker.io";

/// Returns a host as a key of credentials.
///
/// It is without scheme, API version and trailing slashes, in lower case, and Docker Hub has its
/// canonical name. A path that narrows the credentials to some repositories stays. `None` if
/// nothing is left.
pub(crate) fn credential_key(written: &str) -> Option<String> {
    let rest = written.trim().split_once("://").map_or(written.trim(), |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = canonical(host);
    let path = path.trim_matches('/');
    if host.is_empty() {
        None
    } else if path.is_empty() || matches!(path, "v1" | "v2") {
        Some(host)
    } else {
        Some(format!("{host}/{path}"))
    }
}

/// Returns the host of an image as credential helpers know it.
///
/// Docker keeps the login of Docker Hub under the address of its first API.
pub(crate) fn helper_key(name: &ImageName) -> String {
    match canonical(name.registry()) {
        hub if hub == DEFAULT_REGISTRY => format!("https://{DEFAULT_REGISTRY}/v1/"),
        host => host,
    }
}

/// Returns the keys under which credentials for an image may stand, the narrowest first.
pub(crate) fn credential_keys(name: &ImageName) -> Vec<String> {
    let mut key = format!("{}/{}", canonical(name.registry()), name.repository());
    let mut keys = vec![key.clone()];
    while let Some(slash) = key.rfind('/') {
        key.truncate(slash);
        keys.push(key.clone());
    }
    keys
}

fn canonical(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    if DOCKER_HUB.contains(&host.as_str()) { DEFAULT_REGISTRY.to_owned() } else { host }
}

/// The protocol over which a host is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}

/// The protocols by host with a port or for all ports. The others: this machine over plain HTTP,
/// all else over TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transports(BTreeMap<String, Transport>);

impl Transports {
    pub(crate) fn insert(&mut self, host: &str, transport: Transport) {
        self.0.insert(canonical(host), transport);
    }
}

/// Where the registry of an image is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host and port, as they stand in a URL.
    pub(crate) authority: String,
    /// `true` if it is asked over plain HTTP.
    pub(crate) plain: bool,
    /// `true` if it is this machine: then no proxy is asked on the way.
    pub(crate) loopback: bool,
}

impl Endpoint {
    /// Returns the endpoint for an image.
    pub(crate) fn of(name: &ImageName, transports: &Transports) -> Self {
        let host = canonical(name.registry());
        let loopback = is_loopback(&host);
        let plain = match transports.0.get(&host).or_else(|| transports.0.get(without_port(&host))) {
            Some(Transport::Plain) => true,
            Some(Transport::Tls) => false,
            None => loopback,
        };
        let authority = if host == DEFAULT_REGISTRY { HUB_ENDPOINT.to_owned() } else { host };
        Self { authority, plain, loopback }
    }

    /// Returns the address that all requests start with.
    pub(crate) fn base(&self) -> String {
        format!("{}://{}", if self.plain { "http" } else { "https" }, self.authority)
    }
}

/// The clients that requests of our own are made with.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) direct: reqwest::Client,
    pub(crate) proxied: reqwest::Client,
}

impl Clients {
    /// Returns the client for an endpoint: this machine is not asked through a proxy.
    pub(crate) fn of(&self, endpoint: &Endpoint) -> &reqwest::Client {
        if endpoint.loopback { &self.direct } else { &self.proxied }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of a bare IPv6 address stand within brackets.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = without_port(host).trim_start_matches('[').trim_end_matches(']');
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Ipv4Addr::is_loopback(&address),
        Ok(IpAddr::V6(address)) => Ipv6Addr::is_loopback(&address),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_key_however_it_is_written() {
        for (written, key) in [
            ("ghcr.io", Some("ghcr.io")),
            ("https://GHCR.io/", Some("ghcr.io")),
            ("http://localhost:5000/v2/", Some("localhost:5000")),
            ("https://index.docker.io/v1/", Some("index.docker.io")),
            ("docker.io", Some("index.docker.io")),
            ("registry-1.docker.io", Some("index.docker.io")),
            ("quay.io/team/", Some("quay.io/team")),
            ("[::1]:5000", Some("[::1]:5000")),
            ("", None),
            ("https://", None),
            ("/path", None),
        ] {
            assert_eq!(credential_key(written).as_deref(), key, "{written}");
        }
    }

    #[test]
    fn the_narrowest_key_comes_first() {
        let keys = credential_keys(&"quay.io/a/b".parse().unwrap());
        assert_eq!(keys, ["quay.io/a/b", "quay.io/a", "quay.io"]);
        let keys = credential_keys(&"nginx".parse().unwrap());
        assert_eq!(keys, ["index.docker.io/library/nginx", "index.docker.io/library", "index.docker.io"]);
    }

    #[test]
    fn only_loopback_and_listed_hosts_are_asked_over_plain_http() {
        let mut transports = Transports::default();
        for host in ["Registry.lan", "other.lan:5000"] {
            transports.insert(host, Transport::Plain);
        }
        transports.insert("localhost:5443", Transport::Tls);
        for (name, base) in [
            ("nginx", "https://registry-1.docker.io"),
            ("docker.io/a/b", "https://registry-1.docker.io"),
            ("ghcr.io/a/b", "https://ghcr.io"),
            ("localhost:5000/a", "http://localhost:5000"),
            ("kind.localhost/a", "http://kind.localhost"),
            ("127.0.0.1:5000/a", "http://127.0.0.1:5000"),
            ("[::1]:5000/a", "http://[::1]:5000"),
            ("localhost:5443/a", "https://localhost:5443"),
            ("notlocalhost.com/a", "https://notlocalhost.com"),
            ("registry.lan:80/a", "http://registry.lan:80"),
            ("Registry.lan/a", "http://registry.lan"),
            ("other.lan:5000/a", "http://other.lan:5000"),
            ("other.lan/a", "https://other.lan"),
        ] {
            assert_eq!(Endpoint::of(&name.parse().unwrap(), &transports).base(), base, "{name}");
        }
    }
}

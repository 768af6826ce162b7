//! The real servers that the tests run against: started when the first test of a run asks, shared by all test processes of
//! that run, ended by the run.
//!
//! A test asks and returns early when there is none to be had:
//!
//! ```
//! use flux_test_support::{registry, unique};
//! # fn a_test() {
//! let Some(registry) = registry() else { return };
//! let name = unique("web"); // its own, so that tests run side by side
//! registry.push_image(&name, "v1", "2026-01-01T00:00:00Z", &[], &["linux/amd64"]);
//! # }
//! # a_test();
//! ```
//!
//! `cargo test` alone is hermetic: every question here is answered with `None`, and printed as skipped. `tests/run` sets
//! `FLUX_TEST_REAL=1`, and from then on a server that cannot be had is a failure that names the server's log.
//!
//! | variable | what |
//! |---|---|
//! | `FLUX_TEST_REAL` | `1`: servers are required |
//! | `FLUX_TEST_RUN_DIR` | this run's folder: state, logs and process ids of what was started; whoever made it ends them |
//! | `FLUX_TEST_BIN` | folder of the servers that `tests/run` built |
//! | `KUBEBUILDER_ASSETS` | folder of another `etcd`, `kube-apiserver` and `kubectl`, which come first |
//!
//! Everything here panics when it cannot do its work: it is made for tests only.

mod failure;
mod git;
mod image;
mod kube;
mod process;
mod registry;
mod run;
mod ssh;
mod tls;

pub use git::{GitServer, commit_files, git};
pub use image::{Image, Schema};
pub use kube::KubeServer;
pub use registry::{RegistryServer, push_image};

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Whether the real servers are required (`FLUX_TEST_REAL=1`, set by `tests/run`).
pub fn real() -> bool {
    std::env::var_os("FLUX_TEST_REAL").is_some_and(|v| v == "1")
}

/// A registry that lets anybody read and write, over plain HTTP.
pub fn registry() -> Option<RegistryServer> {
    run::shared("registry", registry::start_open)
}

/// A registry that wants a name and a password for everything (HTTP basic authentication).
pub fn registry_basic() -> Option<RegistryServer> {
    run::shared("registry-basic", registry::start_basic)
}

/// A registry that wants a bearer token, and the server that hands those out: to its one user for everything, to anybody
/// for pulling what is under `public/`.
pub fn registry_token() -> Option<RegistryServer> {
    run::shared("registry-token", registry::start_token)
}

/// A git server that lets anybody fetch and push, over plain HTTP.
pub fn git_http() -> Option<GitServer> {
    run::shared("git-http", git::start_http)
}

/// A git server over plain HTTP that wants a name and a password for everything.
pub fn git_http_auth() -> Option<GitServer> {
    run::shared("git-http-auth", git::start_http_auth)
}

/// A git server over TLS, with a certificate from a private authority.
pub fn git_https() -> Option<GitServer> {
    run::shared("git-https", git::start_https)
}

/// A git server over SSH, which takes one key.
pub fn git_ssh() -> Option<GitServer> {
    run::shared("git-ssh", ssh::start)
}

/// A Kubernetes cluster: real control plane, simulated kubelet. A pod is ready at once, unless the name of one of its images
/// holds `:broken`: that one is never pulled.
pub fn kube() -> Option<KubeServer> {
    run::shared("kube", kube::start)
}

/// `prefix-…`, a lower-case DNS label (63 characters at most) that nobody else in this run has: for repositories, images,
/// namespaces.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // The time tells apart two processes that had the same id.
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis()) % 100_000_000;
    let prefix: String = prefix.chars().take(30).collect();
    format!("{prefix}-{:x}-{millis:x}-{count:x}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn unique_names_are_dns_labels_and_differ() {
        let long = "a".repeat(100);
        let names: HashSet<_> = (0..1000).map(|_| unique(&long)).collect();
        assert_eq!(names.len(), 1000);
        for name in names {
            assert!(name.len() <= 63, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        }
    }
}

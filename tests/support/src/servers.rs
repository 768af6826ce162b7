//! The servers that a test can ask for.

use crate::git::{GitServer, start_http, start_http_auth, start_https};
use crate::kube::KubeServer;
use crate::registry::{RegistryServer, start_basic, start_open, start_token};
use crate::run::shared;
use crate::ssh;

/// Returns a registry that lets anybody read and write, over plain HTTP.
#[track_caller]
pub fn registry() -> Option<RegistryServer> {
    shared("registry", start_open)
}

/// Returns a registry that requires a name and a password for everything (HTTP basic
/// authentication).
#[track_caller]
pub fn registry_basic() -> Option<RegistryServer> {
    shared("registry-basic", start_basic)
}

/// Returns a registry that requires a bearer token, with a token server.
///
/// The token server issues tokens to its one user for everything, and to anybody for pulls of the
/// repositories under `public/`.
#[track_caller]
pub fn registry_token() -> Option<RegistryServer> {
    shared("registry-token", start_token)
}

/// Returns a git server that lets anybody fetch and push, over plain HTTP.
#[track_caller]
pub fn git_http() -> Option<GitServer> {
    shared("git-http", start_http)
}

/// Returns a git server over plain HTTP that requires a name and a password for everything.
#[track_caller]
pub fn git_http_auth() -> Option<GitServer> {
    shared("git-http-auth", start_http_auth)
}

/// Returns a git server over TLS, with a certificate from a private authority.
#[track_caller]
pub fn git_https() -> Option<GitServer> {
    shared("git-https", start_https)
}

/// Returns a git server over SSH, which accepts one key.
#[track_caller]
pub fn git_ssh() -> Option<GitServer> {
    shared("git-ssh", ssh::start)
}

/// Returns a Kubernetes cluster with a real control plane and a simulated kubelet.
///
/// A pod is ready at once, unless the name of one of its images contains `:broken`: such an image
/// is never pulled.
#[track_caller]
pub fn kube() -> Option<KubeServer> {
    shared("kube", crate::kube::start)
}

//! The servers that a test can ask for.

use crate::git::{GitServer, start_http, start_http_auth, start_https};
use crate::kube::KubeServer;
use crate::registry::{RegistryServer, start_basic, start_open, start_token};
use crate::run::shared;
use crate::ssh;

/// A registry that lets anybody read and write, over plain HTTP.
#[track_caller]
pub fn registry() -> Option<RegistryServer> {
    shared("registry", start_open)
}

/// A registry that wants a name and a password for everything (HTTP basic authentication).
#[track_caller]
pub fn registry_basic() -> Option<RegistryServer> {
    shared("registry-basic", start_basic)
}

/// A registry that wants a bearer token, and the server that hands those out: to its one user for everything, to anybody
/// for pulling what is under `public/`.
#[track_caller]
pub fn registry_token() -> Option<RegistryServer> {
    shared("registry-token", start_token)
}

/// A git server that lets anybody fetch and push, over plain HTTP.
#[track_caller]
pub fn git_http() -> Option<GitServer> {
    shared("git-http", start_http)
}

/// A git server over plain HTTP that wants a name and a password for everything.
#[track_caller]
pub fn git_http_auth() -> Option<GitServer> {
    shared("git-http-auth", start_http_auth)
}

/// A git server over TLS, with a certificate from a private authority.
#[track_caller]
pub fn git_https() -> Option<GitServer> {
    shared("git-https", start_https)
}

/// A git server over SSH, which takes one key.
#[track_caller]
pub fn git_ssh() -> Option<GitServer> {
    shared("git-ssh", ssh::start)
}

/// A Kubernetes cluster: real control plane, simulated kubelet. A pod is ready at once, unless the name of one of its images
/// holds `:broken`: that one is never pulled.
#[track_caller]
pub fn kube() -> Option<KubeServer> {
    shared("kube", crate::kube::start)
}

//! The part of the real servers that one test has to itself.
//!
//! It is a repository, an image prefix and a namespace.

use std::{
    path::Path,
    process::{Command, Output},
};

use flux_test_support as servers;
use tempfile::TempDir;

use crate::ran::{Ran, example};

/// The transport of git.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Transport {
    Http,
    Ssh,
}

/// The repository, image prefix and namespace of one test.
pub(crate) struct World {
    transport: Transport,
    pub(crate) git: servers::GitServer,
    pub(crate) registry: servers::RegistryServer,
    pub(crate) kube: servers::KubeServer,
    pub(crate) namespace: String,
    pub(crate) repo: String,
    images: String,
    folder: TempDir,
}

/// A Deployment as the tests write it.
pub(crate) struct Deployment<'a> {
    pub(crate) name: &'a str,
    pub(crate) image: &'a str,
    pub(crate) annotations: &'a str,
    pub(crate) replicas: Option<u32>,
}

impl World {
    /// Creates all of it; `None` when the real servers are not required.
    pub(crate) fn new(transport: Transport) -> Option<Self> {
        Self::with(transport, servers::registry()?)
    }

    /// Creates all of it, with a registry that shows nothing without a login.
    pub(crate) fn behind_a_login(transport: Transport) -> Option<Self> {
        Self::with(transport, servers::registry_basic()?)
    }

    fn with(transport: Transport, registry: servers::RegistryServer) -> Option<Self> {
        let git = match transport {
            Transport::Http => servers::git_http()?,
            Transport::Ssh => servers::git_ssh()?,
        };
        let kube = servers::kube()?;
        let namespace = kube.namespace("shop");
        let repo = servers::unique("config");
        git.create(&repo);
        let folder = tempfile::tempdir().expect("a temporary folder");
        Some(Self {
            transport,
            images: servers::unique("demos"),
            git,
            registry,
            kube,
            namespace,
            repo,
            folder,
        })
    }

    /// Returns the full name of an image repository of this test.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.registry.host(), self.images)
    }

    /// Pushes an image.
    pub(crate) fn push(&self, name: &str, tag: &str, created: &str) {
        let path = format!("{}/{name}", self.images);
        self.registry.push_image(&path, tag, created, &[], &["linux/amd64"]);
    }

    /// Pushes an image with attestations, as BuildKit does, and returns its digest.
    pub(crate) fn push_attested(&self, name: &str, tag: &str, created: &str) -> String {
        let path = format!("{}/{name}", self.images);
        self.registry.push(&servers::Image::new(&path, tag).created(created).attested())
    }

    /// Pushes an artifact.
    pub(crate) fn push_artifact(&self, name: &str, tag: &str, artifact: servers::Artifact<'_>) {
        self.registry.push_artifact(&format!("{}/{name}", self.images), tag, artifact);
    }

    /// Commits files, as a person would.
    pub(crate) fn commit(&self, files: &[(&str, &str)], message: &str) {
        servers::commit_files(&self.git.path(&self.repo), files, message);
    }

    /// Returns the manifest of a Deployment.
    pub(crate) fn deployment(&self, what: &Deployment<'_>) -> String {
        let Deployment { name, image, annotations, replicas } = what;
        let replicas = replicas.map_or(String::new(), |n| format!("  replicas: {n}\n"));
        format!(
            "# {name}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: {ns}\n{annotations}spec:\n{replicas}  \
             selector:\n    matchLabels: {{app: {name}}}\n  template:\n    metadata:\n      labels: {{app: {name}}}\n    spec:\n      \
             containers:\n      - name: {name}\n        image: {image} # what runs\n",
            ns = self.namespace,
        )
    }

    /// Runs `fluxctl` with the flags of this test.
    pub(crate) fn fluxctl(&self, words: &[&str]) -> Ran {
        let output: Output = self.command("fluxctl").args(words).output().expect("fluxctl runs");
        output.into()
    }

    /// Returns the command of a binary with the flags of this test.
    pub(crate) fn command(&self, name: &str) -> Command {
        self.command_as(name, self.kube.kubeconfig())
    }

    /// Returns the command of a binary as the user of a kubeconfig file.
    pub(crate) fn command_as(&self, name: &str, kubeconfig: &Path) -> Command {
        let mut command = Command::new(example(name));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .arg("--git-url")
            .arg(self.git.url(&self.repo))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--cache-dir")
            .arg(self.folder.path().join("cache"));
        if let Transport::Ssh = self.transport {
            command.arg("--git-ssh-identity").arg(self.git.identity());
            command.arg("--git-known-hosts").arg(self.git.known_hosts());
        }
        command
    }

    /// Runs kubectl in this test's namespace.
    pub(crate) fn kubectl(&self, words: &[&str]) -> String {
        self.kube.kubectl(&[&["--namespace", &self.namespace], words].concat())
    }

    /// Returns the image that a Deployment has in the cluster.
    pub(crate) fn running(&self, name: &str) -> String {
        self.field(name, "{.spec.template.spec.containers[0].image}")
    }

    /// Returns a field of a Deployment in the cluster.
    pub(crate) fn field(&self, name: &str, path: &str) -> String {
        self.kubectl(&["get", "deployment", name, "-o", &format!("jsonpath={path}")])
    }

    /// Waits until a Deployment is rolled out, by polling.
    pub(crate) fn rolled_out(&self, name: &str) {
        self.kubectl(&["rollout", "status", "deployment", name, "--timeout=120s"]);
    }
}

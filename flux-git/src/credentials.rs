//! Credentials for upstream, and the host keys by which upstream is known.

use std::path::{Path, PathBuf};

use git2::{Cred, CredentialType};

use crate::{secret::Secret, url::RepoUrl};

/// The credentials that a [`GitRepo`](crate::GitRepo) shows to upstream.
///
/// Over HTTP the ways are tried in this order, each once: a user name and password given here,
/// those in the URL, git's credential helpers. Over SSH: the key file given here, the SSH agent of
/// `SSH_AUTH_SOCK`, then a password. The server's host key must be in the file of known hosts given
/// here, or in `~/.ssh/known_hosts`.
///
/// ```
/// use flux_git::Credentials;
///
/// let over_https = Credentials::basic("deployer", "t0ken");
/// assert!(!format!("{over_https:?}").contains("t0ken"));
/// let over_ssh =
///     Credentials::default().ssh_identity("/etc/flux/identity").known_hosts("/etc/flux/known_hosts");
/// ```
#[derive(Clone, Debug)]
pub struct Credentials {
    basic: Option<(String, Secret)>,
    identity: Option<PathBuf>,
    passphrase: Option<Secret>,
    known_hosts: Option<PathBuf>,
    ssh_agent: bool,
    credential_helpers: bool,
}

impl Default for Credentials {
    /// Takes what this user of this machine has: the URL's user and password, the SSH agent, git's
    /// credential helpers.
    fn default() -> Self {
        Self {
            basic: None,
            identity: None,
            passphrase: None,
            known_hosts: None,
            ssh_agent: true,
            credential_helpers: true,
        }
    }
}

impl Credentials {
    /// Makes credentials of the URL alone: no agent, no helper.
    ///
    /// They are for daemons, whose surroundings should not matter.
    #[must_use]
    pub fn none() -> Self {
        Self { ssh_agent: false, credential_helpers: false, ..Self::default() }
    }

    /// Makes credentials of a user name and a password (or token), and nothing of the machine's.
    #[must_use]
    pub fn basic(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { basic: Some((user.into(), Secret::new(password))), ..Self::none() }
    }

    /// Sets the file of a private key for SSH, in the form of OpenSSH or PEM.
    #[must_use]
    pub fn ssh_identity(self, private_key: impl Into<PathBuf>) -> Self {
        Self { identity: Some(private_key.into()), ..self }
    }

    /// Sets the passphrase of the private key.
    #[must_use]
    pub fn ssh_passphrase(self, passphrase: impl Into<String>) -> Self {
        Self { passphrase: Some(Secret::new(passphrase)), ..self }
    }

    /// Sets the file of the host keys that are trusted, in the form of OpenSSH's `known_hosts`.
    ///
    /// No other file is then looked at.
    #[must_use]
    pub fn known_hosts(self, file: impl Into<PathBuf>) -> Self {
        Self { known_hosts: Some(file.into()), ..self }
    }

    /// Says if the SSH agent is asked. By default it is.
    #[must_use]
    pub fn ssh_agent(self, ask: bool) -> Self {
        Self { ssh_agent: ask, ..self }
    }

    /// Says if the credential helpers of git's configuration are asked. By default they are.
    #[must_use]
    pub fn credential_helpers(self, ask: bool) -> Self {
        Self { credential_helpers: ask, ..self }
    }

    pub(crate) fn known_hosts_file(&self) -> Option<&Path> {
        self.known_hosts.as_deref()
    }
}

/// A way to say who we are. In the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    Identity,
    Agent,
    Basic,
    Url,
    Helper,
}

impl AuthMethod {
    pub(crate) const ALL: [Self; 5] = [Self::Identity, Self::Agent, Self::Basic, Self::Url, Self::Helper];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "the SSH key file",
            Self::Agent => "the SSH agent",
            Self::Basic => "the user name and password given",
            Self::Url => "the user name and password of the URL",
            Self::Helper => "git's credential helpers",
        }
    }

    fn kind(self) -> CredentialType {
        match self {
            Self::Identity | Self::Agent => CredentialType::SSH_KEY,
            Self::Basic | Self::Url | Self::Helper => CredentialType::USER_PASS_PLAINTEXT,
        }
    }

    /// Returns the credential of this way, if it fits what upstream allows and is to be had.
    pub(crate) fn credential(
        self,
        from: &Credentials,
        url: &RepoUrl,
        user: Option<&str>,
        allowed: CredentialType,
    ) -> Option<Result<Cred, git2::Error>> {
        if !allowed.intersects(self.kind()) {
            return None;
        }
        let user_or_git = user.unwrap_or("git");
        match self {
            Self::Identity => from.identity.as_deref().map(|file| {
                let passphrase = from.passphrase.as_ref().map(Secret::expose);
                Cred::ssh_key(user_or_git, None, file, passphrase)
            }),
            Self::Agent => (from.ssh_agent && std::env::var_os("SSH_AUTH_SOCK").is_some())
                .then(|| Cred::ssh_key_from_agent(user_or_git)),
            Self::Basic => {
                from.basic.as_ref().map(|(user, password)| Cred::userpass_plaintext(user, password.expose()))
            }
            Self::Url => {
                url.userinfo().map(|(user, password)| Cred::userpass_plaintext(user, password.expose()))
            }
            Self::Helper => from.credential_helpers.then(|| {
                let config = git2::Config::open_default()?;
                Cred::credential_helper(&config, &url.transport(), user)
            }),
        }
    }
}

impl Credentials {
    /// Returns the user name to give when upstream asks for that alone.
    pub(crate) fn user_name<'a>(&'a self, user: Option<&'a str>) -> &'a str {
        user.or(self.basic.as_ref().map(|(user, _)| user.as_str())).unwrap_or("git")
    }

    /// Returns why the key file cannot be used, if it is given and cannot be read.
    pub(crate) fn identity_problem(&self) -> Option<String> {
        let file = self.identity.as_deref()?;
        let problem = std::fs::File::open(file).err()?;
        Some(format!("the SSH key file {} cannot be read: {problem}", file.display()))
    }
}

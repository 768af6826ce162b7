//! Logins by host, from the embedder or from a Docker configuration.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use flux_core::image::ImageName;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::host::{credential_key, credential_keys};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(String);

impl Secret {
    /// Returns the text itself: for sending, not for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How to log in to a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Login {
    /// With a name and a password (or what the registry takes for one, such as an access token).
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// With a bearer token that the registry itself takes.
    Token(Secret),
    /// With an identity token, for which a token server gives bearer tokens: the `identitytoken` of
    /// a Docker configuration, an OAuth 2 refresh token.
    Identity(Secret),
}

impl Login {
    /// Returns the name of the account, for observations; never a secret.
    pub fn authority(&self) -> &str {
        match self {
            Self::Basic { username, .. } => username,
            Self::Token(_) => "token",
            Self::Identity(_) => "identity token",
        }
    }

    /// Returns the text with what is secret of this login struck out.
    ///
    /// A registry may repeat what it was sent.
    pub(crate) fn redact(&self, text: &str) -> String {
        let (secret, encoded) = match self {
            Self::Basic { username, password } => {
                (password, STANDARD.encode(format!("{username}:{}", password.reveal())))
            }
            Self::Token(token) | Self::Identity(token) => (token, STANDARD.encode(token.reveal())),
        };
        strike_out(&strike_out(text, &encoded), secret.reveal())
    }
}

/// Returns a text without a secret.
pub(crate) fn strike_out(text: &str, secret: &str) -> String {
    if secret.is_empty() { text.to_owned() } else { text.replace(secret, "***") }
}

/// As Docker writes it, and without padding as some others do.
const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a Docker configuration cannot be used. Holds nothing of its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("Docker configuration {path}: {problem}: check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// The words of the operating system.
        problem: String,
    },
    /// The text is not a Docker configuration.
    #[error("this is no Docker configuration: {0}")]
    Invalid(String),
}

/// Logins by host, or by host and the beginning of a repository's path.
///
/// `Debug` shows hosts and names, never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    logins: BTreeMap<String, Login>,
    /// The credential helpers that keep the logins of single hosts.
    helpers: BTreeMap<String, String>,
    /// The credential helper that keeps those of all others.
    store: Option<String>,
    /// Settings that were found for a key and could not be used, for the message when that host
    /// then refuses.
    hints: BTreeMap<String, String>,
}

impl Credentials {
    /// Makes an empty set of logins: everything is asked anonymously.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a login by name and password.
    ///
    /// A later one for the same host wins.
    #[must_use]
    pub fn with_basic(self, host: &str, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.with(host, Login::Basic { username: username.into(), password: Secret::from(password.into()) })
    }

    /// Adds a login.
    ///
    /// A later one for the same host wins.
    ///
    /// The host may be written as a URL, with a port, as one of Docker Hub's names, and with a path
    /// (`quay.io/team`) that narrows the login to the repositories below it.
    #[must_use]
    pub fn with(mut self, host: &str, login: Login) -> Self {
        if let Some(key) = credential_key(host) {
            self.hints.remove(&key);
            self.logins.insert(key, login);
        }
        self
    }

    /// Adds other logins, which win where both have one.
    #[must_use]
    pub fn merged(mut self, others: Self) -> Self {
        for key in others.logins.keys() {
            self.hints.remove(key);
        }
        self.logins.extend(others.logins);
        self.helpers.extend(others.helpers);
        self.store = others.store.or(self.store);
        self.hints.extend(others.hints);
        self
    }

    /// Reads the logins of a Docker configuration.
    ///
    /// It is a `config.json`, or what a Kubernetes secret of type `dockerconfigjson` or `dockercfg`
    /// holds.
    ///
    /// The credential helpers that it names (`credHelpers`, and `credsStore` for hosts that have no
    /// login here) are run when a host is asked, as `docker-credential-NAME get`, for at most 30 s;
    /// an answer is kept for five minutes. Where a helper fails, it is asked anonymously, and an
    /// error of the registry then says so. An identity token is exchanged by the token server. One
    /// entry that makes no sense does not stop the others.
    ///
    /// # Errors
    /// [`CredentialsError::Invalid`] when the text is not a Docker configuration.
    pub fn from_docker_config(text: &str) -> Result<Self, CredentialsError> {
        let config: Map<String, Value> = serde_json::from_str(text).map_err(|e| {
            // The error's own words may quote the text.
            let (line, column) = (e.line(), e.column());
            CredentialsError::Invalid(format!(
                "line {line}, column {column} is not what a JSON object has there"
            ))
        })?;
        let mut credentials = Self::new();
        let helpers = config.get("credHelpers").and_then(Value::as_object).into_iter().flatten();
        for (host, helper) in helpers {
            if let (Some(key), Some(helper)) = (credential_key(host), helper.as_str()) {
                credentials.helpers.insert(key, helper.to_owned());
            }
        }
        credentials.store =
            config.get("credsStore").and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned);
        let entries = match config.get("auths") {
            Some(Value::Object(auths)) => auths.iter().collect(),
            Some(Value::Null) => Vec::new(),
            Some(_) => {
                return Err(CredentialsError::Invalid("`auths` is not a map of logins by host".to_owned()));
            }
            // The old form is nothing but that map; today's form without it has other keys.
            None => config.iter().filter(|(_, v)| v.get("auth").or(v.get("username")).is_some()).collect(),
        };
        for (host, entry) in entries {
            let login =
                DockerEntry::deserialize(entry).map_err(|_| "is not a login").and_then(DockerEntry::login);
            match login {
                Ok(Some(login)) => credentials = credentials.with(host, login),
                Ok(None) => {}
                Err(problem) => {
                    tracing::warn!(%host, problem, "login in Docker configuration not used");
                    if let Some(key) = credential_key(host) {
                        credentials
                            .hints
                            .insert(key, format!("its entry in the Docker configuration {problem}"));
                    }
                }
            }
        }
        Ok(credentials)
    }

    /// Reads a file as [`from_docker_config`](Self::from_docker_config) reads a text.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a Docker configuration.
    pub fn from_docker_config_file(path: &Path) -> Result<Self, CredentialsError> {
        let text = std::fs::read_to_string(path).map_err(|error| CredentialsError::Unreadable {
            path: path.display().to_string(),
            problem: error.to_string(),
        })?;
        Self::from_docker_config(&text)
    }

    /// Returns the file in which Docker keeps its configuration on this machine, if it exists.
    ///
    /// It is `$DOCKER_CONFIG/config.json` or `$HOME/.docker/config.json`.
    pub fn docker_config_path() -> Option<PathBuf> {
        let folder = std::env::var_os("DOCKER_CONFIG")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".docker")))?;
        Some(folder.join("config.json")).filter(|path| path.is_file())
    }

    /// Returns the login for an image: the one with the longest path that the image lies below.
    pub fn login(&self, name: &ImageName) -> Option<&Login> {
        credential_keys(name).iter().find_map(|key| self.logins.get(key))
    }

    /// Returns the credential helper that keeps the login for an image.
    ///
    /// A helper that is named for a host wins over a login for it, as it does with Docker's tools;
    /// the store is for hosts that have neither.
    pub(crate) fn helper(&self, name: &ImageName) -> Option<&str> {
        let keys = credential_keys(name);
        let named = keys.iter().find_map(|key| match (self.helpers.get(key), self.logins.get(key)) {
            (Some(helper), _) => Some(Some(helper)),
            (None, Some(_)) => Some(None),
            (None, None) => None,
        });
        named.unwrap_or(self.store.as_ref()).map(String::as_str)
    }

    /// Returns why there may be no login for an image although its user thinks there is one.
    pub(crate) fn hint(&self, name: &ImageName) -> Option<&str> {
        credential_keys(name).iter().find_map(|key| self.hints.get(key)).map(String::as_str)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DockerEntry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl DockerEntry {
    fn login(self) -> Result<Option<Login>, &'static str> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Login::Token(self.registrytoken.into())));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Login::Identity(self.identitytoken.into())));
        }
        if !self.auth.is_empty() {
            // Old Docker versions pad with NUL.
            let decoded =
                STANDARD.decode(self.auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let login = decoded.as_deref().and_then(|text| text.trim_end_matches('\0').split_once(':'));
            let (username, password) = login.ok_or("has an `auth` that is not base64 of name:password")?;
            return Ok(Some(Login::Basic {
                username: username.to_owned(),
                password: Secret::from(password.to_owned()),
            }));
        }
        // An entry beside a credential store is empty.
        Ok((!self.username.is_empty())
            .then(|| Login::Basic { username: self.username, password: self.password.into() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(config: &str, image: &str) -> Option<Login> {
        Credentials::from_docker_config(config).unwrap().login(&image.parse().unwrap()).cloned()
    }

    fn basic(username: &str, password: &str) -> Option<Login> {
        Some(Login::Basic { username: username.to_owned(), password: Secret::from(password.to_owned()) })
    }

    #[test]
    fn a_docker_configuration_is_read_in_all_its_forms() {
        // base64 of `ann:pa:ss`, with padding, without, and NUL-padded.
        for (config, image, expected) in [
            (r#"{"auths":{"ghcr.io":{"auth":"YW5uOnBhOnNz"}}}"#, "ghcr.io/a/b", basic("ann", "pa:ss")),
            (r#"{"auths":{"https://ghcr.io/v2/":{"auth":"YW5uOnB3"}}}"#, "ghcr.io/a/b", basic("ann", "pw")),
            (r#"{"auths":{"ghcr.io":{"auth":"YW5uOnB3AAA="}}}"#, "ghcr.io/a/b", basic("ann", "pw")),
            (r#"{"auths":{"ghcr.io":{"auth":"YW5uOnB3AAA"}}}"#, "ghcr.io/a/b", basic("ann", "pw")),
            (
                r#"{"auths":{"ghcr.io":{"username":"ann","password":"pw"}}}"#,
                "ghcr.io/a/b",
                basic("ann", "pw"),
            ),
            (r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YW5uOnB3"}}}"#, "nginx", basic("ann", "pw")),
            (r#"{"auths":{"docker.io":{"auth":"YW5uOnB3"}}}"#, "index.docker.io/a/b", basic("ann", "pw")),
            (r#"{"ghcr.io":{"auth":"YW5uOnB3"}}"#, "ghcr.io/a/b", basic("ann", "pw")),
            (r#"{"auths":{"ghcr.io":{"auth":"YW5uOnB3"}}}"#, "quay.io/a/b", None),
            (r#"{"auths":{"ghcr.io":{}},"credsStore":"desktop"}"#, "ghcr.io/a/b", None),
            (
                r#"{"auths":{"r:5000":{"registrytoken":"t"}}}"#,
                "r:5000/a",
                Some(Login::Token("t".to_owned().into())),
            ),
            (
                r#"{"auths":{"c.io":{"auth":"YW5uOg==","identitytoken":"i"}}}"#,
                "c.io/a",
                Some(Login::Identity("i".to_owned().into())),
            ),
            (r#"{"auths":{}}"#, "nginx", None),
            (r"{}", "nginx", None),
            (r#"{"credsStore":"desktop","HttpHeaders":{"a":"b"}}"#, "nginx", None),
        ] {
            assert_eq!(login(config, image), expected, "{config}");
        }
    }

    #[test]
    fn the_narrowest_login_wins_and_the_later_one() {
        let credentials = Credentials::new()
            .with_basic("quay.io", "all", "1")
            .with_basic("quay.io/team", "team", "2")
            .merged(Credentials::new().with_basic("https://quay.io", "later", "3"));
        let login = |image: &str| credentials.login(&image.parse().unwrap()).cloned();
        assert_eq!(login("quay.io/team/app"), basic("team", "2"));
        assert_eq!(login("quay.io/teams/app"), basic("later", "3"));
    }

    #[test]
    fn an_entry_that_makes_no_sense_stops_no_other_and_is_remembered() {
        let config = r#"{"auths":{"a.io":{"auth":"!!!"},"b.io":{"auth":"YW5uOnB3"}}}"#;
        let credentials = Credentials::from_docker_config(config).unwrap();
        let hint = |image: &str| credentials.hint(&image.parse().unwrap());
        assert!(credentials.login(&"b.io/x".parse().unwrap()).is_some());
        assert!(hint("a.io/x").unwrap().contains("not base64"));
        assert_eq!(hint("b.io/x"), None);
    }

    #[test]
    fn a_helper_of_a_host_wins_and_the_store_comes_last() {
        let credentials = Credentials::from_docker_config(
            r#"{"auths":{"a.io":{"auth":"YW5uOnB3"},"b.io":{"auth":"YW5uOnB3"}},
                "credHelpers":{"https://b.io":"of-b","c.io/team":"of-team"},"credsStore":"store"}"#,
        )
        .unwrap();
        for (image, expected) in [
            ("a.io/x", None),
            ("b.io/x", Some("of-b")),
            ("c.io/team/x", Some("of-team")),
            ("c.io/x", Some("store")),
            ("nginx", Some("store")),
        ] {
            assert_eq!(credentials.helper(&image.parse().unwrap()), expected, "{image}");
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let secret = "s3cr3t-pa55";
        let credentials = Credentials::new()
            .with_basic("ghcr.io", "ann", secret)
            .with("quay.io", Login::Token(Secret::from(secret.to_owned())));
        assert!(!format!("{credentials:?}").contains(secret));
        for broken in [
            format!(r#"{{"auths":{{"ghcr.io":{{"password":["{secret}"]}}}}}}"#),
            format!(r#"{{"auths":"{secret}"}}"#),
            format!(r#""{secret}""#),
        ] {
            let read = Credentials::from_docker_config(&broken);
            assert!(!format!("{read:?}").contains(secret), "{broken}");
        }
        let login = credentials.login(&"ghcr.io/a".parse().unwrap()).unwrap();
        let encoded = STANDARD.encode(format!("ann:{secret}"));
        assert_eq!(login.redact(&format!("bad {secret}, {encoded}")), "bad ***, ***");
    }
}

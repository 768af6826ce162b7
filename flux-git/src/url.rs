//! The address of a repository: a path, a URL, or the `user@host:path` form.
//!
//! It is printed without its secrets.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use flux_core::backend::{Error, Result};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::secret::Secret;

/// A parsed address of a repository; it prints without secrets.
#[derive(Clone)]
pub(crate) struct RepoUrl {
    place: Place,
    /// User name and password that stood in the URL.
    userinfo: Option<(String, Secret)>,
    shown: String,
}

#[derive(Clone)]
enum Place {
    Path(PathBuf),
    Host { transport: String, host: String, port: u16 },
}

const HTTP: [&str; 2] = ["http", "https"];
/// Schemes that libgit2 speaks, with their ports.
const SCHEMES: [(&str, u16); 6] =
    [("https", 443), ("http", 80), ("ssh", 22), ("git+ssh", 22), ("ssh+git", 22), ("git", 9418)];

impl RepoUrl {
    /// Reads a path, absolute or relative to the working directory, a `file`, `http(s)`, `ssh` or
    /// `git` URL, or `user@host:path`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.is_empty() || text.contains(['\0', '\n']) {
            return Err(invalid("", "it is empty, or has a line break"));
        }
        if text.contains("://") {
            return Self::parse_url(text);
        }
        match text.split_once(':') {
            Some((host, path)) if !host.contains('/') => Self::parse_scp(text, host, path),
            _ => Self::at_path(Path::new(text), text),
        }
    }

    fn parse_url(text: &str) -> Result<Self> {
        let scheme = text.split(':').next().unwrap_or_default();
        // The text may hold a password, so that it is not repeated before it is taken apart.
        let shown = format!("{scheme}://…");
        let mut url = Url::parse(text).map_err(|error| invalid(&shown, &error.to_string()))?;
        if url.scheme() == "file" {
            let path = url.to_file_path().map_err(|()| invalid(&shown, "a file URL has an absolute path"))?;
            return Self::at_path(&path, text);
        }
        let Some((_, default_port)) = SCHEMES.iter().find(|(name, _)| *name == url.scheme()) else {
            let names = SCHEMES.map(|(name, _)| name).join(", ");
            return Err(invalid(&shown, &format!("its scheme is none of file, {names}")));
        };
        let Some(host) = url.host_str().map(ToOwned::to_owned) else {
            return Err(invalid(&shown, "it names no host"));
        };
        let port = url.port().unwrap_or(*default_port);
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (decoded(url.username()), url.password().map(decoded));
        let is_http = HTTP.contains(&url.scheme());
        let mut shown = url.clone();
        // Of a URL without a host these fail; this one has one.
        let _ = url.set_password(None);
        if password.is_some() {
            let _ = shown.set_password(Some("***"));
        } else if is_http && !user.is_empty() {
            // A lone user name is often a token.
            let _ = shown.set_username("***");
        }
        if is_http {
            let _ = url.set_username("");
        }
        if shown.query().is_some() {
            shown.set_query(Some("***"));
        }
        let userinfo = (password.is_some() || (is_http && !user.is_empty()))
            .then(|| (user, Secret::new(password.unwrap_or_default())));
        let place = Place::Host { transport: url.into(), host, port };
        Ok(Self { place, userinfo, shown: shown.into() })
    }

    fn parse_scp(text: &str, host: &str, path: &str) -> Result<Self> {
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        if host.is_empty() || path.is_empty() {
            return Err(invalid(text, "it is neither a path nor of the form user@host:path"));
        }
        let place = Place::Host { transport: text.to_owned(), host: host.to_owned(), port: 22 };
        Ok(Self { place, userinfo: None, shown: text.to_owned() })
    }

    fn at_path(path: &Path, text: &str) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|error| invalid(text, &error.to_string()))?;
        Ok(Self { place: Place::Path(path), userinfo: None, shown: text.to_owned() })
    }

    /// Returns the path, of a repository on this machine.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Path(path) => Some(path),
            Place::Host { .. } => None,
        }
    }

    /// Returns the address that libgit2 is given: it holds no password, and so no error of
    /// libgit2's does.
    pub(crate) fn transport(&self) -> String {
        match &self.place {
            Place::Path(path) => path.to_string_lossy().into_owned(),
            Place::Host { transport, .. } => transport.clone(),
        }
    }

    /// Returns the host and the port.
    pub(crate) fn host(&self) -> (&str, u16) {
        match &self.place {
            Place::Path(_) => ("localhost", 0),
            Place::Host { host, port, .. } => (host, *port),
        }
    }

    pub(crate) fn userinfo(&self) -> Option<(&str, &Secret)> {
        self.userinfo.as_ref().map(|(user, password)| (user.as_str(), password))
    }
}

fn invalid(url: &str, why: &str) -> Error {
    Error::invalid(url, format!("the repository's address `{url}` cannot be used: {why}"))
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (text, shown, transport) in [
            ("https://host/a.git", "https://host/a.git", "https://host/a.git"),
            ("https://u:s3cret@host/a.git", "https://u:***@host/a.git", "https://host/a.git"),
            ("https://t0ken@host/a.git", "https://***@host/a.git", "https://host/a.git"),
            ("https://host/a.git?token=s3cret", "https://host/a.git?***", "https://host/a.git?token=s3cret"),
            ("ssh://git@host:2222/a.git", "ssh://git@host:2222/a.git", "ssh://git@host:2222/a.git"),
            ("ssh://git:s3cret@host/a.git", "ssh://git:***@host/a.git", "ssh://git@host/a.git"),
            ("git@host:org/a.git", "git@host:org/a.git", "git@host:org/a.git"),
            ("/srv/a.git", "/srv/a.git", "/srv/a.git"),
            ("file:///srv/a%20b.git", "file:///srv/a%20b.git", "/srv/a b.git"),
        ] {
            let url = RepoUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.transport(), transport);
            assert!(!format!("{url:?}").contains("s3cret"), "{url:?}");
        }
    }

    #[test]
    fn user_and_password_of_the_url_are_decoded() {
        let url = RepoUrl::parse("https://a%40b:p%3Aw@host/r").unwrap();
        let (user, password) = url.userinfo().unwrap();
        assert_eq!((user, password.expose()), ("a@b", "p:w"));
    }

    #[test]
    fn host_and_port_are_those_of_the_scheme_unless_given() {
        for (text, host, port) in [
            ("ssh://git@h/a", "h", 22),
            ("ssh://git@h:2222/a", "h", 2222),
            ("git@h:a", "h", 22),
            ("https://h/a", "h", 443),
        ] {
            assert_eq!(RepoUrl::parse(text).unwrap().host(), (host, port));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_a_secret() {
        for text in
            ["", "ftp://u:s3cret@host/a", "https://u:s3cret@/a", "http://u:s3cret@[::1/a", ":path", "host:"]
        {
            let error = RepoUrl::parse(text).unwrap_err();
            assert_eq!(error.kind(), flux_core::backend::ErrorKind::Invalid, "{error:?}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_relative_path_is_one_on_this_machine() {
        let url = RepoUrl::parse("some/where.git").unwrap();
        assert!(url.path().unwrap().is_absolute());
        assert!(url.path().unwrap().ends_with("some/where.git"));
    }
}

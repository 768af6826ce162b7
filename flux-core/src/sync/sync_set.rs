//! [`SyncSet`]: the name of what one configuration keeps equal to one cluster.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of what one configuration keeps equal to one cluster: v1's sync set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SyncSet(String);

impl SyncSet {
    /// Returns the sync set of a name.
    ///
    /// Two configurations that sync to one cluster need two names.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name that v1 gave to what one git URL, branch and list of paths describe:
    /// objects that v1 marked are known again.
    ///
    /// A password in the URL is no part of the name.
    pub fn v1(url: &str, branch: &str, paths: &[String]) -> Self {
        let mut hash = Sha256::new();
        hash.update(safe_url(url));
        hash.update(branch);
        for path in paths {
            hash.update(path);
        }
        Self(URL_SAFE_NO_PAD.encode(hash.finalize()))
    }
}

impl SyncSet {
    /// Returns the name of what one branch of a repository describes under some paths, however the
    /// URL is spelled and in whatever order the paths are given.
    ///
    /// It is v1's formula over one spelling of the URL: without `.git`, a default port or a slash
    /// at its end, with the host in lower case. `branch` is the branch itself, also where it is
    /// that of the repository's `HEAD`.
    ///
    /// ```
    /// use flux_core::sync::SyncSet;
    ///
    /// let set = SyncSet::of_repository("git@git.example.com:shop/config.git", "main", &[]);
    /// let same = SyncSet::of_repository("ssh://git@Git.example.com:22/shop/config", "main", &[]);
    /// assert_eq!(set, same);
    /// ```
    pub fn of_repository(url: &str, branch: &str, paths: &[String]) -> Self {
        let mut paths: Vec<String> = paths.iter().map(|path| path.trim_matches('/').to_owned()).collect();
        paths.sort();
        paths.dedup();
        Self::v1(&plain_url(&safe_url(url)), branch, &paths)
    }
}

impl fmt::Display for SyncSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the URL in the one form in which v1 hashed it: scp-like and local addresses as URLs, no
/// password.
fn safe_url(url: &str) -> String {
    if let Some((scheme, rest)) = url.split_once("://") {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        return match authority.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user, |(name, _)| name);
                format!("{scheme}://{user}@{host}{path}")
            }
            None => url.to_owned(),
        };
    }
    match url.split_once(':') {
        Some((host, path)) if !host.is_empty() && !host.contains('/') => {
            let slash = if path.starts_with('/') { "" } else { "/" };
            format!("ssh://{host}{slash}{path}")
        }
        _ => format!("file://{url}"),
    }
}

/// Returns the one spelling of a URL that [`safe_url`] returned.
fn plain_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    let scheme = scheme.to_lowercase();
    let port = match scheme.as_str() {
        "ssh" => ":22",
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = host.to_lowercase();
    let host = if port.is_empty() { &host } else { host.strip_suffix(port).unwrap_or(&host) };
    let at = if user.is_empty() { "" } else { "@" };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    format!("{scheme}://{user}{at}{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_is_one_set_however_it_is_spelled() {
        let of = |url: &str| SyncSet::of_repository(url, "main", &[]);
        for (one, other) in [
            ("https://example.com/org/repo", "https://Example.com:443/org/repo.git/"),
            ("git@example.com:org/repo", "ssh://git@example.com/org/repo.git"),
            ("/srv/config", "file:///srv/config/"),
        ] {
            assert_eq!(of(one), of(other));
        }
        for (one, other) in [
            ("https://example.com/org/repo", "https://example.com:8443/org/repo"),
            ("https://example.com/org/repo", "https://example.com/org/Repo"),
            ("https://example.com/org/repo", "http://example.com/org/repo"),
        ] {
            assert_ne!(of(one), of(other));
        }
        let paths = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            SyncSet::of_repository("/r", "b", &paths(&["a", "b/"])),
            SyncSet::of_repository("/r", "b", &paths(&["b", "a", "b"]))
        );
        assert_eq!(
            of("https://example.com/org/repo"),
            SyncSet::v1("https://example.com/org/repo", "main", &[])
        );
    }

    #[test]
    fn the_sync_set_hashes_the_url_without_its_password() {
        let table = [
            ("https://me:secret@example.com/org/repo", "https://me@example.com/org/repo"),
            ("https://example.com/org/repo?a=b@c", "https://example.com/org/repo?a=b@c"),
            ("git@github.com:org/repo", "ssh://git@github.com/org/repo"),
            ("ssh://git@github.com/org/repo", "ssh://git@github.com/org/repo"),
            ("/srv/config", "file:///srv/config"),
        ];
        for (url, safe) in table {
            assert_eq!(safe_url(url), safe);
        }
        let expected = URL_SAFE_NO_PAD.encode(Sha256::digest("ssh://git@github.com/org/repomasterab"));
        assert_eq!(
            SyncSet::v1("git@github.com:org/repo", "master", &["a".to_owned(), "b".to_owned()]).0,
            expected
        );
        assert_eq!(SyncSet::v1("https://u:1@h/r", "b", &[]), SyncSet::v1("https://u:2@h/r", "b", &[]));
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

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

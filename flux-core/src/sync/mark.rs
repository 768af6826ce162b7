//! What is ours: the mark that objects carry, bound to the sync set and to the object's id.
//!
//! The mark is v1's label. An object that this library created carries `sha256.HASH`; one that was there before carries
//! `adopted.HASH`: it is managed all the same, but never deleted. A value that is bound to another id (a copied label)
//! or to another sync set counts for nothing: such an object is adopted when git names it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{MARK_LABEL, SyncSet, object};
use crate::manifest::ResourceId;

/// Whose an object is, by its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {
    /// Made by this library for this sync set: it may be pruned.
    Created,
    /// There before this library first applied it for this sync set: it is never pruned.
    Adopted,
    /// Without a mark, or with one for another object or another sync set.
    No,
}

impl SyncSet {
    /// The name that v1 gave to what one git URL, branch and list of paths describe: objects that v1 marked are known again.
    ///
    /// A password in the URL is no part of the name.
    pub fn v1(url: &str, branch: &str, paths: &[impl AsRef<str>]) -> Self {
        let mut hash = Sha256::new();
        hash.update(safe_url(url));
        hash.update(branch);
        for path in paths {
            hash.update(path.as_ref());
        }
        Self(URL_SAFE_NO_PAD.encode(hash.finalize()))
    }
}

/// The URL in the one form in which v1 hashed it: scp-like and local addresses as URLs, no password.
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

/// The value of the mark for an object of a sync set; empty for [`Owned::No`].
pub(crate) fn value(owned: Owned, sync_set: &SyncSet, id: &ResourceId) -> String {
    let prefix = match owned {
        Owned::Created => "sha256",
        Owned::Adopted => "adopted",
        Owned::No => return String::new(),
    };
    let mut hash = Sha256::new();
    hash.update(&sync_set.0);
    hash.update(id.to_string());
    format!("{prefix}.{}", URL_SAFE_NO_PAD.encode(hash.finalize()))
}

/// Whose an object of the cluster is, by its mark.
pub fn owned(object: &Value, sync_set: &SyncSet) -> Owned {
    let Some(mark) = object["metadata"]["labels"][MARK_LABEL].as_str() else { return Owned::No };
    let Some(id) = object::id_of(object) else { return Owned::No };
    [Owned::Created, Owned::Adopted]
        .into_iter()
        .find(|owned| value(*owned, sync_set, &id) == mark)
        .unwrap_or(Owned::No)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn marked(name: &str, mark: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"namespace": "shop", "name": name, "labels": {MARK_LABEL: mark}}})
    }

    #[test]
    fn the_mark_counts_only_on_its_own_object_and_for_its_own_sync_set() {
        let ours = SyncSet("ours".to_owned());
        let id = object::id_of(&marked("web", "")).unwrap();
        let created = value(Owned::Created, &ours, &id);
        let adopted = value(Owned::Adopted, &ours, &id);
        assert_eq!(owned(&marked("web", &created), &ours), Owned::Created);
        assert_eq!(owned(&marked("web", &adopted), &ours), Owned::Adopted);
        assert_eq!(owned(&marked("copy", &created), &ours), Owned::No);
        assert_eq!(owned(&marked("web", &created), &SyncSet("theirs".to_owned())), Owned::No);
        assert_eq!(owned(&marked("web", ""), &ours), Owned::No);
        assert_eq!(owned(&json!({"kind": "ConfigMap"}), &ours), Owned::No);
    }

    #[test]
    fn the_mark_is_a_valid_label_value() {
        for n in 0..200 {
            let id = object::id_of(&marked(&format!("o{n}"), "")).unwrap();
            let mark = value(Owned::Adopted, &SyncSet("s".to_owned()), &id);
            assert!(mark.len() <= 63 && mark.ends_with(|c: char| c.is_ascii_alphanumeric()), "{mark}");
        }
    }

    #[test]
    fn the_hash_is_over_the_sync_set_and_the_text_of_the_id() {
        let id = object::id_of(&marked("web", "")).unwrap();
        let expected = URL_SAFE_NO_PAD.encode(Sha256::digest("setshop:configmap/web"));
        assert_eq!(value(Owned::Created, &SyncSet("set".to_owned()), &id), format!("sha256.{expected}"));
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
        assert_eq!(SyncSet::v1("git@github.com:org/repo", "master", &["a", "b"]).0, expected);
        assert_eq!(
            SyncSet::v1("https://u:1@h/r", "b", &[""; 0]),
            SyncSet::v1("https://u:2@h/r", "b", &[""; 0])
        );
    }
}

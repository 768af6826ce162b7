//! The mark of ownership that objects carry, bound to the sync set and to the object's id.
//!
//! The mark is v1's label. An object that this library created carries `sha256.HASH`; one that was
//! there before carries `adopted.HASH`: it is managed all the same, but never deleted. A value that
//! is bound to another id (a copied label) or to another sync set counts for nothing: such an
//! object is adopted when git names it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{SyncSet, object};
use crate::{manifest::ResourceId, plan::sync::MARK_LABEL};

/// Whose an object is, by its mark.
///
/// Exhaustive: there is no fourth answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {
    /// Made by this library for this sync set: it may be pruned.
    Created,
    /// There before this library first applied it for this sync set: it is never pruned.
    Adopted,
    /// Without a mark, or with one for another object or another sync set.
    No,
}

/// Returns the value of the mark for an object of a sync set; empty for [`Owned::No`].
pub(crate) fn value(owned: Owned, sync_set: &SyncSet, id: &ResourceId) -> String {
    let prefix = match owned {
        Owned::Created => "sha256",
        Owned::Adopted => "adopted",
        Owned::No => return String::new(),
    };
    let mut hash = Sha256::new();
    hash.update(sync_set.as_str());
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

/// The mark of an object of the cluster, as a sync reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Whose the object is.
    pub(super) owned: Owned,
    /// `true` if the mark is that of the sync set itself, `false` if it is that of one taken over,
    /// or none.
    pub(super) is_current: bool,
}

/// Reads the mark of an object of the cluster, as that of a sync set or of one that it takes over.
pub(super) fn read(object: &Value, sync_set: &SyncSet, takes_over: &[SyncSet]) -> Mark {
    let current = owned(object, sync_set);
    if current != Owned::No {
        return Mark { owned: current, is_current: true };
    }
    let former = takes_over.iter().map(|set| owned(object, set)).find(|owned| *owned != Owned::No);
    Mark { owned: former.unwrap_or(Owned::No), is_current: false }
}

/// Returns `true` if an object carries a mark, whoever put it there.
pub(super) fn is_marked(object: &Value) -> bool {
    object["metadata"]["labels"].get(MARK_LABEL).is_some()
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
        let ours = SyncSet::new("ours");
        let id = object::id_of(&marked("web", "")).unwrap();
        let created = value(Owned::Created, &ours, &id);
        let adopted = value(Owned::Adopted, &ours, &id);
        assert_eq!(owned(&marked("web", &created), &ours), Owned::Created);
        assert_eq!(owned(&marked("web", &adopted), &ours), Owned::Adopted);
        assert_eq!(owned(&marked("copy", &created), &ours), Owned::No);
        assert_eq!(owned(&marked("web", &created), &SyncSet::new("theirs")), Owned::No);
        assert_eq!(owned(&marked("web", ""), &ours), Owned::No);
        assert_eq!(owned(&json!({"kind": "ConfigMap"}), &ours), Owned::No);
    }

    #[test]
    fn the_mark_is_a_valid_label_value() {
        for n in 0..200 {
            let id = object::id_of(&marked(&format!("o{n}"), "")).unwrap();
            let mark = value(Owned::Adopted, &SyncSet::new("s"), &id);
            assert!(mark.len() <= 63 && mark.ends_with(|c: char| c.is_ascii_alphanumeric()), "{mark}");
        }
    }

    #[test]
    fn the_hash_is_over_the_sync_set_and_the_text_of_the_id() {
        let id = object::id_of(&marked("web", "")).unwrap();
        let expected = URL_SAFE_NO_PAD.encode(Sha256::digest("setshop:configmap/web"));
        assert_eq!(value(Owned::Created, &SyncSet::new("set"), &id), format!("sha256.{expected}"));
    }
}

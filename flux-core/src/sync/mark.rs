//! The mark of ownership that objects carry, bound to the sync set and to the object's id.
//!
//! The mark is v1's label. An object that this library created carries `sha256.HASH`; one that was
//! there before carries `adopted.HASH`: it is managed all the same, but never deleted. A value that
//! is bound to another id (a copied label) or to another sync set counts for nothing: such an
//! object is adopted when git names it.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{SyncSet, fields::Managers, object};
use crate::{
    manifest::ResourceId,
    object::Object,
    plan::sync::{ADOPTED_ANNOTATION, CHECKSUM_ANNOTATION, MARK_LABEL, UNMARKED},
};

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
    label(object).map_or(Owned::No, |mark| owned_by(mark, object, sync_set))
}

fn label(object: &Value) -> Option<&str> {
    object["metadata"]["labels"][MARK_LABEL].as_str()
}

/// Whose an object is, by a mark that it carries or once carried.
fn owned_by(mark: &str, object: &Value, sync_set: &SyncSet) -> Owned {
    let Some(id) = object::id_of(object) else { return Owned::No };
    [Owned::Created, Owned::Adopted]
        .into_iter()
        .find(|owned| value(*owned, sync_set, &id) == mark)
        .unwrap_or(Owned::No)
}

/// The sync sets whose marks a sync heeds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sets<'a> {
    /// Its own.
    pub(super) own: &'a SyncSet,
    /// Those that it takes the place of.
    pub(super) takes_over: &'a [SyncSet],
    /// Those from which objects have moved to it.
    pub(super) moved_from: &'a [SyncSet],
}

/// The mark of an object of the cluster, as a sync reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Whose the object is.
    pub(super) owned: Owned,
    /// `true` if the object carries that mark of the sync set itself.
    pub(super) is_current: bool,
}

/// Reads the mark of an object of the cluster; `in_git` says that git names the object.
///
/// - The mark of a set that is taken over counts as the sync set's own; that of a set from which
///   objects have moved only for objects that git names.
/// - An adopted object counts as created if one of these sets had created it.
/// - An object that git names, that this library has applied, and that carries neither a mark nor
///   the word that it was adopted, was created by this library: somebody removed the mark.
pub(super) fn read(object: &Value, sets: Sets<'_>, in_git: bool) -> Mark {
    let own = owned(object, sets.own);
    let among = |mark: &str, sets: &[SyncSet]| {
        sets.iter().map(|set| owned_by(mark, object, set)).find(|owned| *owned != Owned::No)
    };
    let before = object["metadata"]["annotations"][ADOPTED_ANNOTATION].as_str().unwrap_or_default();
    // While an object moves, the former set may adopt it once more, from this one.
    let came_back = !sets.moved_from.is_empty() && owned_by(before, object, sets.own) == Owned::Created;
    let was_created = came_back
        || [sets.takes_over, sets.moved_from].iter().any(|of| among(before, of) == Some(Owned::Created));
    match (own, label(object)) {
        (Owned::Created, _) => Mark { owned: own, is_current: true },
        (Owned::Adopted, _) if was_created => Mark { owned: Owned::Created, is_current: false },
        // Without the annotation it would be taken for one of ours if the label went too.
        (Owned::Adopted, _) => Mark { owned: own, is_current: !before.is_empty() },
        (Owned::No, Some(mark)) => {
            let moved = || among(mark, sets.moved_from).filter(|_| in_git);
            let owned = among(mark, sets.takes_over).or_else(moved).unwrap_or(Owned::No);
            let owned = if owned == Owned::Adopted && was_created { Owned::Created } else { owned };
            Mark { owned, is_current: false }
        }
        (Owned::No, None) if in_git && has_lost_its_mark(object) => {
            Mark { owned: Owned::Created, is_current: false }
        }
        (Owned::No, None) => Mark { owned: Owned::No, is_current: false },
    }
}

/// Returns `true` if this library has created an object, and somebody removed the mark.
pub(super) fn has_lost_its_mark(object: &Value) -> bool {
    let annotations = &object["metadata"]["annotations"];
    !has_mark(object)
        && annotations[CHECKSUM_ANNOTATION].is_string()
        && annotations.get(ADOPTED_ANNOTATION).is_none()
        && Managers::read(object).ours().is_some()
}

/// Returns the value of the annotation for an object that is adopted: the mark of its creator, as
/// far as one is known.
pub(super) fn adopted_from<'a>(object: &'a Value, sync_set: &SyncSet) -> &'a str {
    let created = |mark: &&str| mark.starts_with("sha256.");
    let foreign = label(object).filter(|_| owned(object, sync_set) == Owned::No).filter(created);
    let before = object["metadata"]["annotations"][ADOPTED_ANNOTATION].as_str().filter(created);
    foreign.or(before).unwrap_or(UNMARKED)
}

/// Returns `true` if an object carries a mark, whoever put it there.
pub fn is_marked(object: &Object) -> bool {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Top {
        metadata: Metadata,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Metadata {
        labels: BTreeMap<String, serde::de::IgnoredAny>,
    }
    let text = object.text();
    match serde_json::from_str::<Top>(&text) {
        Ok(top) => top.metadata.labels.contains_key(MARK_LABEL),
        Err(_) => has_mark(&object.value()),
    }
}

/// Returns `true` if the tree of an object has a mark.
pub(super) fn has_mark(object: &Value) -> bool {
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
    fn the_creator_is_known_again_after_a_move() {
        let (ours, theirs) = (SyncSet::new("ours"), SyncSet::new("theirs"));
        let id = object::id_of(&marked("web", "")).unwrap();
        let foreign = marked("web", &value(Owned::Created, &theirs, &id));
        let mut adopted = marked("web", &value(Owned::Adopted, &ours, &id));
        let annotations = json!({ADOPTED_ANNOTATION: adopted_from(&foreign, &ours)});
        adopted["metadata"]["annotations"] = annotations;
        assert_eq!(adopted_from(&adopted, &ours), label(&foreign).unwrap(), "it is kept");
        assert_eq!(adopted_from(&marked("web", "adopted.x"), &ours), UNMARKED);

        let (none, from_theirs): (&[SyncSet], _) = (&[], std::slice::from_ref(&theirs));
        let table: [(&Value, &[SyncSet], &[SyncSet], bool, Owned); 8] = [
            (&foreign, none, none, true, Owned::No),
            (&foreign, from_theirs, none, true, Owned::Created),
            (&foreign, from_theirs, none, false, Owned::Created),
            (&foreign, none, from_theirs, true, Owned::Created),
            (&foreign, none, from_theirs, false, Owned::No),
            (&adopted, none, none, true, Owned::Adopted),
            (&adopted, from_theirs, none, true, Owned::Created),
            (&adopted, none, from_theirs, false, Owned::Created),
        ];
        for (n, (object, takes_over, moved_from, in_git, expected)) in table.into_iter().enumerate() {
            let mark = read(object, Sets { own: &ours, takes_over, moved_from }, in_git);
            assert_eq!(mark.owned, expected, "case {n}");
        }
    }

    #[test]
    fn an_object_whose_mark_was_removed_is_known_by_what_is_left() {
        let ours = SyncSet::new("ours");
        let mut object = marked("web", "");
        object["metadata"]["labels"] = json!({});
        object["metadata"]["annotations"] = json!({CHECKSUM_ANNOTATION: "00"});
        let of = |object: &Value, in_git| {
            read(object, Sets { own: &ours, takes_over: &[], moved_from: &[] }, in_git).owned
        };
        assert_eq!(of(&object, true), Owned::No, "v1 has put it there");
        object["metadata"]["managedFields"] = json!([
            {"manager": "flux", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}]);
        assert_eq!((of(&object, true), of(&object, false)), (Owned::Created, Owned::No));
        object["metadata"]["annotations"][ADOPTED_ANNOTATION] = UNMARKED.into();
        assert_eq!(of(&object, true), Owned::No, "it was there before");
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

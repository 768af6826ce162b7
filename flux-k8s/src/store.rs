//! The objects that a watch reports, overlaid with our own changes.
//!
//! So a watch that lags does not hide our own apply.

use std::collections::BTreeMap;

use flux_core::{Object, manifest::ResourceId, sync::same_content};

/// The objects of one watch.
#[derive(Default)]
pub(crate) struct Store {
    /// The objects as the watch reports them.
    watched: BTreeMap<ResourceId, Object>,
    /// The changes that we made and the watch does not show yet.
    ours: BTreeMap<ResourceId, Ours>,
    /// The list that is being received.
    incoming: BTreeMap<ResourceId, Object>,
    /// How many lists were begun.
    lists: u64,
    /// The last end of an object that the watch reported, by key: the answer to an apply of ours
    /// may come in after it.
    ends: BTreeMap<ResourceId, End>,
}

/// The end of an object.
struct End {
    uid: String,
    version: Option<u64>,
}

/// How many ends are kept until the next list. Each is of use only for as long as an apply takes.
const MOST_ENDS: usize = 1024;

struct Ours {
    did: Did,
    /// How many lists had been begun when we did it: a list begun later knows of it.
    lists: u64,
}

enum Did {
    Apply(Object),
    /// Deleted the object of this uid.
    Delete(String),
}

/// Returns `true` if `a` is at least as new as `b`. Versions are numbers in all known servers;
/// where they are not, the watch is believed.
fn at_least(a: &Object, b: &Object) -> bool {
    match (version(a), version(b)) {
        (Some(a), Some(b)) => a >= b,
        _ => true,
    }
}

/// The resource version of an object as a number.
pub(crate) fn version(object: &Object) -> Option<u64> {
    object.resource_version().parse().ok()
}

impl Store {
    /// A list begins. What was there stays until it is complete.
    pub(crate) fn list_begins(&mut self) {
        self.incoming.clear();
        self.lists += 1;
    }

    /// An object of the list.
    pub(crate) fn listed(&mut self, object: Object) {
        self.incoming.insert(object.id().clone(), object);
    }

    /// The list is complete. It knows all that we did before it began.
    pub(crate) fn list_ends(&mut self) {
        self.watched = std::mem::take(&mut self.incoming);
        self.ends.clear();
        let (lists, watched) = (self.lists, &self.watched);
        self.ours.retain(|key, ours| ours.lists >= lists && !ours.is_confirmed_by(watched.get(key)));
    }

    /// Takes in a new or changed object from the watch; returns `true` if somebody else has changed
    /// more of it than its status.
    pub(crate) fn observed(&mut self, object: Object) -> bool {
        let key = object.id().clone();
        let by_others = self.get(&key).is_none_or(|known| {
            at_least(&object, known) && version(known) != version(&object) && !same_content(known, &object)
        });
        if self.ours.get(&key).is_some_and(|ours| ours.is_confirmed_by(Some(&object))) {
            self.ours.remove(&key);
        }
        self.watched.insert(key, object);
        by_others
    }

    /// Removes an object that is gone, or no longer among those watched; returns `true` if it was
    /// somebody else who removed it.
    pub(crate) fn gone(&mut self, object: &Object) -> bool {
        let key = object.id().clone();
        let by_others = self.get(&key).is_some();
        let is_confirmed = match self.ours.get(&key).map(|ours| &ours.did) {
            Some(Did::Apply(applied)) => at_least(object, applied),
            Some(Did::Delete(uid)) => object.uid() == uid,
            None => false,
        };
        if is_confirmed {
            self.ours.remove(&key);
        }
        self.watched.remove(&key);
        if self.ends.len() >= MOST_ENDS {
            self.ends.clear();
        }
        let end = End { uid: object.uid().to_owned(), version: version(object) };
        self.ends.insert(key, end);
        by_others
    }

    /// We applied an object; this is how the server has it.
    pub(crate) fn we_applied(&mut self, object: Object) {
        let key = object.id().clone();
        let has_ended = self.ends.get(&key).is_some_and(|end| {
            object.uid() == end.uid && end.version.is_none_or(|end| version(&object) <= Some(end))
        });
        if has_ended {
            return;
        }
        if self.watched.get(&key).is_none_or(|watched| !at_least(watched, &object)) {
            self.ours.insert(key, Ours { did: Did::Apply(object), lists: self.lists });
        }
    }

    /// We deleted an object.
    pub(crate) fn we_deleted(&mut self, key: ResourceId, uid: &str) {
        let there = self.get(&key).is_some_and(|object| object.uid() == uid);
        if there {
            self.ours.insert(key, Ours { did: Did::Delete(uid.to_owned()), lists: self.lists });
        }
    }

    /// An object as it is, as far as is known.
    pub(crate) fn get(&self, key: &ResourceId) -> Option<&Object> {
        let watched = self.watched.get(key);
        match self.ours.get(key).map(|ours| &ours.did) {
            None => watched,
            Some(Did::Apply(object)) => Some(object),
            Some(Did::Delete(uid)) => watched.filter(|watched| watched.uid() != uid),
        }
    }

    /// The bytes of each object that is kept.
    pub(crate) fn footprint(&self) -> Vec<usize> {
        let ours = self.ours.values().filter_map(|ours| match &ours.did {
            Did::Apply(object) => Some(object),
            Did::Delete(_) => None,
        });
        self.watched.values().chain(self.incoming.values()).chain(ours).map(Object::footprint).collect()
    }

    /// All objects as they are, as far as is known.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Object> {
        let unwatched = self.ours.iter().filter(|(key, _)| !self.watched.contains_key(*key));
        self.watched.keys().chain(unwatched.map(|(key, _)| key)).filter_map(|key| self.get(key))
    }
}

impl Ours {
    /// Returns `true` if the watch has come as far as this.
    fn is_confirmed_by(&self, watched: Option<&Object>) -> bool {
        match (&self.did, watched) {
            (Did::Apply(applied), Some(watched)) => at_least(watched, applied),
            // Changes of the deleted object may still come in before its end does.
            (Did::Delete(uid), Some(watched)) => watched.uid() != uid,
            (_, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(name: &str, uid: &str, version: u64) -> Object {
        json!({ "metadata": { "name": name, "uid": uid, "resourceVersion": version.to_string() } }).into()
    }

    fn at(store: &Store, name: &str) -> Option<u64> {
        store.get(&ResourceId::new(None, "", name, "")).and_then(version)
    }

    #[test]
    fn what_is_kept_is_counted_object_by_object() {
        let (mut store, [a, b]) = (Store::default(), ["a", "b"].map(|name| object(name, name, 5)));
        store.observed(a.clone());
        store.we_applied(b.clone());
        assert_eq!(store.footprint(), [a, b].map(|object| object.footprint()));
    }

    #[test]
    fn our_apply_is_seen_before_the_watch_tells_of_it() {
        let mut store = Store::default();
        store.observed(object("a", "1", 5));
        store.we_applied(object("a", "1", 9));
        assert_eq!(at(&store, "a"), Some(9));
        store.observed(object("a", "1", 7));
        assert_eq!(at(&store, "a"), Some(9), "the watch lags");
        store.observed(object("a", "1", 11));
        assert_eq!(at(&store, "a"), Some(11), "and has caught up");
    }

    #[test]
    fn an_object_that_someone_deletes_after_our_apply_is_gone() {
        let mut store = Store::default();
        store.we_applied(object("a", "1", 9));
        store.gone(&object("a", "1", 10));
        assert_eq!(at(&store, "a"), None);
    }

    #[test]
    fn an_end_that_the_watch_reports_before_our_apply_is_answered_leaves_no_phantom() {
        let mut store = Store::default();
        store.observed(object("a", "1", 5));
        store.gone(&object("a", "1", 10));
        store.we_applied(object("a", "1", 9));
        assert_eq!(at(&store, "a"), None);
        store.we_applied(object("a", "2", 11));
        assert_eq!(at(&store, "a"), Some(11), "its successor is there");
    }

    #[test]
    fn an_end_that_came_before_our_apply_does_not_hide_it() {
        let mut store = Store::default();
        store.observed(object("a", "1", 5));
        store.we_applied(object("a", "2", 9));
        store.gone(&object("a", "1", 7));
        assert_eq!(at(&store, "a"), Some(9));
    }

    #[test]
    fn our_deletion_hides_the_object_but_not_its_successor() {
        let mut store = Store::default();
        store.observed(object("a", "1", 5));
        store.we_deleted(ResourceId::new(None, "", "a", ""), "1");
        assert_eq!(at(&store, "a"), None);
        store.observed(object("a", "1", 6));
        assert_eq!(at(&store, "a"), None, "the watch lags");
        store.observed(object("a", "2", 8));
        assert_eq!(at(&store, "a"), Some(8));
    }

    #[test]
    fn a_list_replaces_what_was_seen_when_it_is_complete() {
        let mut store = Store::default();
        store.observed(object("a", "1", 5));
        store.observed(object("b", "2", 6));
        store.list_begins();
        store.listed(object("b", "2", 6));
        assert_eq!(store.iter().count(), 2, "the old stays until the new is complete");
        store.list_ends();
        assert_eq!(at(&store, "a"), None);
    }

    #[test]
    fn a_list_begun_after_our_apply_knows_of_it() {
        let mut store = Store::default();
        store.we_applied(object("a", "1", 9));
        store.list_begins();
        store.we_applied(object("b", "2", 10));
        store.list_ends();
        assert_eq!(at(&store, "a"), None, "someone deleted it meanwhile");
        assert_eq!(at(&store, "b"), Some(10), "the list was under way");
    }

    proptest! {
        /// One object goes through any history of applies (ours or not), deletions and
        /// recreations. The watch delivers the history in order, with any delay: the watched state
        /// is never older than our own writes, and is the real one once all is delivered.
        #[test]
        fn a_lagging_watch_never_hides_what_we_did(
            history in prop::collection::vec((0..3u8, any::<bool>(), 0..4usize), 1..40)
        ) {
            let mut store = Store::default();
            let mut untold = std::collections::VecDeque::new();
            let mut truth: Option<Object> = None;
            let (mut version_now, mut uid) = (0u64, 0u64);
            let mut ours_at = None;
            let tell = |store: &mut Store, (gone, object): (bool, Object)| {
                if gone { store.gone(&object) } else { store.observed(object) }
            };
            for (what, by_us, events) in history {
                version_now += 1;
                // We delete only what we see, by its uid.
                let sees = |store: &Store, id: &str| store.get(&ResourceId::new(None, "", "a", "")).is_some_and(|o| o.uid() == id);
                if what == 0 && let Some(old) = truth.take() {
                    let id = old.uid().to_owned();
                    let by_us = by_us && sees(&store, &id);
                    if by_us {
                        store.we_deleted(ResourceId::new(None, "", "a", ""), &id);
                        ours_at = None;
                    }
                    untold.push_back((true, object("a", &id, version_now)));
                } else {
                    if truth.is_none() { uid += 1; }
                    let new = object("a", &uid.to_string(), version_now);
                    if by_us { store.we_applied(new.clone()); ours_at = Some(version_now); }
                    untold.push_back((false, new.clone()));
                    truth = Some(new);
                }
                for _ in 0..events {
                    if let Some(event) = untold.pop_front() { tell(&mut store, event); }
                }
                if let (Some(ours), Some(watched)) = (ours_at, at(&store, "a")) { prop_assert!(watched >= ours); }
            }
            while let Some(event) = untold.pop_front() { tell(&mut store, event); }
            prop_assert_eq!(at(&store, "a"), truth.as_ref().and_then(version));
        }
    }
}

//! Fields that change hands before an object is applied.
//!
//! Server-side apply removes a field that git has dropped only if nobody else owns it. Those who
//! wrote manifests to the cluster before, by kubectl or by Flux v1, own every field that they
//! wrote. So what they own is moved to our field manager, as kubectl does it when it changes from
//! client-side to server-side apply; controllers and autoscalers keep what is theirs.
//!
//! The same means clears the way for an apply that the API server refuses: a default that does not
//! go with what git names now (`rollingUpdate` beside `type: Recreate`) is nobody's, so that
//! nothing removes it. Once it is ours, an apply without it does.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    fields::{self, Managers, covers},
    tree::{insert, remove, split, unite},
};
use crate::{
    plan::{
        sync::FIELD_MANAGER,
        takeover::{IfRefused, Takeover},
    },
    schema::{
        defaults::is_default,
        lists::is_builtin_group,
        path::{Elem, FieldPath},
    },
};

/// The field managers of those who write whole manifests by hand: kubectl's, which are Flux v1's
/// too, and the one that stands for everything before there was a record. `kubectl edit` is among
/// them only as far as git names the field, or did.
///
/// `kubectl scale`, `label`, `annotate` and `rollout restart` change single fields that no manifest
/// names: they are not among them.
const TAKEN: [&str; 7] = [
    BEFORE_FIRST_APPLY,
    "kubectl",
    CLIENT_SIDE_APPLY,
    "kubectl-create",
    EDIT,
    "kubectl-last-applied",
    "kubectl-replace",
];
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
const CLIENT_SIDE_APPLY: &str = "kubectl-client-side-apply";
const EDIT: &str = "kubectl-edit";

/// The annotation in which kubectl keeps the manifest that it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The fields that the API server allocates or controllers write, so that nobody named them even
/// where `before-first-apply` owns them.
const ALLOCATED: &[&[&str]] = &[
    &["metadata", "finalizers"],
    &["metadata", "ownerReferences"],
    &["secrets"],
    &["spec", "claimRef"],
    &["spec", "clusterIP"],
    &["spec", "clusterIPs"],
    &["spec", "finalizers"],
    &["spec", "healthCheckNodePort"],
    &["spec", "ipFamilies"],
    &["spec", "ipFamilyPolicy"],
    &["spec", "nodeName"],
    &["spec", "volumeName"],
];

/// The two names of a pod's service account: the old one, and the one that counts.
const ACCOUNT: [&str; 2] = ["serviceAccount", "serviceAccountName"];

/// The owners of the fields of a live object, as they are and as they are to be.
pub(super) struct Ownership<'a> {
    live: &'a Value,
    builtin: bool,
    /// `true` if a field with its default comes back when it is removed.
    has_defaults: bool,
    /// The fields of our own entry, and of those whose fields become ours.
    ours: Map<String, Value>,
    /// The fields that become ours.
    taken: Map<String, Value>,
    /// The entries of everybody else, as they will be.
    others: Vec<Value>,
    /// Our own entry, without its fields.
    entry: Value,
    /// `true` if entries have to be rewritten for an apply to be possible at all.
    is_stale: bool,
    /// `true` if a field of ours is to be nobody's.
    is_disowned: bool,
}

/// The kind of an object, as far as its managed fields need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct KindOf<'a> {
    /// The API group.
    pub(super) group: &'a str,
    /// The `apiVersion` in which it is applied.
    pub(super) api_version: &'a str,
    /// `true` if the API server fills in what nobody names.
    pub(super) has_defaults: bool,
    /// The versions that the cluster serves; `None` if that is not known.
    pub(super) served: Option<&'a BTreeSet<String>>,
}

impl KindOf<'_> {
    /// Returns `true` if nothing of this kind can be converted to a version any more.
    fn is_gone(self, api_version: &str) -> bool {
        self.served.is_some_and(|served| !served.contains(api_version))
    }
}

/// The fields that git names, or named.
struct Named<'a> {
    /// The fields of our own entry.
    own: Option<&'a Map<String, Value>>,
    sent: &'a Value,
    /// The fields that git has dropped.
    released: Vec<FieldPath>,
}

impl Named<'_> {
    fn covers(&self, path: &FieldPath) -> bool {
        self.own.is_some_and(|own| fields::holds(own, path))
            || path.get(self.sent).is_some()
            || self.released.iter().any(|released| released.contains(path))
    }
}

impl<'a> Ownership<'a> {
    /// Reads the managed fields of an object that is to become `sent`.
    ///
    /// `left` are fields that git does not decide. With `adopts`, what was edited by hand becomes
    /// ours, too; in an object that is ours already, only where git names the field, or did.
    pub(super) fn new(
        live: &'a Value,
        kind: KindOf<'_>,
        sent: &Value,
        left: &BTreeSet<FieldPath>,
        adopts: bool,
    ) -> Self {
        let builtin = is_builtin_group(kind.group);
        let mut ownership = Self {
            live,
            builtin,
            has_defaults: builtin && kind.has_defaults,
            ours: Map::new(),
            taken: Map::new(),
            others: Vec::new(),
            entry: json!({
                "manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": kind.api_version,
                "fieldsType": "FieldsV1"}),
            is_stale: false,
            is_disowned: false,
        };
        let entries = || live["metadata"]["managedFields"].as_array().into_iter().flatten();
        let own =
            entries().find(|entry| fields::is_ours(entry)).and_then(|entry| entry["fieldsV1"].as_object());
        let named =
            Named { own, sent, released: own.map_or_else(Vec::new, |own| fields::released(own, sent)) };
        for entry in entries() {
            ownership.read(entry, kind, (!adopts).then_some(&named), sent);
        }
        for path in left.iter().filter(|path| path.get(sent).is_none()) {
            ownership.is_disowned |= remove(&mut ownership.ours, &path.0);
            remove(&mut ownership.taken, &path.0);
        }
        ownership
    }

    fn read(&mut self, entry: &Value, kind: KindOf<'_>, named: Option<&Named<'_>>, sent: &Value) {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let is_stale = kind.is_gone(text("apiVersion"));
        let manager = text("manager");
        let fields = entry.get("fieldsV1").and_then(Value::as_object);
        let mut kept = entry.clone();
        if is_stale {
            self.is_stale = true;
            kept["apiVersion"] = kind.api_version.into();
        }
        match fields {
            Some(fields) if fields::is_ours(entry) => {
                unite(&mut self.ours, fields);
                kept["fieldsV1"].take();
                self.entry = kept;
            }
            Some(fields) if TAKEN.contains(&manager) && text("subresource").is_empty() => {
                let mut fields = fields.clone();
                fields.remove("f:status");
                if manager == BEFORE_FIRST_APPLY {
                    for path in ALLOCATED {
                        remove(&mut fields, &FieldPath::from_fields(path).0);
                    }
                }
                if manager == EDIT {
                    let (takes, leaves) = split(&fields, |path| {
                        // Where git leaves the number to people, a person's number stays.
                        let is_replicas = *path == FieldPath::from_fields(&["spec", "replicas"]);
                        !(is_replicas && path.get(sent).is_none())
                            && named.is_none_or(|named| named.covers(path))
                    });
                    if !leaves.is_empty() {
                        kept["fieldsV1"] = Value::Object(leaves);
                        self.others.push(kept);
                    }
                    fields = takes;
                }
                unite(&mut self.ours, &fields);
                unite(&mut self.taken, &fields);
            }
            _ => self.others.push(kept),
        }
    }

    /// Returns the fields that go away when `sent` is applied, each with the manager that owns it
    /// beside us and keeps it, if there is one.
    ///
    /// With `only_taken`, those of our own entry are left out. Fields that have their default are
    /// left out in any case: they come back.
    pub(super) fn released(
        &self,
        sent: &Value,
        managers: &Managers<'_>,
        only_taken: bool,
    ) -> Vec<(FieldPath, Option<String>)> {
        let tree = if only_taken { &self.taken } else { &self.ours };
        let last_applied = self.last_applied();
        let is_content = |path: &FieldPath, value: &Value| {
            let is_default = self.has_defaults && is_default(path, value);
            let was_named = last_applied.as_ref().is_none_or(|applied| path.get(applied).is_some());
            let only_by_apply = !was_named && managers.is_only_of(path, CLIENT_SIDE_APPLY);
            !(is_default || only_by_apply || is_bookkeeping(path))
        };
        fields::released(tree, sent)
            .into_iter()
            .filter(|path| path.get(self.live).is_some_and(|value| is_content(path, value)))
            .map(|path| {
                let keeper = self.keeper(&path);
                (path, keeper)
            })
            .collect()
    }

    /// Returns what kubectl applied last, if that is on record.
    fn last_applied(&self) -> Option<Value> {
        let text = self.live["metadata"]["annotations"].get(LAST_APPLIED)?.as_str()?;
        serde_json::from_str(text).ok()
    }

    /// Returns the manager that owns a field beside us and keeps it.
    fn keeper(&self, path: &FieldPath) -> Option<String> {
        self.others.iter().find_map(|entry| {
            let fields = entry.get("fieldsV1")?.as_object()?;
            let manager = entry.get("manager").and_then(Value::as_str)?;
            covers(fields, path).then(|| manager.to_owned())
        })
    }

    /// Returns the change of ownership that an apply of `sent` needs; `None` if it needs none.
    ///
    /// `adopts` takes everything over at once; later on, it is done when something would stay
    /// otherwise. `changed` are the fields that differ: what stands beside them is what the API
    /// server may complain of.
    pub(super) fn takeover(
        mut self,
        sent: &Value,
        adopts: bool,
        changed: &BTreeSet<FieldPath>,
    ) -> Option<Takeover> {
        let has_twins = self.own_twins(sent, changed);
        let stays = || fields::released(&self.taken, sent).iter().any(|path| path.get(self.live).is_some());
        let is_needed =
            self.is_stale || self.is_disowned || has_twins || (!self.taken.is_empty() && (adopts || stays()));
        let settled = self.managed_fields(&self.ours, &self.others);
        let if_refused = self.if_refused(sent, changed);
        let before = is_needed.then_some(settled);
        if before.is_none() && if_refused.is_none() {
            return None;
        }
        let resource_version = self.live["metadata"]["resourceVersion"].as_str()?.to_owned();
        let seen = self.live["metadata"]["managedFields"].clone();
        Some(Takeover { resource_version, seen, before, if_refused })
    }

    /// Makes those fields ours that would bring back what git has dropped or changed; returns
    /// whether there are any.
    ///
    /// A service account has two names in a pod. The API server fills in the one that git does not
    /// use, for nobody, and then takes the account from it.
    fn own_twins(&mut self, sent: &Value, changed: &BTreeSet<FieldPath>) -> bool {
        let dropped = fields::released(&self.ours, sent);
        let overruled = changed.iter().filter(|path| path.0.last() == Some(&Elem::Field(ACCOUNT[0].into())));
        let twin = |path: &FieldPath| {
            let [before @ .., Elem::Field(spec), Elem::Field(name)] = &path.0[..] else { return None };
            let other = ACCOUNT.iter().position(|account| account == name).map(|n| ACCOUNT[1 - n])?;
            let elems = [Elem::Field(spec.clone()), Elem::Field(other.to_owned())];
            (spec == "spec").then(|| FieldPath([before, &elems].concat()))
        };
        let is_left = |twin: &FieldPath| {
            self.builtin && twin.get(self.live).is_some() && twin.get(sent).is_none() && !self.is_owned(twin)
        };
        let twins: Vec<FieldPath> =
            dropped.iter().chain(overruled).filter_map(twin).filter(is_left).collect();
        twins.iter().for_each(|twin| insert(&mut self.ours, &twin.0));
        !twins.is_empty()
    }

    fn managed_fields(&self, ours: &Map<String, Value>, others: &[Value]) -> Value {
        let mut entry = self.entry.clone();
        entry["fieldsV1"] = Value::Object(ours.clone());
        others.iter().cloned().chain([entry]).collect()
    }

    /// Returns the ownership with which the API server would take an object that it refuses because
    /// of fields that stand beside those which git changes.
    ///
    /// They are values that nobody owns, and items of lists whose key somebody changed by hand.
    fn if_refused(&self, sent: &Value, changed: &BTreeSet<FieldPath>) -> Option<IfRefused> {
        let mut own = BTreeSet::new();
        let mut strays = BTreeSet::new();
        for path in changed {
            let Some((last, parent)) = path.0.split_last() else { continue };
            let parent = FieldPath(parent.to_vec());
            match last {
                Elem::Field(_) if parent.0.len() > usize::from(self.builtin) => {
                    own.extend(self.nobodys(&parent, sent));
                }
                Elem::Key(keys) => strays.extend(self.renamed(&parent, path, keys, sent)),
                _ => {}
            }
        }
        // What is left of an item of git's when others hold a part of it.
        let dropped = fields::released(&self.ours, sent).into_iter();
        strays.extend(dropped.filter(|path| is_item(path) && self.keeper(path).is_some()));
        if own.is_empty() && strays.is_empty() {
            return None;
        }
        let fields = own.iter().chain(&strays).map(FieldPath::to_string).collect();
        let (mut ours, mut others) = (self.ours.clone(), self.others.clone());
        for path in own.iter().chain(&strays) {
            insert(&mut ours, &path.0);
        }
        for entry in &mut others {
            if let Some(fields) = entry.get_mut("fieldsV1").and_then(Value::as_object_mut) {
                for path in &strays {
                    remove(fields, &path.0);
                }
            }
        }
        others.retain(|entry| entry["fieldsV1"].as_object().is_none_or(|fields| !fields.is_empty()));
        let managed_fields = self.managed_fields(&ours, &others);
        Some(IfRefused { managed_fields, fields })
    }

    /// Returns the fields of an object that git does not name and nobody owns.
    fn nobodys(&self, parent: &FieldPath, sent: &Value) -> Vec<FieldPath> {
        let in_metadata = matches!(parent.0.first(), Some(Elem::Field(name)) if name == "metadata");
        let (Some(Value::Object(live)), false) = (parent.get(self.live), in_metadata) else {
            return Vec::new();
        };
        let named = parent.get(sent);
        let is_named = |name: &String| named.is_some_and(|named| named.get(name).is_some());
        let all =
            live.keys().filter(|name| !is_named(name)).map(|name| parent.join(Elem::Field(name.clone())));
        all.filter(|path| !self.is_owned(path)).collect()
    }

    fn is_owned(&self, path: &FieldPath) -> bool {
        let others = self.others.iter().filter_map(|entry| entry.get("fieldsV1")?.as_object());
        others.chain([&self.ours]).any(|fields| covers(fields, path))
    }

    /// Returns the items of a list that stand for an item of git's under another key: those that
    /// git does not name, that have the same name, or that are the only ones.
    fn renamed(
        &self,
        list: &FieldPath,
        item: &FieldPath,
        keys: &[(String, String)],
        sent: &Value,
    ) -> Vec<FieldPath> {
        let (Some(Value::Array(live)), Some(Value::Array(wanted))) = (list.get(self.live), list.get(sent))
        else {
            return Vec::new();
        };
        if item.get(self.live).is_some() {
            return Vec::new();
        }
        let keys: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
        let name = item.get(sent).and_then(|item| item.get("name"));
        let named: Vec<Elem> = wanted.iter().filter_map(|item| Elem::key_of(item, &keys)).collect();
        let is_other = |item: &Value| !named.iter().any(|elem| elem.names(item));
        let alone = live.len() == 1 && wanted.len() == 1;
        live.iter()
            .filter(|live| is_other(live) && (alone || (name.is_some() && live.get("name") == name)))
            .filter_map(|live| Some(list.join(Elem::key_of(live, &keys)?)))
            .collect()
    }
}

/// Returns `true` if a path leads to an item of a list.
pub(super) fn is_item(path: &FieldPath) -> bool {
    matches!(path.0.last(), Some(Elem::Key(_) | Elem::Value(_)))
}

/// Returns `true` if a field is kubectl's record of what it applied: no content.
fn is_bookkeeping(path: &FieldPath) -> bool {
    *path == FieldPath::from_fields(&["metadata", "annotations", LAST_APPLIED])
}

#[cfg(test)]
mod tests;

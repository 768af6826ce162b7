//! The objects of a cluster in memory, and what happens to them as a server would do it.

use std::{
    collections::BTreeMap,
    task::{Context, Poll, Waker},
};

use serde_json::Value;

use super::merge;
use crate::{
    backend::{KindInfo, Wanted},
    manifest::ResourceId,
    object::Object,
    schema::lists::Schema,
    sync::{Action, Reason, Step, StepOutcome, Takeover, kinds, object},
};

/// The namespace of objects that name none.
pub(super) const DEFAULT_NAMESPACE: &str = "default";

/// The failure of a step whose object is no longer what was planned for.
const CHANGED: &str = "it has changed since it was looked at; the next sync looks again";

/// The objects of a cluster.
#[derive(Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<ResourceId, Value>,
    /// The objects as they were shown last: those that have not changed since are the same.
    shown: BTreeMap<ResourceId, Object>,
    /// The last resource version given.
    pub(super) version: u64,
    /// `true` if something was changed by hand since it was last asked for.
    pub(super) is_edited: bool,
    /// How often anything was changed, by hand or by a sync.
    pub(super) changes: u64,
    /// Those who wait for either.
    pub(super) waiting: Vec<Waker>,
}

impl State {
    /// Returns the kinds that the definitions in the cluster define.
    pub(super) fn defined(&self) -> BTreeMap<(String, String), KindInfo> {
        self.objects.values().flat_map(kinds::defined_by).collect()
    }

    /// Returns the id under which an object is kept; in words, why it cannot be.
    pub(super) fn identify(&self, object: &Value) -> Result<ResourceId, String> {
        let written = object::id_of(object).ok_or("it needs apiVersion, kind and metadata.name")?;
        let kind = (text(object, "apiVersion").to_owned(), written.kind().to_owned());
        let known = kinds::builtin(&kind.0, &kind.1).or_else(|| self.defined().get(&kind).copied());
        let Some(known) = known else {
            return Err(format!("the cluster has no kind {} in {}", kind.1, kind.0));
        };
        if !is_name(&written) {
            return Err(format!(
                "metadata.name: {:?} must consist of lower case alphanumeric characters, '-' or '.'",
                written.name()
            ));
        }
        Ok(resolve(&written, Some(known)))
    }

    /// Takes note of a change by hand.
    pub(super) fn edited(&mut self) {
        self.is_edited = true;
        self.changed();
    }

    fn changed(&mut self) {
        self.changes += 1;
        self.waiting.drain(..).for_each(Waker::wake);
    }

    /// Is ready when anything has changed since the number `since`; the first is 1.
    pub(super) fn poll_changed(&mut self, since: u64, context: &mut Context<'_>) -> Poll<u64> {
        let now = self.changes + 1;
        if now != since {
            return Poll::Ready(now);
        }
        self.waiting.push(context.waker().clone());
        Poll::Pending
    }

    /// Gives every object what a server would have given it.
    pub(super) fn complete(&mut self) {
        let incomplete = |object: &Value| {
            let has = |key| object["metadata"].get(key).is_some_and(|v| !v.is_null());
            !(has("uid") && has("resourceVersion") && has("generation"))
        };
        let ids: Vec<ResourceId> =
            self.objects.iter().filter(|(_, object)| incomplete(object)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.version += 1;
            let version = self.version;
            if let Some(metadata) = self.objects.get_mut(&id).and_then(|o| o.get_mut("metadata")) {
                stamp(metadata, version, 1);
            }
        }
    }

    /// Keeps an object.
    ///
    /// If its content is what it was, nothing changes, not even the resource version.
    pub(super) fn put(&mut self, id: &ResourceId, mut object: Value) {
        let live = self.objects.get(id);
        if live == Some(&object) {
            return;
        }
        let generation = live.map_or(0, |live| live["metadata"]["generation"].as_i64().unwrap_or(0));
        let respecified = live.is_none_or(|live| spec_of(live) != spec_of(&object));
        let stale = live.is_some_and(|live| respecified && live.get("status") == object.get("status"));
        if let (true, Some(fields)) = (stale, object.as_object_mut()) {
            // No controller here would ever catch up.
            if fields.get("status").is_some_and(|status| status.get("observedGeneration").is_some()) {
                fields.remove("status");
            }
        }
        self.version += 1;
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("resourceVersion");
            metadata.insert("generation".to_owned(), (generation + i64::from(respecified)).into());
        }
        if let Some(metadata) = object.get_mut("metadata") {
            stamp(metadata, self.version, 1);
        }
        self.objects.insert(id.clone(), object);
        self.changed();
    }

    pub(super) fn apply(&mut self, desired: &Value) -> Result<(), String> {
        let id = self.identify(desired)?;
        let mut object = merge::apply(self.objects.get(&id), desired, Schema::of_group(id.group()));
        set_namespace(&mut object, &id);
        self.put(&id, object);
        Ok(())
    }

    /// Lets fields change hands, if the object still is what was seen.
    fn take_over(&mut self, id: &ResourceId, takeover: Option<&Takeover>) -> Result<(), String> {
        let Some(takeover) = takeover else { return Ok(()) };
        let Some(live) = self.objects.get_mut(id) else { return Ok(()) };
        if text(&live["metadata"], "resourceVersion") != takeover.resource_version {
            return Err(CHANGED.to_owned());
        }
        if let Some(fields) = &takeover.before {
            live["metadata"]["managedFields"] = fields.clone();
        }
        Ok(())
    }

    /// Deletes an object if it still is what was seen; one that is gone is as good as deleted.
    fn prune(&mut self, id: &ResourceId, uid: Option<&str>, version: Option<&str>) -> Result<(), String> {
        let Some(live) = self.objects.get(id) else { return Ok(()) };
        let is = |key, seen: Option<&str>| seen.is_none_or(|seen| text(&live["metadata"], key) == seen);
        if !(is("uid", uid) && is("resourceVersion", version)) {
            return Err(CHANGED.to_owned());
        }
        self.objects.remove(id);
        self.changed();
        Ok(())
    }

    /// Shows objects, each once.
    pub(super) fn show(&mut self, ids: impl IntoIterator<Item = ResourceId>) -> BTreeMap<ResourceId, Object> {
        let mut shown = BTreeMap::new();
        for id in ids {
            let Some(value) = self.objects.get(&id) else { continue };
            let now = Object::from(value);
            let before = self.shown.remove(&id).filter(|before| before.text() == now.text());
            shown.insert(id, before.unwrap_or(now));
        }
        self.shown.clone_from(&shown);
        shown
    }

    pub(super) fn carry_out(&mut self, step: &Step) -> StepOutcome {
        let done = match &step.action {
            Action::Create { object, .. } => self.apply(&object.value()),
            Action::Apply { object, options, .. } => {
                self.take_over(&step.id, options.takeover.as_ref()).and_then(|()| self.apply(&object.value()))
            }
            Action::Prune { uid, resource_version, .. } => {
                self.prune(&step.id, uid.as_deref(), resource_version.as_deref())
            }
            Action::Leave | Action::Skip | Action::Fail => Ok(()),
        };
        let done =
            done.and_then(|()| step.record.as_ref().map_or(Ok(()), |record| self.apply(&record.value())));
        match done {
            Ok(()) => step.done(),
            Err(problem) => step.failed(Reason::Rejected, problem),
        }
    }

    pub(super) fn is_wanted(
        &self,
        wanted: &Wanted,
        default_namespace: &str,
    ) -> impl Iterator<Item = &ResourceId> {
        let namespace = wanted.id.namespace().unwrap_or(default_namespace);
        let ids = [Some(namespace), None].map(|namespace| wanted.id.in_namespace(namespace));
        ids.into_iter().filter_map(|id| Some(self.objects.get_key_value(&id)?.0))
    }
}

pub(super) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object::text(object, key).unwrap_or_default()
}

/// Returns the id with the namespace that its kind asks for; an unknown kind keeps what is written.
pub(super) fn resolve(written: &ResourceId, known: Option<KindInfo>) -> ResourceId {
    let namespace = match known {
        Some(KindInfo { namespaced: true }) => Some(written.namespace().unwrap_or(DEFAULT_NAMESPACE)),
        Some(KindInfo { namespaced: false }) => None,
        None => written.namespace(),
    };
    written.in_namespace(namespace)
}

pub(super) fn set_namespace(object: &mut Value, id: &ResourceId) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    match id.namespace() {
        Some(namespace) => metadata.insert("namespace".to_owned(), namespace.into()),
        None => metadata.remove("namespace"),
    };
}

/// Gives metadata a uid, a resource version and a generation where it has none.
fn stamp(metadata: &mut Value, version: u64, generation: i64) {
    let Some(metadata) = metadata.as_object_mut() else { return };
    let mut default = |key: &str, value: Value| {
        if metadata.get(key).is_none_or(Value::is_null) {
            metadata.insert(key.to_owned(), value);
        }
    };
    default("uid", format!("00000000-0000-4000-8000-{version:012x}").into());
    default("resourceVersion", version.to_string().into());
    default("generation", generation.into());
}

/// Returns the fields whose changes an object's generation counts.
fn spec_of(object: &Value) -> Vec<(&String, &Value)> {
    let fields = object.as_object().into_iter().flatten();
    fields.filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status")).collect()
}

/// Returns `true` if the API server would take the name: access rules have freer ones.
fn is_name(id: &ResourceId) -> bool {
    let free = id.group() == "rbac.authorization.k8s.io";
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    free || (id.name().len() <= 253
        && edge(id.name().chars().next())
        && edge(id.name().chars().next_back())
        && id.name().chars().all(inner))
}

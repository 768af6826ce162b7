//! [`MemoryCluster`]: a [`Cluster`] in memory.

mod merge;
mod state;
mod workloads;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, future,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{
    backend::{
        Cluster, ClusterWorkload, Error, Fidelity, Observation, Observed, Pod, PodQuery, Progress, Result,
        Scope,
    },
    manifest::ResourceId,
    schema::lists::Schema,
    sync::{AUTOSCALERS, MARK_LABEL, SyncPlan, SyncReport, kinds, object},
};

use merge::Manager;
use state::{State, resolve, set_namespace, text};

const AUTHORITY: &str = "memory";

/// A [`Cluster`] in memory: a model of server-side apply, with the ownership of fields, uids and
/// resource versions.
///
/// It knows the built-in kinds, and those that a CustomResourceDefinition in it defines. It has no
/// controllers: a workload without a status counts as rolled out, and one whose spec changes loses
/// its status. Every namespace is taken to exist. There is no clock in it: no `creationTimestamp`,
/// no times of managed fields.
///
/// Values are kept as they are sent ([`Fidelity::Exact`]), so that an object that was written to a
/// file and changed there by hand is seen to differ, although the record of who set what still says
/// otherwise.
///
/// ```
/// use flux_core::memory::MemoryCluster;
/// use serde_json::json;
///
/// let cluster = MemoryCluster::from_objects(vec![
///     json!({"apiVersion": "v1", "kind": "ConfigMap",
///         "metadata": {"name": "settings"}, "data": {"colour": "blue"}}),
/// ])?;
/// assert_eq!(cluster.objects()[0]["metadata"]["namespace"], "default");
/// # Ok::<(), flux_core::backend::Error>(())
/// ```
#[derive(Default)]
pub struct MemoryCluster {
    state: Mutex<State>,
}

impl fmt::Debug for MemoryCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCluster").field("objects", &self.state().objects.keys()).finish()
    }
}

impl MemoryCluster {
    /// Returns an empty cluster.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a cluster that holds these objects, as `kubectl get -o yaml` prints them; lists
    /// stand for their items.
    ///
    /// Fields that a server would have set (namespace, uid, resource version, generation) may be
    /// missing and are made up.
    ///
    /// # Errors
    /// [`Invalid`](crate::backend::ErrorKind::Invalid) if one of them has no `apiVersion`, `kind`
    /// or name, or if two have the same id.
    pub fn from_objects(objects: Vec<Value>) -> Result<Self> {
        let mut flat = Vec::new();
        for object in objects {
            flatten(object, &mut flat);
        }
        let defined: BTreeMap<_, _> = flat.iter().flat_map(kinds::defined_by).collect();
        let mut state = State::default();
        for (n, mut object) in flat.into_iter().enumerate() {
            let written = object::id_of(&object).ok_or_else(|| {
                let subject = format!("object {}", n + 1);
                let text = format!("{subject} of the cluster needs apiVersion, kind and metadata.name");
                Error::invalid(subject, text)
            })?;
            let kind = (text(&object, "apiVersion").to_owned(), written.kind().to_owned());
            let known = kinds::builtin(&kind.0, &kind.1).or_else(|| defined.get(&kind).copied());
            let id = resolve(&written, known);
            set_namespace(&mut object, &id);
            let version = text(&object["metadata"], "resourceVersion").parse().unwrap_or(0);
            state.version = state.version.max(version);
            if state.objects.insert(id.clone(), object).is_some() {
                return Err(Error::invalid(&id, format!("the cluster has {id} twice: remove one")));
            }
        }
        state.complete();
        Ok(Self { state: Mutex::new(state) })
    }

    /// Returns all objects, sorted by id, with their managed fields: what
    /// [`from_objects`](Self::from_objects) takes.
    pub fn objects(&self) -> Vec<Value> {
        self.state().objects.values().cloned().collect()
    }

    /// One object.
    pub fn get(&self, id: &ResourceId) -> Option<Value> {
        self.state().objects.get(id).cloned()
    }

    /// Adds an object by hand, as `kubectl create` does.
    ///
    /// # Errors
    /// [`Invalid`](crate::backend::ErrorKind::Invalid) if it is no object, is of an unknown kind,
    /// or is there already.
    pub fn create(&self, object: Value) -> Result<ResourceId> {
        let mut state = self.state();
        let id = state.identify(&object).map_err(|why| Error::invalid("the object", why))?;
        if state.objects.contains_key(&id) {
            return Err(Error::invalid(&id, format!("{id} is there already")));
        }
        let mut object = object;
        set_namespace(&mut object, &id);
        let empty = json!({"apiVersion": object["apiVersion"]});
        let manager = Manager::updates("kubectl-create", None);
        let made = merge::edit(&empty, object, manager, Schema::of_group(id.group()));
        state.put(&id, made);
        state.edited();
        Ok(id)
    }

    /// Changes an object by hand, as `kubectl edit` does: the fields that change change hands.
    ///
    /// # Errors
    /// [`NotFound`](crate::backend::ErrorKind::NotFound) if it is not there.
    pub fn edit(&self, id: &ResourceId, edit: impl FnOnce(&mut Value)) -> Result<()> {
        self.edit_as("kubectl-edit", None, id, edit)
    }

    /// Changes an object as some manager, perhaps through a subresource: an autoscaler goes through
    /// `scale`.
    ///
    /// # Errors
    /// [`NotFound`](crate::backend::ErrorKind::NotFound) if it is not there.
    pub fn edit_as(
        &self,
        manager: &str,
        subresource: Option<&str>,
        id: &ResourceId,
        edit: impl FnOnce(&mut Value),
    ) -> Result<()> {
        let mut state = self.state();
        let live = state
            .objects
            .get(id)
            .ok_or_else(|| Error::not_found(id, format!("{id} is not in the cluster")))?;
        let mut edited = live.clone();
        edit(&mut edited);
        keep_server_metadata(&mut edited, live, id);
        let manager = Manager::updates(manager, subresource);
        let edited = merge::edit(live, edited, manager, Schema::of_group(id.group()));
        state.put(id, edited);
        state.edited();
        Ok(())
    }

    /// Deletes an object; returns whether it was there.
    pub fn delete(&self, id: &ResourceId) -> bool {
        let mut state = self.state();
        let was_there = state.objects.remove(id).is_some();
        state.edited();
        was_there
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Cluster for MemoryCluster {
    async fn observe(&self, scope: &Scope) -> Result<Observation<Observed>> {
        let mut state = self.state();
        let marked = state.objects.iter().filter(|(_, o)| o["metadata"]["labels"].get(MARK_LABEL).is_some());
        let mut ids: Vec<&ResourceId> = marked.map(|(id, _)| id).collect();
        ids.extend(state.objects.keys().filter(|id| AUTOSCALERS.contains(&(id.group(), id.kind()))));
        ids.extend(scope.wanted.iter().flat_map(|wanted| state.is_wanted(wanted, scope.default_namespace())));
        let ids: BTreeSet<ResourceId> = ids.into_iter().cloned().collect();
        let mut kinds = state.defined();
        for wanted in &scope.wanted {
            if let Some(info) = kinds::builtin(wanted.api_version.as_str(), wanted.id.kind()) {
                kinds.insert((wanted.api_version.to_string(), wanted.id.kind().to_owned()), info);
            }
        }
        let observed = Observed {
            objects: state.show(ids),
            kinds,
            default_namespace: scope.default_namespace().to_owned(),
            fidelity: Fidelity::Exact,
            version: Some(state.changes),
            has_controllers: false,
            ..Observed::default()
        };
        Ok(Observation::complete(observed, AUTHORITY))
    }

    async fn apply(&self, plan: &SyncPlan, progress: &dyn Progress) -> Result<SyncReport> {
        let mut outcomes = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let outcome = self.state().carry_out(step);
            progress.resource(&outcome.report);
            outcomes.push(outcome);
        }
        Ok(plan.report(outcomes))
    }

    fn has_changed_since(&self, version: u64) -> bool {
        self.state().changes != version
    }

    async fn changed(&self) {
        let edited = |context: &mut Context<'_>| {
            let mut state = self.state();
            if std::mem::take(&mut state.is_edited) {
                return Poll::Ready(());
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        };
        future::poll_fn(edited).await;
    }

    async fn status_changed(&self, since: u64) -> u64 {
        future::poll_fn(|context| self.state().poll_changed(since, context)).await
    }

    async fn pods(&self, query: &PodQuery) -> Result<Observation<Vec<Pod>>> {
        let state = self.state();
        let is_asked_for = |id: &ResourceId, object: &Value| {
            id.group().is_empty()
                && id.kind() == "Pod"
                && id.namespace() == Some(&*query.namespace)
                && query.selector.matches(&object["metadata"]["labels"])
        };
        let pods = state.objects.iter().filter(|(id, object)| is_asked_for(id, object));
        Ok(Observation::complete(pods.map(|(_, object)| Pod::of(object)).collect(), AUTHORITY))
    }

    async fn workloads(&self, namespace: Option<&str>) -> Result<Observation<Vec<ClusterWorkload>>> {
        let state = self.state();
        let within = |id: &ResourceId| namespace.is_none_or(|namespace| id.namespace() == Some(namespace));
        let workloads = state
            .objects
            .iter()
            .filter(|(id, _)| within(id))
            .filter_map(|(id, object)| workloads::workload(id, object));
        Ok(Observation::complete(workloads.collect(), AUTHORITY))
    }
}

/// The items of a list, or the object itself.
fn flatten(mut object: Value, out: &mut Vec<Value>) {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match object.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if is_list => items.into_iter().for_each(|item| flatten(item, out)),
        Some(other) => {
            object["items"] = other;
            out.push(object);
        }
        None => out.push(object),
    }
}

/// Undoes what an edit did to the object's identity and to what only the server writes.
fn keep_server_metadata(edited: &mut Value, live: &Value, id: &ResourceId) {
    if !edited.is_object() || !edited["metadata"].is_object() {
        *edited = live.clone();
    }
    for key in ["apiVersion", "kind"] {
        edited[key] = live[key].clone();
    }
    edited["metadata"]["name"] = live["metadata"]["name"].clone();
    set_namespace(edited, id);
    for key in object::SERVER_METADATA {
        match live["metadata"].get(key) {
            Some(value) => edited["metadata"][key] = value.clone(),
            None => {
                if let Some(metadata) = edited["metadata"].as_object_mut() {
                    metadata.remove(*key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

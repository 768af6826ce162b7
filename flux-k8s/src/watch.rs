//! One watch: a task that keeps a [`Store`] equal to the server, and says how well that goes.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt as _, future::join_all};
use kube::{
    Api,
    api::ListParams,
    core::ApiResource,
    runtime::{
        utils::Backoff as _,
        watcher::{Config, DefaultBackoff, Error, Event, watcher},
    },
};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use flux_core::{
    Object,
    manifest::ResourceId,
    sync::{self, MARK_LABEL},
};

use crate::{
    changes::Changes,
    failure::{Failure, FailureKind},
    http::Http,
    raw::{RawObject, typed},
    store::Store,
    workload,
};

/// The server ends a watch after this many seconds, and it is taken up again; a connection that
/// died without a word is noticed as soon.
const TERM: u32 = 120;
/// How long a first list may take before the watch counts as failed for now.
const FIRST_LIST: Duration = Duration::from_secs(8);
/// After this time a first failure is not waited out.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a watch that fails is given to recover when it is needed.
const RECOVERY: Duration = Duration::from_secs(2);
/// A watch that is taken up again and does not fail for so long goes well.
const QUIET: Duration = Duration::from_millis(500);
/// How often a watch that is forbidden is tried again.
const FORBIDDEN_PAUSE: Duration = Duration::from_secs(60);

/// Which objects of a kind are watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Selection {
    /// All of a namespace or of all namespaces that carry the mark.
    Marked {
        /// The namespace.
        namespace: Option<String>,
    },
    /// All of a namespace or of all namespaces: autoscalers, which are of interest whoever made
    /// them.
    Autoscalers {
        /// The namespace.
        namespace: Option<String>,
    },
    /// All of a namespace, or of the cluster for a kind without namespaces.
    All {
        /// The namespace.
        namespace: Option<String>,
    },
    /// One.
    Named {
        /// Its namespace.
        namespace: Option<String>,
        /// Its name.
        name: String,
    },
    /// All of a namespace or of all namespaces, without what the list of workloads does not need.
    Workloads {
        /// The namespace.
        namespace: Option<String>,
    },
}

/// A watch's identity: `apiVersion`, `kind`, which of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatchKey {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) selection: Selection,
}

impl WatchKey {
    pub(crate) fn new(resource: &ApiResource, selection: Selection) -> Self {
        Self { api_version: resource.api_version.clone(), kind: resource.kind.clone(), selection }
    }

    /// Returns the name of the kind in messages.
    pub(crate) fn name(&self) -> String {
        format!("{} ({})", self.kind, self.api_version)
    }

    /// Returns the group and the kind.
    pub(crate) fn group_kind(&self) -> (String, String) {
        (self.group().to_owned(), self.kind.clone())
    }

    /// Returns `true` if it selects what carries the mark.
    pub(crate) fn is_of_marked(&self) -> bool {
        matches!(self.selection, Selection::Marked { .. })
    }

    /// The API group.
    pub(crate) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Returns `true` if an object that has this kind is among those watched.
    fn covers(&self, object: &Object) -> bool {
        let is_in = |namespace: &Option<String>| {
            namespace.as_deref().is_none_or(|namespace| object.namespace() == Some(namespace))
        };
        match &self.selection {
            Selection::Marked { namespace } => is_in(namespace) && sync::is_marked(object),
            Selection::All { namespace } => object.namespace() == namespace.as_deref(),
            Selection::Workloads { namespace } | Selection::Autoscalers { namespace } => is_in(namespace),
            Selection::Named { namespace, name } => {
                object.namespace() == namespace.as_deref() && object.name() == name
            }
        }
    }

    fn slim(&self, object: Object) -> Object {
        match self.selection {
            Selection::Workloads { .. } => workload::slim(&object),
            _ => object,
        }
    }
}

/// How well a watch goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// `true` if there has been a complete list.
    pub(crate) synced: bool,
    /// Since when it fails, if it does.
    pub(crate) broken: Option<Broken>,
}

/// A watch that fails.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) since: Instant,
    pub(crate) failure: Failure,
    /// How many times in a row.
    times: u32,
}

impl Health {
    /// Returns `true` if there has been a list, and the watch after it has failed.
    fn is_resuming(&self) -> bool {
        self.synced && self.broken.is_some()
    }

    /// Returns `true` if waiting a little longer for a first list is of no use.
    fn is_settled(&self, began: Instant) -> bool {
        self.synced
            || self.broken.as_ref().is_some_and(|broken| {
                !broken.failure.is_passing() || broken.times >= 3 || began.elapsed() > PATIENCE
            })
    }
}

/// A running watch. Dropping it ends its task. No `Debug`, here and below: among the objects are
/// Secrets.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    began: Instant,
    task: AbortHandle,
}

struct Shared {
    key: WatchKey,
    /// Is told of changes.
    changes: Arc<Changes>,
    store: Mutex<Store>,
    health: watch::Sender<Health>,
    /// Wakes the task from its pause between tries.
    kick: Notify,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    fn start(http: &Http, resource: &ApiResource, key: WatchKey, changes: Arc<Changes>) -> Self {
        let api = |namespace: &Option<String>| match namespace {
            Some(namespace) => Api::namespaced_with(http.client.clone(), namespace, resource),
            None => Api::all_with(http.client.clone(), resource),
        };
        let config = Config::default().timeout(TERM);
        let (api, config): (Api<RawObject>, _) = match &key.selection {
            Selection::Marked { namespace } => (api(namespace), config.labels(MARK_LABEL)),
            Selection::All { namespace }
            | Selection::Workloads { namespace }
            | Selection::Autoscalers { namespace } => (api(namespace), config),
            Selection::Named { namespace, name } => {
                (api(namespace), config.fields(&format!("metadata.name={name}")))
            }
        };
        let shared = Arc::new(Shared {
            key,
            changes,
            store: Mutex::default(),
            health: watch::Sender::default(),
            kick: Notify::new(),
        });
        let task = tokio::spawn(shared.clone().run(api, config, resource.clone())).abort_handle();
        Self { shared, began: Instant::now(), task }
    }

    /// Waits until there is a complete list, or it is clear that there will not be one soon.
    async fn settled(&self) -> Health {
        let mut health = self.shared.health.subscribe();
        let wait = async {
            loop {
                let now = health.borrow_and_update().clone();
                if now.is_settled(self.began) || health.changed().await.is_err() {
                    return now;
                }
            }
        };
        match timeout(FIRST_LIST, wait).await {
            Ok(health) => health,
            Err(_) => {
                let mut health = self.health();
                if !health.synced && health.broken.is_none() {
                    let failure = Failure::new(FailureKind::Silent, format!("no list within {FIRST_LIST:?}"));
                    health.broken = Some(Broken { since: self.began, failure, times: 1 });
                }
                health
            }
        }
    }

    fn health(&self) -> Health {
        self.shared.health.borrow().clone()
    }

    /// Tries a failing watch again now, and waits up to `wait` for it to go well.
    async fn retry(&self, wait: Duration) -> Health {
        let mut health = self.shared.health.subscribe();
        self.shared.kick.notify_one();
        let well = health.wait_for(|health| health.broken.is_none());
        let _ = timeout(wait, well).await;
        self.health()
    }

    /// Reads the store.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&mut Store) -> T) -> T {
        self.shared.with(read)
    }

    /// Takes in an object that we applied, if it is among those watched.
    pub(crate) fn we_applied(&self, object: &Object) {
        if self.shared.key.covers(object) {
            let object = self.shared.key.slim(object.clone());
            self.with(|store| store.we_applied(object));
            self.shared.changes.shows_else();
        }
    }

    /// Takes in that we deleted the object of a uid.
    pub(crate) fn we_deleted(&self, key: &ResourceId, uid: &str) {
        self.with(|store| store.we_deleted(key.clone(), uid));
        self.shared.changes.shows_else();
    }
}

impl Shared {
    fn with<T>(&self, f: impl FnOnce(&mut Store) -> T) -> T {
        // No code that can panic runs under the lock.
        f(&mut self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn run(self: Arc<Self>, api: Api<RawObject>, config: Config, resource: ApiResource) {
        let mut backoff = DefaultBackoff::default();
        // After a failure it is polled on: it takes the watch up where it was, and lists again only
        // if the server no longer has that version.
        let mut events = pin!(watcher(api.clone(), config));
        let mut listing = false;
        loop {
            let is_resuming = !listing && self.health.borrow().is_resuming();
            let next =
                if is_resuming { timeout(QUIET, events.next()).await } else { Ok(events.next().await) };
            let failure = match next {
                Ok(Some(Ok(event))) => {
                    listing = matches!(event, Event::Init | Event::InitApply(_));
                    if self.take(event, &resource) {
                        backoff.reset();
                    }
                    continue;
                }
                Ok(Some(Err(error))) => failure_of(&error),
                Ok(None) => return,
                // A watch that is taken up again says nothing until something changes.
                Err(_) => match proof_of_life(&api).await {
                    Ok(()) => {
                        self.recovered();
                        backoff.reset();
                        continue;
                    }
                    Err(failure) => failure,
                },
            };
            let pause = if failure.kind == FailureKind::Forbidden { None } else { backoff.next() };
            // An expired version is the watch's ordinary way to ask for a new list.
            if failure.kind != FailureKind::Gone {
                self.failed(failure);
            }
            tokio::select! {
                () = sleep(pause.unwrap_or(FORBIDDEN_PAUSE)) => {}
                () = self.kick.notified() => {}
            }
        }
    }

    /// Says that something has changed, and if it was by others, where that may have to be undone.
    fn report(&self, by_others: bool) {
        if !matches!(self.key.selection, Selection::Workloads { .. }) {
            self.changes.report(by_others);
        }
    }

    fn failed(&self, failure: Failure) {
        tracing::debug!(kind = %self.key.kind, reason = %failure.message, "a watch failed");
        self.health.send_modify(|health| {
            let (since, times) = match &health.broken {
                Some(broken) => (broken.since, broken.times + 1),
                None => (Instant::now(), 1),
            };
            health.broken = Some(Broken { since, failure, times });
        });
        // Behind it: who looks in between must not take the watch for a sound one for ever.
        self.changes.shows_else();
    }

    fn recovered(&self) {
        if self.health.send_if_modified(|health| health.broken.take().is_some()) {
            self.changes.shows_else();
        }
    }

    /// Takes in an event; returns whether a list was completed with it.
    fn take(&self, event: Event<RawObject>, resource: &ApiResource) -> bool {
        let whole = |live: RawObject| self.key.slim(typed(live.object().clone(), resource));
        match event {
            Event::Init => self.with(Store::list_begins),
            Event::InitApply(live) => {
                let object = whole(live);
                self.with(|store| store.listed(object));
            }
            Event::Apply(live) => {
                let object = whole(live);
                self.report(self.with(|store| store.observed(object)));
                self.recovered();
            }
            Event::Delete(live) => {
                self.report(self.with(|store| store.gone(live.object())));
                self.recovered();
            }
            Event::InitDone => {
                self.with(Store::list_ends);
                self.report(false);
                self.health.send_replace(Health { synced: true, broken: None });
                self.changes.shows_else();
                return true;
            }
        }
        false
    }
}

/// Sees that the server answers for a kind.
async fn proof_of_life(api: &Api<RawObject>) -> Result<(), Failure> {
    match timeout(FIRST_LIST, api.list_metadata(&ListParams::default().limit(1))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failure::from_kube(&error)),
        Err(_) => Err(Failure::new(FailureKind::Silent, format!("no answer within {FIRST_LIST:?}"))),
    }
}

fn failure_of(error: &Error) -> Failure {
    match error {
        Error::InitialListFailed(e) | Error::WatchStartFailed(e) | Error::WatchFailed(e) => {
            Failure::from_kube(e)
        }
        Error::WatchError(status) => Failure::from_status(status),
        Error::NoResourceVersion => {
            Failure::new(FailureKind::Garbled, "an object without a resource version")
        }
    }
}

/// How watches go, once they have their lists or have been given the time for it.
///
/// # Errors
/// The first failure, if there is nothing from any of them and that is not for want of rights: the
/// server is out of order, not one kind.
pub(crate) async fn healths(
    watches: Vec<(WatchKey, Arc<Watch>)>,
) -> Result<Vec<(WatchKey, Health)>, Failure> {
    let healths = join_all(watches.into_iter().map(|(key, watch)| async move {
        let health = recovered(&watch).await;
        (key, health)
    }))
    .await;
    if healths.iter().all(|(_, health)| !health.synced) {
        let failures = healths.iter().filter_map(|(_, health)| health.broken.as_ref());
        let mut of_server = failures
            .map(|b| &b.failure)
            .filter(|f| !matches!(f.kind, FailureKind::Forbidden | FailureKind::NotFound));
        if let Some(failure) = of_server.next() {
            return Err(failure.clone());
        }
    }
    Ok(healths)
}

/// How a watch goes, after a chance to recover if it went well once and fails now.
pub(crate) async fn recovered(watch: &Watch) -> Health {
    let health = watch.settled().await;
    match &health.broken {
        Some(broken) if broken.failure.is_passing() && health.synced => watch.retry(RECOVERY).await,
        _ => health,
    }
}

/// All watches of a cluster.
#[derive(Default)]
pub(crate) struct Watches {
    running: Mutex<BTreeMap<WatchKey, Arc<Watch>>>,
    pub(crate) changes: Arc<Changes>,
}

impl Watches {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<WatchKey, Arc<Watch>>) -> T) -> T {
        // No code that can panic runs under the lock.
        f(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The watch, started if it is not running.
    pub(crate) fn start(&self, http: &Http, resource: &ApiResource, selection: Selection) -> Arc<Watch> {
        let key = WatchKey::new(resource, selection);
        self.with(|watches| {
            watches
                .entry(key)
                .or_insert_with_key(|key| {
                    self.changes.shows_else();
                    Arc::new(Watch::start(http, resource, key.clone(), self.changes.clone()))
                })
                .clone()
        })
    }

    /// The watch, if it is running.
    pub(crate) fn get(&self, key: &WatchKey) -> Option<Arc<Watch>> {
        self.with(|watches| watches.get(key).cloned())
    }

    /// The running watches that fit.
    pub(crate) fn all(&self, fits: impl Fn(&WatchKey) -> bool) -> Vec<(WatchKey, Arc<Watch>)> {
        self.with(|watches| {
            watches
                .iter()
                .filter(|(key, _)| fits(key))
                .map(|(key, watch)| (key.clone(), watch.clone()))
                .collect()
        })
    }

    /// Ends watches.
    pub(crate) fn end(&self, which: impl Fn(&WatchKey) -> bool) {
        self.with(|watches| {
            let before = watches.len();
            watches.retain(|key, _| !which(key));
            if watches.len() < before {
                self.changes.shows_else();
            }
        });
    }
}

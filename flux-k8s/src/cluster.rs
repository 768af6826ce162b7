//! [`KubeCluster`]: the parts put together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use flux_core::backend::Wanted;
use kube::Client;
use tokio::time::Instant;

use crate::{events::Recorder, failure::Target, http::Http, kinds::Kinds, watch::Watches};

/// A cluster behind a Kubernetes API server.
///
/// # What is asked of the server
/// - Kinds are discovered once, and again when git names one that is not known.
/// - Objects that carry the mark are watched, one watch for each kind that git names or that has
///   any; the others are looked through once.
/// - Objects that git names and that do not carry the mark are read one by one, or by a list where
///   they are many. Those that are still without it when asked for again (they are to be ignored,
///   say) are watched from then on.
/// - Workloads are watched, without what is not needed of them.
///
/// So asking again with nothing changed costs no request. Watches start when they are first needed
/// and end when the value is dropped.
///
/// # How objects are applied
/// With server-side apply as [`FIELD_MANAGER`](flux_core::sync::FIELD_MANAGER). Conflicts are
/// forced, unless the plan says otherwise for an object. That concerns only fields that git names:
/// what controllers set beside them stays theirs. Where the plan says so, the fields of those who
/// wrote manifests before change hands first. Fields that the kind does not have are refused
/// (`fieldValidation=Strict`, as by kubectl's default; servers before 1.25 drop them silently).
pub struct KubeCluster {
    pub(crate) http: Http,
    /// The namespaces that it is limited to; `None` for all.
    pub(crate) namespaces: Option<BTreeSet<String>>,
    pub(crate) watches: Watches,
    pub(crate) discovered: Mutex<Discovered>,
    /// Taken while kinds are discovered or looked through, so that two calls at once do not ask the
    /// same.
    pub(crate) asking: tokio::sync::Mutex<()>,
    /// The writer of Kubernetes Events, if they are written.
    pub(crate) events: Option<Recorder>,
}

/// The facts that were discovered besides the objects.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    /// The kinds; none before the first look, and when an apply has changed them.
    pub(crate) kinds: Option<Arc<Kinds>>,
    /// When they were asked for.
    pub(crate) asked: Option<Instant>,
    /// The kinds (group, kind) that were looked through for marked objects, and when that was
    /// forbidden if it was.
    pub(crate) searched: BTreeMap<(String, String), Option<Instant>>,
    /// The wanted objects that the last look found without the mark, or not at all.
    pub(crate) unmarked: BTreeSet<Wanted>,
}

impl KubeCluster {
    /// A cluster behind a client that is there already. Its time limits and retries are kept:
    /// switch kube's default retries off, they can hold a call for many minutes.
    pub fn from_client(client: Client) -> Self {
        let target = Target {
            server: "given by the caller".to_owned(),
            source: "by its own client".to_owned(),
            user: "the client's user".to_owned(),
            impersonated_by: None,
        };
        Self::new(Http { client, target: Arc::new(target) })
    }

    pub(crate) fn new(http: Http) -> Self {
        Self {
            http,
            namespaces: None,
            watches: Watches::default(),
            discovered: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            events: None,
        }
    }

    /// Limits the cluster to namespaces: nothing else is listed, watched or looked for, so that a
    /// Role in each of them is enough.
    ///
    /// Cluster-scoped objects that git names are read one by one.
    #[must_use]
    pub fn limited_to(self, namespaces: impl IntoIterator<Item = String>) -> Self {
        Self { namespaces: Some(namespaces.into_iter().collect()), ..self }
    }

    /// Writes Kubernetes Events about what syncs do to objects, beside the objects; `instance` is
    /// the name of this process in them, such as that of its pod.
    ///
    /// It needs the right to create `events` of `events.k8s.io` in these namespaces, and in
    /// `default` for objects that are in none. That one cannot be written is logged and changes
    /// nothing else.
    #[must_use]
    pub fn with_events(self, instance: impl Into<String>) -> Self {
        Self { events: Some(Recorder::new(instance.into())), ..self }
    }

    /// Returns the namespaces in which objects are looked for, `None` standing for all at once.
    pub(crate) fn everywhere(&self) -> Vec<Option<String>> {
        match &self.namespaces {
            None => vec![None],
            Some(namespaces) => namespaces.iter().cloned().map(Some).collect(),
        }
    }

    /// Lets the kinds be asked for again when they are needed next.
    pub(crate) fn forget_kinds(&self) {
        self.with_discovered(|discovered| discovered.kinds = None);
        self.watches.changes.shows_else();
    }

    pub(crate) fn with_discovered<T>(&self, f: impl FnOnce(&mut Discovered) -> T) -> T {
        // No code that can panic runs under the lock.
        f(&mut self.discovered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for KubeCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeCluster").field("target", &self.http.target).finish_non_exhaustive()
    }
}

const _: fn() = || {
    fn send_and_sync<T: Send + Sync + 'static>() {}
    send_and_sync::<KubeCluster>();
};

//! Observes the objects of the cluster.
//!
//! They are those that git names, and all others that carry the mark.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use flux_core::{
    Object,
    backend::{Fidelity, KindInfo, Observation, Observed, Scope, Wanted},
    manifest::{ApiVersion, ResourceId},
    sync::{AUTOSCALERS, MARK_LABEL},
};
use futures::StreamExt as _;
use tokio::time::Instant;

use crate::{
    at_once::{AT_ONCE, at_once},
    cluster::KubeCluster,
    failure::{Failure, FailureKind},
    gaps::Gaps,
    http::is_segment,
    kinds::{Kind, Kinds},
    store::version,
    unmarked::Unmarked,
    watch::{Selection, Watch, WatchKey, healths, recovered},
};

/// After this time a kind that must not be listed is looked through again.
const FORBIDDEN_AGAIN: Duration = Duration::from_secs(600);

/// After this time a group that git does not name, and whose API service did not answer, is asked
/// for again.
const SILENT_AGAIN: Duration = Duration::from_secs(60);

impl KubeCluster {
    pub(crate) async fn observe_scope(&self, scope: &Scope) -> Result<Observation<Observed>, Failure> {
        let version = self.watches.changes.version();
        let of_kinds = one_of_each_kind(scope);
        let mut gaps = Gaps::default();
        let mut kinds = self.kinds_for(&of_kinds, &mut gaps).await?;
        // The watches of the kinds that git names start at once, and list while the others are
        // looked through.
        self.start_wanted(&of_kinds, &kinds);
        self.search(&of_kinds, &kinds, &mut gaps).await?;
        if self.wait_for_marked(&mut gaps).await? {
            // A kind is gone: learn what there is now, and look again at what is left.
            gaps = Gaps::default();
            kinds = self.kinds_for(&of_kinds, &mut gaps).await?;
            self.start_wanted(&of_kinds, &kinds);
            self.search(&of_kinds, &kinds, &mut gaps).await?;
            self.wait_for_marked(&mut gaps).await?;
        }

        let mut objects = self.marked(&kinds);
        let mut unmarked = Unmarked::new();
        let mut infos = BTreeMap::new();
        let mut versions = BTreeMap::new();
        let mut knows_all = true;
        let mut wanted = scope.wanted.iter().peekable();
        while let Some(first) = wanted.peek().copied() {
            let of_kind = std::iter::from_fn(|| wanted.next_if(|one| is_of_one_kind(one, first)));
            let of_kind: Vec<&Wanted> = of_kind.collect();
            let Some(kind) = kinds.get(first.api_version.as_str(), first.id.kind()) else {
                knows_all = false;
                continue;
            };
            let info = KindInfo { namespaced: kind.namespaced };
            infos.insert((first.api_version.to_string(), first.id.kind().to_owned()), info);
            versions
                .entry(kind.group_kind())
                .or_insert_with(|| kinds.versions(&kind.resource.group, &kind.resource.kind));
            let watches = self.watches_of_marked(kind);
            let is_watched_otherwise = self.is_watched_otherwise(kind);
            for wanted in of_kind {
                let id = id_in(wanted, kind, scope);
                let (namespace, name) = (id.namespace(), id.name());
                // What is elsewhere is not touched, and need not be seen.
                if namespace.is_some_and(|namespace| !self.may_see(namespace)) {
                    continue;
                }
                if !is_watched_otherwise && objects.contains_key(&id) {
                    continue;
                }
                match watches.iter().find_map(|watch| watch.with(|store| store.get(&id).cloned())) {
                    // In the version that git has it in, whatever other versions are watched; or it
                    // has come just now, and must not pass for missing.
                    Some(object) => {
                        objects.insert(id, object);
                    }
                    None if is_segment(name) && namespace.is_none_or(is_segment) => {
                        let namespace = namespace.map(str::to_owned);
                        let of = (first.api_version.to_string(), first.id.kind().to_owned(), namespace);
                        unmarked.entry(of).or_default().insert(name.to_owned());
                    }
                    None => {}
                }
            }
        }
        let (found, asked) = self.read_unmarked(&kinds, unmarked, &mut gaps).await?;
        for object in found {
            objects.insert(object.id().clone(), object);
        }
        for object in self.autoscalers(&of_kinds, &kinds, &mut gaps).await? {
            objects.entry(object.id().clone()).or_insert(object);
        }
        let (completeness, unseen) = gaps.completeness();
        // What was asked for will be watched, and what is missing is asked for again.
        let is_all_watched =
            !asked && knows_all && unseen.is_empty() && completeness.is_complete() && kinds.silent.is_empty();
        Ok(Observation {
            value: Observed {
                objects,
                kinds: infos,
                versions,
                unseen,
                default_namespace: scope.default_namespace().to_owned(),
                fidelity: Fidelity::Normalised,
                version: is_all_watched.then_some(version),
                ..Observed::default()
            },
            completeness,
            authority: self.http.target.user.clone(),
        })
    }

    /// The kinds of the server; asked for again if git names one that is not among them.
    async fn kinds_for(&self, of_kinds: &[&Wanted], gaps: &mut Gaps) -> Result<Arc<Kinds>, Failure> {
        let lacks =
            |kinds: &Kinds| of_kinds.iter().any(|w| kinds.get(w.api_version.as_str(), w.id.kind()).is_none());
        let (before, asked) = self.with_discovered(|discovered| (discovered.kinds.clone(), discovered.asked));
        let is_recent = || asked.is_some_and(|asked| asked.elapsed() < SILENT_AGAIN);
        let kinds = match before {
            Some(kinds) if !lacks(&kinds) && (kinds.silent.is_empty() || is_recent()) => kinds,
            old => match (self.discover().await, old) {
                (Ok(kinds), _) => kinds,
                (Err(failure), Some(old)) => {
                    let what = "the server's kinds could not be asked for again";
                    for wanted in
                        of_kinds.iter().filter(|w| old.get(w.api_version.as_str(), w.id.kind()).is_none())
                    {
                        gaps.missing(
                            (wanted.api_version.group().to_owned(), wanted.id.kind().to_owned()),
                            what,
                            &failure,
                        );
                    }
                    old
                }
                (Err(failure), None) => return Err(failure),
            },
        };
        for (group, why) in &kinds.silent {
            let of = (group.clone(), String::new());
            // Of a group that git does not name, nobody needs to hear.
            if of_kinds.iter().any(|wanted| wanted.api_version.group() == group) {
                gaps.described(of, why.clone());
            } else {
                gaps.unseen(of);
            }
        }
        Ok(kinds)
    }

    /// Asks for the kinds of the server.
    pub(crate) async fn discover(&self) -> Result<Arc<Kinds>, Failure> {
        let _alone = self.asking.lock().await;
        let kinds = Arc::new(self.http.reads(|| Kinds::discover(&self.http.client)).await?);
        self.with_discovered(|discovered| {
            discovered.kinds = Some(kinds.clone());
            discovered.asked = Some(Instant::now());
        });
        Ok(kinds)
    }

    fn start_wanted(&self, of_kinds: &[&Wanted], kinds: &Kinds) {
        for wanted in of_kinds {
            if let Some(kind) =
                kinds.get(wanted.api_version.as_str(), wanted.id.kind()).filter(|kind| kind.watchable)
            {
                self.start_marked(kind);
            }
        }
    }

    /// Watches what carries the mark of a kind, wherever this cluster may look.
    fn start_marked(&self, kind: &Kind) {
        for namespace in self.places_of(kind) {
            self.watches.start(&self.http, &kind.resource, Selection::Marked { namespace });
        }
    }

    /// Returns the namespaces in which objects of a kind are looked for, `None` standing for all at
    /// once.
    ///
    /// A cluster that is limited to namespaces looks for nothing that is in none.
    fn places_of(&self, kind: &Kind) -> Vec<Option<String>> {
        match (kind.namespaced, &self.namespaces) {
            (true, _) => self.everywhere(),
            (false, None) => vec![None],
            (false, Some(_)) => Vec::new(),
        }
    }

    /// Returns an object that carries the mark.
    pub(crate) fn watched(&self, kind: &Kind, key: &ResourceId) -> Option<Object> {
        self.watches_of_marked(kind).iter().find_map(|watch| watch.with(|store| store.get(key).cloned()))
    }

    /// Returns `true` if what carries the mark of a kind is watched in another version too.
    fn is_watched_otherwise(&self, kind: &Kind) -> bool {
        let is_other = |key: &WatchKey| {
            let resource = &kind.resource;
            let is_of_kind = key.kind == resource.kind && key.group() == resource.group;
            key.is_of_marked() && is_of_kind && key.api_version != resource.api_version
        };
        !self.watches.all(is_other).is_empty()
    }

    /// The running watches of what carries the mark of a kind.
    fn watches_of_marked(&self, kind: &Kind) -> Vec<Arc<Watch>> {
        let key = |namespace| WatchKey::new(&kind.resource, Selection::Marked { namespace });
        let places = self.places_of(kind).into_iter();
        places.filter_map(|namespace| self.watches.get(&key(namespace))).collect()
    }

    /// Returns all autoscalers, if git names anything that one could scale.
    async fn autoscalers(
        &self,
        of_kinds: &[&Wanted],
        kinds: &Kinds,
        gaps: &mut Gaps,
    ) -> Result<Vec<Object>, Failure> {
        let mut found = Vec::new();
        if !of_kinds.iter().any(|wanted| may_be_scaled(&wanted.api_version)) {
            return Ok(found);
        }
        for (group, kind) in AUTOSCALERS {
            let Some(kind) = kinds.preferred(group, kind) else { continue };
            for namespace in self.everywhere() {
                let selection = Selection::Autoscalers { namespace };
                let watch = self.watches.start(&self.http, &kind.resource, selection);
                let health = recovered(&watch).await;
                match &health.broken {
                    Some(broken) if broken.failure.is_of_server() && !health.synced => {
                        return Err(broken.failure.clone());
                    }
                    // The planner then goes by who has scaled what.
                    Some(_) => gaps.unseen(kind.group_kind()),
                    None => {}
                }
                watch.with(|store| found.extend(store.iter().cloned()));
            }
        }
        Ok(found)
    }

    /// Looks once through the kinds that git does not name for objects that carry the mark, and
    /// watches the kinds that have some.
    async fn search(&self, of_kinds: &[&Wanted], kinds: &Kinds, gaps: &mut Gaps) -> Result<(), Failure> {
        let _alone = self.asking.lock().await;
        let mut watched: BTreeSet<(String, String)> = of_kinds
            .iter()
            .filter_map(|w| kinds.get(w.api_version.as_str(), w.id.kind()))
            .map(|kind| (kind.resource.group.clone(), kind.resource.kind.clone()))
            .collect();
        for (key, _) in self.watches.all(WatchKey::is_of_marked) {
            watched.insert((key.group().to_owned(), key.kind));
        }
        let mut asked = Vec::new();
        self.with_discovered(|discovered| {
            for kind in kinds.others(&watched) {
                if self.places_of(&kind).is_empty() {
                    continue;
                }
                match discovered.searched.get(&(kind.resource.group.clone(), kind.resource.kind.clone())) {
                    Some(None) => {}
                    Some(Some(at)) if at.elapsed() < FORBIDDEN_AGAIN => self.unsearched(&kind, gaps),
                    _ => asked.push(kind),
                }
            }
        });
        let asks = asked.into_iter().map(|kind| async move {
            let mut any = Ok(false);
            for namespace in self.places_of(&kind) {
                let applied = kind.has_copied_labels();
                any = self.http.any(&kind.resource, namespace.as_deref(), MARK_LABEL, applied).await;
                if !matches!(any, Ok(false)) {
                    break;
                }
            }
            (kind, any)
        });
        let mut answers = at_once(AT_ONCE, asks);
        while let Some((kind, any)) = answers.next().await {
            let key = (kind.resource.group.clone(), kind.resource.kind.clone());
            let found = match any {
                Ok(true) => {
                    self.start_marked(&kind);
                    None
                }
                Ok(false) => None,
                Err(failure) if failure.is_of_server() => return Err(failure),
                Err(failure) => match failure.kind {
                    // Discovered, but not to be listed after all: there can be nothing of ours.
                    FailureKind::NotFound | FailureKind::Invalid => None,
                    FailureKind::Forbidden => {
                        self.unsearched(&kind, gaps);
                        Some(Instant::now())
                    }
                    _ => {
                        gaps.missing(kind.group_kind(), &kind.name(), &failure);
                        continue;
                    }
                },
            };
            self.with_discovered(|discovered| discovered.searched.insert(key, found));
        }
        Ok(())
    }

    /// Takes note of a kind that git does not name and that must not be listed.
    ///
    /// Whoever limits the cluster to namespaces gives the rights for what is there, and nothing of
    /// ours is of a kind without.
    fn unsearched(&self, kind: &Kind, gaps: &mut Gaps) {
        if self.namespaces.is_some() {
            gaps.unseen(kind.group_kind());
        } else {
            gaps.unsearched(kind.group_kind());
        }
    }

    /// Waits until the watches of marked objects have their lists. Returns whether a kind turned
    /// out to be gone.
    async fn wait_for_marked(&self, gaps: &mut Gaps) -> Result<bool, Failure> {
        let watches = self.watches.all(WatchKey::is_of_marked);
        let mut gone = BTreeSet::new();
        for (key, health) in healths(watches).await? {
            let what = key.name();
            if gaps.judge(key.group_kind(), &what, health)? {
                gone.insert(key);
            }
        }
        if gone.is_empty() {
            return Ok(false);
        }
        self.watches.end(|key| gone.contains(key));
        self.forget_kinds();
        Ok(true)
    }

    /// All objects that are seen with the mark.
    fn marked(&self, kinds: &Kinds) -> BTreeMap<ResourceId, Object> {
        let mut objects: Vec<(ResourceId, Object)> = Vec::new();
        for (key, watch) in self.watches.all(WatchKey::is_of_marked) {
            if kinds.get(&key.api_version, &key.kind).is_none() {
                continue;
            }
            watch.with(|store| {
                objects.extend(store.iter().map(|object| (object.id().clone(), object.clone())));
            });
        }
        // Of an object that is watched in several versions, the newest is the last.
        objects.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| version(one).cmp(&version(other))));
        objects.into_iter().collect()
    }

    fn may_see(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|namespaces| namespaces.iter().any(|one| one == namespace))
    }
}

/// Returns the first of the objects of each kind.
fn one_of_each_kind(scope: &Scope) -> Vec<&Wanted> {
    let mut kinds: Vec<&Wanted> = Vec::new();
    for wanted in &scope.wanted {
        if kinds.last().is_none_or(|last| !is_of_one_kind(last, wanted)) {
            kinds.push(wanted);
        }
    }
    kinds
}

/// Returns the id of an object with the namespace that its kind asks for.
fn id_in(wanted: &Wanted, kind: &Kind, scope: &Scope) -> ResourceId {
    let namespace = || wanted.id.namespace().unwrap_or(scope.default_namespace());
    wanted.id.in_namespace(kind.namespaced.then(namespace))
}

fn is_of_one_kind(a: &Wanted, b: &Wanted) -> bool {
    a.api_version == b.api_version && a.id.kind() == b.id.kind()
}

/// Returns `true` if objects of an `apiVersion` may be scaled by an autoscaler: workloads, and
/// those of custom kinds.
fn may_be_scaled(api_version: &ApiVersion) -> bool {
    let group = api_version.group();
    group == "apps" || (group.contains('.') && !group.ends_with(".k8s.io"))
}

//! Observes the objects of the cluster.
//!
//! They are those that git names, and all others that carry the mark.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use flux_core::{
    backend::{Fidelity, KindInfo, Observation, Observed, Scope, Wanted},
    manifest::ResourceId,
    sync::MARK_LABEL,
};
use futures::StreamExt as _;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    cluster::{AT_ONCE, KubeCluster, at_once},
    failure::{Failure, FailureKind},
    gaps::Gaps,
    http::is_segment,
    kinds::{Kind, Kinds},
    raw::text,
    store::version,
    unmarked::Unmarked,
    watch::{Selection, WatchKey, healths},
};

/// After this time a kind that must not be listed is looked through again.
const FORBIDDEN_AGAIN: Duration = Duration::from_secs(600);

impl KubeCluster {
    pub(crate) async fn observe_scope(&self, scope: &Scope) -> Result<Observation<Observed>, Failure> {
        let mut gaps = Gaps::default();
        let mut kinds = self.kinds_for(scope, &mut gaps).await?;
        // The watches of the kinds that git names start at once, and list while the others are
        // looked through.
        self.start_wanted(scope, &kinds);
        self.search(scope, &kinds, &mut gaps).await?;
        if self.wait_for_marked(&mut gaps).await? {
            // A kind is gone: learn what there is now, and look again at what is left.
            gaps = Gaps::default();
            kinds = self.kinds_for(scope, &mut gaps).await?;
            self.start_wanted(scope, &kinds);
            self.search(scope, &kinds, &mut gaps).await?;
            self.wait_for_marked(&mut gaps).await?;
        }

        let mut objects = self.marked(&kinds);
        let mut unmarked = Unmarked::new();
        let mut infos = BTreeMap::new();
        for wanted in &scope.wanted {
            let Some(kind) = kinds.get(&wanted.api_version, &wanted.kind) else { continue };
            let info = KindInfo { namespaced: kind.namespaced };
            infos.insert((wanted.api_version.clone(), wanted.kind.clone()), info);
            let namespace = self.namespace_of(wanted, kind);
            let watch = self.watches.get(&WatchKey::new(&kind.resource, Selection::Marked));
            let key = (namespace.clone(), wanted.name.clone());
            match watch.and_then(|watch| watch.with(|store| store.get(&key).cloned())) {
                // In the version that git has it in, whatever other versions are watched.
                Some(object) => {
                    objects.insert(id_of(kind, &object), object);
                }
                None if is_segment(&wanted.name) && namespace.as_deref().is_none_or(is_segment) => {
                    let of = (wanted.api_version.clone(), wanted.kind.clone(), namespace);
                    unmarked.entry(of).or_default().insert(wanted.name.clone());
                }
                None => {}
            }
        }
        for (kind, object) in self.read_unmarked(&kinds, unmarked, &mut gaps).await? {
            objects.insert(id_of(&kind, &object), object);
        }
        Ok(Observation {
            value: Observed {
                objects,
                kinds: infos,
                default_namespace: self.default_namespace.clone(),
                fidelity: Fidelity::Normalised,
            },
            completeness: gaps.completeness(),
            authority: self.http.target.user.clone(),
        })
    }

    /// The kinds of the server; asked for again if git names one that is not among them.
    async fn kinds_for(&self, scope: &Scope, gaps: &mut Gaps) -> Result<Arc<Kinds>, Failure> {
        let lacks = |kinds: &Kinds| scope.wanted.iter().any(|w| kinds.get(&w.api_version, &w.kind).is_none());
        let before = self.with_discovered(|discovered| discovered.kinds.clone());
        let kinds = match before {
            Some(kinds) if !lacks(&kinds) && kinds.silent.is_empty() => kinds,
            old => match (self.discover().await, old) {
                (Ok(kinds), _) => kinds,
                (Err(failure), Some(old)) => {
                    gaps.missing("the server's kinds could not be asked for again", &failure);
                    old
                }
                (Err(failure), None) => return Err(failure),
            },
        };
        gaps.already_described(kinds.silent.iter().cloned());
        Ok(kinds)
    }

    /// Asks for the kinds of the server.
    pub(crate) async fn discover(&self) -> Result<Arc<Kinds>, Failure> {
        let _alone = self.asking.lock().await;
        let kinds = Arc::new(self.http.reads(|| Kinds::discover(&self.http.client)).await?);
        self.with_discovered(|discovered| discovered.kinds = Some(kinds.clone()));
        Ok(kinds)
    }

    fn start_wanted(&self, scope: &Scope, kinds: &Kinds) {
        for wanted in &scope.wanted {
            if let Some(kind) = kinds.get(&wanted.api_version, &wanted.kind).filter(|kind| kind.watchable) {
                self.watches.start(&self.http, &kind.resource, Selection::Marked);
            }
        }
    }

    /// Looks once through the kinds that git does not name for objects that carry the mark, and
    /// watches the kinds that have some.
    async fn search(&self, scope: &Scope, kinds: &Kinds, gaps: &mut Gaps) -> Result<(), Failure> {
        let _alone = self.asking.lock().await;
        let mut watched: BTreeSet<(String, String)> = scope
            .wanted
            .iter()
            .filter_map(|w| kinds.get(&w.api_version, &w.kind))
            .map(|kind| (kind.resource.group.clone(), kind.resource.kind.clone()))
            .collect();
        for (key, _) in self.watches.all(|key| key.selection == Selection::Marked) {
            watched.insert((key.group().to_owned(), key.kind));
        }
        let mut asked = Vec::new();
        self.with_discovered(|discovered| {
            for kind in kinds.others(&watched) {
                match discovered.searched.get(&(kind.resource.group.clone(), kind.resource.kind.clone())) {
                    Some(None) => {}
                    Some(Some(at)) if at.elapsed() < FORBIDDEN_AGAIN => gaps.unsearched(kind.name()),
                    _ => asked.push(kind),
                }
            }
        });
        let asks = asked.into_iter().map(|kind| async move {
            let any = self.http.any(&kind.resource, MARK_LABEL).await;
            (kind, any)
        });
        let mut answers = at_once(AT_ONCE, asks);
        while let Some((kind, any)) = answers.next().await {
            let key = (kind.resource.group.clone(), kind.resource.kind.clone());
            let found = match any {
                Ok(true) => {
                    self.watches.start(&self.http, &kind.resource, Selection::Marked);
                    None
                }
                Ok(false) => None,
                Err(failure) if failure.is_of_server() => return Err(failure),
                Err(failure) => match failure.kind {
                    // Discovered, but not to be listed after all: there can be nothing of ours.
                    FailureKind::NotFound | FailureKind::Invalid => None,
                    FailureKind::Forbidden => {
                        gaps.unsearched(kind.name());
                        Some(Instant::now())
                    }
                    _ => {
                        gaps.missing(&kind.name(), &failure);
                        continue;
                    }
                },
            };
            self.with_discovered(|discovered| discovered.searched.insert(key, found));
        }
        Ok(())
    }

    /// Waits until the watches of marked objects have their lists. Returns whether a kind turned
    /// out to be gone.
    async fn wait_for_marked(&self, gaps: &mut Gaps) -> Result<bool, Failure> {
        let watches = self.watches.all(|key| key.selection == Selection::Marked);
        let mut gone = BTreeSet::new();
        for (key, health) in healths(watches).await? {
            let what = key.name();
            if gaps.judge(&what, health)? {
                gone.insert(key);
            }
        }
        if gone.is_empty() {
            return Ok(false);
        }
        self.watches.end(|key| gone.contains(key));
        self.with_discovered(|discovered| discovered.kinds = None);
        Ok(true)
    }

    /// All objects that are seen with the mark.
    fn marked(&self, kinds: &Kinds) -> BTreeMap<ResourceId, Arc<Value>> {
        let mut objects: BTreeMap<ResourceId, Arc<Value>> = BTreeMap::new();
        for (key, watch) in self.watches.all(|key| key.selection == Selection::Marked) {
            let Some(kind) = kinds.get(&key.api_version, &key.kind) else { continue };
            watch.with(|store| {
                for object in store.iter() {
                    let id = id_of(kind, object);
                    if objects.get(&id).is_none_or(|other| version(object) > version(other)) {
                        objects.insert(id, object.clone());
                    }
                }
            });
        }
        objects
    }

    fn namespace_of(&self, wanted: &Wanted, kind: &Kind) -> Option<String> {
        kind.namespaced.then(|| wanted.namespace.clone().unwrap_or_else(|| self.default_namespace.clone()))
    }
}

fn id_of(kind: &Kind, object: &Value) -> ResourceId {
    ResourceId {
        namespace: text(object, "namespace").map(str::to_owned),
        kind: kind.resource.kind.clone(),
        name: text(object, "name").unwrap_or_default().to_owned(),
        group: kind.resource.group.clone(),
    }
}

//! The look: from what git names to what is there of it, and of everything else that carries the mark.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use flux_core::{
    backend::{ClusterWorkload, Completeness, Fidelity, KindInfo, Observation, Observed, Scope, Wanted},
    manifest::ResourceId,
    sync::MARK_LABEL,
};
use futures::{StreamExt as _, future::join_all};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    cluster::{KubeCluster, at_once},
    failure::{Failure, Kind as Sort},
    http::is_segment,
    kinds::{Kind, Kinds},
    live::{text, typed},
    store::version,
    watch::{Health, Selection, Watch, WatchKey},
    workloads,
};

/// How many objects or kinds are asked for at once.
const AT_ONCE: usize = 16;
/// Above this number, the unmarked objects of a kind and namespace are listed or watched together.
const FEW: usize = 8;
/// How long a watch that fails is given to recover when it is needed.
const RECOVERY: Duration = Duration::from_secs(2);
/// After this time a kind that must not be listed is looked through again.
const FORBIDDEN_AGAIN: Duration = Duration::from_secs(600);

/// What is wrong with a look.
#[derive(Default)]
struct Doubts {
    /// What could not be looked at.
    missing: BTreeSet<String>,
    /// The longest time for which a watch has failed, and why.
    stale: Option<(Duration, String)>,
}

impl Doubts {
    fn missing(&mut self, what: &str, failure: &Failure) {
        self.missing.insert(format!("{what}: {}", failure.text()));
    }

    fn stale(&mut self, age: Duration, why: String) {
        if self.stale.as_ref().is_none_or(|(longest, _)| age > *longest) {
            self.stale = Some((age, why));
        }
    }

    fn completeness(self) -> Completeness {
        match (self.missing.is_empty(), self.stale) {
            (true, None) => Completeness::Complete,
            (true, Some((age, reason))) => Completeness::Stale {
                age: SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX),
                reason,
            },
            (false, stale) => {
                let stale = stale.map(|(age, why)| format!("seen {} s ago: {why}", age.as_secs()));
                Completeness::Partial(self.missing.into_iter().chain(stale).collect())
            }
        }
    }
}

/// Whether a failure concerns the server and not one kind of it.
fn is_of_all(failure: &Failure) -> bool {
    matches!(failure.kind, Sort::Unreachable | Sort::Untrusted | Sort::Unauthorized)
}

fn name_of(kind: &Kind) -> String {
    let resource = &kind.resource;
    if resource.group.is_empty() {
        resource.plural.clone()
    } else {
        format!("{}.{}", resource.plural, resource.group)
    }
}

impl KubeCluster {
    pub(crate) async fn look(&self, scope: &Scope) -> Result<Observation<Observed>, Failure> {
        let mut doubts = Doubts::default();
        let mut kinds = self.kinds_for(scope, &mut doubts).await?;
        // The watches of the kinds that git names start at once, and list while the others are looked through.
        self.start_wanted(scope, &kinds);
        self.search(scope, &kinds, &mut doubts).await?;
        if self.wait_for_marked(&mut doubts).await? {
            // A kind is gone: learn what there is now, and look again at what is left.
            doubts = Doubts::default();
            kinds = self.kinds_for(scope, &mut doubts).await?;
            self.start_wanted(scope, &kinds);
            self.search(scope, &kinds, &mut doubts).await?;
            self.wait_for_marked(&mut doubts).await?;
        }

        let mut objects = self.marked(&kinds);
        let mut strays: BTreeMap<(WantedKind, Option<String>), BTreeSet<String>> = BTreeMap::new();
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
                    let of = (wanted.api_version.clone(), wanted.kind.clone());
                    strays.entry((of, namespace)).or_default().insert(wanted.name.clone());
                }
                None => {}
            }
        }
        for (kind, object) in self.strays(&kinds, strays, &mut doubts).await? {
            objects.insert(id_of(&kind, &object), object);
        }
        Ok(Observation {
            value: Observed {
                objects,
                kinds: infos,
                default_namespace: self.default_namespace.clone(),
                fidelity: Fidelity::Normalised,
            },
            completeness: doubts.completeness(),
            authority: self.http.target.user.clone(),
        })
    }

    /// The kinds of the server; asked for again if git names one that is not among them.
    async fn kinds_for(&self, scope: &Scope, doubts: &mut Doubts) -> Result<Arc<Kinds>, Failure> {
        let lacks = |kinds: &Kinds| scope.wanted.iter().any(|w| kinds.get(&w.api_version, &w.kind).is_none());
        let known = self.with_known(|known| known.kinds.clone());
        let kinds = match known {
            Some(kinds) if !lacks(&kinds) && kinds.silent.is_empty() => kinds,
            old => match (self.discover().await, old) {
                (Ok(kinds), _) => kinds,
                (Err(failure), Some(old)) => {
                    doubts.missing("the server's kinds could not be asked for again", &failure);
                    old
                }
                (Err(failure), None) => return Err(failure),
            },
        };
        doubts.missing.extend(kinds.silent.iter().cloned());
        Ok(kinds)
    }

    /// Asks for the kinds of the server.
    pub(crate) async fn discover(&self) -> Result<Arc<Kinds>, Failure> {
        let _alone = self.asking.lock().await;
        let kinds = Arc::new(self.http.reads(|| Kinds::discover(&self.http.client)).await?);
        self.with_known(|known| known.kinds = Some(kinds.clone()));
        Ok(kinds)
    }

    fn start_wanted(&self, scope: &Scope, kinds: &Kinds) {
        for wanted in &scope.wanted {
            if let Some(kind) = kinds.get(&wanted.api_version, &wanted.kind).filter(|kind| kind.watchable) {
                self.watches.start(&self.http, &kind.resource, Selection::Marked);
            }
        }
    }

    /// Looks once through the kinds that git does not name for objects that carry the mark, and watches the kinds that have some.
    async fn search(&self, scope: &Scope, kinds: &Kinds, doubts: &mut Doubts) -> Result<(), Failure> {
        let _alone = self.asking.lock().await;
        let mut known: BTreeSet<(String, String)> = scope
            .wanted
            .iter()
            .filter_map(|w| kinds.get(&w.api_version, &w.kind))
            .map(|kind| (kind.resource.group.clone(), kind.resource.kind.clone()))
            .collect();
        for (key, _) in self.watches.all(|key| key.selection == Selection::Marked) {
            known.insert((key.group().to_owned(), key.kind));
        }
        let mut asked = Vec::new();
        self.with_known(|memory| {
            for kind in kinds.others(&known) {
                match memory.searched.get(&(kind.resource.group.clone(), kind.resource.kind.clone())) {
                    Some(None) => {}
                    Some(Some((at, failure))) if at.elapsed() < FORBIDDEN_AGAIN => {
                        doubts.missing(&name_of(&kind), failure);
                    }
                    _ => asked.push(kind),
                }
            }
        });
        let asks = asked.into_iter().map(|kind| async move {
            let any = self.http.any(&kind.resource, MARK_LABEL).await;
            (kind, any)
        });
        let mut answers = at_once(AT_ONCE / 2, asks);
        while let Some((kind, any)) = answers.next().await {
            let key = (kind.resource.group.clone(), kind.resource.kind.clone());
            let found = match any {
                Ok(true) => {
                    self.watches.start(&self.http, &kind.resource, Selection::Marked);
                    None
                }
                Ok(false) => None,
                Err(failure) if is_of_all(&failure) => return Err(failure),
                Err(failure) => match failure.kind {
                    // Discovered, but not to be listed after all: there can be nothing of ours.
                    Sort::NotFound | Sort::Invalid => None,
                    Sort::Forbidden => {
                        doubts.missing(&name_of(&kind), &failure);
                        Some((Instant::now(), failure))
                    }
                    _ => {
                        doubts.missing(&name_of(&kind), &failure);
                        continue;
                    }
                },
            };
            self.with_known(|memory| memory.searched.insert(key, found));
        }
        Ok(())
    }

    /// Waits until the watches of marked objects have their lists. Returns whether a kind turned out to be gone.
    async fn wait_for_marked(&self, doubts: &mut Doubts) -> Result<bool, Failure> {
        let watches = self.watches.all(|key| key.selection == Selection::Marked);
        let mut gone = BTreeSet::new();
        for (key, health) in healths(watches).await {
            let what = format!("{} ({})", key.kind, key.api_version);
            if self.judge(&what, health, doubts)? {
                gone.insert(key);
            }
        }
        if gone.is_empty() {
            return Ok(false);
        }
        self.watches.end(|key| gone.contains(key));
        self.with_known(|known| known.kinds = None);
        Ok(true)
    }

    /// What a watch's health means for what is seen through it. Returns whether its kind is gone.
    fn judge(&self, what: &str, health: Health, doubts: &mut Doubts) -> Result<bool, Failure> {
        match health.broken {
            None => {}
            Some(broken) if broken.failure.kind == Sort::NotFound => return Ok(true),
            Some(broken) if health.synced => {
                doubts.stale(broken.since.elapsed(), format!("{what}: {}", broken.failure.text()));
            }
            Some(broken) if is_of_all(&broken.failure) => return Err(broken.failure),
            Some(broken) => doubts.missing(what, &broken.failure),
        }
        Ok(false)
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

    /// What there is of the wanted objects that do not carry the mark: asked for the first time, watched from the second on.
    async fn strays(
        &self,
        kinds: &Kinds,
        strays: BTreeMap<(WantedKind, Option<String>), BTreeSet<String>>,
        doubts: &mut Doubts,
    ) -> Result<Vec<(Kind, Arc<Value>)>, Failure> {
        let before = self.with_known(|known| std::mem::take(&mut known.strays));
        let mut now = BTreeSet::new();
        let mut watched = Vec::new();
        let mut lists = Vec::new();
        let mut gets = Vec::new();
        let mut used = BTreeSet::new();
        for (((api_version, of), namespace), names) in strays {
            let Some(kind) = kinds.get(&api_version, &of) else { continue };
            let wanted = |name: &String| Wanted {
                api_version: api_version.clone(),
                kind: of.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
            };
            now.extend(names.iter().map(wanted));
            let all = Selection::All { namespace: namespace.clone() };
            let many = names.len() > FEW;
            let (old, new): (Vec<String>, Vec<String>) =
                names.into_iter().partition(|name| kind.watchable && before.contains(&wanted(name)));
            let all_watched = self.watches.get(&WatchKey::new(&kind.resource, all.clone())).is_some();
            if all_watched || many && !old.is_empty() {
                used.insert(WatchKey::new(&kind.resource, all.clone()));
                let watch = self.watches.start(&self.http, &kind.resource, all);
                watched.push((kind, namespace, watch, [old, new].concat()));
                continue;
            }
            for name in old {
                let selection = Selection::Named { namespace: namespace.clone(), name: name.clone() };
                used.insert(WatchKey::new(&kind.resource, selection.clone()));
                let watch = self.watches.start(&self.http, &kind.resource, selection);
                watched.push((kind, namespace.clone(), watch, vec![name]));
            }
            if many && kind.watchable {
                lists.push((kind, namespace, new));
            } else if kind.readable {
                gets.extend(new.into_iter().map(|name| (kind, namespace.clone(), name)));
            }
        }
        // Watches of what has got the mark meanwhile, or is no longer wanted.
        self.watches.end(|key| match key.selection {
            Selection::Named { .. } | Selection::All { .. } => !used.contains(key),
            Selection::Marked | Selection::Workloads { .. } => false,
        });
        self.with_known(|known| known.strays = now);

        let mut found = Vec::new();
        let lists = lists.into_iter().map(|(kind, namespace, names)| async move {
            let answer = self.http.list(&kind.resource, namespace.as_deref()).await;
            (kind, namespace, names, answer)
        });
        let mut listed = at_once(AT_ONCE / 2, lists);
        while let Some((kind, namespace, names, answer)) = listed.next().await {
            match answer {
                Ok(items) => found.extend(
                    items
                        .into_iter()
                        .filter(|item| text(item, "name").is_some_and(|n| names.iter().any(|name| name == n)))
                        .map(|item| (kind.clone(), Arc::new(typed(item, &kind.resource)))),
                ),
                Err(failure) => {
                    self.not_read(kind, namespace.as_deref(), &failure, doubts)?;
                }
            }
        }
        let gets = gets.into_iter().map(|(kind, namespace, name)| async move {
            let answer = self.http.get(&kind.resource, namespace.as_deref(), &name).await;
            (kind, namespace, answer)
        });
        let mut got = at_once(AT_ONCE, gets);
        while let Some((kind, namespace, answer)) = got.next().await {
            match answer {
                Ok(object) => found.push((kind.clone(), Arc::new(object))),
                Err(failure) => self.not_read(kind, namespace.as_deref(), &failure, doubts)?,
            }
        }
        let waits = watched.iter().map(|(_, _, watch, _)| recovered(watch));
        for (health, (kind, namespace, watch, names)) in join_all(waits).await.into_iter().zip(&watched) {
            let what = format!("{} in {}", name_of(kind), namespace.as_deref().unwrap_or("the cluster"));
            self.judge(&what, health, doubts)?;
            watch.with(|store| {
                for name in names {
                    let object = store.get(&(namespace.clone(), name.clone()));
                    found.extend(object.map(|object| ((*kind).clone(), object.clone())));
                }
            });
        }
        Ok(found)
    }

    fn not_read(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        failure: &Failure,
        doubts: &mut Doubts,
    ) -> Result<(), Failure> {
        match failure.kind {
            Sort::NotFound => Ok(()),
            _ if is_of_all(failure) => Err(failure.clone()),
            _ => {
                let what = format!("{} in {}", name_of(kind), namespace.unwrap_or("the cluster"));
                doubts.missing(&what, failure);
                Ok(())
            }
        }
    }

    fn namespace_of(&self, wanted: &Wanted, kind: &Kind) -> Option<String> {
        kind.namespaced.then(|| wanted.namespace.clone().unwrap_or_else(|| self.default_namespace.clone()))
    }

    /// The workloads of a namespace or of all.
    pub(crate) async fn look_at_workloads(
        &self,
        namespace: Option<&str>,
    ) -> Result<Observation<Vec<ClusterWorkload>>, Failure> {
        let mut watches = Vec::new();
        for resource in workloads::kinds() {
            // What is watched everywhere need not be watched in one namespace too.
            let everywhere = Selection::Workloads { namespace: None };
            let key = WatchKey::new(&resource, everywhere.clone());
            let watch = match (self.watches.get(&key), namespace) {
                (Some(watch), _) => watch,
                (None, None) => self.watches.start(&self.http, &resource, everywhere),
                (None, Some(ns)) => {
                    let selection = Selection::Workloads { namespace: Some(ns.to_owned()) };
                    self.watches.start(&self.http, &resource, selection)
                }
            };
            watches.push((key, watch));
        }
        let mut doubts = Doubts::default();
        let mut found = Vec::new();
        for (key, health) in healths(watches.clone()).await {
            let what = format!("{} ({})", key.kind, key.api_version);
            if self.judge(&what, health, &mut doubts)? {
                doubts.missing.insert(format!("{what}: the server does not have this kind"));
            }
        }
        for (_, watch) in watches {
            watch.with(|store| {
                let here =
                    |object: &&Arc<Value>| namespace.is_none_or(|ns| text(object, "namespace") == Some(ns));
                found.extend(store.iter().filter(here).map(|object| workloads::workload(object)));
            });
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Observation {
            value: found,
            completeness: doubts.completeness(),
            authority: self.http.target.user.clone(),
        })
    }
}

/// `apiVersion` and `kind` as git has them.
type WantedKind = (String, String);

fn id_of(kind: &Kind, object: &Value) -> ResourceId {
    ResourceId {
        namespace: text(object, "namespace").map(str::to_owned),
        kind: kind.resource.kind.clone(),
        name: text(object, "name").unwrap_or_default().to_owned(),
        group: kind.resource.group.clone(),
    }
}

/// How watches go, once they have their lists or have been given the time for it.
async fn healths(watches: Vec<(WatchKey, Arc<Watch>)>) -> Vec<(WatchKey, Health)> {
    join_all(watches.into_iter().map(|(key, watch)| async move {
        let health = recovered(&watch).await;
        (key, health)
    }))
    .await
}

/// How a watch goes, after a chance to recover if it went well once and fails now.
async fn recovered(watch: &Watch) -> Health {
    let health = watch.settled().await;
    match &health.broken {
        Some(broken) if broken.failure.is_passing() && health.synced => watch.retry(RECOVERY).await,
        _ => health,
    }
}

//! Wanted objects that do not carry the mark.
//!
//! They do not exist yet, are not adopted yet, or are to be ignored for good.
//!
//! Most are gone from here after one apply, so the first time they are only read. What is here a
//! second time will be here again: it is watched, so that it costs no request from then on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flux_core::{Object, backend::Wanted, manifest::ResourceId};
use futures::{StreamExt as _, future::join_all};
use serde_json::Value;

use crate::{
    at_once::{AT_ONCE, at_once},
    cluster::KubeCluster,
    failure::{Failure, FailureKind},
    gaps::Gaps,
    kinds::{Kind, Kinds},
    raw::{text, typed},
    watch::{Selection, Watch, WatchKey, recovered},
};

/// Above this number, the unmarked of a kind and namespace are read by one list.
const READ_SINGLY: usize = 8;
/// Above this number, they are watched by one watch of the whole namespace: each watch holds a
/// connection.
const WATCHED_SINGLY: usize = 3;

/// Unmarked by `apiVersion`, `kind` and namespace.
pub(crate) type Unmarked = BTreeMap<(String, String, Option<String>), BTreeSet<String>>;

/// Unmarked of one kind and namespace.
#[derive(Clone)]
struct Group<'a> {
    kind: &'a Kind,
    namespace: Option<String>,
    names: Vec<String>,
}

impl Group<'_> {
    fn what(&self) -> String {
        format!("{} in {}", self.kind.name(), self.namespace.as_deref().unwrap_or("the cluster"))
    }
}

/// How unmarked are looked at.
#[derive(Default)]
struct ReadPlan<'a> {
    singly: Vec<Group<'a>>,
    by_list: Vec<Group<'a>>,
    by_watch: Vec<(Group<'a>, Arc<Watch>)>,
}

impl KubeCluster {
    /// Returns those of the unmarked objects that exist, and whether any had to be asked for.
    pub(crate) async fn read_unmarked(
        &self,
        kinds: &Kinds,
        unmarked: Unmarked,
        gaps: &mut Gaps,
    ) -> Result<(Vec<Object>, bool), Failure> {
        let mut plan = self.read_plan(kinds, unmarked);
        let mut found = Vec::new();
        self.read_by_watch(&mut plan, gaps, &mut found).await?;
        let asks = !plan.by_list.is_empty() || !plan.singly.is_empty();
        self.read_by_list(&mut plan, gaps, &mut found).await?;
        self.read_singly(plan, gaps, &mut found).await?;
        Ok((found, asks))
    }

    fn read_plan<'a>(&self, kinds: &'a Kinds, unmarked: Unmarked) -> ReadPlan<'a> {
        let before = self.with_discovered(|discovered| std::mem::take(&mut discovered.unmarked));
        let (mut plan, mut now, mut used) = (ReadPlan::default(), BTreeSet::new(), BTreeSet::new());
        for ((api_version, of, namespace), names) in unmarked {
            let Some(kind) = kinds.get(&api_version, &of) else { continue };
            let group = kind.resource.group.as_str();
            let id = |name: &str| ResourceId::new(namespace.as_deref(), &of, name, group);
            let wanted = |name: &String| Wanted { api_version: api_version.as_str().into(), id: id(name) };
            now.extend(names.iter().map(wanted));
            let mut watch = |selection: Selection, names: Vec<String>| {
                used.insert(WatchKey::new(&kind.resource, selection.clone()));
                let group = Group { kind, namespace: namespace.clone(), names };
                plan.by_watch.push((group, self.watches.start(&self.http, &kind.resource, selection)));
            };
            let all = Selection::All { namespace: namespace.clone() };
            let all_watched = self.watches.get(&WatchKey::new(&kind.resource, all.clone())).is_some();
            let (old, new): (Vec<_>, Vec<_>) =
                names.into_iter().partition(|name| kind.watchable && before.contains(&wanted(name)));
            if all_watched || old.len() > WATCHED_SINGLY {
                watch(all, [old, new].concat());
                continue;
            }
            for name in old {
                watch(Selection::Named { namespace: namespace.clone(), name: name.clone() }, vec![name]);
            }
            let group = Group { kind, namespace: namespace.clone(), names: new };
            match group.names.len() {
                0 => {}
                n if n > READ_SINGLY && kind.watchable => plan.by_list.push(group),
                _ => plan.singly.push(group),
            }
        }
        // Watches of what has got the mark meanwhile, or is no longer wanted.
        self.watches.end(|key| match key.selection {
            Selection::Named { .. } | Selection::All { .. } => !used.contains(key),
            Selection::Marked { .. } | Selection::Workloads { .. } | Selection::Autoscalers { .. } => false,
        });
        self.with_discovered(|discovered| discovered.unmarked = now);
        plan
    }

    async fn read_by_watch(
        &self,
        plan: &mut ReadPlan<'_>,
        gaps: &mut Gaps,
        found: &mut Vec<Object>,
    ) -> Result<(), Failure> {
        let watched = std::mem::take(&mut plan.by_watch);
        let healths = join_all(watched.iter().map(|(_, watch)| recovered(watch))).await;
        for (health, (group, watch)) in healths.into_iter().zip(watched) {
            // Who must not watch may be allowed to read.
            if !health.synced
                && health.broken.as_ref().is_some_and(|b| b.failure.kind == FailureKind::Forbidden)
            {
                plan.singly.push(group);
                continue;
            }
            gaps.judge(group.kind.group_kind(), &group.what(), health)?;
            watch.with(|store| {
                for name in &group.names {
                    let resource = &group.kind.resource;
                    let namespace = group.namespace.as_deref();
                    let object =
                        store.get(&ResourceId::new(namespace, &resource.kind, name, &resource.group));
                    found.extend(object.cloned());
                }
            });
        }
        Ok(())
    }

    async fn read_by_list(
        &self,
        plan: &mut ReadPlan<'_>,
        gaps: &mut Gaps,
        found: &mut Vec<Object>,
    ) -> Result<(), Failure> {
        let lists = std::mem::take(&mut plan.by_list).into_iter().map(|group| async move {
            let answer = self.http.list(&group.kind.resource, group.namespace.as_deref()).await;
            (group, answer)
        });
        let mut answers = at_once(AT_ONCE, lists);
        while let Some((group, answer)) = answers.next().await {
            match answer {
                Ok(items) => {
                    let names: BTreeSet<&str> = group.names.iter().map(String::as_str).collect();
                    let wanted = |item: &Value| text(item, "name").is_some_and(|name| names.contains(name));
                    found.extend(
                        items.into_iter().filter(wanted).map(|item| typed(item.into(), &group.kind.resource)),
                    );
                }
                Err(failure) if failure.kind == FailureKind::Forbidden => plan.singly.push(group),
                Err(failure) => not_read(&group, &failure, gaps)?,
            }
        }
        Ok(())
    }

    async fn read_singly(
        &self,
        plan: ReadPlan<'_>,
        gaps: &mut Gaps,
        found: &mut Vec<Object>,
    ) -> Result<(), Failure> {
        let readable = plan.singly.into_iter().filter(|group| group.kind.readable);
        let each = readable.flat_map(|group| {
            let one = group.clone();
            group.names.into_iter().map(move |name| Group { names: vec![name], ..one.clone() })
        });
        let gets = each.map(|one| async move {
            let name = one.names.first().map(String::as_str).unwrap_or_default();
            let answer = self.http.get(&one.kind.resource, one.namespace.as_deref(), name).await;
            (one, answer)
        });
        let mut answers = at_once(AT_ONCE, gets);
        while let Some((one, answer)) = answers.next().await {
            match answer {
                Ok(object) => found.push(object),
                Err(failure) => not_read(&one, &failure, gaps)?,
            }
        }
        Ok(())
    }
}

fn not_read(group: &Group<'_>, failure: &Failure, gaps: &mut Gaps) -> Result<(), Failure> {
    match failure.kind {
        FailureKind::NotFound => {}
        _ if failure.is_of_server() => return Err(failure.clone()),
        _ => gaps.missing(group.kind.group_kind(), &group.what(), failure),
    }
    Ok(())
}

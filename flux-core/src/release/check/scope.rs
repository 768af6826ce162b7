//! The rules of scope: a workload may be changed at all, and goes to an image that was asked for.

use super::{
    policies::{Reader, Texts},
    violation::{Rule, Violation},
};
use crate::{
    image::{DatePreference, ImageRef, InspectErrorKind, Tag},
    manifest::{CLUSTER, Container, WorkloadId},
    manifest_set::{Located, Manifests},
    policy::Freeze,
    release::{
        ContainerVerdict, ImageRelease, ImageTarget, Operation, ReleasePlan, Selection, Snapshot, Status,
        WorkloadVerdict,
    },
};
use jiff::Timestamp;

pub(super) fn check(
    plan: &ReleasePlan,
    snapshot: &Snapshot,
    reader: &Reader,
    now: Option<Timestamp>,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (id, verdict) in &plan.workloads {
        let Some(at) = described(plan, snapshot, id).filter(|at| at.workload_id() == *id) else {
            if !names(plan, id) {
                violations.push(Violation::UnknownWorkload { id: id.clone() });
            }
            continue;
        };
        violations.extend(
            contradiction(plan, verdict).map(|why| Violation::InconsistentVerdict { id: id.clone(), why }),
        );
        if verdict.status != Status::Success {
            continue;
        }
        let policies = reader.policies(&at);
        let rules = forbids(plan, snapshot, &at, &policies, reader.is_certain, now);
        violations.extend(rules.into_iter().map(|rule| Violation::Forbidden { id: id.clone(), rule }));
        for (container, verdict) in moved(&at, verdict) {
            let Some(target) = &verdict.target else { continue };
            if !is_asked_for(plan, snapshot, id, container, target) {
                violations.push(Violation::WrongTarget { id: id.clone(), container: container.name.clone() });
            }
            if let Some(tag) = unseen(plan, snapshot, target) {
                let container = container.name.clone();
                violations.push(Violation::NotAnImage { id: id.clone(), container, tag });
            }
            if let Some((from, to)) = downgrade(plan, snapshot, container, target, &policies, now) {
                let container = container.name.clone();
                violations.push(Violation::Downgrade { id: id.clone(), container, from, to });
            }
        }
    }
    violations
}

/// Returns what git describes under an id: a workload, or, where annotations change, any object.
pub(super) fn described<'a>(
    plan: &ReleasePlan,
    snapshot: &'a Snapshot,
    id: &WorkloadId,
) -> Option<Located<'a>> {
    let any = || match plan.request.operation {
        Operation::Policy(_) => snapshot.manifests.resources().find(|at| at.workload_id() == *id),
        _ => None,
    };
    snapshot.manifests.workload(id).or_else(any)
}

/// Returns the containers that a verdict changes, with their verdicts.
pub(super) fn moved<'a>(
    at: &Located<'a>,
    verdict: &'a WorkloadVerdict,
) -> Vec<(&'a Container, &'a ContainerVerdict)> {
    let containers = at.resource.workload.as_deref().unwrap_or_default();
    let changed = verdict.containers.iter().enumerate().filter(|(_, verdict)| verdict.target.is_some());
    let pair = |(n, verdict): (usize, &'a ContainerVerdict)| {
        let same_name = |container: &&Container| container.name == verdict.container;
        let container = containers.get(n).filter(same_name).or_else(|| containers.iter().find(same_name))?;
        Some((container, verdict))
    };
    changed.filter_map(pair).collect()
}

/// Returns `true` if a request names a workload, by an id that it has or by another that means it.
fn names(plan: &ReleasePlan, id: &WorkloadId) -> bool {
    plan.request.operation.named().is_some_and(|named| named.contains(id))
}

/// Returns the contradiction in a verdict, if there is one.
fn contradiction(plan: &ReleasePlan, verdict: &WorkloadVerdict) -> Option<&'static str> {
    let success = verdict.status == Status::Success;
    let targets = verdict.containers.iter().any(|container| container.target.is_some());
    let is_image = !matches!(plan.request.operation, Operation::Policy(_));
    let differs = |container: &ContainerVerdict| {
        (container.reason.status() == Status::Success) != container.target.is_some()
    };
    if verdict.status != verdict.reason.status() {
        Some("its status is not that of its reason")
    } else if targets != (success && is_image) {
        Some("it is a success exactly when a container gets another image")
    } else if verdict.containers.iter().any(differs) {
        Some("a container has an image to go to exactly when its reason is a success")
    } else {
        None
    }
}

/// Returns the rules that keep a workload from being changed.
fn forbids(
    plan: &ReleasePlan,
    snapshot: &Snapshot,
    at: &Located<'_>,
    policies: &Texts,
    is_certain: bool,
    now: Option<Timestamp>,
) -> Vec<Rule> {
    let spec = &plan.request.operation;
    let id = at.workload_id();
    let manifests = &snapshot.manifests;
    let automatic = matches!(spec, Operation::Auto);
    let selected = |selection: &Selection| match selection {
        Selection::All => true,
        Selection::Named(ids) => means(manifests, ids, &id),
    };
    let (in_scope, excluded, forced) = match spec {
        Operation::Auto => (true, false, false),
        Operation::Image(release) => {
            let ImageRelease { workloads, image, exclude, force } = release;
            let named = matches!((workloads, image), (Selection::Named(_), ImageTarget::Image(_)));
            (selected(workloads), means(manifests, exclude, &id), *force && named)
        }
        Operation::Containers(release) => {
            (means(manifests, release.containers.keys(), &id), false, release.force)
        }
        Operation::Rollback(back) => {
            let named = matches!(back.workloads, Selection::Named(_));
            (selected(&back.workloads), false, back.force && named)
        }
        Operation::Policy(change) => {
            // What is in no namespace is also meant by an id that was read in the default one.
            let is_it = |named: &WorkloadId| named.kind() == id.kind() && named.name() == id.name();
            let is_meant = id.namespace() == CLUSTER && change.updates.keys().any(is_it);
            (is_meant || means(manifests, change.updates.keys(), &id), false, true)
        }
    };
    let rolls_back = matches!(spec, Operation::Rollback(_));
    let freeze = policies.get("freeze").and_then(|text| Freeze::parse(text).ok());
    let frozen = now.is_some_and(|now| freeze.is_some_and(|freeze| freeze.frozen(now).is_some()));
    let runs = snapshot.cluster.as_ref().is_none_or(|facts| !facts.complete || facts.workloads.contains(&id));
    // A cluster is asked for these kinds only.
    let listed = ["Deployment", "DaemonSet", "StatefulSet", "CronJob"].contains(&at.resource.kind.as_str());
    let by_policy = is_certain && !forced;
    let rules = [
        (Rule::OutOfScope, !in_scope),
        (Rule::Excluded, excluded),
        (Rule::NotAutomated, automatic && is_certain && !policies.allows("automated")),
        (Rule::Locked, by_policy && policies.blocks("locked")),
        (Rule::Ignored, by_policy && policies.blocks("ignore")),
        (Rule::OnHold, by_policy && automatic && policies.blocks("hold")),
        (Rule::Frozen, by_policy && frozen && !rolls_back),
        (
            Rule::Encrypted,
            at.resource.object.text().contains("\"sops\"")
                && at.resource.object.at("/sops/mac").is_some_and(|mac| mac.is_string()),
        ),
        (Rule::NotInCluster, !matches!(spec, Operation::Policy(_)) && listed && !runs),
    ];
    rules.into_iter().filter(|(_, broken)| *broken).map(|(rule, _)| rule).collect()
}

/// Returns `true` if one of some ids is that of a workload, or may mean it.
fn means<'i>(manifests: &Manifests, ids: impl IntoIterator<Item = &'i WorkloadId>, id: &WorkloadId) -> bool {
    ids.into_iter().any(|named| named == id || manifests.candidates_for(named).contains(id))
}

/// Returns `true` if a request asks for an image in a container.
fn is_asked_for(
    plan: &ReleasePlan,
    snapshot: &Snapshot,
    id: &WorkloadId,
    container: &Container,
    target: &ImageRef,
) -> bool {
    let same_name =
        container.image.as_ref().is_ok_and(|image| image.name.canonical() == target.name.canonical());
    match &plan.request.operation {
        Operation::Auto | Operation::Image(ImageRelease { image: ImageTarget::Latest, .. }) => same_name,
        Operation::Image(ImageRelease { image: ImageTarget::Image(image), .. }) => {
            let named = image.name.canonical() == target.name.canonical();
            let tag = image.tag.is_none() || image.tag == target.tag;
            let digest = image.digest.is_none() || image.digest == target.digest;
            same_name && named && tag && digest
        }
        Operation::Containers(release) => {
            let updates =
                release.containers.iter().filter(|(named, _)| means(&snapshot.manifests, [*named], id));
            let mut updates = updates.flat_map(|(_, updates)| updates);
            updates.any(|update| update.container == container.name && update.target == *target)
        }
        Operation::Rollback(back) => {
            let then = snapshot.revisions.get(&back.to).and_then(Option::as_ref);
            let then = then.and_then(|manifests| manifests.workload(id));
            let mut before = then.iter().flat_map(|at| at.resource.workload.iter().flatten());
            before.any(|before| before.name == container.name && before.image.as_ref() == Ok(target))
        }
        Operation::Policy(_) => false,
    }
}

/// Returns the tag of a target that is not known to be an image, where it was chosen or asked for
/// by its tag.
///
/// Automation takes no tag that is named as artifacts are, whatever is under it. A stored plan is
/// checked without registries: what its image is was checked when it was made.
fn unseen(plan: &ReleasePlan, snapshot: &Snapshot, target: &ImageRef) -> Option<Tag> {
    let (by_name, forced) = match &plan.request.operation {
        Operation::Auto | Operation::Image(ImageRelease { image: ImageTarget::Latest, .. }) => (false, false),
        Operation::Image(ImageRelease { image: ImageTarget::Image(image), force, .. }) => {
            image.tag.as_ref()?;
            (true, *force)
        }
        _ => return None,
    };
    let tag = target.tag.as_ref()?;
    let is_image = match snapshot.images.get(&target.name) {
        None => true,
        Some(Ok(facts)) => match facts.images.get(tag) {
            Some(Ok(_)) => true,
            // By force it passes that nothing can be learnt of an image, and not that there is
            // none.
            Some(Err(error)) => forced && error.kind == InspectErrorKind::Unreadable,
            None => false,
        },
        Some(Err(_)) => false,
    };
    (!is_image || is_named_as_artifact(tag) && !by_name).then(|| tag.clone())
}

fn is_named_as_artifact(tag: &Tag) -> bool {
    ["", ".sig", ".att", ".sbom"].iter().any(|suffix| {
        let hex = tag.as_str().strip_suffix(suffix).and_then(|stem| stem.strip_prefix("sha256-"));
        hex.is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| "0123456789abcdef".contains(c)))
    })
}

/// Returns the tags between which automation would go back.
///
/// Only what is plain is judged: versions of three numbers, and the dates of the configurations of
/// two images, if no labels count before them, and both are of this time.
fn downgrade(
    plan: &ReleasePlan,
    snapshot: &Snapshot,
    container: &Container,
    target: &ImageRef,
    policies: &Texts,
    now: Option<Timestamp>,
) -> Option<(Tag, Tag)> {
    let automatic = matches!(plan.request.operation, Operation::Auto);
    if !automatic || policies.blocks("allow-downgrade") {
        return None;
    }
    let current = container.image.as_ref().ok()?;
    let (from, to) = (current.tag.as_ref()?, target.tag.as_ref()?);
    if is_named_as_artifact(from) {
        return None;
    }
    let pattern = policies.pattern(&container.name).unwrap_or("glob:*");
    let older = if let Some(strict) = reads_versions(pattern) {
        version(to.as_str(), strict)? < version(from.as_str(), strict)?
    } else if pattern.starts_with("numeric:") || pattern.starts_with("alpha:") || pattern.contains("<order>")
    {
        return None;
    } else {
        let known = snapshot.images.get(&current.name)?.as_ref().ok()?;
        if policies.allows("label-dates") || known.dates != DatePreference::Configuration {
            return None;
        }
        let (first, last) = ("2014-01-01T00:00:00Z".parse::<Timestamp>().ok()?, now?);
        let created = |tag: &Tag| {
            let created = known.images.get(tag)?.as_ref().ok()?.created?;
            (first < created && created <= last).then_some(created)
        };
        created(to)? < created(from)?
    };
    older.then(|| (from.clone(), to.clone()))
}

/// Returns whether a pattern reads versions strictly; `None` if it does not read versions.
fn reads_versions(pattern: &str) -> Option<bool> {
    pattern.split_once(':').and_then(|(order, _)| match order {
        "semver" => Some(false),
        "semver-strict" => Some(true),
        _ => None,
    })
}

/// Returns a plain version: three numbers, or fewer where versions are read loosely; `None` for all
/// else.
fn version(tag: &str, strict: bool) -> Option<[u64; 3]> {
    let number = |part: &str| part.parse().ok().filter(|_| part == "0" || !part.starts_with(['0', '+']));
    let numbers: Vec<u64> =
        tag.strip_prefix('v').unwrap_or(tag).split('.').map(number).collect::<Option<_>>()?;
    match numbers[..] {
        [major, minor, patch] => Some([major, minor, patch]),
        [major, minor] if !strict => Some([major, minor, 0]),
        [major] if !strict => Some([major, 0, 0]),
        _ => None,
    }
}

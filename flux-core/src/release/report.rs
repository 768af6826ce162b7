//! The plan as data: verdicts, edits, the commit it becomes, and its identity.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    ImageFacts, PolicyChange, Reason, RepositoryFacts, Request, Selection, Spec, Status, Wish,
    WorkloadVerdict, policies,
};
use crate::{
    backend::{Completeness, Error, Images, Revision},
    finding::Finding,
    generate::GeneratedEdit,
    image::{CanonicalName, Tag},
    manifest::{Edit, Intent, WorkloadId},
};

/// The identity of a plan: the SHA-256, in hex, of its inputs and its edits. Equal inputs give equal ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanId(pub String);

/// What a release is about to do: plain data, made by [`plan`](super::plan), carried out by the deployer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleasePlan {
    /// Its identity.
    pub id: PlanId,
    /// The revision it was made on, and that it lands on or not at all.
    pub base: Revision,
    /// What was asked for.
    pub request: Request,
    /// The verdict on every workload in scope.
    pub workloads: BTreeMap<WorkloadId, WorkloadVerdict>,
    /// The edits, sorted by path and place.
    pub edits: Vec<FileEdit>,
    /// What the edits are meant to do, by path.
    pub intents: BTreeMap<String, Vec<Intent>>,
    /// The changes of generated workloads, which commands or patches bring about; sorted.
    #[serde(default)]
    pub generated: Vec<GeneratedEdit>,
    /// What could not be read or decided beside the verdicts.
    pub findings: Vec<Finding>,
}

/// An edit of a file of the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileEdit {
    /// The file's path from the root of the repository.
    pub path: String,
    /// The edit.
    #[serde(flatten)]
    pub edit: Edit,
}

impl ReleasePlan {
    /// Whether the plan changes anything.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.generated.is_empty()
    }

    /// The edits by path.
    pub fn edits_by_path(&self) -> BTreeMap<&str, Vec<Edit>> {
        let mut files: BTreeMap<&str, Vec<Edit>> = BTreeMap::new();
        for edit in &self.edits {
            files.entry(&edit.path).or_default().push(edit.edit.clone());
        }
        files
    }

    /// What was asked for by name and cannot be done.
    pub fn failures(&self) -> impl Iterator<Item = (&WorkloadId, &WorkloadVerdict)> {
        let named = self.request.spec.named();
        self.workloads.iter().filter(move |(id, verdict)| {
            verdict.status == Status::Failed
                || (named.as_ref().is_some_and(|ids| ids.contains(id)) && verdict.reason.is_undecided())
        })
    }

    /// The message of the commit, in v1's form. A person's own message takes its place.
    pub fn message(&self) -> String {
        let own = self.request.cause.message.as_deref();
        match (own, &self.request.spec) {
            (_, Spec::Policy(change)) => policy_message(own, change),
            (Some(message), _) => message.to_owned(),
            (None, spec) => self.default_message(spec),
        }
    }

    fn default_message(&self, spec: &Spec) -> String {
        let to = |workloads: &Selection| match workloads {
            Selection::All => "all".to_owned(),
            Selection::Named(ids) => comma_separated(ids),
        };
        match spec {
            Spec::Image(release) => {
                let what = match &release.image {
                    Wish::Latest => "all latest".to_owned(),
                    Wish::Image(image) => image.to_string(),
                };
                format!("Release {what} to {}", to(&release.workloads))
            }
            Spec::Containers(release) => {
                let mut message =
                    format!("Update image refs in {}\n", comma_separated(release.containers.keys()));
                for (id, updates) in &release.containers {
                    message += &format!("\n{id}\n");
                    message.extend(updates.iter().map(|update| format!("- {}\n", update.target)));
                }
                message
            }
            Spec::Rollback(back) => format!("Roll back {} to {}", to(&back.workloads), back.to.short()),
            Spec::Policy(change) => policy_message(None, change),
            Spec::Auto => {
                let images: BTreeSet<String> = self
                    .workloads
                    .values()
                    .flat_map(|w| &w.containers)
                    .filter_map(|c| c.target.as_ref().map(ToString::to_string))
                    .collect();
                match images.len() {
                    0 => "Auto-release (no images)".to_owned(),
                    1 => format!("Auto-release {}", images.into_iter().collect::<String>()),
                    n => {
                        let list: String = images.iter().map(|image| format!("\n - {image}")).collect();
                        format!("Auto-release multiple ({n}) images\n{list}")
                    }
                }
            }
        }
    }

    /// The note that goes with the commit: v1's JSON, with the plan's id as the job's.
    pub fn note(&self) -> String {
        let result: serde_json::Map<String, serde_json::Value> = self
            .workloads
            .iter()
            .filter(|(_, verdict)| verdict.status != Status::Ignored)
            .map(|(id, verdict)| {
                let containers: Vec<_> = verdict
                    .containers
                    .iter()
                    .filter_map(|c| {
                        let target = c.target.as_ref()?;
                        Some(serde_json::json!({"Container": c.container, "Current": c.current, "Target": target}))
                    })
                    .collect();
                let mut entry = serde_json::json!({"Status": verdict.status, "PerContainer": containers});
                if !verdict.message.is_empty() {
                    entry["Error"] = verdict.message.clone().into();
                }
                (id.to_string(), entry)
            })
            .collect();
        let spec = match &self.request.spec {
            Spec::Image(release) => {
                let services = match &release.workloads {
                    Selection::All => vec!["<all>".to_owned()],
                    Selection::Named(ids) => ids.iter().map(ToString::to_string).collect(),
                };
                let image = match &release.image {
                    Wish::Latest => "<all latest>".to_owned(),
                    Wish::Image(image) => image.to_string(),
                };
                serde_json::json!({
                    "ServiceSpecs": services,
                    "ImageSpec": image,
                    "Kind": "execute",
                    "Excludes": release.exclude,
                    "Force": release.force,
                })
            }
            Spec::Auto => serde_json::json!({"Changes": self.changes()}),
            Spec::Containers(release) => serde_json::json!({
                "Kind": "execute",
                "ContainerSpecs": release.containers,
                "SkipMismatches": release.skip_mismatches,
                "Force": release.force,
            }),
            Spec::Policy(change) => serde_json::json!(change.updates),
            Spec::Rollback(back) => serde_json::json!({"Revision": back.to, "Force": back.force}),
        };
        let cause = &self.request.cause;
        serde_json::json!({
            "jobID": self.id,
            "spec": {
                "type": self.request.spec.kind(),
                "cause": {"Message": cause.message.as_deref().unwrap_or_default(), "User": cause.user.as_deref().unwrap_or_default()},
                "spec": spec,
            },
            "result": result,
        })
        .to_string()
    }

    fn changes(&self) -> Vec<serde_json::Value> {
        self.workloads
            .iter()
            .flat_map(|(id, verdict)| verdict.containers.iter().map(move |c| (id, c)))
            .filter_map(|(id, c)| {
                let target = c.target.as_ref()?;
                Some(serde_json::json!({"WorkloadID": id, "Container": c.container, "ImageID": target}))
            })
            .collect()
    }

    /// Whether any verdict has this reason.
    pub fn has(&self, reason: Reason) -> bool {
        self.workloads.values().any(|w| w.reason == reason || w.containers.iter().any(|c| c.reason == reason))
    }
}

/// v1's message of a change of policies: what it does, after a person's own words.
fn policy_message(own: Option<&str>, change: &PolicyChange) -> String {
    let events: Vec<String> = policies::events(change)
        .iter()
        .map(|(what, ids)| format!("{what}: {}", comma_separated(ids)))
        .collect();
    let list = || events.iter().map(|event| format!("- {event}\n")).collect::<String>();
    match (own, &events[..]) {
        (Some(message), _) => format!("{message}\n\n{}", list()),
        (None, [event]) => event.clone(),
        (None, _) => format!("Updated workload policies\n\n{}", list()),
    }
}

fn comma_separated<T: ToString>(ids: impl IntoIterator<Item = T>) -> String {
    ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>().join(", ")
}

/// What a plan's identity is made of.
#[derive(Serialize)]
pub(super) struct Identity<'a> {
    pub(super) base: &'a Revision,
    pub(super) request: &'a Request,
    pub(super) images: BTreeMap<&'a CanonicalName, Known<'a>>,
    pub(super) workloads: &'a BTreeMap<WorkloadId, WorkloadVerdict>,
    pub(super) edits: &'a [FileEdit],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) generated: &'a [GeneratedEdit],
}

/// What is known of a repository, in an order of its own.
pub(super) type Known<'a> = Result<(BTreeSet<&'a Tag>, &'a Completeness, &'a Images), &'a Error>;

/// What is known of the repositories, whatever the order in which the registries told it.
pub(super) fn known(facts: &ImageFacts) -> BTreeMap<&CanonicalName, Known<'_>> {
    fn sorted(known: &RepositoryFacts) -> (BTreeSet<&Tag>, &Completeness, &Images) {
        (known.tags.iter().collect(), &known.completeness, &known.images)
    }
    facts.repositories.iter().map(|(name, known)| (name, known.as_ref().map(sorted))).collect()
}

impl Identity<'_> {
    /// Hashes the JSON form, in which every map is sorted.
    pub(super) fn id(&self) -> PlanId {
        let mut hash = Sha256::new();
        hash.update(b"flux release plan 1\n");
        hash.update(serde_json::to_vec(self).unwrap_or_default());
        PlanId(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

//! From a plan to a report: what becomes of a step that goes well, and of one that does not.
//!
//! Every [`Cluster`](crate::backend::Cluster) reports through [`StepOutcome`], so that equal
//! failures read equally.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::sync::{Action, Reason, Step, SyncPlan};
use crate::{
    finding::{Code, Finding, Place},
    manifest::ResourceId,
    revision::Revision,
};

/// The report of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResourceReport {
    /// The object.
    pub id: ResourceId,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason, as a stable code.
    pub reason: Reason,
    /// The reason, for people; empty if the code says it all.
    pub message: String,
    /// The paths of the fields that differed.
    pub fields: Vec<String>,
    /// The field managers that had set those fields, by path, where one is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owners: BTreeMap<String, String>,
    /// When these managers wrote to the object last, RFC 3339, by path, where it is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changed: BTreeMap<String, String>,
    /// The place of the object in git.
    pub place: Option<Place>,
    /// The fields that were applied and have another value all the same, each with its digest.
    #[serde(skip)]
    pub(crate) unsettled: Unsettled,
}

/// Fields by their paths, each with the SHA-256 of its value in the cluster.
///
/// Its `Debug` form has no digests: that of a short secret gives it away.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Unsettled(pub(crate) BTreeMap<String, String>);

impl fmt::Debug for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The outcome of one object.
///
/// Exhaustive: a report has to count each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was created.
    Created,
    /// It was changed.
    Changed,
    /// It was left, or only the mark was put on it.
    Unchanged,
    /// It was deleted.
    Pruned,
    /// Nothing was done about it, on purpose.
    Skipped,
    /// The step could not be carried out.
    Failed,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Pruned => "pruned",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        })
    }
}

impl fmt::Display for ResourceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.outcome, self.id, self.reason)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// The report of a plan that was carried out, or of a dry run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// The revision synced.
    pub revision: Option<Revision>,
    /// Every object of the plan, sorted by id.
    ///
    /// Clones of the report share them.
    pub resources: Vec<Arc<ResourceReport>>,
    /// The problems with what was read, decided and sent; sorted, each once.
    pub findings: Vec<Finding>,
}

impl SyncReport {
    /// Adds findings, keeping them sorted and each once.
    pub fn add_findings(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        self.findings.sort();
        self.findings.dedup();
    }
}

/// Writes one line for each object, then one for each finding.
impl fmt::Display for SyncReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resources.iter().try_for_each(|resource| writeln!(f, "{resource}"))?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

/// One step as it went: its report, and what is to be said about it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepOutcome {
    /// The report.
    pub report: ResourceReport,
    /// The findings: of a failure, unless it is another step's finding, and of what did not become
    /// as git says.
    pub findings: Vec<Finding>,
}

impl StepOutcome {
    /// Returns the same with the outcome that the server answered.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.report.outcome = outcome;
        self
    }

    /// Returns the same with fields that went, though others had set them, because the API server
    /// refused the object beside them.
    #[must_use]
    pub fn with_cleared(mut self, fields: &[String]) -> Self {
        let between = if self.report.message.is_empty() { "" } else { "; " };
        let all = fields.join(" and ");
        self.report.message += &format!("{between}the API server refused it beside {all}, which went");
        let new: Vec<String> =
            fields.iter().filter(|field| !self.report.fields.contains(field)).cloned().collect();
        self.report.fields.extend(new);
        self
    }

    /// Returns the same with a remedy that fits the failure better than the one its reason has.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        if let Some(finding) = self.findings.last_mut() {
            finding.remedy = remedy.into();
        }
        self
    }

    /// Returns the same without a finding of its own: another step's finding says it already.
    #[must_use]
    pub fn without_finding(self) -> Self {
        Self { findings: Vec::new(), ..self }
    }
}

impl Step {
    /// Returns the outcome of this step when it was carried out, or when nothing needed to be done.
    pub fn done(&self) -> StepOutcome {
        let outcome = match self.action {
            Action::Create { .. } => Outcome::Created,
            Action::Apply { content_equal: false, .. } => Outcome::Changed,
            Action::Apply { content_equal: true, .. } | Action::Leave => Outcome::Unchanged,
            Action::Prune { .. } => Outcome::Pruned,
            Action::Skip => Outcome::Skipped,
            Action::Fail => Outcome::Failed,
        };
        let report = ResourceReport {
            id: self.id.clone(),
            outcome,
            reason: self.reason,
            message: self.message.clone(),
            fields: self.fields.iter().map(|field| field.path.clone()).collect(),
            owners: self.fields.iter().filter_map(|f| Some((f.path.clone(), f.owner.clone()?))).collect(),
            changed: self.fields.iter().filter_map(|f| Some((f.path.clone(), f.changed.clone()?))).collect(),
            place: self.place.clone(),
            unsettled: Unsettled::default(),
        };
        // The finding of a step that fails by plan is among the plan's.
        StepOutcome { report, findings: Vec::new() }
    }

    /// Returns the outcome of this step when the cluster could not carry it out.
    ///
    /// The message holds no secret.
    pub fn failed(&self, reason: Reason, message: impl Into<String>) -> StepOutcome {
        let message = message.into();
        let (code, remedy) = match reason {
            Reason::UnknownKind => (
                Code::UnknownKind,
                "Correct apiVersion and kind, or add the CustomResourceDefinition to git or to the cluster.",
            ),
            Reason::Unavailable => {
                (Code::ApplyFailed, "The next sync tries it again; see that the API server can be reached.")
            }
            _ => (Code::ApplyFailed, "Correct the object in git; the next sync tries it again."),
        };
        let finding = Finding {
            code,
            subject: self.id.to_string(),
            place: self.place.clone(),
            evidence: message.clone(),
            remedy: remedy.to_owned(),
        };
        let mut outcome = self.done();
        outcome.report = ResourceReport { outcome: Outcome::Failed, reason, message, ..outcome.report };
        StepOutcome { findings: vec![finding], ..outcome }
    }
}

impl SyncPlan {
    /// Returns the report of a dry run: of every step as if it went well.
    pub fn dry_run(&self) -> SyncReport {
        self.report(self.steps.iter().map(|step| step.done()))
    }

    /// Returns the report made of the outcomes of all steps, given in any order.
    pub fn report(&self, outcomes: impl IntoIterator<Item = StepOutcome>) -> SyncReport {
        let mut report = SyncReport { revision: self.revision.clone(), ..SyncReport::default() };
        let mut findings = self.findings.clone();
        for outcome in outcomes {
            report.resources.push(Arc::new(outcome.report));
            findings.extend(outcome.findings);
        }
        report.resources.sort_by(|a, b| (&a.id, &a.place).cmp(&(&b.id, &b.place)));
        report.add_findings(findings);
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: Action) -> Step {
        let id = ResourceId::new(Some("shop"), "ConfigMap", "settings", "");
        Step::new(id, "v1", 2, action, Reason::NotInGit)
    }

    #[test]
    fn a_failure_is_a_finding_with_the_remedy_that_fits_it_best() {
        let plan = SyncPlan::new(Vec::new());
        let failed = || step(Action::Leave).failed(Reason::Rejected, "the quota is used up");
        let report =
            plan.report([failed(), failed().with_remedy("Raise the quota."), failed().without_finding()]);
        let remedies: Vec<&str> = report.findings.iter().map(|f| f.remedy.as_str()).collect();
        assert_eq!(
            remedies,
            ["Correct the object in git; the next sync tries it again.", "Raise the quota."]
        );
        assert_eq!(report.resources.len(), 3);
        assert_eq!(
            report.resources[0].to_string(),
            "failed shop:configmap/settings (rejected): the quota is used up"
        );
    }

    #[test]
    fn outcomes_read_as_their_json_does() {
        for action in [Action::Leave, Action::Skip, Action::Fail] {
            let outcome = step(action).done().report.outcome;
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.to_string());
        }
    }
}

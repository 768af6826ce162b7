//! From a plan to a report: what becomes of a step that goes well, and of one that does not.

use super::{Action, Outcome, Reason, ResourceReport, Step, SyncPlan, SyncReport};
use crate::finding::{Code, Finding};

impl Step {
    /// Whether the cluster is asked for anything.
    pub fn is_sent(&self) -> bool {
        matches!(self.action, Action::Create { .. } | Action::Apply { .. } | Action::Prune { .. })
    }

    /// The report of this step when it was carried out, or needed nothing.
    pub fn done(&self) -> ResourceReport {
        let outcome = match self.action {
            Action::Create { .. } => Outcome::Created,
            Action::Apply { content_equal: false, .. } => Outcome::Changed,
            Action::Apply { content_equal: true, .. } | Action::Leave => Outcome::Unchanged,
            Action::Prune { .. } => Outcome::Pruned,
            Action::Skip => Outcome::Skipped,
            Action::Fail => Outcome::Failed,
        };
        ResourceReport {
            id: self.id.clone(),
            outcome,
            reason: self.reason,
            message: self.message.clone(),
            fields: self.fields.iter().map(|field| field.path.clone()).collect(),
            place: self.place.clone(),
        }
    }

    /// The report of this step when the cluster could not carry it out. The message holds no secret.
    pub fn failed(&self, reason: Reason, message: impl Into<String>) -> ResourceReport {
        ResourceReport { outcome: Outcome::Failed, reason, message: message.into(), ..self.done() }
    }
}

impl SyncPlan {
    /// The report of a dry run: of every step as if it went well.
    pub fn dry_run(&self) -> SyncReport {
        self.report(self.steps.iter().map(Step::done).collect())
    }

    /// The report made of the outcomes of all steps, in any order. What the cluster refused becomes a finding.
    pub fn report(&self, mut resources: Vec<ResourceReport>) -> SyncReport {
        resources.sort_by(|a, b| (&a.id, &a.place).cmp(&(&b.id, &b.place)));
        let refused = resources.iter().filter(|r| {
            r.outcome == Outcome::Failed && matches!(r.reason, Reason::Rejected | Reason::Unavailable)
        });
        let mut findings = self.findings.clone();
        findings.extend(refused.map(|r| {
            Finding {
                code: Code::ApplyFailed,
                subject: r.id.to_string(),
                place: r.place.clone(),
                evidence: r.message.clone(),
                remedy: match r.reason {
                    Reason::Unavailable => {
                        "The next sync tries it again; see that the API server can be reached."
                    }
                    _ => "Correct the object in git; the next sync tries it again.",
                }
                .to_owned(),
            }
        }));
        findings.sort();
        findings.dedup();
        SyncReport { revision: self.revision.clone(), resources, findings }
    }
}

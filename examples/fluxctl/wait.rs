//! Waiting until what was synced or released is healthy: live lines, and how it ended.

use std::{
    collections::BTreeSet,
    io::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use flux::{
    backend::layers::Sleeper,
    deployer::{DeployError, HealthProgress, WaitOptions, WaitReport},
    health::{Health, HealthStatus, WaitOutcome},
    manifest::ResourceId,
};
use serde_json::{Value, json};

use crate::{args::Waiting, common::Failure};

/// Sleeps on tokio's timers.
#[derive(Debug)]
pub(crate) struct TokioSleeper;

#[async_trait::async_trait]
impl Sleeper for TokioSleeper {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Prints a line to standard error for each object that changes its health, with the evidence
/// below.
///
/// An object that is current from the start is left out, unless there is something to say about
/// it.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<BTreeSet<ResourceId>>);

impl HealthProgress for Lines {
    fn health(&self, id: &ResourceId, health: &Health) {
        let is_first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        if is_first && health.status == HealthStatus::Current && health.evidence.is_empty() {
            return;
        }
        let mut text = format!("{id}: {health}\n");
        for evidence in &health.evidence {
            text += &format!("    {evidence}\n");
        }
        // If standard error is closed, the wait goes on all the same.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Returns the options of a wait.
pub(crate) fn options(args: &Waiting) -> WaitOptions {
    WaitOptions { timeout: args.timeout, fail_fast: !args.no_fail_fast, ..WaitOptions::default() }
}

/// Returns the sentence for people about a wait that ended well.
pub(crate) fn sentence(report: &WaitReport) -> String {
    match report.healths.len() {
        0 => "Nothing to wait for".to_owned(),
        1 => "Healthy: the object is current".to_owned(),
        count => format!("Healthy: all {count} objects are current"),
    }
}

/// Returns the failure of a wait that did not end well; `None` if it did.
pub(crate) fn failure(report: &WaitReport, timeout: Duration) -> Option<Failure> {
    let timeout =
        jiff::SignedDuration::try_from(timeout).map_or_else(|_| format!("{timeout:?}"), |t| format!("{t:#}"));
    let revision = report.revision.as_ref().map_or("nothing", |revision| revision.short());
    let begin = match &report.outcome {
        WaitOutcome::Healthy => return None,
        WaitOutcome::Failed => format!("{revision} is not healthy"),
        WaitOutcome::TimedOut => format!("{revision} did not become healthy within {timeout}"),
        WaitOutcome::Superseded(newer) => {
            format!(
                "{} is in git now; {revision} was not healthy yet, and is no longer waited for",
                newer.short()
            )
        }
        _ => "the wait ended otherwise".to_owned(),
    };
    let all = report.healths.len();
    let mut unhealthy: Vec<(&ResourceId, &Health)> = report.unhealthy().collect();
    unhealthy.sort_by_key(|(_, health)| health.status != HealthStatus::Failed);
    let verb = if unhealthy.len() == 1 { "is" } else { "are" };
    let mut message = format!("{begin}: {} of {all} objects {verb} not current", unhealthy.len());
    for (id, health) in unhealthy {
        message += &format!("\n  {id}: {health}");
        for evidence in &health.evidence {
            message += &format!("\n    {evidence}");
        }
    }
    Some(Failure::failed(message))
}

/// Returns the JSON of a sync or release with that of the wait that followed.
pub(crate) fn with_health(mut json: Value, waited: Option<&Result<WaitReport, DeployError>>) -> Value {
    if let Some(Ok(report)) = waited {
        json["health"] = of_report(report);
    }
    json
}

/// Returns the JSON of a wait, stable for scripts.
fn of_report(report: &WaitReport) -> Value {
    let (outcome, newer) = match &report.outcome {
        WaitOutcome::Healthy => ("healthy", None),
        WaitOutcome::Failed => ("failed", None),
        WaitOutcome::TimedOut => ("timed-out", None),
        WaitOutcome::Superseded(newer) => ("superseded", Some(newer)),
        _ => ("unknown", None),
    };
    let resources = report.healths.iter().map(|(id, health)| {
        json!({
            "id": id.to_string(),
            "status": health.status,
            "message": health.message,
            "evidence": health.evidence,
        })
    });
    json!({"outcome": outcome, "newer": newer, "resources": resources.collect::<Vec<_>>()})
}

//! Objects that run to their end: Pods, Jobs and CronJobs.

use serde_json::Value;

use super::{
    model::{EvidenceCode, Health},
    object::{condition_is, count, is_true, pods, unseen},
    pods as of_pods,
    words::harmless,
};
use crate::backend::Pod;

/// A Pod is current when it is ready or has succeeded; it has failed when its phase says so.
///
/// kstatus takes a Pod that has failed for current, since nothing more will happen to it.
pub(super) fn pod(object: &Value) -> Health {
    let pod = Pod::of(object);
    let evidence = of_pods::evidence(std::slice::from_ref(&pod));
    let is_ready = condition_is(object, "Ready", "True").is_some();
    let health = match pod.phase.as_str() {
        "Succeeded" => return Health::current("the pod has succeeded"),
        "Failed" => {
            let why = [&pod.reason, &pod.message].map(|text| harmless(text)).join(" ");
            Health::failed(format!("the pod has failed {why}").trim_end().to_owned())
        }
        "Running" if is_ready => return Health::current("the pod is ready"),
        "Running" => Health::in_progress("the pod runs and is not ready"),
        "Pending" => Health::in_progress("the pod has not started"),
        _ => unseen(),
    };
    health.with_all(evidence)
}

/// A Job is current when it is complete or suspended, and has failed when its conditions say so,
/// also while its last pods still end.
///
/// kstatus takes a Job for current as soon as it has started.
pub(super) fn job(object: &Value) -> Health {
    if let Some(failed) =
        condition_is(object, "Failed", "True").or_else(|| condition_is(object, "FailureTarget", "True"))
    {
        let code = match failed.reason() {
            "DeadlineExceeded" => EvidenceCode::DeadlineExceeded,
            _ => EvidenceCode::Condition,
        };
        return Health::failed(format!("the Job has failed: {}", failed.words()))
            .with_all([failed.evidence(code)]);
    }
    let succeeded = count(object, "/status/succeeded");
    if condition_is(object, "Complete", "True").is_some() {
        return Health::current(format!("the Job is complete: {} succeeded", pods(succeeded)));
    }
    if is_true(object, "/spec/suspend") {
        return Health::current("the Job is suspended")
            .with(EvidenceCode::Suspended, "the Job does not run until it is resumed");
    }
    if object.pointer("/status/startTime").is_none() {
        return unseen();
    }
    let (active, failed) = (count(object, "/status/active"), count(object, "/status/failed"));
    Health::in_progress(format!("the Job runs: {active} active, {succeeded} succeeded, {failed} failed"))
}

/// A CronJob is always current: whether its Jobs succeed is theirs to say, and its
/// `lastSuccessfulTime` counts Jobs that people start, too.
pub(super) fn cron_job(object: &Value) -> Health {
    let health = Health::current("the schedule is set");
    if is_true(object, "/spec/suspend") {
        return health.with(EvidenceCode::Suspended, "the CronJob starts no Jobs until it is resumed");
    }
    health
}

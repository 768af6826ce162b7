//! The evidence that pods give for a workload that is not healthy.

use super::{
    model::{Evidence, EvidenceCode},
    words::harmless,
};
use crate::backend::{ContainerExit, ContainerState, Pod, PodCondition, PodContainer};

/// The most pods of one workload that evidence is shown of: they mostly say the same.
const MOST: usize = 5;

/// Returns what pods say about why their workload is not healthy, of each pod its first cause.
///
/// Equal causes of several pods are said once, with the number of further pods. The order is that
/// of the pods' names.
pub fn evidence(pods: &[Pod]) -> Vec<Evidence> {
    let mut pods: Vec<&Pod> = pods.iter().filter(|pod| !pod.is_deleting).collect();
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    let mut found: Vec<(Evidence, usize)> = Vec::new();
    for one in pods.into_iter().flat_map(of_pod) {
        let is_same = |first: &Evidence| {
            (first.code, of_container(first), &first.message) == (one.code, of_container(&one), &one.message)
        };
        if let Some((_, more)) = found.iter_mut().find(|(first, _)| is_same(first)) {
            *more += 1;
        } else if found.len() < MOST {
            found.push((one, 0));
        }
    }
    let counted = found.into_iter().map(|(mut evidence, more)| {
        if more > 0 {
            let plural = if more == 1 { "" } else { "s" };
            evidence.message = format!("{} (and {more} more pod{plural})", evidence.message);
        }
        evidence
    });
    counted.collect()
}

/// Returns the container in the subject of evidence; empty for a pod as a whole.
fn of_container(evidence: &Evidence) -> &str {
    evidence.subject.split_once(", ").map_or("", |(_, container)| container)
}

fn of_pod(pod: &Pod) -> Vec<Evidence> {
    let about = |code, message: String| Evidence { code, subject: format!("pod {}", pod.name), message };
    if pod.phase == "Failed" && !pod.reason.is_empty() {
        let message = format!("{} {}", pod.reason, harmless(&pod.message));
        return vec![about(EvidenceCode::PodFailed, message.trim_end().to_owned())];
    }
    if let Some(unscheduled) = is_false(pod, "PodScheduled") {
        return vec![about(EvidenceCode::Unschedulable, words(unscheduled))];
    }
    let containers: Vec<Evidence> =
        pod.containers.iter().filter_map(|container| of_container_state(pod, container)).collect();
    // A container that waits for others to start says nothing of itself.
    if let Some(first) = containers.iter().min_by_key(|evidence| evidence.code == EvidenceCode::NotReady) {
        return vec![first.clone()];
    }
    // The kubelet says what keeps volumes and the network from being set up.
    is_false(pod, "PodReadyToStartContainers")
        .filter(|condition| pod.phase == "Pending" && !words(condition).is_empty())
        .map(|condition| about(EvidenceCode::CannotStart, words(condition)))
        .into_iter()
        .collect()
}

fn is_false<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.conditions.iter().find(|condition| condition.kind == kind && condition.status == "False")
}

fn words(condition: &PodCondition) -> String {
    match harmless(&condition.message) {
        message if message.is_empty() => condition.reason.clone(),
        message => message,
    }
}

/// The reasons of a container that waits because of its image.
const IMAGE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
];

fn of_container_state(pod: &Pod, container: &PodContainer) -> Option<Evidence> {
    let about = |code, message: String| {
        let kind = if container.is_init { "init container" } else { "container" };
        Some(Evidence { code, subject: format!("pod {}, {kind} {}", pod.name, container.name), message })
    };
    match &container.state {
        ContainerState::Waiting { reason, message } if IMAGE.contains(&reason.as_str()) => {
            let message = harmless(message);
            about(EvidenceCode::ImagePull, format!("{reason} of {}: {message}", container.image))
        }
        ContainerState::Waiting { reason, .. } if reason == "CrashLoopBackOff" => {
            let ended = container.last_exit.as_ref().map_or_else(|| "it ended".to_owned(), ended);
            about(EvidenceCode::CrashLoop, format!("{ended}{}", again(container.restarts)))
        }
        // Ordinary steps before the start.
        ContainerState::Waiting { reason, .. }
            if matches!(reason.as_str(), "" | "ContainerCreating" | "PodInitializing") =>
        {
            None
        }
        ContainerState::Waiting { reason, message } => {
            about(EvidenceCode::CannotStart, format!("{reason}: {}", harmless(message)))
        }
        ContainerState::Ended(exit) if exit.code != 0 => {
            about(EvidenceCode::CrashLoop, format!("{}{}", ended(exit), again(container.restarts)))
        }
        ContainerState::Running if !container.is_ready && !container.is_init => {
            let last = match &container.last_exit {
                Some(exit) => format!(
                    "; before, {}, and it was started again {}",
                    ended(exit),
                    times(container.restarts)
                ),
                None => String::new(),
            };
            about(
                EvidenceCode::NotReady,
                format!("it runs and is not ready: its startup or readiness probe has not succeeded{last}"),
            )
        }
        _ => None,
    }
}

fn ended(exit: &ContainerExit) -> String {
    match exit.reason.as_str() {
        "" | "Error" => format!("it ended with exit code {}", exit.code),
        reason => format!("it ended with exit code {} ({reason})", exit.code),
    }
}

fn again(restarts: i64) -> String {
    if restarts == 0 { String::new() } else { format!("; started again {}", times(restarts)) }
}

fn times(number: i64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

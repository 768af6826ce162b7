//! The message of the commit that a plan becomes, in v1's form.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    reason::Status,
    release::ReleasePlan,
    request::{ImageTarget, Operation, PolicyChange, Selection},
};
use crate::manifest::WorkloadId;

impl ReleasePlan {
    /// Returns the message of the commit, in v1's form.
    ///
    /// A person's own message takes its place.
    pub fn message(&self) -> String {
        let own = self.request.cause.message.as_deref();
        match (own, &self.request.operation) {
            (_, Operation::Policy(change)) => self.policy_message(own, change),
            (Some(message), _) => message.to_owned(),
            (None, operation) => self.default_message(operation),
        }
    }

    fn default_message(&self, operation: &Operation) -> String {
        let to = |workloads: &Selection| match workloads {
            Selection::All => "all".to_owned(),
            Selection::Named(ids) => comma_separated(ids),
        };
        match operation {
            Operation::Image(release) => {
                let images = match &release.image {
                    ImageTarget::Latest => "all latest".to_owned(),
                    ImageTarget::Image(image) => image.to_string(),
                };
                format!("Release {images} to {}", to(&release.workloads))
            }
            Operation::Containers(release) => {
                let mut message =
                    format!("Update image refs in {}\n", comma_separated(release.containers.keys()));
                for (id, updates) in &release.containers {
                    message += &format!("\n{id}\n");
                    message.extend(updates.iter().map(|update| format!("- {}\n", update.target)));
                }
                message
            }
            Operation::Rollback(back) => {
                format!("Roll back {} to {}", to(&back.workloads), back.to.short())
            }
            Operation::Policy(change) => self.policy_message(None, change),
            Operation::Auto => {
                let images = self.images();
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

    /// Returns v1's message of a change of policies: its events, after a person's own words.
    ///
    /// Changes that have failed are not among them.
    fn policy_message(&self, own: Option<&str>, change: &PolicyChange) -> String {
        let has_failed =
            |id: &WorkloadId| self.workloads.get(id).is_some_and(|verdict| verdict.status == Status::Failed);
        let mut events = events(change);
        events.values_mut().for_each(|ids| ids.retain(|id| !has_failed(id)));
        events.retain(|_, ids| !ids.is_empty());
        let events: Vec<String> =
            events.iter().map(|(event, ids)| format!("{event}: {}", comma_separated(ids))).collect();
        let list = || events.iter().map(|event| format!("- {event}\n")).collect::<String>();
        match (own, &events[..]) {
            (Some(message), _) => format!("{message}\n\n{}", list()),
            (None, [event]) => event.clone(),
            (None, _) => format!("Updated workload policies\n\n{}", list()),
        }
    }
}

/// Returns the events of a change of policies, in v1's words, each with its workloads.
fn events(change: &PolicyChange) -> BTreeMap<&'static str, BTreeSet<&WorkloadId>> {
    let mut events: BTreeMap<&'static str, BTreeSet<&WorkloadId>> = BTreeMap::new();
    for (id, update) in &change.updates {
        let added = update.add.keys().filter(|name| !update.remove.contains(*name)).map(|name| (name, true));
        let removed = update.remove.iter().map(|name| (name, false));
        for (name, added) in added.chain(removed) {
            let event = match (name.as_str(), added) {
                ("automated", true) => "Automated",
                ("automated", false) => "Deautomated",
                // The user and the message of a lock are part of it.
                ("locked" | "locked_user" | "locked_msg", true) => "Locked",
                ("locked" | "locked_user" | "locked_msg", false) => "Unlocked",
                ("suspended" | "suspended_user" | "suspended_msg", true) => "Suspended",
                ("suspended" | "suspended_user" | "suspended_msg", false) => "Resumed",
                _ => "Updated policies",
            };
            events.entry(event).or_default().insert(id);
        }
    }
    events
}

fn comma_separated<T: ToString>(ids: impl IntoIterator<Item = T>) -> String {
    ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>().join(", ")
}

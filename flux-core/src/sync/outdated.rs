//! The comparison of a plan that was made earlier with what it would be now.

use std::{collections::BTreeMap, fmt};

use crate::{
    backend::Revision,
    finding::Place,
    manifest::ResourceId,
    plan::sync::{Step, SyncPlan},
};

/// A difference between a plan and the same plan made anew.
///
/// Such a plan must not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outdated {
    /// The branch is at another revision.
    Revision {
        /// The revision that was planned on.
        planned: Option<Revision>,
        /// The revision that the branch is at.
        now: Option<Revision>,
    },
    /// Something else would be done about an object now.
    Step {
        /// The object.
        id: ResourceId,
        /// The step of the plan, in words; `None` if it has none.
        planned: Option<String>,
        /// The step as it would be now, in words; `None` if there would be none.
        now: Option<String>,
    },
    /// The same would be done about an object, with another content or on another version of it.
    Object {
        /// The object.
        id: ResourceId,
    },
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision { planned, now } => {
                let name = |revision: &Option<Revision>| {
                    revision.as_ref().map_or_else(|| "no revision".to_owned(), ToString::to_string)
                };
                write!(f, "The plan was made on {}, and the branch is at {} now.", name(planned), name(now))
            }
            Self::Step { id, planned, now } => {
                let step = |step: &Option<String>| {
                    step.as_ref().map_or_else(|| "nothing".to_owned(), |step| format!("`{step}`"))
                };
                write!(f, "For {id} the plan has {}, and now it would have {}.", step(planned), step(now))
            }
            Self::Object { id } => {
                write!(f, "{id} has changed, in git or in the cluster, since the plan was made.")
            }
        }
    }
}

/// Returns the differences between a plan that was made earlier and the same plan made anew; empty
/// if the plan can be carried out as it is.
///
/// Two plans are the same if they are for the same revision and take the same steps: the same
/// actions with the same contents, for the same reasons, and deletions of the same versions of
/// objects. Findings do not count. The versions of objects that are applied do not count either: a
/// status that changed meanwhile does not change what git wants.
pub fn outdated(plan: &SyncPlan, now: &SyncPlan) -> Vec<Outdated> {
    let mut found = Vec::new();
    if plan.revision != now.revision {
        found.push(Outdated::Revision { planned: plan.revision.clone(), now: now.revision.clone() });
    }
    let (planned, current) = (by_object(plan), by_object(now));
    let objects: std::collections::BTreeSet<_> = planned.keys().chain(current.keys()).collect();
    for object in objects {
        let (planned, now) = (planned.get(object), current.get(object));
        if planned == now {
            continue;
        }
        let id = object.0.clone();
        let words = |step: Option<&&Step>| step.map(ToString::to_string);
        let (planned, now) = (words(planned), words(now));
        found.push(match planned == now {
            true => Outdated::Object { id },
            false => Outdated::Step { id, planned, now },
        });
    }
    found
}

/// Returns the steps by their objects and places.
fn by_object(plan: &SyncPlan) -> BTreeMap<(&ResourceId, Option<&Place>), &Step> {
    plan.steps.iter().map(|step| ((&step.id, step.place.as_ref()), &**step)).collect()
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        backend::Cluster,
        memory::MemoryCluster,
        position::Position,
        sync::{self, Desired, DesiredObject, SyncOptions, SyncSet},
    };

    fn config_map(name: &str, colour: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"colour": colour}})
    }

    fn desired(revision: &str, objects: &[Value]) -> Desired {
        let place = Place::in_file("all.yaml", Position { line: 1, column: 1 });
        let object = |object: &Value| DesiredObject { object: object.into(), place: place.clone() };
        Desired {
            revision: Some(Revision::new(revision)),
            objects: objects.iter().map(object).collect(),
            ..Desired::default()
        }
    }

    fn plan(cluster: &MemoryCluster, desired: &Desired) -> SyncPlan {
        let options = SyncOptions { prune: true, ..SyncOptions::new(SyncSet::new("shop")) };
        let observed = block_on(cluster.observe(&desired.scope())).unwrap();
        sync::plan(desired, &observed, &options)
    }

    fn words(plan: &SyncPlan, now: &SyncPlan) -> Vec<String> {
        outdated(plan, now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plan_fits_until_git_or_an_object_that_it_is_about_moves() {
        let cluster = MemoryCluster::new();
        let before = desired("abc", &[config_map("a", "blue"), config_map("gone", "blue")]);
        block_on(cluster.apply(&plan(&cluster, &before), &())).unwrap();
        let after = desired("def", &[config_map("a", "red"), config_map("new", "red")]);
        let planned = plan(&cluster, &after);
        let stored: SyncPlan = serde_json::from_str(&serde_json::to_string(&planned).unwrap()).unwrap();
        assert_eq!(words(&stored, &plan(&cluster, &after)), [""; 0]);

        let moved = desired("012", &[config_map("a", "green"), config_map("new", "red")]);
        assert_eq!(
            words(&stored, &plan(&cluster, &moved)),
            [
                "The plan was made on def, and the branch is at 012 now.",
                "default:configmap/a has changed, in git or in the cluster, since the plan was made.",
            ]
        );

        // By hand: what was to be created is there, what was to be deleted has changed.
        cluster.create(config_map("new", "blue")).unwrap();
        let gone =
            cluster.objects().iter().find(|o| o["metadata"]["name"] == "gone").and_then(sync::object::id_of);
        cluster.edit(&gone.unwrap(), |object| object["data"]["colour"] = "grey".into()).unwrap();
        assert_eq!(
            words(&stored, &plan(&cluster, &after)),
            [
                "default:configmap/gone has changed, in git or in the cluster, since the plan was made.",
                "For default:configmap/new the plan has `create default:configmap/new (not-in-cluster)`, and now it would have `apply default:configmap/new (adopted): data.colour (set by kubectl-create)`.",
            ]
        );
    }
}

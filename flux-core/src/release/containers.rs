//! Named images to named containers.

use super::decision::{ContainerDecision, Decision};
use crate::{
    image::ImageRef,
    manifest::Container,
    plan::{ContainerUpdate, ContainersRelease, Reason},
};

/// Decides about a workload whose containers are named with their images.
pub(super) fn decide<'a>(
    containers: &'a [Container],
    updates: Option<&Vec<ContainerUpdate>>,
    release: &ContainersRelease,
) -> Decision<'a> {
    let updates = updates.map(Vec::as_slice).unwrap_or_default();
    let names = |names: Vec<&str>| names.join(", ");
    let missing: Vec<&str> = updates
        .iter()
        .filter(|update| containers.iter().all(|c| c.name != update.container))
        .map(|update| update.container.as_str())
        .collect();
    if !missing.is_empty() {
        let message = format!("container(s) not found: {}", names(missing));
        return Decision::whole_with(Reason::ContainerNotFound, message);
    }
    let of = |container: &Container| updates.iter().find(|update| update.container == container.name);
    let mismatch = |container: &Container, update: &ContainerUpdate| {
        update.current.as_ref().is_some_and(|expected| container.image.as_ref().ok() != Some(expected))
    };
    let mismatched: Vec<&str> = containers
        .iter()
        .filter(|c| of(c).is_some_and(|update| mismatch(c, update)))
        .map(|c| c.name.as_str())
        .collect();
    if !mismatched.is_empty() && !release.skip_mismatches {
        let message = format!("container(s) tag mismatch: {}", names(mismatched));
        return Decision::whole_with(Reason::ContainerMismatch, message);
    }
    let decided = containers.iter().map(|container| match of(container) {
        None => (container, ContainerDecision::keep(Reason::OtherImage, "it is not named")),
        Some(update) if mismatch(container, update) => {
            let message = "it runs something else than was expected";
            (container, ContainerDecision::keep(Reason::OtherImage, message))
        }
        Some(ContainerUpdate { target, .. }) => (container, set(container, target)),
    });
    Decision::Containers(decided.collect())
}

fn set(container: &Container, target: &ImageRef) -> ContainerDecision {
    match &container.image {
        Ok(current) if current == target => ContainerDecision::up_to_date(current),
        _ => ContainerDecision::Update {
            target: target.clone(),
            reason: Reason::RequestedImage,
            message: format!("{target} was asked for"),
        },
    }
}

//! Named images to named containers: all of it, or nothing.

use super::{
    ContainerUpdate, ContainersRelease, Reason, WorkloadVerdict,
    choice::Chosen,
    plan::{Decided, What},
};
use crate::{image::ImageRef, manifest::Container};

/// Decides on a workload whose containers are named with their images.
pub(super) fn decide<'a>(
    list: &'a [Container],
    updates: Option<&Vec<ContainerUpdate>>,
    release: &ContainersRelease,
) -> What<'a> {
    let updates = updates.map(Vec::as_slice).unwrap_or_default();
    let names = |names: Vec<&str>| names.join(", ");
    let missing: Vec<&str> = updates
        .iter()
        .filter(|update| list.iter().all(|c| c.name != update.container))
        .map(|update| update.container.as_str())
        .collect();
    if !missing.is_empty() {
        let message = format!("container(s) not found: {}", names(missing));
        return What::Whole(WorkloadVerdict::whole(Reason::ContainerNotFound).saying(message));
    }
    let of = |container: &Container| updates.iter().find(|update| update.container == container.name);
    let mismatch = |container: &Container, update: &ContainerUpdate| {
        update.current.as_ref().is_some_and(|expected| container.image.as_ref().ok() != Some(expected))
    };
    let mismatched: Vec<&str> = list
        .iter()
        .filter(|c| of(c).is_some_and(|update| mismatch(c, update)))
        .map(|c| c.name.as_str())
        .collect();
    if !mismatched.is_empty() && !release.skip_mismatches {
        let message = format!("container(s) tag mismatch: {}", names(mismatched));
        return What::Whole(WorkloadVerdict::whole(Reason::ContainerMismatch).saying(message));
    }
    let chosen = list.iter().map(|container| match of(container) {
        None => (container, Chosen::left(Reason::OtherImage, "it is not named")),
        Some(update) if mismatch(container, update) => {
            let message = "it runs something else than was expected";
            (container, Chosen::left(Reason::OtherImage, message))
        }
        Some(ContainerUpdate { target, .. }) => (container, set(container, target)),
    });
    What::Containers(chosen.collect())
}

fn set(container: &Container, target: &ImageRef) -> Chosen {
    match &container.image {
        Ok(current) if current == target => Chosen::up_to_date(current),
        _ => Chosen::Update {
            target: target.clone(),
            reason: Reason::RequestedImage,
            message: format!("{target} was asked for"),
        },
    }
}

/// Leaves every workload as it is, if any that was named cannot be done.
pub(super) fn all_or_nothing(all: &mut [Decided<'_>]) {
    let failed = |decided: &Decided<'_>| {
        let What::Whole(verdict) = &decided.what else { return false };
        matches!(verdict.reason, Reason::ContainerNotFound | Reason::ContainerMismatch)
    };
    if !all.iter().any(failed) {
        return;
    }
    for decided in all {
        let What::Containers(containers) = &mut decided.what else { continue };
        for (_, chosen) in containers {
            if matches!(chosen, Chosen::Update { .. }) {
                *chosen = Chosen::left(Reason::NothingDone, "something else of the request cannot be done");
            }
        }
    }
}

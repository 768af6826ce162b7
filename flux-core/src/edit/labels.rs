//! Labels that repeat the tag of a container, and the edits by which they follow it.

use std::collections::BTreeMap;

use super::{Edit, Intent, image::rewrite_sites};
use crate::{
    image::ImageRef,
    manifest::{Container, Resource, ScalarRef},
    pointer::last_key,
    position::Position,
};

/// The longest value that a label may have, in bytes.
const LONGEST: usize = 63;

/// The edits of an object's version labels that follow its images.
///
/// Exhaustive: callers report what is skipped and apply the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VersionLabels {
    /// The edits, in the file of the object.
    pub edits: Vec<(Edit, Intent)>,
    /// Labels that repeat an old tag and are left as they are.
    pub skipped: Vec<SkippedLabel>,
}

/// A label that repeats an old tag and is left as it is.
///
/// Exhaustive: callers make a finding of it, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedLabel {
    /// The path of the label within its object, as a JSON pointer.
    pub pointer: String,
    /// The position of its value.
    pub position: Position,
    /// The reason.
    pub why: String,
}

/// Returns the edits by which version labels follow the images of an object's containers.
///
/// `resource` is the `index`-th object of its file, `to` are the new images by container name.
///
/// A label belongs to the first container whose tag it repeats, with or without a `v` in front, and
/// keeps that form. A label in the object's selector is not changed: the selector would no longer
/// match the pods. Nor is one whose new value would be no valid label value. Labels that share a
/// value are written once when all of them follow alike.
pub fn version_label_edits(
    index: usize,
    resource: &Resource,
    to: &BTreeMap<&str, &ImageRef>,
) -> VersionLabels {
    let mut labels = VersionLabels::default();
    let containers = resource.workload.as_deref().unwrap_or_default();
    let selector = resource.object.at("/spec/selector/matchLabels");
    let mut skip = |leaf: &ScalarRef, why: String| {
        let (pointer, position) = (leaf.site.pointer.clone(), leaf.position);
        labels.skipped.push(SkippedLabel { pointer, position, why });
    };
    let mut follow_them = Vec::new();
    for leaf in &resource.version_labels {
        let Some((container, old)) = containers.iter().find_map(|c| Some((c, repeated(&leaf.text, c)?)))
        else {
            continue;
        };
        let Some(new) = to.get(container.name.as_str()).and_then(|image| image.tag.as_ref()) else {
            continue;
        };
        let new = follow(&leaf.text, old, new.as_str());
        if new == leaf.text {
            continue;
        }
        let key = last_key(&leaf.site.pointer);
        let of_pods = leaf.site.pointer.starts_with("/spec/");
        if of_pods && selector.as_ref().is_some_and(|labels| labels.get(&key).is_some()) {
            skip(leaf, "the selector names it".to_owned());
        } else if !is_label_value(&new) {
            skip(leaf, format!("`{new}` cannot be the value of a label"));
        } else {
            follow_them.push((leaf, new));
        }
    }
    let sites: Vec<_> = follow_them.iter().map(|(leaf, new)| (&leaf.site, new.clone())).collect();
    for ((leaf, _), written) in follow_them.iter().zip(rewrite_sites(&sites, index)) {
        match written {
            Ok(edit) => labels.edits.push(edit),
            Err(why) => skip(leaf, why),
        }
    }
    labels
}

/// Returns the tag of a container, if a label repeats it.
fn repeated<'c>(label: &str, container: &'c Container) -> Option<&'c str> {
    let tag = container.image.as_ref().ok()?.tag.as_ref()?.as_str();
    (bare(label) == bare(tag)).then_some(tag)
}

/// Returns the new tag in the form that the label has beside the old one.
fn follow(label: &str, old: &str, new: &str) -> String {
    if label == old {
        new.to_owned()
    } else if bare(label) == label {
        bare(new).to_owned()
    } else {
        format!("v{}", bare(new))
    }
}

/// Returns a version without the `v` in front.
fn bare(version: &str) -> &str {
    match version.strip_prefix('v') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => version,
    }
}

fn is_label_value(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    text.len() <= LONGEST
        && text.starts_with(ends)
        && text.ends_with(ends)
        && text.chars().all(|c| ends(c) || matches!(c, '-' | '_' | '.'))
}

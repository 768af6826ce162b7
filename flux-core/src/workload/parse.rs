//! Reading a file with the workloads in it.

use super::{
    labels, pods, setter,
    unread::{self, ScalarBudget},
};
use crate::manifest::{
    ParsedFile,
    load::{self, VisitedObject},
};

/// Reads a file: its objects, and the images of those that are workloads.
///
/// Any bytes give a result: the parts that cannot be read are reported in [`ParsedFile::problems`].
/// Files of more than 16 MiB, values nested deeper than 120 levels and aliases that multiply past 2
/// million values or 64 MiB of text are refused.
pub fn parse(source: &[u8]) -> ParsedFile {
    let mut budget = ScalarBudget::default();
    load::read(source, Some(setter::MARK), &mut |object| read_images(object, &mut budget))
}

/// Reads the images of an object, and the scalars that rules in other files may name as images.
fn read_images(object: VisitedObject<'_, '_>, budget: &mut ScalarBudget) {
    let VisitedObject { index, at, resource, subject, problems } = object;
    resource.workload = pods::containers(&at, resource, (index, subject), problems);
    resource.scalars = unread::scalars(&at, resource, budget);
    if resource.workload.is_some() || !resource.scalars.is_empty() {
        resource.version_labels = labels::version_labels(&at, resource);
    }
}

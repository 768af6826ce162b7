//! The context in which a workload is read: the object, and the list of its problems.

use crate::{
    finding::{Code, Problem},
    image::ImageRef,
    manifest::{
        BadImage, Container, ContainerRole, Part, ScalarRef, Site,
        scalar_ref::{scalar_ref, site},
    },
    position::Position,
    yaml::cursor::Cursor,
};

/// The context in which a workload is read.
pub(crate) struct Context<'a> {
    /// The workload's id.
    pub subject: &'a str,
    /// The index of its object in the file.
    pub resource: usize,
    /// The reason that nothing in the object is edited, if there is one.
    ///
    /// The object is encrypted, or of a kind that is only listed.
    pub read_only_reason: Option<&'static str>,
    /// `true` if the object is encrypted, so that its text is no image.
    pub encrypted: bool,
    pub problems: &'a mut Vec<Problem>,
}

impl Context<'_> {
    /// Returns the scalar at `at` as a place to write; `None` if the value is no scalar.
    pub(crate) fn site(&self, at: &Cursor<'_, '_>, part: Part) -> Option<Site> {
        site(at, part, self.read_only_reason)
    }

    /// Returns the scalar at `at`; `None` if the value is no scalar.
    pub(crate) fn scalar_ref(&self, at: &Cursor<'_, '_>) -> Option<ScalarRef> {
        scalar_ref(at, self.read_only_reason)
    }
}

/// The remedy for a workload of a wrong shape.
pub(crate) const SHAPE: &str = "write it as its kind says; `kubectl explain` shows the fields";

/// The remedy for a text that YAML reads as another type.
pub(crate) const QUOTES: &str = "put it between quotes";

/// The remedy for an image that cannot be parsed.
pub(crate) const IMAGE: &str = "write the image as [host/]name[:tag][@digest]";

impl BadImage {
    /// Returns the error for an image that is no string to YAML.
    pub(crate) fn other_than_text(text: &str, what: &str) -> Self {
        Self { text: text.to_owned(), problem: format!("it is {what} to YAML, not a text") }
    }
}

impl Context<'_> {
    /// Reports that the workload's shape is wrong.
    pub(crate) fn invalid(&mut self, at: Position, evidence: String, remedy: &str) {
        let problem = Problem::new(Code::InvalidWorkload, at, evidence, remedy);
        self.problems.push(problem.about(self.subject));
    }

    /// Returns the container of an image that the object itself has.
    ///
    /// A problem with the image is reported together with its remedy.
    pub(crate) fn container(
        &mut self,
        (name, role): (&str, ContainerRole),
        image: Result<ImageRef, BadImage>,
        position: Position,
        sites: Vec<Site>,
        remedy: &str,
    ) -> Container {
        let (name, resource) = (name.to_owned(), self.resource);
        let container =
            Container { resource, name, role, image, position, sites, origin: None, renamed: None };
        self.check_image(&container, remedy);
        container
    }

    /// Reports an image that cannot be parsed, and the remedy.
    fn check_image(&mut self, container: &Container, remedy: &str) {
        let Err(bad) = &container.image else { return };
        if self.encrypted {
            return;
        }
        let problem = if bad.text.is_empty() {
            bad.problem.clone()
        } else {
            format!("`{}` is no image: {}", bad.text, bad.problem)
        };
        let (code, remedy) = if bad.text.contains("{{") {
            (Code::Template, "write the image out, or keep the template outside of the synced paths")
        } else {
            (Code::InvalidImage, remedy)
        };
        let evidence = format!("container {}: {problem}", container.name);
        let problem = Problem::new(code, container.position, evidence, remedy);
        self.problems.push(problem.about(self.subject));
    }
}

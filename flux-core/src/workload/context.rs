//! What reading a workload has to do with: whose images are read, and where what is wrong with them is told.

use crate::{
    finding::{Code, Problem},
    image::ImageRef,
    manifest::{
        BadImage, Container, ContainerRole, Part, ScalarRef, Site,
        scalar_ref::{scalar_ref, site},
    },
    yaml::cursor::Cursor,
};

/// What reading a workload has to do with.
pub(crate) struct Context<'a> {
    /// The workload's id.
    pub subject: &'a str,
    /// The index of its object in the file.
    pub resource: usize,
    /// Why nothing in the object is edited, if so: it is encrypted, or of a kind that is only looked at.
    pub read_only_reason: Option<&'static str>,
    /// Whether it is encrypted: what it says is no image.
    pub encrypted: bool,
    pub problems: &'a mut Vec<Problem>,
}

impl Context<'_> {
    /// The scalar at `at` as a place to write; none if it is no scalar.
    pub(crate) fn site(&self, at: &Cursor<'_, '_>, part: Part) -> Option<Site> {
        site(at, part, self.read_only_reason)
    }

    /// The scalar at `at`; none if it is none.
    pub(crate) fn scalar_ref(&self, at: &Cursor<'_, '_>) -> Option<ScalarRef> {
        scalar_ref(at, self.read_only_reason)
    }
}

/// What to do about a workload of a wrong shape.
pub(crate) const SHAPE: &str = "write it as its kind says; `kubectl explain` shows the fields";

/// What to do about a text that YAML reads as something else.
pub(crate) const QUOTES: &str = "put it between quotes";

/// What to do about an image that cannot be parsed.
pub(crate) const IMAGE: &str = "write the image as [host/]name[:tag][@digest]";

impl BadImage {
    /// An image that is something else than a text to YAML.
    pub(crate) fn other_than_text(text: &str, what: &str) -> Self {
        Self { text: text.to_owned(), problem: format!("it is {what} to YAML, not a text") }
    }
}

impl Context<'_> {
    /// Tells that the workload's shape is wrong.
    pub(crate) fn invalid(&mut self, at: (u32, u32), evidence: String, remedy: &str) {
        let problem = Problem::new(Code::InvalidWorkload, at, evidence, remedy);
        self.problems.push(problem.about(self.subject));
    }

    /// The container of an image that its object has. What is wrong with the image is told, and what to do about it.
    pub(crate) fn container(
        &mut self,
        (name, role): (&str, ContainerRole),
        image: Result<ImageRef, BadImage>,
        (line, column): (u32, u32),
        sites: Vec<Site>,
        remedy: &str,
    ) -> Container {
        let (name, resource) = (name.to_owned(), self.resource);
        let container =
            Container { resource, name, role, image, line, column, sites, origin: None, renamed: None };
        self.check_image(&container, remedy);
        container
    }

    /// Tells of an image that cannot be parsed, and what to do about it.
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
        let problem = Problem::new(code, (container.line, container.column), evidence, remedy);
        self.problems.push(problem.about(self.subject));
    }
}

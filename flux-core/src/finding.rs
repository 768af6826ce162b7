//! Findings: typed reports for people, with a code, a place, the evidence and the remedy.
//!
//! Every refusal or problem in the library that is not a verdict about a workload is a [`Finding`].
//! The codes are stable and are all listed in [`Code`]; `docs/codes.md` repeats them for people who
//! script against the JSON.

mod findings;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

pub use findings::Findings;

use crate::position::Position;

/// A place in a file of the config repository, or in what a command printed that such a file names.
///
/// The path and the position are those of a file in either case, so that an editor can open them.
///
/// ```
/// use flux_core::{Place, Position};
///
/// let command = Place::in_file("prod/.flux.yaml", Position { line: 4, column: 5 });
/// assert_eq!(command.to_string(), "prod/.flux.yaml:4:5");
/// let printed = command.in_output("helm template .", Position { line: 12, column: 1 });
/// assert_eq!(
///     printed.to_string(),
///     "prod/.flux.yaml:4:5 (line 12, column 1 of the output of `helm template .`)"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Place {
    /// Path of a file from the root of the repository, with `/` between the parts.
    ///
    /// It is no [`RepoPath`](crate::RepoPath), as findings are also about folders, which end in a
    /// slash, about files that no checkout could have, and about paths that do not exist.
    pub path: Arc<str>,
    /// The position in the file.
    #[serde(flatten)]
    pub position: Position,
    /// The place in the output of the command at this place; `None` if the place is in the file
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputPlace>,
}

/// A place in the output of a command.
///
/// No file has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputPlace {
    /// The command; of a script, its first part.
    pub command: String,
    /// The position in the output.
    #[serde(flatten)]
    pub position: Position,
}

impl Place {
    /// Returns the place of a position in a file.
    pub fn in_file(path: impl Into<Arc<str>>, position: Position) -> Self {
        Self { path: path.into(), position, output: None }
    }

    /// Returns the place where a file begins.
    pub fn start_of(path: impl Into<Arc<str>>) -> Self {
        Self::in_file(path, Position::START)
    }

    /// Returns the place of a position in the output of the command at this place.
    #[must_use]
    pub fn in_output(self, command: impl Into<String>, position: Position) -> Self {
        Self { output: Some(OutputPlace { command: command.into(), position }), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.position)?;
        match &self.output {
            Some(output) => write!(f, " ({output})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for OutputPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(f, "line {line}, column {column} of the output of `{}`", self.command)
    }
}

/// The severity of a finding.
///
/// Exhaustive: exit codes tell the two apart, and there is no third.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file may not have the meaning that its author intended; every request was carried out.
    Warning,
    /// A file could not be read, or a request could not be decided or carried out.
    Error,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $severity:ident;)*) => {
        /// The stable code of a finding, in lower-case kebab form.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// All codes, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the code as it stands in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns the severity of findings with this code.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// A file is not YAML; the evidence is the parser's message.
    InvalidYaml = "invalid-yaml", Error;
    /// A file or a document is larger, deeper or more repetitive than the loader accepts.
    TooLarge = "too-large", Error;
    /// A file is a template (`{{ … }}`), not YAML; it is left alone.
    Template = "template", Error;
    /// A document is YAML, but not a Kubernetes object.
    NotAnObject = "not-an-object", Error;
    /// A document is YAML or JSON of another kind: it has neither `apiVersion` nor `kind`.
    NotForKubernetes = "not-for-kubernetes", Warning;
    /// A key stands twice in its mapping; the last one counts.
    DuplicateKey = "duplicate-key", Warning;
    /// A document has no `metadata.name`.
    MissingName = "missing-name", Error;
    /// A document is encrypted with SOPS and is not edited.
    Encrypted = "encrypted", Warning;
    /// A document is encrypted with SOPS as a whole, so that its objects are unknown.
    Sealed = "sealed", Warning;
    /// The API server will refuse a field of an object: there is none of that name, it is missing,
    /// or its value is not possible.
    InvalidField = "invalid-field", Error;
    /// The API server will refuse the name, the namespace, a label or an annotation of an object.
    InvalidMetadata = "invalid-metadata", Error;
    /// Items of a list that are told apart by their keys have the same ones; server-side apply
    /// refuses that.
    DuplicateItem = "duplicate-item", Error;
    /// Two documents describe the same object; neither is used.
    DuplicateId = "duplicate-id", Error;
    /// A workload's shape is not that of its kind.
    InvalidWorkload = "invalid-workload", Error;
    /// An image reference cannot be parsed.
    InvalidImage = "invalid-image", Error;
    /// A tag pattern cannot be parsed: it matches nothing.
    InvalidPattern = "invalid-pattern", Error;
    /// A policy annotation has a value that it cannot have.
    InvalidPolicy = "invalid-policy", Error;
    /// A policy names a container that the workload does not have.
    UnknownContainer = "unknown-container", Warning;
    /// A policy annotation has a key that no policy has.
    UnknownPolicy = "unknown-policy", Warning;
    /// A label repeats the old tag of an image and could not follow it.
    VersionLabelLeft = "version-label-left", Warning;
    /// An image repository cannot be read.
    RegistryUnavailable = "registry-unavailable", Error;
    /// A registry refused the credentials, or wants some.
    RegistryUnauthorized = "registry-unauthorized", Error;
    /// A registry knows the account, which may not read an image repository.
    RegistryForbidden = "registry-forbidden", Error;
    /// An image repository is there and has no tags.
    ImageRepositoryEmpty = "image-repository-empty", Warning;
    /// An image repository does not exist.
    ImageRepositoryNotFound = "image-repository-not-found", Error;
    /// A tag is listed, but its image cannot be read.
    ImageUnreadable = "image-unreadable", Warning;
    /// The newest candidates have the same build date and are different images.
    EqualDates = "equal-dates", Warning;
    /// The answers of the registry are incomplete or old.
    PartialImages = "partial-images", Warning;
    /// The config repository could not be reached; the last revision known was used.
    RepositoryUnavailable = "repository-unavailable", Warning;
    /// The answers of the cluster are incomplete or old.
    PartialCluster = "partial-cluster", Warning;
    /// A kind is neither built in nor defined in git or the cluster.
    UnknownKind = "unknown-kind", Error;
    /// An object could not be applied.
    ApplyFailed = "apply-failed", Error;
    /// Pruning was held back by a guard.
    PruneHeldBack = "prune-held-back", Warning;
    /// Objects that git names carry the mark of another sync set.
    OtherSyncSet = "other-sync-set", Warning;
    /// Others changed what git decides, and it is only reported.
    Drifted = "drifted", Warning;
    /// Somebody suspended all of a sync set: nothing is synced.
    Suspended = "suspended", Warning;
    /// A plan that was joined from earlier decisions was not the one that is made from nothing.
    KeptPlanDiffers = "kept-plan-differs", Error;
    /// Git no longer names a field, and it stays, because another field manager owns it too.
    FieldKept = "field-kept", Warning;
    /// Something in the cluster sets a field again each time it is made what git says; it is
    /// left, for a while.
    FieldContested = "field-contested", Warning;
    /// A configured path is not in the repository.
    PathNotFound = "path-not-found", Error;
    /// The name of a file or folder is not UTF-8, or git refuses to check it out; it is not loaded.
    InvalidName = "invalid-name", Error;
    /// A manifest is a symbolic link or a submodule; it is not followed.
    LinkedManifest = "linked-manifest", Error;
    /// A file or folder is there and cannot be read; it is not loaded.
    UnreadableFile = "unreadable-file", Error;
    /// A kustomization cannot be built: kustomize refuses it, or an entry does not exist.
    InvalidKustomization = "invalid-kustomization", Error;
    /// A kustomization has a part without effect, or one that only some versions of kustomize
    /// accept or that kustomize warns of.
    DoubtfulKustomization = "doubtful-kustomization", Warning;
    /// A kustomization would change what it lists, and no kustomize is run for it.
    NotBuilt = "not-built", Warning;
    /// A file is named as a patch, and no loaded file describes its object.
    PatchAlone = "patch-alone", Warning;
    /// A `.flux.yaml` cannot be read; the paths that it describes are not loaded.
    InvalidGeneration = "invalid-generation", Error;
    /// A `.flux.yaml` has commands for the manifests of a path, and generation is off; the path is
    /// not loaded.
    GenerationOff = "generation-off", Error;
    /// A `.flux.yaml` stands below a configured path, where it does not count.
    UnusedGeneration = "unused-generation", Warning;
    /// The commands that make the manifests of a path failed; the path is not loaded, or not whole.
    GenerationFailed = "generation-failed", Error;
}

impl Code {
    /// Returns `true` if git may have objects that could not be read because of such a finding.
    ///
    /// Then a sync has not applied all objects in git, and nothing may be pruned, as the missing
    /// objects may be among those in the cluster.
    pub const fn hides_objects(self) -> bool {
        matches!(
            self,
            Self::InvalidYaml
                | Self::TooLarge
                | Self::Template
                | Self::NotAnObject
                | Self::MissingName
                | Self::Sealed
                | Self::PatchAlone
                | Self::DuplicateId
                | Self::PathNotFound
                | Self::InvalidName
                | Self::LinkedManifest
                | Self::UnreadableFile
                | Self::InvalidGeneration
                | Self::GenerationOff
                | Self::GenerationFailed
                | Self::UnknownKind
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A report for people: the rule, the subject, the place, the evidence and the remedy.
///
/// Exhaustive: embedders add findings of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// The code of the rule that is broken.
    pub code: Code,
    /// The subject: a workload id, a file, an image repository.
    pub subject: String,
    /// The place in the config repository, if the finding is about a file or objects generated from
    /// it.
    pub place: Option<Place>,
    /// The evidence: the observed facts.
    ///
    /// It never has a secret.
    pub evidence: String,
    /// The next step for a person.
    pub remedy: String,
}

impl Finding {
    /// Returns the severity; the code decides it.
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// A finding about a file whose path is not known yet.
///
/// Exhaustive: with a path it becomes a finding, field by field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The code of the rule that is broken.
    pub code: Code,
    /// The subject, if it is not the file itself.
    pub subject: Option<String>,
    /// The position.
    pub position: Position,
    /// The evidence: the observed facts.
    pub evidence: String,
    /// The remedy.
    pub remedy: String,
}

impl Problem {
    /// Makes a problem at a position of a file.
    pub(crate) fn new(code: Code, position: Position, evidence: impl Into<String>, remedy: &str) -> Self {
        let (evidence, remedy) = (evidence.into(), remedy.to_owned());
        Self { code, subject: None, position, evidence, remedy }
    }

    /// Returns the same problem, with a named part of the file as the subject.
    pub(crate) fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// Returns the finding about the file at `path`.
    pub fn at(&self, path: &str) -> Finding {
        Finding {
            code: self.code,
            subject: self.subject.clone().unwrap_or_else(|| path.to_owned()),
            place: Some(Place::in_file(path, self.position)),
            evidence: self.evidence.clone(),
            remedy: self.remedy.clone(),
        }
    }
}

/// Returns a text as it can be shown to people.
///
/// Characters that would move the cursor or change colours are escaped, and further lines are
/// indented. Findings quote files, and these may hold any text.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => shown.push_str("\n    "),
            '\t' => shown.push(c),
            // Also characters that make text run in the other direction.
            c if c.is_control()
                || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                shown.extend(c.escape_unicode());
            }
            c => shown.push(c),
        }
    }
    shown
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { path, position, .. }) = &self.place {
            write!(f, "{}:{position}: ", printable(path))?;
        }
        write!(f, "{} [{}]: ", printable(&self.subject), self.code)?;
        if let Some(output) = self.place.as_ref().and_then(|place| place.output.as_ref()) {
            write!(f, "{}: ", printable(&output.to_string()))?;
        }
        f.write_str(&printable(&self.evidence))?;
        if !self.remedy.is_empty() {
            write!(f, "\n  remedy: {}", printable(&self.remedy))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_files_cannot_control_a_terminal() {
        for (text, shown) in [
            ("plain: `a`\tb é", "plain: `a`\tb é"),
            ("\u{1b}[2Jgone\r\u{7}", "\\u{1b}[2Jgone\\u{d}\\u{7}"),
            ("first\nsecond\n", "first\n    second"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("\u{61c}1.2", "\\u{61c}1.2"),
            ("\u{9b}31m", "\\u{9b}31m"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn the_json_of_a_place_in_a_file_is_flat_and_that_in_an_output_has_one_key_more() {
        let file = Place::in_file("a.yaml", Position { line: 2, column: 3 });
        let json = serde_json::json!({"path": "a.yaml", "line": 2, "column": 3});
        assert_eq!(serde_json::to_value(&file).unwrap(), json);
        assert_eq!(serde_json::from_value::<Place>(json).unwrap(), file);

        let output = file.in_output("cat x", Position { line: 9, column: 1 });
        let json = serde_json::json!({
            "path": "a.yaml", "line": 2, "column": 3,
            "output": {"command": "cat x", "line": 9, "column": 1},
        });
        assert_eq!(serde_json::to_value(&output).unwrap(), json);
        assert_eq!(serde_json::from_value::<Place>(json).unwrap(), output);
    }

    #[test]
    fn a_finding_about_an_output_says_which_command_printed_it() {
        let place = Place::start_of("a.yaml").in_output("cat\u{1b}x", Position { line: 9, column: 1 });
        let finding = Finding {
            code: Code::MissingName,
            subject: "x".to_owned(),
            place: Some(place),
            evidence: "no name".to_owned(),
            remedy: "name it".to_owned(),
        };
        let text = "a.yaml:1:1: x [missing-name]: line 9, column 1 of the output of `cat\\u{1b}x`: no name\n  remedy: name it";
        assert_eq!(finding.to_string(), text);
    }
}

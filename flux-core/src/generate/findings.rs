//! The findings about generation.

use super::Source;
use crate::{
    finding::{Code, Finding, Place},
    repo_path,
};

/// Returns the finding about a configured path that the repository does not have.
pub(super) fn missing_path(path: &str) -> Finding {
    Finding {
        code: Code::PathNotFound,
        subject: path.to_owned(),
        place: None,
        evidence: "the repository has no such path at this revision".to_owned(),
        remedy: "correct the configured path, or add it to the repository".to_owned(),
    }
}

/// Returns the finding about a source that cannot be generated.
pub(super) fn failed(source: &Source, place: Place, evidence: String, remedy: &str) -> Finding {
    Finding {
        code: Code::GenerationFailed,
        subject: source.output_path().into(),
        place: Some(place),
        evidence,
        remedy: remedy.to_owned(),
    }
}

/// Returns the finding about a `.flux.yaml` below the git path that it does not count for.
pub(super) fn unused(file: &str, git_path: &str) -> Finding {
    Finding {
        code: Code::UnusedGeneration,
        subject: file.to_owned(),
        place: Some(Place::start_of(file)),
        evidence: format!(
            "for {} only a .flux.yaml there or above counts; the files beside this one are not generated",
            path_or_repository(git_path)
        ),
        remedy: format!("configure its folder {} as a path too, or remove the file", repo_path::folder(file)),
    }
}

/// Returns the finding about a source whose commands are not run.
pub(super) fn off(source: &Source) -> Finding {
    Finding {
        code: Code::GenerationOff,
        subject: source.by.to_string(),
        place: Some(source.place()),
        evidence: format!(
            "it has commands that make the manifests of {}, and no commands are run here",
            path_or_repository(&source.path)
        ),
        remedy: "allow the commands of the repository to be run, or remove the file".to_owned(),
    }
}

/// Returns the words for a git path.
pub(super) fn path_or_repository(path: &str) -> &str {
    if path.is_empty() { "the repository" } else { path }
}

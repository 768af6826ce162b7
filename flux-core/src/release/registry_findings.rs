//! Findings about registries: repositories that could not be read, or not whole.

use jiff::Timestamp;

use super::snapshot::ImageFacts;
use crate::{
    backend::{Completeness, Error, ErrorKind},
    finding::{Code, Finding},
    image::{CanonicalName, Tag},
    policy::TagPattern,
};

/// Returns the findings about repositories that could not be read, or not whole.
pub fn image_findings(facts: &ImageFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, known) in &facts.repositories {
        let mut add = |code: Code, evidence: String, remedy: &str| {
            findings.push(Finding {
                code,
                subject: name.to_string(),
                place: None,
                evidence,
                remedy: remedy.to_owned(),
            });
        };
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                let (code, remedy) = of_error(error);
                add(code, error.to_string(), remedy);
                continue;
            }
        };
        match &known.completeness {
            Completeness::Complete if known.tags.is_empty() => add(
                Code::ImageRepositoryEmpty,
                "the registry lists no tags".to_owned(),
                "push an image, or correct the image's name in the manifest",
            ),
            Completeness::Complete => {}
            Completeness::Partial(missing) => {
                add(
                    Code::PartialImages,
                    missing.join("; "),
                    "try again; nothing is decided that the missing part could change",
                );
            }
            Completeness::Stale { age, reason } => {
                add(
                    Code::PartialImages,
                    format!("last read {age:#} ago: {reason}"),
                    "see that the registry can be reached",
                );
            }
        }
        let errors = known.images.iter().filter_map(|(tag, image)| Some((tag, image.as_ref().err()?)));
        // Artifacts are known for what they are: nothing is wrong with them.
        for (tag, error) in errors.filter(|(_, error)| error.artifact().is_none()) {
            let evidence = format!("{tag}: {error}");
            add(Code::ImageUnreadable, evidence, "push the image again, or remove the tag");
        }
    }
    findings
}

/// Returns the finding about the newest candidates of a repository, where their build date is the
/// same and their images are not.
pub(super) fn equal_dates(
    name: &CanonicalName,
    pattern: &TagPattern,
    built: Timestamp,
    tags: &[&Tag],
) -> Finding {
    const NAMED: usize = 5;
    let named: Vec<&str> = tags.iter().take(NAMED).map(|tag| tag.as_str()).collect();
    let more = match tags.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Finding {
        code: Code::EqualDates,
        subject: name.to_string(),
        place: None,
        evidence: format!(
            "the newest images that {pattern} takes were all built at {built}, and are not the same: {}{more}",
            named.join(", ")
        ),
        remedy: "use a pattern that orders by version, number or text, or dates of labels if the builds write them"
            .to_owned(),
    }
}

fn of_error(error: &Error) -> (Code, &'static str) {
    match error.kind() {
        ErrorKind::NotFound => {
            (Code::ImageRepositoryNotFound, "correct the image's name in the manifest, or push the image")
        }
        ErrorKind::Unauthorized => {
            (Code::RegistryUnauthorized, "give credentials that may pull it, or log in to the registry")
        }
        ErrorKind::Forbidden => (
            Code::RegistryForbidden,
            "grant the account the right to pull it, or give credentials of another account",
        ),
        ErrorKind::RateLimited => {
            (Code::RegistryUnavailable, "ask less often, or with credentials that have a higher limit")
        }
        _ => (Code::RegistryUnavailable, "see that the registry can be reached from here, then try again"),
    }
}

//! How a request fails: one type inside, and the one place where it becomes the errors that callers
//! see.

use flux_core::{
    backend::{Error, ErrorKind, InspectError, InspectErrorKind},
    image::{ImageName, Tag},
};
use jiff::Timestamp;
use oci_distribution::errors::{OciEnvelope, OciErrorCode};
use reqwest::StatusCode;

use crate::artifact::Artifact;

/// The failure of a request.
///
/// The texts are the registry's own messages, made fit for printing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no such repository.
    NoRepository,
    /// There is no such manifest or blob, or perhaps no such repository.
    Missing,
    /// The content under the tag is not an image.
    NotAnImage(Artifact),
    /// Credentials are wanted, or others.
    Unauthorized(String),
    /// The account is known, and not allowed.
    Forbidden(String),
    /// Fewer requests are wanted.
    RateLimited(String, Option<Timestamp>),
    /// The registry answered that it is out of order.
    OutOfOrder(String),
    /// No answer, or none that is HTTP.
    Unreachable(String),
    /// The answer makes no sense.
    Invalid(String),
}

impl Fault {
    /// Returns the kind of error that callers see.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRepository | Self::Missing => ErrorKind::NotFound,
            Self::Unauthorized(_) => ErrorKind::Unauthorized,
            Self::Forbidden(_) => ErrorKind::Forbidden,
            Self::RateLimited(..) => ErrorKind::RateLimited,
            Self::OutOfOrder(_) | Self::Unreachable(_) => ErrorKind::Unavailable,
            Self::Invalid(_) | Self::NotAnImage(_) => ErrorKind::Invalid,
        }
    }

    /// Returns the time from which on the registry may be asked again, if it gave one.
    pub(crate) fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::RateLimited(_, until) => *until,
            _ => None,
        }
    }

    /// Returns `true` if the same request may succeed a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::RateLimited(..) | Self::OutOfOrder(_) | Self::Unreachable(_))
    }

    /// Returns `true` if other requests to the same repository will fail alike, so that they need
    /// not be made.
    pub(crate) fn is_of_repository(&self) -> bool {
        matches!(
            self,
            Self::NoRepository
                | Self::Unauthorized(_)
                | Self::Forbidden(_)
                | Self::RateLimited(..)
                | Self::Unreachable(_)
        )
    }

    /// Returns `true` if it leaves open what is under the tag, other than a statement that nothing
    /// usable is there.
    pub(crate) fn leaves_open(&self) -> bool {
        !matches!(self, Self::Missing | Self::NotAnImage(_) | Self::Invalid(_))
    }

    /// Returns the fault that an answer other than success is.
    pub(crate) fn of_answer(status: StatusCode, body: &[u8], until: Option<Timestamp>) -> Self {
        let envelope = serde_json::from_slice::<OciEnvelope>(body).ok();
        Self::of_status(status, envelope.as_ref(), until)
    }

    fn of_status(status: StatusCode, envelope: Option<&OciEnvelope>, until: Option<Timestamp>) -> Self {
        let first = envelope.and_then(|e| e.errors.first());
        let words = match first.map(|error| printable(&error.message)).filter(|m| !m.is_empty()) {
            Some(message) => format!("{message} (HTTP status {})", status.as_u16()),
            None => format!("HTTP status {status}"),
        };
        match (first.map(|error| &error.code), status) {
            (Some(OciErrorCode::Toomanyrequests), _) | (_, StatusCode::TOO_MANY_REQUESTS) => {
                Self::RateLimited(words, until)
            }
            // Out of order, but it says until when.
            (_, StatusCode::SERVICE_UNAVAILABLE) if until.is_some() => Self::RateLimited(words, until),
            (_, StatusCode::UNAUTHORIZED) | (Some(OciErrorCode::Unauthorized), _) => {
                Self::Unauthorized(words)
            }
            (Some(OciErrorCode::NameUnknown), _) => Self::NoRepository,
            (_, StatusCode::FORBIDDEN) | (Some(OciErrorCode::Denied), _) => Self::Forbidden(words),
            (_, StatusCode::NOT_FOUND)
            | (Some(OciErrorCode::ManifestUnknown | OciErrorCode::BlobUnknown | OciErrorCode::NotFound), _) => {
                Self::Missing
            }
            (_, StatusCode::REQUEST_TIMEOUT) => Self::OutOfOrder(words),
            (_, status) if status.is_server_error() => Self::OutOfOrder(words),
            _ => Self::Invalid(words),
        }
    }

    /// Returns the fault that a failed request is.
    ///
    /// Addresses are left out: those of redirects can carry signatures.
    pub(crate) fn of_request(error: reqwest::Error) -> Self {
        let what = if error.is_timeout() {
            "no answer in time"
        } else if error.is_connect() {
            "no connection"
        } else if error.is_redirect() {
            "it redirects in circles"
        } else {
            "the connection broke"
        };
        let error = error.without_url();
        let mut cause = std::error::Error::source(&error);
        while let Some(deeper) = cause.and_then(std::error::Error::source) {
            cause = Some(deeper);
        }
        let cause = cause.map(|c| printable(&c.to_string())).unwrap_or_default();
        Self::Unreachable(if cause.contains("InvalidContentType") {
            "it does not speak TLS: if it is to be asked over plain HTTP, list it as an insecure host"
                .to_owned()
        } else if cause.contains("UnknownIssuer") {
            "its certificate is from an authority that is not trusted here: give a file with that authority"
                .to_owned()
        } else if cause.is_empty() {
            what.to_owned()
        } else {
            format!("{what}: {cause}")
        })
    }
}

/// Returns the beginning of a text, on one line and without what terminals act on.
pub(crate) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let line: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.trim().chars().count() > LONGEST { format!("{line}…") } else { line }
}

/// The subject of a fault, for the messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) name: &'a ImageName,
    /// The host that was asked.
    pub(crate) host: &'a str,
    /// The user that was logged in.
    pub(crate) user: Option<&'a str>,
    /// Why there may be no login although there should be.
    pub(crate) hint: Option<&'a str>,
    /// The secrets that must not stand in a message.
    pub(crate) login: Option<&'a crate::Login>,
}

impl About<'_> {
    /// Returns the account under which the registry is asked.
    pub(crate) fn authority(&self) -> String {
        self.user.unwrap_or("anonymous").to_owned()
    }

    /// Returns the fault as the error of a whole repository.
    pub(crate) fn error(&self, fault: &Fault) -> Error {
        let message = self.message(fault, &format!("image repository {}", self.name));
        Error::new(fault.kind(), self.name, message).with_retry_at(fault.retry_at())
    }

    /// Returns the fault as the error of one tag.
    pub(crate) fn inspect_error(&self, tag: &Tag, fault: &Fault) -> InspectError {
        let kind = match fault {
            Fault::Missing | Fault::NoRepository => InspectErrorKind::Missing,
            Fault::NotAnImage(artifact) => InspectErrorKind::NotAnImage(artifact.kind),
            _ => InspectErrorKind::Unreadable,
        };
        InspectError { kind, message: self.message(fault, &format!("image {}:{tag}", self.name)) }
    }

    /// Returns what happened to `subject`, and what to do about it.
    fn message(&self, fault: &Fault, subject: &str) -> String {
        let host = self.host;
        let text = match fault {
            Fault::NoRepository => format!("{subject} does not exist on {host}: check the name"),
            Fault::Missing => {
                format!("{subject} does not exist on {host}: check the name, or whether it was deleted")
            }
            Fault::NotAnImage(Artifact { kind, evidence, .. }) => {
                format!("{subject} is {kind}, not a container image: {evidence}")
            }
            Fault::Unauthorized(words) => {
                let next = match (self.user, self.hint) {
                    (Some(user), _) => format!("check the login of {user} for {host}"),
                    (None, Some(hint)) => format!("give a login for {host} ({hint})"),
                    (None, None) => format!("give a login for {host}, or check the name"),
                };
                format!(
                    "{subject} is not shown to {}: {words}; {next}",
                    self.user.unwrap_or("anonymous users")
                )
            }
            Fault::Forbidden(words) => {
                let who = self.user.unwrap_or("anonymous users");
                format!(
                    "{subject} is not shown to {who}: {words}; ask for read access on {host}, or check the name"
                )
            }
            Fault::RateLimited(words, until) => {
                let next = match until {
                    Some(until) => format!("it may be asked again at {until}"),
                    None => "ask less often, or with a login".to_owned(),
                };
                format!("{subject} cannot be read now, {host} wants fewer requests: {words}; {next}")
            }
            Fault::OutOfOrder(words) => {
                format!("{subject} cannot be read, {host} is out of order: {words}; try again later")
            }
            Fault::Unreachable(words) => format!(
                "{subject} cannot be read, {host} does not answer: {words}; check the host's name and the network"
            ),
            Fault::Invalid(words) => {
                format!("{subject} cannot be read, the answer of {host} makes no sense: {words}")
            }
        };
        self.login.map_or(text.clone(), |login| login.redact(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_code_first_and_by_its_status_then() {
        let body = |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"why"}}]}}"#);
        let kind = |fault: Fault| format!("{fault:?}").split(['(', ' ']).next().unwrap().to_owned();
        for (status, code, expected) in [
            (401, "UNAUTHORIZED", "Unauthorized"),
            (401, "DENIED", "Unauthorized"),
            (401, "", "Unauthorized"),
            (403, "DENIED", "Forbidden"),
            (403, "TOOMANYREQUESTS", "RateLimited"),
            (403, "", "Forbidden"),
            (404, "NAME_UNKNOWN", "NoRepository"),
            (404, "MANIFEST_UNKNOWN", "Missing"),
            (404, "", "Missing"),
            (400, "MANIFEST_UNKNOWN", "Missing"),
            (400, "NAME_INVALID", "Invalid"),
            (408, "", "OutOfOrder"),
            (429, "", "RateLimited"),
            (429, "TOOMANYREQUESTS", "RateLimited"),
            (500, "UNKNOWN", "OutOfOrder"),
            (503, "", "OutOfOrder"),
            (418, "", "Invalid"),
        ] {
            let body = if code.is_empty() { "<html>".to_owned() } else { body(code) };
            let fault = Fault::of_answer(StatusCode::from_u16(status).unwrap(), body.as_bytes(), None);
            assert_eq!(kind(fault), expected, "{status} {code}");
        }
    }

    #[test]
    fn messages_name_the_thing_and_the_next_step_and_no_secret() {
        let name: ImageName = "ghcr.io/a/b".parse().unwrap();
        let login = crate::Login::Basic { username: "ann".into(), password: "s3cr3t".to_owned().into() };
        let about =
            About { name: &name, host: "ghcr.io", user: Some("ann"), hint: None, login: Some(&login) };
        let error = about.error(&Fault::Unauthorized("s3cr3t is wrong".to_owned()));
        assert_eq!(
            error.to_string(),
            "image repository ghcr.io/a/b is not shown to ann: *** is wrong; check the login of ann for ghcr.io"
        );
        let until = "2024-05-01T10:00:00Z".parse().unwrap();
        let error = about.error(&Fault::RateLimited("slow down".to_owned(), Some(until)));
        assert_eq!((error.kind(), error.retry_at()), (ErrorKind::RateLimited, Some(until)));
        assert!(error.to_string().ends_with("it may be asked again at 2024-05-01T10:00:00Z"), "{error}");
        let error = about.inspect_error(&"v1".parse().unwrap(), &Fault::Missing);
        assert!(
            error.is_missing() && error.message.starts_with("image ghcr.io/a/b:v1 does not exist"),
            "{error}"
        );
    }

    #[test]
    fn what_a_registry_says_is_made_fit_for_printing() {
        assert_eq!(printable(" a\n\u{1b}[31mb "), "a  [31mb");
        assert_eq!(printable(&"x".repeat(300)).chars().count(), 201);
    }
}

//! Failures of requests, by the possible reactions.
//!
//! They are kube's errors and the API server's answers.

use std::{error::Error as _, fmt, time::Duration};

use flux_core::backend::{Error, ErrorKind};
use jiff::Timestamp;
use kube::core::Status;

/// The API server and the user of a request, for messages.
///
/// It has no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The address, without credentials.
    pub(crate) server: String,
    /// Where the address comes from, as in "context `a` of /home/me/.kube/config".
    pub(crate) source: String,
    /// The account that asks.
    pub(crate) user: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API server {} ({})", self.server, self.source)
    }
}

/// Failures sorted by what can be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// No connection: refused, reset, or dead by all signs.
    Unreachable,
    /// No answer to this request in its time; others may fare better.
    Silent,
    /// The server's certificate is not trusted.
    Untrusted,
    /// 401, or the credentials could not be had.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 410: the version asked for is gone.
    Gone,
    /// 429.
    RateLimited,
    /// 503, 504 and their kin: worth another try.
    Overloaded,
    /// Any other 5xx.
    Broken,
    /// Any other 4xx: the request is at fault.
    Invalid,
    /// The answer makes no sense.
    Garbled,
}

impl FailureKind {
    /// Returns the kind of error that callers see.
    fn error_kind(self) -> ErrorKind {
        match self {
            Self::Unreachable | Self::Silent | Self::Overloaded | Self::Broken => ErrorKind::Unavailable,
            Self::Untrusted => ErrorKind::Untrusted,
            Self::Unauthorized => ErrorKind::Unauthorized,
            Self::Forbidden => ErrorKind::Forbidden,
            Self::NotFound | Self::Gone => ErrorKind::NotFound,
            Self::RateLimited => ErrorKind::RateLimited,
            Self::Conflict | Self::Invalid | Self::Garbled => ErrorKind::Invalid,
        }
    }
}

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// The words of the server, so not to be shown for a Secret (see [`Failure::redacted`]).
    pub(crate) message: String,
    /// The fields the server complains of: field, reason, message.
    pub(crate) causes: Vec<Cause>,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// One field that the server complains of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    field: String,
    reason: String,
    message: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), retry_after: None }
    }

    /// Returns the failure that an answer of the API server describes.
    pub(crate) fn from_status(status: &Status) -> Self {
        let kind = match status.code {
            401 => FailureKind::Unauthorized,
            403 => FailureKind::Forbidden,
            404 => FailureKind::NotFound,
            409 => FailureKind::Conflict,
            410 => FailureKind::Gone,
            429 => FailureKind::RateLimited,
            502..=504 => FailureKind::Overloaded,
            500 if status.reason == "ServerTimeout" => FailureKind::Overloaded,
            500.. => FailureKind::Broken,
            _ => FailureKind::Invalid,
        };
        let details = status.details.as_ref();
        Self {
            kind,
            message: one_line(&status.message),
            causes: details
                .map(|d| {
                    d.causes
                        .iter()
                        .map(|c| Cause {
                            field: c.field.clone(),
                            reason: c.reason.clone(),
                            message: one_line(&c.message),
                        })
                        .collect()
                })
                .unwrap_or_default(),
            retry_after: details
                .filter(|d| d.retry_after_seconds > 0)
                .map(|d| Duration::from_secs(d.retry_after_seconds.into())),
        }
    }

    /// Returns the failure that an error of kube describes.
    pub(crate) fn from_kube(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_status(status),
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
                let message = innermost(error);
                let untrusted = message.contains("certificate") && !message.contains("received fatal alert");
                let refused = message.contains("received fatal alert") && message.contains("ertificate");
                Self::new(
                    match () {
                        () if untrusted => FailureKind::Untrusted,
                        () if refused => FailureKind::Unauthorized,
                        () => FailureKind::Unreachable,
                    },
                    message,
                )
            }
            kube::Error::Auth(e) => {
                Self::new(FailureKind::Unauthorized, format!("the credentials could not be had: {e}"))
            }
            // The text of serde's error can quote the answer, which may hold a secret.
            kube::Error::SerdeError(e) => Self::new(
                FailureKind::Garbled,
                format!("the answer is not the JSON expected (line {}, column {})", e.line(), e.column()),
            ),
            other => Self::new(FailureKind::Garbled, innermost(other)),
        }
    }

    /// Returns `true` if the same request may pass in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Unreachable
                | FailureKind::Silent
                | FailureKind::RateLimited
                | FailureKind::Overloaded
        )
    }

    /// Returns `true` if it concerns the server and not one kind or object of it.
    pub(crate) fn is_of_server(&self) -> bool {
        matches!(self.kind, FailureKind::Unreachable | FailureKind::Untrusted | FailureKind::Unauthorized)
    }

    /// The message with the fields that it does not name already.
    pub(crate) fn text(&self) -> String {
        let mut text = self.message.clone();
        for cause in &self.causes {
            if !cause.field.is_empty() && !text.contains(&cause.field) {
                text.push_str(&format!("; {}: {}", cause.field, cause.message));
            }
        }
        text
    }

    /// The same without any words that could quote the object: for Secrets.
    pub(crate) fn redacted(&self) -> String {
        let what = match self.kind {
            FailureKind::Unreachable
            | FailureKind::Silent
            | FailureKind::Untrusted
            | FailureKind::Unauthorized
            | FailureKind::Forbidden => {
                return self.message.clone();
            }
            FailureKind::NotFound => "not found, or its namespace is not",
            FailureKind::Conflict => "a conflict",
            FailureKind::Gone => "gone",
            FailureKind::RateLimited => "too many requests",
            FailureKind::Overloaded => "the server is overloaded",
            FailureKind::Broken => "an internal error of the server, or a webhook's refusal",
            FailureKind::Invalid => "the object is not valid",
            FailureKind::Garbled => "an answer that makes no sense",
        };
        let causes: Vec<&str> = self.causes.iter().map(|c| c.reason.as_str()).collect();
        let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
        format!("{what}{causes}; the server's words are withheld because they can quote a Secret's values")
    }

    /// Returns the error of a call that failed as a whole.
    pub(crate) fn error(&self, target: &Target) -> Error {
        let (text, user) = (self.text(), &target.user);
        let message = match self.kind {
            FailureKind::Unreachable | FailureKind::Silent => format!(
                "{target} cannot be reached: {text}; check that it runs and that the address is right"
            ),
            FailureKind::Untrusted => format!(
                "{target} shows a certificate that is not trusted: {text}; check `certificate-authority` in the kubeconfig"
            ),
            FailureKind::Unauthorized => {
                format!("{target} does not accept the credentials of {user}: {text}; renew them")
            }
            FailureKind::Forbidden => {
                format!("{target} does not allow this to {user}: {text}; grant it with a Role or ClusterRole")
            }
            FailureKind::NotFound | FailureKind::Gone => format!(
                "{target} does not have what was asked for: {text}; check that the address is that of a Kubernetes API server"
            ),
            FailureKind::RateLimited => {
                format!("{target} wants fewer requests: {text}; try again in a while")
            }
            FailureKind::Overloaded | FailureKind::Broken => {
                format!("{target} is out of order: {text}; look into its log, or try again in a while")
            }
            FailureKind::Conflict | FailureKind::Invalid => format!("{target} refuses the request: {text}"),
            FailureKind::Garbled => format!(
                "{target} answers with something that makes no sense: {text}; check that the address is that of a Kubernetes API server"
            ),
        };
        let retry_at = self.retry_after.and_then(|after| Timestamp::now().checked_add(after).ok());
        Error::new(self.kind.error_kind(), &target.server, message).with_retry_at(retry_at)
    }
}

/// The message of the innermost cause, which names the matter; what wraps it only says that
/// something failed.
fn innermost(error: &kube::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(e) = source {
        message = e.to_string();
        source = e.source();
    }
    one_line(&message)
}

/// A text from outside in one line of bearable length.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 1000;
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > LONGEST {
        line = line.chars().take(LONGEST).chain("…".chars()).collect();
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(code: u16, message: &str) -> Status {
        serde_json::from_value(json!({
            "kind": "Status", "status": "Failure", "code": code, "message": message,
            "details": { "causes": [{ "reason": "FieldValueInvalid", "field": "data.password", "message": "hunter2" }] },
        }))
        .unwrap()
    }

    #[test]
    fn codes_are_sorted_by_what_can_be_done() {
        for (code, kind) in [
            (400, FailureKind::Invalid),
            (401, FailureKind::Unauthorized),
            (403, FailureKind::Forbidden),
            (404, FailureKind::NotFound),
            (409, FailureKind::Conflict),
            (410, FailureKind::Gone),
            (422, FailureKind::Invalid),
            (429, FailureKind::RateLimited),
            (500, FailureKind::Broken),
            (503, FailureKind::Overloaded),
            (504, FailureKind::Overloaded),
        ] {
            assert_eq!(Failure::from_status(&status(code, "no")).kind, kind, "{code}");
        }
    }

    #[test]
    fn the_text_names_the_fields() {
        assert_eq!(Failure::from_status(&status(422, "no")).text(), "no; data.password: hunter2");
    }

    #[test]
    fn messages_about_a_secret_quote_nothing_of_it() {
        let failure =
            Failure::from_status(&status(422, "Secret in version v1: illegal base64 data in hunter2"));
        assert!(!failure.redacted().contains("hunter2"), "{}", failure.redacted());
        assert!(failure.redacted().contains("FieldValueInvalid"));
    }

    #[test]
    fn every_error_names_the_server_and_a_next_step() {
        let target = Target {
            server: "https://example.test".into(),
            source: "context `a` of /k".into(),
            user: "ann".into(),
        };
        for kind in [
            FailureKind::Unreachable,
            FailureKind::Untrusted,
            FailureKind::Unauthorized,
            FailureKind::Forbidden,
            FailureKind::Overloaded,
        ] {
            let error = Failure::new(kind, "words").error(&target);
            assert!(error.to_string().starts_with("the API server https://example.test (context `a` of /k)"));
            assert!(error.to_string().contains("words; "), "{error}");
            assert_eq!(
                error.is_retryable(),
                matches!(kind, FailureKind::Unreachable | FailureKind::Overloaded),
                "{error}"
            );
        }
    }
}

//! Failures of requests, by the possible reactions.
//!
//! They are kube's errors and the API server's answers.

use std::{error::Error as _, fmt, time::Duration};

use flux_core::{
    backend::{Error, ErrorKind},
    sync::{Action, Reason, Step, StepOutcome},
};
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
    /// The account that asks in its name, if one does.
    pub(crate) impersonated_by: Option<String>,
}

impl Target {
    /// Returns the account, and who acts in its name.
    fn account(&self) -> String {
        match &self.impersonated_by {
            Some(by) => format!("{} (in whose name {by} acts)", self.user),
            None => self.user.clone(),
        }
    }
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
    /// Any other 4xx, or a 500 that complains of the request: the manifest is at fault.
    Invalid,
    /// 422 for a field that cannot be changed.
    Immutable,
    /// 403 because the namespace is being deleted.
    Terminating,
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
            Self::Conflict | Self::Invalid | Self::Immutable | Self::Terminating | Self::Garbled => {
                ErrorKind::Invalid
            }
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

/// The words of a 500 by which the API server refuses a manifest: it answers so when it cannot read
/// a patch as the kind that it is for (Kubernetes 1.36).
const COMPLAINTS: [&str; 2] = ["failed to create typed patch object", "metadata.managedFields: "];

/// Returns `true` if the server refuses to change a field, and not the object as such.
fn is_immutable(status: &Status) -> bool {
    const WORDS: [&str; 6] = [
        "immutable",
        "may not be changed",
        "may not change",
        "cannot be changed",
        "cannot change",
        "updates to statefulset spec",
    ];
    let says = |text: &str| WORDS.iter().any(|words| text.contains(words));
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.map(|cause| cause.message.as_str()).chain([status.message.as_str()]).any(says)
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
        let is_cause = |reason: &str| {
            status.details.as_ref().is_some_and(|details| details.causes.iter().any(|c| c.reason == reason))
        };
        let kind = match status.code {
            401 => FailureKind::Unauthorized,
            403 if is_cause("NamespaceTerminating") => FailureKind::Terminating,
            403 => FailureKind::Forbidden,
            404 => FailureKind::NotFound,
            409 => FailureKind::Conflict,
            410 => FailureKind::Gone,
            422 if is_immutable(status) => FailureKind::Immutable,
            429 => FailureKind::RateLimited,
            502..=504 => FailureKind::Overloaded,
            500 if status.reason == "ServerTimeout" => FailureKind::Overloaded,
            500 if COMPLAINTS.iter().any(|words| status.message.contains(words)) => FailureKind::Invalid,
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

    /// Returns the fields that the server complains of.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().map(|cause| cause.field.as_str())
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
            FailureKind::Immutable => "a field cannot be changed",
            FailureKind::Terminating => "its namespace is being deleted",
            FailureKind::Garbled => "an answer that makes no sense",
        };
        // The path of a field and the kind of the fault quote nothing.
        let causes = self.causes.iter().map(|cause| match cause.field.as_str() {
            "" | "<nil>" => cause.reason.clone(),
            field => format!("{}: {}", without_odd_keys(field), cause.reason),
        });
        let causes = causes.collect::<Vec<_>>().join(", ");
        let causes = if causes.is_empty() { String::new() } else { format!(" ({causes})") };
        format!("{what}{causes}; the server's words are withheld because they can quote a Secret's values")
    }

    /// Returns the outcome of a step that this failure ended, with what to do about it.
    pub(crate) fn outcome_of(&self, step: &Step, target: &Target) -> StepOutcome {
        let prune = matches!(step.action, Action::Prune { .. });
        let is_secret = step.id.kind() == "Secret" && step.id.group().is_empty();
        let words = if is_secret { self.redacted() } else { self.text() };
        let (reason, message, remedy) = match self.kind {
            FailureKind::Unreachable | FailureKind::Untrusted | FailureKind::Unauthorized => {
                let message = self.error(target).to_string();
                (Reason::Unavailable, message, "Sync again when the API server answers.".to_owned())
            }
            FailureKind::Silent | FailureKind::RateLimited | FailureKind::Overloaded => {
                (Reason::Unavailable, words, "The API server is overloaded; sync again in a while.".to_owned())
            }
            FailureKind::Broken => (
                Reason::Rejected,
                words,
                "Look into the log of the API server, or of the admission webhook that it names.".to_owned(),
            ),
            FailureKind::Forbidden => (
                Reason::Rejected,
                words,
                format!(
                    "Allow {} to {} {} with a Role or ClusterRole, or do what the policy or quota that the message names asks for.",
                    target.account(),
                    if prune { "delete" } else { "create and patch" },
                    step.id.kind()
                ),
            ),
            FailureKind::Terminating => (
                Reason::Rejected,
                words,
                "Wait until the namespace is gone and syncs create it anew, or take what is in it out of git.".to_owned(),
            ),
            FailureKind::NotFound => (
                Reason::Rejected,
                words,
                "Make the namespace, in git or the cluster, or put the object in one that exists.".to_owned(),
            ),
            FailureKind::Conflict | FailureKind::Gone if prune => (
                Reason::Rejected,
                format!("it has changed since it was looked at: {words}"),
                "Nothing is to be done: the next sync looks at it again.".to_owned(),
            ),
            FailureKind::Conflict if self.causes.iter().any(|c| c.reason == "FieldManagerConflict") => (
                Reason::Rejected,
                self.conflicts(),
                "Take these fields out of git or away from those managers, or take the annotation `fluxcd.io/force-conflicts` off the object.".to_owned(),
            ),
            FailureKind::Conflict | FailureKind::Gone => {
                (Reason::Rejected, words, "Sync again: the object is being changed by others.".to_owned())
            }
            FailureKind::Immutable => (
                Reason::Rejected,
                words,
                "Only a new object can have this field changed: delete it by hand, or annotate it with `fluxcd.io/force: \"true\"` in git to have it deleted and created anew.".to_owned(),
            ),
            FailureKind::Invalid | FailureKind::Garbled => {
                (Reason::Rejected, words, "Correct the manifest in git.".to_owned())
            }
        };
        step.failed(reason, message).with_remedy(remedy)
    }

    /// Returns the fields that other managers own, each with its manager.
    fn conflicts(&self) -> String {
        let conflicts = self.causes.iter().filter(|cause| cause.reason == "FieldManagerConflict");
        // As in `conflict with "kubectl-edit" using v1`.
        let conflicts = conflicts.map(|cause| {
            let manager = cause.message.split('"').nth(1).unwrap_or(&cause.message);
            format!("{} is owned by the field manager {manager}", cause.field.trim_start_matches('.'))
        });
        conflicts.collect::<Vec<_>>().join("; ")
    }

    /// Returns the error of a call that failed as a whole.
    pub(crate) fn error(&self, target: &Target) -> Error {
        let (text, user) = (self.text(), target.account());
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
            FailureKind::Conflict
            | FailureKind::Invalid
            | FailureKind::Immutable
            | FailureKind::Terminating => format!("{target} refuses the request: {text}"),
            FailureKind::Garbled => format!(
                "{target} answers with something that makes no sense: {text}; check that the address is that of a Kubernetes API server"
            ),
        };
        let retry_at = self.retry_after.and_then(|after| Timestamp::now().checked_add(after).ok());
        Error::new(self.kind.error_kind(), &target.server, message).with_retry_at(retry_at)
    }
}

/// Returns the path of a field without the keys that are none: somebody may have written a value in
/// the place of a key.
fn without_odd_keys(field: &str) -> String {
    let Some((head, rest)) = field.split_once('[') else { return field.to_owned() };
    let (key, tail) = rest.split_once(']').unwrap_or((rest, ""));
    let is_key = key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    format!("{head}[{}]{}", if is_key { key } else { "…" }, without_odd_keys(tail))
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
///
/// Of one that is too long the middle is left out: the API server puts the reason behind a dump of
/// the value that it complains of.
fn one_line(text: &str) -> String {
    const HEAD: usize = 400;
    const TAIL: usize = 600;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = line.chars().count();
    if length <= HEAD + TAIL {
        return line;
    }
    let (head, tail): (String, String) =
        (line.chars().take(HEAD).collect(), line.chars().skip(length - TAIL).collect());
    format!("{head} … {tail}")
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
    fn refusals_are_sorted_by_their_words_where_codes_do_not_tell() {
        for (code, words, kind) in [
            (422, "spec.selector: Invalid value: {}: field is immutable", FailureKind::Immutable),
            (422, "roleRef: Invalid value: {}: cannot change roleRef", FailureKind::Immutable),
            (422, "value: Forbidden: may not be changed in an update.", FailureKind::Immutable),
            (
                422,
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                FailureKind::Invalid,
            ),
            (
                422,
                "updates to statefulset spec for fields other than 'replicas' are forbidden",
                FailureKind::Immutable,
            ),
            (
                500,
                "failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): .spec.x: field not declared in schema",
                FailureKind::Invalid,
            ),
            (500, "Internal error occurred: etcd", FailureKind::Broken),
        ] {
            assert_eq!(Failure::from_status(&status(code, words)).kind, kind, "{words}");
        }
        let terminating = serde_json::from_value(json!({"code": 403, "message": "no",
            "details": {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]}}));
        assert_eq!(Failure::from_status(&terminating.unwrap()).kind, FailureKind::Terminating);
    }

    #[test]
    fn the_reason_is_kept_behind_a_long_dump() {
        let words = format!("spec.template: Invalid value: {}: field is immutable", "x".repeat(4000));
        let text = Failure::from_status(&status(422, &words)).message;
        assert!(text.starts_with("spec.template") && text.ends_with("field is immutable"), "{text}");
        assert!(text.chars().count() < 1100);
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
        assert!(failure.redacted().contains("data.password: FieldValueInvalid"), "{}", failure.redacted());
    }

    #[test]
    fn every_error_names_the_server_and_a_next_step() {
        let target = Target {
            server: "https://example.test".into(),
            source: "context `a` of /k".into(),
            user: "ann".into(),
            impersonated_by: None,
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

//! [`Error`]: the one shape in which every backend fails.

use std::{error, fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Revision;
use crate::repo_path::InvalidPath;

/// The answer of a backend's method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How a backend fails as a whole: a kind to act on, what it was about, and a sentence for people.
///
/// Every backend, the layers around them and their builders fail with this type. A message names
/// the thing and the next step, and holds no secret. Two errors are equal if all but their sources
/// are, and an error that is stored comes back without its source.
///
/// ```
/// use flux_core::backend::{Error, ErrorKind};
///
/// let text = "git.example.com does not answer; check the network";
/// let error = Error::unavailable("git.example.com", text);
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// assert_eq!(error.subject(), "git.example.com");
/// assert!(error.is_retryable());
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Box<Inner>);

#[derive(Clone, Serialize, Deserialize)]
struct Inner {
    kind: ErrorKind,
    subject: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<Timestamp>,
    #[serde(skip)]
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// The kinds of failure that callers act on differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The branch moved away from the revision that was planned on: plan anew on the new one.
    Moved,
    /// The thing is not there: a repository, branch, revision, content, image name, context,
    /// object.
    NotFound,
    /// Credentials are wanted, or others.
    Unauthorized,
    /// The account is known and lacks the right.
    Forbidden,
    /// The other side is not known to be who it says it is: a host key or a certificate is not
    /// trusted.
    Untrusted,
    /// The change is refused by the other side: by a hook, a protected branch, an admission policy.
    Rejected,
    /// Fewer requests are wanted.
    RateLimited,
    /// The other side cannot be reached, is out of order, or does not answer in time.
    Unavailable,
    /// The request, the configuration or an answer makes no sense, and will not make more later.
    Invalid,
}

impl Error {
    /// Makes an error of a kind.
    ///
    /// `subject` names the thing; `message` is a whole sentence with the next step.
    pub fn new(kind: ErrorKind, subject: impl fmt::Display, message: impl Into<String>) -> Self {
        let (subject, message) = (subject.to_string(), message.into());
        Self(Box::new(Inner { kind, subject, message, retry_at: None, source: None }))
    }

    /// Returns the error for a branch that is no longer at `base`, on which a change was made.
    pub fn moved(base: &Revision) -> Self {
        let message =
            format!("the branch moved from {base} while a change to it was made; plan anew on the new tip");
        Self::new(ErrorKind::Moved, base, message)
    }

    /// Makes an error of kind [`NotFound`](ErrorKind::NotFound).
    pub fn not_found(subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, subject, message)
    }

    /// Makes an error of kind [`Unauthorized`](ErrorKind::Unauthorized).
    pub fn unauthorized(subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthorized, subject, message)
    }

    /// Makes an error of kind [`Forbidden`](ErrorKind::Forbidden).
    pub fn forbidden(subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, subject, message)
    }

    /// Makes an error of kind [`Untrusted`](ErrorKind::Untrusted).
    pub fn untrusted(subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Untrusted, subject, message)
    }

    /// Makes an error of kind [`Rejected`](ErrorKind::Rejected).
    pub fn rejected(subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Rejected, subject, message)
    }

    /// Makes an error of kind [`RateLimited`](ErrorKind::RateLimited);
    /// see [`with_retry_at`](Self::with_retry_at).
    pub fn rate_limited(subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::RateLimited, subject, message)
    }

    /// Makes an error of kind [`Unavailable`](ErrorKind::Unavailable).
    pub fn unavailable(subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, subject, message)
    }

    /// Makes an error of kind [`Invalid`](ErrorKind::Invalid).
    pub fn invalid(subject: impl fmt::Display, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, subject, message)
    }

    /// Says from when on the same call may be made again.
    #[must_use]
    pub fn with_retry_at(mut self, at: impl Into<Option<Timestamp>>) -> Self {
        self.0.retry_at = at.into();
        self
    }

    /// Keeps the error that this one comes from.
    ///
    /// Its text must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Returns the kind, which callers act on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the name of the thing: a repository, a revision, an image name, a cluster, an
    /// object.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Returns the sentence for people, which is also the `Display` form.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the time from which on the same call may be made again, if the server gave one.
    pub fn retry_at(&self) -> Option<Timestamp> {
        self.0.retry_at
    }

    /// Returns `true` if the same operation may succeed later with nothing else changed.
    ///
    /// After [`Moved`](ErrorKind::Moved) it has to be planned anew first.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }
}

impl ErrorKind {
    /// Returns `true` if the same operation may succeed later with nothing else changed.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Moved | Self::RateLimited | Self::Unavailable)
    }
}

impl From<InvalidPath> for Error {
    fn from(error: InvalidPath) -> Self {
        Self::invalid(&error.path, error.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, subject, message, retry_at, source } = &*self.0;
        let mut debug = f.debug_struct("Error");
        debug.field("kind", kind).field("subject", subject).field("message", message);
        if let Some(at) = retry_at {
            debug.field("retry_at", at);
        }
        if let Some(source) = source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let parts = |error: &Self| (error.0.kind, error.0.retry_at);
        parts(self) == parts(other)
            && (&self.0.subject, &self.0.message) == (&other.0.subject, &other.0.message)
    }
}

impl Eq for Error {}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_that_was_stored_is_equal_to_the_one_before() {
        let error = Error::rate_limited("ghcr.io/a/b", "ghcr.io wants fewer requests; ask again at noon")
            .with_retry_at(Timestamp::UNIX_EPOCH)
            .with_source(fmt::Error);
        let text = serde_json::to_string(&error).unwrap();
        let back: Error = serde_json::from_str(&text).unwrap();
        assert_eq!(back, error);
        assert_eq!(back.retry_at(), Some(Timestamp::UNIX_EPOCH));
        assert!(back.source().is_none() && error.source().is_some());
        assert_ne!(back, back.clone().with_retry_at(None));
    }

    #[test]
    fn only_what_passes_by_itself_is_tried_again() {
        let retryable = [ErrorKind::Moved, ErrorKind::RateLimited, ErrorKind::Unavailable];
        for kind in [
            ErrorKind::Moved,
            ErrorKind::NotFound,
            ErrorKind::Unauthorized,
            ErrorKind::Forbidden,
            ErrorKind::Untrusted,
            ErrorKind::Rejected,
            ErrorKind::RateLimited,
            ErrorKind::Unavailable,
            ErrorKind::Invalid,
        ] {
            let error = Error::new(kind, "a", "b");
            assert_eq!(error.is_retryable(), retryable.contains(&kind), "{error:?}");
        }
    }
}

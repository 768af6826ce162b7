//! Converts libgit2's errors, and the answers of servers to a push, to [`Error`]s.
//!
//! No other file distinguishes them.

use flux_core::backend::{Error, ErrorKind};
use git2::{ErrorClass, ErrorCode};

/// The kind of a failure, and what to do about it.
type Kind = (ErrorKind, &'static str);

const UNAUTHORIZED: Kind = (ErrorKind::Unauthorized, "check the credentials for it");
const FORBIDDEN: Kind = (ErrorKind::Forbidden, "give the account the right to it, or use another account");
const NOT_FOUND: Kind = (ErrorKind::NotFound, "check its address, and that the account may see it");
const UNTRUSTED: Kind =
    (ErrorKind::Untrusted, "give the file of its certificate authority if that is a private one");
const REJECTED: Kind = (ErrorKind::Rejected, "ask who runs it what it takes");
const UNAVAILABLE: Kind =
    (ErrorKind::Unavailable, "try again; if it stays so, check the address and the network");
const UNUSABLE: Kind = (ErrorKind::Invalid, "check the address, and what git itself says to it");
const NOT_OURS: Kind = (
    ErrorKind::Forbidden,
    "it belongs to another user of this machine; run as that user, or list it under git's `safe.directory`",
);

/// The meaning of messages of libgit2 and of servers; the first that is found in the lower-case
/// message counts.
const MESSAGES: [(&str, Kind); 25] = [
    ("status code: 401", UNAUTHORIZED),
    ("status code: 403", FORBIDDEN),
    ("status code: 404", NOT_FOUND),
    ("status code: 410", NOT_FOUND),
    ("status code: 429", UNAVAILABLE),
    ("status code: 5", UNAVAILABLE),
    ("unpacking the sent packfile failed", REJECTED),
    ("read only", FORBIDDEN),
    ("read-only", FORBIDDEN),
    ("access denied", FORBIDDEN),
    ("permission denied", FORBIDDEN),
    ("permission to", FORBIDDEN),
    ("not appear to be a git repository", NOT_FOUND),
    ("repository not found", NOT_FOUND),
    ("no such file or directory", NOT_FOUND),
    ("could not find repository", NOT_FOUND),
    ("failed to resolve path", NOT_FOUND),
    ("authentication replays", UNAUTHORIZED),
    ("failed to authenticate", UNAUTHORIZED),
    ("authentication failed", UNAUTHORIZED),
    ("unable to extract public key", UNAUTHORIZED),
    ("unsupported url protocol", UNUSABLE),
    ("unexpected content-type", UNUSABLE),
    ("timed out", UNAVAILABLE),
    ("certificate", UNTRUSTED),
];

/// Turns an error of libgit2's, met while `doing` something (`reading`, `fetching from`) with
/// `subject`, into ours.
pub(crate) fn git_error(error: &git2::Error, doing: &str, subject: impl std::fmt::Display) -> Error {
    let (kind, remedy) = kind_of(error);
    let words = error.message().trim().trim_end_matches('.');
    Error::new(kind, &subject, format!("{doing} {subject} failed: {words}; {remedy}"))
        .with_source(git2::Error::new(error.code(), error.class(), error.message()))
}

fn kind_of(error: &git2::Error) -> Kind {
    match error.code() {
        ErrorCode::Auth => return UNAUTHORIZED,
        ErrorCode::Certificate => return UNTRUSTED,
        ErrorCode::Owner => return NOT_OURS,
        ErrorCode::Timeout => return UNAVAILABLE,
        _ => {}
    }
    let message = error.message().to_ascii_lowercase();
    if let Some((_, kind)) = MESSAGES.iter().find(|(part, _)| message.contains(part)) {
        return *kind;
    }
    match (error.code(), error.class()) {
        (ErrorCode::NotFound, _) => NOT_FOUND,
        (ErrorCode::Eof | ErrorCode::Locked, _) => UNAVAILABLE,
        (_, ErrorClass::Net | ErrorClass::Http | ErrorClass::Ssh | ErrorClass::Ssl | ErrorClass::Os) => {
            UNAVAILABLE
        }
        _ => UNUSABLE,
    }
}

/// The answer of a server about one reference of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefAnswer {
    /// It is where we pushed it.
    Landed,
    /// It was somewhere else than we took it to be.
    Moved,
    /// Somebody else is changing it just now; the same push may succeed or turn out as moved in a
    /// moment.
    Busy(String),
    /// The server doesn't take it.
    Refused(String),
}

/// How servers say that a reference was not where the push took it to be.
const MOVED: [&str; 7] = [
    "non-fast-forward",
    "non-fastforward",
    "fetch first",
    "stale info",
    "but expected",
    "reference already exists",
    "incorrect old value",
];
/// How they say that they did not get to it.
const BUSY: [&str; 5] =
    ["failed to update ref", "failed to lock", "cannot lock ref", "unable to lock", "is locked"];

/// Reads a server's answer about one reference: `None` when it took it.
pub(crate) fn ref_answer(status: Option<&str>) -> RefAnswer {
    let Some(status) = status else { return RefAnswer::Landed };
    let lower = status.to_ascii_lowercase();
    if MOVED.iter().any(|part| lower.contains(part)) {
        RefAnswer::Moved
    } else if BUSY.iter().any(|part| lower.contains(part)) {
        RefAnswer::Busy(status.to_owned())
    } else {
        RefAnswer::Refused(status.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_their_kind_name_the_thing_and_the_next_step() {
        let cases: [(ErrorCode, ErrorClass, &str, ErrorKind); 14] = [
            (ErrorCode::Auth, ErrorClass::Http, "x", ErrorKind::Unauthorized),
            (
                ErrorCode::GenericError,
                ErrorClass::Http,
                "unexpected http status code: 403",
                ErrorKind::Forbidden,
            ),
            (
                ErrorCode::GenericError,
                ErrorClass::Http,
                "unexpected http status code: 404",
                ErrorKind::NotFound,
            ),
            (
                ErrorCode::GenericError,
                ErrorClass::Http,
                "unexpected http status code: 503",
                ErrorKind::Unavailable,
            ),
            (ErrorCode::Certificate, ErrorClass::Ssl, "the SSL certificate is invalid", ErrorKind::Untrusted),
            (
                ErrorCode::GenericError,
                ErrorClass::Ssl,
                "hostname does not match certificate",
                ErrorKind::Untrusted,
            ),
            (
                ErrorCode::GenericError,
                ErrorClass::Net,
                "failed to resolve address for nowhere",
                ErrorKind::Unavailable,
            ),
            (
                ErrorCode::GenericError,
                ErrorClass::Os,
                "failed to connect to h: Connection refused",
                ErrorKind::Unavailable,
            ),
            (ErrorCode::Timeout, ErrorClass::Net, "x", ErrorKind::Unavailable),
            (ErrorCode::Owner, ErrorClass::Config, "x", ErrorKind::Forbidden),
            (ErrorCode::NotFound, ErrorClass::Odb, "x", ErrorKind::NotFound),
            (ErrorCode::GenericError, ErrorClass::Ssh, "ERROR: Repository not found.", ErrorKind::NotFound),
            (
                ErrorCode::GenericError,
                ErrorClass::Ssh,
                "ERROR: The key you are authenticating with has been marked as read only.",
                ErrorKind::Forbidden,
            ),
            (ErrorCode::GenericError, ErrorClass::Zlib, "x", ErrorKind::Invalid),
        ];
        for (code, class, message, kind) in cases {
            let error =
                git_error(&git2::Error::new(code, class, message), "fetching from", "https://host/a.git");
            assert_eq!(error.kind(), kind, "{message}: {error:?}");
            assert_eq!(error.subject(), "https://host/a.git");
            assert!(error.to_string().contains("https://host/a.git"), "{error}");
            assert!(error.to_string().contains("; "), "{error}");
        }
    }

    #[test]
    fn a_servers_word_on_a_reference_is_distinguished() {
        assert_eq!(ref_answer(None), RefAnswer::Landed);
        for text in [
            "non-fast-forward",
            "fetch first",
            "stale info",
            "is at 1 but expected 2",
            "reference already exists",
        ] {
            assert_eq!(ref_answer(Some(text)), RefAnswer::Moved, "{text}");
        }
        for text in
            ["failed to update ref", "cannot lock ref 'refs/heads/main': Unable to create", "failed to lock"]
        {
            assert_eq!(ref_answer(Some(text)), RefAnswer::Busy(text.into()));
        }
        for text in
            ["pre-receive hook declined", "protected branch hook declined", "deny updating a hidden ref"]
        {
            assert_eq!(ref_answer(Some(text)), RefAnswer::Refused(text.into()));
        }
    }
}

//! libgit2's errors, and what servers answer to a push, as [`RepoError`]s. Nowhere else are they told apart.

use flux_core::backend::RepoError;
use git2::{ErrorClass, ErrorCode};

/// What kind of [`RepoError`] something is, and what to do about it.
type Kind = (fn(String) -> RepoError, &'static str);

const UNAUTHORIZED: Kind = (RepoError::Unauthorized, "check the credentials for it");
const FORBIDDEN: Kind = (RepoError::Forbidden, "give the account the right to it, or use another account");
const NOT_FOUND: Kind = (RepoError::NotFound, "check its address, and that the account may see it");
const UNTRUSTED: Kind =
    (RepoError::Untrusted, "give the file of its certificate authority if that is a private one");
const REJECTED: Kind = (RepoError::Rejected, "ask who runs it what it takes");
const UNAVAILABLE: Kind =
    (RepoError::Unavailable, "try again; if it stays so, check the address and the network");
const UNUSABLE: Kind = (RepoError::Invalid, "check the address, and what git itself says to it");
const NOT_OURS: Kind = (
    RepoError::Forbidden,
    "it belongs to another user of this machine; run as that user, or list it under git's `safe.directory`",
);

/// What messages of libgit2 and of servers mean; the first that is found in the lower-case message counts.
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

/// An error of libgit2's, met while `doing` something (`reading`, `fetching from`) with `what`.
pub(crate) fn git_error(error: &git2::Error, doing: &str, what: impl std::fmt::Display) -> RepoError {
    let (kind, remedy) = kind_of(error);
    kind(format!("{doing} {what} failed: {}; {remedy}", error.message().trim().trim_end_matches('.')))
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

/// What a server answered about one reference of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefAnswer {
    /// It is where we pushed it.
    Landed,
    /// It was somewhere else than we took it to be.
    Moved,
    /// Somebody else is changing it just now; the same push may succeed or turn out as moved in a moment.
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

/// Reads a server's word on one reference: none when it took it.
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
        let cases: [(ErrorCode, ErrorClass, &str, fn(&RepoError) -> bool); 14] = [
            (ErrorCode::Auth, ErrorClass::Http, "x", |e| matches!(e, RepoError::Unauthorized(_))),
            (ErrorCode::GenericError, ErrorClass::Http, "unexpected http status code: 403", |e| {
                matches!(e, RepoError::Forbidden(_))
            }),
            (ErrorCode::GenericError, ErrorClass::Http, "unexpected http status code: 404", |e| {
                matches!(e, RepoError::NotFound(_))
            }),
            (ErrorCode::GenericError, ErrorClass::Http, "unexpected http status code: 503", |e| {
                matches!(e, RepoError::Unavailable(_))
            }),
            (ErrorCode::Certificate, ErrorClass::Ssl, "the SSL certificate is invalid", |e| {
                matches!(e, RepoError::Untrusted(_))
            }),
            (ErrorCode::GenericError, ErrorClass::Ssl, "hostname does not match certificate", |e| {
                matches!(e, RepoError::Untrusted(_))
            }),
            (ErrorCode::GenericError, ErrorClass::Net, "failed to resolve address for nowhere", |e| {
                matches!(e, RepoError::Unavailable(_))
            }),
            (ErrorCode::GenericError, ErrorClass::Os, "failed to connect to h: Connection refused", |e| {
                matches!(e, RepoError::Unavailable(_))
            }),
            (ErrorCode::Timeout, ErrorClass::Net, "x", |e| matches!(e, RepoError::Unavailable(_))),
            (ErrorCode::Owner, ErrorClass::Config, "x", |e| matches!(e, RepoError::Forbidden(_))),
            (ErrorCode::NotFound, ErrorClass::Odb, "x", |e| matches!(e, RepoError::NotFound(_))),
            (ErrorCode::GenericError, ErrorClass::Ssh, "ERROR: Repository not found.", |e| {
                matches!(e, RepoError::NotFound(_))
            }),
            (
                ErrorCode::GenericError,
                ErrorClass::Ssh,
                "ERROR: The key you are authenticating with has been marked as read only.",
                |e| matches!(e, RepoError::Forbidden(_)),
            ),
            (ErrorCode::GenericError, ErrorClass::Zlib, "x", |e| matches!(e, RepoError::Invalid(_))),
        ];
        for (code, class, message, is_kind) in cases {
            let error =
                git_error(&git2::Error::new(code, class, message), "fetching from", "https://host/a.git");
            assert!(is_kind(&error), "{message}: {error:?}");
            assert!(error.to_string().contains("https://host/a.git"), "{error}");
            assert!(error.to_string().contains("; "), "{error}");
        }
    }

    #[test]
    fn a_servers_word_on_a_reference_is_told_apart() {
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

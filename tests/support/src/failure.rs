//! Failures around a server, and the one place where they end a test.

use std::path::Path;

/// A server or a program that is not available.
///
/// The text names it and, where there is one, the log to read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Returns a closure for `map_err` that names the action and the path.
    pub(crate) fn at(doing: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let text = format!("cannot {doing} {}", path.display());
        move |error| Self(format!("{text}: {error}"))
    }

    /// Returns a closure for `map_err` that names the action, with the error's own text.
    pub(crate) fn of<E: std::fmt::Display>(doing: &str) -> impl FnOnce(E) -> Self {
        let text = format!("cannot {doing}");
        move |error| Self(format!("{text}: {error}"))
    }
}

/// Panics on a failure.
///
/// This is the one place where a failure becomes the test's.
#[track_caller]
#[expect(clippy::panic, reason = "made for tests: a server that cannot be had is the test's failure")]
pub(crate) fn must<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(failure) => panic!("{failure}"),
    }
}

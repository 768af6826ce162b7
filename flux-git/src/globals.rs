//! The settings that libgit2 keeps once for the whole process.
//!
//! These are time limits and the trusted authorities. Nothing else in this crate is global.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use flux_core::backend::{Error, Result};

#[derive(Debug)]
struct Settings {
    timeout: Duration,
    authorities: BTreeSet<PathBuf>,
}

static SETTINGS: Mutex<Settings> =
    Mutex::new(Settings { timeout: Duration::ZERO, authorities: BTreeSet::new() });

/// Sets how long a server may stay silent.
///
/// There is one limit for the whole process, so the longest that was asked for holds.
#[expect(
    unsafe_code,
    reason = "libgit2's options are plain globals; they are only written here, under a lock"
)]
pub(crate) fn set_timeouts(timeout: Duration) -> Result<()> {
    let mut settings = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
    if timeout <= settings.timeout {
        return Ok(());
    }
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: both write an int that libgit2 reads when it opens a connection; the lock keeps
    // writers apart.
    let set = unsafe {
        git2::opts::set_server_connect_timeout_in_milliseconds(milliseconds)
            .and_then(|()| git2::opts::set_server_timeout_in_milliseconds(milliseconds))
    };
    set.map_err(|error| {
        let text = format!("the time limit {timeout:?} cannot be set: {}", error.message());
        Error::invalid(format_args!("{timeout:?}"), text).with_source(error)
    })?;
    settings.timeout = timeout;
    Ok(())
}

/// Trusts the authorities of a PEM file, beside the system's, for all connections of the process.
#[expect(
    unsafe_code,
    reason = "libgit2's options are plain globals; they are only written here, under a lock"
)]
pub(crate) fn trust(authorities: &Path) -> Result<()> {
    let mut settings = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
    if settings.authorities.contains(authorities) {
        return Ok(());
    }
    // SAFETY: adds to OpenSSL's certificate store, which has a lock of its own; ours keeps writers
    // apart.
    let set = unsafe { git2::opts::set_ssl_cert_file(authorities) };
    set.map_err(|error| {
        let (file, words) = (authorities.display(), error.message());
        let text = format!(
            "the certificates of {file} cannot be used: {words}; give a file with PEM certificates of authorities"
        );
        Error::invalid(file, text).with_source(error)
    })?;
    settings.authorities.insert(authorities.to_owned());
    Ok(())
}

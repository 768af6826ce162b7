//! The HTTP client that talks to the registries.

use std::time::Duration;

/// Returns a client for loopback.
///
/// It uses no proxy, times out after 20 seconds, and returns an error status as a response.
pub(crate) fn http() -> ureq::Agent {
    ureq::Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(20)))
        .http_status_as_error(false)
        .build()
        .into()
}

//! When a request is made again, and when a server that asked for a pause may be asked again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How requests that fail for a while are made again: the wait doubles each time and is shortened by a random part, so
/// that many clients do not come back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often a request is made at most; 1 never makes it again. Default 4.
    pub attempts: u32,
    /// The wait before the second attempt. Default 200 ms.
    pub first: Duration,
    /// The longest wait, also for a server that says how long to wait; if that is longer, the request fails with
    /// [`RateLimited`](flux_core::backend::ErrorKind::RateLimited) at once. Default 5 s.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, first: Duration::from_millis(200), longest: Duration::from_secs(5) }
    }
}

impl Retry {
    /// Never again.
    pub const NEVER: Self = Self { attempts: 1, first: Duration::ZERO, longest: Duration::ZERO };

    /// The wait after `failed` failed attempts: between half and all of the doubled wait.
    pub(crate) fn wait(&self, failed: u32) -> Duration {
        let full =
            self.first.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1))).min(self.longest);
        // Randomly keyed hashers are the standard library's only source of randomness; this needs no better one.
        let random = RandomState::new().hash_one(failed) as u32;
        full / 2 + full.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
    }
}

/// When the server wants to be asked again, if its answer says so: in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u32>() {
        Ok(seconds) => now.checked_add(SignedDuration::from_secs(seconds.into())).ok(),
        Err(_) => rfc2822::DateTimeParser::new().parse_timestamp(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = Retry { attempts: 9, first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        for (failed, full) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            let wait = retry.wait(failed).as_millis();
            assert!((full / 2..=full).contains(&wait), "after {failed}: {wait}");
        }
    }

    #[test]
    fn a_pause_is_read_in_seconds_and_as_a_date() {
        let now: Timestamp = "2024-05-01T10:00:00Z".parse().unwrap();
        for (text, until) in [
            ("0", Some("2024-05-01T10:00:00Z")),
            (" 120 ", Some("2024-05-01T10:02:00Z")),
            ("Wed, 01 May 2024 10:30:00 GMT", Some("2024-05-01T10:30:00Z")),
            ("-5", None),
            ("soon", None),
            ("99999999999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), until.map(|t| t.parse().unwrap()), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}

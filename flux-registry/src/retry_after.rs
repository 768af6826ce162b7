//! When a server that asked for a pause may be asked again.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Returns when the server wants to be asked again, if its answer says so.
///
/// It says it in seconds or as a date.
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

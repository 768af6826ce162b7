//! Freeze windows: times in which nothing is released, in the form that Argo CD's users know.
//!
//! A window is a cron schedule, `for` how long, and a time zone: `0 16 * * 5 for 64h Europe/Berlin`
//! is closed every Friday from four in the afternoon, Berlin time, for 64 hours. Several are
//! separated by `;`. Without a time zone it is UTC.
//!
//! Over a change of daylight saving time: a window starts when the clock on the wall shows the time
//! of its schedule; if the clock skips that time, when it skips it; if it shows it twice, the first
//! time. The duration is time that passes, so a window of 24 hours that starts before the clock is
//! put back ends an hour earlier by the wall.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};

use super::{age::parse_duration, cron::Cron};

/// Windows in which nothing is released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    windows: Vec<Window>,
}

#[derive(Clone, Debug)]
struct Window {
    text: String,
    cron: Cron,
    duration: SignedDuration,
    zone: TimeZone,
}

/// Windows are equal when their texts are.
impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Window {}

/// That nothing is released now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frozen {
    /// The window, as written.
    pub window: String,
    /// When releases are open again, overlapping and adjoining windows taken together.
    ///
    /// `None` if that is too far off to be found: some 4,000 windows follow each other without a
    /// gap.
    pub opens: Option<Timestamp>,
}

/// The longest window, in hours.
const LONGEST: i64 = 366 * 24;

/// How many windows are followed before it counts as never opening.
const MOST_WINDOWS: usize = 4_096;

impl Freeze {
    /// Reads windows separated by `;`.
    ///
    /// ```
    /// # use flux_core::policy::Freeze;
    /// let weekend = Freeze::parse("0 16 * * 5 for 64h Europe/Berlin")?;
    /// let frozen = weekend.frozen("2026-11-21T12:00:00Z".parse().unwrap()).unwrap();
    /// assert_eq!(frozen.opens, Some("2026-11-23T07:00:00Z".parse().unwrap()));
    /// assert_eq!(weekend.frozen("2026-11-23T07:00:00Z".parse().unwrap()), None);
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// The problem, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let windows = text.split(';').map(Window::parse).collect::<Result<_, _>>()?;
        Ok(Self { windows })
    }

    /// Returns the window in which nothing is released at `now`, with the time when it opens.
    ///
    /// The window that closes last is named.
    pub fn frozen(&self, now: Timestamp) -> Option<Frozen> {
        let (mut end, window) = self.end(now)?;
        let frozen = |opens| Some(Frozen { window: window.text.clone(), opens });
        for _ in 0..MOST_WINDOWS {
            match self.end(end) {
                Some((later, _)) if later < Timestamp::MAX => end = later,
                Some(_) => return frozen(None),
                None => return frozen(Some(end)),
            }
        }
        frozen(None)
    }

    /// Returns the last end of the windows that are closed at a time.
    fn end(&self, at: Timestamp) -> Option<(Timestamp, &Window)> {
        // Of equal ends the window that is written first is named.
        self.windows.iter().rev().filter_map(|w| Some((w.end(at)?, w))).max_by_key(|(end, _)| *end)
    }
}

impl Window {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let words: Vec<&str> = text.split_whitespace().collect();
        let (fields, duration, zone) = match words[..] {
            [minute, hour, day, month, weekday, "for", duration, ref rest @ ..] if rest.len() < 2 => {
                ([minute, hour, day, month, weekday], duration, rest.first().copied())
            }
            _ => {
                return Err(format!(
                    "`{text}` is no window: write one as `0 16 * * 5 for 64h Europe/Berlin`"
                ));
            }
        };
        let cron = Cron::parse(fields)?;
        let duration = parse_duration(duration)
            .filter(|d| *d > SignedDuration::ZERO && *d <= SignedDuration::from_hours(LONGEST))
            .ok_or_else(|| {
                format!("`{duration}` is no duration of a window: write 90m, 64h, 2d, up to 366d")
            })?;
        let zone = match zone {
            None => TimeZone::UTC,
            // The database that is part of the program: the same input gives the same answer on
            // every machine.
            Some(name) => TimeZoneDatabase::bundled().get(name).map_err(|_| {
                format!("`{name}` is no time zone: write one as Europe/Berlin, or leave it out for UTC")
            })?,
        };
        Ok(Self { text: text.to_owned(), cron, duration, zone })
    }

    /// When this window ends, if it is closed at a time.
    fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let end = self.last_start(at)?.saturating_add(self.duration).unwrap_or(Timestamp::MAX);
        (end > at).then_some(end)
    }

    /// Returns the last start at or before a time, if it is not too long ago to matter.
    fn last_start(&self, at: Timestamp) -> Option<Timestamp> {
        let wall = self.zone.to_datetime(at);
        // A clock that was put back shows earlier times than it did; none was ever put back by more
        // than a day.
        let latest = wall.saturating_add(SignedDuration::from_hours(25));
        let earliest = wall.saturating_sub(self.duration).saturating_sub(SignedDuration::from_hours(25));
        let mut date = latest.date();
        while date >= earliest.date() {
            if self.cron.on(date)
                && let Some(start) = self.last_start_on(date, at, latest)
            {
                return Some(start);
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    fn last_start_on(&self, date: Date, at: Timestamp, latest: DateTime) -> Option<Timestamp> {
        let times = self.cron.times().map(|(hour, minute)| date.at(hour, minute, 0, 0));
        times
            .filter(|time| *time <= latest)
            .filter_map(|time| self.first_shown(time))
            .find(|start| *start <= at)
    }

    /// When the clock on the wall shows a time first, or skips it.
    fn first_shown(&self, time: DateTime) -> Option<Timestamp> {
        let shown = self.zone.to_ambiguous_timestamp(time);
        match shown.offset() {
            AmbiguousOffset::Unambiguous { .. } => shown.compatible().ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                let past = before.to_timestamp(time).ok()?;
                let second = SignedDuration::from_secs(1);
                let skip = self.zone.preceding(past.saturating_add(second).ok()?).next()?;
                Some(skip.timestamp())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Windows, a time, when it opens; `None` if it is open.
    const TABLE: &[(&str, &str, Option<&str>)] = &[
        // A weekend, in winter and in summer.
        ("0 16 * * 5 for 64h Europe/Berlin", "2026-11-20T14:59:59Z", None),
        ("0 16 * * 5 for 64h Europe/Berlin", "2026-11-20T15:00:00Z", Some("2026-11-23T07:00:00Z")),
        ("0 16 * * 5 for 64h Europe/Berlin", "2026-11-23T06:59:59Z", Some("2026-11-23T07:00:00Z")),
        ("0 16 * * 5 for 64h Europe/Berlin", "2026-11-23T07:00:00Z", None),
        ("0 16 * * 5 for 64h Europe/Berlin", "2026-07-03T13:59:59Z", None),
        ("0 16 * * FRI for 64h Europe/Berlin", "2026-07-03T14:00:00Z", Some("2026-07-06T06:00:00Z")),
        // The clock is put back on 25 October, and forward on 29 March: hours pass as they do.
        ("0 16 * * 5 for 64h Europe/Berlin", "2026-10-24T00:00:00Z", Some("2026-10-26T06:00:00Z")),
        ("0 16 * * 5 for 64h Europe/Berlin", "2026-03-28T00:00:00Z", Some("2026-03-30T07:00:00Z")),
        // 02:30 is skipped on 29 March: it starts at 03:00 summer time, 01:00 UTC.
        ("30 2 * * * for 1h Europe/Berlin", "2026-03-29T00:59:59Z", None),
        ("30 2 * * * for 1h Europe/Berlin", "2026-03-29T01:00:00Z", Some("2026-03-29T02:00:00Z")),
        ("0 2 * * * for 1h Europe/Berlin", "2026-03-29T01:00:00Z", Some("2026-03-29T02:00:00Z")),
        // It is shown twice on 25 October: it starts the first time, 00:30 UTC.
        ("30 2 * * * for 1h Europe/Berlin", "2026-10-25T00:30:00Z", Some("2026-10-25T01:30:00Z")),
        ("30 2 * * * for 1h Europe/Berlin", "2026-10-25T01:30:00Z", None),
        ("0 3 * * * for 1h Europe/Berlin", "2026-10-25T02:00:00Z", Some("2026-10-25T03:00:00Z")),
        ("55 2 * * * for 90m Europe/Berlin", "2026-10-25T01:10:00Z", Some("2026-10-25T02:25:00Z")),
        // UTC without a zone, and odd zones.
        ("0 0 * * * for 1h", "2026-11-20T00:30:00Z", Some("2026-11-20T01:00:00Z")),
        ("0 0 * * * for 1h Asia/Kathmandu", "2026-11-19T18:15:00Z", Some("2026-11-19T19:15:00Z")),
        ("0 0 * * * for 1h UTC", "2026-11-20T01:00:00Z", None),
        // Overlapping and adjoining windows open together.
        ("0 10 * * * for 2h; 0 11 * * * for 3h", "2026-11-20T10:30:00Z", Some("2026-11-20T14:00:00Z")),
        ("0 10 * * * for 2h;0 12 * * * for 1h", "2026-11-20T10:30:00Z", Some("2026-11-20T13:00:00Z")),
        ("0 10 * * * for 2h;1 12 * * * for 1h", "2026-11-20T10:30:00Z", Some("2026-11-20T12:00:00Z")),
        ("0 0 * * 5 for 36h; 0 0 * * 6 for 1d", "2026-11-20T01:00:00Z", Some("2026-11-22T00:00:00Z")),
        // Once a year, and at the year's end.
        ("0 0 24 12 * for 10d", "2027-01-02T23:59:59Z", Some("2027-01-03T00:00:00Z")),
        ("0 0 24 12 * for 10d", "2026-12-23T23:59:59Z", None),
        ("0 0 29 2 * for 24h", "2028-02-29T12:00:00Z", Some("2028-03-01T00:00:00Z")),
        ("0 0 1 * * for 31d", "2026-02-20T00:00:00Z", Some("2026-03-04T00:00:00Z")),
    ];

    #[test]
    fn windows_close_and_open_by_the_clock_on_the_wall() {
        // February's window of 31 days runs into March's.
        let table = TABLE.iter().filter(|(text, ..)| !text.contains("31d"));
        for (text, now, opens) in table {
            let frozen = Freeze::parse(text).unwrap().frozen(at(now));
            assert_eq!(frozen.map(|f| f.opens), opens.map(|o| Some(at(o))), "{text} {now}");
        }
    }

    #[test]
    fn what_never_opens_says_so() {
        for text in ["* * * * * for 1m", "0 0 * * * for 24h", "0 0 1 * * for 31d", "0 * * * * for 366d"] {
            let frozen = Freeze::parse(text).unwrap().frozen(at("2026-02-20T00:00:00Z")).unwrap();
            assert_eq!((frozen.window.as_str(), frozen.opens), (text, None));
        }
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            ";",
            "0 16 * * 5",
            "0 16 * * 5 for",
            "0 16 * * for 64h",
            "0 16 * * 5 64h",
            "0 16 * * 5 for 64h Mars/Olympus",
            "0 16 * * 5 for 0s",
            "0 16 * * 5 for -1h",
            "0 16 * * 5 for 367d",
            "0 16 * * 5 for 64",
            "0 16 * * 9 for 64h",
            "0 16 * * 5 for 64h UTC x",
            "0 16 * * 5 for 64h;",
        ] {
            assert!(Freeze::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_closed_until_it_opens(minute in 0..60_u8, hour in 0..24_u8, weekday in 0..8_u8, hours in 1..80_i64, now in 1_770_000_000..1_810_000_000_i64, probe in 0.0..1.0_f64) {
            let freeze = Freeze::parse(&format!("{minute} {hour} * * {weekday} for {hours}h America/New_York")).unwrap();
            let now = Timestamp::from_second(now).unwrap();
            if let Some(Frozen { opens: Some(opens), .. }) = freeze.frozen(now) {
                prop_assert!(opens > now && opens.duration_since(now) <= SignedDuration::from_hours(hours));
                prop_assert_eq!(freeze.frozen(opens), None);
                let between = now + opens.duration_since(now).mul_f64(probe * 0.999);
                prop_assert_eq!(freeze.frozen(between).and_then(|f| f.opens), Some(opens));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", now in -1_000_000_000_000_i64..100_000_000_000) {
            if let (Ok(freeze), Ok(now)) = (Freeze::parse(&text), Timestamp::from_second(now)) {
                let _ = freeze.frozen(now);
            }
        }
    }
}

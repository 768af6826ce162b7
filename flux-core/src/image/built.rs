//! Build dates: which of the dates that an image carries is believed, and why others are not.
//!
//! This is the one place with that rule. Publishers choose these dates, and tools write dates that
//! say nothing.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ImageInfo;

/// The labels that say when an image was built, the one that counts first: of the [OCI image
/// specification], and of [Label Schema], which came before it.
///
/// [OCI image specification]: https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
///
/// [Label Schema]: http://label-schema.org/rc1/
const LABELS: [&str; 2] = ["org.opencontainers.image.created", "org.label-schema.build-date"];

/// The first day on which an image could be pushed: Docker 0.1.0, its first public release and the
/// first with a registry, is of 2013-03-23 ([changelog]).
///
/// [changelog]: https://github.com/moby/moby/blob/005a5428ee1b3f7f2efca2d761f27bd168356fa1/CHANGELOG.md
const FIRST_IMAGE: i64 = 1_363_996_800;

/// The times that build tools write where they know none, or want none: seconds of the first and
/// the last, with a slack for time zones and toolchains that shift them.
///
/// - The year 1 is the zero of Go's `time.Time`.
/// - 1970 is the Unix epoch, as of `SOURCE_DATE_EPOCH=0`; a few seconds after it is Jib's.
/// - 1980-01-01 is the first date that ZIP archives can hold; Cloud Native Buildpacks and Nix write
///   it.
const PLACEHOLDERS: [(i64, i64); 3] =
    [(i64::MIN, -62_135_596_800 + YEAR), (-DAY, YEAR), (315_532_800 - DAY, 315_532_800 + DAY)];

const DAY: i64 = 24 * 3600;
const YEAR: i64 = 366 * DAY;

/// The reason that the build date of an image is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UntrustedDate {
    /// The image carries no date.
    Missing,
    /// The date is one that build tools write where they know none: of the years 1, 1970 or 1980.
    Placeholder,
    /// The date is before there were registries.
    BeforeRegistries,
    /// The date has not come yet.
    Future,
}

impl fmt::Display for UntrustedDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it carries no date",
            Self::Placeholder => "its date is a placeholder of build tools",
            Self::BeforeRegistries => "its date is before there were registries",
            Self::Future => "its date is in the future",
        })
    }
}

/// Which date of an image counts first.
///
/// The other one counts where the first is not believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DatePreference {
    /// The one of its configuration.
    #[default]
    Configuration,
    /// The ones of its labels, as Flux v1's `--registry-use-labels` asks for.
    Labels,
}

/// How build dates are read: which one counts first, and what time it is.
///
/// ```
/// use flux_core::image::{Dates, ImageInfo, UntrustedDate};
///
/// let dates = Dates::at("2026-11-21T12:00:00Z".parse()?);
/// let built = |created: &str| -> Result<_, jiff::Error> {
///     let created = Some(created.parse()?);
///     Ok(dates.built(&ImageInfo { created, ..ImageInfo::default() }))
/// };
/// assert!(built("2026-11-20T08:00:00Z")?.is_ok());
/// assert_eq!(built("1980-01-01T00:00:01Z")?, Err(UntrustedDate::Placeholder));
/// assert_eq!(built("2027-01-01T00:00:00Z")?, Err(UntrustedDate::Future));
/// # Ok::<(), jiff::Error>(())
/// ```
///
/// Exhaustive: callers make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// Which date counts first.
    pub prefer: DatePreference,
    /// The time; no image was built after it.
    pub now: Timestamp,
}

impl Dates {
    /// Reads dates at a time, those of configurations first.
    pub fn at(now: Timestamp) -> Self {
        Self { prefer: DatePreference::default(), now }
    }

    /// Returns when an image was built.
    ///
    /// # Errors
    /// [`UntrustedDate`] if none of its dates is believed: the reason is that of the date which
    /// counts first.
    pub fn built(&self, image: &ImageInfo) -> Result<Timestamp, UntrustedDate> {
        let labels = LABELS.iter().filter_map(|label| image.labels.get(*label)?.trim().parse().ok());
        let (configuration, labels) = (image.created.into_iter(), labels);
        let dates: Vec<Timestamp> = match self.prefer {
            DatePreference::Configuration => configuration.chain(labels).collect(),
            DatePreference::Labels => labels.chain(configuration).collect(),
        };
        let mut judged = dates.into_iter().map(|date| self.believe(date));
        let first = judged.next().unwrap_or(Err(UntrustedDate::Missing));
        first.or_else(|why| judged.find_map(Result::ok).ok_or(why))
    }

    /// Returns a date if an image may have been built then.
    fn believe(&self, date: Timestamp) -> Result<Timestamp, UntrustedDate> {
        let second = date.as_second();
        if PLACEHOLDERS.iter().any(|(first, last)| (*first..=*last).contains(&second)) {
            Err(UntrustedDate::Placeholder)
        } else if second < FIRST_IMAGE {
            Err(UntrustedDate::BeforeRegistries)
        } else if date > self.now {
            Err(UntrustedDate::Future)
        } else {
            Ok(date)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn built(created: Option<&str>, labels: [Option<&str>; 2], prefer: DatePreference) -> String {
        let labels = LABELS.iter().zip(labels);
        let image = ImageInfo {
            created: created.map(|date| date.parse().unwrap()),
            labels: labels
                .filter_map(|(label, date)| Some(((*label).to_owned(), date?.to_owned())))
                .collect(),
            ..ImageInfo::default()
        };
        match (Dates { prefer, now: NOW.parse().unwrap() }).built(&image) {
            Ok(date) => date.to_string(),
            Err(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn a_date_is_believed_if_an_image_may_have_been_built_then() {
        for (date, expected) in [
            ("0001-01-01T00:00:00Z", "Placeholder"),
            ("1969-12-31T23:00:00Z", "Placeholder"),
            ("1970-01-01T00:00:00Z", "Placeholder"),
            ("1970-01-01T00:00:01Z", "Placeholder"),
            ("1980-01-01T00:00:01Z", "Placeholder"),
            ("1979-12-31T23:00:00Z", "Placeholder"),
            ("1985-01-01T00:00:00Z", "BeforeRegistries"),
            ("2013-03-22T23:59:59Z", "BeforeRegistries"),
            ("2013-03-23T00:00:00Z", "2013-03-23T00:00:00Z"),
            ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"),
            ("2026-11-21T12:00:01Z", "Future"),
            ("9999-01-01T00:00:00Z", "Future"),
        ] {
            assert_eq!(built(Some(date), [None; 2], DatePreference::Configuration), expected, "{date}");
        }
        assert_eq!(built(None, [None; 2], DatePreference::Configuration), "Missing");
        assert_eq!(FIRST_IMAGE, "2013-03-23T00:00:00Z".parse::<Timestamp>().unwrap().as_second());
    }

    #[test]
    fn the_date_that_counts_first_is_the_one_that_is_asked_for() {
        let (a, b, c) = ("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
        let (epoch, later) = ("1970-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
        use DatePreference::{Configuration, Labels};
        for (created, labels, prefer, expected) in [
            (Some(a), [Some(b), Some(c)], Configuration, a),
            (Some(a), [Some(b), Some(c)], Labels, b),
            (Some(a), [None, Some(c)], Labels, c),
            (Some(a), [None, None], Labels, a),
            (None, [Some(b), Some(c)], Configuration, b),
            (Some(epoch), [Some("yesterday"), Some(c)], Configuration, c),
            (Some(a), [Some("yesterday"), None], Labels, a),
            (Some(a), [Some(later), None], Labels, a),
            (Some(later), [Some(epoch), None], Configuration, "Future"),
            (Some(later), [Some(epoch), None], Labels, "Placeholder"),
        ] {
            assert_eq!(built(created, labels, prefer), expected, "{created:?} {labels:?} {prefer:?}");
        }
    }
}

//! Platforms that an image must have been built for.

use crate::image::{InvalidImage, Platform};

/// Reads a comma-separated list of platforms, `linux/amd64,linux/arm64`.
///
/// # Errors
/// [`InvalidImage`] for an element that is no platform, and for an empty list.
pub fn parse_platforms(text: &str) -> Result<Vec<Platform>, InvalidImage> {
    text.split(',').map(|one| one.trim().parse()).collect()
}

/// Returns the wanted platforms that are not among those had.
///
/// One without a variant is had with any variant.
pub(crate) fn lacking<'a>(wanted: &'a [Platform], had: &[Platform]) -> Vec<&'a Platform> {
    let serves = |w: &Platform, h: &Platform| {
        w.os == h.os && w.architecture == h.architecture && (w.variant.is_none() || w.variant == h.variant)
    };
    wanted.iter().filter(|w| !had.iter().any(|h| serves(w, h))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_wanted_must_be_had() {
        let table = [
            ("linux/amd64", "linux/amd64,linux/arm64", ""),
            ("linux/amd64,linux/arm64", "linux/amd64", "linux/arm64"),
            ("linux/arm64", "linux/arm64/v8", ""),
            ("linux/arm/v7", "linux/arm/v6,linux/arm", "linux/arm/v7"),
            ("linux/arm/v7", "linux/arm/v7", ""),
            ("windows/amd64", "linux/amd64", "windows/amd64"),
        ];
        for (wanted, had, missing) in table {
            let (wanted, had) = (parse_platforms(wanted).unwrap(), parse_platforms(had).unwrap());
            let lacking: Vec<String> = lacking(&wanted, &had).iter().map(ToString::to_string).collect();
            assert_eq!(lacking.join(","), missing);
        }
        for text in ["", "linux", "linux/amd64,", "linux/", "linux/amd64/v1/x"] {
            assert!(parse_platforms(text).is_err(), "{text}");
        }
    }
}

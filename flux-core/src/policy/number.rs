//! Whole numbers of any length, compared exactly.
//!
//! Build numbers, calendar dates and nanosecond stamps outgrow 64 bits and lose digits as floats;
//! here they stay digits.

use std::{borrow::Cow, cmp::Ordering};

/// A whole number, as its digits without leading zeros (zero is no digits).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number<'a>(Cow<'a, str>);

impl<'a> Number<'a> {
    pub(super) const ZERO: Self = Self(Cow::Borrowed(""));

    /// Reads ASCII digits; `None` for anything else and for no digits.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let ok = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        ok.then(|| Self(Cow::Borrowed(text.trim_start_matches('0'))))
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_owned(self) -> Number<'static> {
        Number(Cow::Owned(self.0.into_owned()))
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_digits_are_numbers() {
        for text in ["", "-1", "+1", "1.0", "1e5", "0x1", "1_000", "NaN", "inf", "١", " 1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(Number::parse("007"), Number::parse("7"));
        assert_eq!(Number::parse("000"), Some(Number::ZERO));
    }

    proptest! {
        #[test]
        fn numbers_compare_as_integers(a: u128, b: u128, zeros in 0..4_usize) {
            let (x, y) = (format!("{}{a}", "0".repeat(zeros)), b.to_string());
            prop_assert_eq!(Number::parse(&x).cmp(&Number::parse(&y)), a.cmp(&b));
        }
    }
}

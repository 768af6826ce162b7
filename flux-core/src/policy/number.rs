//! Whole numbers of any length, compared exactly.
//!
//! Build numbers, calendar dates and nanosecond stamps outgrow 64 bits and lose digits as floats;
//! here none of their digits is lost.

use std::{borrow::Cow, cmp::Ordering};

/// A whole number.
///
/// One that fits is kept as a `u64`: nearly all do, and most are compared many times.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Number<'a> {
    /// A number of up to 64 bits.
    Small(u64),
    /// A greater one, as its digits without leading zeros.
    Large(Cow<'a, str>),
}

impl<'a> Number<'a> {
    pub(super) const ZERO: Self = Self::Small(0);

    /// Reads ASCII digits; `None` for anything else and for no digits.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let mut small = Some(0_u64);
        for byte in text.bytes() {
            let digit = u64::from(byte.wrapping_sub(b'0'));
            if digit > 9 {
                return None;
            }
            small = small.and_then(|n| n.checked_mul(10)?.checked_add(digit));
        }
        Some(small.map_or_else(|| Self::Large(Cow::Borrowed(text.trim_start_matches('0'))), Self::Small))
    }

    pub(super) fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    pub(super) fn into_owned(self) -> Number<'static> {
        match self {
            Self::Small(n) => Number::Small(n),
            Self::Large(digits) => Number::Large(Cow::Owned(digits.into_owned())),
        }
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Small(a), Self::Small(b)) => a.cmp(b),
            (Self::Small(_), Self::Large(_)) => Ordering::Less,
            (Self::Large(_), Self::Small(_)) => Ordering::Greater,
            (Self::Large(a), Self::Large(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        }
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

        #[test]
        fn numbers_around_64_bits_compare_as_integers(a in 0..40_u128, b in 0..40_u128) {
            let around = u128::from(u64::MAX) - 20;
            let (x, y) = ((around + a).to_string(), format!("0{}", around + b));
            prop_assert_eq!(Number::parse(&x).cmp(&Number::parse(&y)), a.cmp(&b));
            prop_assert_eq!(Number::parse(&x) == Number::parse(&y), a == b);
        }
    }
}

//! The identity of a plan.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The identity of a plan: the SHA-256, in hex, of its inputs and its edits.
///
/// Equal inputs give equal ids. Only the planner makes new ones; a stored id is read back by
/// parsing it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanId(String);

/// Why a text is no [`PlanId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the id of a plan: that is 64 hexadecimal digits in lower case")]
#[non_exhaustive]
pub struct InvalidPlanId {
    /// The text.
    pub text: String,
}

impl PlanId {
    /// The length of an id, in characters.
    const LENGTH: usize = 64;

    /// Makes the id of a hash.
    pub(crate) fn of_hash(hash: impl AsRef<[u8]>) -> Self {
        Self(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PlanId {
    type Err = InvalidPlanId;

    fn from_str(text: &str) -> Result<Self, InvalidPlanId> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == Self::LENGTH && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPlanId { text: text.to_owned() })
        }
    }
}

impl TryFrom<String> for PlanId {
    type Error = InvalidPlanId;

    fn try_from(text: String) -> Result<Self, InvalidPlanId> {
        text.parse()
    }
}

impl From<PlanId> for String {
    fn from(id: PlanId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_nothing_else_is() {
        let id = PlanId::of_hash([7; 32]);
        assert_eq!(id.to_string(), "07".repeat(32));
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        assert_eq!(serde_json::from_value::<PlanId>(id.to_string().into()).unwrap(), id);
        for text in ["", "07", &"0g".repeat(32), &"0A".repeat(32), &"07".repeat(33)] {
            assert!(text.parse::<PlanId>().is_err(), "{text}");
            assert!(serde_json::from_value::<PlanId>(text.into()).is_err(), "{text}");
        }
    }
}

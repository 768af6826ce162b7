//! [`Revision`] and [`ContentId`]: names that a repository gives, opaque to everyone else.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the full name as the repository writes it.
            ///
            /// It is not checked here: the repository reports a name that it does not have.
            pub fn new(name: impl fmt::Display) -> Self {
                Self(name.to_string().into())
            }

            /// Returns the name as the repository writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

opaque! {
    /// A revision of the repository: for git, the full hex id of a commit.
    ///
    /// Only the repository that gave it can read it.
    Revision
}

opaque! {
    /// The address of a file's content: for git, the blob's id.
    ///
    /// Equal ids have equal bytes.
    ContentId
}

impl Revision {
    /// Returns the first seven characters, as people quote revisions.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

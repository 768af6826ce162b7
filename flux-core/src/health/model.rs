//! The health of an object: its status, and the evidence for it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The health of an object in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// The status.
    pub status: HealthStatus,
    /// The reason in one sentence, for people.
    ///
    /// It holds no secret.
    pub message: String,
    /// The facts behind it; also those that people should know of an object that is `Current`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// The status of an object, in the words of kstatus.
///
/// Exhaustive: kstatus has these six, and whoever waits must know each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HealthStatus {
    /// The cluster is as the object says.
    Current,
    /// A controller is at it, or has not begun.
    InProgress,
    /// It has failed, and will not become current by itself.
    Failed,
    /// It is being deleted.
    Terminating,
    /// It is not in the cluster.
    NotFound,
    /// Nothing can be said: it could not be seen.
    Unknown,
}

impl HealthStatus {
    /// Returns the status as it stands in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One fact about the health of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The kind of fact, as a stable code.
    pub code: EvidenceCode,
    /// Its subject if that is not the object itself, as in `pod web-1, container web`; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The fact, for people.
    ///
    /// It holds no secret.
    pub message: String,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject.as_str() {
            "" => write!(f, "{}: {}", self.code, self.message),
            subject => write!(f, "{}: {subject}: {}", self.code, self.message),
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The kinds of evidence: stable codes in lower-case kebab form.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum EvidenceCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl EvidenceCode {
            /// All codes, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the code as it stands in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// An image cannot be pulled.
    ImagePull = "image-pull";
    /// A container ends again and again, or ended with a failure.
    CrashLoop = "crash-loop";
    /// A container cannot be started: its configuration, its command or a volume.
    CannotStart = "cannot-start";
    /// The scheduler finds no node for a pod.
    Unschedulable = "unschedulable";
    /// A pod was evicted, or failed as a whole.
    PodFailed = "pod-failed";
    /// A container runs and is not ready.
    NotReady = "not-ready";
    /// A deadline has passed: of a rollout, or of a Job.
    DeadlineExceeded = "deadline-exceeded";
    /// Pods cannot be created: a quota or an admission policy refuses them.
    PodsRefused = "pods-refused";
    /// The pods could not be looked at.
    PodsUnseen = "pods-unseen";
    /// Finalizers hold a deletion up.
    Finalizers = "finalizers";
    /// A condition of the object speaks against it.
    Condition = "condition";
    /// Some pods stay as they are: a partition, or `OnDelete`.
    PartialRollout = "partial-rollout";
    /// It is suspended or paused.
    Suspended = "suspended";
    /// An autoscaler does not scale.
    AutoscalerInactive = "autoscaler-inactive";
    /// A disruption budget allows no disruption, so that nodes cannot be drained.
    NoDisruption = "no-disruption";
    /// There is no address, or none yet.
    NoAddress = "no-address";
    /// The sync could not apply it.
    NotApplied = "not-applied";
    /// The cluster has another image than the one that was released.
    OtherImage = "other-image";
}

impl fmt::Display for EvidenceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Health {
    /// Makes a health without evidence.
    pub fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), evidence: Vec::new() }
    }

    pub(crate) fn current(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Current, message)
    }

    pub(crate) fn in_progress(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::InProgress, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Failed, message)
    }

    /// Returns the same with one more fact about the object itself.
    #[must_use]
    pub fn with(self, code: EvidenceCode, message: impl Into<String>) -> Self {
        self.with_all([Evidence { code, subject: String::new(), message: message.into() }])
    }

    /// Returns the same with more facts, each once.
    #[must_use]
    pub fn with_all(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        for one in evidence {
            if !self.evidence.contains(&one) {
                self.evidence.push(one);
            }
        }
        self
    }
}

/// Writes the status and the message; the evidence is left to the reader.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

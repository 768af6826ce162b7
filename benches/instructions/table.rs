//! The table of counts, which is in the repository.

use std::{collections::BTreeMap, fmt, fs, path::Path};

/// The ratio from which on a case fails.
const DOUBLED: f64 = 2.0;
/// The difference from which on the table is to be written anew.
const TOLERANCE: f64 = 0.10;

const HEAD: &str = "\
# Instructions of the loader and the planners, by case, in an optimised build.
# Compared by `cargo bench --bench instructions`, which fails at twice a count.
# Written by `FLUX_INSTRUCTIONS=write cargo bench --bench instructions`.
";

/// Counts of instructions by case.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<String, u64>);

/// A count beside that of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The table does not have the case.
    Unknown,
    /// Within the tolerance.
    Same(f64),
    /// The table is to be written anew.
    Moved(f64),
    /// The guard fails.
    Doubled(f64),
}

impl Table {
    /// Reads a file; one that is not there is an empty table.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let counts = lines.map(|line| {
            let (name, count) = line.rsplit_once(' ').expect("a name and a count in each line of the table");
            (name.trim().to_owned(), count.parse().expect("a count at the end of each line of the table"))
        });
        Self(counts.collect())
    }

    pub(crate) fn write(&self, path: &Path) {
        let lines: String = self.0.iter().map(|(name, count)| format!("{name:<34} {count:>13}\n")).collect();
        fs::write(path, format!("{HEAD}{lines}")).expect("the table is written");
    }

    pub(crate) fn set(&mut self, name: &str, count: u64) {
        self.0.insert(name.to_owned(), count);
    }

    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// Holds a count against the table.
    pub(crate) fn verdict(&self, name: &str, count: u64) -> Verdict {
        let Some(known) = self.get(name) else { return Verdict::Unknown };
        let ratio = count as f64 / known as f64;
        match ratio {
            _ if ratio >= DOUBLED => Verdict::Doubled(ratio),
            _ if (ratio - 1.0).abs() > TOLERANCE => Verdict::Moved(ratio),
            _ => Verdict::Same(ratio),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("      —  the table does not have it"),
            Self::Same(ratio) => write!(f, "{ratio:>7.2}"),
            Self::Moved(ratio) => write!(f, "{ratio:>7.2}  write the table anew"),
            Self::Doubled(ratio) => write!(f, "{ratio:>7.2}  FAILS: twice the instructions or more"),
        }
    }
}

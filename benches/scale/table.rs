//! The rows of the table.

use std::{fmt::Write as _, time::Duration};

/// The fewest objects whose figures say something.
const LEAST: usize = 500;

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// The work that is measured.
    pub(crate) work: &'static str,
    /// The number of objects.
    pub(crate) n: usize,
    pub(crate) wall: Option<Duration>,
    /// User and system.
    pub(crate) cpu: Option<Duration>,
    /// The greatest memory (RSS) in KiB.
    pub(crate) peak: Option<u64>,
    /// The memory (RSS) at the end, in KiB.
    pub(crate) now: Option<u64>,
    /// The requests to the API server, as its audit log has them.
    pub(crate) requests: Option<u64>,
    /// Further facts.
    pub(crate) also: String,
    /// The figures that it is compared with.
    pub(crate) beside: Vec<Beside>,
    /// The limits that are to be kept.
    pub(crate) limits: Vec<Wanted>,
}

/// Something that does the same work.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    pub(crate) what: String,
    /// Its figure divided by ours.
    pub(crate) ratio: Option<f64>,
}

/// A limit, and the figure that is to keep it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) limit: String,
    pub(crate) is_met: bool,
}

impl Row {
    pub(crate) fn new(work: &'static str, n: usize) -> Self {
        Self { work, n, ..Self::default() }
    }

    /// Adds a time of something else, which is compared with ours.
    pub(crate) fn beside(mut self, what: &str, theirs: Duration) -> Self {
        let ratio = self.wall.map(|ours| theirs.as_secs_f64() / ours.as_secs_f64());
        self.beside.push(Beside { what: format!("{what} {}", seconds(theirs)), ratio });
        self
    }

    /// Adds a figure that was measured elsewhere.
    pub(crate) fn recorded(mut self, what: &str) -> Self {
        self.beside.push(Beside { what: what.to_owned(), ratio: None });
        self
    }

    /// Adds a limit that holds for any number of objects that is worth measuring.
    pub(crate) fn wanted(self, limit: &str, is_met: bool) -> Self {
        let n = self.n;
        if n < LEAST { self } else { self.wanted_at(n, limit, is_met) }
    }

    /// Adds a limit, unless it is for another number of objects.
    pub(crate) fn wanted_at(mut self, n: usize, limit: &str, is_met: bool) -> Self {
        if self.n == n {
            self.limits.push(Wanted { limit: limit.to_owned(), is_met });
        }
        self
    }

    /// Returns the line in Markdown.
    pub(crate) fn line(&self) -> String {
        let mut line = String::from("|");
        let none = || "—".to_owned();
        let mut cell = |text: String| {
            let _ = write!(line, " {text} |");
        };
        cell(self.work.to_owned());
        cell(self.n.to_string());
        cell(self.wall.map_or_else(none, seconds));
        cell(self.cpu.map_or_else(none, seconds));
        cell(self.peak.map_or_else(none, mebibytes));
        cell(self.now.map_or_else(none, mebibytes));
        cell(self.requests.map_or_else(none, |requests| requests.to_string()));
        cell(self.also.clone());
        cell(join(self.beside.iter().map(|beside| beside.what.clone())));
        let ratio = |beside: &Beside| beside.ratio.map(|ratio| format!("{ratio:.2}"));
        cell(join(self.beside.iter().filter_map(ratio)));
        cell(join(self.limits.iter().map(|wanted| wanted.limit.clone())));
        cell(join(
            self.limits.iter().map(|wanted| if wanted.is_met { "met".into() } else { "**not**".into() }),
        ));
        line
    }
}

/// Prints the rows as a table in Markdown.
pub(crate) fn print(rows: &[Row]) {
    println!(
        "\n| work | N | wall | CPU | peak MiB | RSS MiB | requests | also | beside | theirs ÷ ours | wanted | |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        println!("{}", row.line());
    }
}

/// Returns a time as people read it.
pub(crate) fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.1 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

/// Returns KiB in MiB.
pub(crate) fn mebibytes(kib: u64) -> String {
    format!("{:.0}", kib as f64 / 1024.0)
}

/// Returns the median of some figures.
pub(crate) fn median<T: Ord + Copy>(figures: impl IntoIterator<Item = T>) -> T {
    let mut figures: Vec<T> = figures.into_iter().collect();
    figures.sort();
    figures[figures.len() / 2]
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join("; ")
}

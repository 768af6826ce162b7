//! The arguments of the bench.

use std::{process::exit, time::Duration};

use crate::Part;

const USAGE: &str = "\
cargo bench --bench scale -- [--sizes N,N] [--rows PART,PART] [--turns N]
cargo bench --bench scale -- --soak MINUTES [--sizes N]

  --sizes  the numbers of objects [default: 1000,10000; of a soak: 10000]
  --rows   of first, daemon, release, applications [default: all]
  --turns  how often each contender has its turn at first syncs [default: 3 up to 2,000 objects, else 1]
  --soak   changes five objects a second, and watches memory and requests

FLUX_BIN names the folder of fluxctl and fluxd; without it they are built.";

/// The work that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    /// `false` under `cargo test`: a small case, and no figures.
    pub(crate) bench: bool,
    pub(crate) sizes: Vec<usize>,
    pub(crate) parts: Vec<Part>,
    pub(crate) turns: Option<usize>,
    pub(crate) soak: Option<Duration>,
}

impl Arguments {
    /// Reads those of this process, and ends it when they cannot be read.
    pub(crate) fn read() -> Self {
        let mut read =
            Self { bench: false, sizes: Vec::new(), parts: Part::ALL.to_vec(), turns: None, soak: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let (flag, value) =
                word.split_once('=').map_or((word.as_str(), None), |(f, v)| (f, Some(v.to_owned())));
            let mut value =
                || value.clone().or_else(|| words.next()).unwrap_or_else(|| refuse("a value is missing"));
            match flag {
                "--bench" => read.bench = true,
                "--sizes" => read.sizes = value().split(',').map(number).collect(),
                "--rows" => read.parts = value().split(',').map(part).collect(),
                "--turns" => read.turns = Some(number(&value())),
                "--soak" => read.soak = Some(Duration::from_secs(60 * number(&value()) as u64)),
                "--help" => refuse("the arguments are:"),
                // `cargo bench FILTER` gives the filter to all benches.
                _ if flag.starts_with('-') => refuse(&format!("there is no {flag}")),
                _ => {}
            }
        }
        if read.sizes.is_empty() {
            read.sizes = if read.soak.is_some() { vec![10_000] } else { vec![1_000, 10_000] };
        }
        read
    }
}

fn number(text: &str) -> usize {
    let number = text.trim().replace('_', "").parse().ok().filter(|number| *number > 0);
    number.unwrap_or_else(|| refuse(&format!("{text} is no number above 0")))
}

fn part(name: &str) -> Part {
    let known = Part::ALL.into_iter().find(|part| part.name() == name.trim());
    known.unwrap_or_else(|| refuse(&format!("there are no rows named {name}")))
}

fn refuse(why: &str) -> ! {
    println!("{why}\n\n{USAGE}");
    exit(2)
}

//! A cache of parsed files that is kept in a file between runs.
//!
//! It has one JSON line for each file of the repository, found by the address of its content. Lines
//! are only appended, in one write each, so that two processes can share the file and a crash
//! leaves at worst a last line that is ignored. When most lines are no longer used, the file is
//! rewritten.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use flux::{
    backend::ContentId,
    deployer::ParseCache,
    manifest::{self, ParsedFile},
};

/// A [`ParseCache`] in a file.
///
/// A file whose entry cannot be read or written is parsed again next time.
#[derive(Debug)]
pub(crate) struct FileParseCache {
    path: PathBuf,
    known: Mutex<Option<HashMap<ContentId, Arc<ParsedFile>>>>,
}

impl FileParseCache {
    /// Returns the cache in a folder; its file is named after the version of the parser.
    pub(crate) fn open(folder: &Path) -> Self {
        let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
        let name = format!("parsed-{version}-{}.jsonl", manifest::PARSE_FORMAT);
        Self { path: folder.join(name), known: Mutex::new(None) }
    }

    fn load(&self) -> HashMap<ContentId, Arc<ParsedFile>> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn with<R>(&self, use_it: impl FnOnce(&mut HashMap<ContentId, Arc<ParsedFile>>) -> R) -> R {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(known.get_or_insert_with(|| self.load()))
    }
}

impl ParseCache for FileParseCache {
    fn get(&self, ids: &[ContentId]) -> Vec<Option<Arc<ParsedFile>>> {
        self.with(|known| {
            let found: Vec<_> = ids.iter().map(|id| known.get(id).cloned()).collect();
            if known.len() > 2 * ids.len() + 1000 {
                let used: HashSet<&ContentId> = ids.iter().collect();
                known.retain(|id, _| used.contains(id));
                let text: String = known.iter().filter_map(line).collect();
                let fresh = self.path.with_extension("new");
                let written = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &self.path));
                if let Err(error) = written {
                    tracing::debug!(%error, "the parse cache cannot be written anew");
                }
            }
            found
        })
    }

    fn put(&self, parsed: &[(ContentId, Arc<ParsedFile>)]) {
        self.with(|known| known.extend(parsed.iter().cloned()));
        let text: String = parsed.iter().filter_map(|(id, file)| line((id, file))).collect();
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            tracing::debug!(%error, "the parse cache cannot be written");
        }
    }
}

fn line(entry: (&ContentId, &Arc<ParsedFile>)) -> Option<String> {
    serde_json::to_string(&entry).ok().map(|line| line + "\n")
}

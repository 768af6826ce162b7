//! A cache of parsed files that is kept in a file between runs.
//!
//! It is a row of records, one for each file of the repository, found by the address of its
//! content:
//!
//! | bytes | |
//! |---|---|
//! | 4 | length of the body, little endian |
//! | 2 | length of the address |
//! | 32 | SHA-256 of the address and the body |
//! | | the address, then the body: a [`ParsedFile`] in MessagePack |
//!
//! When it is opened, only the addresses are read; a body is read, and held against its sum, when
//! it is asked for, so that no damage of the disk ever comes to be an object of a cluster. Records
//! are only appended, in one write each, so that processes share the file. Behind the last record
//! that is whole nothing is believed, and what is put next begins a new file with all that is.
//!
//! The file holds what manifests hold, Secrets too: only its owner may read it.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use flux::{
    backend::ContentId,
    deployer::{MemoryParseCache, ParseCache},
    manifest::{self, ParsedFile},
};
use sha2::{Digest, Sha256};

/// The bytes of a record before its address.
const HEAD: usize = 4 + 2 + SUM;
/// The bytes of a sum.
const SUM: usize = 32;
/// Above this size, in bytes, the file is begun anew with what this process uses.
const MOST_BYTES: u64 = 64 << 20;

/// A [`ParseCache`] in a file.
///
/// A file whose record cannot be read or written is parsed again next time.
#[derive(Debug)]
pub(crate) struct FileParseCache {
    path: PathBuf,
    memory: MemoryParseCache,
    records: Mutex<Records>,
}

/// The records of the file that is open.
#[derive(Debug, Default)]
struct Records {
    file: Option<File>,
    /// The records, by the addresses of their contents.
    known: HashMap<ContentId, Record>,
    /// The end of the last record that is whole.
    end: u64,
    /// The length of the file when it was looked at last.
    length: u64,
    /// `true` if a record was found that is not as it was written.
    is_damaged: bool,
    /// The length with which the file was begun anew last.
    begun_with: u64,
}

/// The place of a record in the file.
#[derive(Clone, Copy, Debug)]
struct Record {
    start: u64,
    id: usize,
    body: usize,
}

impl Record {
    fn len(&self) -> usize {
        HEAD + self.id + self.body
    }

    /// Reads the place of a record from the bytes before its address.
    fn at(start: u64, head: [u8; HEAD]) -> Self {
        let [a, b, c, d, e, f, ..] = head;
        let (body, id) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]));
        Self { start, id: id.into(), body: body as usize }
    }
}

impl FileParseCache {
    /// Returns the cache in a folder; its file is named after the version of the parser.
    pub(crate) fn open(folder: &Path) -> Self {
        let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
        let path = folder.join(format!("parsed-{version}-{}.cache", manifest::PARSE_FORMAT));
        Self { path, memory: MemoryParseCache::default(), records: Mutex::default() }
    }

    /// Reads those of the files that the cache has.
    fn read(&self, ids: &[&ContentId]) -> io::Result<Vec<Option<Arc<ParsedFile>>>> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.see_what_is_new(&self.path)?;
        Ok(ids.iter().map(|id| records.read(id)).collect())
    }

    fn write(&self, parsed: &[(ContentId, Arc<ParsedFile>)]) -> io::Result<()> {
        let new: Vec<u8> = parsed.iter().filter_map(|(id, file)| record(id, file)).flatten().collect();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.see_what_is_new(&self.path)?;
        let is_too_large = records.length > MOST_BYTES.max(2 * records.begun_with);
        if records.is_damaged || records.length > records.end || is_too_large {
            let is_in_use = |id: &ContentId| self.memory.get(std::slice::from_ref(id)) != [None];
            records.begin_anew(&self.path, |id| !is_too_large || is_in_use(id))?;
        }
        let mut file = options().append(true).create(true).open(&self.path)?;
        file.write_all(&new)
    }
}

/// Returns the options with which a file is opened that only its owner may read.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Returns the bytes of a record; `None` if it is too large for one.
fn record(id: &ContentId, file: &ParsedFile) -> Option<Vec<u8>> {
    let body = rmp_serde::to_vec_named(file).ok()?;
    let id = id.as_str().as_bytes();
    let mut bytes = u32::try_from(body.len()).ok()?.to_le_bytes().to_vec();
    bytes.extend(u16::try_from(id.len()).ok()?.to_le_bytes());
    bytes.extend(sum(id, &body));
    bytes.extend(id);
    bytes.extend(body);
    Some(bytes)
}

fn sum(id: &[u8], body: &[u8]) -> [u8; SUM] {
    Sha256::new().chain_update(id).chain_update(body).finalize().into()
}

impl Records {
    /// Reads the addresses of the records that were written since, by whichever process.
    fn see_what_is_new(&mut self, path: &Path) -> io::Result<()> {
        let there = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *self = Self::default();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let metadata = there.metadata()?;
        let is_same = |file: &File| file.metadata().is_ok_and(|open| open.ino() == metadata.ino());
        if !self.file.as_ref().is_some_and(is_same) || metadata.len() < self.end {
            *self = Self { file: Some(there), ..Self::default() };
        }
        self.length = metadata.len();
        let Some(file) = self.file.as_ref().filter(|_| self.length > self.end) else { return Ok(()) };
        let mut reader = BufReader::with_capacity(1 << 16, Tail { file, at: self.end });
        // Another process may be writing the last one.
        while let Some((id, record)) = next_record(&mut reader, self.end, self.length)? {
            self.end += record.len() as u64;
            self.known.insert(id, record);
        }
        Ok(())
    }

    fn read(&mut self, id: &ContentId) -> Option<Arc<ParsedFile>> {
        let record = self.known.get(id)?;
        let mut bytes = vec![0; record.len()];
        self.file.as_ref()?.read_exact_at(&mut bytes, record.start).ok()?;
        let (head, content) = bytes.split_at_checked(HEAD)?;
        let (address, body) = content.split_at_checked(record.id)?;
        let is_sound = head.get(HEAD - SUM..)? == sum(address, body) && address == id.as_str().as_bytes();
        if let Some(file) = is_sound.then(|| rmp_serde::from_slice(body).ok()).flatten() {
            return Some(Arc::new(file));
        }
        tracing::warn!(%id, "a record of the parse cache is damaged; its file is parsed again");
        self.known.remove(id);
        self.is_damaged = true;
        None
    }

    fn copy<'r>(&self, records: impl Iterator<Item = &'r Record>, to: &Path) -> io::Result<()> {
        let mut out = options().write(true).create(true).truncate(true).open(to)?;
        for record in records {
            let mut bytes = vec![0; record.len()];
            if let Some(file) = &self.file {
                file.read_exact_at(&mut bytes, record.start)?;
                out.write_all(&bytes)?;
            }
        }
        Ok(())
    }

    /// Begins a new file with those of the records that are to be kept.
    fn begin_anew(&mut self, path: &Path, keeps: impl Fn(&ContentId) -> bool) -> io::Result<()> {
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let records = self.known.iter().filter(|(id, _)| keeps(id)).map(|(_, record)| record);
        if let Err(error) = self.copy(records, &fresh).and_then(|()| fs::rename(&fresh, path)) {
            // A disk that is full should not be left fuller.
            let _ = fs::remove_file(&fresh);
            return Err(error);
        }
        self.see_what_is_new(path)?;
        self.begun_with = self.length;
        Ok(())
    }
}

/// Reads the address of the next record; `None` if it is not whole.
fn next_record(
    reader: &mut BufReader<Tail<'_>>,
    start: u64,
    length: u64,
) -> io::Result<Option<(ContentId, Record)>> {
    let mut head = [0; HEAD];
    let whole = |read: io::Result<()>| match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        other => other.map(|()| true),
    };
    if !whole(reader.read_exact(&mut head))? {
        return Ok(None);
    }
    let record = Record::at(start, head);
    let mut id = vec![0; record.id];
    if start + record.len() as u64 > length || !whole(reader.read_exact(&mut id))? {
        return Ok(None);
    }
    reader.seek_relative(record.body as i64)?;
    Ok(String::from_utf8(id).ok().map(|id| (ContentId::new(id), record)))
}

/// A file from a place on, whose position other readers do not share.
struct Tail<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl io::Seek for Tail<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.at = match to {
            io::SeekFrom::Start(at) => at,
            io::SeekFrom::Current(by) => self.at.saturating_add_signed(by),
            io::SeekFrom::End(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(self.at)
    }
}

impl ParseCache for FileParseCache {
    fn get(&self, ids: &[ContentId]) -> Vec<Option<Arc<ParsedFile>>> {
        let mut found = self.memory.get(ids);
        let missing: Vec<&ContentId> =
            ids.iter().zip(&found).filter(|(_, file)| file.is_none()).map(|(id, _)| id).collect();
        if missing.is_empty() {
            return found;
        }
        let read = self.read(&missing).unwrap_or_else(|error| {
            tracing::debug!(%error, "the parse cache cannot be read");
            vec![None; missing.len()]
        });
        let read: Vec<_> =
            missing.into_iter().cloned().zip(read).filter_map(|(id, file)| Some((id, file?))).collect();
        self.memory.put(&read);
        let mut read: HashMap<ContentId, Arc<ParsedFile>> = read.into_iter().collect();
        for (id, file) in ids.iter().zip(&mut found).filter(|(_, file)| file.is_none()) {
            *file = read.remove(id);
        }
        found
    }

    fn put(&self, parsed: &[(ContentId, Arc<ParsedFile>)]) {
        self.memory.put(parsed);
        if let Err(error) = self.write(parsed) {
            tracing::debug!(%error, "the parse cache cannot be written");
        }
    }
}

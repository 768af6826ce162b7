//! The cache of parsed files on disk: shared, and never believed without its sum.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use flux::{backend::ContentId, deployer::ParseCache, manifest::ParsedFile, workload};

use crate::cache::FileParseCache;

fn file(n: usize) -> (ContentId, Arc<ParsedFile>) {
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{n}\n  annotations: {{a: b}}\ndata:\n  number: '{n}'\n  kept: 1.10\n"
    );
    (ContentId::new(format!("{n:040x}")), Arc::new(workload::parse(text.as_bytes())))
}

fn ids(files: &[(ContentId, Arc<ParsedFile>)]) -> Vec<ContentId> {
    files.iter().map(|(id, _)| id.clone()).collect()
}

fn path_in(folder: &Path) -> std::path::PathBuf {
    let file = fs::read_dir(folder).expect("the folder is there").next();
    file.expect("a file is in it").expect("it can be read").path()
}

#[test]
fn what_one_process_has_parsed_another_finds_while_both_run() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..20).map(file).collect();
    let (first, second) = (FileParseCache::open(folder.path()), FileParseCache::open(folder.path()));
    assert!(second.get(&ids(&files)).iter().all(Option::is_none));
    first.put(&files[..10]);
    second.put(&files[10..]);
    for cache in [first, second, FileParseCache::open(folder.path())] {
        let found = cache.get(&ids(&files));
        for ((_, file), found) in files.iter().zip(found) {
            assert_eq!(found.as_deref(), Some(&**file));
        }
    }
    let mode = fs::metadata(path_in(folder.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds what Secrets hold");
}

/// Flips one bit of every byte, one after the other: what comes out of the cache is what went in,
/// or nothing.
#[test]
fn a_flipped_bit_is_never_believed() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..3).map(file).collect();
    FileParseCache::open(folder.path()).put(&files);
    let path = path_in(folder.path());
    let sound = fs::read(&path).unwrap();
    let mut lost = 0;
    for at in 0..sound.len() {
        let byte = [sound[at] ^ (1 << (at % 8))];
        fs::write(&path, &sound).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&byte, at as u64).unwrap();
        let cache = FileParseCache::open(folder.path());
        for ((_, file), found) in files.iter().zip(cache.get(&ids(&files))) {
            assert!(found.as_ref().is_none_or(|found| found == file), "byte {at}");
            lost += usize::from(found.is_none());
        }
        // What is parsed again is kept, and what was sound still is.
        cache.put(&files);
        let again = FileParseCache::open(folder.path()).get(&ids(&files));
        assert!(again.iter().zip(&files).all(|(found, (_, file))| found.as_ref() == Some(file)), "byte {at}");
    }
    assert!(lost >= sound.len(), "each flip loses a record at least");
}

#[test]
fn a_record_that_was_not_written_to_its_end_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..3).map(file).collect();
    FileParseCache::open(folder.path()).put(&files);
    let path = path_in(folder.path());
    let sound = fs::read(&path).unwrap();
    for length in [0, 1, 37, 38, 60, sound.len() / 2, sound.len() - 1] {
        fs::write(&path, &sound[..length]).unwrap();
        let cache = FileParseCache::open(folder.path());
        let found = cache.get(&ids(&files));
        assert!(found.last().unwrap().is_none(), "{length} bytes");
        assert!(found.iter().zip(&files).all(|(found, (_, file))| found.as_ref().is_none_or(|f| f == file)));
        cache.put(&files);
        assert!(FileParseCache::open(folder.path()).get(&ids(&files)).iter().all(Option::is_some));
    }
}

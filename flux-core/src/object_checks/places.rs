//! The positions of faults in the text of their file.

use super::fault::{Fault, On, Path, Step};
use crate::{manifest::load, position::Position, yaml::cursor::Cursor};

/// Returns the positions of faults, in their order; `None` for those of an object that the text has
/// not.
///
/// A fault comes with the index of its object among those of the file. Where a part of its path is
/// not in the text, it is at the nearest one around.
pub(super) fn positions(text: &str, faults: &[(usize, &Fault<'_>)]) -> Vec<Option<Position>> {
    let mut found = vec![None; faults.len()];
    load::read(text.as_bytes(), None, &mut |object| {
        for (position, (index, fault)) in found.iter_mut().zip(faults) {
            if *index == object.index {
                *position = Some(locate(&object.at, &fault.path, fault.on));
            }
        }
    });
    found
}

fn locate(object: &Cursor<'_, '_>, path: &Path<'_>, on: On) -> Position {
    let mut at = object.clone();
    for (n, step) in path.0.iter().enumerate() {
        let key = match step {
            Step::Key(key) if on == On::Key && n + 1 == path.0.len() => at.key_position(key),
            _ => None,
        };
        if let Some(key) = key {
            return key;
        }
        let next = match step {
            Step::Key(key) => at.get(key),
            Step::Item(index) => at.items().and_then(|items| items.into_iter().nth(*index)),
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at.position()
}

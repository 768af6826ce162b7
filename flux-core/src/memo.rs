//! [`Memo`]: facts about objects that are read once.

use std::{collections::HashMap, fmt};

use crate::object::Object;

/// Facts about objects, each of which is read once for as long as it is the same object in memory.
///
/// It is asked in rounds: what a round did not ask for is forgotten at its end.
pub(crate) struct Memo<T> {
    /// By the address of the object, which stays taken while it is kept here.
    facts: HashMap<usize, Fact<T>>,
    round: u64,
}

struct Fact<T> {
    object: Object,
    value: T,
    round: u64,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { facts: HashMap::new(), round: 0 }
    }
}

impl<T> fmt::Debug for Memo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("facts", &self.facts.len()).finish_non_exhaustive()
    }
}

impl<T> Memo<T> {
    /// Returns the fact about an object, which `read` finds out.
    pub(crate) fn of(&mut self, object: &Object, read: impl FnOnce(&Object) -> T) -> &T {
        let new = || Fact { object: object.clone(), value: read(object), round: 0 };
        let fact = self.facts.entry(object.address()).or_insert_with(new);
        debug_assert!(fact.object.is_same(object), "an address that is kept is not taken again");
        fact.round = self.round;
        &fact.value
    }

    /// Ends a round.
    pub(crate) fn end_round(&mut self) {
        let round = self.round;
        self.facts.retain(|_, fact| fact.round == round);
        self.round += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_object_is_read_once_while_every_round_asks_for_it() {
        let (a, b) = (Object::from(json!(1)), Object::from(json!(1)));
        let mut memo = Memo::default();
        let mut reads = 0;
        let mut ask = |memo: &mut Memo<u32>, object: &Object| {
            *memo.of(object, |_| {
                reads += 1;
                reads
            })
        };
        assert_eq!([ask(&mut memo, &a), ask(&mut memo, &b), ask(&mut memo, &a)], [1, 2, 1]);
        memo.end_round();
        assert_eq!(ask(&mut memo, &a), 1);
        memo.end_round();
        assert_eq!([ask(&mut memo, &a), ask(&mut memo, &b)], [1, 3], "b was not asked for in a round");
    }
}

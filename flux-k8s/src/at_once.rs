//! Requests that are under way at the same time.

use futures::{Stream, StreamExt as _, stream};

/// How many requests for objects are under way at once.
pub(crate) const AT_ONCE: usize = 16;

/// Carries out futures, up to `n` at once, and gives their results as they come.
///
/// They are collected first: a stream over a borrowing iterator is not `Send` in the eyes of
/// today's compiler.
pub(crate) fn at_once<F: Future>(
    n: usize,
    futures: impl Iterator<Item = F>,
) -> impl Stream<Item = F::Output> {
    stream::iter(futures.collect::<Vec<_>>()).buffer_unordered(n)
}

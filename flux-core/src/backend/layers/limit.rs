//! [`Limit`]: a registry to which only so many calls run at once.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;

use crate::{
    backend::{Images, Observation, Registry, Result, Tags},
    image::{ImageName, Tag},
};

/// A [`Registry`] around another to which at most `calls` calls run at once.
///
/// The others wait in the order in which they came.
#[derive(Debug)]
pub struct Limit<R> {
    inner: R,
    permits: Permits,
}

impl<R> Limit<R> {
    /// Wraps a registry.
    ///
    /// At least one call runs.
    pub fn new(inner: R, calls: usize) -> Self {
        let queue = Queue { free: calls.max(1), next: 0, waiting: VecDeque::new() };
        Self { inner, permits: Permits(Mutex::new(queue)) }
    }

    /// Returns the registry that is wrapped.
    pub fn inner(&self) -> &R {
        &self.inner
    }
}

#[async_trait]
impl<R: Registry> Registry for Limit<R> {
    async fn tags(&self, name: &ImageName) -> Result<Observation<Tags>> {
        let _permit = self.permits.acquire().await;
        self.inner.tags(name).await
    }

    async fn inspect(&self, name: &ImageName, tags: &[Tag]) -> Result<Observation<Images>> {
        let _permit = self.permits.acquire().await;
        self.inner.inspect(name, tags).await
    }
}

/// Permits that are handed out in the order of who asked.
#[derive(Debug)]
struct Permits(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    free: usize,
    /// The next ticket of somebody who waits.
    next: u64,
    /// Tickets, the oldest first, with how to wake their holders.
    waiting: VecDeque<(u64, Waker)>,
}

impl Queue {
    /// Wakes those whose turn it is.
    fn wake(&self) {
        self.waiting.iter().take(self.free).for_each(|(_, waker)| waker.wake_by_ref());
    }
}

impl Permits {
    fn acquire(&self) -> Acquire<'_> {
        Acquire { permits: self, ticket: None }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a permit.
///
/// Dropped, it gives up its place.
struct Acquire<'p> {
    permits: &'p Permits,
    /// `None` before the first poll and once a permit was given.
    ticket: Option<u64>,
}

impl<'p> Future for Acquire<'p> {
    type Output = Permit<'p>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit<'p>> {
        let permits = self.permits;
        let mut queue = permits.queue();
        let ticket = match self.ticket {
            Some(ticket) => ticket,
            None => {
                let ticket = queue.next;
                queue.next += 1;
                queue.waiting.push_back((ticket, context.waker().clone()));
                self.ticket = Some(ticket);
                ticket
            }
        };
        let place = queue.waiting.iter().position(|(other, _)| *other == ticket);
        match place {
            Some(place) if place >= queue.free => {
                queue.waiting[place].1.clone_from(context.waker());
                Poll::Pending
            }
            place => {
                place.map(|place| queue.waiting.remove(place));
                queue.free = queue.free.saturating_sub(1);
                self.ticket = None;
                Poll::Ready(Permit(permits))
            }
        }
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut queue = self.permits.queue();
            queue.waiting.retain(|(other, _)| *other != ticket);
            queue.wake();
        }
    }
}

/// The right to run one call, given back when dropped.
struct Permit<'p>(&'p Permits);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.free += 1;
        queue.wake();
    }
}

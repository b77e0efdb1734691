//! How those who wait learn that an answer may have become another one.

use std::fmt::{self, Debug};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// Tells those who wait that an answer may have become another one: that something was revoked, that a key is distrusted.
///
/// Whoever gives the answers keeps one, tells it of each change **after** that counts, and hands it out:
/// [`RevocationCheck::changes`](super::revocation::RevocationCheck::changes). A connection that is open waits for it, and looks
/// then whether it may stay. It is a hint: what it was not told of is found all the same, by looking every so often.
///
/// Clones are the same. To tell it wakes whoever waits, and allocates nothing for them; those who wait are woken once for all
/// that has happened meanwhile.
///
/// ```
/// use countersign::revocation::{Changes, RevocationCheck, TokenStatus};
/// use countersign::{VerifiedToken, async_trait};
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// /// A switch that logs everybody out.
/// #[derive(Debug, Default)]
/// struct Everybody {
///     out: AtomicBool,
///     changes: Changes,
/// }
///
/// impl Everybody {
///     fn log_out(&self) {
///         self.out.store(true, Ordering::Release);
///         self.changes.tell();
///     }
/// }
///
/// #[async_trait]
/// impl RevocationCheck for Everybody {
///     async fn status(&self, _: &VerifiedToken) -> TokenStatus {
///         if self.out.load(Ordering::Acquire) { TokenStatus::Revoked } else { TokenStatus::Active }
///     }
///     fn changes(&self) -> Option<Changes> {
///         Some(self.changes.clone())
///     }
/// }
///
/// # let everybody = Everybody::default();
/// let changes = everybody.changes().expect("it tells");
/// let before = changes.count();
/// everybody.log_out();
/// assert_ne!(changes.count(), before);
/// ```
#[derive(Clone, Default)]
pub struct Changes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    count: AtomicU64,
    waiting: Mutex<Waiting>,
    /// What this one is made of, if of others. They know it only for as long as somebody has it.
    sources: Vec<Changes>,
}

#[derive(Default)]
struct Waiting {
    /// One for each who waits, kept from one change to the next; none where he has been woken.
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// What is made of this one and others.
    unions: Vec<Weak<Shared>>,
}

impl Changes {
    /// Nothing has changed, and nobody waits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is told when any of these is; `None` where there is none of them. For what is made of several that tell.
    ///
    /// ```
    /// use countersign::revocation::Changes;
    ///
    /// let (one, other) = (Changes::new(), Changes::new());
    /// let any = Changes::any_of([one.clone(), other.clone()]).expect("two");
    /// one.tell();
    /// other.tell();
    /// assert_eq!(any.count(), 2);
    /// assert!(Changes::any_of([]).is_none());
    /// ```
    #[must_use]
    pub fn any_of(sources: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut different: Vec<Self> = Vec::new();
        for source in sources {
            if different.iter().all(|other| !Arc::ptr_eq(&other.0, &source.0)) {
                different.push(source);
            }
        }
        if different.len() < 2 {
            return different.pop();
        }
        let union = Arc::new(Shared { sources: different, ..Shared::default() });
        for source in &union.sources {
            let mut waiting = source.0.waiting();
            waiting.unions.retain(|union| union.strong_count() > 0);
            waiting.unions.push(Arc::downgrade(&union));
        }
        Some(Self(union))
    }

    /// Says that something has changed. Waits for nothing, and may be called from anywhere.
    pub fn tell(&self) {
        let (places, unions) = {
            let waiting = self.0.waiting();
            self.0.count.fetch_add(1, Ordering::Release);
            (waiting.places.len(), waiting.unions.clone())
        };
        for at in 0..places {
            // Woken without the lock: who is woken may ask at once.
            let waker = self.0.waiting().places.get_mut(at).and_then(Option::take);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        unions.iter().filter_map(Weak::upgrade).for_each(|union| Self(union).tell());
    }

    /// How many changes there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    /// Waits until there were not just so many changes, which are those that the caller has heard of, and gives how many there
    /// were.
    pub async fn changed(&self, heard: u64) -> u64 {
        let mut waiter = Waiter { shared: &self.0, place: None };
        poll_fn(|context| waiter.poll(heard, context)).await
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// One who waits, and gives his place back when dropped.
struct Waiter<'c> {
    shared: &'c Shared,
    place: Option<usize>,
}

impl Waiter<'_> {
    fn poll(&mut self, heard: u64, context: &Context<'_>) -> Poll<u64> {
        let mut waiting = self.shared.waiting();
        // With the lock: whoever tells counts first, and finds all who have seen an old count.
        let count = self.shared.count.load(Ordering::Acquire);
        if count != heard {
            return Poll::Ready(count);
        }
        let at = *self.place.get_or_insert_with(|| waiting.take_place());
        let place = waiting.places.get_mut(at);
        let before = place.and_then(|place| match place {
            Some(own) if own.will_wake(context.waker()) => None,
            place => place.replace(context.waker().clone()),
        });
        drop(waiting);
        // Without the lock: with a waker, a task may be dropped that waits.
        drop(before);
        Poll::Pending
    }
}

impl Waiting {
    fn take_place(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        })
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Some(at) = self.place else { return };
        let mut waiting = self.shared.waiting();
        let waker = waiting.places.get_mut(at).and_then(Option::take);
        waiting.free.push(at);
        drop(waiting);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn bell() -> (Arc<Bell>, Waker) {
        let bell = Arc::new(Bell::default());
        (bell.clone(), Waker::from(bell))
    }

    fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn all_who_wait_are_woken_once_and_hear_how_many_changes_there_were() {
        let (changes, (bell, waker)) = (Changes::new(), bell());
        let (mut one, mut other) = (pin!(changes.changed(0)), pin!(changes.changed(0)));
        for _ in 0..2 {
            assert_eq!([poll(one.as_mut(), &waker), poll(other.as_mut(), &waker)], [Poll::Pending; 2]);
        }
        changes.clone().tell();
        changes.tell();
        assert_eq!(bell.0.load(Ordering::Relaxed), 2);
        assert_eq!([poll(one.as_mut(), &waker), poll(other.as_mut(), &waker)], [Poll::Ready(2); 2]);
        assert_eq!(poll(pin!(changes.changed(0)), &waker), Poll::Ready(2), "what was before counts");
        assert_eq!(poll(pin!(changes.changed(2)), &waker), Poll::Pending);
    }

    #[test]
    fn one_who_waits_no_longer_is_not_kept_and_his_place_is_anothers() {
        let (changes, (bell, waker)) = (Changes::new(), bell());
        for round in 0..100 {
            assert_eq!(poll(pin!(changes.changed(round)), &waker), Poll::Pending);
            let mut woken = pin!(changes.changed(round));
            assert_eq!(poll(woken.as_mut(), &waker), Poll::Pending);
            changes.tell();
            assert_eq!(poll(woken, &waker), Poll::Ready(round + 1));
        }
        assert_eq!((Arc::strong_count(&bell), bell.0.load(Ordering::Relaxed)), (2, 100));
        assert_eq!(changes.0.waiting().places.len(), 1);
    }

    #[test]
    fn a_union_hears_of_each_of_its_sources_and_is_forgotten_with_its_last_owner() {
        let sources = [Changes::new(), Changes::new(), Changes::new()];
        let [a, b, c] = sources.clone();
        let inner = Changes::any_of([a.clone(), b.clone()]).expect("two");
        let union = Changes::any_of([inner, c.clone()]).expect("two");
        let (bell, waker) = bell();
        for (nth, source) in (0..).zip(&sources) {
            let mut waiting = pin!(union.changed(nth));
            assert_eq!(poll(waiting.as_mut(), &waker), Poll::Pending);
            source.tell();
            assert_eq!(poll(waiting, &waker), Poll::Ready(nth + 1));
        }
        assert_eq!(bell.0.load(Ordering::Relaxed), 3);
        drop(union);
        for _ in 0..10 {
            assert!(Changes::any_of([a.clone(), b.clone()]).is_some());
        }
        assert_eq!(a.0.waiting().unions.len(), 1);
        let same = Changes::any_of([c.clone(), c.clone()]).expect("one");
        assert!(Arc::ptr_eq(&same.0, &c.0));
    }

    /// Asks again when it is woken, as a task may that runs where it is woken.
    struct Eager(Changes);
    impl Wake for Eager {
        fn wake(self: Arc<Self>) {
            assert_eq!(poll(pin!(self.0.changed(1)), Waker::noop()), Poll::Pending);
            drop(self.0.clone());
        }
    }

    #[test]
    fn who_is_woken_may_ask_at_once() {
        let changes = Changes::new();
        let waker = Waker::from(Arc::new(Eager(changes.clone())));
        let mut waiting = pin!(changes.changed(0));
        assert_eq!(poll(waiting.as_mut(), &waker), Poll::Pending);
        changes.tell();
        assert_eq!(poll(waiting, &waker), Poll::Ready(1));
    }
}

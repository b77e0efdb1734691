//! What happens, told to whoever watches: the seam [`Observer`].

use crate::reason::Reason;
use std::fmt::Debug;
use std::sync::Arc;

/// Something that happened. No text of a request or a token stands in it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A guard found a request's credential good: once for each request and guard that looked.
    Verified,
    /// A guard refused a request.
    Refused {
        /// Why.
        reason: Reason,
        /// What went wrong behind it, where something did: keys that could not be fetched.
        source: Option<&'e (dyn std::error::Error + 'static)>,
    },
    /// The keys of an issuer were fetched and are in use.
    KeysRefreshed {
        /// How many can be used.
        usable: usize,
        /// How many were set aside.
        quarantined: usize,
    },
    /// The keys of an issuer could not be fetched; what was there stays in use as long as it may.
    KeysRefreshFailed {
        /// What went wrong.
        error: &'e (dyn std::error::Error + 'static),
    },
    /// Tokens with unknown key ids did not cause a fetch, because others had just done so. Told each time the count
    /// reaches the alert threshold.
    UnknownKeysThrottled {
        /// How many since the last time.
        count: u64,
    },
    /// A cache store failed; the caller went on as after a miss.
    CacheFailed {
        /// What went wrong.
        error: &'e (dyn std::error::Error + 'static),
    },
}

/// Watches. Called in the middle of a request: it must not block.
///
/// ```
/// use countersign::observe::{Event, Observer};
///
/// #[derive(Debug)]
/// struct ToStderr;
/// impl Observer for ToStderr {
///     fn observe(&self, event: &Event<'_>) {
///         if let Event::Refused { reason, .. } = event {
///             eprintln!("refused: {reason}");
///         }
///     }
/// }
/// ```
pub trait Observer: Debug + Send + Sync + 'static {
    /// Told of each event.
    fn observe(&self, event: &Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _: &Event<'_>) {}
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: Observer + ?Sized> Observer for $pointer<T> {
            fn observe(&self, event: &Event<'_>) {
                (**self).observe(event);
            }
        }
    )*};
}
forward!(Arc, Box);

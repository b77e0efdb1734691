//! Tokens that are no longer good although they verify: the seam [`RevocationCheck`], denylists in memory and in a
//! cache store, and a log that a fleet shares, of tokens and of keys.
//!
//! ```
//! use countersign::VerifiedToken;
//! use countersign::revocation::{MemoryDenylist, RevocationCheck, TokenStatus};
//! use std::time::{Duration, UNIX_EPOCH};
//!
//! let denylist = MemoryDenylist::new();
//! let until = UNIX_EPOCH + Duration::from_secs(4_000_000_000); // when the token would have expired anyway
//! denylist.revoke_token("https://issuer.example/", "t-1", until);
//!
//! let status = |id: &str| {
//!     let claims = serde_json::json!({"iss": "https://issuer.example/", "jti": id, "exp": 4_000_000_000_u32});
//!     denylist.status_now(&VerifiedToken::vouched(&claims).expect("claims"))
//! };
//! assert_eq!(status("t-1"), Some(TokenStatus::Revoked));
//! assert_eq!(status("t-2"), Some(TokenStatus::Active));
//! ```

#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod distrusting;
#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod log;
mod memory;
#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod store;

pub use crate::changes::Changes;
#[cfg(any(feature = "aws-lc", feature = "ring"))]
pub use distrusting::Distrusting;
#[cfg(any(feature = "aws-lc", feature = "ring"))]
pub use log::{RevocationLog, RevocationLogBuilder};
pub use memory::MemoryDenylist;
#[cfg(any(feature = "aws-lc", feature = "ring"))]
pub use store::StoreDenylist;

use crate::claims::NumericDate;
use crate::token::VerifiedToken;
use async_trait::async_trait;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

/// What is known of a verified token. Exhaustive on purpose: a caller that forgets a case must not compile.
///
/// ```
/// use countersign::revocation::TokenStatus;
///
/// /// What a store says that may be out of reach.
/// fn status(found: Result<bool, std::io::Error>) -> TokenStatus {
///     match found {
///         Ok(true) => TokenStatus::Revoked,
///         Ok(false) => TokenStatus::Active,
///         Err(_) => TokenStatus::Unknown, // 503, and never "let it pass"
///     }
/// }
/// # assert_eq!(status(Ok(true)), TokenStatus::Revoked);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum TokenStatus {
    /// It counts.
    Active,
    /// It has been revoked: 401.
    Revoked,
    /// Nobody can tell at the moment: 503.
    Unknown,
}

/// Says whether a verified token still counts. Asked after the signature and the times, before authorization, and
/// for cached verdicts too.
///
/// ```
/// use countersign::revocation::{RevocationCheck, TokenStatus};
/// use countersign::{VerifiedToken, async_trait};
///
/// #[derive(Debug)]
/// struct Sessions;
///
/// #[async_trait]
/// impl RevocationCheck for Sessions {
///     async fn status(&self, token: &VerifiedToken) -> TokenStatus {
///         match is_open(token.issuer(), token.token_id()).await {
///             Ok(true) => TokenStatus::Active,
///             Ok(false) => TokenStatus::Revoked,
///             Err(_) => TokenStatus::Unknown, // 503: nobody can tell
///         }
///     }
/// }
/// # async fn is_open(_: Option<&str>, _: Option<&str>) -> Result<bool, std::io::Error> { Ok(true) }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not know which tokens are revoked",
    note = "use `MemoryDenylist`, `StoreDenylist` or `RevocationLog`, or implement `RevocationCheck`"
)]
pub trait RevocationCheck: Debug + Send + Sync + 'static {
    /// The status, answered from memory without waiting; `None` where [`status`](Self::status) must be asked.
    fn status_now(&self, token: &VerifiedToken) -> Option<TokenStatus> {
        let _ = token;
        None
    }

    /// The status.
    async fn status(&self, token: &VerifiedToken) -> TokenStatus;

    /// What is told when a token that was active may not be so any longer; `None` where nobody tells. Connections that are open
    /// wait for it, and ask then: at most once a second each, all of them at about the same time. So it is for what answers
    /// from memory. Asked once, when a guard is built.
    fn changes(&self) -> Option<Changes> {
        None
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        impl<T: RevocationCheck + ?Sized> RevocationCheck for $pointer<T> {
            fn status_now(&self, token: &VerifiedToken) -> Option<TokenStatus> {
                (**self).status_now(token)
            }

            fn status<'s, 't, 'f>(
                &'s self,
                token: &'t VerifiedToken,
            ) -> Pin<Box<dyn Future<Output = TokenStatus> + Send + 'f>>
            where
                's: 'f,
                't: 'f,
                Self: 'f,
            {
                (**self).status(token)
            }

            fn changes(&self) -> Option<Changes> {
                (**self).changes()
            }
        }
    )*};
}
forward!(Arc, Box);

/// The answer for a token whose subject's tokens are revoked if they were issued before `before`. One that does not say
/// when it was issued may have been.
fn judge(token: &VerifiedToken, before: SystemTime) -> TokenStatus {
    match token.issued_at().and_then(NumericDate::to_system_time) {
        Some(issued_at) if issued_at >= before => TokenStatus::Active,
        _ => TokenStatus::Revoked,
    }
}

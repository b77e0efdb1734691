//! The sessions that are open, in a list that somebody else keeps: a [`RevocationCheck`].

use countersign::revocation::{RevocationCheck, TokenStatus};
use countersign::{VerifiedToken, async_trait};
use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::sync::{PoisonError, RwLock};

/// Lets only those tokens count whose `jti` is on the list of open sessions.
///
/// Unlike a denylist it forgets nothing when it is lost: until the list is loaded, no token is judged.
pub struct SessionList {
    issuer: String,
    open: RwLock<Option<HashSet<String>>>,
}

impl SessionList {
    /// A list of sessions that this issuer opened, not loaded yet. Tokens of other issuers are on no list,
    /// because a `jti` is unique within its issuer only.
    pub fn of(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), open: RwLock::new(None) }
    }

    /// Takes over the whole list; `None` where it is known to be out of date.
    pub fn load(&self, open: Option<HashSet<String>>) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = open;
    }
}

#[async_trait]
impl RevocationCheck for SessionList {
    fn status_now(&self, token: &VerifiedToken) -> Option<TokenStatus> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let own_id = token.token_id().filter(|_| token.issuer() == Some(&self.issuer));
        Some(match (open.as_ref(), own_id) {
            (None, _) => TokenStatus::Unknown,
            (Some(open), Some(id)) if open.contains(id) => TokenStatus::Active,
            (Some(_), _) => TokenStatus::Revoked,
        })
    }

    async fn status(&self, token: &VerifiedToken) -> TokenStatus {
        self.status_now(token).unwrap_or(TokenStatus::Unknown)
    }
}

impl Debug for SessionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionList").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_open_sessions_of_the_issuer_count_and_nothing_is_known_without_the_list() {
        let list = SessionList::of("me");
        let status = |claims| list.status_now(&VerifiedToken::vouched(&claims).expect("claims"));
        let mine = || json!({"iss": "me", "jti": "1"});

        assert_eq!(status(mine()), Some(TokenStatus::Unknown));
        list.load(Some(["1".to_owned()].into()));
        for (claims, expected) in [
            (mine(), TokenStatus::Active),
            (json!({"iss": "me", "jti": "2"}), TokenStatus::Revoked),
            (json!({"iss": "me"}), TokenStatus::Revoked),
            (json!({"iss": "you", "jti": "1"}), TokenStatus::Revoked),
            (json!({"jti": "1"}), TokenStatus::Revoked),
        ] {
            assert_eq!(status(claims.clone()), Some(expected), "{claims}");
        }
        list.load(Some(HashSet::new()));
        assert_eq!(status(mine()), Some(TokenStatus::Revoked));
        list.load(None);
        assert_eq!(status(mine()), Some(TokenStatus::Unknown));
    }
}

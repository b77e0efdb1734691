//! The rules of [`RevocationCheck`].

use super::{CALLERS, PATIENCE};
use countersign::VerifiedToken;
use countersign::revocation::{RevocationCheck, TokenStatus};
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Runs the rules of [`RevocationCheck`] against one that revokes single tokens, by issuer and `jti`. `new` gives a check on
/// which nothing is revoked; `revoke` revokes a token until 2100, and returns when that counts.
///
/// - What was not revoked is active; what was is revoked, each time and for many at once, whatever else its token says.
/// - Another token is not revoked with it: of the same subject, of another issuer with the same `jti`, or one whose issuer and
///   `jti` are the same text when they are put together.
/// - `status_now` says what `status` says, or nothing.
/// - Where it tells of changes, it tells of a revocation when that counts, and by the `Changes` that it handed out before.
///
/// ```
/// use countersign::revocation::MemoryDenylist;
/// use countersign_testkit::conformance;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let revoke = async |list: &MemoryDenylist, issuer: &str, token_id: &str| {
///     list.revoke_token(issuer, token_id, UNIX_EPOCH + Duration::from_secs(4_102_444_800));
/// };
/// conformance::revocation_check(async || MemoryDenylist::new(), revoke).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// Where a rule does not hold.
pub async fn revocation_check<C: RevocationCheck>(new: impl AsyncFn() -> C, revoke: impl AsyncFn(&C, &str, &str)) {
    for (issuer, id) in names() {
        let check = Arc::new(new().await);
        let own = token(&issuer, &id, "7");
        let others = others(&issuer, &id);
        for token in others.iter().chain([&own]) {
            is(&check, token, TokenStatus::Active, "what was not revoked is active").await;
        }
        let told = check.changes().map(|changes| (changes.count(), changes));
        timeout(PATIENCE, revoke(&check, &issuer, &id)).await.expect("a revocation within a minute");
        if let Some((before, changes)) = told {
            assert_ne!(changes.count(), before, "whoever tells of changes tells of a revocation: {issuer:?}, {id:?}");
        }
        for _ in 0..2 {
            is(&check, &own, TokenStatus::Revoked, "what was revoked is revoked").await;
        }
        let same = token(&issuer, &id, "somebody else");
        is(&check, &same, TokenStatus::Revoked, "a token is known by its issuer and its `jti`").await;
        for other in &others {
            is(&check, other, TokenStatus::Active, "another token is not revoked with it").await;
        }
        let mut callers = JoinSet::new();
        for nth in 0..CALLERS {
            let (check, token, expected) = match nth % 2 {
                0 => (Arc::clone(&check), own.clone(), TokenStatus::Revoked),
                _ => (Arc::clone(&check), others[nth % others.len()].clone(), TokenStatus::Active),
            };
            callers.spawn(async move { is(&check, &token, expected, "many at once get their own answers").await });
        }
        callers.join_all().await;
    }
}

/// Runs the rule for a [`RevocationCheck`] whose source cannot be reached, or has not been yet: of a token of which nothing is
/// known it says [`TokenStatus::Unknown`], and never that it is active.
///
/// # Panics
/// Where the rule does not hold.
///
/// ```
/// use countersign::revocation::{RevocationCheck, TokenStatus};
/// use countersign::{VerifiedToken, async_trait};
/// use countersign_testkit::conformance;
///
/// /// A store to which there is no connection.
/// #[derive(Debug)]
/// struct Down;
/// #[async_trait]
/// impl RevocationCheck for Down {
///     async fn status(&self, _: &VerifiedToken) -> TokenStatus {
///         TokenStatus::Unknown
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// conformance::revocation_check_out_of_reach(Down).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn revocation_check_out_of_reach(check: impl RevocationCheck) {
    let check = Arc::new(check);
    for _ in 0..3 {
        let own = token("https://issuer.example/", "t1", "7");
        is(&check, &own, TokenStatus::Unknown, "what cannot be told is unknown").await;
    }
}

async fn is(check: &Arc<impl RevocationCheck>, token: &VerifiedToken, expected: TokenStatus, rule: &str) {
    let now = check.status_now(token);
    let status = timeout(PATIENCE, check.status(token)).await.expect("a status within a minute");
    let (issuer, id) = (token.issuer(), token.token_id());
    if let Some(now) = now {
        assert_eq!(now, status, "`status_now` says what `status` says, or nothing: {issuer:?}, {id:?}");
    }
    assert_eq!(status, expected, "{rule}: {issuer:?}, {id:?}");
}

fn token(issuer: &str, id: &str, subject: &str) -> VerifiedToken {
    let claims = json!({ "iss": issuer, "jti": id, "sub": subject, "iat": 1_800_000_000, "exp": 4_000_000_000_u64 });
    VerifiedToken::vouched(&claims).expect("claims")
}

/// Issuers and ids, plain and odd.
fn names() -> Vec<(String, String)> {
    const ISSUER: &str = "https://issuer.example/";
    let odd = ["t1", "T1", " ", "a b", "a/b", "a:b", "../a", "*", "%00", "\"", "é", "e\u{301}", "\n", "'; --"];
    let mut names: Vec<_> = odd.iter().map(|id| (ISSUER.to_owned(), (*id).to_owned())).collect();
    names.push((ISSUER.to_owned(), "a".repeat(1 << 12)));
    names.push(("issuer".to_owned(), "t1".to_owned()));
    names
}

/// Tokens that are another one each.
fn others(issuer: &str, id: &str) -> Vec<VerifiedToken> {
    let (first, rest) = id.split_at(id.chars().next().map_or(0, char::len_utf8));
    let shorter: String = issuer.chars().take(issuer.chars().count() - 1).collect();
    let mut others = vec![
        token(issuer, &format!("{id}2"), "7"),
        token(issuer, &format!("{id} "), "7"),
        token("https://elsewhere.example/", id, "7"),
        token(&shorter, id, "7"),
        token(&shorter, &format!("{}{id}", &issuer[shorter.len()..]), "7"),
        token(&format!("{issuer}{first}"), rest, "7"),
        token(&format!("{issuer}:{id}"), id, "7"),
    ];
    others.extend(
        [id.to_ascii_uppercase(), id.to_ascii_lowercase()]
            .iter()
            .filter(|it| *it != id)
            .map(|id| token(issuer, id, "7")),
    );
    others
}

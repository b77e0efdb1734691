//! The rules of [`TokenVerifier`].

use super::{CALLERS, PATIENCE, once};
use crate::issuer::{Broken, TestIssuer};
use countersign::VerifiedToken;
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, VerifyError};
use std::sync::Arc;
use std::task::Poll;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The rules of [`TokenVerifier`], to be run against one: see [`TokenVerifierSuite`].
///
/// ```
/// use countersign_testkit::conformance;
/// use countersign_testkit::issuer::TestIssuer;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let issuer = TestIssuer::new();
/// // In a test of your own verifier, which is set up for this issuer and its audience.
/// conformance::token_verifier().jwt(&issuer, issuer.verifier()).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn token_verifier() -> TokenVerifierSuite {
    TokenVerifierSuite { scheme: "Bearer" }
}

/// The rules of [`TokenVerifier`], for verifiers of every kind:
///
/// - [`jwt`](Self::jwt): it verifies the JWTs of an issuer. All that is [`Broken`] is refused.
/// - [`credentials`](Self::credentials): it verifies something else: passwords, opaque tokens.
/// - [`out_of_reach`](Self::out_of_reach): what it needs cannot be had.
///
/// What is good is taken, again and again, by many at once, whoever leaves and whatever came in between. What is bad is
/// refused, and so is anything near to what is good. `verify_now` says what `verify` says, or nothing. What vouched for what is
/// good still does when [`recheck`](TokenVerifier::recheck) is asked, so that no connection ends which it has opened.
///
/// ```
/// use countersign_testkit::conformance;
/// use countersign_testkit::issuer::TestIssuer;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let issuer = TestIssuer::new();
/// conformance::token_verifier().jwt(&issuer, issuer.verifier()).await;
///
/// issuer.go_down();
/// conformance::token_verifier().out_of_reach(issuer.verifier(), &issuer.token("ada")).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
#[non_exhaustive]
pub struct TokenVerifierSuite {
    scheme: &'static str,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Somebody(Option<String>, Option<String>),
    Refused,
    Unavailable,
}

fn outcome(verdict: &Result<VerifiedToken, VerifyError>) -> Outcome {
    match verdict {
        Ok(token) => Outcome::Somebody(token.issuer().map(str::to_owned), token.subject().map(str::to_owned)),
        Err(VerifyError::Unavailable(_)) => Outcome::Unavailable,
        Err(_) => Outcome::Refused,
    }
}

impl TokenVerifierSuite {
    /// The scheme under which credentials come: `Bearer` unless set.
    pub fn scheme(mut self, scheme: &'static str) -> Self {
        self.scheme = scheme;
        self
    }

    /// Runs the rules against a verifier that takes what this issuer signs for its audience.
    ///
    /// # Panics
    /// Where a rule does not hold.
    pub async fn jwt(self, issuer: &TestIssuer, verifier: impl TokenVerifier) {
        let good = [issuer.token("admin"), issuer.subject("ada").scope("posts:read").sign()];
        let verifier = Arc::new(verifier);
        for broken in Broken::all() {
            let outcome = self.ask(&verifier, &issuer.broken(broken)).await;
            assert_eq!(outcome, Outcome::Refused, "a token that is {broken} is refused");
        }
        let bad: Vec<_> = Broken::all().map(|broken| issuer.broken(broken)).collect();
        let bad: Vec<_> = bad.iter().map(String::as_str).collect();
        self.credentials(verifier, &good.each_ref().map(String::as_str), &bad).await;
    }

    /// Runs the rules against a verifier that takes each of the good credentials, and none of the bad ones.
    ///
    /// # Panics
    /// Where a rule does not hold, or there is no good credential.
    pub async fn credentials(self, verifier: impl TokenVerifier, good: &[&str], bad: &[&str]) {
        let verifier = Arc::new(verifier);
        assert!(!good.is_empty(), "there is a good credential to try");
        for text in good {
            self.is_taken(&verifier, text, "a good credential is taken").await;
            self.is_taken(&verifier, text, "a good credential is taken again").await;
            self.still_counts(&verifier, text).await;
        }
        let near: Vec<_> = good.iter().flat_map(|text| near(text)).collect();
        for text in bad.iter().copied().chain(near.iter().map(String::as_str)) {
            if good.contains(&text) {
                continue;
            }
            let outcome = self.ask(&verifier, text).await;
            let shown: String = text.chars().take(200).collect();
            assert_eq!(outcome, Outcome::Refused, "a bad credential is refused: {shown:?}");
            self.is_taken(&verifier, good[0], "what came before takes nothing from a good credential").await;
        }
        self.serves_many(&verifier, good, bad).await;
        self.survives_a_caller(&verifier, good[0]).await;
    }

    /// Runs the rules against a verifier that cannot have what it needs: its answer to a credential that would be good is
    /// [`VerifyError::Unavailable`], which is neither "yes" nor "no".
    ///
    /// # Panics
    /// Where a rule does not hold.
    pub async fn out_of_reach(self, verifier: impl TokenVerifier, good: &str) {
        let verifier = Arc::new(verifier);
        for _ in 0..3 {
            let outcome = self.ask(&verifier, good).await;
            assert_eq!(outcome, Outcome::Unavailable, "what cannot be checked is unavailable");
        }
    }

    async fn ask(self, verifier: &Arc<impl TokenVerifier>, text: &str) -> Outcome {
        let credential = Credential::new(self.scheme, text);
        let now = verifier.verify_now(&credential);
        let verdict = timeout(PATIENCE, verifier.verify(&credential)).await.expect("a verdict within a minute");
        let verdict = outcome(&verdict);
        if let Some(now) = now {
            assert_eq!(outcome(&now), verdict, "`verify_now` says what `verify` says, or nothing");
        }
        verdict
    }

    async fn is_taken(self, verifier: &Arc<impl TokenVerifier>, text: &str, rule: &str) {
        let outcome = self.ask(verifier, text).await;
        assert!(matches!(outcome, Outcome::Somebody(..)), "{rule}: {outcome:?}");
    }

    async fn still_counts(self, verifier: &Arc<impl TokenVerifier>, text: &str) {
        let credential = Credential::new(self.scheme, text);
        let verdict = timeout(PATIENCE, verifier.verify(&credential)).await.expect("a verdict within a minute");
        let token = verdict.expect("a good credential is taken again");
        let now = verifier.recheck_now(&token);
        let answer = timeout(PATIENCE, verifier.recheck(&token)).await.expect("an answer within a minute");
        assert!(answer.is_ok(), "`recheck` says that a token counts which was given a moment ago: {answer:?}");
        assert!(now.is_none_or(|now| now.is_ok()), "`recheck_now` says what `recheck` says, or nothing");
    }

    async fn serves_many(self, verifier: &Arc<impl TokenVerifier>, good: &[&str], bad: &[&str]) {
        let mut callers = JoinSet::new();
        for nth in 0..CALLERS {
            let texts = if nth % 2 == 1 && !bad.is_empty() { bad } else { good };
            let text = texts[nth / 2 % texts.len()].to_owned();
            let expected = self.ask(verifier, &text).await;
            let verifier = Arc::clone(verifier);
            callers.spawn(async move { (self.ask(&verifier, &text).await, expected) });
        }
        for (seen, expected) in callers.join_all().await {
            assert_eq!(seen, expected, "each of {CALLERS} callers at once gets its own verdict");
        }
    }

    async fn survives_a_caller(self, verifier: &Arc<impl TokenVerifier>, good: &str) {
        let credential = Credential::new(self.scheme, good);
        let mut first = verifier.verify(&credential);
        let mut second = verifier.verify(&credential);
        let _ = once(&mut first).await;
        let already = once(&mut second).await;
        drop(first);
        let verdict = match already {
            Poll::Ready(verdict) => verdict,
            Poll::Pending => timeout(PATIENCE, second).await.expect("a verdict within a minute"),
        };
        let outcome = outcome(&verdict);
        assert!(matches!(outcome, Outcome::Somebody(..)), "a caller that goes away takes nothing from another one");
    }
}

/// What is like a good credential, and is not the same. And what is nothing like one.
fn near(good: &str) -> Vec<String> {
    let cut: String = good.chars().take(good.chars().count().saturating_sub(1)).collect();
    let odd = ["", " ", "\0", ".", "..", "...", "null", "{}", "é", "\u{feff}", "Bearer", "' OR '1'='1"];
    let mut near = vec![
        cut,
        format!("{good}A"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}\0"),
        format!("{good},{good}"),
        format!("Bearer {good}"),
        good.to_ascii_uppercase(),
        good.chars().rev().collect(),
        "a".repeat(1 << 20),
        ".".repeat(1 << 20),
    ];
    near.extend(odd.map(str::to_owned));
    near.retain(|text| text != good);
    near
}

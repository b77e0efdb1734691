use super::{JwtVerifier, wanted_key};
use crate::clock::since_epoch;
use crate::provider::KeyProviderError;
use crate::reason::Rejection;
use crate::request::Credential;
use crate::token::{UnverifiedToken, VerifiedToken};
use crate::verifier::VerifyError;
use std::fmt;

/// Why a token is taken or not: every check, in order, with its outcome. For operators, never for clients.
///
/// Its `Display` is a line for each check. No text of the token stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Explanation {
    steps: Vec<Step>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Its name: a header parameter, a claim, or what it looks at.
    pub check: &'static str,
    /// What came out.
    pub outcome: Outcome,
}

/// What came out of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed(Rejection),
    /// It could not be made: keys are not to be had, or what it looks at could not be read.
    NotChecked(&'static str),
}

impl Explanation {
    /// Every check, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The reasons against the token, in order: all of them, and not only the first.
    pub fn failures(&self) -> impl Iterator<Item = Rejection> {
        self.steps.iter().filter_map(|step| match step.outcome {
            Outcome::Failed(rejection) => Some(rejection),
            _ => None,
        })
    }

    /// Whether every check was made and holds.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.steps.iter().all(|step| step.outcome == Outcome::Passed)
    }

    fn push(&mut self, check: &'static str, outcome: Outcome) {
        self.steps.push(Step { check, outcome });
    }

    fn tell(&mut self, check: &'static str, outcome: Result<(), Rejection>) {
        self.push(check, outcome.map_or_else(Outcome::Failed, |()| Outcome::Passed));
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { check, outcome } in &self.steps {
            match outcome {
                Outcome::Passed => writeln!(f, "ok    {check}")?,
                Outcome::Failed(rejection) => writeln!(f, "FAIL  {check}: {rejection}")?,
                Outcome::NotChecked(why) => writeln!(f, "?     {check}: {why}")?,
            }
        }
        Ok(())
    }
}

impl JwtVerifier {
    /// Goes through every check of a token, past the first failure as far as that is possible. For operators: "why 401?".
    ///
    /// A key is asked for only where the checks before it hold, as in verification. Claims are judged even where the
    /// signature does not stand, by the built-in rules alone, and are never given out. Checks of the application's own
    /// run where all others hold, as in verification: one that uses a token up does so here too.
    ///
    /// ```
    /// use countersign::issue::JwtSigner;
    /// use countersign::reason::Rejection;
    /// use countersign::{Algorithm, JwtVerifier, SigningKey};
    ///
    /// let key = SigningKey::from_secret(Algorithm::HS256, [7; 32])?;
    /// let verifier = JwtVerifier::builder(key.verifying_key().clone())
    ///     .algorithms([Algorithm::HS256])
    ///     .issuer("https://issuer.example/")
    ///     .audience("my-api")
    ///     .build()?;
    /// let token = JwtSigner::new(key).sign(&serde_json::json!({ "iss": "https://issuer.example/", "exp": 1 }))?;
    /// # let explanation = now(verifier.explain(&token));
    /// # let _ = r#"
    /// let explanation = verifier.explain(&token).await;
    /// # "#;
    /// assert!(explanation.failures().eq([Rejection::Audience, Rejection::Expired]));
    /// # fn now<F: Future>(future: F) -> F::Output {
    /// #     use std::task::{Context, Poll, Waker};
    /// #     match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
    /// #         Poll::Ready(output) => output, Poll::Pending => unreachable!("a local key") }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn explain(&self, token: &str) -> Explanation {
        let mut told = Explanation { steps: Vec::new() };
        let unverified = match UnverifiedToken::parse_with(token, &self.policy, &self.rules.wanted) {
            Ok(unverified) => unverified,
            Err(rejection) => {
                told.push("form", Outcome::Failed(rejection));
                return told;
            }
        };
        told.push("form", Outcome::Passed);
        // The outcomes are told and never stop it.
        let _ = self.rules.each_unverified(&unverified, &mut |check, outcome| {
            told.tell(check, outcome);
            Ok(())
        });
        let verified = if told.is_accepted() {
            self.explain_key(token, &unverified, &mut told).await
        } else {
            told.push("key", Outcome::NotChecked("it is not asked for such a token"));
            told.push("signature", Outcome::NotChecked("there is no key"));
            None
        };
        let is_verified = verified.is_some();
        let claimed = verified.unwrap_or_else(|| unverified.assume());
        let _ = self.rules.each(&claimed, since_epoch(self.clock.now()), &mut |check, outcome| {
            told.tell(check, outcome);
            Ok(())
        });
        if is_verified && told.is_accepted() {
            let _ = self.rules.each_own(&claimed, &mut |outcome| {
                told.tell("own check", outcome);
                Ok(())
            });
        } else {
            told.push("own checks", Outcome::NotChecked("they come after all other checks"));
        }
        told
    }

    async fn explain_key(
        &self,
        token: &str,
        unverified: &UnverifiedToken<'_>,
        told: &mut Explanation,
    ) -> Option<VerifiedToken> {
        let parse = || self.parse(&Credential::new("Bearer", token));
        let verdict = match self.keys.key(&wanted_key(unverified)).await {
            Ok(key) => parse().and_then(|token| token.verify(&[key])),
            Err(KeyProviderError::Ambiguous) if self.max_candidates > 1 => {
                self.candidates(unverified).and_then(|keys| parse()?.verify(&keys))
            }
            Err(error) => {
                told.push(
                    "key",
                    match VerifyError::from(error) {
                        VerifyError::Rejected(rejection) => Outcome::Failed(rejection),
                        VerifyError::Unavailable(_) => Outcome::NotChecked("the keys cannot be had"),
                    },
                );
                told.push("signature", Outcome::NotChecked("there is no key"));
                return None;
            }
        };
        match verdict {
            Ok(verified) => {
                told.push("key", Outcome::Passed);
                told.push("signature", Outcome::Passed);
                Some(verified)
            }
            Err(rejection @ Rejection::Signature) => {
                told.push("key", Outcome::Passed);
                told.push("signature", Outcome::Failed(rejection));
                None
            }
            Err(rejection) => {
                told.push("key", Outcome::Failed(rejection));
                told.push("signature", Outcome::NotChecked("there is no key"));
                None
            }
        }
    }
}

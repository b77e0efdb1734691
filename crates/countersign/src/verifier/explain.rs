use super::{JwtVerifier, Outcome, VerifyError, wanted_key};
use crate::claims::{JsonError, RegisteredClaims, WantedClaims};
use crate::clock::since_epoch;
use crate::jws::{Anatomy, Finding};
use crate::provider::KeyProviderError;
use crate::reason::Rejection;
use crate::rules::NOT_ASKED_FOR;
use crate::token::{VerifiedToken, ill_formed};
use std::fmt;

/// Why a token is taken or not: every check, in order, with its outcome. For operators, never for clients.
///
/// Its `Display` is a line for each check. No text of the token stands in it.
///
/// ```
/// use countersign::issue::JwtSigner;
/// use countersign::reason::Rejection;
/// use countersign::{Algorithm, JwtVerifier, SigningKey};
///
/// # async fn explain() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate(Algorithm::ES256)?;
/// let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("https://issuer.example/").audience("my-api").build()?;
/// let token = JwtSigner::new(key).sign(&serde_json::json!({"iss": "https://issuer.example/", "aud": "another", "exp": 1}))?;
///
/// // Not only the first thing that is wrong with it.
/// let explanation = verifier.explain(&token).await;
/// let failures: Vec<_> = explanation.failures().collect();
/// assert_eq!(failures, [Rejection::Audience, Rejection::Expired]);
/// assert!(!explanation.is_accepted());
/// # Ok(()) }
/// # let mut explain = std::pin::pin!(explain());
/// # let polled = explain.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
/// # assert!(matches!(polled, std::task::Poll::Ready(Ok(()))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Explanation {
    steps: Vec<Step>,
    is_accepted: bool,
}

/// One check.
///
/// ```
/// use countersign::reason::Rejection;
/// use countersign::verify::{Explanation, Outcome};
///
/// /// The names of the checks that did not hold, for a support page.
/// fn failed(explanation: &Explanation) -> Vec<&'static str> {
///     let steps = explanation.steps().iter();
///     steps.filter(|step| matches!(step.outcome, Outcome::Failed(_))).map(|step| step.check).collect()
/// }
/// # use countersign::{Algorithm, JwtVerifier, VerifyingKey};
/// # let key = VerifyingKey::from_secret(Algorithm::HS256, [7; 32])?;
/// # let verifier = JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer("i").audience("a").build()?;
/// # let mut explain = std::pin::pin!(verifier.explain("no token"));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # let std::task::Poll::Ready(explanation) = explain.as_mut().poll(&mut context) else { unreachable!() };
/// # let _ = r#"
/// let explanation = verifier.explain("no token").await;
/// # "#;
/// assert_eq!(failed(&explanation).first(), Some(&"parts"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Its name: a header parameter, a claim, or what it looks at.
    pub check: &'static str,
    /// What came out.
    pub outcome: Outcome,
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

    /// Whether the token is taken: every check that its verifier makes was made, and holds.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    fn has_failed(&self) -> bool {
        self.failures().next().is_some()
    }

    fn push(&mut self, check: &'static str, outcome: impl Into<Outcome>) {
        self.steps.push(Step { check, outcome: outcome.into() });
    }

    fn found(&mut self, check: &'static str, finding: Finding) {
        self.push(check, finding.map_or(UNREADABLE, Outcome::from));
    }

    /// Tells the outcome of a check of claims, unless they could not be read.
    fn judged(&mut self, claims: &Claims, check: &'static str, outcome: Outcome) {
        let reads: &[&str] = match check {
            "max_age" => &["iat"],
            "max_lifetime" => &["exp", "iat"],
            "azp" => &["aud"],
            _ => &[],
        };
        let is_told = claims.mistyped.contains(&check);
        let is_readable = claims.are_whole && !reads.iter().any(|name| claims.mistyped.contains(name));
        match outcome {
            _ if is_told => {}
            Outcome::Failed(_) | Outcome::Passed if !is_readable => self.push(check, UNREADABLE),
            outcome => self.push(check, outcome),
        }
    }

    /// Tells the form of the claims, and reads on past those of the wrong type.
    fn claims(&mut self, payload: Option<Vec<u8>>, wanted: &WantedClaims) -> Claims {
        let Some(payload) = payload else {
            self.push("claims", UNREADABLE);
            return Claims::default();
        };
        let Ok(payload) = String::from_utf8(payload) else {
            self.push("claims", Outcome::Failed(ill_formed(JsonError::Syntax)));
            return Claims::default();
        };
        let (registered, mistyped, read) = RegisteredClaims::parse_on(&payload, wanted);
        if read.is_ok() {
            self.push("claims", Outcome::Passed);
        }
        for name in &mistyped {
            self.push(name, Outcome::Failed(ill_formed(JsonError::WrongType(name))));
        }
        if let Err(error) = read {
            self.push("claims", Outcome::Failed(ill_formed(error)));
        }
        Claims { are_whole: read.is_ok(), payload, registered, mistyped }
    }
}

const UNREADABLE: Outcome = Outcome::NotChecked("it could not be read");
const NO_KEY: Outcome = Outcome::NotChecked("there is no key");

/// Claims as far as they could be read.
#[derive(Default)]
struct Claims {
    payload: String,
    registered: RegisteredClaims,
    /// Those that have the wrong type, which is told.
    mistyped: Vec<&'static str>,
    are_whole: bool,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { check, outcome } in &self.steps {
            match outcome {
                Outcome::Passed => writeln!(f, "ok    {check}")?,
                Outcome::Failed(rejection) => writeln!(f, "FAIL  {check}: {rejection}")?,
                Outcome::NotChecked(why) => writeln!(f, "-     {check}: {why}")?,
            }
        }
        Ok(())
    }
}

impl JwtVerifier {
    /// Goes through every check of a token, past the first failure as far as that is possible. For operators: "why 401?".
    ///
    /// What is wrong with one part keeps no other from being looked at: padding is decoded, and a claim of the wrong type
    /// is a failure of its own. The first failure is the reason that verification gives, unless the claims take much to be
    /// read: verification then names issuer, key or signature first. What nobody asks for, and what a danger leaves out, is told
    /// as not checked.
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
        let mut told = Explanation { steps: Vec::new(), is_accepted: false };
        let anatomy = Anatomy::of(token, &self.policy);
        told.found("size", anatomy.size);
        told.found("parts", anatomy.parts);
        told.found("header", anatomy.protected);
        told.found("crit", anatomy.critical);
        told.found("kid", anatomy.key_id);
        let algorithm = anatomy.algorithm.map(|algorithm| algorithm.and_then(|own| self.rules.check_algorithm(own)));
        told.found("alg", algorithm);
        told.found("typ", anatomy.token_type.map(|token_type| self.rules.check_type(token_type.as_deref())));
        told.found("encoding", anatomy.encoding);
        let claims = told.claims(anatomy.payload, &self.rules.wanted);
        let issuer = claims.registered.issuer(&claims.payload);
        told.judged(&claims, "iss", self.rules.issuer(issuer));
        let verified = match told.has_failed() {
            false => self.explain_key(token, &mut told).await,
            true => {
                told.push("key", Outcome::NotChecked("it is not asked for such a token"));
                told.push("signature", NO_KEY);
                None
            }
        };
        let is_verified = verified.is_some();
        let claimed = verified.unwrap_or_else(|| {
            VerifiedToken::assumed(anatomy.header, claims.payload.clone(), claims.registered.clone())
        });
        // The outcomes are told and never stop it.
        let _ = self.rules.each(&claimed.claimed(), since_epoch(self.clock.now()), &mut |check, outcome| {
            told.judged(&claims, check, outcome);
            Ok(())
        });
        let is_good = is_verified && !told.has_failed();
        match self.rules.checks.is_empty() {
            true => told.push("own checks", Outcome::NotChecked(NOT_ASKED_FOR)),
            false if is_good => {
                let _ = self.rules.each_own(&claimed, &mut |outcome| {
                    told.push("own check", outcome);
                    Ok(())
                });
            }
            false => told.push("own checks", Outcome::NotChecked("they come after all other checks")),
        }
        told.is_accepted = is_verified && !told.has_failed();
        told
    }

    async fn explain_key(&self, token: &str, told: &mut Explanation) -> Option<VerifiedToken> {
        let unverified = match self.parse(token) {
            Ok(unverified) => unverified,
            // Each part has been found right; what verification says counts all the same.
            Err(rejection) => {
                told.push("form", Outcome::Failed(rejection));
                told.push("signature", NO_KEY);
                return None;
            }
        };
        let keys = match self.keys.key(&wanted_key(&unverified)).await {
            Ok(key) => Ok(vec![key]),
            Err(KeyProviderError::Ambiguous) if self.max_candidates > 1 => self.candidates(&wanted_key(&unverified)),
            Err(error) => Err(error.into()),
        };
        let verdict =
            keys.and_then(|keys| Ok(unverified.verify(&keys, &self.known, &self.rules.wanted, |_| Ok(()))?));
        let (key, signature) = match &verdict {
            Ok(_) => (Outcome::Passed, Outcome::Passed),
            Err(VerifyError::Rejected(Rejection::Signature)) => {
                (Outcome::Passed, Outcome::Failed(Rejection::Signature))
            }
            Err(VerifyError::Rejected(rejection)) => (Outcome::Failed(*rejection), NO_KEY),
            Err(VerifyError::Unavailable(_)) => (Outcome::NotChecked("the keys cannot be had"), NO_KEY),
        };
        told.push("key", key);
        told.push("signature", signature);
        verdict.ok()
    }
}

use super::{JwtVerifier, TokenVerifier, VerifyError};
use crate::changes::Changes;
use crate::claims::WantedClaims;
use crate::config::ConfigError;
use crate::jws::Policy;
use crate::reason::Rejection;
use crate::request::Credential;
use crate::token::{UnverifiedToken, VerifiedToken};
use async_trait::async_trait;
use std::collections::HashMap;

/// Several issuers, each with a verifier of its own: keys, audiences, algorithms and all.
///
/// The `iss` of a token, unverified, chooses among the verifiers that were given, and no other can be chosen; the verifier
/// then holds the token to its own rules, `iss` included. So no issuer's key can sign for another (RFC 8725 §3.8), whatever
/// its key ids are.
///
/// ```
/// use countersign::verify::IssuerRouter;
/// use countersign::{Algorithm, Guard, JwtVerifier, VerifyingKey};
///
/// # fn verifier(secret: u8, issuer: &str) -> Result<JwtVerifier, Box<dyn std::error::Error>> {
/// #     let key = VerifyingKey::from_secret(Algorithm::HS256, [secret; 32])?;
/// #     Ok(JwtVerifier::builder(key).algorithms([Algorithm::HS256]).issuer(issuer).audience("my-api").build()?)
/// # }
/// let staff = verifier(1, "https://staff.example/")?;
/// let customers = verifier(2, "https://customers.example/")?;
/// let guard = Guard::builder(IssuerRouter::new([staff, customers])?).build()?;
/// # let _ = guard;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct IssuerRouter {
    verifiers: Vec<JwtVerifier>,
    by_issuer: HashMap<String, usize>,
    /// What any of the verifiers reads.
    policy: Policy,
}

impl IssuerRouter {
    /// These verifiers, each for the issuers that it names.
    ///
    /// # Errors
    /// [`ConfigError`] when there is none, when one of them takes any issuer, and when two name the same.
    pub fn new(verifiers: impl IntoIterator<Item = JwtVerifier>) -> Result<Self, ConfigError> {
        let refused = |problem| Err(ConfigError::new("issuer", problem));
        let mut router = Self { verifiers: Vec::new(), by_issuer: HashMap::new(), policy: Policy::new().max_bytes(0) };
        for (at, verifier) in verifiers.into_iter().enumerate() {
            let Some(issuers) = &verifier.rules.issuers else { return refused("one verifier takes any issuer") };
            for issuer in issuers {
                if router.by_issuer.insert(issuer.clone(), at).is_some_and(|other| other != at) {
                    return refused("two verifiers name the same issuer");
                }
            }
            router.policy = router.policy.or(&verifier.policy);
            router.verifiers.push(verifier);
        }
        if router.verifiers.is_empty() { refused("there is no verifier") } else { Ok(router) }
    }

    fn verifier(&self, credential: &Credential<'_>) -> Result<&JwtVerifier, Rejection> {
        let token =
            UnverifiedToken::parse_with(credential.expose(), &self.policy, None, &WantedClaims::default(), |_| Ok(()))?;
        self.of_issuer(token.unverified_issuer())
    }

    fn of_issuer(&self, issuer: Option<&str>) -> Result<&JwtVerifier, Rejection> {
        let at = issuer.and_then(|issuer| self.by_issuer.get(issuer));
        at.and_then(|at| self.verifiers.get(*at)).ok_or(Rejection::Issuer)
    }
}

#[async_trait]
impl TokenVerifier for IssuerRouter {
    fn verify_now(&self, credential: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        match self.verifier(credential) {
            Ok(verifier) => verifier.verify_now(credential),
            Err(rejection) => Some(Err(rejection.into())),
        }
    }

    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        self.verifier(credential)?.verify(credential).await
    }

    fn recheck_now(&self, token: &VerifiedToken) -> Option<Result<(), VerifyError>> {
        match self.of_issuer(token.issuer()) {
            Ok(verifier) => verifier.recheck_now(token),
            Err(rejection) => Some(Err(rejection.into())),
        }
    }

    async fn recheck(&self, token: &VerifiedToken) -> Result<(), VerifyError> {
        self.of_issuer(token.issuer())?.recheck(token).await
    }

    fn changes(&self) -> Option<Changes> {
        Changes::any_of(self.verifiers.iter().filter_map(TokenVerifier::changes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;
    use crate::danger::Danger;
    use crate::issue::JwtSigner;
    use crate::key::SigningKey;
    use crate::verifier::JwtVerifierBuilder;
    use serde_json::json;

    const A: &str = "https://a.example/";
    const B: &str = "https://b.example/";

    fn key() -> SigningKey {
        // The same key id everywhere.
        SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("1").expect("a key id")
    }

    fn verifier(key: &SigningKey, issuer: &str) -> JwtVerifierBuilder {
        JwtVerifier::builder(key.verifying_key().clone()).issuer(issuer).audience(format!("{issuer}api"))
    }

    fn build(builder: JwtVerifierBuilder) -> JwtVerifier {
        builder.build().expect("a verifier")
    }

    #[test]
    fn each_issuer_answers_for_itself_alone() {
        let (a, b) = (key(), key());
        let router = IssuerRouter::new([build(verifier(&a, A)), build(verifier(&b, B).max_bytes(100_000))]);
        let router = router.expect("a router");
        let sign = |key: &SigningKey, issuer: &str, audience: &str, filler: usize| {
            let claims = json!({"iss": issuer, "aud": audience, "exp": 4_000_000_000_u32, "x": "x".repeat(filler)});
            JwtSigner::new(key.clone()).sign(&claims).expect("sign")
        };
        let (api_a, api_b) = ("https://a.example/api", "https://b.example/api");
        for (token, expected) in [
            (sign(&a, A, api_a, 0), None),
            (sign(&b, B, api_b, 0), None),
            (sign(&b, A, api_a, 0), Some(Rejection::Signature)),
            (sign(&a, B, api_b, 0), Some(Rejection::Signature)),
            (sign(&a, A, api_b, 0), Some(Rejection::Audience)),
            (sign(&a, "https://c.example/", api_a, 0), Some(Rejection::Issuer)),
            (sign(&b, B, api_b, 20_000), None),
            (sign(&a, A, api_a, 20_000), Some(Rejection::TooLarge)),
            (sign(&b, B, api_b, 90_000), Some(Rejection::TooLarge)),
            ("a.b.c".to_owned(), Some(Rejection::Malformed)),
        ] {
            let verdict = router.verify_now(&Credential::new("Bearer", &token)).expect("from memory");
            let rejection = match verdict {
                Ok(_) => None,
                Err(VerifyError::Rejected(rejection)) => Some(rejection),
                Err(VerifyError::Unavailable(_)) => panic!("the keys are at hand"),
            };
            assert_eq!(rejection, expected);
        }
    }

    #[test]
    fn what_leaves_the_choice_open_is_refused() {
        let a = key();
        let any = JwtVerifier::builder(a.verifying_key().clone()).danger(Danger::AnyIssuer).audience("api");
        for verifiers in [
            vec![],
            vec![build(verifier(&a, A)), build(any)],
            vec![build(verifier(&a, A)), build(verifier(&a, B).issuer(A))],
        ] {
            assert_eq!(IssuerRouter::new(verifiers).expect_err("open").setting(), "issuer");
        }
        let twice = build(verifier(&a, A).issuer(A));
        assert!(IssuerRouter::new([twice]).is_ok());
    }
}

//! One flaw at a time, and the rule by which it is found out.

use super::*;
use countersign::authorize::{AccessRequest, Decision, Requirement, Why, role};
use countersign::crypto::{
    Backend, Hash, PrivateMaterial, PublicMaterial, Ring, SignatureMismatch, SignatureVerifier, SigningFailed,
    SigningParts,
};
use countersign::extract::ExtractError;
use countersign::issue::{RemoteError, RemoteSigner};
use countersign::keys::KeyError;
use countersign::observe::{Event, Observer};
use countersign::provider::Unavailable;
use countersign::reason::Rejection;
use countersign::request::{Credential, RequestView};
use countersign::revocation::{Changes, RevocationCheck, TokenStatus};
use countersign::screening::{Refused, Rendered, Renderer};
use countersign::verify::{TokenVerifier, VerifyError};
use countersign::{ConfigError, SigningKey, VerifiedToken, async_trait};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether the suite holds against one without a flaw, and finds each flaw by its rule.
pub(super) fn find_out<F: Copy + std::fmt::Debug>(run: impl Fn(Option<F>), flaws: &[(F, &str)]) {
    run(None);
    for (flaw, rule) in flaws {
        let caught = catch_unwind(AssertUnwindSafe(|| run(Some(*flaw)))).err();
        let said = caught.unwrap_or_else(|| panic!("{flaw:?} is not found out"));
        let said =
            said.downcast_ref::<String>().cloned().or_else(|| said.downcast_ref::<&str>().map(|it| (*it).to_owned()));
        let said = said.unwrap_or_default();
        assert!(said.contains(rule), "{flaw:?} is found out by `{rule}`, and not by `{said}`");
    }
}

pub(super) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum VerifierFlaw {
    IgnoresCase,
    NowSaysYes,
    OutageIsNo,
    OutageIsYes,
    RemembersTheLast,
    ReadsTheBeginning,
    StopsAfterABadOne,
    TakesAnybody,
    Trims,
}

/// Knows one password.
#[derive(Debug)]
struct Password {
    flaw: Option<VerifierFlaw>,
    is_down: bool,
    last: Mutex<Option<String>>,
}

impl Password {
    fn judge(&self, text: &str) -> Result<VerifiedToken, VerifyError> {
        use VerifierFlaw::*;
        const PASSWORD: &str = "dTpwYXNzd29yZA";
        let somebody = || VerifiedToken::vouched(&json!({ "sub": "u" })).expect("claims");
        if self.is_down {
            return match self.flaw {
                Some(OutageIsNo) => Err(Rejection::Credentials.into()),
                Some(OutageIsYes) => Ok(somebody()),
                _ => Err(VerifyError::Unavailable(Unavailable::default())),
            };
        }
        let last = self.last.lock().expect("a lock").replace(text.to_owned());
        let is_right = match self.flaw {
            Some(IgnoresCase) => text.eq_ignore_ascii_case(PASSWORD),
            Some(RemembersTheLast) => text == PASSWORD || last.as_deref() == Some(PASSWORD),
            Some(ReadsTheBeginning) => text.starts_with(PASSWORD),
            Some(StopsAfterABadOne) => text == PASSWORD && last.is_none_or(|last| last == PASSWORD),
            Some(TakesAnybody) => true,
            Some(Trims) => text.trim() == PASSWORD,
            _ => text == PASSWORD,
        };
        if is_right { Ok(somebody()) } else { Err(Rejection::Credentials.into()) }
    }
}

#[async_trait]
impl TokenVerifier for Password {
    fn verify_now(&self, _: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        (self.flaw == Some(VerifierFlaw::NowSaysYes)).then(|| Ok(VerifiedToken::vouched(&json!({})).expect("claims")))
    }

    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        self.judge(credential.expose())
    }
}

#[test]
fn flawed_verifiers_are_found_out() {
    use VerifierFlaw::*;
    let run = |flaw| {
        let password = |is_down| Password { flaw, is_down, last: Mutex::default() };
        let suite = token_verifier().scheme("Basic");
        wait(suite.credentials(password(false), &["dTpwYXNzd29yZA"], &["bm9ib2R5Om5vYm9keQ"]));
        wait(suite.out_of_reach(password(true), "dTpwYXNzd29yZA"));
    };
    find_out(
        run,
        &[
            (IgnoresCase, "a bad credential is refused"),
            (NowSaysYes, "`verify_now` says what `verify` says"),
            (OutageIsNo, "what cannot be checked is unavailable"),
            (OutageIsYes, "what cannot be checked is unavailable"),
            (RemembersTheLast, "a bad credential is refused"),
            (ReadsTheBeginning, "a bad credential is refused"),
            (StopsAfterABadOne, "what came before takes nothing from a good credential"),
            (TakesAnybody, "a bad credential is refused"),
            (Trims, "a bad credential is refused"),
        ],
    );
}

#[test]
fn verifiers_of_jwts_that_leave_a_check_out_are_found_out() {
    use countersign::JwtVerifier;
    use countersign::danger::Danger::{self, AnyAudience, AnyHolder, AnyIssuer, NoExpiration};
    let run = |danger: Option<Danger>| {
        let issuer = TestIssuer::new();
        let builder = JwtVerifier::builder(issuer.keys()).dangers(danger.as_slice());
        // Beside the danger, a name would be held against the token all the same.
        let builder = if danger == Some(AnyIssuer) { builder } else { builder.issuer(issuer.issuer()) };
        let builder = if danger == Some(AnyAudience) { builder } else { builder.audience(issuer.audience()) };
        wait(token_verifier().jwt(&issuer, builder.build().expect("a verifier")));
    };
    find_out(
        run,
        &[
            (AnyAudience, "a token that is wrong-audience is refused"),
            (AnyHolder, "a token that is holder-bound is refused"),
            (AnyIssuer, "a token that is wrong-issuer is refused"),
            (NoExpiration, "a token that is missing-exp is refused"),
        ],
    );
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum WrapperFlaw {
    ForgetsTheKey,
    NowSaysNo,
}

#[derive(Debug)]
struct Wrapper<V>(V, Option<WrapperFlaw>);

#[async_trait]
impl<V: TokenVerifier> TokenVerifier for Wrapper<V> {
    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        self.0.verify(credential).await
    }

    fn recheck_now(&self, token: &VerifiedToken) -> Option<Result<(), VerifyError>> {
        match self.1 {
            None => self.0.recheck_now(token),
            Some(WrapperFlaw::ForgetsTheKey) => None,
            Some(WrapperFlaw::NowSaysNo) => Some(Err(Rejection::UnknownKey.into())),
        }
    }

    async fn recheck(&self, token: &VerifiedToken) -> Result<(), VerifyError> {
        match self.1 {
            // What a wrapper answers that does not implement it.
            Some(WrapperFlaw::ForgetsTheKey) => {
                Password { flaw: None, is_down: false, last: Mutex::default() }.recheck(token).await
            }
            _ => self.0.recheck(token).await,
        }
    }
}

#[test]
fn wrappers_of_verifiers_that_forget_the_key_are_found_out() {
    use WrapperFlaw::*;
    let run = |flaw| {
        let issuer = TestIssuer::new();
        wait(token_verifier().jwt(&issuer, Wrapper(issuer.verifier(), flaw)));
    };
    find_out(
        run,
        &[
            (ForgetsTheKey, "`recheck` says that a token counts"),
            (NowSaysNo, "`recheck_now` says what `recheck` says, or nothing"),
        ],
    );
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum ExtractorFlaw {
    AnotherScheme,
    FindsNothing,
    KeepsSpaces,
    TakesAnyField,
    TakesTheFirst,
    UpperCase,
}

#[derive(Debug)]
struct Device(Option<ExtractorFlaw>);

impl TokenExtractor for Device {
    fn extract<'r>(&self, request: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
        use ExtractorFlaw::*;
        let line = |nth| request.headers.header("x-device", nth);
        let other = (self.0 == Some(TakesAnyField)).then(|| request.headers.header("accept", 0)).flatten();
        let Some(value) = line(0).or(other).filter(|_| self.0 != Some(FindsNothing)) else { return Ok(None) };
        if line(1).is_some() && self.0 != Some(TakesTheFirst) {
            return Err(ExtractError::Repeated);
        }
        let text = std::str::from_utf8(value).map_err(|_| ExtractError::Malformed)?;
        let is_sound = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
        if !is_sound && self.0 != Some(KeepsSpaces) {
            return Err(ExtractError::Malformed);
        }
        Ok(Some(Credential::new(if self.0 == Some(AnotherScheme) { "Basic" } else { "Bearer" }, text)))
    }

    fn field(&self) -> Option<&str> {
        Some(if self.0 == Some(ExtractorFlaw::UpperCase) { "X-Device" } else { "x-device" })
    }
}

#[test]
fn flawed_extractors_are_found_out() {
    use ExtractorFlaw::*;
    let run = |flaw| token_extractor(Device(flaw), |token| Carried::header("x-device", token));
    find_out(
        run,
        &[
            (AnotherScheme, "under the extractor's scheme"),
            (FindsNothing, "a token is found as it was sent"),
            (KeepsSpaces, "what is found is visible ASCII"),
            (TakesAnyField, "fields of others hold no token"),
            (TakesTheFirst, "two tokens in the place of one are an error"),
            (UpperCase, "`field` is in lower case"),
        ],
    );
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum AuthorizerFlaw {
    AcceptsNothing,
    AllowsConditions,
    AllowsTheUnknown,
    AlternativesAddUp,
    DeniesAll,
    DisownsItsOwn,
    NowSaysYes,
}

/// A role is a subject's name.
#[derive(Debug)]
struct ByName(Option<AuthorizerFlaw>);

#[async_trait]
impl Authorizer for ByName {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        requirement.each_leaf(&mut |leaf| match leaf {
            Requirement::AnyRole(names)
                if self.0 != Some(AuthorizerFlaw::AcceptsNothing) && names.iter().all(|name| name.len() == 1) =>
            {
                Ok(())
            }
            _ => Err(ConfigError::new("require", "unknown")),
        })
    }

    fn judges(&self, leaf: &Requirement) -> bool {
        self.0 != Some(AuthorizerFlaw::DisownsItsOwn) && self.accepts(leaf).is_ok()
    }

    fn decide_now(&self, _: &AccessRequest<'_>) -> Option<Decision> {
        (self.0 == Some(AuthorizerFlaw::NowSaysYes)).then_some(Decision::Allow)
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        use AuthorizerFlaw::*;
        if self.0 == Some(AllowsConditions) && request.is_condition() {
            return Decision::Allow;
        }
        if let (Some(AlternativesAddUp), Requirement::AnyOf(parts)) = (self.0, request.requirement) {
            return Decision::all_of(parts.iter().map(|part| self.leaf(request, part)));
        }
        request.requirement.decide(&mut |leaf| self.leaf(request, leaf))
    }
}

impl ByName {
    fn leaf(&self, request: &AccessRequest<'_>, leaf: &Requirement) -> Decision {
        use AuthorizerFlaw::*;
        let is_named = |names: &[String]| names.iter().any(|name| Some(name.as_str()) == request.token.subject());
        match leaf {
            Requirement::AnyRole(names) if is_named(names) && self.0 != Some(DeniesAll) => Decision::Allow,
            _ if self.0 == Some(AllowsTheUnknown) && self.accepts(leaf).is_err() => Decision::Allow,
            _ => Decision::Deny(Why::new("by_name", "another")),
        }
    }
}

#[test]
fn flawed_authorizers_are_found_out() {
    use AuthorizerFlaw::*;
    let run = |flaw| {
        let claims = json!({ "sub": "a" });
        wait(authorizer(ByName(flaw)).allows(role("a"), &claims).denies(role("b"), &claims).run());
    };
    find_out(
        run,
        &[
            (AcceptsNothing, "what it decides is accepted before"),
            (AllowsConditions, "a condition is allowed where the requirement is"),
            (AllowsTheUnknown, "what is not accepted allows nothing"),
            (DeniesAll, "the decision on"),
            (DisownsItsOwn, "what it accepts, it judges"),
            (NowSaysYes, "`decide_now` says what `decide` says"),
            (AlternativesAddUp, "parts are combined in three-valued logic"),
        ],
    );
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum ListFlaw {
    ById,
    BySubject,
    DoubtIsActive,
    Forgets,
    IgnoresCase,
    Joins,
    NowSaysActive,
    TellsNothing,
    Trims,
}

#[derive(Debug, Default)]
struct List {
    flaw: Option<ListFlaw>,
    is_down: bool,
    revoked: Mutex<Vec<String>>,
}

impl List {
    fn name(&self, issuer: &str, id: &str) -> String {
        match self.flaw {
            Some(ListFlaw::ById) => id.to_owned(),
            Some(ListFlaw::BySubject) => "7".to_owned(),
            Some(ListFlaw::IgnoresCase) => format!("{issuer}\n{}", id.to_lowercase()),
            Some(ListFlaw::Joins) => format!("{issuer}{id}"),
            Some(ListFlaw::Trims) => format!("{issuer}\n{}", id.trim()),
            _ => format!("{}\n{issuer}{id}", issuer.len()),
        }
    }
}

#[async_trait]
impl RevocationCheck for List {
    fn status_now(&self, _: &VerifiedToken) -> Option<TokenStatus> {
        (self.flaw == Some(ListFlaw::NowSaysActive)).then_some(TokenStatus::Active)
    }

    fn changes(&self) -> Option<Changes> {
        (self.flaw == Some(ListFlaw::TellsNothing)).then(Changes::new)
    }

    async fn status(&self, token: &VerifiedToken) -> TokenStatus {
        if self.is_down {
            return if self.flaw == Some(ListFlaw::DoubtIsActive) { TokenStatus::Active } else { TokenStatus::Unknown };
        }
        let name = self.name(token.issuer().unwrap_or_default(), token.token_id().unwrap_or_default());
        let mut revoked = self.revoked.lock().expect("a lock");
        let Some(at) = revoked.iter().position(|own| *own == name) else { return TokenStatus::Active };
        if self.flaw == Some(ListFlaw::Forgets) {
            revoked.remove(at);
        }
        TokenStatus::Revoked
    }
}

#[test]
fn flawed_denylists_are_found_out() {
    use ListFlaw::*;
    let run = |flaw| {
        let new = async || List { flaw, ..List::default() };
        let revoke = async |list: &List, issuer: &str, id: &str| {
            let name = list.name(issuer, id);
            list.revoked.lock().expect("a lock").push(name);
        };
        wait(revocation_check(new, revoke));
        wait(revocation_check_out_of_reach(List { flaw, is_down: true, ..List::default() }));
    };
    find_out(
        run,
        &[
            (ById, "another token is not revoked with it"),
            (BySubject, "another token is not revoked with it"),
            (DoubtIsActive, "what cannot be told is unknown"),
            (Forgets, "what was revoked is revoked"),
            (IgnoresCase, "another token is not revoked with it"),
            (Joins, "another token is not revoked with it"),
            (NowSaysActive, "`status_now` says what `status` says"),
            (TellsNothing, "whoever tells of changes tells of a revocation"),
            (Trims, "another token is not revoked with it"),
        ],
    );
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BodyFlaw {
    BreaksJson,
    Counts,
    NotUtf8,
    TypeIsNone,
}

#[derive(Debug)]
struct Body(Option<BodyFlaw>, AtomicUsize);

impl Renderer for Body {
    fn render(&self, refused: &Refused<'_>) -> Rendered {
        use BodyFlaw::*;
        let count = self.1.fetch_add(1, Ordering::Relaxed);
        match self.0 {
            Some(BreaksJson) => Rendered::new("application/problem+json", format!("{{\"why\": {}}}", refused.code())),
            Some(Counts) => Rendered::new("text/plain", count.to_string()),
            Some(NotUtf8) => Rendered::new("text/plain; charset=utf-8", vec![0xff]),
            Some(TypeIsNone) => Rendered::new("plain", "no"),
            None => Rendered::new("text/plain; charset=utf-8", refused.description()),
        }
    }
}

#[test]
fn flawed_renderers_are_found_out() {
    use BodyFlaw::*;
    find_out(
        |flaw| renderer(Body(flaw, AtomicUsize::new(0))),
        &[
            (BreaksJson, "what is called JSON is JSON"),
            (Counts, "one refusal has one body"),
            (NotUtf8, "what is called UTF-8 is UTF-8"),
            (TypeIsNone, "the media type is one"),
        ],
    );
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum SignerFlaw {
    AnotherId,
    Hurries,
    ReadsTheBeginning,
    WritesDer,
}

#[derive(Debug)]
struct Elsewhere(Option<SignerFlaw>, SigningKey, Mutex<Option<Vec<u8>>>);

#[async_trait]
impl RemoteSigner for Elsewhere {
    fn algorithm(&self) -> Algorithm {
        self.1.algorithm()
    }

    fn key_id(&self) -> Option<&str> {
        if self.0 == Some(SignerFlaw::AnotherId) { Some("another") } else { self.1.key_id() }
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, RemoteError> {
        use SignerFlaw::*;
        let signature = self
            .1
            .sign(&message[..message.len().min(if self.0 == Some(ReadsTheBeginning) { 9 } else { usize::MAX })])?;
        Ok(match self.0 {
            Some(Hurries) => self.2.lock().expect("a lock").get_or_insert(signature).clone(),
            Some(WritesDer) => [&[0x30, 0x44, 2, 32], &signature[..32], &[2, 32], &signature[32..]].concat(),
            _ => signature,
        })
    }
}

#[test]
fn flawed_signers_are_found_out() {
    use SignerFlaw::*;
    let run = |flaw| {
        let key = SigningKey::generate(Algorithm::ES256).and_then(|key| key.with_key_id("k")).expect("a key");
        let public = key.verifying_key().clone();
        wait(remote_signer(Elsewhere(flaw, key, Mutex::default()), &public));
    };
    find_out(
        run,
        &[
            (AnotherId, "the key id is the public key's"),
            (Hurries, "a signature is one over its message"),
            (ReadsTheBeginning, "a signature is one over its message"),
            (WritesDer, "in JWS form"),
        ],
    );
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum BackendFlaw {
    AnyKeyWillDo,
    HashesTheFirstPart,
    IgnoresTheEnd,
    RandomIsZero,
    SecretsForAll,
    TakesAnySignature,
}

#[derive(Debug)]
struct Library(Option<BackendFlaw>);

#[derive(Debug)]
struct Lax(Arc<dyn SignatureVerifier>, Option<BackendFlaw>);

impl SignatureVerifier for Lax {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        match self.1 {
            Some(BackendFlaw::TakesAnySignature) => Ok(()),
            Some(BackendFlaw::IgnoresTheEnd) => self.0.verify(message, &signature[..signature.len().min(64)]),
            _ => self.0.verify(message, signature),
        }
    }
}

impl Backend for Library {
    fn verifier(
        &self,
        algorithm: Algorithm,
        material: &PublicMaterial,
    ) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        let verifier = match (self.0, material) {
            (Some(BackendFlaw::AnyKeyWillDo), PublicMaterial::Ec { .. }) => {
                Ring.verifier(algorithm, material).or_else(|_| Ring.verifier(Algorithm::ES256, material))
            }
            _ => Ring.verifier(algorithm, material),
        };
        Ok(Arc::new(Lax(verifier?, self.0)))
    }

    fn secret_verifier(&self, algorithm: Algorithm, secret: &[u8]) -> Result<Arc<dyn SignatureVerifier>, KeyError> {
        let is_lax = self.0 == Some(BackendFlaw::SecretsForAll) && !algorithm.is_symmetric();
        Ring.secret_verifier(if is_lax { Algorithm::HS256 } else { algorithm }, secret)
    }

    fn signer(&self, algorithm: Algorithm, material: &PrivateMaterial) -> Result<SigningParts, KeyError> {
        Ring.signer(algorithm, material)
    }

    fn generate(&self, algorithm: Algorithm) -> Result<zeroize::Zeroizing<Vec<u8>>, KeyError> {
        Ring.generate(algorithm)
    }

    fn digest(&self, hash: Hash, parts: &[&[u8]]) -> Vec<u8> {
        let parts = if self.0 == Some(BackendFlaw::HashesTheFirstPart) { &parts[..parts.len().min(1)] } else { parts };
        Ring.digest(hash, parts)
    }

    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        Ring.sha256(parts)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), SigningFailed> {
        if self.0 == Some(BackendFlaw::RandomIsZero) { Ok(()) } else { Ring.random(bytes) }
    }
}

#[test]
fn flawed_backends_are_found_out() {
    use BackendFlaw::*;
    find_out(
        |flaw| backend(&Library(flaw), &[Algorithm::Ed25519, Algorithm::HS256]),
        &[
            (AnyKeyWillDo, "a key is for its own algorithms"),
            (HashesTheFirstPart, "a digest is that of the hash function"),
            (IgnoresTheEnd, "nothing may be cut off, added or made up"),
            (RandomIsZero, "random octets differ"),
            (SecretsForAll, "a public key is no secret"),
            (TakesAnySignature, "nothing of a signature may be changed"),
        ],
    );
}

#[derive(Debug)]
struct Watcher(bool);

impl Observer for Watcher {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Decision { decision, why, .. } = event {
            assert!(!self.0 || why.is_some(), "{decision:?} without a reason");
        }
    }
}

#[test]
fn an_observer_that_panics_is_found_out() {
    find_out(|flaw: Option<bool>| observer(Watcher(flaw.is_some())), &[(true, "without a reason")]);
}

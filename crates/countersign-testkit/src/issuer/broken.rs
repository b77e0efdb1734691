use super::TestToken;
use super::token::{attach, encode, join};
use countersign::crypto::{PrivateMaterial, default_backend};
use countersign::jws::MAX_BYTES;
use countersign::reason::{Reason, Rejection};
use countersign::secret::Secret;
use countersign::{Algorithm, SigningKey};
use serde_json::json;
use std::fmt;

/// How much earlier or later than now what is out of time is, in seconds: more than any leeway.
const FAR: u64 = 3600;

macro_rules! broken {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal => $rejection:ident,)+) => {
        /// A way for a token to be bad, in which all else about it is good. A correct verifier refuses each, whatever it
        /// is protecting.
        ///
        /// ```
        /// use countersign::reason::Rejection;
        /// use countersign_testkit::issuer::Broken;
        ///
        /// assert_eq!(Broken::WrongAudience.rejection(), Rejection::Audience);
        /// assert_eq!(Broken::WrongAudience.status(), 401);
        /// assert!(Broken::all().any(|broken| broken.name() == "alg-none"));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Broken {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Broken {
            /// Each of them.
            pub fn all() -> impl Iterator<Item = Self> {
                [$(Self::$variant),+].into_iter()
            }

            /// A name for messages: lower-case letters, digits and hyphens.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Why a [`JwtVerifier`](countersign::JwtVerifier) refuses it. Other verifiers may look in another order: that
            /// they refuse it is the rule, and with what word is not.
            #[must_use]
            pub fn rejection(self) -> Rejection {
                match self {
                    $(Self::$variant => Rejection::$rejection,)+
                }
            }
        }
    };
}

broken! {
    /// Not a token at all.
    Garbage = "garbage" => Malformed,
    /// Empty, but for the dots.
    OnlyDots = "only-dots" => Malformed,
    /// Without its signature, and without the dot before it.
    TwoParts = "two-parts" => Malformed,
    /// In five parts, as an encrypted token is (RFC 7516).
    FiveParts = "five-parts" => Malformed,
    /// Longer than what a verifier reads: 17 KiB.
    Oversize = "oversize" => TooLarge,
    /// The unused bits at the end of a part are not zero: one token would have several spellings (RFC 4648 §3.5).
    NonCanonical = "non-canonical" => Malformed,
    /// `alg` stands twice in the header, the first time as `none` (RFC 7515 §5.2).
    DuplicateHeader = "duplicate-header" => Malformed,
    /// `sub` stands twice among the claims.
    DuplicateClaim = "duplicate-claim" => Malformed,
    /// The claims are a list.
    ClaimsAreAList = "claims-are-a-list" => Malformed,
    /// `alg` is `none`, and there is no signature (RFC 8725 §3.2).
    AlgorithmNone = "alg-none" => Algorithm,
    /// `alg` is `nOnE`, and there is no signature.
    AlgorithmNoneInOddCase = "alg-none-in-odd-case" => Algorithm,
    /// HS256, with the text of the public key as the secret (RFC 8725 §2.1). Where the issuer has a shared secret: RS256, with
    /// the signature that HMAC gives.
    AlgorithmConfused = "alg-confused" => Algorithm,
    /// An algorithm that nobody knows.
    UnknownAlgorithm = "unknown-alg" => Algorithm,
    /// `crit` names a parameter that nobody knows (RFC 7515 §4.1.11).
    CriticalHeader = "crit-unknown" => CriticalHeader,
    /// `crit` is an empty list.
    EmptyCriticalHeader = "crit-empty" => CriticalHeader,
    /// `typ` is that of a DPoP proof, which is no access token (RFC 8725 §3.11).
    ForeignType = "foreign-typ" => TokenType,
    /// Signed by a key that the issuer does not publish, under the `kid` of one that it does.
    WrongKey = "wrong-key" => Signature,
    /// Signed by a key that the issuer does not publish, under a `kid` that it does not either.
    UnknownKeyId = "unknown-kid" => UnknownKey,
    /// Signed by the key that the header brings along as `jwk` (RFC 7515 §4.1.3), under the `kid` of one that is published.
    OwnKeyInHeader = "own-key-in-header" => Signature,
    /// The first bit of the signature is the other one.
    BadSignature = "bad-signature" => Signature,
    /// The signature is empty, and the rest as it was.
    EmptySignature = "empty-signature" => Signature,
    /// The claims name somebody else than those that were signed.
    TamperedClaims = "tampered-claims" => Signature,
    /// Another issuer's `iss`.
    WrongIssuer = "wrong-issuer" => Issuer,
    /// Without `iss`.
    MissingIssuer = "missing-issuer" => Issuer,
    /// For another audience.
    WrongAudience = "wrong-audience" => Audience,
    /// Without `aud`.
    MissingAudience = "missing-audience" => Audience,
    /// `exp` was an hour ago.
    Expired = "expired" => Expired,
    /// Without `exp`.
    MissingExpiration = "missing-exp" => MissingClaim,
    /// `exp` is a text.
    TextualExpiration = "textual-exp" => InvalidClaim,
    /// `nbf` is in an hour.
    NotYetValid = "not-yet-valid" => NotYetValid,
    /// `iat` is in an hour.
    IssuedInFuture = "issued-in-future" => IssuedInFuture,
    /// Bound to a holder (`cnf`, RFC 7800), which a mere bearer has not shown to be.
    HolderBound = "holder-bound" => Confirmation,
    /// A Security Event Token (RFC 8417): a logout token, say.
    SecurityEvent = "security-event" => SecurityEvent,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Broken {
    /// The HTTP status of a correct answer to a request that carries it.
    #[must_use]
    pub fn status(self) -> u16 {
        Reason::Rejected(self.rejection()).status()
    }

    pub(super) fn breaks(self, token: TestToken) -> String {
        let key = token.issuer.signing_key();
        let (header, claims) = (token.header_text(&key), token.claims_text());
        let now = token.issuer.now();
        let unsigned = |algorithm: &str| {
            let header = token.clone().header("alg", algorithm).header_text(&key);
            format!("{}.{}.", encode(header), encode(&claims))
        };
        match self {
            Self::Garbage => "garbage".to_owned(),
            Self::OnlyDots => "..".to_owned(),
            Self::TwoParts => format!("{}.{}", encode(header), encode(claims)),
            Self::FiveParts => format!("{}..{}.{}.{}", encode(header), encode("iv"), encode(claims), encode("tag")),
            Self::Oversize => token.claim("padding", "a".repeat(MAX_BYTES)).sign(),
            Self::NonCanonical => non_canonical(&header, claims, &key),
            Self::DuplicateHeader => join(&twice("alg", "none", &header), &claims, &key),
            Self::DuplicateClaim => join(&header, &twice("sub", "somebody else", &claims), &key),
            Self::ClaimsAreAList => join(&header, &format!("[{claims}]"), &key),
            Self::AlgorithmNone => unsigned("none"),
            Self::AlgorithmNoneInOddCase => unsigned("nOnE"),
            Self::AlgorithmConfused => confused(&token, &key),
            Self::UnknownAlgorithm => token.header("alg", "XS256").sign(),
            Self::CriticalHeader => token.header("crit", ["x-unheard-of"]).header("x-unheard-of", true).sign(),
            Self::EmptyCriticalHeader => token.header("crit", json!([])).sign(),
            Self::ForeignType => token.token_type("dpop+jwt").sign(),
            Self::WrongKey => join(&header, &claims, &token.issuer.stranger()),
            Self::UnknownKeyId => {
                let stranger = token.issuer.stranger();
                join(&token.header("kid", "unheard-of").header_text(&key), &claims, &stranger)
            }
            Self::OwnKeyInHeader => {
                let stranger = token.issuer.stranger();
                let own = stranger.verifying_key().jwk().map(|jwk| json!(jwk));
                // What a shared secret looks like there.
                let own = own.unwrap_or_else(|| json!({ "kty": "oct", "k": encode([0; 64]) }));
                join(&token.header("jwk", own).header_text(&key), &claims, &stranger)
            }
            Self::BadSignature => {
                let good = token.sign();
                let at = good.rfind('.').map_or(0, |dot| dot + 1);
                let first = if good[at..].starts_with('A') { "g" } else { "A" };
                format!("{}{first}{}", &good[..at], &good[at + 1..])
            }
            Self::EmptySignature => format!("{}.{}.", encode(header), encode(claims)),
            Self::TamperedClaims => {
                let good = token.sign();
                let signature = good.rsplit('.').next().unwrap_or_default();
                let claims = token.claim("sub", "somebody else").claims_text();
                format!("{}.{}.{signature}", encode(header), encode(claims))
            }
            Self::WrongIssuer => token.claim("iss", "https://elsewhere.example/").sign(),
            Self::MissingIssuer => token.without("iss").sign(),
            Self::WrongAudience => token.audience("somewhere-else").sign(),
            Self::MissingAudience => token.without("aud").sign(),
            Self::Expired => {
                token.claim("iat", now.saturating_sub(2 * FAR)).claim("exp", now.saturating_sub(FAR)).sign()
            }
            Self::MissingExpiration => token.without("exp").sign(),
            Self::TextualExpiration => token.claim("exp", (now + FAR).to_string()).sign(),
            Self::NotYetValid => token.claim("nbf", now + FAR).claim("exp", now + 2 * FAR).sign(),
            Self::IssuedInFuture => token.claim("iat", now + FAR).claim("exp", now + 2 * FAR).sign(),
            Self::HolderBound => token.claim("cnf", json!({ "jkt": encode([7; 32]) })).sign(),
            Self::SecurityEvent => {
                let event = "http://schemas.openid.net/event/backchannel-logout";
                token.claim("events", json!({ event: {} })).sign()
            }
        }
    }
}

/// The same object with one more member in front.
fn twice(name: &str, value: &str, object: &str) -> String {
    format!("{{\"{name}\":\"{value}\",{}", &object[1..])
}

/// One bit beside the claims, where no bit of theirs is. What is signed is that spelling.
fn non_canonical(header: &str, mut claims: String, key: &SigningKey) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // One octet in the last group: of its second letter four bits are unused, and zero.
    while claims.len() % 3 != 1 {
        claims.push(' ');
    }
    let mut claims = encode(claims);
    let last = claims.pop().expect("a letter");
    let at = LETTERS.iter().position(|letter| char::from(*letter) == last).expect("a letter of base64url");
    claims.push(LETTERS[at + 1].into());
    attach(format!("{}.{claims}", encode(header)), key)
}

fn confused(token: &TestToken, key: &SigningKey) -> String {
    let claims = token.claims_text();
    if key.algorithm().is_symmetric() {
        return join(&token.clone().header("alg", "RS256").header_text(key), &claims, key);
    }
    let header = token.clone().header("alg", "HS256").header_text(key);
    let input = format!("{}.{}", encode(header), encode(claims));
    let public = key.verifying_key();
    let public = public.to_spki_pem().map(String::into_bytes).unwrap_or_else(|_| format!("{public:?}").into_bytes());
    // `SigningKey::from_secret` knows better than to take the text of a key.
    let secret = PrivateMaterial::Secret(Secret::new(public));
    let backend = default_backend().expect("a backend");
    let hmac = backend.signer(Algorithm::HS256, &secret).expect("an HMAC").signer;
    let signature = hmac.sign(input.as_bytes()).expect("an HMAC");
    format!("{input}.{}", encode(signature))
}

use super::{Broken, TestIssuer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::SigningKey;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A token of a [`TestIssuer`], before it is signed. Nothing is checked: what no verifier takes can be written as well.
///
/// It has `iss`, `aud`, `sub`, `iat`, `exp` after the issuer's lifetime, and a `jti` of its own; of the header `alg`, `kid`, and
/// `typ` as `JWT`.
///
/// ```
/// use countersign::request::Credential;
/// use countersign::verify::TokenVerifier;
/// use countersign_testkit::issuer::TestIssuer;
/// use std::time::Duration;
///
/// let issuer = TestIssuer::new();
/// let token = issuer
///     .subject("ada")
///     .role("editor")
///     .scope("posts:read")
///     .scope("posts:write")
///     .claim("tenant", 7)
///     .lifetime(Duration::from_secs(60))
///     .sign();
/// let verdict = issuer.verifier().verify_now(&Credential::new("Bearer", &token));
/// let verified = verdict.expect("from memory")?;
/// assert!(verified.has_scope("posts:write"));
/// # Ok::<(), countersign::verify::VerifyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TestToken {
    pub(super) issuer: TestIssuer,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

impl TestToken {
    pub(super) fn new(issuer: &TestIssuer, subject: &str) -> Self {
        let (now, lifetime) = (issuer.now(), issuer.0.lifetime.as_secs());
        let token = Self { issuer: issuer.clone(), header: Map::new(), claims: Map::new() };
        token
            .claim("iss", issuer.issuer())
            .claim("aud", issuer.audience())
            .claim("sub", subject)
            .claim("iat", now)
            .claim("exp", now + lifetime)
            .claim("jti", format!("token-{}", issuer.0.tokens.fetch_add(1, Ordering::Relaxed) + 1))
    }

    /// One more name in `roles`, which is a list.
    ///
    /// # Panics
    /// Where another value was [given](Self::claim) it.
    pub fn role(self, name: &str) -> Self {
        self.listed("roles", name)
    }

    /// One more name in `permissions`, which is a list.
    ///
    /// # Panics
    /// Where another value was [given](Self::claim) it.
    pub fn permission(self, name: &str) -> Self {
        self.listed("permissions", name)
    }

    /// One more name in `scope`, behind a space (RFC 8693 §4.2).
    pub fn scope(self, name: &str) -> Self {
        let scope = match self.claims.get("scope").and_then(Value::as_str) {
            Some(names) => format!("{names} {name}"),
            None => name.to_owned(),
        };
        self.claim("scope", scope)
    }

    /// Another `aud`.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Another `exp`: this long after the issuer's time.
    pub fn lifetime(self, lifetime: Duration) -> Self {
        let now = self.issuer.now();
        self.claim("exp", now + lifetime.as_secs())
    }

    /// `nbf`: this long after the issuer's time.
    pub fn not_before(self, delay: Duration) -> Self {
        let now = self.issuer.now();
        self.claim("nbf", now + delay.as_secs())
    }

    /// Another `jti`, for revocation.
    pub fn token_id(self, token_id: &str) -> Self {
        self.claim("jti", token_id)
    }

    /// A claim, registered or not, instead of any that has this name.
    ///
    /// # Panics
    /// Where the value cannot be written as JSON.
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        self.claims.insert(name.to_owned(), serde_json::to_value(value).expect("JSON"));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Another `typ`: `at+jwt` for access tokens (RFC 9068 §2.1).
    pub fn token_type(self, token_type: &str) -> Self {
        self.header("typ", token_type)
    }

    /// A header parameter, instead of any that has this name; `null` leaves it out.
    ///
    /// # Panics
    /// Where the value cannot be written as JSON.
    pub fn header(mut self, name: &str, value: impl Serialize) -> Self {
        self.header.insert(name.to_owned(), serde_json::to_value(value).expect("JSON"));
        self
    }

    /// The token.
    ///
    /// # Panics
    /// Where the key does not sign.
    #[must_use]
    pub fn sign(&self) -> String {
        let key = self.issuer.signing_key();
        join(&self.header_text(&key), &self.claims_text(), &key)
    }

    /// The value of an `Authorization` field: `Bearer …`.
    ///
    /// # Panics
    /// Where the key does not sign.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.sign())
    }

    /// The same token, broken in this way: all else about it is good.
    ///
    /// ```
    /// use countersign_testkit::issuer::{Broken, TestIssuer};
    ///
    /// let issuer = TestIssuer::new();
    /// let expired = issuer.subject("ada").scope("posts:write").broken(Broken::Expired);
    /// # let _ = expired;
    /// ```
    ///
    /// # Panics
    /// Where the key does not sign.
    #[must_use]
    pub fn broken(self, how: Broken) -> String {
        how.breaks(self)
    }

    fn listed(mut self, claim: &str, name: &str) -> Self {
        let list = self.claims.entry(claim).or_insert_with(|| json!([]));
        list.as_array_mut().expect("a list").push(name.into());
        self
    }

    pub(super) fn header_text(&self, key: &SigningKey) -> String {
        let mut header = json!({ "alg": key.algorithm().name(), "kid": key.key_id(), "typ": "JWT" });
        let members = header.as_object_mut().expect("an object");
        members.extend(self.header.clone());
        members.retain(|_, value| !value.is_null());
        header.to_string()
    }

    pub(super) fn claims_text(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }
}

pub(super) fn encode(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// A token of these texts.
pub(super) fn join(header: &str, claims: &str, key: &SigningKey) -> String {
    attach(format!("{}.{}", encode(header), encode(claims)), key)
}

/// A token whose first two parts are these.
pub(super) fn attach(input: String, key: &SigningKey) -> String {
    let signature = key.sign(input.as_bytes()).expect("a signature");
    format!("{input}.{}", encode(signature))
}

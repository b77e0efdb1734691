//! Keys and tokens.
//!
//! The small token is 375 bytes long under HS256, and 674 under RS256; the large one 2 048 bytes under HS256.

use countersign::crypto::RsaSize;
use countersign::jws::{self, Header};
use countersign::{Algorithm, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://issuer.example/";
pub(crate) const AUDIENCE: &str = "my-api";
pub(crate) const EXPIRES: u64 = 4_000_000_000;
/// Ten, of which the last but four signs.
pub(crate) const KEY_IDS: [&str; 10] =
    ["key-0", "key-1", "key-2", "key-3", "key-4", "key-5", "key-6", "key-7", "key-8", "key-9"];
pub(crate) const SIGNS: &str = KEY_IDS[5];

/// What a handler wants of the claims.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Me {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) scope: String,
    #[serde(default)]
    pub(crate) permissions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alg {
    HS256,
    RS256,
    ES256,
    EdDSA,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Small,
    Large,
}

impl Alg {
    pub(crate) const ALL: [Self; 4] = [Self::HS256, Self::RS256, Self::ES256, Self::EdDSA];

    pub(crate) fn name(self) -> &'static str {
        self.algorithm().name()
    }

    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::HS256 => Algorithm::HS256,
            Self::RS256 => Algorithm::RS256,
            Self::ES256 => Algorithm::ES256,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }

    pub(crate) fn of_size(self, size: Size) -> String {
        let size = if size == Size::Small { "small" } else { "2 KB" };
        format!("{}, {size}", self.name())
    }
}

pub(crate) struct Fixture {
    pub(crate) alg: Alg,
    pub(crate) key: SigningKey,
    /// The secret of HS256.
    pub(crate) secret: [u8; 32],
}

impl Fixture {
    pub(crate) fn new(alg: Alg) -> Self {
        let secret = [7; 32];
        let key = match alg {
            Alg::HS256 => SigningKey::from_secret(Algorithm::HS256, secret),
            Alg::RS256 => SigningKey::generate_rsa(Algorithm::RS256, RsaSize::Bits2048),
            Alg::ES256 | Alg::EdDSA => SigningKey::generate(alg.algorithm()),
        };
        let key = key.and_then(|key| key.with_key_id(SIGNS)).expect("a key");
        let fixture = Self { alg, key, secret };
        if alg == Alg::HS256 {
            assert_eq!((fixture.small().len(), fixture.token(Size::Large).len()), (375, 2_048));
        }
        fixture
    }

    pub(crate) fn named(&self, size: Size) -> String {
        self.alg.of_size(size)
    }

    pub(crate) fn public_pem(&self) -> String {
        self.key.verifying_key().to_spki_pem().expect("a public key")
    }

    pub(crate) fn private_pem(&self) -> String {
        self.key.to_pkcs8_pem().expect("a private key").to_string()
    }

    pub(crate) fn token(&self, size: Size) -> String {
        self.sign(&self.key, &claims(size))
    }

    pub(crate) fn small(&self) -> String {
        self.token(Size::Small)
    }

    pub(crate) fn small_of(&self, issuer: &str) -> String {
        let mut claims = claims(Size::Small);
        claims["iss"] = issuer.into();
        self.sign(&self.key, &claims)
    }

    pub(crate) fn unknown_key(&self) -> String {
        let key = self.key.clone().with_key_id("key-X").expect("a key id");
        self.sign(&key, &claims(Size::Small))
    }

    pub(crate) fn expired(&self) -> String {
        let mut claims = claims(Size::Small);
        claims["exp"] = 1_600_000_000_u64.into();
        self.sign(&self.key, &claims)
    }

    /// With another's signature.
    pub(crate) fn tampered(&self) -> String {
        let (token, other) = (self.small(), self.expired());
        let (signed, _) = token.rsplit_once('.').expect("a token");
        let (_, signature) = other.rsplit_once('.').expect("a token");
        format!("{signed}.{signature}")
    }

    fn sign(&self, key: &SigningKey, claims: &Value) -> String {
        let payload = serde_json::to_vec(claims).expect("claims");
        jws::sign(key, &Header::new(key).with_type("JWT"), &payload).expect("a token")
    }
}

pub(crate) fn me(size: Size) -> Me {
    let permissions = match size {
        Size::Small => Vec::new(),
        Size::Large => (0..50).map(|n| format!("resource-{n:02}:read-write")).collect(),
    };
    let name = if size == Size::Small { "Ada Lovelace, Countess." } else { "Ada Lovelace" };
    Me { name: name.into(), email: "ada@example.com".into(), scope: "posts:read posts:write".into(), permissions }
}

pub(crate) fn claims(size: Size) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "5f2a7c1e-0b7d-4c51-9a52", "exp": EXPIRES, "iat": 1_700_000_000,
    });
    let Ok(Value::Object(own)) = serde_json::to_value(me(size)) else { unreachable!("an object") };
    for (name, value) in own {
        if value != json!([]) {
            claims[name] = value;
        }
    }
    claims
}

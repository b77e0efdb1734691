//! Keys and tokens.
//!
//! The small token is 375 bytes long under HS256, and 674 under RS256; the large one 2 048 bytes under HS256.

use countersign::jws::{self, Header};
use countersign::{Algorithm, SigningKey};
use jwt_simple::algorithms::RS256KeyPair;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) const ISSUER: &str = "https://issuer.example/";
pub(super) const AUDIENCE: &str = "my-api";
pub(super) const EXPIRES: u64 = 4_000_000_000;
/// Ten, of which the last but four signs.
pub(super) const KEY_IDS: [&str; 10] =
    ["key-0", "key-1", "key-2", "key-3", "key-4", "key-5", "key-6", "key-7", "key-8", "key-9"];
const SIGNS: &str = KEY_IDS[5];

/// What a handler wants of the claims.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Me {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) scope: String,
    #[serde(default)]
    pub(super) permissions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alg {
    HS256,
    RS256,
    ES256,
    EdDSA,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Large,
}

impl Alg {
    pub(super) const ALL: [Self; 4] = [Self::HS256, Self::RS256, Self::ES256, Self::EdDSA];

    pub(super) fn name(self) -> &'static str {
        self.algorithm().name()
    }

    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::HS256 => Algorithm::HS256,
            Self::RS256 => Algorithm::RS256,
            Self::ES256 => Algorithm::ES256,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }

    pub(super) fn of_size(self, size: Size) -> String {
        let size = if size == Size::Small { "small" } else { "2 KB" };
        format!("{}, {size}", self.name())
    }
}

pub(super) struct Fixture {
    pub(super) alg: Alg,
    pub(super) key: SigningKey,
    /// The secret of HS256.
    pub(super) secret: [u8; 32],
}

impl Fixture {
    pub(super) fn new(alg: Alg) -> Self {
        let secret = [7; 32];
        let key = match alg {
            Alg::HS256 => SigningKey::from_secret(Algorithm::HS256, secret),
            Alg::RS256 => {
                // ring generates no RSA keys.
                let pem = RS256KeyPair::generate(2048).and_then(|pair| pair.to_pem()).expect("an RSA key");
                SigningKey::from_pem(Algorithm::RS256, pem)
            }
            Alg::ES256 | Alg::EdDSA => SigningKey::generate(alg.algorithm()),
        };
        let key = key.and_then(|key| key.with_key_id(SIGNS)).expect("a key");
        let fixture = Self { alg, key, secret };
        if alg == Alg::HS256 {
            assert_eq!((fixture.small().len(), fixture.token(Size::Large).len()), (375, 2_048));
        }
        fixture
    }

    pub(super) fn named(&self, size: Size) -> String {
        self.alg.of_size(size)
    }

    pub(super) fn public_pem(&self) -> String {
        self.key.verifying_key().to_spki_pem().expect("a public key")
    }

    pub(super) fn private_pem(&self) -> String {
        self.key.to_pkcs8_pem().expect("a private key").to_string()
    }

    pub(super) fn token(&self, size: Size) -> String {
        self.sign(&self.key, &claims(size))
    }

    pub(super) fn small(&self) -> String {
        self.token(Size::Small)
    }

    pub(super) fn from_issuer(&self, issuer: &str) -> String {
        let mut claims = claims(Size::Small);
        claims["iss"] = issuer.into();
        self.sign(&self.key, &claims)
    }

    pub(super) fn unknown_key(&self) -> String {
        let key = self.key.clone().with_key_id("key-X").expect("a key id");
        self.sign(&key, &claims(Size::Small))
    }

    pub(super) fn expired(&self) -> String {
        let mut claims = claims(Size::Small);
        claims["exp"] = 1_600_000_000_u64.into();
        self.sign(&self.key, &claims)
    }

    /// With another's signature.
    pub(super) fn tampered(&self) -> String {
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

pub(super) fn me(size: Size) -> Me {
    let permissions = match size {
        Size::Small => Vec::new(),
        Size::Large => (0..50).map(|n| format!("resource-{n:02}:read-write")).collect(),
    };
    let name = if size == Size::Small { "Ada Lovelace, Countess." } else { "Ada Lovelace" };
    Me { name: name.into(), email: "ada@example.com".into(), scope: "posts:read posts:write".into(), permissions }
}

pub(super) fn claims(size: Size) -> Value {
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

use super::{AUDIENCE, Answer};
use countersign::clock::{Clock, SystemClock};
use countersign::crypto::{Backend, Ring};
use countersign::issue::{IssueError, JwtSigner};
use countersign::jwk::JwkSet;
use countersign::keys::KeyError;
use countersign::{Algorithm, SigningKey};
use serde::Deserialize;
use serde_json::json;
use std::time::UNIX_EPOCH;

/// ring makes no RSA keys, so the demo brings one. Everybody knows it: it protects nothing.
const DEMO_RSA_KEY: &str = include_str!("demo-rsa.pem");

const LIFETIME: i64 = 600;
const LONGEST_LIFETIME: i64 = 86_400;

/// Logs users in without asking for a password, signs their tokens, and publishes its keys.
#[derive(Debug)]
pub struct DemoIssuer {
    url: String,
    rs256: JwtSigner,
    es256: JwtSigner,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    user: String,
    #[serde(default = "default_lifetime")]
    lifetime: i64,
    #[serde(default = "default_audience")]
    audience: String,
}

fn default_lifetime() -> i64 {
    LIFETIME
}

fn default_audience() -> String {
    AUDIENCE.to_owned()
}

impl DemoIssuer {
    /// An issuer that is reached at `url`.
    ///
    /// # Errors
    /// [`KeyError`] when a key cannot be made.
    pub fn new(url: impl Into<String>) -> Result<Self, KeyError> {
        let rs256 = SigningKey::from_pem(Algorithm::RS256, DEMO_RSA_KEY)?.with_key_id("demo-rs256")?;
        let es256 = SigningKey::generate(Algorithm::ES256)?.with_key_id("demo-es256")?;
        let signer = |key| JwtSigner::new(key).token_type("at+jwt");
        Ok(Self { url: url.into(), rs256: signer(rs256), es256: signer(es256) })
    }

    /// Where it is reached: its `iss`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `GET /.well-known/jwks.json`
    #[must_use]
    pub fn jwks(&self) -> Answer {
        let keys = [&self.rs256, &self.es256];
        let set: JwkSet = keys.into_iter().filter_map(|signer| signer.key().verifying_key().jwk()).collect();
        Answer::json(200, &set)
    }

    /// `GET /.well-known/openid-configuration`
    #[must_use]
    pub fn metadata(&self) -> Answer {
        Answer::json(
            200,
            &json!({
                "issuer": self.url,
                "jwks_uri": format!("{}/.well-known/jwks.json", self.url),
                "id_token_signing_alg_values_supported": ["RS256", "ES256"],
                "response_types_supported": [],
                "subject_types_supported": ["public"],
            }),
        )
    }

    /// `POST /login` with `{"user": …}`, and optionally a `lifetime` in seconds and an `audience`.
    #[must_use]
    pub fn login(&self, body: &[u8]) -> Answer {
        let Ok(login) = serde_json::from_slice::<Login>(body) else {
            return Answer::error(400, "the body is not {\"user\": …, \"lifetime\": …, \"audience\": …} in JSON");
        };
        let Some(role) = role_of(&login.user) else {
            return Answer::error(401, "unknown user").with("www-authenticate", "Bearer realm=\"quickstart\"");
        };
        if !(-LONGEST_LIFETIME..=LONGEST_LIFETIME).contains(&login.lifetime) {
            return Answer::error(400, "the lifetime is not between -86400 and 86400 seconds");
        }
        match self.token(&login.user, role, login.lifetime, &login.audience) {
            Ok(token) => Answer::json(
                200,
                &json!({ "access_token": token, "token_type": "Bearer", "expires_in": login.lifetime }),
            )
            .with("cache-control", "no-store"),
            Err(_) => Answer::error(500, "no token could be made"),
        }
    }

    /// A token for a user with one role. The reader's are signed with ES256, all others with RS256.
    ///
    /// # Errors
    /// [`IssueError`] when the backend cannot sign.
    pub fn token(&self, user: &str, role: &str, lifetime: i64, audience: &str) -> Result<String, IssueError> {
        let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed();
        let mut token_id = [0; 16];
        Ring.random(&mut token_id)?;
        let signer = if user == "reader" { &self.es256 } else { &self.rs256 };
        signer.sign(&json!({
            "iss": self.url,
            "aud": audience,
            "sub": user,
            "roles": [role],
            "iat": now + lifetime.min(0),
            "exp": now + lifetime,
            "jti": token_id.map(|octet| format!("{octet:02x}")).concat(),
        }))
    }
}

fn role_of(user: &str) -> Option<&'static str> {
    ["admin", "reader", "writer"].into_iter().find(|role| *role == user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(body: &str) -> u16 {
        DemoIssuer::new("http://127.0.0.1:3000").expect("an issuer").login(body.as_bytes()).status
    }

    #[test]
    fn logins_are_answered_by_what_they_ask_for() {
        let cases = [
            (r#"{"user":"admin"}"#, 200),
            (r#"{"user":"reader","lifetime":-86400,"audience":"other"}"#, 200),
            (r#"{"user":"writer","lifetime":86400}"#, 200),
            (r#"{"user":"nobody"}"#, 401),
            (r#"{"user":"Admin"}"#, 401),
            (r#"{"user":"nobody","lifetime":86401}"#, 401),
            (r#"{"user":"admin","lifetime":86401}"#, 400),
            (r#"{"user":"admin","lifetime":-86401}"#, 400),
            (r#"{"user":"admin","lifetime":1.5}"#, 400),
            (r#"{"user":"admin","lifetime":"600"}"#, 400),
            (r#"{"user":"admin","lifetime":1e400}"#, 400),
            (r#"{"user":"admin","user":"reader"}"#, 400),
            (r#"{"user":"admin","role":"admin"}"#, 400),
            (r#"{"user":7}"#, 400),
            (r#"{}"#, 400),
            ("", 400),
            ("user=admin", 400),
        ];
        for (body, expected) in cases {
            assert_eq!(status(body), expected, "{body}");
        }
    }
}

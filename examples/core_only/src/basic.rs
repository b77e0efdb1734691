//! User-ids and passwords, RFC 7617: a [`TokenVerifier`].

use countersign::crypto::{Backend, Ring};
use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::secret::Secret;
use countersign::verify::{TokenVerifier, VerifyError};
use countersign::{ConfigError, VerifiedToken, async_trait};
use std::collections::BTreeMap;

/// Checks the Basic credentials of a handful of accounts, those of other programs, say.
///
/// Kept is a digest under a random salt, made at start, and never the password; it is a fast one, so give it
/// generated passwords. What people choose for themselves belongs behind a slow hash and a limit on attempts.
/// Octets are compared as they come, without Unicode normalization.
#[derive(Debug)]
pub struct BasicVerifier {
    issuer: String,
    salt: Secret,
    accounts: Vec<Account>,
}

#[derive(Debug)]
struct Account {
    digest: Secret,
    token: VerifiedToken,
}

impl BasicVerifier {
    /// A verifier without accounts, which vouches in the name of `issuer`.
    ///
    /// # Errors
    /// [`ConfigError`] when the system has no random octets to give.
    pub fn new(issuer: impl Into<String>) -> Result<Self, ConfigError> {
        let mut salt = [0; 32];
        Ring.random(&mut salt).map_err(|_| ConfigError::new("salt", "the random source failed"))?;
        Ok(Self { issuer: issuer.into(), salt: Secret::new(salt), accounts: Vec::new() })
    }

    /// An account, and the scopes that it has, separated by spaces. Said twice with different passwords, both
    /// are good: that is how a password is changed without an outage.
    ///
    /// The token that it becomes has the user-id as `sub` and as `jti`: an account is one session that lasts.
    ///
    /// # Errors
    /// [`ConfigError`] for what no client could send (RFC 7617 §2), and for an empty user-id or password.
    pub fn account(mut self, user_id: &str, password: &Secret, scope: &str) -> Result<Self, ConfigError> {
        let pair = Secret::new([user_id.as_bytes(), b":", password.expose()].concat());
        if user_id.is_empty() || user_id.contains(':') || password.expose().is_empty() || !is_pair(&pair) {
            return Err(ConfigError::new("account", "a user-id or a password that cannot be sent"));
        }
        let claims = [("iss", self.issuer.as_str()), ("sub", user_id), ("jti", user_id), ("scope", scope)];
        let token = VerifiedToken::vouched(&BTreeMap::from(claims))
            .map_err(|_| ConfigError::new("account", "claims that cannot be written"))?;
        self.accounts.push(Account { digest: self.digest(&pair), token });
        Ok(self)
    }

    /// Of the same length for every pair, so that comparing it takes the same time, too.
    fn digest(&self, pair: &Secret) -> Secret {
        Secret::new(Ring.sha256(&[self.salt.expose(), pair.expose()]))
    }

    fn judge(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        let pair = decode(credential.expose()).map(Secret::new).filter(is_pair).ok_or(Rejection::Malformed)?;
        let digest = self.digest(&pair);
        // All accounts are compared, by user-id and password at once: that there is no such user takes as
        // long to find out as that the password is wrong.
        let found = self
            .accounts
            .iter()
            .fold(None, |found, account| if account.digest.matches(digest.expose()) { Some(account) } else { found });
        Ok(found.ok_or(Rejection::Credentials)?.token.clone())
    }
}

#[async_trait]
impl TokenVerifier for BasicVerifier {
    fn verify_now(&self, credential: &Credential<'_>) -> Option<Result<VerifiedToken, VerifyError>> {
        Some(self.judge(credential))
    }

    async fn verify(&self, credential: &Credential<'_>) -> Result<VerifiedToken, VerifyError> {
        self.judge(credential)
    }
}

/// UTF-8 with a colon and without control characters (RFC 7617 §2).
fn is_pair(pair: &Secret) -> bool {
    let is_pair = |text: &str| text.contains(':') && !text.contains(|c: char| c.is_ascii_control());
    std::str::from_utf8(pair.expose()).is_ok_and(is_pair)
}

/// Base64 (RFC 4648 §4) in its one canonical spelling: padded, and with no bit set that stands for nothing.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    let (mut rest, mut bits) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (rest, bits) = (rest << 6 | u32::from(value), bits + 6);
        if bits >= 8 {
            bits -= 8;
            octets.push(u8::try_from(rest >> bits).ok()?);
            rest &= (1 << bits) - 1;
        }
    }
    (rest == 0).then_some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier() -> BasicVerifier {
        BasicVerifier::new("me")
            .and_then(|basic| basic.account("Aladdin", &Secret::new("open sesame"), "caves:open"))
            .and_then(|basic| basic.account("test", &Secret::new("123£"), ""))
            .and_then(|basic| basic.account("test", &Secret::new("4:5"), ""))
            .expect("accounts")
    }

    fn outcome(text: &str) -> Result<String, Rejection> {
        match verifier().verify_now(&Credential::new("Basic", text)).expect("an answer from memory") {
            Ok(token) => Ok(token.subject().unwrap_or_default().to_owned()),
            Err(VerifyError::Rejected(rejection)) => Err(rejection),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn credentials_are_read_as_rfc_7617_writes_them() {
        let (wrong, malformed) = (Err(Rejection::Credentials), Err(Rejection::Malformed));
        for (text, expected, what) in [
            ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Ok("Aladdin"), "the example of §2"),
            ("dGVzdDoxMjPCow==", Ok("test"), "the example of §2.1"),
            ("dGVzdDo0OjU=", Ok("test"), "a colon in the password"),
            ("QWxhZGRpbjpvcGVuIHNlc2Ft", wrong, "Aladdin:open sesam"),
            ("YWxhZGRpbjpvcGVuIHNlc2FtZQ==", wrong, "aladdin:open sesame"),
            ("Ojo=", wrong, "::"),
            ("dGVzdDo=", wrong, "test:"),
            ("dGVzdA==", malformed, "test, without a colon"),
            ("dGVzdDoxMjOj", malformed, "test:123£ in Latin-1"),
            ("dGVzdDoxMjMK", malformed, "a line feed at the end"),
            ("dGVzdDoA", malformed, "a NUL"),
            ("", malformed, "nothing"),
            ("====", malformed, "padding alone"),
            ("dGVzdDo0OjU", malformed, "without padding"),
            ("dGVzdDo0OjV=", malformed, "a bit that stands for nothing"),
            ("dGVzdDo0OjU=====", malformed, "too much padding"),
            ("dGVz=DoxMjM", malformed, "padding in the middle"),
            ("dGVzdDoxMj-_", malformed, "base64url"),
            ("dGVzdDo 0OjU", malformed, "white space"),
        ] {
            assert_eq!(outcome(text), expected.map(str::to_owned), "{what}");
        }
    }

    #[test]
    fn accounts_that_no_client_could_name_are_refused() {
        for (user_id, password) in [("", "p"), ("u", ""), ("u:", "p"), ("u\n", "p"), ("u", "\u{7f}")] {
            let refused = BasicVerifier::new("me").expect("salt").account(user_id, &Secret::new(password), "");
            assert_eq!(refused.unwrap_err().setting(), "account", "{user_id:?} {password:?}");
        }
        let latin_1 = Secret::new([0xa3]);
        assert!(BasicVerifier::new("me").expect("salt").account("u", &latin_1, "").is_err());
    }

    #[test]
    fn a_digest_tells_nothing_beyond_its_process() {
        let pair = Secret::new("Aladdin:open sesame");
        assert!(!verifier().digest(&pair).matches(verifier().digest(&pair).expose()));
    }

    #[test]
    fn neither_passwords_nor_their_digests_are_shown() {
        let shown = format!("{:?}", verifier());
        assert!(!shown.contains("sesame") && !shown.contains("Aladdin"), "{shown}");
        assert_eq!(shown.matches("Secret(…)").count(), 4, "{shown}");
    }
}

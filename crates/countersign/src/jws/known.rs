//! Headers that need not be read again.

use super::Header;
use crate::key::{KeyLife, VerifyingKey};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;

/// More are not remembered: an issuer writes one header for each of its keys.
const MOST: usize = 8;

/// The headers of tokens whose signature stood, by their text, as long as the keys live that vouched for them.
///
/// What a header says follows from its text under one [`Policy`](super::Policy), which is the verifier's. Nothing is
/// trusted for being remembered: the rules, the key and the signature are asked each time. Strangers fill no place,
/// because they have no signature. Reading takes no lock.
#[derive(Default)]
pub(crate) struct KnownHeaders(ArcSwap<Vec<Known>>);

#[derive(Clone)]
struct Known {
    protected: Arc<str>,
    header: Arc<Header>,
    key: KeyLife,
}

impl KnownHeaders {
    pub(super) fn find(&self, protected: &str) -> Option<Arc<Header>> {
        let known = self.0.load();
        let found = known.iter().find(|known| *known.protected == *protected && !known.key.is_over())?;
        Some(Arc::clone(&found.header))
    }

    /// Remembers the header of a token that `key` has verified.
    pub(super) fn remember(&self, protected: &str, header: &Header, key: &VerifyingKey) {
        let Some(key) = key.life() else { return };
        let has_room = |known: &[Known]| known.iter().filter(|known| !known.key.is_over()).count() < MOST;
        if !has_room(&self.0.load()) {
            return;
        }
        let known = Known { protected: protected.into(), header: Arc::new(header.clone()), key };
        self.0.rcu(|before| {
            let others = before.iter().filter(|other| !other.key.is_over() && other.protected != known.protected);
            let mut after: Vec<_> = others.cloned().collect();
            if after.len() < MOST {
                after.push(known.clone());
            }
            after
        });
    }
}

/// Shows how many there are: what they say is the senders' text.
impl fmt::Debug for KnownHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} headers", self.0.load().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alg::Algorithm;
    use crate::jws::{Compact, Policy};
    use crate::key::SigningKey;

    fn key() -> SigningKey {
        SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a key")
    }

    fn token(key: &SigningKey, kind: &str) -> String {
        crate::jws::sign(key, &Header::new(key).with_type(kind), b"{}").expect("a token")
    }

    fn parse<'t>(token: &'t str, known: &KnownHeaders) -> Compact<'t> {
        Compact::parse_jwt(token, &Policy::new(), Some(known), |_| Ok(())).expect("well-formed")
    }

    fn protected(token: &str) -> &str {
        token.split('.').next().unwrap_or_default()
    }

    #[test]
    fn a_header_is_remembered_after_its_signature_and_while_its_key_lives() {
        let (known, held) = (KnownHeaders::default(), key());
        let good = token(&held, "a");
        let bad = format!("{}x.{}", protected(&good), good.split_once('.').expect("a token").1);
        assert!(Compact::parse_jwt(&bad, &Policy::new(), Some(&known), |_| Ok(())).is_err());
        parse(&good, &known);
        assert!(known.find(protected(&good)).is_none(), "nothing has been verified");

        let compact = parse(&good, &known);
        let fresh = compact.header().clone();
        compact.remember(&known, &held.verifying_key().clone());
        assert_eq!(known.find(protected(&good)).as_deref(), Some(&fresh));
        assert_eq!(parse(&good, &known).header(), &fresh, "the same is read from memory");
        assert!(known.find(protected(&token(&held, "b"))).is_none(), "another text is another header");

        drop(held);
        assert!(known.find(protected(&good)).is_none(), "gone with its key");
        let next = key();
        parse(&good, &known).remember(&known, &next.verifying_key().clone());
        assert!(known.find(protected(&good)).is_some());
        assert_eq!(format!("{known:?}"), "1 headers", "the other's place is free");
    }

    #[test]
    fn there_are_a_few_and_the_first_stay() {
        let (known, held) = (KnownHeaders::default(), key());
        let tokens: Vec<_> = (0..MOST + 3).map(|n| token(&held, &n.to_string())).collect();
        for token in tokens.iter().chain(&tokens) {
            parse(token, &known).remember(&known, &held.verifying_key().clone());
        }
        let found = tokens.iter().map(|token| known.find(protected(token)).is_some());
        assert!(found.eq((0..MOST + 3).map(|n| n < MOST)));
    }

    #[test]
    fn a_key_that_nobody_else_holds_leaves_no_header() {
        let (known, signing) = (KnownHeaders::default(), key());
        let token = token(&signing, "a");
        let passing = signing.verifying_key().clone().with_key_id("passing").expect("a key id");
        parse(&token, &known).remember(&known, &passing);
        assert_eq!(format!("{known:?}"), "0 headers");
    }
}

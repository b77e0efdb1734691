//! A compact token looked at part by part, past what is wrong with it: for explaining, and never for deciding.

use super::compact::{Parts, decode_header};
use super::header::{Fields, Header};
use super::policy::Policy;
use crate::alg::Algorithm;
use crate::reason::Rejection;
use std::borrow::Cow;

/// What a check has found; `None` where there was nothing to look at.
pub(crate) type Finding = Option<Result<(), Rejection>>;

/// What [`Compact`](super::Compact) looks at, in its order. Each finding stands by itself.
#[derive(Default)]
pub(crate) struct Anatomy {
    pub(crate) size: Finding,
    pub(crate) parts: Finding,
    pub(crate) protected: Finding,
    pub(crate) critical: Finding,
    pub(crate) key_id: Finding,
    pub(crate) algorithm: Option<Result<Algorithm, Rejection>>,
    /// `typ`, of which the token may have none.
    pub(crate) token_type: Option<Option<Cow<'static, str>>>,
    /// Whether payload and signature are base64url.
    pub(crate) encoding: Finding,
    pub(crate) header: Option<Header>,
    /// The payload, be it with padding.
    pub(crate) payload: Option<Vec<u8>>,
}

impl Anatomy {
    pub(crate) fn of(token: &str, policy: &Policy) -> Self {
        let mut found = Self::default();
        let parts = match Parts::split(token, policy.max_bytes) {
            Ok(parts) => parts,
            Err(Rejection::TooLarge) => {
                found.size = Some(Err(Rejection::TooLarge));
                return found;
            }
            Err(rejection) => {
                found.size = Some(Ok(()));
                found.parts = Some(Err(rejection));
                return found;
            }
        };
        (found.size, found.parts) = (Some(Ok(())), Some(Ok(())));
        found.look_at_header(parts.protected, policy);
        found.encoding = Some(policy.decode(parts.payload).and(policy.decode(parts.signature)).map(drop));
        found.payload = policy.clone().danger_padded_base64url().decode(parts.payload).ok();
        found
    }

    fn look_at_header(&mut self, protected: &str, policy: &Policy) {
        let encoding = decode_header(protected, policy).map(drop);
        let fields = decode_header(protected, &policy.clone().danger_padded_base64url())
            .and_then(|json| Fields::read(&json, false));
        let fields = match fields {
            Ok(fields) => fields,
            // The two members whose type has a reason of its own.
            Err(rejection @ Rejection::CriticalHeader) => {
                (self.protected, self.critical) = (Some(encoding), Some(Err(rejection)));
                return;
            }
            Err(rejection @ Rejection::Algorithm) => {
                (self.protected, self.algorithm) = (Some(encoding), Some(Err(rejection)));
                return;
            }
            Err(rejection) => {
                self.protected = Some(encoding.and(Err(rejection)));
                return;
            }
        };
        self.protected = Some(encoding.and(fields.algorithm().map(drop)));
        self.critical = Some(match fields.critical_understood(policy) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Rejection::CriticalHeader),
            Err(rejection) => Err(rejection),
        });
        self.key_id = Some(fields.check_key_id());
        self.token_type = Some(fields.token_type.clone());
        if let Ok(algorithm) = fields.algorithm() {
            self.algorithm = Some(algorithm);
            self.header = algorithm.ok().map(|algorithm| fields.into_header(algorithm));
        }
    }
}

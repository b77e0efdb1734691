//! A guard that asks a revocation log, as a service has one.

use super::*;
use countersign::claims::NumericDate;
use countersign::issue::JwtSigner;
use countersign::request::RequestView;
use countersign::screening::Check;
use countersign::{Guard, JwtVerifier};

pub(super) struct Judge {
    guard: Check,
    key: SigningKey,
}

impl Judge {
    pub(super) fn new(log: Arc<RevocationLog>) -> Self {
        let key = SigningKey::generate(Algorithm::ES256).expect("generate");
        let verifier = JwtVerifier::builder(key.verifying_key().clone()).issuer("a").audience("api");
        let verifier = verifier.clock(FakeClock::at(1_000)).build().expect("a verifier");
        let guard = Guard::builder(verifier).revocation(log).build().expect("a guard");
        Self { guard: guard.check_authenticated(), key }
    }

    /// What a request with this token is answered.
    pub(super) async fn answer(&self, id: &str) -> u16 {
        let claims = json!({"iss": "a", "aud": "api", "exp": NumericDate::from_secs(2_000), "jti": id});
        let token = JwtSigner::new(self.key.clone()).sign(&claims).expect("a token");
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let request = RequestView::new("GET", "/", None, &headers);
        match self.guard.judge(&self.guard.screening(None), &request).await {
            Ok(_) => 200,
            Err(denial) => denial.status(),
        }
    }
}

/// With a revocation log of its own, and a guard that asks it.
pub(super) struct Side {
    pub(super) member: Member,
    judge: Judge,
}

impl Side {
    pub(super) fn new(store: impl CacheStore) -> Self {
        let member = Member::new(store);
        let judge = Judge::new(member.log.clone());
        Self { member, judge }
    }

    pub(super) async fn answer(&self, id: &str) -> u16 {
        self.judge.answer(id).await
    }

    pub(super) async fn says(&self, id: &str, status: u16) {
        insist(async || {
            let _ = self.member.log.poll().await;
            self.member.clock.advance(INTERVAL);
            self.answer(id).await == status
        })
        .await;
    }
}

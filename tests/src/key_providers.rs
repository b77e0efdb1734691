//! The key providers of the house against the rules that any of them keeps.

mod flawed;

use countersign::jwk::JwkSet;
use countersign::provider::{KeyProvider, KeyRequest, KeySet};
use countersign::{Algorithm, VerifyingKey, async_trait};
use countersign_keys::{JwksProvider, StaticKeys};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::conformance::{KeySource, key_provider};
use countersign_testkit::jwks_server::{Answer, JwksServer};
use std::sync::Arc;
use std::time::Duration;

fn document(keys: &[VerifyingKey]) -> String {
    let set: JwkSet = keys.iter().filter_map(VerifyingKey::jwk).collect();
    serde_json::to_string(&set).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_at_hand_keep_the_rules() {
    key_provider().single(async |key| key).await;
    key_provider().fixed(async |keys| KeySet::from_iter(keys)).await;
    key_provider().fixed(async |keys| StaticKeys::from_keys(keys)).await;
    key_provider().fixed(async |keys| StaticKeys::from_jwks(&document(&keys)).expect("a document")).await;
}

#[tokio::test]
async fn what_points_at_a_provider_keeps_the_rules() {
    key_provider().fixed(async |keys| Arc::new(KeySet::from_iter(keys)) as Arc<dyn KeyProvider>).await;
    key_provider().single(async |key| Box::new(key) as Box<dyn KeyProvider>).await;
}

/// A server that publishes, and a provider that looks there.
struct Published {
    server: JwksServer,
    clock: FakeClock,
    keys: Arc<JwksProvider>,
}

impl Published {
    async fn new() -> (Arc<JwksProvider>, Self) {
        let server = JwksServer::start(Answer::new(404)).await;
        let clock = FakeClock::at(1_800_000_000);
        let keys = JwksProvider::url(server.url("/jwks")).allow_http_on_loopback().clock(clock.clone()).build();
        let keys = Arc::new(keys.expect("a provider"));
        (Arc::clone(&keys), Self { server, clock, keys })
    }
}

#[async_trait]
impl KeySource for Published {
    async fn publish(&mut self, keys: Vec<VerifyingKey>) {
        self.server.say(Answer::json(document(&keys)));
        self.server.listen().await;
    }

    async fn go_down(&mut self) {
        self.server.refuse().await;
    }

    /// Past its time to live a set is fetched anew by whoever asks.
    async fn settle(&mut self) {
        self.clock.advance(Duration::from_secs(601));
        let _ = self.keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some("any"))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_an_issuer_publishes_keep_the_rules() {
    key_provider().changing(Published::new).await;
}

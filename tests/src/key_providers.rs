//! The key providers of the house against the rules that any of them keeps.

mod flawed;

use countersign::cache::FleetKey;
use countersign::jwk::JwkSet;
use countersign::provider::{KeyProvider, KeyProviderError, KeyRequest, KeySet, Unavailable};
use countersign::{Algorithm, VerifyingKey, async_trait};
use countersign_cache::MemoryCache;
use countersign_keys::{FailoverKeys, JwksProvider, JwksProviderBuilder, LayeredKeys, StaticKeys};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::conformance::{KeySource, key_provider};
use countersign_testkit::jwks_server::{Answer, JwksServer};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
struct Published<P> {
    server: JwksServer,
    clock: FakeClock,
    keys: Arc<P>,
}

impl<P: KeyProvider> Published<P> {
    /// A provider made of the one that looks at the server.
    async fn new(wrap: impl FnOnce(JwksProvider) -> P) -> (Arc<P>, Self) {
        Self::with(|builder, _| builder, wrap).await
    }

    async fn with(
        settings: impl FnOnce(JwksProviderBuilder, &FakeClock) -> JwksProviderBuilder,
        wrap: impl FnOnce(JwksProvider) -> P,
    ) -> (Arc<P>, Self) {
        let server = JwksServer::start(Answer::new(404)).await;
        let clock = FakeClock::at(1_800_000_000);
        let builder = JwksProvider::url(server.url("/jwks")).allow_http_on_loopback().clock(clock.clone());
        let keys = settings(builder, &clock).build();
        let keys = Arc::new(wrap(keys.expect("a provider")));
        (Arc::clone(&keys), Self { server, clock, keys })
    }
}

#[async_trait]
impl<P: KeyProvider> KeySource for Published<P> {
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
    key_provider().changing(async || Published::new(|keys| keys).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_processes_share_keep_the_rules() {
    let shared = |builder: JwksProviderBuilder, clock: &FakeClock| {
        builder.shared_cache(MemoryCache::with_clock(clock.clone()), FleetKey::new([7; 32]).expect("a key"))
    };
    key_provider().changing(async || Published::with(shared, |keys| keys).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sources_as_one_keep_the_rules() {
    let none = || StaticKeys::from_keys([]);
    key_provider().fixed(async |keys| LayeredKeys::new(none()).then(KeySet::from_iter(keys))).await;
    key_provider().fixed(async |keys| LayeredKeys::new(KeySet::from_iter(keys)).then(none())).await;
    key_provider().fixed(async |keys| FailoverKeys::new(KeySet::from_iter(keys), none())).await;
    let layered = async || Published::new(|keys| LayeredKeys::new(StaticKeys::from_keys([])).then(keys)).await;
    key_provider().changing(layered).await;
    let failing_over = async || Published::new(|keys| FailoverKeys::new(keys, NoCopy)).await;
    key_provider().changing(failing_over).await;
}

/// A second source that cannot be asked either.
#[derive(Debug)]
struct NoCopy;

#[async_trait]
impl KeyProvider for NoCopy {
    async fn key(&self, _: &KeyRequest<'_>) -> Result<VerifyingKey, KeyProviderError> {
        Err(KeyProviderError::Unavailable(Unavailable::default()))
    }
}

/// A file that others replace.
struct Replaced {
    path: PathBuf,
    clock: FakeClock,
    keys: Arc<JwksProvider>,
}

impl Replaced {
    async fn new() -> (Arc<JwksProvider>, Self) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("countersign-replaced-{}-{count}.json", std::process::id()));
        let clock = FakeClock::at(1_800_000_000);
        let keys = Arc::new(JwksProvider::file(&path).clock(clock.clone()).build().expect("a provider"));
        (Arc::clone(&keys), Self { path, clock, keys })
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        // It may be gone: that is how it goes down.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[async_trait]
impl KeySource for Replaced {
    async fn publish(&mut self, keys: Vec<VerifyingKey>) {
        std::fs::write(&self.path, document(&keys)).expect("write");
    }

    async fn go_down(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }

    async fn settle(&mut self) {
        self.clock.advance(Duration::from_secs(61));
        let _ = self.keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some("any"))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_the_rules() {
    key_provider().changing(Replaced::new).await;
}

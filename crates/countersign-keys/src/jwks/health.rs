use countersign::Algorithm;
use serde::{Serialize, Serializer};
use std::error::Error;

/// What a provider is at.
///
/// ```
/// use countersign_keys::{JwksProvider, KeysState};
///
/// let keys = JwksProvider::url("https://issuer.example/jwks").build()?;
/// assert_eq!(keys.health().state, KeysState::Empty); // nothing is fetched before somebody asks
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeysState {
    /// Nothing has been fetched yet.
    Empty,
    /// The first fetch is under way.
    Warming,
    /// The keys are within their time to live.
    Fresh,
    /// The keys are within their time to live, and newer ones are being fetched.
    Refreshing,
    /// The keys are past their time to live and serve on.
    Stale,
    /// There are no keys that may serve: requests are answered with 503.
    Dead,
    /// The provider was closed.
    Closed,
}

/// How a provider fares: for a readiness endpoint, a page for operators, a test.
///
/// Serialises to JSON. What the issuer's document says stands in it (key ids); nothing of a token does.
///
/// ```
/// use countersign_keys::{Health, KeysState};
///
/// /// For a readiness endpoint: whether it is up, and what is to be looked at.
/// fn readiness(health: &Health) -> (u16, Option<String>) {
///     let status = if health.ready { 200 } else { 503 };
///     let note = match health.state {
///         KeysState::Stale => health.last_error.clone(),
///         _ if !health.quarantined.is_empty() => Some(format!("{} keys set aside", health.quarantined.len())),
///         _ => None,
///     };
///     (status, note)
/// }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// The name that the application gave the provider.
    pub provider: String,
    /// What it is at.
    pub state: KeysState,
    /// Whether keys can be served at all.
    pub ready: bool,
    /// How old the keys are.
    pub age_seconds: Option<u64>,
    /// How long they are fresh.
    pub time_to_live_seconds: Option<u64>,
    /// When the next refresh is due.
    pub next_refresh_in_seconds: Option<u64>,
    /// Counts the different documents of this process.
    pub generation: u64,
    /// The keys that can be used.
    pub usable: Vec<UsableKey>,
    /// The keys that were set aside.
    pub quarantined: Vec<QuarantinedKey>,
    /// Refreshes that have failed since the last good one.
    pub failures: u32,
    /// Why the last one failed; gone with the next good one.
    pub last_error: Option<String>,
    /// Refreshes for unknown key ids that were let through …
    pub unknown_keys_let_through: u64,
    /// … and tokens with unknown key ids that were turned away without one.
    pub unknown_keys_turned_away: u64,
}

/// A key that can be used.
///
/// ```
/// use countersign::Algorithm;
/// # use countersign::async_trait;
/// # use countersign_keys::{FetchError, FetchRequest, Fetched, JwksFetch, JwksProvider};
/// # #[derive(Debug)]
/// # struct Canned;
/// # #[async_trait]
/// # impl JwksFetch for Canned {
/// #     async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
/// #         Ok(Fetched::new(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026-11",
/// #             "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = JwksProvider::url("https://issuer.example/jwks").fetch(Canned).build()?;
///
/// keys.refresh_now().await?;
/// let usable = keys.health().usable;
/// assert_eq!((usable[0].key_id.as_deref(), usable[0].algorithm), (Some("2026-11"), Algorithm::EdDSA));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct UsableKey {
    /// `kid`.
    pub key_id: Option<String>,
    /// Its one algorithm.
    #[serde(serialize_with = "name")]
    pub algorithm: Algorithm,
}

/// A key that was set aside.
///
/// ```
/// # use countersign::async_trait;
/// # use countersign_keys::{FetchError, FetchRequest, Fetched, JwksFetch, JwksProvider};
/// # #[derive(Debug)]
/// # struct Canned;
/// # #[async_trait]
/// # impl JwksFetch for Canned {
/// #     async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
/// #         Ok(Fetched::new(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
/// #             "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"unheard of"}]}"#))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = JwksProvider::url("https://issuer.example/jwks").fetch(Canned).build()?;
/// keys.refresh_now().await?; // the second key of the document has a `kty` that nobody has heard of
/// for key in keys.health().quarantined {
///     assert_eq!(key.index, 1);
///     eprintln!("a key is set aside: {}", key.reason);
/// }
/// # assert_eq!(keys.health().quarantined.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct QuarantinedKey {
    /// Its place in the document, from zero.
    pub index: usize,
    /// Why.
    pub reason: String,
}

fn name<S: Serializer>(algorithm: &Algorithm, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(algorithm)
}

/// An error and what stands behind it, in one line.
pub(super) fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(512).collect()
}

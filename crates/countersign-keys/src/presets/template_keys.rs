use crate::fetch::{FetchError, FetchRequest, Fetched, JwksFetch};
use countersign::{Bytes, ConfigError, async_trait};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Leaves out of a document the keys that may not sign for every tenant: those whose `issuer` is another than the template.
///
/// Microsoft's document of all tenants has keys that sign for one tenant alone, and says so beside each key. A key set
/// knows nothing of this member, so that such a key could otherwise sign for any tenant that is named.
#[derive(Debug)]
pub(super) struct TemplateKeys<F> {
    fetch: F,
    template: &'static str,
}

#[derive(Deserialize, Serialize)]
struct Document<'d> {
    #[serde(borrow)]
    keys: Vec<&'d RawValue>,
}

#[derive(Deserialize)]
struct Key {
    issuer: String,
}

impl<F> TemplateKeys<F> {
    pub(super) fn new(fetch: F, template: &'static str) -> Self {
        Self { fetch, template }
    }

    /// The document without those keys; of one that cannot be read, nothing, which is no document to the provider.
    fn sift(&self, body: &[u8]) -> Bytes {
        let Ok(mut document) = serde_json::from_slice::<Document<'_>>(body) else { return Bytes::new() };
        document.keys.retain(|key| serde_json::from_str(key.get()).is_ok_and(|key: Key| key.issuer == self.template));
        serde_json::to_vec(&document).map_or_else(|_| Bytes::new(), Bytes::from)
    }
}

#[async_trait]
impl<F: JwksFetch> JwksFetch for TemplateKeys<F> {
    fn check(&self, url: &str) -> Result<(), ConfigError> {
        self.fetch.check(url)
    }

    fn variant(&self) -> &str {
        self.template
    }

    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        let mut fetched = self.fetch.fetch(request).await?;
        fetched.body = fetched.body.map(|body| self.sift(&body));
        Ok(fetched)
    }
}

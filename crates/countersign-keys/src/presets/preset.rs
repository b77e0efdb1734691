use super::template_keys::TemplateKeys;
use crate::{JwksFetch, JwksProvider, JwksProviderBuilder};
use countersign::provider::KeyProvider;
use countersign::verify::JwtVerifierBuilder;
use countersign::{Algorithm, JwtVerifier, VerifiedToken};
use std::sync::Arc;

/// What Microsoft calls the issuer of a key that may sign for every tenant.
pub(super) const ENTRA_TEMPLATE: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

pub(super) fn entra_issuer(tenant: &str) -> String {
    ENTRA_TEMPLATE.replace("{tenantid}", tenant)
}

/// What is known of one issuer, made by the functions of [this module](super).
///
/// ```
/// use countersign_keys::presets;
///
/// let keycloak = presets::keycloak("https://login.example", "staff")?;
/// let keys = keycloak.keys().name("staff").build()?;
/// let verifier = keycloak.verifier(keys).audience("my-api").build()?;
/// assert_eq!(keycloak.issuers(), ["https://login.example/realms/staff"]);
/// # let _ = verifier;
/// # Ok::<(), countersign::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Preset {
    pub(super) issuers: Vec<String>,
    pub(super) source: Source,
    pub(super) algorithms: &'static [Algorithm],
    /// Empty where a token need not have a `typ`.
    pub(super) types: &'static [&'static str],
    pub(super) audience_claim: Option<&'static str>,
    pub(super) required_claim: Option<&'static str>,
    pub(super) rule: Option<Rule>,
    pub(super) claims_mapping: Option<&'static str>,
}

/// Where the keys are.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Where the metadata of the only issuer says.
    Discovery,
    Url(&'static str),
    /// One document for many tenants. The client is `None` where this build has none.
    Template(&'static str, Option<Arc<dyn JwksFetch>>),
}

/// What a token must say beyond what a [`JwtVerifier`] asks of every issuer's.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// The claim is one of these strings; otherwise, the reason.
    Says { claim: &'static str, one_of: Vec<String>, otherwise: &'static str },
    /// `tid` is the tenant that stands in `iss`.
    TenantOfIssuer,
}

impl Rule {
    fn check(&self, token: &VerifiedToken) -> Result<(), &'static str> {
        let text = |name| token.claim(name).and_then(|mut claim| claim.string().ok());
        match self {
            Self::Says { claim, one_of, otherwise } => {
                let is_said = text(claim).is_some_and(|said| one_of.iter().any(|name| *name == said));
                if is_said { Ok(()) } else { Err(otherwise) }
            }
            Self::TenantOfIssuer => {
                let is_same = text("tid").is_some_and(|tenant| token.issuer() == Some(&entra_issuer(&tenant)));
                if is_same { Ok(()) } else { Err("tenant_of_another_issuer") }
            }
        }
    }
}

impl Preset {
    /// RS256, any `typ` that is taken by default, keys by discovery.
    pub(super) fn of(issuer: String) -> Self {
        Self {
            issuers: vec![issuer],
            source: Source::Discovery,
            algorithms: super::RS256,
            types: &[],
            audience_claim: None,
            required_claim: None,
            rule: None,
            claims_mapping: None,
        }
    }

    /// The issuers whose tokens are taken, as they stand in `iss`.
    #[must_use]
    pub fn issuers(&self) -> &[String] {
        &self.issuers
    }

    /// The name of the function of `countersign_rbac::ClaimsMapping` that reads this issuer's roles and permissions. `None`
    /// where its tokens have none.
    #[must_use]
    pub fn claims_mapping(&self) -> Option<&'static str> {
        self.claims_mapping
    }

    /// Where the keys are, to be built as it is or with more settings.
    ///
    /// For [`entra_tenants`](super::entra_tenants) the HTTP client is set already, because it leaves out keys; another one goes into
    /// [`keys_with`](Self::keys_with) and not into [`fetch`](JwksProviderBuilder::fetch), which would take its place.
    pub fn keys(&self) -> JwksProviderBuilder {
        match &self.source {
            Source::Template(_, Some(fetch)) => self.provider().fetch(Arc::clone(fetch)),
            _ => self.provider(),
        }
    }

    /// As [`keys`](Self::keys), with an HTTP client of the caller's.
    ///
    /// ```
    /// use countersign::async_trait;
    /// use countersign_keys::{FetchError, FetchRequest, Fetched, JwksFetch, presets};
    ///
    /// /// A client that has its answer already.
    /// #[derive(Debug)]
    /// struct Canned(&'static str);
    ///
    /// #[async_trait]
    /// impl JwksFetch for Canned {
    ///     async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
    ///         Ok(Fetched::new(self.0))
    ///     }
    /// }
    ///
    /// let tenants = presets::entra_tenants(["7d2c1a4e-0000-4000-8000-000000000001"])?;
    /// let keys = tenants.keys_with(Canned(r#"{"keys":[]}"#)).build()?;
    /// # let _ = keys;
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    pub fn keys_with(&self, fetch: impl JwksFetch) -> JwksProviderBuilder {
        match &self.source {
            Source::Template(..) => self.provider().fetch(TemplateKeys::new(fetch, ENTRA_TEMPLATE)),
            _ => self.provider().fetch(fetch),
        }
    }

    fn provider(&self) -> JwksProviderBuilder {
        match self.source {
            Source::Discovery => JwksProvider::discover(self.issuers.concat()),
            Source::Url(url) | Source::Template(url, _) => JwksProvider::url(url),
        }
    }

    /// A verifier for this issuer's tokens with these keys. The audience is still to be named; whatever else is set on the
    /// builder takes the place of the preset's, or adds to it as its own page says.
    pub fn verifier(&self, keys: impl KeyProvider) -> JwtVerifierBuilder {
        let mut verifier = JwtVerifier::builder(keys).algorithms(self.algorithms.iter().copied());
        for issuer in &self.issuers {
            verifier = verifier.issuer(issuer);
        }
        if !self.types.is_empty() {
            verifier = verifier.types(self.types.iter().copied());
        }
        if let Some(claim) = self.audience_claim {
            verifier = verifier.audience_claim(claim);
        }
        if let Some(claim) = self.required_claim {
            verifier = verifier.require_claim(claim);
        }
        match self.rule.clone() {
            Some(rule) => verifier.check(move |token| rule.check(token)),
            None => verifier,
        }
    }
}

use super::OBSERVER;
use countersign::ConfigError;
use countersign::cache::FleetKey;
use countersign::revocation::RevocationLog;
use countersign::verify::TokenCache;
use countersign_cache::RedisCache;
use countersign_keys::JwksProvider;
use countersign_rbac::{ClaimPath, ClaimsMapping};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const NAMES: [&str; 12] = [
    "ACCESS_TOKENS_ONLY",
    "ALLOW_HTTP_LOOPBACK",
    "AUDIENCE",
    "FLEET_KEY",
    "ISSUER",
    "JWKS_URI",
    "LISTEN",
    "PERMISSIONS_CLAIM",
    "REDIS_URL",
    "REVOCATIONS",
    "ROLES_CLAIM",
    "TOKEN_CACHE",
];

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// What the environment says, in the form in which it is used. Nothing has been connected or fetched.
#[derive(Debug)]
pub struct Settings {
    /// `LISTEN`
    pub listen: SocketAddr,
    /// `ISSUER`
    pub issuer: String,
    /// `AUDIENCE`
    pub audience: String,
    /// `JWKS_URI`, or by discovery; shared where `REDIS_URL` and `FLEET_KEY` are set
    pub keys: JwksProvider,
    /// `ACCESS_TOKENS_ONLY`
    pub access_tokens_only: bool,
    /// `REDIS_URL` and `FLEET_KEY`, and `REVOCATIONS`
    pub revocations: Option<Arc<RevocationLog>>,
    /// `TOKEN_CACHE`
    pub token_cache: Option<TokenCache>,
    /// `PERMISSIONS_CLAIM` and `ROLES_CLAIM`
    pub claims: ClaimsMapping,
}

/// A setting that is missing or makes no sense. Its value is not repeated, unless it is an address or a path to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    setting: &'static str,
    problem: String,
}

impl SettingError {
    pub(super) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { setting, problem: problem.into() }
    }

    /// The name of the variable.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.setting, self.problem)
    }
}

impl std::error::Error for SettingError {}

/// What a library refused, under the name that the setting has here.
fn refused(setting: &'static str) -> impl Fn(ConfigError) -> SettingError {
    move |error| SettingError::new(setting, error.to_string())
}

impl Settings {
    /// Reads the variables that are known here and leaves the others alone.
    ///
    /// # Errors
    /// [`SettingError`] for the first one that is wrong.
    ///
    /// ```
    /// use countersign_examples::resource_server::Settings;
    ///
    /// let error = Settings::read([("ISSUER".into(), "https://issuer.example/".into())]).unwrap_err();
    /// assert_eq!(error.to_string(), "`AUDIENCE`: is not set");
    /// ```
    pub fn read(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, SettingError> {
        let mut variables = Variables::read(environment)?;
        let issuer = variables.required("ISSUER")?;
        let audience = variables.required("AUDIENCE")?;
        let shared = variables.shared()?;
        Ok(Self {
            listen: variables.listen()?,
            keys: variables.keys(&issuer, shared.clone())?,
            access_tokens_only: variables.switch("ACCESS_TOKENS_ONLY")?,
            revocations: variables.revocations(shared)?,
            token_cache: variables.token_cache()?,
            claims: variables.claims()?,
            issuer,
            audience,
        })
    }
}

struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    fn read(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, SettingError> {
        let mut known = BTreeMap::new();
        for (name, value) in environment {
            let Some(name) = NAMES.into_iter().find(|known| name == *known) else { continue };
            let Ok(value) = value.into_string() else { return Err(SettingError::new(name, "is not UTF-8")) };
            if value.is_empty() {
                return Err(SettingError::new(name, "is empty; leave it out to do without"));
            }
            if value.trim() != value || value.chars().any(char::is_control) {
                return Err(SettingError::new(name, "has control characters, or white space at an end"));
            }
            known.insert(name, value);
        }
        Ok(Self(known))
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        self.0.remove(name)
    }

    fn required(&mut self, name: &'static str) -> Result<String, SettingError> {
        self.take(name).ok_or_else(|| SettingError::new(name, "is not set"))
    }

    /// What is on where it is `1`.
    fn switch(&mut self, name: &'static str) -> Result<bool, SettingError> {
        match self.take(name).as_deref() {
            None => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(SettingError::new(name, "is not `1`; leave it out for no")),
        }
    }

    fn listen(&mut self) -> Result<SocketAddr, SettingError> {
        let Some(listen) = self.take("LISTEN") else { return Ok(LISTEN) };
        listen.parse().map_err(|_| SettingError::new("LISTEN", "is no address with a port, such as 127.0.0.1:8080"))
    }

    fn keys(
        &mut self,
        issuer: &str,
        shared: Option<(Arc<RedisCache>, FleetKey)>,
    ) -> Result<JwksProvider, SettingError> {
        let (setting, builder) = match self.take("JWKS_URI") {
            Some(url) => ("JWKS_URI", JwksProvider::url(url)),
            None => ("ISSUER", JwksProvider::discover(issuer)),
        };
        let builder = if self.switch("ALLOW_HTTP_LOOPBACK")? { builder.allow_http_on_loopback() } else { builder };
        let builder = match shared {
            Some((redis, key)) => builder.shared_cache(redis, key),
            None => builder,
        };
        builder.name("issuer").observer(OBSERVER).build().map_err(refused(setting))
    }

    /// What processes share, and the secret that they share it under.
    fn shared(&mut self) -> Result<Option<(Arc<RedisCache>, FleetKey)>, SettingError> {
        let missing = |name, other| SettingError::new(name, format!("is not set, and `{other}` is"));
        match (self.take("REDIS_URL"), self.take("FLEET_KEY")) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(missing("FLEET_KEY", "REDIS_URL")),
            (None, Some(_)) => Err(missing("REDIS_URL", "FLEET_KEY")),
            (Some(url), Some(key)) => {
                let key = FleetKey::from_base64url(&key).map_err(refused("FLEET_KEY"))?;
                let redis = RedisCache::builder(url).build().map_err(refused("REDIS_URL"))?;
                Ok(Some((Arc::new(redis), key)))
            }
        }
    }

    fn revocations(
        &mut self,
        shared: Option<(Arc<RedisCache>, FleetKey)>,
    ) -> Result<Option<Arc<RevocationLog>>, SettingError> {
        const SETTING: &str = "REVOCATIONS";
        let goes_on = match self.take(SETTING).as_deref() {
            Some(_) if shared.is_none() => return Err(SettingError::new(SETTING, "is set, and `REDIS_URL` is not")),
            None | Some("strict") => false,
            Some("degrade") => true,
            Some(_) => return Err(SettingError::new(SETTING, "is neither `strict` nor `degrade`")),
        };
        let Some((redis, key)) = shared else { return Ok(None) };
        let log = RevocationLog::builder(redis, key).observer(OBSERVER);
        let log = if goes_on { log.danger_degrade() } else { log };
        log.build().map(|log| Some(Arc::new(log))).map_err(refused(SETTING))
    }

    fn token_cache(&mut self) -> Result<Option<TokenCache>, SettingError> {
        let Some(seconds) = self.take("TOKEN_CACHE") else { return Ok(None) };
        match seconds.parse() {
            Ok(seconds @ 1..=3600) => Ok(Some(TokenCache::new().max_age(Duration::from_secs(seconds)))),
            _ => Err(SettingError::new("TOKEN_CACHE", "is no whole number of seconds from 1 to 3600")),
        }
    }

    fn claims(&mut self) -> Result<ClaimsMapping, SettingError> {
        let mut mapping = ClaimsMapping::builder();
        // What a library finds wrong with the two together is said of the one that was set last.
        let mut setting = "ROLES_CLAIM";
        if let Some(path) = self.claim_path("PERMISSIONS_CLAIM")? {
            mapping = mapping.permissions(path);
            setting = "PERMISSIONS_CLAIM";
        }
        if let Some(path) = self.claim_path("ROLES_CLAIM")? {
            mapping = mapping.roles(path).without_role();
            setting = "ROLES_CLAIM";
        }
        mapping.build().map_err(refused(setting))
    }

    fn claim_path(&mut self, setting: &'static str) -> Result<Option<ClaimPath>, SettingError> {
        let Some(text) = self.take(setting) else { return Ok(None) };
        let path = if text.starts_with('/') { ClaimPath::pointer(&text) } else { Ok(ClaimPath::from(text)) };
        path.map(Some).map_err(refused(setting))
    }
}

#[cfg(test)]
mod tests;

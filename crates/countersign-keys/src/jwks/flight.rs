use super::discovery::{Source, jwks_uri};
use super::refresh::{FLIGHT_TIMEOUT, MAX_TIME_TO_LIVE, MIN_TIME_TO_LIVE, RefreshError, Refresher};
use super::runtime::within;
use super::snapshot::Snapshot;
use crate::fetch::{FetchError, FetchRequest, Fetched, Validators};
use countersign::keys::KeyError;
use countersign::observe::{Event, RefreshTrigger};
use countersign::provider::KeySet;
use countersign::{Bytes, jwk::JwkSet};
use std::sync::Arc;
use std::time::Duration;

/// How long what the issuer's metadata said is taken for granted.
pub(super) const METADATA_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the issuer's metadata said that its keys are.
#[derive(Clone, Debug)]
pub(super) struct Discovered {
    pub(super) url: String,
    /// When it was read, or heard of from another process …
    pub(super) at: Duration,
    /// … and how old it was then.
    pub(super) had_age: Duration,
}

impl Discovered {
    pub(super) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.at).saturating_add(self.had_age)
    }
}

/// A refresh under way. However it ends, those who wait are told.
pub(super) struct Flight {
    refresher: Arc<Refresher>,
    number: u64,
    trigger: RefreshTrigger,
    has_outcome: bool,
}

impl Flight {
    pub(super) fn new(refresher: Arc<Refresher>, number: u64, trigger: RefreshTrigger) -> Self {
        Self { refresher, number, trigger, has_outcome: false }
    }

    pub(super) async fn run(mut self) {
        let refresher = Arc::clone(&self.refresher);
        // The provider may have been closed since it was spawned.
        if !Refresher::is_current(&refresher.state(), self.number) {
            return;
        }
        let begun_at = refresher.clock().monotonic();
        let outcome = within(FLIGHT_TIMEOUT, refresher.next_snapshot(self.trigger)).await;
        let outcome = outcome.unwrap_or(Err(RefreshError::Abandoned));
        let duration = refresher.clock().monotonic().saturating_sub(begun_at);
        let told = {
            let mut state = refresher.state();
            // One that was given up for overdue has no say any longer.
            if !Refresher::is_current(&state, self.number) {
                return;
            }
            self.has_outcome = true;
            match outcome {
                // Nobody was asked. A refresh that was due and joined this one is due still.
                Ok(None) => return refresher.set_alarm(),
                Ok(Some(snapshot)) => Ok(refresher.install(&mut state, snapshot)),
                Err(error) => Err(refresher.back_off(&mut state, self.trigger, error)),
            }
        };
        let (provider, trigger) = (refresher.name(), self.trigger);
        match &told {
            Ok(installed) => refresher.tell_installed(installed, trigger, duration),
            Err(error) => {
                let kind = error.kind();
                refresher.observe(&Event::KeysRefreshFailed { provider, trigger, kind, error: &**error, duration });
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = self.refresher.state();
        // Whoever waited for one that was given up has given up as well.
        if Refresher::is_current(&state, self.number) {
            // It panicked, or its runtime went away.
            if !self.has_outcome {
                self.refresher.back_off(&mut state, self.trigger, RefreshError::Abandoned);
            }
            self.refresher.land(&mut state);
        }
    }
}

impl Refresher {
    /// The next set: fetched, or found where another process has left it; `None` where nobody is to be asked now.
    async fn next_snapshot(&self, trigger: RefreshTrigger) -> Result<Option<Snapshot>, RefreshError> {
        match &self.settings.shared {
            None => self.fetch_alone().await.map(Some),
            Some(shared) => self.fetch_for_all(shared, trigger).await,
        }
    }

    /// The next set, whatever others do.
    pub(super) async fn fetch_alone(&self) -> Result<Snapshot, RefreshError> {
        let snapshot = self.fetch_snapshot(self.next_order(None)).await?;
        Ok(Snapshot { is_claimed: false, ..snapshot })
    }

    pub(super) async fn fetch_snapshot(&self, order: u64) -> Result<Snapshot, RefreshError> {
        let asked_at = self.now();
        let before = self.snapshot.load_full();
        let (url, fetched) = self.fetch_document(before.as_deref()).await?;
        let max_age = fetched.max_age;
        let (keys, body, validators) = match (fetched.body, before) {
            (None, Some(before)) => (Arc::clone(&before.keys), before.body.clone(), before.validators.clone()),
            (Some(body), Some(before)) if body == before.body => (Arc::clone(&before.keys), body, fetched.validators),
            (Some(body), _) => (Arc::new(self.read_keys(&body)?), body, fetched.validators),
            (None, None) => return Err(FetchError::status(304, None).into()),
        };
        Ok(Snapshot {
            keys,
            body,
            url,
            validators,
            asked_at,
            had_age: Duration::ZERO,
            had_least_age: Duration::ZERO,
            is_own: true,
            fetched_at: asked_at.wall,
            order,
            is_claimed: true,
            max_age,
            time_to_live: self.time_to_live(max_age),
            // Counted when it is installed.
            generation: 0,
            answer: 0,
        })
    }

    /// How long a document is fresh: what its server says, within bounds that a server cannot move.
    pub(super) fn time_to_live(&self, max_age: Option<Duration>) -> Duration {
        match max_age {
            Some(said) if self.settings.heeds_cache_headers => said.clamp(MIN_TIME_TO_LIVE, MAX_TIME_TO_LIVE),
            _ => self.settings.time_to_live,
        }
    }

    async fn fetch_document(&self, before: Option<&Snapshot>) -> Result<(String, Fetched), RefreshError> {
        let issuer = match &self.settings.source {
            Source::JwksUri(url) => return Ok((url.clone(), self.fetch_jwks(url, before).await?)),
            Source::Issuer { issuer } => {
                let url = Source::well_known(issuer);
                let fetched = self.fetch_jwks(&url, before).await?;
                return Ok((url, fetched));
            }
            // What fetches a file knows its path.
            Source::File(_) => return Ok((String::new(), self.fetch_jwks("", before).await?)),
            Source::Discovery { issuer } => issuer,
        };
        let now = self.clock().monotonic();
        let known = self.state().discovered.clone();
        let is_recent = |known: &Discovered| known.age(now) < METADATA_FOR;
        if let Some(Discovered { url, .. }) = known.as_ref().filter(|known| is_recent(known)) {
            match self.fetch_jwks(url, before).await {
                // It moved: the metadata may know where to.
                Err(FetchError::Status { status: 404 | 410, .. }) => {}
                outcome => return Ok((url.clone(), outcome?)),
            }
        }
        let url = match (self.discover(issuer).await, known) {
            (Ok(url), _) => {
                self.state().discovered = Some(Discovered { url: url.clone(), at: now, had_age: Duration::ZERO });
                url
            }
            // Metadata that cannot be had says nothing against what it said before.
            (Err(RefreshError::Fetch(_)), Some(known)) if !is_recent(&known) => known.url,
            (Err(error), _) => return Err(error),
        };
        let fetched = self.fetch_jwks(&url, before).await?;
        Ok((url, fetched))
    }

    async fn fetch_jwks(&self, url: &str, before: Option<&Snapshot>) -> Result<Fetched, FetchError> {
        let same = before.filter(|before| before.url == url && !before.validators.is_empty());
        self.fetch_twice(url, same.map(|before| &before.validators)).await
    }

    /// Fetches, and once more where nothing was reached.
    async fn fetch_twice(&self, url: &str, validators: Option<&Validators>) -> Result<Fetched, FetchError> {
        let request = FetchRequest::new(url, self.settings.max_bytes).with_validators(validators);
        match self.settings.fetch.fetch(&request).await {
            Err(error) if error.is_worth_another_try() => self.settings.fetch.fetch(&request).await,
            outcome => outcome,
        }
    }

    /// Where the issuer's metadata says that its keys are. The OpenID Connect form is asked first, that of RFC 8414 where
    /// there is none.
    async fn discover(&self, issuer: &str) -> Result<String, RefreshError> {
        let [first, second] = Source::metadata_urls(issuer);
        let metadata = match self.fetch_twice(&first, None).await {
            Err(FetchError::Status { status: 400..=499, .. }) => self.fetch_twice(&second, None).await?,
            outcome => outcome?,
        };
        let metadata = metadata.body.ok_or_else(|| FetchError::status(304, None))?;
        let url = jwks_uri(&metadata, issuer).map_err(RefreshError::Discovery)?;
        self.settings.fetch.check(&url).map_err(FetchError::Url)?;
        Ok(url)
    }

    pub(super) fn read_keys(&self, body: &Bytes) -> Result<KeySet, RefreshError> {
        let text = std::str::from_utf8(body).map_err(|_| RefreshError::Document(KeyError::Malformed("not UTF-8")))?;
        let set = JwkSet::parse(text).map_err(RefreshError::Document)?;
        let keys = match &self.settings.backend {
            Some(backend) => KeySet::from_jwks_with(&**backend, &set),
            // The builder has seen to it that there is one.
            None => KeySet::from_jwks(&set).map_err(|_| RefreshError::NoUsableKey)?,
        };
        if keys.is_empty() { Err(RefreshError::NoUsableKey) } else { Ok(keys) }
    }
}

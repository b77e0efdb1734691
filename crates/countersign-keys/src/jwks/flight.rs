use super::discovery::{Source, jwks_uri};
use super::refresh::{FLIGHT_TIMEOUT, MAX_TIME_TO_LIVE, MIN_TIME_TO_LIVE, RefreshError, Refresher};
use super::runtime::within;
use super::snapshot::{Moment, Snapshot};
use crate::fetch::{FetchError, FetchRequest, Fetched, Validators};
use countersign::keys::KeyError;
use countersign::observe::{Event, RefreshTrigger};
use countersign::provider::KeySet;
use countersign::{Bytes, jwk::JwkSet};
use std::sync::Arc;
use std::time::Duration;

/// How long what the issuer's metadata said is taken for granted.
const METADATA_FOR: Duration = Duration::from_secs(24 * 60 * 60);

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
        let asked_at = refresher.now();
        let outcome = within(FLIGHT_TIMEOUT, refresher.fetch_snapshot(asked_at)).await;
        let outcome = outcome.unwrap_or(Err(RefreshError::Abandoned));
        let duration = refresher.clock().monotonic().saturating_sub(asked_at.monotonic);
        let told = {
            let mut state = refresher.state();
            // One that was given up for overdue has no say any longer.
            if !Refresher::is_current(&state, self.number) {
                return;
            }
            self.has_outcome = true;
            match outcome {
                Ok((snapshot, is_new)) => {
                    let told = (Arc::clone(&snapshot.keys), snapshot.generation, is_new);
                    refresher.install(&mut state, snapshot, is_new);
                    Ok(told)
                }
                Err(error) => Err(refresher.back_off(&mut state, self.trigger, error)),
            }
        };
        let (provider, trigger) = (refresher.name(), self.trigger);
        refresher.observe(&match &told {
            Ok((keys, generation, is_new)) => Event::KeysRefreshed {
                provider,
                trigger,
                is_new: *is_new,
                generation: *generation,
                usable: keys.len(),
                quarantined: keys.quarantined().len(),
                fetched_at: asked_at.wall,
                duration,
            },
            Err(error) => Event::KeysRefreshFailed { provider, trigger, kind: error.kind(), error: &**error, duration },
        });
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
    /// The next set, and whether its document is another than the last one.
    async fn fetch_snapshot(&self, asked_at: Moment) -> Result<(Snapshot, bool), RefreshError> {
        let before = self.snapshot.load_full();
        let (url, fetched) = self.fetch_document(before.as_deref()).await?;
        let time_to_live = self.time_to_live(&fetched);
        let answer = before.as_ref().map_or(1, |before| before.answer + 1);
        let unchanged = match (&fetched.body, &before) {
            (None, Some(before)) => Some((before, before.validators.clone())),
            (Some(body), Some(before)) if *body == before.body => Some((before, fetched.validators.clone())),
            _ => None,
        };
        if let Some((before, validators)) = unchanged {
            let before = Snapshot::clone(before);
            return Ok((Snapshot { url, validators, asked_at, time_to_live, answer, ..before }, false));
        }
        let body = fetched.body.ok_or_else(|| FetchError::status(304, None))?;
        let keys = Arc::new(self.read_keys(&body)?);
        let generation = before.map_or(1, |before| before.generation + 1);
        let validators = fetched.validators;
        Ok((Snapshot { keys, body, url, validators, asked_at, time_to_live, generation, answer }, true))
    }

    /// How long this answer is fresh: what the server says, within bounds that a server cannot move.
    fn time_to_live(&self, fetched: &Fetched) -> Duration {
        match fetched.max_age {
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
        let is_recent = |at: Duration| now.saturating_sub(at) < METADATA_FOR;
        if let Some((url, _)) = known.as_ref().filter(|(_, at)| is_recent(*at)) {
            match self.fetch_jwks(url, before).await {
                // It moved: the metadata may know where to.
                Err(FetchError::Status { status: 404 | 410, .. }) => {}
                outcome => return Ok((url.clone(), outcome?)),
            }
        }
        let url = match (self.discover(issuer).await, known) {
            (Ok(url), _) => {
                self.state().discovered = Some((url.clone(), now));
                url
            }
            // Metadata that cannot be had says nothing against what it said before.
            (Err(RefreshError::Fetch(_)), Some((url, at))) if !is_recent(at) => url,
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

    fn read_keys(&self, body: &Bytes) -> Result<KeySet, RefreshError> {
        let text = std::str::from_utf8(body).map_err(|_| RefreshError::Document(KeyError::Malformed("not UTF-8")))?;
        let set = JwkSet::parse(text).map_err(RefreshError::Document)?;
        let keys = match &self.settings.backend {
            Some(backend) => KeySet::from_jwks_with(&**backend, &set),
            None => KeySet::from_jwks(&set),
        };
        if keys.is_empty() { Err(RefreshError::NoUsableKey) } else { Ok(keys) }
    }
}

use super::super::health::{Health, KeysState, QuarantinedKey, UsableKey, in_one_line};
use super::Refresher;
use countersign::provider::KeySet;

impl Refresher {
    pub(in super::super) fn health(&self) -> Health {
        let now = self.now();
        let snapshot = self.snapshot.load_full();
        let usable = snapshot.as_ref().filter(|snapshot| self.may_serve(snapshot, now));
        let state = self.state();
        let kind = match (&snapshot, usable) {
            _ if state.is_closed => KeysState::Closed,
            (None, _) if state.failures > 0 => KeysState::Dead,
            (None, _) if state.flight.is_some() => KeysState::Warming,
            (None, _) => KeysState::Empty,
            (Some(_), None) => KeysState::Dead,
            (Some(_), Some(snapshot)) if snapshot.is_stale(now) => KeysState::Stale,
            (Some(_), Some(_)) if state.flight.is_some() => KeysState::Refreshing,
            (Some(_), Some(_)) => KeysState::Fresh,
        };
        let keys = snapshot.as_ref().map(|snapshot| &*snapshot.keys);
        let (unknown_keys_let_through, unknown_keys_turned_away) = state.gate.counts();
        let mut usable_keys: Vec<UsableKey> = keys
            .into_iter()
            .flat_map(KeySet::iter)
            .map(|key| UsableKey { key_id: key.key_id().map(str::to_owned), algorithm: key.algorithm() })
            .collect();
        usable_keys.sort_by(|a, b| (&a.key_id, a.algorithm.name()).cmp(&(&b.key_id, b.algorithm.name())));
        Health {
            provider: self.name().to_owned(),
            state: kind,
            ready: usable.is_some(),
            age_seconds: snapshot.as_ref().map(|snapshot| snapshot.age(now).as_secs()),
            time_to_live_seconds: snapshot.as_ref().map(|snapshot| snapshot.time_to_live.as_secs()),
            next_refresh_in_seconds: (!state.is_closed && state.flights > 0)
                .then(|| self.due_in(now.monotonic).as_secs()),
            generation: snapshot.as_ref().map_or(0, |snapshot| snapshot.generation),
            usable: usable_keys,
            quarantined: keys
                .into_iter()
                .flat_map(KeySet::quarantined)
                .map(|key| QuarantinedKey { index: key.index, reason: key.reason.to_string() })
                .collect(),
            failures: state.failures,
            last_error: state.last_error.as_deref().map(|error| in_one_line(error)),
            unknown_keys_let_through,
            unknown_keys_turned_away,
        }
    }
}

use std::time::{Duration, SystemTime};

/// One refresh for an unknown key id per this time …
const PERIOD: Duration = Duration::from_secs(5);
/// … and so many at once: one for whoever floods us, one for the rotation that happens meanwhile.
const BURST: u32 = 2;
/// An event is raised each time so many have been turned away.
const ALERT: u64 = 40;

/// Decides which unknown key ids may cause a refresh: a token bucket that never makes anybody wait.
///
/// Scheduled refreshes do not pass here, so that a flood cannot starve them.
#[derive(Debug)]
pub(crate) struct RefreshGate {
    permits: u32,
    refilled_at: Option<SystemTime>,
    turned_away: u64,
}

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    Closed,
    /// Closed, and time to tell somebody how often since the last time.
    Alert(u64),
}

impl RefreshGate {
    pub(crate) fn new() -> Self {
        Self { permits: BURST, refilled_at: None, turned_away: 0 }
    }

    pub(crate) fn pass(&mut self, now: SystemTime) -> Passage {
        self.refill(now);
        if self.permits > 0 {
            self.permits -= 1;
            return Passage::Open;
        }
        self.turned_away += 1;
        if self.turned_away < ALERT {
            return Passage::Closed;
        }
        Passage::Alert(std::mem::take(&mut self.turned_away))
    }

    fn refill(&mut self, now: SystemTime) {
        let Some(since) = self.refilled_at else {
            self.refilled_at = Some(now);
            return;
        };
        match now.duration_since(since) {
            Ok(elapsed) => {
                let periods = u32::try_from(elapsed.as_secs() / PERIOD.as_secs()).unwrap_or(u32::MAX);
                self.permits = self.permits.saturating_add(periods).min(BURST);
                // What is left of a period counts on, unless the bucket is full.
                self.refilled_at = Some(if self.permits == BURST { now } else { since + PERIOD * periods });
            }
            // The clock went back: count from here.
            Err(_) => self.refilled_at = Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_flood_passes_burst_and_then_once_a_period() {
        let start = UNIX_EPOCH + Duration::from_secs(1000);
        let mut gate = RefreshGate::new();
        let mut open = 0;
        // 100 000 attempts in 100 s
        for n in 0..100_000 {
            if gate.pass(start + Duration::from_millis(n)) == Passage::Open {
                open += 1;
            }
        }
        assert_eq!(open, 2 + 19);
    }

    #[test]
    fn an_alert_comes_every_forty_refusals() {
        let now = UNIX_EPOCH;
        let mut gate = RefreshGate::new();
        let passages: Vec<_> = (0..122).map(|_| gate.pass(now)).collect();
        let alerts: Vec<_> = (0..122).filter(|n| matches!(passages[*n], Passage::Alert(40))).collect();
        assert_eq!(alerts, [41, 81, 121]);
    }

    #[test]
    fn a_clock_that_goes_back_opens_nothing_and_closes_nothing_for_good() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let mut gate = RefreshGate::new();
        while gate.pass(now) == Passage::Open {}
        let past = UNIX_EPOCH;
        assert_eq!(gate.pass(past), Passage::Closed);
        assert_eq!(gate.pass(past + PERIOD), Passage::Open);
    }
}

use std::time::Duration;

/// One refresh for an unknown key id per this time …
pub(crate) const PERIOD: Duration = Duration::from_secs(5);
/// … and so many at once: one for whoever floods us, one for the rotation that happens meanwhile.
const BURST: u32 = 2;

/// Decides which unknown key ids may cause a refresh: a token bucket that never makes anybody wait.
///
/// Scheduled refreshes do not pass here, so that a flood cannot starve them.
#[derive(Debug)]
pub(crate) struct RefreshGate {
    permits: u32,
    /// On the monotonic clock.
    refilled_at: Option<Duration>,
    let_through: u64,
    turned_away: u64,
    /// Of those turned away, how many nobody has been told of.
    untold: u64,
    alert_threshold: u64,
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
    /// An alert is raised each time so many have been turned away.
    pub(crate) fn new(alert_threshold: u64) -> Self {
        Self { permits: BURST, refilled_at: None, let_through: 0, turned_away: 0, untold: 0, alert_threshold }
    }

    /// How many passed, and how many were turned away.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.let_through, self.turned_away)
    }

    pub(crate) fn pass(&mut self, now: Duration) -> Passage {
        self.refill(now);
        if self.permits == 0 {
            return self.turn_away();
        }
        self.permits -= 1;
        self.let_through += 1;
        Passage::Open
    }

    pub(crate) fn turn_away(&mut self) -> Passage {
        self.turned_away += 1;
        self.untold += 1;
        if self.untold < self.alert_threshold {
            return Passage::Closed;
        }
        Passage::Alert(std::mem::take(&mut self.untold))
    }

    fn refill(&mut self, now: Duration) {
        let Some(since) = self.refilled_at else {
            self.refilled_at = Some(now);
            return;
        };
        match now.checked_sub(since) {
            Some(elapsed) => {
                let periods = u32::try_from(elapsed.as_secs() / PERIOD.as_secs()).unwrap_or(u32::MAX);
                self.permits = self.permits.saturating_add(periods).min(BURST);
                // What is left of a period counts on, unless the bucket is full.
                self.refilled_at = Some(if self.permits == BURST { now } else { since + PERIOD * periods });
            }
            // A clock without a monotonic time of its own was put back: count from here.
            None => self.refilled_at = Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_passes_burst_and_then_once_a_period() {
        let start = Duration::from_secs(1000);
        let mut gate = RefreshGate::new(40);
        let mut open = 0;
        // 100 000 attempts in 100 s
        for n in 0..100_000 {
            if gate.pass(start + Duration::from_millis(n)) == Passage::Open {
                open += 1;
            }
        }
        assert_eq!(open, 2 + 19);
        assert_eq!(gate.counts(), (21, 100_000 - 21));
    }

    #[test]
    fn an_alert_comes_every_forty_refusals() {
        let now = Duration::ZERO;
        let mut gate = RefreshGate::new(40);
        let passages: Vec<_> = (0..122).map(|_| gate.pass(now)).collect();
        let alerts: Vec<_> = (0..122).filter(|n| matches!(passages[*n], Passage::Alert(40))).collect();
        assert_eq!(alerts, [41, 81, 121]);
    }

    #[test]
    fn a_clock_that_goes_back_opens_nothing_and_closes_nothing_for_good() {
        let now = Duration::from_secs(1000);
        let mut gate = RefreshGate::new(40);
        while gate.pass(now) == Passage::Open {}
        let past = Duration::ZERO;
        assert_eq!(gate.pass(past), Passage::Closed);
        assert_eq!(gate.pass(past + PERIOD), Passage::Open);
    }
}

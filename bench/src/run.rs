//! Measures: rounds in which everybody has a turn.

use crate::{Case, Measure};
use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often everybody has a turn.
    pub rounds: usize,
    /// How long a turn is at least.
    pub turn: Duration,
    /// How often both routes of a server are asked, for a second each.
    pub loads: usize,
}

impl Pace {
    /// For figures to be told.
    pub const FULL: Self = Self { rounds: 400, turn: Duration::from_micros(500), loads: 30 };
    /// For a look.
    pub const QUICK: Self = Self { rounds: 200, turn: Duration::from_micros(200), loads: 5 };
}

/// The time of one answer of each contender of each case, in nanoseconds. Before the first round everybody answers until
/// a turn is full, which warms them up and tells how often they answer in one.
#[must_use]
pub fn timed(cases: &mut [Case], pace: Pace) -> Vec<Vec<Measure>> {
    let mut contenders: Vec<_> = cases.iter_mut().flat_map(|case| &mut case.contenders).collect();
    let times: Vec<u64> = contenders.iter_mut().map(|contender| times(&mut contender.batch, pace.turn)).collect();
    let mut samples = vec![Vec::with_capacity(pace.rounds); contenders.len()];
    for round in 0..pace.rounds {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        // Nobody comes always after the same neighbour.
        if round % 2 == 1 {
            order.reverse();
        }
        for turn in order {
            let taken = (contenders[turn].batch)(times[turn]);
            samples[turn].push(taken.as_nanos() as f64 / times[turn] as f64);
        }
    }
    let mut measures = samples.into_iter().map(Measure::of);
    cases.iter().map(|case| measures.by_ref().take(case.contenders.len()).collect()).collect()
}

/// How often to ask, for a turn to be full. A batch that was interrupted says nothing about that: the fastest of some does.
fn times(batch: &mut dyn FnMut(u64) -> Duration, turn: Duration) -> u64 {
    const BATCHES: usize = 5;
    let mut times = 1;
    while (0..BATCHES).map(|_| batch(times)).min().is_some_and(|fastest| fastest < turn) {
        times *= 2;
    }
    times
}

#[expect(clippy::disallowed_methods, reason = "this is what measures")]
pub(crate) fn taken(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

/// What each contender of each case allocates for one answer, by a counter of all allocations so far. What is done once
/// is done before.
#[must_use]
pub fn counted(cases: &mut [Case], count: impl Fn() -> usize) -> Vec<Vec<usize>> {
    const TIMES: u64 = 8;
    let each = |batch: &mut dyn FnMut(u64) -> Duration| {
        batch(TIMES);
        let before = count();
        batch(TIMES);
        (count() - before) / TIMES as usize
    };
    cases.iter_mut().map(|case| case.contenders.iter_mut().map(|one| each(&mut one.batch)).collect()).collect()
}

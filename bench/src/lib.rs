//! Benchmarks of Countersign beside the libraries that answer the same questions: `cargo xtask bench`.
//!
//! A [`Group`] is a module of its own in `groups/`. It has [`Case`]s, which are questions, and each case has those who
//! answer it; Countersign comes first. All cases of a group are measured in one run, in rounds: each round asks everybody
//! a batch of times, so that what disturbs the machine disturbs them all. A figure is the median of its rounds.
//!
//! What a server answers over loopback is measured by `wrk`: see [`Served`].
//!
//! Two programs measure: `bench` the time, with the allocator that everybody has, and `count` the allocations, with one
//! that counts. A counter in the way of the clock would slow down most those who allocate most.

pub mod counts;
#[cfg(feature = "peers")]
pub mod groups;
mod load;
mod report;
mod run;
#[cfg_attr(not(feature = "peers"), expect(dead_code, reason = "less is counted than measured"))]
mod tokens;

pub use load::{Load, Served, loaded};
pub use report::{Bound, Measure, Report, Row, Target};
pub use run::{Pace, counted, timed};

use std::hint::black_box;
use std::time::Duration;

/// Questions that are compared with one another.
#[derive(Debug)]
pub struct Group {
    /// The name of its module.
    pub name: &'static str,
    /// Sets everything up.
    pub cases: fn() -> Vec<Case>,
    /// What Countersign is to reach.
    pub targets: fn() -> Vec<Target>,
    /// Servers to be asked over loopback. They are started when this is called.
    pub served: fn() -> Vec<Served>,
}

/// One question, and those who answer it. The first of them is what the others are compared with.
#[derive(Debug)]
pub struct Case {
    /// What is asked.
    pub name: String,
    /// Who answers.
    pub contenders: Vec<Contender>,
}

impl Case {
    /// A question that nobody answers yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), contenders: Vec::new() }
    }

    /// Lets `answer` be measured. It is called often, must do the same each time, and sets nothing up: what a service
    /// builds once is built before.
    #[must_use]
    pub fn with<T>(self, name: &'static str, mut answer: impl FnMut() -> T + 'static) -> Self {
        let batch = move |times| {
            run::taken(|| {
                for _ in 0..times {
                    black_box(answer());
                }
            })
        };
        self.with_clock(name, batch)
    }

    /// Lets `batch` be measured, which answers so many times and tells how long that took, without its preparations.
    #[must_use]
    pub fn with_clock(mut self, name: &'static str, batch: impl FnMut(u64) -> Duration + 'static) -> Self {
        self.contenders.push(Contender { name, batch: Box::new(batch) });
        self
    }
}

/// Somebody who answers a question.
pub struct Contender {
    /// Who.
    pub name: &'static str,
    /// Answers so many times, and tells how long that took.
    pub(crate) batch: Box<dyn FnMut(u64) -> Duration>,
}

impl std::fmt::Debug for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Contender").field(&self.name).finish()
    }
}

//! The provider changes its keys while requests run: a fresh one beside the old one, and later the old one goes. Nobody
//! is refused whose token stands under a key that is published.

use super::resource_server::ResourceServer;
use super::{ALGORITHMS, Grant, Provider};
use crate::Failure;
use crate::interop::table::{Cell, Table};
use countersign::reason::Rejection;
use serde::Deserialize;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 4;

/// How many requests run at least between two changes.
const BETWEEN: usize = 300;

/// What is slower than this hangs.
const HANGS: Duration = Duration::from_secs(60);

/// One for each change: whoever meets the key that is not known fetches for all.
const FETCHES: usize = 2;

#[derive(Deserialize)]
struct Fetches {
    fetches: usize,
}

pub(super) fn run(provider: &mut Provider, server: &ResourceServer, table: &mut Table) -> Result<(), Failure> {
    let first = tokens(provider)?;
    let before = fetches(provider)?;
    let traffic = Traffic::new(server, first.clone());
    thread::scope(|scope| {
        let _over = Over(&traffic.is_over);
        for client in 0..CLIENTS {
            let traffic = &traffic;
            scope.spawn(move || traffic.run(client));
        }
        traffic.flows()?;
        publish(provider, &[2, 1])?;
        let second = tokens(provider)?;
        traffic.change(|tokens| tokens.extend(second.clone()));
        traffic.flows()?;
        // Those of the first key have run out, or their owners have come back for others.
        traffic.change(|tokens| *tokens = second);
        publish(provider, &[3, 2])?;
        let third = tokens(provider)?;
        traffic.change(|tokens| tokens.extend(third));
        traffic.flows()
    })?;
    let Counts { requests, refusals } = traffic.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let outcome = format!("{requests} requests, {} refused", refusals.len());
    provider.row(table, "keys changed twice under load", Cell { outcome, problems: refusals });
    let removed = first.iter().filter_map(|token| server.refuses(token, Rejection::UnknownKey).err());
    let outcome = format!("{} of {0} refused", first.len());
    provider.row(table, "tokens under the removed key", Cell { outcome, problems: removed.collect() });
    let fetches = fetches(provider)? - before;
    let happened = if fetches == FETCHES { Ok(()) } else { Err(format!("{fetches} fetches, not {FETCHES}")) };
    provider.row(table, "fetches of the keys meanwhile", Cell::of(&FETCHES.to_string(), happened));
    Ok(())
}

fn fetches(provider: &mut Provider) -> Result<usize, Failure> {
    let Fetches { fetches } = provider.peer.demand(&json!({"do": "fetches"}))?;
    Ok(fetches)
}

/// A token for each algorithm and grant, under the key that signs now.
fn tokens(provider: &mut Provider) -> Result<Vec<String>, Failure> {
    let mut tokens = Vec::new();
    for algorithm in ALGORITHMS {
        for grant in [Grant::Credentials, Grant::Code("web")] {
            tokens.push(provider.access_token(grant, algorithm)?);
        }
    }
    Ok(tokens)
}

fn publish(provider: &mut Provider, generations: &[u32]) -> Result<(), Failure> {
    provider.peer.demand::<serde_json::Value>(&json!({"do": "publish", "generations": generations})).map(drop)
}

struct Traffic<'a> {
    server: &'a ResourceServer,
    /// Those that are good. Whoever asks holds the lock until the answer is there, so that a token that is taken out is
    /// in no request.
    tokens: RwLock<Vec<String>>,
    counts: Mutex<Counts>,
    counted: Condvar,
    is_over: AtomicBool,
}

#[derive(Default)]
struct Counts {
    requests: usize,
    refusals: Vec<String>,
}

impl<'a> Traffic<'a> {
    fn new(server: &'a ResourceServer, tokens: Vec<String>) -> Self {
        let (counts, counted) = (Mutex::default(), Condvar::new());
        Self { server, tokens: RwLock::new(tokens), counts, counted, is_over: AtomicBool::new(false) }
    }

    fn run(&self, client: usize) {
        for at in client.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
            let Some(token) = at.checked_rem(tokens.len()).and_then(|at| tokens.get(at)) else { return };
            let refusal = self.server.says(200, "GET", "/posts", token).err();
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.requests += 1;
            counts.refusals.extend(refusal);
            self.counted.notify_all();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        change(&mut self.tokens.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until enough requests have run since.
    fn flows(&self) -> Result<(), Failure> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = counts.requests + BETWEEN;
        let waited = self.counted.wait_timeout_while(counts, HANGS, |counts| counts.requests < enough);
        let (_counts, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(Failure::Failed("the requests to resource_server stand still".into()));
        }
        Ok(())
    }
}

/// Ends the traffic when it is dropped, or the scope would wait for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

//! Two threads: with one verifier for both, and with one for each, which share nothing.

use crate::tokens::fixture::{Alg, Fixture, Me, Size};
use crate::tokens::ours::{AWS_LC, verify};
use crate::{Case, run};
use countersign::JwtVerifier;
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(super) const ONE: &str = "countersign, 1 thread";
pub(super) const SHARED: &str = "countersign, 2 threads";
pub(super) const APART: &str = "2 threads that share nothing";

pub(super) fn name(alg: Alg) -> String {
    format!("{}, threads", alg.of_size(Size::Small))
}

/// Times are those of one token, whoever of the two has verified it.
pub(super) fn case(fixture: &Fixture) -> Case {
    let verifier = || Arc::new(AWS_LC.verifier(fixture));
    let token = fixture.small();
    let shared = verifier();
    let both = |first: Arc<JwtVerifier>, second: Arc<JwtVerifier>| {
        let mut pair = Pair::new(answering(first, token.clone()), answering(second, token.clone()));
        move |times| pair.run(times)
    };
    Case::new(name(fixture.alg))
        .with(ONE, answering(verifier(), token.clone()))
        .with_clock(SHARED, both(shared.clone(), shared))
        .with_clock(APART, both(verifier(), verifier()))
}

fn answering(verifier: Arc<JwtVerifier>, token: String) -> impl FnMut() -> Option<Me> + Send {
    move || verify(&verifier, &token)?.claims().ok()
}

/// What this thread does, and another one that does the same at the same time.
struct Pair<F> {
    own: F,
    orders: Option<Sender<Order>>,
    other: Option<JoinHandle<()>>,
}

/// So many times. Both say that they are there, so that nobody is measured while the other one wakes up.
struct Order {
    times: u64,
    is_there: Arc<AtomicBool>,
    begins: Arc<AtomicBool>,
    is_done: Arc<AtomicBool>,
}

impl<T, F: FnMut() -> T> Pair<F> {
    fn new(own: F, mut other: impl FnMut() -> T + Send + 'static) -> Self {
        let (orders, received): (_, Receiver<Order>) = channel();
        let other = thread::spawn(move || {
            for order in received {
                order.is_there.store(true, Ordering::Release);
                wait(&order.begins);
                for _ in 0..order.times {
                    black_box(other());
                }
                order.is_done.store(true, Ordering::Release);
            }
        });
        Self { own, orders: Some(orders), other: Some(other) }
    }

    fn run(&mut self, times: u64) -> Duration {
        let [is_there, begins, is_done] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
        let order =
            Order { times: times / 2, is_there: is_there.clone(), begins: begins.clone(), is_done: is_done.clone() };
        self.orders.as_ref().and_then(|orders| orders.send(order).ok()).expect("the other thread");
        wait(&is_there);
        run::taken(|| {
            begins.store(true, Ordering::Release);
            for _ in 0..times - times / 2 {
                black_box((self.own)());
            }
            wait(&is_done);
        })
    }
}

/// Does not sleep: to be woken would take as long as the answers do.
fn wait(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        for _ in 0..64 {
            spin_loop();
        }
        thread::yield_now();
    }
}

impl<F> Drop for Pair<F> {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(other) = self.other.take() {
            let _ = other.join();
        }
    }
}

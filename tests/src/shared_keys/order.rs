//! The law of the order: in no process, and in no order of events, does an older document replace a newer one.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A process refreshes because it is told to.
    Refresh(usize),
    /// A process meets the newest key.
    Meet(usize),
    Rotate,
    Pass(u64),
    Flush,
    /// A process cannot reach the store, or can again.
    Reach(usize, bool),
    /// A process does nothing for a while, its flight included.
    Sleep(usize, bool),
    /// What the store held some steps ago is put back, by somebody who can write to it.
    Replay(usize),
}

fn steps(replays: bool) -> impl Strategy<Value = Vec<Step>> {
    let process = 0_usize..3;
    let step = prop_oneof![
        4 => process.clone().prop_map(Step::Refresh),
        3 => process.clone().prop_map(Step::Meet),
        3 => Just(Step::Rotate),
        4 => (1_u64..200).prop_map(Step::Pass),
        1 => Just(Step::Flush),
        2 => (process.clone(), any::<bool>()).prop_map(|(at, can)| Step::Reach(at, can)),
        2 => (process, any::<bool>()).prop_map(|(at, sleeps)| Step::Sleep(at, sleeps)),
        2 => (0_usize..8).prop_map(move |at| if replays { Step::Replay(at) } else { Step::Pass(7) }),
    ];
    proptest::collection::vec(step, 1..30)
}

fn run(skews: [i64; 3], hears: bool, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut fleet = Fleet::with(3, |at| skews[at], true);
        let rotations = steps.iter().filter(|step| matches!(step, Step::Rotate)).count();
        fleet.issuer = Issuer::new(rotations + 2);
        fleet.processes = (0..3).map(|at| fleet.process(skews[at], true, |builder| builder)).collect();
        fleet.processes.iter().for_each(|process| process.way.hears(hears));
        // Of what was fetched within that time, the order is as the clocks have it.
        let apart = skews.iter().max().zip(skews.iter().min()).map_or(0, |(most, least)| most - least);
        let apart = Duration::from_secs(apart.unsigned_abs());
        let is_put_back = steps.iter().any(|step| matches!(step, Step::Replay(_)));
        let (mut ended, mut fetched) = (HashMap::new(), HashMap::new());
        let mut newest = [None; 3];
        let mut kept = Vec::new();
        for step in steps {
            match *step {
                Step::Refresh(at) => {
                    let keys = fleet.processes[at].keys.clone();
                    drop(tokio::spawn(async move { keys.refresh_now().await.is_ok() }));
                }
                Step::Meet(at) => {
                    let (keys, id) = (fleet.processes[at].keys.clone(), format!("v{}", fleet.issuer.version()));
                    let meet = async move {
                        keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some(&id))).await.is_ok()
                    };
                    drop(tokio::spawn(meet));
                }
                Step::Rotate => {
                    ended.insert(Some(fleet.issuer.version()), Instant::now());
                    fleet.issuer.rotate();
                }
                Step::Pass(tenths) => sleep(Duration::from_millis(100 * tenths)).await,
                Step::Flush => fleet.flush().await,
                Step::Reach(at, can) => fleet.processes[at].way.set(if can { Mood::Well } else { Mood::Fails }),
                Step::Sleep(at, sleeps) => fleet.processes[at].gate.set(!sleeps),
                Step::Replay(ago) => {
                    let old: Option<&Bytes> = kept.iter().rev().nth(ago);
                    if let Some(old) = old {
                        fleet.put(&document_name(), old.clone()).await;
                    }
                }
            }
            for _ in 0..5 {
                sleep(Duration::from_millis(60)).await;
                for (process, newest) in fleet.processes.iter().zip(&mut newest) {
                    let now = fleet.issuer.version_in_use(&process.keys);
                    fetched.entry(now).or_insert_with(Instant::now);
                    let may_go_back = || is_put_back && fetched[newest] - ended[&now] <= apart + SECOND;
                    assert!(now.is_none() || now >= *newest || may_go_back(), "{now:?} after {newest:?}");
                    *newest = now.or(*newest);
                }
            }
            kept.extend(fleet.store.get(&document_name()).await.expect("get"));
        }
        // Whatever happened: when all works again, all have what is published, soon after one of them has.
        for process in &fleet.processes {
            process.way.set(Mood::Well);
            process.gate.set(true);
        }
        sleep(20 * SECOND).await;
        for process in &fleet.processes {
            let refreshed = process.keys.refresh_now().await;
            assert!(refreshed.is_ok(), "{refreshed:?}");
            sleep(2 * SECOND).await;
            assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(fleet.issuer.version()));
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_older_document_never_replaces_a_newer_one_however_clocks_differ(
        skews in prop::array::uniform3(-60_i64..=60),
        hears in any::<bool>(),
        steps in steps(false),
    ) {
        run(skews, hears, &steps);
    }

    #[test]
    fn an_older_document_never_replaces_a_newer_one_whoever_puts_it_back(hears in any::<bool>(), steps in steps(true)) {
        run([0; 3], hears, &steps);
    }

    #[test]
    fn what_is_put_back_is_older_by_no_more_than_clocks_differ(
        skews in prop::array::uniform3(-60_i64..=60),
        hears in any::<bool>(),
        steps in steps(true),
    ) {
        run(skews, hears, &steps);
    }
}

/// Who was behind had published the newest document, and the others took it for old, being as old as their clocks were ahead.
#[test]
fn a_document_is_no_older_because_the_clock_of_whoever_fetched_it_is_behind() {
    use Step::{Flush, Meet, Pass, Refresh, Rotate};
    let steps = [
        [Meet(0), Rotate, Meet(2), Flush, Meet(1), Meet(0), Rotate].as_slice(),
        &[Pass(108), Meet(1), Rotate, Pass(182), Flush, Pass(99), Refresh(0)],
    ];
    // Who looks first is a matter of chance.
    for round in 0..100 {
        run([13, -33, 15], round % 2 == 0, &steps.concat());
    }
}

//! When a view counts: at the start, after a sleep, where the log stands still, and while much goes wrong.

use super::*;
use TokenStatus::{Active, Revoked, Unknown};
use countersign::clock::Clock;
use countersign_cache::Follower;
use futures_util::future::join_all;
use std::time::SystemTime;
use tokio::time::{Instant, sleep};

fn server() -> Arc<Server> {
    Arc::new(Server::default())
}

async fn revoke(process: &Process, id: &str) {
    process.log.revoke_token("a", id, at(FAR_AWAY)).await.expect("the store works");
}

async fn tick(processes: &[&Process]) {
    for process in processes {
        process.clock.advance(INTERVAL);
        let _ = process.log.poll().await;
    }
}

#[tokio::test]
async fn who_starts_counts_on_what_it_finds_after_two_intervals() {
    let (server, key) = (server(), public_key());
    let first = Process::new(&server, &key, 1_000);
    for n in 0..3 {
        first.log.poll().await.expect("the store works");
        assert_eq!(first.log.is_confirmed(), n == 2, "a log that nobody has begun, look {n}");
        first.clock.advance(INTERVAL);
    }
    let second = Process::new(&server, &key, 1_000);
    for n in 0..3 {
        first.log.poll().await.expect("the store works");
        second.log.poll().await.expect("the store works");
        assert_eq!(second.log.is_confirmed(), n == 2, "a log that goes on, look {n}");
        assert!(first.log.is_confirmed());
        first.clock.advance(INTERVAL);
        second.clock.advance(INTERVAL);
    }
}

#[tokio::test]
async fn who_starts_or_wakes_when_the_log_is_lost_waits_for_those_who_know() {
    let lost: [fn(&Server); 2] = [Server::flush, |server| server.fail_over(2)];
    for lose in lost {
        let (server, key) = (server(), public_key());
        let [knows, sleeps] = [(); 2].map(|()| Process::new(&server, &key, 1_000));
        knows.confirm().await;
        sleeps.confirm().await;
        revoke(&knows, "1").await;
        sleeps.clock.advance(2 * BOUND);
        lose(&server);
        let starts = Process::new(&server, &key, 1_000);
        for n in 0..3 {
            for process in [&starts, &sleeps] {
                process.log.poll().await.expect("the store works");
                if n == 0 {
                    assert_eq!(process.status("1"), Some(Unknown), "nobody has put it back yet");
                }
                assert_ne!(process.status("1"), Some(Active));
                process.clock.advance(INTERVAL);
            }
            // It polls last, as late as its interval allows.
            knows.clock.advance(INTERVAL);
            knows.log.poll().await.expect("the store works");
        }
        tick(&[&starts, &sleeps]).await;
        assert_eq!((starts.status("1"), sleeps.status("1")), (Some(Revoked), Some(Revoked)));
    }
}

#[tokio::test]
async fn a_log_that_is_put_back_again_and_again_confirms_nothing() {
    // In time, and as late as can be.
    for (pause, rounds) in [(INTERVAL, 5), (INTERVAL * 9 / 4, 3)] {
        let (server, key) = (server(), public_key());
        let process = Process::new(&server, &key, 1_000);
        process.confirm().await;
        let old = server.now();
        for round in 0..12 {
            process.log.poll().await.expect("the store works");
            server.set(old.clone());
            assert_eq!(process.log.is_confirmed(), round < rounds, "after {round} times {pause:?}");
            process.clock.advance(pause);
        }
    }
}

/// Somebody who can write to the store keeps every head, and puts them back one after the other, at the pace of the fleet.
#[tokio::test]
async fn recorded_heads_that_are_put_back_in_their_order_confirm_nothing() {
    // Where nothing is said, where much is said between two ticks, and of a time when the process had not started.
    for (says, starts_late) in [(0, false), (4, false), (0, true), (4, true)] {
        let (server, key) = (server(), public_key());
        let writer = Process::new(&server, &key, 1_000);
        writer.confirm().await;
        let early = (!starts_late).then(|| Process::new(&server, &key, 1_000));
        let mut recorded = Vec::new();
        for n in 0..100 {
            for id in 0..says {
                revoke(&writer, &format!("{n} {id}")).await;
                recorded.push(server.now());
            }
            tick(&[&writer]).await;
            if let Some(process) = &early {
                tick(&[process]).await;
            }
            recorded.push(server.now());
        }
        let victim = early.unwrap_or_else(|| Process::new(&server, &key, 1_000));
        for _ in 0..40 {
            tick(&[&writer, &victim]).await;
        }
        assert!(writer.log.is_confirmed() && victim.log.is_confirmed());
        for (n, old) in recorded.iter().enumerate() {
            server.set(old.clone());
            tick(&[&victim]).await;
            tick(&[&writer]).await;
            if n == 20 {
                revoke(&writer, "stolen").await;
            }
            let status = victim.status("stolen");
            assert!(n < 26 || status != Some(Active), "{says} {starts_late}: {status:?} after {n}");
        }
        // What goes on again counts again.
        for _ in 0..4 {
            tick(&[&writer, &victim]).await;
        }
        assert_eq!((writer.status("stolen"), victim.status("stolen")), (Some(Revoked), Some(Revoked)));
    }
}

#[tokio::test]
async fn a_failover_costs_no_answer_however_far_the_log_goes_back() {
    for writes in [1, 3, 9] {
        let (server, key) = (server(), public_key());
        let processes: Vec<_> = (0..4).map(|_| Process::new(&server, &key, 1_000)).collect();
        let all: Vec<_> = processes.iter().collect();
        for _ in 0..12 {
            tick(&all).await;
        }
        revoke(&processes[0], "1").await;
        tick(&all).await;
        server.fail_over(writes);
        for round in 0..8 {
            tick(&all).await;
            for process in &all {
                assert_eq!(process.status("1"), Some(Revoked), "{writes} writes back, round {round}");
                assert_eq!(process.status("2"), Some(Active), "{writes} writes back, round {round}");
            }
        }
    }
}

#[tokio::test]
async fn who_has_another_key_has_another_log() {
    let (server, key) = (server(), public_key());
    let old = Process::new(&server, &key, 1_000);
    revoke(&old, "1").await;
    let fleet = FleetKey::new([9; 32]).expect("a key");
    let clock = FakeClock::at(1_000);
    let log = RevocationLog::builder(Link::new(&server), fleet).clock(clock.clone()).build().expect("a log");
    let new = Process { clock, log: Arc::new(log), ..Process::new(&server, &key, 1_000) };
    for _ in 0..4 {
        tick(&[&old, &new]).await;
    }
    assert_eq!((old.status("1"), new.status("1")), (Some(Revoked), Some(Active)), "it is to be said there too");
    revoke(&new, "1").await;
    assert_eq!(new.status("1"), Some(Revoked));
}

/// Of two looks of one process at once the one that began first ends last, with what was there before.
#[tokio::test]
async fn who_says_something_on_a_log_that_went_back_meanwhile_leaves_nothing_out() {
    let (server, key) = (server(), public_key());
    let [other, process] = [(); 2].map(|()| Process::new(&server, &key, 1_000));
    other.confirm().await;
    process.confirm().await;
    let before = server.now();
    process.link.set(HOLDS_BACK);
    let saying = tokio::spawn({
        let log = process.log.clone();
        async move { log.revoke_token("a", "2", at(FAR_AWAY)).await }
    });
    while process.link.mode() == HOLDS_BACK {
        tokio::task::yield_now().await;
    }
    process.link.set(WORKS);
    revoke(&other, "1").await;
    process.log.poll().await.expect("the store works");
    drop(other);
    server.set(before);
    process.link.let_go();
    saying.await.expect("no panic").expect("the store works");
    tick(&[&process]).await;
    let starts = Process::new(&server, &key, 1_000);
    for _ in 0..3 {
        tick(&[&process, &starts]).await;
    }
    assert_eq!((starts.status("1"), starts.status("2")), (Some(Revoked), Some(Revoked)));
}

#[tokio::test]
async fn what_is_long_over_is_not_acknowledged() {
    let (server, key) = (server(), public_key());
    let [ahead, right] = [1_000 + 7_200, 1_000].map(|second| Process::new(&server, &key, second));
    right.log.distrust_key_id("a", "k", at(2_000)).await.expect("the store works");
    revoke(&right, "1").await;
    assert!(ahead.log.revoke_token("a", "2", at(2_000)).await.is_err());
    assert!(ahead.log.distrust_key_id("a", "other", at(2_000)).await.is_err());
    assert!(ahead.log.revoke_token("a", "1", at(2_000)).await.is_ok(), "it is there, and for longer");
    assert!(ahead.log.restore_key_id("a", "k").await.is_ok(), "nothing is distrusted");
}

#[tokio::test]
async fn a_log_to_which_nobody_adds_goes_on_by_one_tick_in_an_interval() {
    let (server, key) = (server(), public_key());
    let processes: Vec<_> = (0..20).map(|_| Process::new(&server, &key, 1_000)).collect();
    let all: Vec<_> = processes.iter().collect();
    for _ in 0..4 {
        tick(&all).await;
    }
    let asked = server.questions.load(Ordering::SeqCst);
    for _ in 0..10 {
        let before = server.now()[&head_key()].clone();
        tick(&all).await;
        assert_ne!(server.now()[&head_key()], before, "it goes on");
        assert!(all.iter().all(|process| process.log.is_confirmed()));
    }
    let asked = server.questions.load(Ordering::SeqCst) - asked;
    assert_eq!(asked, 10 * (20 + 1), "a look for each, and one tick");
    // Whoever did it is gone: another takes it up before anybody's view is too old.
    let others = &all[1..];
    for _ in 0..10 {
        tick(others).await;
        assert!(others.iter().all(|process| process.log.is_confirmed()));
    }
}

#[tokio::test]
async fn who_is_behind_does_not_begin_the_log_anew() {
    let (server, key) = (server(), public_key());
    let [knows, behind] = [(); 2].map(|()| Process::new(&server, &key, 1_000));
    knows.confirm().await;
    behind.confirm().await;
    for n in 0..100 {
        revoke(&knows, &n.to_string()).await;
    }
    behind.clock.advance(2 * BOUND);
    server.set(server.now().into_iter().filter(|(key, _)| *key == head_key()).collect());
    for _ in 0..8 {
        assert!(behind.log.poll().await.is_err(), "it cannot know what was there");
        assert_eq!(behind.status("1"), Some(Unknown));
        behind.clock.advance(INTERVAL);
    }
    knows.log.poll().await.expect("the store works");
    for _ in 0..3 {
        tick(&[&knows, &behind]).await;
    }
    for n in 0..100 {
        assert_eq!(behind.status(&n.to_string()), Some(Revoked));
    }
}

#[tokio::test]
async fn of_those_who_ask_before_the_first_look_one_looks() {
    for goes_on in [false, true] {
        let server = server();
        let link = Link::new(&server);
        link.set(YIELDS);
        let builder = RevocationLog::builder(link, fleet_key()).clock(FakeClock::at(1_000));
        let log = if goes_on { builder.danger_degrade() } else { builder }.build().expect("a log");
        let good = token(&json!({"iss": "a", "jti": "2"}));
        let answers = join_all((0..100).map(|_| log.status(&good))).await;
        let (first, others) = answers.split_first().expect("an answer");
        assert_eq!(*first, if goes_on { Active } else { Unknown });
        assert!(others.iter().all(|answer| *answer == Unknown), "nobody has looked yet");
        assert_eq!(server.questions.load(Ordering::SeqCst), 3, "no head, a new one, and a look");
    }
}

#[tokio::test]
async fn keys_can_be_distrusted_where_there_is_no_room_for_tokens() {
    let (server, key) = (server(), public_key());
    let processes =
        [1_000, 1_000].map(|second| Process::with(&server, &key, second, |builder| builder.max_entries(60)));
    let [one, other] = &processes;
    for n in 0..60 {
        if n % 2 == 0 {
            revoke(one, &n.to_string()).await;
        } else {
            let (subject, until) = (n.to_string(), at(FAR_AWAY));
            one.log.revoke_subject_before("a", &subject, at(101), until).await.expect("the store works");
        }
    }
    assert!(one.log.revoke_token("a", "60", at(FAR_AWAY)).await.is_err());
    assert!(other.log.revoke_subject_before("a", "60", at(101), at(FAR_AWAY)).await.is_err());
    assert_eq!(other.log.revoke_token("a", "0", at(FAR_AWAY + 1)).await.map_err(drop), Ok(()), "it is there already");
    one.log.distrust_key_id("a", "k", at(FAR_AWAY)).await.expect("room for a key");
    for n in 0..40 {
        one.log.distrust_key_id("a", &n.to_string(), at(FAR_AWAY)).await.expect("room for a key");
    }
    other.log.distrust_thumbprint(&key.jwk().unwrap().thumbprint().unwrap(), at(FAR_AWAY)).await.expect("room");
    for process in &processes {
        process.confirm().await;
        assert_eq!(process.trusts(), Some(false));
        assert_eq!((process.status("0"), process.status("59")), (Some(Revoked), Some(Revoked)));
        // What is over makes room.
        process.clock.advance(Duration::from_secs(FAR_AWAY + 3_600));
    }
    one.log.revoke_token("a", "60", at(2 * FAR_AWAY)).await.expect("room");
}

#[tokio::test]
async fn a_process_whose_clock_is_ahead_loses_nothing() {
    let (server, key) = (server(), public_key());
    let [ahead, right] = [2_200, 1_000].map(|second| Process::new(&server, &key, second));
    right.confirm().await;
    let soon = at(1_600);
    ahead.log.revoke_token("a", "1", soon).await.expect("the store works");
    ahead.log.distrust_key_id("a", "k", soon).await.expect("the store works");
    tick(&[&right]).await;
    assert_eq!((right.status("1"), right.trusts()), (Some(Revoked), Some(false)));
    server.flush();
    ahead.log.poll().await.expect("the store works");
    let starts = Process::new(&server, &key, 1_000);
    starts.confirm().await;
    assert_eq!((starts.status("1"), starts.trusts()), (Some(Revoked), Some(false)), "it was put back");
}

#[tokio::test]
async fn pages_that_nothing_leads_to_go_by_themselves() {
    let (server, key) = (server(), public_key());
    let process = Process::new(&server, &key, 1_000);
    for n in 0..32 {
        revoke(&process, &n.to_string()).await;
    }
    // The next one moves them to a page. Nobody hears whether that was put in place, and the process ends.
    process.link.set(FAILS_AT_SWAP);
    assert!(process.log.revoke_token("a", "32", at(FAR_AWAY)).await.is_err());
    let left: Vec<_> = server.now().into_keys().filter(|key| *key != head_key()).collect();
    assert_eq!(left.len(), 1);
    assert!(left.iter().all(|page| server.is_passing(page)));
    drop(process);
    let other = Process::new(&server, &key, 1_000);
    for n in 32..200 {
        revoke(&other, &n.to_string()).await;
    }
    let pages: Vec<_> = server.now().into_keys().filter(|key| !left.contains(key)).collect();
    assert_eq!(pages.len(), 2, "a head and a page");
    assert!(pages.iter().all(|page| !server.is_passing(page)), "what counts stays");
}

#[tokio::test]
async fn a_page_that_counts_stays_although_its_writer_ended_before_it_could_say_so() {
    let (server, key) = (server(), public_key());
    let process = Process::new(&server, &key, 1_000);
    for n in 0..32 {
        revoke(&process, &n.to_string()).await;
    }
    process.link.set(FAILS_AFTER_SWAP);
    assert!(process.log.revoke_token("a", "32", at(FAR_AWAY)).await.is_err());
    drop(process);
    let page = server.now().into_keys().find(|key| *key != head_key()).expect("a page");
    assert!(server.is_passing(&page));
    let other = Process::new(&server, &key, 1_000);
    other.confirm().await;
    assert_eq!(other.status("32"), Some(Revoked), "nobody had heard of it");
    assert!(!server.is_passing(&page));
}

/// The time of a runtime whose clock is paused.
#[derive(Debug)]
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> SystemTime {
        at(1_000) + self.0.elapsed()
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn one_failed_look_costs_no_answer() {
    let server = server();
    let link = Link::new(&server);
    let log = RevocationLog::builder(link.clone(), fleet_key()).clock(Paused(Instant::now())).build().expect("a log");
    let log = Arc::new(log);
    let follower = Follower::start(log.clone()).expect("a runtime");
    let step = Duration::from_millis(10);
    for phase in 0..10 {
        sleep(10 * INTERVAL + phase * INTERVAL / 10).await;
        assert!(log.is_confirmed());
        let asked = server.questions.load(Ordering::SeqCst);
        link.set(FAILS);
        while server.questions.load(Ordering::SeqCst) == asked {
            sleep(step).await;
        }
        link.set(WORKS);
        for _ in 0..1_000 {
            assert!(log.is_confirmed());
            sleep(step).await;
        }
    }
    drop(follower);
}

#[test]
fn a_follower_says_whether_it_polls() {
    let log = RevocationLog::builder(Link::new(&server()), fleet_key()).build().expect("a log");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let follower = runtime.block_on(async { Follower::start(Arc::new(log)) }).expect("a runtime");
    assert!(follower.is_running());
    drop(runtime);
    assert!(!follower.is_running());
}

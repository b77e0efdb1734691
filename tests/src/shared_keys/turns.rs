//! Who fetches, how often, and what becomes of those who die or sleep on the way.

use super::*;
use crate::machine::tell_fault;

#[tokio::test(start_paused = true)]
async fn eight_processes_fetch_once_at_cold_start_and_once_at_each_expiry() {
    let fleet = Fleet::new(8);
    let (answers, took) = fleet.ask_all("v1").await;
    assert_eq!((answers, fleet.issuer.fetches()), (vec!["key"; 8], 1));
    assert!(took < SECOND, "{took:?}");
    // A time to live of 10 min, the first of eight after about 7: eight times in an hour, and nobody is asked for keys.
    sleep(60 * MINUTE).await;
    let fetches = fleet.issuer.fetches();
    assert!((6..=10).contains(&fetches), "{fetches} fetches");
    assert_eq!((fleet.told("published"), fleet.told("lease_lost")), (fetches, 0));
    assert!(fleet.processes.iter().all(|process| process.keys.health().age_seconds < Some(600)));
    assert!(fleet.told("by shared") >= 7 * fetches, "{}", fleet.told("by shared"));
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_fetched_once_whoever_sees_it_and_when() {
    for apart in [Duration::ZERO, Duration::from_millis(40), 2 * SECOND] {
        let fleet = Fleet::new(8);
        fleet.ask_all("v1").await;
        sleep(MINUTE).await;
        fleet.issuer.rotate();
        let asking = fleet.processes.iter().zip(0..).map(|(process, at)| async move {
            sleep(apart * at).await;
            process.ask("v2").await
        });
        let answers = futures_util::future::join_all(asking).await;
        assert!(answers.iter().all(|(answer, took)| *answer == "key" && *took < NEXT_WAIT), "{answers:?}");
        assert_eq!(fleet.issuer.fetches(), 2, "{apart:?} apart");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_process_learns_all_know_ten_seconds_later_and_nobody_asked() {
    let fleet = Fleet::new(8).without_news();
    fleet.ask_all("v1").await;
    fleet.issuer.rotate();
    assert!(fleet.processes[3].has("v2").await);
    sleep(11 * SECOND).await;
    for process in &fleet.processes {
        assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(2), "and the removed key is distrusted");
    }
    assert_eq!(fleet.issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_one_process_fetches_it_announces_and_all_know_two_seconds_later() {
    let fleet = Fleet::new(8);
    fleet.ask_all("v1").await;
    for version in 2..=5 {
        sleep(MINUTE).await;
        fleet.issuer.rotate();
        // Whoever it is: because of a key that it does not know, or because it is told to.
        let first = &fleet.processes[version];
        if version % 2 == 0 {
            assert!(first.has(&format!("v{version}")).await);
        } else {
            first.keys.refresh_now().await.expect("a refresh");
        }
        sleep(2 * SECOND).await;
        for process in &fleet.processes {
            assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(version), "long before the next look is due");
        }
        assert_eq!(fleet.issuer.fetches(), version);
    }
}

#[tokio::test(start_paused = true)]
async fn made_up_ids_cost_the_issuer_what_one_process_would_at_once_and_one_after_the_other() {
    for apart in [Duration::ZERO, Duration::from_millis(130)] {
        let fleet = Fleet::new(8);
        fleet.ask_all("v1").await;
        let mut wrong = 0;
        for n in 0..100 {
            let asking = fleet.processes.iter().zip(0..).map(|(process, at)| async move {
                sleep(apart * at).await;
                process.ask(&format!("made up {n}")).await
            });
            let answers = futures_util::future::join_all(asking).await;
            wrong += answers.iter().filter(|(answer, _)| *answer == "key").count();
            assert!(answers.iter().all(|(answer, _)| *answer == "not found"), "{answers:?}");
            sleep(SECOND).await;
        }
        let (fetches, seconds) = (fleet.issuer.fetches(), fleet.began.elapsed().as_secs());
        let at_most = 1 + 2 + usize::try_from(seconds).expect("a number") / 5;
        assert!(fetches <= at_most, "{fetches} fetches in {seconds} s, {apart:?} apart");
        assert_eq!(fleet.ask_all("v1").await, (vec!["key"; 8], Duration::ZERO));
        // What is published meanwhile is found when it is asked for a while later.
        fleet.issuer.rotate();
        sleep(10 * SECOND).await;
        assert_eq!(fleet.ask_all("v2").await.0, ["key"; 8]);
        tell_fault(
            &format!("8 providers, made-up key ids {apart:?} apart"),
            &[("seconds", usize::try_from(seconds).expect("a number")), ("fetches", fetches), ("wrong", wrong)],
        );
    }
}

/// Where the others have taken over a document without a key whose tokens are still about, not each asks for it anew.
#[tokio::test(start_paused = true)]
async fn a_key_that_is_gone_is_looked_for_by_the_fleet_and_not_by_each_of_it() {
    let fleet = Fleet::new(40).without_news();
    fleet.ask_all("v1").await;
    fleet.issuer.rotate();
    assert!(fleet.processes[0].has("v2").await);
    sleep(11 * SECOND).await;
    let fetches = fleet.issuer.fetches();
    for process in &fleet.processes {
        assert_eq!(process.ask("v1").await.0, "not found");
    }
    assert!(fleet.issuer.fetches() - fetches <= 2, "{}", fleet.issuer.fetches() - fetches);
}

#[tokio::test(start_paused = true)]
async fn a_known_key_never_touches_the_store() {
    let fleet = Fleet::new(1);
    let process = &fleet.processes[0];
    assert!(process.has("v1").await);
    let asked = process.way.questions();
    process.way.set(Mood::Panics);
    for _ in 0..1_000 {
        assert_eq!(process.ask("v1").await, ("key", Duration::ZERO));
        assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(1));
    }
    assert_eq!(process.way.questions(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_between_fetch_and_commit_is_succeeded_when_its_lease_ends() {
    let mut fleet = Fleet::new(8);
    let leader = fleet.processes.remove(0);
    let leading = tokio::spawn({
        let keys = leader.keys.clone();
        async move { keys.ready().await.is_ok() }
    });
    // It has the lease and its claim, and the answer is on its way.
    while fleet.issuer.fetches() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    leader.gate.set(false);
    sleep(Duration::from_millis(200)).await;
    leader.keys.close();
    leading.abort();
    let (answers, took) = fleet.ask_all("v1").await;
    assert_eq!((answers, fleet.issuer.fetches()), (vec!["key"; 7], 2));
    assert!(2 * SECOND < took && took < FIRST_WAIT, "{took:?}");
    assert_eq!(fleet.told("published"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_slept_past_its_lease_loses_whatever_its_clock_says() {
    for (ahead_by, tells_time) in [(0, true), (60, true), (-60, true), (60, false), (-60, false)] {
        let fleet = Fleet::with(2, |at| if at == 0 { ahead_by } else { 0 }, tells_time);
        fleet.ask_all("v1").await;
        sleep(MINUTE).await;
        let [sleeper, other] = &fleet.processes[..] else { panic!("two processes") };
        let asking = tokio::spawn({
            let keys = sleeper.keys.clone();
            async move { keys.refresh_now().await.is_ok() }
        });
        let fetched = fleet.issuer.fetches();
        while fleet.issuer.fetches() == fetched {
            sleep(Duration::from_millis(1)).await;
        }
        // It has asked for the old set, and falls asleep before it has the answer.
        sleeper.gate.set(false);
        fleet.issuer.rotate();
        sleep(4 * SECOND).await;
        assert!(other.has("v2").await);
        let kept = fleet.kept().await;
        sleeper.gate.set(true);
        assert!(asking.await.expect("no panic"));
        assert_eq!(sleeper.told.count("lease_lost"), 1, "{ahead_by} {tells_time}");
        assert_eq!(fleet.issuer.version_in_use(&sleeper.keys), Some(2), "it has what the other one fetched");
        assert_eq!(fleet.kept().await, kept, "and so has the store");
        assert_eq!(fleet.issuer.version_in_use(&other.keys), Some(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_wakes_while_its_successor_fetches_waits_for_it() {
    let fleet = Fleet::new(2);
    fleet.ask_all("v1").await;
    sleep(MINUTE).await;
    let [sleeper, other] = &fleet.processes[..] else { panic!("two processes") };
    let refresh = |process: &Process| {
        let keys = process.keys.clone();
        tokio::spawn(async move { keys.refresh_now().await.is_ok() })
    };
    let asking = refresh(sleeper);
    sleep(Duration::from_millis(20)).await;
    sleeper.gate.set(false);
    fleet.issuer.rotate();
    sleep(4 * SECOND).await;
    let succeeding = refresh(other);
    sleep(Duration::from_millis(20)).await;
    sleeper.gate.set(true);
    assert!(asking.await.expect("no panic") && succeeding.await.expect("no panic"));
    for process in [sleeper, other] {
        assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(2));
    }
    assert_eq!((sleeper.told.count("lease_lost"), fleet.issuer.fetches()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_issuer_costs_it_what_one_process_would() {
    let mut fetches = [0; 2];
    for (fetches, processes) in fetches.iter_mut().zip([1, 8]) {
        let fleet = Fleet::new(processes);
        fleet.issuer.is_down(true);
        let (answers, took) = fleet.ask_all("v1").await;
        assert_eq!((answers, took <= FIRST_WAIT), (vec!["unavailable"; processes], true));
        sleep(20 * MINUTE).await;
        *fetches = fleet.issuer.fetches();
        assert!(processes == 1 || fleet.told("failed: paused") > 0);
        fleet.issuer.is_down(false);
        sleep(75 * SECOND).await;
        assert_eq!(fleet.ask_all("v1").await.0, vec!["key"; processes], "and its end is seen by all");
        assert_eq!(fleet.issuer.fetches(), *fetches + 1);
    }
    let [one, eight] = fetches;
    assert!(eight <= 2 * one, "{one} fetches by one, {eight} by eight");
}

#[tokio::test(start_paused = true)]
async fn who_starts_in_an_outage_is_served_by_what_the_fleet_knows_within_its_bound() {
    let fleet = Fleet::new(1);
    fleet.ask_all("v1").await;
    fleet.issuer.is_down(true);
    sleep(30 * MINUTE).await;
    let late = fleet.process(0, true, |builder| builder);
    assert!(late.has("v1").await);
    assert!(late.keys.health().age_seconds >= Some(1_800), "and it knows how old that is");
    sleep(31 * MINUTE).await;
    assert_eq!(late.ask("v1").await.0, "unavailable", "no longer than if it had fetched it");
    assert_eq!(fleet.ask_all("v1").await.0, ["unavailable"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_store_has_lost_is_put_back() {
    let fleet = Fleet::new(8);
    fleet.ask_all("v1").await;
    fleet.flush().await;
    sleep(11 * SECOND).await;
    let late = fleet.process(0, true, |builder| builder);
    assert!(late.has("v1").await);
    assert_eq!((fleet.issuer.fetches(), fleet.told("published")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn clocks_a_minute_apart_neither_block_what_is_newer_nor_prolong_what_is_old() {
    let (mut fetches, mut taken, mut future, mut refused) = (0, 0, 0, 0);
    for (skews, tells_time) in [([60, 0], true), ([0, 60], true), ([60, 0], false), ([0, 60], false)] {
        let fleet = Fleet::with(2, |at| skews[at], tells_time).without_news();
        fleet.ask_all("v1").await;
        for version in 1..=6 {
            // In turns, each sees a new key first.
            let first = &fleet.processes[version % 2];
            assert!(first.has(&format!("v{version}")).await, "{skews:?} {version}");
            sleep(11 * SECOND).await;
            for process in &fleet.processes {
                assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(version), "{skews:?} {tells_time}");
                taken += 1;
            }
            if version < 6 {
                fleet.issuer.rotate();
            }
        }
        assert_eq!(fleet.told("future"), 0);
        future += fleet.told("future");
        fetches += fleet.issuer.fetches();
        fleet.issuer.is_down(true);
        sleep(61 * MINUTE).await;
        let late = fleet.process(0, tells_time, |builder| builder);
        for process in fleet.processes.iter().chain([&late]) {
            assert_eq!(process.ask("v6").await.0, "unavailable", "{skews:?} {tells_time}");
            refused += 1;
        }
    }
    tell_fault(
        "clocks of two processes 60 s apart",
        &[("fetches", fetches), ("new_sets_taken", taken), ("called_future", future), ("old_sets_refused", refused)],
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_hours_ahead_is_believed_by_nobody_and_stops_nobody() {
    let fleet = Fleet::with(3, |at| if at == 0 { 7_200 } else { 0 }, true);
    assert!(fleet.processes[0].has("v1").await);
    fleet.issuer.rotate();
    assert_eq!(fleet.ask_all("v2").await.0, ["key"; 3]);
    assert!(fleet.told("future") > 0);
    fleet.issuer.rotate();
    sleep(10 * MINUTE).await;
    for process in &fleet.processes {
        assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(3));
    }
    // Set right, it is one of them again.
    fleet.processes[0].clock.ahead_by.store(0, Ordering::SeqCst);
    fleet.issuer.rotate();
    assert!(fleet.processes[1].has("v4").await);
    sleep(11 * SECOND).await;
    for process in &fleet.processes {
        assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(4));
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_cannot_reach_the_issuer_holds_the_others_up_for_five_seconds_at_most() {
    // No connection, and one to a proxy that refuses.
    for trouble in [Trouble::NoConnection, Trouble::Status(403)] {
        let fleet = Fleet::new(2);
        let [cut_off, other] = &fleet.processes[..] else { panic!("two processes") };
        // However often it has failed before, with each failure a longer pause.
        cut_off.has_trouble(trouble);
        for _ in 0..8 {
            assert_eq!(cut_off.ask("v1").await.0, "unavailable");
            sleep(MINUTE).await;
        }
        let _ = cut_off.keys.refresh_now().await;
        let waited = async {
            while !other.has("v1").await {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let asked_at = Instant::now();
        waited.await;
        assert!(asked_at.elapsed() <= 6 * SECOND, "{trouble:?}: {:?}", asked_at.elapsed());
        sleep(11 * SECOND).await;
        assert!(cut_off.has("v1").await, "and has what they fetch");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_not_called_unknown_because_another_process_could_not_fetch() {
    // What may be the issuer's own trouble holds all up for longer.
    let troubles = [(Trouble::NoConnection, 8), (Trouble::Status(403), 8), (Trouble::Status(502), 70)];
    for (trouble, seconds) in troubles {
        let fleet = Fleet::new(2);
        fleet.ask_all("v1").await;
        let [cut_off, other] = &fleet.processes[..] else { panic!("two processes") };
        sleep(MINUTE).await;
        cut_off.has_trouble(trouble);
        for _ in 0..7 {
            assert!(cut_off.keys.refresh_now().await.is_err());
            sleep(2 * SECOND).await;
        }
        fleet.issuer.rotate();
        assert!(cut_off.keys.refresh_now().await.is_err());
        // It would try again, and who is first when a pause ends is a matter of chance.
        cut_off.keys.close();
        let asked_at = Instant::now();
        let mut answers = Vec::new();
        while answers.last() != Some(&"key") && answers.len() < 400 {
            answers.push(other.ask("v2").await.0);
            sleep(Duration::from_millis(500)).await;
        }
        assert!(asked_at.elapsed() <= seconds * SECOND, "{trouble:?}: {:?}", asked_at.elapsed());
        assert!(!answers.contains(&"not found"), "{trouble:?}: {answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_fetch_is_left_to_whoever_is_at_it_by_those_who_have_keys() {
    let fleet = Fleet::new(8);
    fleet.ask_all("v1").await;
    sleep(MINUTE).await;
    let [slow, others @ ..] = &fleet.processes[..] else { panic!("eight processes") };
    slow.has_trouble(Trouble::Late(12 * SECOND));
    fleet.issuer.rotate();
    let fetching = tokio::spawn({
        let keys = slow.keys.clone();
        async move { keys.refresh_now().await.is_ok() }
    });
    sleep(SECOND).await;
    let answers = futures_util::future::join_all(others.iter().map(|process| process.ask("v2"))).await;
    assert!(answers.iter().all(|(answer, took)| *answer != "key" && *took <= NEXT_WAIT), "{answers:?}");
    sleep(9 * SECOND).await;
    assert!(
        others.iter().all(|process| fleet.issuer.version_in_use(&process.keys) == Some(1)),
        "they serve what they have"
    );
    assert!(fetching.await.expect("no panic"));
    sleep(SECOND).await;
    assert!(fleet.processes.iter().all(|process| fleet.issuer.version_in_use(&process.keys) == Some(2)));
    assert_eq!((fleet.told("alone"), fleet.issuer.fetches()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn who_has_no_keys_waits_eight_seconds_for_a_slow_fetch_and_tells_that_it_fetches_alone() {
    let fleet = Fleet::new(2);
    let [slow, other] = &fleet.processes[..] else { panic!("two processes") };
    slow.has_trouble(Trouble::Late(12 * SECOND));
    let ready = |process: &Process| {
        let keys = process.keys.clone();
        tokio::spawn(async move { keys.ready().await.is_ok() })
    };
    let fetching = ready(slow);
    sleep(SECOND).await;
    assert!(!ready(other).await.expect("no panic"), "no request waits as long");
    assert_eq!(other.told.count("alone"), 0);
    sleep(4 * SECOND).await;
    assert_eq!((fleet.issuer.version_in_use(&other.keys), other.told.count("alone")), (Some(1), 1));
    assert!(!fetching.await.expect("no panic"));
    sleep(4 * SECOND).await;
    assert_eq!((fleet.issuer.version_in_use(&slow.keys), slow.told.count("alone")), (Some(1), 0));
}

#[tokio::test(start_paused = true)]
async fn news_bring_a_look_soon_and_a_flood_of_them_one_in_a_second() {
    let fleet = Fleet::new(2);
    let [process, other] = &fleet.processes[..] else { panic!("two processes") };
    assert!(process.has("v1").await);
    sleep(MINUTE).await;
    // What another process has fetched is known soon after it says so.
    fleet.issuer.rotate();
    other.keys.refresh_now().await.expect("a refresh");
    sleep(2 * SECOND).await;
    assert_eq!(fleet.issuer.version_in_use(&process.keys), Some(2));
    let (began, asked, mut announced) = (Instant::now(), process.way.questions(), 0);
    while began.elapsed() < 10 * SECOND {
        process.way.announce(&document_name()).await.expect("announced");
        announced += 1;
        sleep(Duration::from_millis(1)).await;
    }
    let looks = process.way.questions() - asked - announced;
    assert!((5..=12).contains(&looks), "{looks} looks in 10 s");
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_alone_gives_way_to_nothing_older_whatever_the_clocks_say() {
    let fleet = Fleet::with(2, |at| [60, -60][at], true).without_news();
    let [ahead, behind] = &fleet.processes[..] else { panic!("two processes") };
    assert!(ahead.has("v1").await);
    sleep(SECOND).await;
    fleet.issuer.rotate();
    behind.way.set(Mood::Fails);
    assert!(behind.has("v2").await);
    behind.way.set(Mood::Well);
    sleep(15 * SECOND).await;
    assert_eq!(fleet.issuer.version_in_use(&behind.keys), Some(2), "two minutes later by their clocks, and older");
    assert!(behind.told.count("outdated") > 0);
    // Its next turn puts the order right.
    behind.keys.refresh_now().await.expect("a refresh");
    sleep(11 * SECOND).await;
    assert_eq!(fleet.issuer.version_in_use(&ahead.keys), Some(2));
}

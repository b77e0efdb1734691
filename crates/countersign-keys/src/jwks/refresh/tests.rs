use super::look_up::Question;
use super::*;
use crate::gate::PERIOD;
use crate::{FetchError, FetchRequest, Fetched, JwksProvider, Validators};
use countersign::{Bytes, async_trait};
use countersign_testkit::clock::FakeClock;

const SECOND: Duration = Duration::from_secs(1);

/// A server that never answers.
#[derive(Debug)]
struct Hangs;
#[async_trait]
impl JwksFetch for Hangs {
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        std::future::pending().await
    }
}

fn hanging() -> (JwksProvider, FakeClock) {
    let clock = FakeClock::at(1_800_000_000);
    let keys = JwksProvider::url("https://issuer.example/jwks").fetch(Hangs).clock(clock.clone()).build();
    (keys.expect("a provider"), clock)
}

#[test]
fn what_other_processes_may_not_meet_is_told_apart() {
    let status = |status| RefreshError::from(FetchError::status(status, None));
    let fetch = |error: FetchError| RefreshError::from(error);
    let cases = [
        (RefreshError::Abandoned, true),
        (fetch(FetchError::Address), true),
        (fetch(FetchError::Connect("refused".into())), true),
        (fetch(FetchError::Timeout("connect".into())), true),
        (fetch(FetchError::Tls("certificate".into())), true),
        (fetch(FetchError::Transport("reset".into())), true),
        (fetch(FetchError::TooLarge), false),
        (status(304), false),
        (status(399), false),
        (status(400), true),
        (status(403), true),
        (status(428), true),
        (status(429), false),
        (status(430), true),
        (status(499), true),
        (status(500), false),
        (status(503), false),
        (RefreshError::NoUsableKey, false),
        (RefreshError::Paused { retry_after: SECOND }, false),
        (RefreshError::NoRuntime, false),
    ];
    for (error, may_be_ours) in cases {
        assert_eq!(error.may_be_ours(), may_be_ours, "{error:?}");
    }
}

#[test]
fn a_time_that_is_never_set_is_due() {
    let (keys, clock) = hanging();
    let refresher = &keys.refresher;
    clock.advance(7 * SECOND);
    let now = clock.monotonic();
    // When the next refresh is due, from now, and what is made of it.
    for (due, wait) in [(0, 0), (1, 1), (3_600_000, 3_600_000), (3_660_000, 3_660_000), (3_660_001, 0)] {
        refresher.due.store(millis(now) + due, Ordering::Release);
        assert_eq!(millis(refresher.due_in(now)), wait, "{due}");
    }
    assert_eq!(refresher.due_in(now + 10_000 * SECOND), Duration::ZERO, "long past");
}

#[tokio::test(start_paused = true)]
async fn one_refresh_is_under_way_until_it_is_overdue() {
    let (keys, clock) = hanging();
    let refresher = &keys.refresher;
    clock.advance(SECOND);
    assert!(refresher.may_start(clock.monotonic()) && refresher.under_way().is_none());
    assert!(refresher.start(RefreshTrigger::Start, 0).is_some());
    for (passes, is_under_way) in [(Duration::ZERO, true), (SECOND, true), (14_999 * SECOND / 1000, true)] {
        clock.advance(passes);
        assert_eq!(refresher.under_way().is_some(), is_under_way, "{passes:?}");
        assert_eq!(refresher.may_start(clock.monotonic()), !is_under_way, "{passes:?}");
    }
    clock.advance(SECOND / 1000);
    assert!(refresher.may_start(clock.monotonic()) && refresher.under_way().is_none(), "16 s");
    assert!(refresher.start(RefreshTrigger::Start, 0).is_some());
    assert!(!refresher.may_start(clock.monotonic()) && refresher.under_way().is_some());
    let state = refresher.state();
    assert_eq!((state.flights, state.keepers), (2, 1), "another refresh, and the same keeper");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_a_refresh_waits_until_its_time_is_over() {
    let (keys, _clock) = hanging();
    let refresher = &keys.refresher;
    let KeyProviderError::Unavailable(unavailable) = refresher.refresh_now().await.expect_err("nobody answers") else {
        panic!("unavailable");
    };
    let why = unavailable.source.as_deref().and_then(|source| source.downcast_ref::<RefreshError>());
    assert_eq!(why.map(RefreshError::kind), Some("abandoned"));
    let landings = refresher.landings();
    assert_eq!(landings, 1);
    let since_then = refresher.start(RefreshTrigger::Schedule, 0).expect("nothing to wait for");
    assert!(since_then.has_changed().expect("a sender"), "one has ended since");
    assert_eq!(refresher.state().flights, 1);
    assert!(refresher.start(RefreshTrigger::Schedule, landings).is_some());
    assert_eq!(refresher.state().flights, 2);
}

#[test]
fn a_question_is_answered_by_what_this_process_asked_for_since() {
    let (second, two) = (SECOND, 2 * SECOND);
    let question = Question { asked_at: moment(two), answers: 5 };
    // Whether it is this process's own, how many answers, when it was asked for and how old it was then.
    let cases = [
        ((true, 6, two, Duration::ZERO), (true, false)),
        ((true, 6, 3 * SECOND, PERIOD), (true, false)),
        ((true, 5, two, Duration::ZERO), (false, false)),
        ((true, 4, two, PERIOD), (false, false)),
        ((true, 6, second, Duration::ZERO), (false, false)),
        ((false, 6, two, Duration::ZERO), (false, false)),
        ((false, 6, two, PERIOD - SECOND / 1000), (false, false)),
        ((false, 6, two, PERIOD), (false, true)),
        ((false, 6, two, 2 * PERIOD), (false, true)),
        ((false, 5, two, PERIOD), (false, false)),
        ((false, 4, two, PERIOD), (false, false)),
    ];
    for ((is_own, answer, asked_at, had_age), expected) in cases {
        let snapshot = Snapshot { is_own, answer, asked_at: moment(asked_at), had_age, ..snapshot() };
        let answered = (question.is_answered_by(&snapshot), question.is_only_half_answered_by(&snapshot));
        assert_eq!(answered, expected, "{is_own} {answer} {asked_at:?} {had_age:?}");
    }
}

#[test]
fn a_key_that_is_not_there_is_unknown_where_nobody_could_look_and_not_found_where_one_could() {
    let paused = || Some(RefreshError::Paused { retry_after: SECOND });
    // Whether the set is past its time, whether scheduled refreshes fail, the last error, in how many milliseconds the next
    // refresh is due, and whether nobody can tell.
    let cases = [
        (false, false, None, 1, false),
        (true, false, None, 1, true),
        (false, true, None, 1, true),
        (false, false, paused(), 1, true),
        (false, false, paused(), 0, false),
        (false, false, Some(RefreshError::NoUsableKey), 1, false),
    ];
    for (is_stale, schedule_fails, error, due, is_unknown) in cases {
        let shown = format!("{is_stale} {schedule_fails} {error:?} {due}");
        let (keys, clock) = hanging();
        let refresher = &keys.refresher;
        let asked_at = Moment::now(&clock);
        clock.advance(if is_stale { MIN_TIME_TO_LIVE } else { SECOND });
        {
            let mut state = refresher.state();
            (state.schedule_fails, state.last_error) = (schedule_fails, error.map(Arc::new));
        }
        refresher.due.store(millis(clock.monotonic()) + due, Ordering::Release);
        let answer = refresher.unresolved(&Snapshot { asked_at, ..snapshot() });
        assert_eq!(matches!(answer, KeyProviderError::Unavailable(_)), is_unknown, "{shown}: {answer:?}");
        assert_eq!(matches!(answer, KeyProviderError::NotFound), !is_unknown, "{shown}: {answer:?}");
    }
}

#[test]
fn a_snapshot_is_as_old_as_the_later_clock_says_and_as_it_was_when_it_came() {
    let (asked_at, now) = (moment(SECOND), moment(4 * SECOND));
    let slept = Moment { wall: now.wall + 6 * SECOND, ..now };
    let found = Snapshot { asked_at, had_age: 5 * SECOND, had_least_age: 2 * SECOND, ..snapshot() };
    for (now, age, least_age) in [(asked_at, 5, 2), (now, 8, 5), (slept, 14, 11), (moment(Duration::ZERO), 5, 2)] {
        assert_eq!((found.age(now), found.least_age(now)), (age * SECOND, least_age * SECOND), "{now:?}");
    }
    let found = Snapshot { time_to_live: 8 * SECOND, ..found };
    assert!(found.is_stale(now) && !found.is_stale(moment(4 * SECOND - SECOND / 1000)));
}

#[test]
fn what_was_fetched_later_stays_and_an_order_from_the_future_counts_for_nothing() {
    let (keys, _clock) = hanging();
    let refresher = &keys.refresher;
    let now = 1_800_000_000_000;
    let ahead = now + millis(MAX_SKEW);
    // The order of what is in use, that of another one, and whether that one takes its place.
    for (current, order, takes_its_place) in [
        (10, 11, true),
        (10, 10, false),
        (10, 9, false),
        (now, now + 1, true),
        (ahead, 9, false),
        (ahead, ahead, false),
        (ahead + 1, 9, true),
    ] {
        let shown = format!("{order} after {current}");
        let current = Snapshot { order: current, body: Bytes::from_static(b"1"), ..snapshot() };
        assert_eq!(refresher.is_later(order, &current), takes_its_place, "{shown}");
        let mut state = refresher.state();
        refresher.snapshot.store(Some(Arc::new(current)));
        let other = Snapshot { order, body: Bytes::from_static(b"2"), ..snapshot() };
        let installed = refresher.replace(&mut state, other.clone());
        assert_eq!(
            (installed.is_new, installed.snapshot.body == other.body),
            (takes_its_place, takes_its_place),
            "{shown}"
        );
        let generation = 1 + u64::from(takes_its_place);
        let snapshot = refresher.snapshot.load_full().expect("a set");
        assert_eq!((snapshot.generation, snapshot.answer), (generation, generation), "{shown}");
    }
    assert!(!refresher.is_from_the_future(ahead) && refresher.is_from_the_future(ahead + 1));
    // The order of what is in use, one that is known of beside it, and the next one.
    for (current, known, next) in [
        (None, None, now),
        (None, Some(now + 5), now + 6),
        (Some(now + 7), Some(now + 5), now + 8),
        (Some(now - 7), None, now),
        (Some(ahead + 1), Some(now), now + 1),
        (Some(now), Some(ahead + 1), now + 1),
    ] {
        refresher.snapshot.store(current.map(|order| Arc::new(Snapshot { order, ..snapshot() })));
        assert_eq!(refresher.next_order(known), next, "{current:?} {known:?}");
    }
}

#[test]
fn a_pause_doubles_within_bounds_and_is_no_shorter_than_what_the_server_wants() {
    let (keys, _clock) = hanging();
    let failed = |retry_after| RefreshError::from(FetchError::status(503, retry_after));
    let paused = |retry_after| RefreshError::Paused { retry_after };
    // How many failures there were before, this one, and the least and the most of the pause in milliseconds.
    for (failures, error, least, most) in [
        (0, failed(None), 500, 1_000),
        (1, failed(None), 1_000, 2_000),
        (5, failed(None), 16_000, 32_000),
        (6, failed(None), 30_000, 60_000),
        (u32::MAX, failed(None), 30_000, 60_000),
        (0, failed(Some(7 * SECOND)), 7_000, 7_000),
        (0, failed(Some(3600 * SECOND)), 60_000, 60_000),
        (u32::MAX, paused(2 * SECOND), 2_000, 2_500),
        (0, paused(3600 * SECOND), 60_000, 60_500),
    ] {
        let mut state = keys.refresher.state();
        state.failures = failures;
        let pauses: Vec<_> = (0..500).map(|_| millis(keys.refresher.backoff(&state, &error))).collect();
        let (min, max) = (pauses.iter().min().copied(), pauses.iter().max().copied());
        let near = (most - least) / 5;
        assert!((Some(least)..=Some(least + near)).contains(&min), "{failures} {error:?}: {min:?}");
        assert!((Some(most - near)..=Some(most)).contains(&max), "{failures} {error:?}: {max:?}");
    }
}

#[test]
fn keys_are_fetched_again_after_four_fifths_of_their_time_give_or_take_a_tenth() {
    let (keys, clock) = hanging();
    clock.advance(7 * SECOND);
    let now = clock.monotonic();
    let asked_at = Moment { monotonic: now, ..moment(Duration::ZERO) };
    for had_age in [0_u32, 100, 10_000] {
        let found = Snapshot { asked_at, had_age: had_age * SECOND, time_to_live: 1000 * SECOND, ..snapshot() };
        let due = |_| {
            keys.refresher.snapshot.store(None);
            keys.refresher.install(&mut keys.refresher.state(), found.clone());
            keys.refresher.due_in(now).as_secs()
        };
        let due: Vec<_> = (0..500).map(due).collect();
        let (min, max) = (due.iter().min().copied(), due.iter().max().copied());
        let (least, most) = (700_u64.saturating_sub(had_age.into()), 900_u64.saturating_sub(had_age.into()));
        assert!((Some(least)..=Some(least + 20)).contains(&min), "{had_age}: {min:?}");
        assert!((Some(most.saturating_sub(20))..=Some(most)).contains(&max), "{had_age}: {max:?}");
    }
}

#[test]
fn fractions_are_spread_over_all_that_they_may_be() {
    let fractions: Vec<f64> = (0..1000).map(|_| random_fraction()).collect();
    for tenth in 0..10 {
        let range = f64::from(tenth) / 10.0..=f64::from(tenth + 1) / 10.0;
        assert!(fractions.iter().any(|fraction| range.contains(fraction)), "{range:?}");
    }
    assert!(fractions.iter().all(|fraction| (0.0..=1.0).contains(fraction)));
}

/// So long after the start on both clocks.
fn moment(since: Duration) -> Moment {
    Moment { wall: SystemTime::UNIX_EPOCH + 1_800_000_000 * SECOND + since, monotonic: since }
}

fn snapshot() -> Snapshot {
    Snapshot {
        keys: Arc::default(),
        body: Bytes::new(),
        url: String::new(),
        validators: Validators::default(),
        asked_at: moment(Duration::ZERO),
        had_age: Duration::ZERO,
        had_least_age: Duration::ZERO,
        is_own: true,
        fetched_at: moment(Duration::ZERO).wall,
        order: 1,
        is_claimed: true,
        max_age: None,
        time_to_live: MIN_TIME_TO_LIVE,
        generation: 1,
        answer: 1,
    }
}

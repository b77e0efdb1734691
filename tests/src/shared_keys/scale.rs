//! What a fleet costs its issuer and its Redis: the model of docs/SCALE.md, and a fleet that is simulated and agrees with it.

mod simulation;

use super::*;
use countersign::revocation::RevocationLog;
use countersign_cache::Follower;
use simulation::Simulation;
use std::fmt::Write as _;
use std::io::Write as _;

/// What is asserted of the simulation.
const AGREES_WITHIN: f64 = 0.2;

/// The defaults: of the time to live, and of the bound of a revocation log.
const TIME_TO_LIVE: f64 = 600.0;
const BOUND: f64 = 5.0;
/// Between two looks of one process: 10 s, a tenth earlier or less.
const BETWEEN_LOOKS: f64 = 9.5;
/// Who hears of a newer document looks within half a second.
const AFTER_NEWS: f64 = 0.5;
/// Who hears of a fact looks within a fifth of an interval.
const AFTER_FACT: f64 = 0.2;
/// Between two `PING`s of a connection that listens.
const BETWEEN_PINGS: f64 = 5.0;
/// Where a look finds something, Redis runs the script, and `PTTL` and `GETRANGE` in it.
const FIND: f64 = 3.0;
/// `EVALSHA`, `GET`, and `SET` or `DEL`.
const SWAP: f64 = 3.0;
/// `SET … NX`, or `PUBLISH`.
const PLAIN: f64 = 1.0;
/// `EVALSHA` and `GETRANGE`.
const GET: f64 = 2.0;

/// In a minute, or at one event.
#[derive(Clone, Copy, Debug)]
struct Cost {
    fetches: f64,
    /// Round trips.
    questions: f64,
    /// What Redis runs, that in scripts included.
    commands: f64,
}

/// How many questions more one look costs that comes so long after the news on average, where looks come so far apart: the next
/// one comes later for it.
fn by_news(between: f64, after: f64) -> f64 {
    1.0 - (between + after) / (2.0 * between)
}

/// Of whoever fetches: look, lease, look again, claim, publish, announce, release.
const TO_FETCH: Cost = Cost { fetches: 1.0, questions: 7.0, commands: 2.0 * FIND + PLAIN + 2.0 * SWAP + PLAIN + SWAP };

/// Of whoever says something: look, append, announce.
const TO_SAY: Cost = Cost { fetches: 0.0, questions: 3.0, commands: FIND + SWAP + PLAIN };

/// What is announced once, from when it is said until all have looked.
fn announced(processes: f64, said: Cost) -> Cost {
    Cost { questions: said.questions + processes, commands: said.commands + processes * FIND, ..said }
}

/// A minute of a fleet that shares its keys, which live for so many seconds.
fn shared(processes: f64, time_to_live: f64) -> Cost {
    // Each draws a time from seven to nine tenths of the time to live, and the first of them refreshes.
    let refreshes = 60.0 / (time_to_live * (0.7 + 0.2 / (processes + 1.0)));
    let looks = processes * 60.0 / BETWEEN_LOOKS;
    // All hear of it. Those whose own time comes before they have looked find what the first one fetched: one question more.
    let late = (processes - 1.0) * (AFTER_NEWS / 2.0) / (0.2 * time_to_live);
    let more = processes * by_news(BETWEEN_LOOKS, AFTER_NEWS) + late;
    Cost {
        fetches: refreshes,
        questions: looks + refreshes * (TO_FETCH.questions + more),
        commands: looks * FIND + refreshes * (TO_FETCH.commands + more * FIND),
    }
}

/// A minute of as many that share nothing.
fn alone(processes: f64) -> Cost {
    Cost { fetches: processes * 60.0 / (0.8 * TIME_TO_LIVE), questions: 0.0, commands: 0.0 }
}

/// The moment when all of a fleet start, with nothing in Redis and a fetch that takes so many seconds.
fn cold_start(processes: f64, fetch: f64) -> Cost {
    let others = processes - 1.0;
    // In vain at first, and then again after 50 to 150 ms each time until the document is there.
    let in_vain = fetch / 0.1 + 13.0 / 24.0;
    // And then all hear of the document, and look.
    Cost {
        fetches: 1.0,
        questions: TO_FETCH.questions + others * (3.0 * in_vain + 1.0) + processes,
        commands: TO_FETCH.commands + others * (in_vain * (FIND + PLAIN + GET) + FIND) + processes * FIND,
    }
}

/// A minute in which all of a fleet are asked all the time, and at once, for keys that nobody has.
fn made_up_ids(processes: f64, fetch: f64) -> Cost {
    // One in 5 s gets through the gate of each process, and of those that ask at once one fetches. Who asks later learns that
    // the fleet has asked. All look when they hear of the document, and so never by themselves.
    let once = cold_start(processes, fetch);
    Cost { fetches: 12.0, questions: 12.0 * once.questions, commands: 12.0 * once.commands }
}

/// A minute of a fleet that follows a revocation log to which so many facts are added, far apart.
fn revocations(processes: f64, facts: f64) -> Cost {
    // Each asks once in an interval, and one of them adds a tick. Each fact is looked for, appended and announced, and then all
    // look.
    let interval = BOUND / 5.0;
    let (looks, ticks) = (processes * 60.0 / interval, 60.0 / interval);
    let more = processes * by_news(interval, AFTER_FACT * interval);
    Cost {
        fetches: 0.0,
        questions: looks + ticks + facts * (TO_SAY.questions + more),
        commands: looks * FIND + ticks * SWAP + facts * (TO_SAY.commands + more * FIND),
    }
}

/// A line for what was simulated, and what disagrees with the model.
struct Table {
    text: String,
    disagreements: Vec<String>,
}

impl Table {
    fn new() -> Self {
        let mut text = format!("\n{:<12} {:>9} {:>7}", "", "processes", "minutes");
        for of in ["fetches", "questions", "commands"] {
            write!(text, " {of:>9} {:>9} {:>5}", "model", "ratio").expect("text");
        }
        text.push('\n');
        Self { text, disagreements: Vec::new() }
    }

    /// `model` is of a minute, or, where there are none, of the event.
    fn row(&mut self, what: &str, processes: usize, minutes: u32, found: Cost, model: Cost) {
        write!(self.text, "{what:<12} {processes:>9} {minutes:>7}").expect("text");
        for (of, found, model) in [
            ("fetches", found.fetches, model.fetches),
            ("questions", found.questions, model.questions),
            ("commands", found.commands, model.commands),
        ] {
            let model = model * f64::from(minutes.max(1));
            if model == 0.0 {
                write!(self.text, " {found:>9} {model:>9} {:>5}", "").expect("text");
            } else {
                write!(self.text, " {found:>9} {model:>9.1} {:>5.2}", found / model).expect("text");
            }
            if (found - model).abs() > AGREES_WITHIN * model {
                self.disagreements.push(format!("{what}, {processes} processes, {of}: {found} and not {model:.1}"));
            }
        }
        self.text.push('\n');
    }
}

/// All are asked for one key that nobody has, each second.
async fn flood(keys: &[JwksProvider], seconds: u64) {
    for _ in 0..seconds {
        let id = format!("made up {:?}", Instant::now());
        let asking = keys.iter().map(|keys| {
            let id = &id;
            async move { keys.key(&KeyRequest::new(Algorithm::ES256).with_key_id(Some(id))).await.is_ok() }
        });
        let began = Instant::now();
        assert!(!futures_util::future::join_all(asking).await.contains(&true));
        tokio::time::sleep_until(began + SECOND).await;
    }
}

#[test]
fn a_simulated_fleet_costs_what_the_model_says() {
    let table = (0..3).find_map(|_| simulated()).expect("a machine that is not too busy");
    // Not by `println!`, which is kept from whoever runs the tests.
    std::io::stdout().write_all(table.text.as_bytes()).expect("stdout");
    assert!(table.disagreements.is_empty(), "{:?}\n{}", table.disagreements, table.text);
}

/// `None` where a write was not answered in time: then some have fetched alone, as they should.
fn simulated() -> Option<Table> {
    let mut table = Table::new();
    for (what, processes, time_to_live, minutes) in
        [("shared", 8, 600, 60), ("shared", 200, 600, 15), ("shared 1 min", 200, 60, 5)]
    {
        let count = f64::from(u32::try_from(processes).expect("a few"));
        let world = Simulation::new();
        let bridges = world.bridges(processes, &document_name());
        let fetch = world.issuer.0.takes.as_secs_f64();
        let (keys, cost) = world.measure(async {
            let began = Instant::now();
            let keys: Vec<_> =
                bridges.iter().map(|bridge| world.provider(began, time_to_live, Some(bridge.clone()))).collect();
            let ready = futures_util::future::join_all(keys.iter().map(JwksProvider::ready)).await;
            assert!(ready.iter().all(Result::is_ok));
            // Until those who have heard of it have looked, and before the first look that nothing brings about.
            sleep(2 * SECOND).await;
            keys
        });
        // Of a few the chance of each shows.
        if processes == 200 && time_to_live == 600 {
            table.row("cold start", processes, 0, cost, cold_start(count, fetch));
        }
        let ((), cost) = world.measure(async { sleep(minutes * MINUTE).await });
        table.row(what, processes, minutes, cost, shared(count, time_to_live.into()));
        if processes == 200 && time_to_live == 600 {
            world.issuer.rotate();
            let ((), cost) = world.measure(async {
                let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(Some("v2"));
                keys[0].key(&wanted).await.expect("the new key");
                sleep(2 * SECOND).await;
            });
            assert!(keys.iter().all(|keys| world.issuer.version_in_use(keys) == Some(2)), "all have heard of it");
            table.row("a new key", processes, 0, cost, announced(count, TO_FETCH));
        }
        if processes == 8 {
            world.inside.block_on(flood(&keys, 10));
            let ((), cost) = world.measure(flood(&keys, 240));
            table.row("made-up ids", processes, 4, cost, made_up_ids(count, fetch));
        }
        if world.told.count("cache failed") > 0 {
            return None;
        }
        let kept = world.outside.block_on(bridges[0].redis.get(&document_name())).expect("get").expect("a document");
        let document = set_of(&[&world.issuer.0.keys[world.issuer.version() - 1]]);
        assert!(kept.len() < document.len() + 512, "{} and {}", kept.len(), document.len());
    }
    let world = Simulation::new();
    let (keys, _) = world.measure(async {
        // Out of step from the start.
        let (began, mut keys) = (Instant::now(), Vec::new());
        for _ in 0..200 {
            keys.push(world.provider(began, 600, None));
            keys[keys.len() - 1].ready().await.expect("keys");
            sleep(8 * MINUTE / 200).await;
        }
        keys
    });
    let ((), cost) = world.measure(async { sleep(24 * MINUTE).await });
    table.row("alone", 200, 24, cost, alone(200.0));
    drop(keys);
    let head = fleet_key().cache_key("revocations", &[b"revocations"]).expect("a name");
    let bridges = world.bridges(100, &head);
    let ((logs, followers), _) = world.measure(async {
        let began = Instant::now();
        let log = |bridge| {
            let builder = RevocationLog::builder(bridge, fleet_key()).clock(Virtual::new(began, 0));
            Arc::new(builder.observer(world.told.clone()).build().expect("a log"))
        };
        let logs: Vec<_> = bridges.into_iter().map(log).collect();
        let follow = |log: &Arc<RevocationLog>| Follower::start(log.clone()).expect("a runtime");
        let followers: Vec<_> = logs.iter().map(follow).collect();
        sleep(SECOND / 2).await;
        (logs, followers)
    });
    let ((), cost) = world.measure(async { sleep(MINUTE).await });
    table.row("revocations", 100, 1, cost, revocations(100.0, 0.0));
    let revoke = async |log: &RevocationLog, id: &str| {
        let until = UNIX_EPOCH + Duration::from_secs(2 * START);
        log.revoke_token("a", id, until).await.expect("it is written");
    };
    let ((), cost) = world.measure(async {
        // Until all have looked, and nobody because an interval is over.
        revoke(&logs[0], "first").await;
        sleep(SECOND / 4).await;
    });
    table.row("a fact", 100, 0, cost, announced(100.0, TO_SAY));
    let ((), cost) = world.measure(async {
        // At all moments of an interval, and 120 s in all.
        for (n, log) in (0..20).zip(&logs) {
            sleep(5 * SECOND + (550 + 100 * (n % 10)) * SECOND / 1_000).await;
            revoke(log, &n.to_string()).await;
        }
    });
    table.row("10 a minute", 100, 2, cost, revocations(100.0, 10.0));
    drop(followers);
    (world.told.count("cache failed") == 0).then_some(table)
}

#[test]
fn the_table_of_the_note_is_the_models() {
    let note = include_str!("../../../docs/SCALE.md");
    let mut table = String::from("\n");
    for processes in [10.0, 100.0, 1_000.0] {
        let (shared, alone, revocations) =
            (shared(processes, TIME_TO_LIVE), alone(processes), revocations(processes, 0.0));
        let start = cold_start(processes, 0.15);
        let pings = 60.0 * processes / BETWEEN_PINGS;
        let numbers = [shared.fetches, alone.fetches, shared.questions, shared.commands, revocations.questions, pings];
        let per_minute: Vec<_> = numbers.iter().map(|number| rounded(*number)).collect();
        let at_start = [rounded(start.questions), rounded(start.commands)];
        writeln!(table, "| {processes} | {} | {} |", per_minute.join(" | "), at_start.join(" | ")).expect("text");
    }
    std::io::stdout().write_all(table.as_bytes()).expect("stdout");
    for row in table.lines() {
        assert!(note.contains(row), "docs/SCALE.md lacks {row}");
    }
}

/// To two places where it is small.
fn rounded(number: f64) -> String {
    if number < 10.0 { format!("{number:.2}") } else { format!("{number:.0}") }
}

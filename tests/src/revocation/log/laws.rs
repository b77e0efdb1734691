//! What holds whatever happens, in whichever order.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Tokens `0`, `1`, … and subjects of the same names.
const NAMES: u8 = 80;
const PROCESSES: usize = 3;

#[derive(Clone, Debug)]
enum Act {
    /// So many milliseconds.
    Pass(u16),
    Poll(usize),
    Token(usize, u8),
    Subject(usize, u8),
    /// So many tokens, one after the other: more than a head holds.
    Tokens(usize, u8, u8),
    Key(usize, bool),
    Link(usize, u8),
    /// Something else stands in the place of an entry for a while.
    Lie(Lie, usize),
    Flush,
    FailOver(usize),
    /// An entry as it was so many writes ago.
    Replay(usize, usize),
    /// The process ends, and another starts in its place.
    Restart(usize),
}

#[derive(Clone, Copy, Debug)]
enum Lie {
    Nothing,
    Rubbish,
    Cut,
    Flipped,
    Foreign,
    Moved,
}

fn harmless() -> impl Strategy<Value = Act> {
    let process = 0..PROCESSES;
    let lies = [Lie::Nothing, Lie::Rubbish, Lie::Cut, Lie::Flipped, Lie::Foreign, Lie::Moved];
    prop_oneof![
        4 => (0_u16..3_000).prop_map(Act::Pass),
        8 => process.clone().prop_map(Act::Poll),
        3 => (process.clone(), 0..NAMES).prop_map(|(p, n)| Act::Token(p, n)),
        2 => (process.clone(), 0..NAMES).prop_map(|(p, n)| Act::Subject(p, n)),
        1 => (process.clone(), 0..NAMES, 1_u8..40).prop_map(|(p, n, many)| Act::Tokens(p, n, many)),
        2 => (process.clone(), any::<bool>()).prop_map(|(p, distrust)| Act::Key(p, distrust)),
        2 => (process.clone(), WORKS..=FAILS_AFTER).prop_map(|(p, mode)| Act::Link(p, mode)),
        2 => (0..lies.len(), 0..9_usize).prop_map(move |(lie, entry)| Act::Lie(lies[lie], entry)),
        1 => process.prop_map(Act::Restart),
    ]
}

fn losses() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Flush),
        3 => (1_usize..12).prop_map(Act::FailOver),
        2 => (1_usize..12, 0..9_usize).prop_map(|(writes, entry)| Act::Replay(writes, entry)),
    ]
}

struct World {
    server: Arc<Server>,
    key: VerifyingKey,
    processes: Vec<Process>,
    /// Since the beginning.
    time: Duration,
    /// What was revoked, and when the store had it.
    revoked: BTreeMap<u8, Duration>,
    /// Whether the key is to be trusted, and since when; `None` where nobody knows whether the last word was heard.
    is_trusted: Option<(bool, Duration)>,
    /// The names that anybody tried to revoke.
    tried: Vec<u8>,
}

/// The clocks of two processes are a minute apart.
fn start_of(process: usize) -> u64 {
    1_000 + 60 * process as u64
}

impl World {
    fn new() -> Self {
        Self::of(PROCESSES)
    }

    fn of(processes: usize) -> Self {
        let (server, key) = (Arc::new(Server::default()), public_key());
        let processes = (0..processes).map(|n| Process::new(&server, &key, start_of(n))).collect();
        Self {
            server,
            key,
            processes,
            time: Duration::ZERO,
            revoked: BTreeMap::new(),
            is_trusted: Some((true, Duration::ZERO)),
            tried: Vec::new(),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.time += time;
        for process in &self.processes {
            process.clock.advance(time);
        }
    }

    async fn say(&mut self, process: usize, name: u8, is_token: bool) {
        let (process, id) = (&self.processes[process], name.to_string());
        let said = if is_token {
            process.log.revoke_token("a", &id, at(FAR_AWAY)).await
        } else {
            process.log.revoke_subject_before("a", &id, at(101), at(FAR_AWAY)).await
        };
        self.tried.push(name);
        if said.is_ok() {
            self.revoked.entry(name).or_insert(self.time);
            assert_ne!(process.status(&id), Some(TokenStatus::Active), "who has said it knows it");
        }
    }

    async fn act(&mut self, act: &Act) {
        match *act {
            Act::Pass(milliseconds) => self.pass(Duration::from_millis(milliseconds.into())),
            Act::Poll(process) => drop(self.processes[process].log.poll().await),
            Act::Token(process, name) => self.say(process, name, true).await,
            Act::Subject(process, name) => self.say(process, name, false).await,
            Act::Tokens(process, name, many) => {
                for more in 0..many {
                    self.say(process, (name + more) % NAMES, true).await;
                }
            }
            Act::Key(process, distrust) => {
                let log = &self.processes[process].log;
                let said = if distrust {
                    log.distrust_key_id("a", "k", at(FAR_AWAY)).await
                } else {
                    log.restore_key_id("a", "k").await
                };
                self.is_trusted = said.is_ok().then_some((!distrust, self.time));
            }
            Act::Link(process, mode) => self.processes[process].link.set(mode),
            Act::Lie(lie, entry) => self.lie(lie, entry).await,
            Act::Flush => self.server.flush(),
            Act::FailOver(writes) => self.server.fail_over(writes),
            Act::Replay(writes, entry) => self.replay(writes, entry),
            Act::Restart(process) => {
                let started = Process::new(&self.server, &self.key, start_of(process));
                started.clock.advance(self.time);
                started.link.set(self.processes[process].link.1.load(Ordering::SeqCst));
                self.processes[process] = started;
            }
        }
    }

    fn replay(&self, writes: usize, entry: usize) {
        let now = self.server.now();
        let then = self.server.states().iter().rev().nth(writes).cloned().unwrap_or_default();
        let Some(key) = now.keys().nth(entry % now.len().max(1)) else { return };
        let mut state = now.clone();
        match then.get(key) {
            Some(value) => drop(state.insert(key.clone(), value.clone())),
            None => drop(state.remove(key)),
        }
        self.server.set(state);
    }

    /// Everybody looks while one entry is what it should not be; then it is as it was.
    async fn lie(&mut self, lie: Lie, entry: usize) {
        let honest = self.server.now();
        let Some((key, value)) = honest.iter().nth(entry % honest.len().max(1)) else { return };
        let lying = match lie {
            Lie::Nothing => Bytes::new(),
            Lie::Rubbish => Bytes::from_static(b"1"),
            Lie::Cut => value.slice(..value.len() / 2),
            Lie::Flipped => {
                let mut flipped = value.to_vec();
                let middle = flipped.len() / 2;
                flipped[middle] ^= 1;
                flipped.into()
            }
            Lie::Foreign => foreign(&self.key).await,
            Lie::Moved => honest.values().find(|other| *other != value).cloned().unwrap_or_default(),
        };
        let mut state = honest.clone();
        state.insert(key.clone(), lying);
        let honest_states = self.server.states().clone();
        self.server.set(state);
        for process in &self.processes {
            let is_confirmed = process.log.is_confirmed();
            let heard = process.log.poll().await;
            assert!(*key != head_key() || heard.is_err(), "{lie:?} is no head");
            assert!(is_confirmed || heard.is_ok() || !process.log.is_confirmed(), "a lie confirms nothing");
        }
        *self.server.states() = honest_states;
    }

    /// Nobody lets through what was revoked the bound ago.
    fn assert_bound(&self) {
        let is_old = |at: &Duration| self.time >= *at + BOUND;
        for (n, process) in self.processes.iter().enumerate() {
            for (name, _) in self.revoked.iter().filter(|(_, at)| is_old(at)) {
                let status = process.status(&name.to_string());
                assert_ne!(status, Some(TokenStatus::Active), "{n} lets {name} through at {:?}", self.time);
            }
            if let Some((is_trusted, at)) = self.is_trusted
                && is_old(&at)
            {
                assert_ne!(process.trusts(), Some(!is_trusted), "{n} judges the key otherwise at {:?}", self.time);
            }
        }
    }

    /// When all works again, all know all, and nothing else.
    async fn assert_all_know_all(&mut self) {
        for process in &self.processes {
            process.link.set(WORKS);
        }
        for _ in 0..8 {
            self.pass(INTERVAL);
            for process in &self.processes {
                // Who has just started may find a log of which a part is gone, until another one has made it whole.
                let _ = process.log.poll().await;
            }
        }
        let key = self.processes[0].trusts().expect("an answer");
        for process in &self.processes {
            assert!(process.log.is_confirmed());
            for name in 0..=NAMES {
                let status = process.status(&name.to_string());
                if self.revoked.contains_key(&name) {
                    assert_eq!(status, Some(TokenStatus::Revoked), "{name}");
                } else if !self.tried.contains(&name) {
                    assert_eq!(status, Some(TokenStatus::Active), "{name}");
                }
            }
            assert_eq!(process.trusts(), Some(key), "all judge the key alike");
        }
    }
}

/// A head that is good, for another log.
async fn foreign(key: &VerifyingKey) -> Bytes {
    let server = Arc::new(Server::default());
    let other = Process::with(&server, key, 1_000, |builder| builder.name("others"));
    other.log.poll().await.expect("the store works");
    server.now().into_values().next().expect("a head")
}

fn run(acts: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(acts);
}

/// Everybody polls once in an interval.
async fn round(world: &mut World) {
    world.pass(INTERVAL / 2);
    world.assert_bound();
    for process in &world.processes {
        let _ = process.log.poll().await;
    }
    world.assert_bound();
    world.pass(INTERVAL / 2);
    world.assert_bound();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whoever_fails_or_lies_nobody_lets_through_what_was_revoked_the_bound_ago(acts in vec(harmless(), 1..80)) {
        run(async {
            let mut world = World::new();
            for act in &acts {
                world.act(act).await;
                world.assert_bound();
            }
            world.assert_all_know_all().await;
            world.assert_bound();
        });
    }

    /// Who knows puts back what the store has lost. Processes do not end here: what the last of them knew would be lost.
    #[test]
    fn whatever_the_store_loses_all_know_all_in_the_end(
        acts in vec(prop_oneof![6 => harmless(), 1 => losses()], 1..80),
    ) {
        run(async {
            let mut world = World::new();
            for act in acts.iter().filter(|act| !matches!(act, Act::Restart(_))) {
                world.act(act).await;
            }
            world.assert_all_know_all().await;
        });
    }

    /// The store loses what it was told last, at once or after an outage, and while everybody polls in time nobody lets
    /// through for longer than the bound. It does not lose again what has just been put back.
    #[test]
    fn a_failover_that_forgets_costs_no_more_than_the_bound(
        rounds in vec((vec((0..PROCESSES, 0..NAMES), 0..4), 0_usize..12, 0_usize..12, any::<bool>()), 1..20),
    ) {
        run(async {
            let mut world = World::new();
            let mut lost_at = Duration::ZERO;
            for (said, lost, outage, is_lossy) in rounds {
                for (process, name) in said {
                    world.say(process, name, name % 2 == 0).await;
                }
                let outage = if outage > 6 { outage } else { 0 };
                let set = |world: &World, mode| world.processes.iter().for_each(|process| process.link.set(mode));
                set(&world, if outage > 0 { FAILS } else { WORKS });
                for _ in 0..outage {
                    round(&mut world).await;
                }
                if is_lossy && world.time >= lost_at + 3 * INTERVAL {
                    world.server.fail_over(lost);
                    lost_at = world.time;
                }
                set(&world, WORKS);
                round(&mut world).await;
            }
        });
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two processes write, and poll in time. Others start, sleep and wake as it comes, also in the moment when the store loses
    /// something: they let nothing through that was revoked the bound ago, and forget nothing that they have known.
    #[test]
    fn who_starts_or_wakes_lets_nothing_through_that_others_know(
        rounds in vec((vec((0_usize..2, 0..NAMES, 0_u8..40), 0..3), loss(), vec(wandering(), 2)), 4..20),
    ) {
        run(async {
            let mut world = World::of(4);
            let (mut lost_at, mut known) = (Duration::ZERO, BTreeSet::new());
            let mut asleep = [0; 4];
            for (said, loss, wanderings) in rounds {
                for (process, name, more) in said {
                    let many = if more > 36 { 40 } else { 1 };
                    world.act(&Act::Tokens(process, name, many)).await;
                }
                let is_lossy = world.time >= lost_at + 4 * INTERVAL;
                if let Some(loss) = loss.filter(|_| is_lossy) {
                    world.act(&loss).await;
                    lost_at = world.time;
                }
                for (n, wandering) in (2..).zip(wanderings) {
                    match wandering {
                        Wandering::Restarts => {
                            world.act(&Act::Restart(n)).await;
                            known.retain(|(process, _)| *process != n);
                            asleep[n] = 0;
                        }
                        Wandering::Sleeps(rounds) if asleep[n] == 0 => asleep[n] = rounds,
                        _ => asleep[n] = asleep[n].saturating_sub(1),
                    }
                }
                // Who wanders looks first, before the others have put back what was lost.
                for n in [2, 3, 0, 1] {
                    if asleep[n] == 0 {
                        let _ = world.processes[n].log.poll().await;
                    }
                    world.assert_bound();
                    world.assert_nothing_is_forgotten(&mut known);
                    world.pass(INTERVAL / 4);
                }
                world.assert_bound();
                world.assert_nothing_is_forgotten(&mut known);
            }
            world.assert_all_know_all().await;
        });
    }
}

/// What one who comes and goes does in a round.
#[derive(Clone, Copy, Debug)]
enum Wandering {
    Stays,
    Restarts,
    Sleeps(usize),
}

fn wandering() -> impl Strategy<Value = Wandering> {
    prop_oneof![
        5 => Just(Wandering::Stays),
        2 => Just(Wandering::Restarts),
        2 => (1_usize..20).prop_map(Wandering::Sleeps),
    ]
}

/// Nothing, or a store that loses all, its last changes, or one entry, the head or a page.
fn loss() -> impl Strategy<Value = Option<Act>> {
    prop::option::of(losses())
}

impl World {
    fn assert_nothing_is_forgotten(&self, known: &mut BTreeSet<(usize, u8)>) {
        for (n, process) in self.processes.iter().enumerate() {
            for name in self.revoked.keys() {
                match process.status(&name.to_string()) {
                    Some(TokenStatus::Revoked) => drop(known.insert((n, *name))),
                    Some(TokenStatus::Active) => assert!(!known.contains(&(n, *name)), "{n} has forgotten {name}"),
                    _ => {}
                }
            }
        }
    }
}

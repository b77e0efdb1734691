//! Connections of one process, and another one that shares its revocation log.

use super::client::{Client, Download};
use super::world::{FRAMEWORKS, NOW, World, until};
use super::{SECOND, closing};
use countersign::cache::{FleetKey, Result};
use countersign::jwk::Thumbprint;
use countersign::revocation::RevocationLog;
use countersign_cache::{Follower, MemoryCache};
use countersign_testkit::clock::FakeClock;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The logs of two processes, whose views count.
async fn two(clock: &FakeClock) -> [Arc<RevocationLog>; 2] {
    let store = Arc::new(MemoryCache::with_clock(clock.clone()));
    let log = || {
        let key = FleetKey::new([7; 32]).expect("a key");
        Arc::new(RevocationLog::builder(store.clone(), key).clock(clock.clone()).build().expect("a log"))
    };
    let logs = [log(), log()];
    for _ in 0..4 {
        clock.advance(logs[0].interval());
        for log in &logs {
            log.poll().await.expect("memory");
        }
    }
    logs
}

/// What is said in the other process.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Token,
    Subject,
    KeyId,
    Thumbprint,
}

impl Word {
    async fn say(self, log: &RevocationLog, issuer: &str, key: &Thumbprint) -> Result<()> {
        let until = at(NOW + 9_999);
        match self {
            Self::Token => log.revoke_token(issuer, "out", until).await,
            Self::Subject => log.revoke_subject_before(issuer, "somebody", at(NOW), until).await,
            Self::KeyId => log.distrust_key_id(issuer, "key-1", until).await,
            Self::Thumbprint => log.distrust_thumbprint(key, until).await,
        }
    }

    fn concerns_all(self) -> bool {
        matches!(self, Self::KeyId | Self::Thumbprint)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_another_process_closes_connections_before_anybody_looks_again() {
    for framework in FRAMEWORKS {
        for word in [Word::Token, Word::Subject, Word::KeyId, Word::Thumbprint] {
            let clock = FakeClock::at(NOW);
            let [here, there] = two(&clock).await;
            let world = World::start_with_log(framework, clock, &here);
            let follower = Follower::start(here.clone()).expect("a runtime");
            let claims = json!({"jti": "out"});
            let out = Client::connect(&world, "/echo", &claims).await;
            let mut events = Download::start(world.address, "/events", &world.token(&claims)).await;
            events.read_until("data: tick").await;
            let mut stays = Client::connect(&world, "/echo", &json!({"jti": "stays", "sub": "somebody else"})).await;
            until("both handlers run", || world.handlers() == 2).await;
            // Each has looked a second after its beginning. From another second on, time stands still.
            world.clock.pass(2 * SECOND).await;
            here.poll().await.expect("memory");
            there.poll().await.expect("memory");

            word.say(&there, world.issuer(), &world.thumbprint()).await.expect("memory");
            let revoked = closing(4401, "The access token has been revoked");
            assert_eq!(out.close().await, revoked, "{framework}: {word:?}");
            assert!(events.rest().await.ends_with("0\r\n\r\n"), "{framework}: {word:?}");
            if word.concerns_all() {
                assert_eq!(stays.close().await, revoked, "{framework}: {word:?}");
            } else {
                assert_eq!(stays.ask("hello").await, "hello", "{framework}: {word:?}");
                stays.leave().await;
            }
            world.settled().await;
            drop(follower);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn distrust_of_another_key_closes_nothing() {
    for framework in FRAMEWORKS {
        let clock = FakeClock::at(NOW);
        let [here, there] = two(&clock).await;
        let world = World::start_with_log(framework, clock, &here);
        let mut client = Client::connect(&world, "/echo", &json!({})).await;
        assert_eq!(client.ask("hello").await, "hello", "{framework}");
        // It has looked a second after its beginning. From another second on, time stands still.
        world.clock.pass(2 * SECOND).await;
        here.poll().await.expect("memory");
        let looks = world.looks();
        assert_eq!(looks, 1, "{framework}");
        there.distrust_key_id(world.issuer(), "another", at(NOW + 9_999)).await.expect("memory");
        // Cached verdicts do not count from here on; the key itself is asked for.
        here.poll().await.expect("memory");
        until("it has looked at its key because of what was said", || world.looks() > looks).await;
        world.clock.pass(SECOND).await;
        assert_eq!(client.ask("still here").await, "still here", "{framework}");
    }
}

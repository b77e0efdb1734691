//! A server that stands still, and services that go on: their logs live on the machine's clock, and are followed as in a service.

use super::*;
use tokio::time::Instant;

/// How long Redis stands still at least.
const PAUSE: Duration = Duration::from_secs(5);
/// Over long before that.
const BOUND: Duration = Duration::from_secs(3);

/// A service with a log that is followed.
struct Service {
    is_strict: bool,
    log: Arc<RevocationLog>,
    judge: Judge,
    _follower: Follower,
    /// What was answered while Redis stood still: 401, 503 and 200.
    refused: usize,
    unknown: usize,
    granted: usize,
    /// Of what is revoked.
    let_through: usize,
}

impl Service {
    fn new(url: String, is_strict: bool) -> Self {
        let builder = RevocationLog::builder(store(url), fleet_key()).bound(BOUND);
        let builder = if is_strict { builder } else { builder.danger_degrade() };
        let log = Arc::new(builder.build().expect("a log"));
        let _follower = Follower::start(log.clone()).expect("a runtime");
        let judge = Judge::new(log.clone());
        Self { is_strict, log, judge, _follower, refused: 0, unknown: 0, granted: 0, let_through: 0 }
    }

    /// All that may be said of a token that is revoked and of one that is not, `since` Redis stands still.
    async fn ask(&mut self, since: Instant) {
        let is_over = since.elapsed() >= BOUND;
        let (bad, good) = (self.judge.answer("before").await, self.judge.answer("good").await);
        for answer in [bad, good] {
            self.refused += usize::from(answer == 401);
            self.unknown += usize::from(answer == 503);
            self.granted += usize::from(answer == 200);
        }
        self.let_through += usize::from(bad == 200);
        match (self.is_strict, is_over) {
            (true, true) => assert_eq!((bad, good), (503, 503), "nobody can tell after the bound"),
            // A view may be close to its end when Redis stops.
            (true, false) => assert!([(401, 200), (503, 503), (401, 503)].contains(&(bad, good)), "{bad} {good}"),
            (false, _) => assert_eq!((bad, good), (401, 200), "it goes on by what was known last"),
        }
    }

    async fn says(&self, id: &str, status: u16) {
        insist(async || self.judge.answer(id).await == status).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_paused_strict_says_503_within_the_bound_degrade_goes_on_and_nothing_is_lost() {
    let _busy = QUIET.read().await;
    let server = RedisServer::start().await.expect("a Redis server");
    let mut services = [true, false].map(|is_strict| Service::new(server.url(), is_strict));
    let revoke = async |log: &RevocationLog, id: &str| log.revoke_token("a", id, at(FAR_AWAY)).await.is_ok();
    insist(async || revoke(&services[0].log, "before").await).await;
    for service in &services {
        insist(async || service.log.is_confirmed()).await;
        service.says("before", 401).await;
        service.says("good", 200).await;
    }

    server.pause();
    let since = Instant::now();
    let mut unheard = 0;
    while since.elapsed() < PAUSE {
        for service in &mut services {
            service.ask(since).await;
            let is_heard = revoke(&service.log, "during").await;
            assert!(!is_heard, "nobody says that it was heard");
            unheard += 1;
        }
        sleep(PACE).await;
    }
    server.resume();

    // What comes back lets nobody through who was revoked, and is told what it did not hear.
    insist(async || {
        for service in &mut services {
            service.let_through += usize::from(service.judge.answer("before").await == 200);
        }
        revoke(&services[1].log, "during").await
    })
    .await;
    let mut lost = 0;
    for service in &services {
        insist(async || service.log.poll().await.is_ok()).await;
        for id in ["before", "during"] {
            lost += usize::from(service.judge.answer(id).await == 200);
            service.says(id, 401).await;
        }
        service.says("good", 200).await;
    }
    // Who starts then reads it.
    let late = Service::new(server.url(), true);
    for (id, status) in [("good", 200), ("before", 401), ("during", 401)] {
        late.says(id, status).await;
    }
    assert_eq!(lost, 0);
    for Service { is_strict, refused, unknown, granted, let_through, .. } in services {
        assert_eq!(let_through, 0);
        assert!(if is_strict { unknown > 0 } else { unknown == 0 && granted > 0 }, "{unknown} {granted}");
        tell_fault(
            &format!("revocation log, Redis paused 5 s, {}", if is_strict { "Strict" } else { "Degrade" }),
            &[
                ("refused", refused),
                ("answers_503", unknown),
                ("granted", granted),
                ("let_through", let_through),
                ("revocations_unheard", unheard),
                ("lost", lost),
            ],
        );
    }
}

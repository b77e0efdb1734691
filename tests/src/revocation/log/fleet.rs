//! Several processes over one store, step by step.

use super::*;
use TokenStatus::{Active, Revoked, Unknown};
use countersign::claims::NumericDate;
use countersign::issue::JwtSigner;
use countersign::jwk::Thumbprint;
use countersign::reason::Reason;
use countersign::request::RequestView;
use countersign::verify::TokenCache;
use countersign::{Guard, JwtVerifier};

fn server() -> Arc<Server> {
    Arc::new(Server::default())
}

async fn revoke(process: &Process, id: &str) {
    process.log.revoke_token("a", id, at(FAR_AWAY)).await.expect("the store works");
}

#[tokio::test]
async fn a_request_asks_nothing_and_a_look_without_news_once() {
    let (server, key) = (server(), public_key());
    let [one, other] = [Process::new(&server, &key, 1_000), Process::new(&server, &key, 1_060)];
    assert_eq!((one.status("1"), one.trusts()), (None, None), "the log has not been read");
    let good = token(&json!({"iss": "a", "jti": "2"}));
    assert_eq!(one.log.status(&good).await, Unknown, "the first request reads it, and others may know more");
    for process in [&one, &other] {
        process.confirm().await;
    }
    assert_eq!(one.log.status(&good).await, Active);
    revoke(&one, "1").await;
    assert_eq!((one.status("1"), other.status("1")), (Some(Revoked), Some(Active)));
    other.log.poll().await.expect("the store works");

    let asked = server.questions.load(Ordering::SeqCst);
    for id in ["1", "2"] {
        let expected = if id == "1" { Revoked } else { Active };
        assert_eq!((one.status(id), other.status(id)), (Some(expected), Some(expected)));
    }
    assert_eq!((one.trusts(), other.trusts()), (Some(true), Some(true)));
    assert_eq!(server.questions.load(Ordering::SeqCst), asked);
    other.log.poll().await.expect("the store works");
    assert_eq!(server.questions.load(Ordering::SeqCst), asked + 1);
}

#[tokio::test]
async fn an_old_view_is_unknown_or_goes_on_and_is_told_once_either_way() {
    for goes_on in [false, true] {
        let (server, key) = (server(), public_key());
        let process =
            Process::with(&server, &key, 1_000, |builder| if goes_on { builder.danger_degrade() } else { builder });
        revoke(&process, "1").await;
        process.confirm().await;
        let started = process.told.take();
        assert_eq!(started.last().map(String::as_str), Some("confirmed 1"));
        assert_eq!(started.len(), if goes_on { 2 } else { 1 }, "{started:?}");
        process.link.set(FAILS);
        for seconds in 1..8 {
            process.clock.advance(INTERVAL);
            assert!(process.log.poll().await.is_err());
            let is_young = seconds < 4;
            assert_eq!(process.log.is_confirmed(), is_young, "after {seconds} s");
            let known = is_young || goes_on;
            assert_eq!(process.status("1"), Some(if known { Revoked } else { Unknown }), "after {seconds} s");
            assert_eq!(process.status("2"), Some(if known { Active } else { Unknown }), "after {seconds} s");
            assert_eq!(process.trusts(), known.then_some(true), "after {seconds} s");
        }
        let told = process.told.take();
        assert_eq!(told.iter().filter(|told| *told == "failed").count(), 7);
        let told: Vec<_> = told.into_iter().filter(|told| told != "failed").collect();
        assert_eq!(told, [if goes_on { "unconfirmed, goes on" } else { "unconfirmed" }]);

        // Two intervals, for others to put back what a server that took over does not have.
        process.link.set(WORKS);
        for is_confirmed in [false, false, true] {
            process.log.poll().await.expect("the store works");
            assert_eq!(process.log.is_confirmed(), is_confirmed);
            process.clock.advance(INTERVAL);
        }
        assert_eq!(process.told.take(), ["confirmed 1"]);
    }
}

#[tokio::test]
async fn a_process_that_slept_or_was_never_polled_is_old_by_either_clock() {
    let (server, key) = (server(), public_key());
    let suspended = |clock: &FakeClock| {
        clock.set(1_010);
        clock.advance(Duration::from_millis(10));
    };
    for sleep in [|clock: &FakeClock| clock.advance(BOUND), suspended] {
        let process = Process::new(&server, &key, 1_000);
        process.confirm().await;
        assert_eq!(process.status("1"), Some(Active));
        sleep(&process.clock);
        assert_eq!(process.status("1"), Some(Unknown), "nobody has polled");
        assert_eq!(process.told.take(), ["confirmed 0", "unconfirmed"]);
        process.log.poll().await.expect("the store works");
        assert_eq!(process.status("1"), Some(Unknown), "others may know more");
        process.confirm().await;
        assert_eq!(process.status("1"), Some(Active));
    }
}

#[tokio::test]
async fn where_the_log_was_never_read_the_first_request_tries_and_the_next_do_not_wait() {
    for (goes_on, expected) in [(false, Unknown), (true, Active)] {
        let (server, key) = (server(), public_key());
        let process =
            Process::with(&server, &key, 1_000, |builder| if goes_on { builder.danger_degrade() } else { builder });
        process.link.set(FAILS);
        let good = token(&json!({"iss": "a", "jti": "2"}));
        assert_eq!(process.log.status(&good).await, expected);
        assert_eq!(process.status("2"), Some(expected));
        assert_eq!(server.questions.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn what_is_lost_is_put_back_by_who_knows_it_and_told() {
    let (server, key) = (server(), public_key());
    let [one, other] = [Process::new(&server, &key, 1_000), Process::new(&server, &key, 1_000)];
    revoke(&one, "1").await;
    revoke(&one, "2").await;
    for process in [&one, &other] {
        process.confirm().await;
    }
    for lose in [|server: &Server| server.flush(), |server: &Server| server.fail_over(1)] {
        one.told.take();
        lose(&server);
        one.log.poll().await.expect("the store works");
        let told = one.told.take();
        assert!(matches!(&told[..], [told] if told.starts_with("restored")), "{told:?}");
        other.log.poll().await.expect("the store works");
        assert_eq!((other.status("1"), other.status("2")), (Some(Revoked), Some(Revoked)));
    }
}

#[tokio::test]
async fn of_many_entries_the_store_holds_a_head_and_a_snapshot() {
    let (server, key) = (server(), public_key());
    let [one, near] = [Process::new(&server, &key, 1_000), Process::new(&server, &key, 1_000)];
    let mut most = 0;
    for n in 0..1_000 {
        revoke(&one, &n.to_string()).await;
        let asked = server.questions.load(Ordering::SeqCst);
        near.log.poll().await.expect("the store works");
        most = most.max(server.questions.load(Ordering::SeqCst) - asked);
    }
    // Of the first two looks: who was there before needs no snapshot.
    assert_eq!(most, 1);
    let state = server.now();
    assert!(state.len() <= 4, "{} entries", state.len());
    assert!(state[&head_key()].len() < 4_096, "{} octets", state[&head_key()].len());
    let asked = server.questions.load(Ordering::SeqCst);
    let new = Process::new(&server, &key, 1_000);
    new.log.poll().await.expect("the store works");
    assert_eq!(server.questions.load(Ordering::SeqCst) - asked, state.len());
    new.confirm().await;
    for n in 0..1_000 {
        assert_eq!(new.status(&n.to_string()), Some(Revoked));
    }
    assert_eq!(new.status("1000"), Some(Active));
}

#[tokio::test]
async fn who_finds_a_part_gone_is_helped_by_who_knows_it() {
    let (server, key) = (server(), public_key());
    let old = Process::new(&server, &key, 1_000);
    for n in 0..100 {
        revoke(&old, &n.to_string()).await;
    }
    server.set(server.now().into_iter().filter(|(key, _)| *key == head_key()).collect());
    let new = Process::new(&server, &key, 1_000);
    for _ in 0..2 {
        assert!(new.log.poll().await.is_err(), "it cannot know what was there");
        assert_eq!(new.status("1"), Some(Unknown));
    }
    old.log.poll().await.expect("the store works");
    for _ in 0..3 {
        new.log.poll().await.expect("the store works");
        new.clock.advance(INTERVAL);
    }
    for n in 0..100 {
        assert_eq!(new.status(&n.to_string()), Some(Revoked));
    }
}

#[tokio::test]
async fn entries_end_with_the_tokens_they_concern() {
    let (server, key) = (server(), public_key());
    let process = Process::new(&server, &key, 1_000);
    for n in 0..100 {
        process.log.revoke_token("a", &n.to_string(), at(2_000)).await.expect("the store works");
    }
    process.log.revoke_token("a", "over", at(1_000)).await.expect("the store works");
    process.clock.advance(Duration::from_secs(1_000 + 3_600));
    for n in 100..140 {
        process.log.revoke_token("a", &n.to_string(), at(FAR_AWAY)).await.expect("the store works");
    }
    let new = Process::new(&server, &key, 1_000);
    new.confirm().await;
    // Those of the snapshot, and of the head at most as many more as it holds.
    for n in 0..60 {
        assert_eq!(new.status(&n.to_string()), Some(Active), "{n}");
    }
    assert_eq!(new.status("139"), Some(Revoked));
    assert_eq!(new.status("over"), Some(Active));
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_changes_nothing() {
    let (server, key) = (server(), public_key());
    let process = Process::new(&server, &key, 1_000);
    let long = "x".repeat(16 * 1024 + 1);
    assert!(process.log.revoke_token("a", &long, at(FAR_AWAY)).await.is_err());
    assert!(process.log.distrust_key_id(&long, "k", at(FAR_AWAY)).await.is_err());
    assert_eq!(server.questions.load(Ordering::SeqCst), 0);
}

/// Distrusts the key, and trusts it again.
type Change = (&'static str, fn() -> By);
#[derive(Clone, Copy)]
enum By {
    Id,
    Thumbprint,
}

#[tokio::test]
async fn a_distrusted_key_is_refused_everywhere_token_caches_included() {
    let ways: [Change; 2] = [("id", || By::Id), ("thumbprint", || By::Thumbprint)];
    for (name, by) in ways {
        let server = server();
        let signing = SigningKey::generate(Algorithm::ES256).expect("generate").with_key_id("k").expect("a key id");
        let key = signing.verifying_key().clone();
        let thumbprint: Thumbprint = key.jwk().expect("a public key").thumbprint().expect("hash");
        let signer = JwtSigner::new(signing);
        let expires_at = NumericDate::from_secs(2_000);
        let claims = json!({"iss": "a", "aud": "api", "exp": expires_at, "iat": 900, "sub": "u"});
        let signed = signer.sign(&claims).expect("a token");
        let processes: Vec<_> = (0..3).map(|_| Process::new(&server, &key, 1_000)).collect();
        let guards: Vec<_> = processes
            .iter()
            .map(|process| {
                let verifier = JwtVerifier::builder(Distrusting::new(key.clone(), process.log.clone()))
                    .issuer("a")
                    .audience("api")
                    .clock(process.clock.clone())
                    .token_cache(TokenCache::new())
                    .build()
                    .expect("a verifier");
                let guard = Guard::builder(verifier).revocation(process.log.clone()).build().expect("a guard");
                guard.check_authenticated()
            })
            .collect();
        let bearer = format!("Bearer {signed}");
        let ask = async |guard: usize| {
            let headers = [("authorization", bearer.as_str())];
            let request = RequestView::new("GET", "/", None, &headers);
            let judged = guards[guard].judge(&guards[guard].screening(None), &request).await;
            judged.map(drop).map_err(|denial| (denial.status(), denial.reason()))
        };
        let tick = async || {
            for process in &processes {
                process.clock.advance(INTERVAL);
                process.log.poll().await.expect("the store works");
            }
        };
        for process in &processes {
            process.confirm().await;
        }
        for guard in 0..3 {
            for _ in 0..2 {
                assert_eq!(ask(guard).await, Ok(()), "{name}: verified, and by the cache");
            }
        }
        let until = at(1_900);
        match by() {
            By::Id => processes[0].log.distrust_key_id("a", "k", until).await.expect("the store works"),
            By::Thumbprint => processes[0].log.distrust_thumbprint(&thumbprint, until).await.expect("the store works"),
        }
        tick().await;
        for guard in 0..3 {
            let denied = ask(guard).await.expect_err(name);
            assert_eq!((denied.0, denied.1.name()), (401, "unknown_key"), "{name}: {guard}");
        }
        match by() {
            By::Id => processes[1].log.restore_key_id("a", "k").await.expect("the store works"),
            By::Thumbprint => processes[1].log.restore_thumbprint(&thumbprint).await.expect("the store works"),
        }
        tick().await;
        for guard in 0..3 {
            assert_eq!(ask(guard).await, Ok(()), "{name}: trusted again");
        }
        processes[2].log.distrust_thumbprint(&thumbprint, until).await.expect("the store works");
        tick().await;
        assert!(ask(0).await.is_err(), "{name}: and distrusted again");
        for process in &processes {
            process.clock.advance(BOUND);
        }
        let reason: Reason = ask(0).await.expect_err(name).1;
        assert_eq!(reason.status(), 503, "{name}: nobody can tell");
        for _ in 0..895 {
            tick().await;
        }
        assert_eq!(ask(0).await, Ok(()), "{name}: it ends with its time");
    }
}

#[tokio::test]
async fn a_key_id_is_distrusted_of_its_issuer_and_whoever_finds_the_key_under_it() {
    let (server, key) = (server(), public_key());
    let process = Process::new(&server, &key, 1_000);
    process.log.distrust_key_id("a", "k", at(FAR_AWAY)).await.expect("the store works");
    process.confirm().await;
    let ask = |key_id, issuer| {
        let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(key_id).with_issuer(issuer);
        process.keys.key_now(&wanted).expect("an answer").is_ok()
    };
    for (key_id, issuer, expected) in [
        (Some("k"), Some("a"), false),
        (Some("k"), None, false),
        (None, Some("a"), false),
        (None, None, false),
        (Some("k"), Some("b"), true),
        (None, Some("b"), true),
    ] {
        assert_eq!(ask(key_id, issuer), expected, "{key_id:?} {issuer:?}");
        let wanted = KeyRequest::new(Algorithm::ES256).with_key_id(key_id).with_issuer(issuer);
        assert_eq!(process.keys.key(&wanted).await.is_ok(), expected, "{key_id:?} {issuer:?}");
    }
    assert!(!process.keys.trusts(&key.identity()), "a cached verdict does not know its key's id");
}

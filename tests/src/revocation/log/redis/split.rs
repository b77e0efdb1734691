//! A master that is cut off from its replicas and its sentinels, together with a process.

use super::*;
use countersign_testkit::redis_server::RedisSentinels;
use std::error::Error;

fn is_refusal(error: &CacheError) -> bool {
    error.source().is_some_and(|source| source.to_string().contains("NOREPLICAS"))
}

/// Real servers and sentinels on a real clock, which decide on a failover by themselves; the processes' clock is set by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_cut_off_with_the_master_is_told_no_write_and_says_503_within_the_bound() {
    let _busy = QUIET.read().await;
    let world = RedisSentinels::start().await.expect("a master, replicas and sentinels");
    let by_sentinels = |urls| RedisCache::sentinel("redis://mymaster", urls).build().expect("settings");
    // Nothing tells it of another master, and the old one answers.
    let address = RedisProxy::start(world.master().port()).await.expect("a proxy");
    let cut_off = Side::new(store(address.url()));
    // Its connection is to the old master, and it can ask all sentinels.
    let between = Side::new(by_sentinels([vec![world.near_url()], world.urls()].concat()));
    let beyond = Side::new(by_sentinels(world.far_urls()));
    beyond.member.revoke("before").await;
    for side in [&cut_off, &between, &beyond] {
        side.member.confirm().await;
        assert_eq!((side.answer("before").await, side.answer("good").await), (401, 200));
    }

    world.isolate();
    // What is acknowledged before the master misses its replicas must not be lost.
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    insist(async || {
        let id = format!("near {}", acknowledged.len());
        match cut_off.member.log.revoke_token("a", &id, at(FAR_AWAY)).await {
            Ok(()) => acknowledged.push(id),
            Err(error) => refused += usize::from(is_refusal(&error)),
        }
        refused > 0
    })
    .await;
    world.replica().until("INFO replication", "role:master").await.expect("a failover");
    let refusal = world.master().say("SET k v").await.expect("an answer");
    assert!(refusal.starts_with("-NOREPLICAS"), "{refusal}");
    // What is said on the other side is not heard here, and this side lets nobody through who may be meant.
    beyond.member.revoke("beyond").await;
    for _ in 0..5 {
        cut_off.member.clock.advance(INTERVAL);
        let _ = cut_off.member.log.poll().await;
    }
    let (mut answers, reads) = (0, store(address.url()));
    for _ in 0..10 {
        for id in ["before", "beyond", "good"] {
            assert_eq!(cut_off.answer(id).await, 503, "{id}");
            answers += 1;
        }
        assert!(got(&reads, &head_key()).await.is_some(), "it answers all the while");
        let written = cut_off.member.log.revoke_token("a", "refused", at(FAR_AWAY)).await;
        assert!(written.is_err(), "nobody says that it was heard");
        refused += usize::from(written.is_err_and(|error| is_refusal(&error)));
        cut_off.member.clock.advance(INTERVAL);
        let _ = cut_off.member.log.poll().await;
    }
    // Who can ask the other sentinels is with the new master, though its old connection lives.
    between.says("beyond", 401).await;
    between.says("good", 200).await;

    world.rejoin();
    address.lead_to(world.replica().port());
    // One after the other: who comes back puts back what it was told, and the next look of the others shows it.
    let mut lost = 0;
    for side in [&cut_off, &between, &beyond] {
        side.says("good", 200).await;
        insist(async || side.member.log.poll().await.is_ok()).await;
        for id in acknowledged.iter().map(String::as_str).chain(["before", "beyond"]) {
            lost += usize::from(side.answer(id).await != 401);
        }
    }
    assert_eq!(lost, 0);
    tell_fault(
        "Redis master cut off from its replicas, with a process",
        &[("acknowledged", acknowledged.len()), ("refused", refused), ("answers_503", answers), ("lost", lost)],
    );
}

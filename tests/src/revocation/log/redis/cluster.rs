//! A master of a cluster that is cut off from the others and from its replica, together with a process.
//!
//! The two sides run one after the other, the servers of the other side stopped meanwhile: none of them hears of the other.

use super::*;
use countersign_testkit::redis_server::RedisCluster;

/// The node that has the log's head.
async fn home(cluster: &RedisCluster) -> usize {
    let exists = format!("EXISTS countersign:{{{}}}", head_key());
    for (at, node) in cluster.nodes().iter().enumerate() {
        if node.say(&exists).await.expect("an answer").starts_with(":1") {
            return at;
        }
    }
    panic!("no node has the head");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_cut_off_with_a_master_of_a_cluster_is_told_no_write_and_says_503_within_the_bound() {
    let _busy = QUIET.read().await;
    let cluster = RedisCluster::start().await.expect("a cluster");
    let by = |urls: Vec<String>| RedisCache::cluster(urls).build().expect("settings");
    let first = Member::new(by(cluster.urls()));
    first.revoke("before").await;
    let home = home(&cluster).await;
    let replica = cluster.replica_of(home).await.expect("a replica");
    let master = &cluster.nodes()[home];
    let others: Vec<_> = cluster.nodes().iter().filter(|node| node.port() != master.port()).chain([&replica]).collect();
    let cut_off = Side::new(by(vec![master.url()]));
    let beyond = Side::new(by(others.iter().map(|node| node.url()).collect()));
    for side in [&cut_off, &beyond] {
        side.says("before", 401).await;
        side.member.confirm().await;
        assert_eq!((side.answer("before").await, side.answer("good").await), (401, 200));
    }

    // This side alone.
    others.iter().for_each(|node| node.pause());
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    insist(async || {
        let id = format!("near {}", acknowledged.len());
        match cut_off.member.log.revoke_token("a", &id, at(FAR_AWAY)).await {
            Ok(()) => acknowledged.push(id),
            Err(_) => refused += 1,
        }
        // Without the majority it takes nothing and tells nothing.
        master.say("SET k v").await.expect("an answer").starts_with("-CLUSTERDOWN")
    })
    .await;
    for _ in 0..5 {
        cut_off.member.clock.advance(INTERVAL);
        assert!(cut_off.member.log.poll().await.is_err());
    }
    let mut answers = 0;
    let mut is_503 = async |side: &Side| {
        for id in ["before", "beyond", "good"] {
            assert_eq!(side.answer(id).await, 503, "{id}");
            answers += 1;
        }
        let written = side.member.log.revoke_token("a", "refused", at(FAR_AWAY)).await;
        assert!(written.is_err(), "nobody says that it was heard");
        refused += 1;
        side.member.clock.advance(INTERVAL);
        let _ = side.member.log.poll().await;
    };
    for _ in 0..5 {
        is_503(&cut_off).await;
    }

    // The other side alone: it has what the replica had.
    master.pause();
    others.iter().for_each(|node| node.resume());
    replica.until("INFO replication", "role:master").await.expect("a failover");
    beyond.member.revoke("beyond").await;
    beyond.says("beyond", 401).await;
    beyond.says("before", 401).await;
    beyond.says("good", 200).await;

    // Both: what was the master follows the one that is.
    master.resume();
    let mut let_through = 0;
    insist(async || {
        cut_off.member.clock.advance(INTERVAL);
        let _ = cut_off.member.log.poll().await;
        for id in acknowledged.iter().map(String::as_str).chain(["before", "beyond"]) {
            let_through += usize::from(cut_off.answer(id).await == 200);
        }
        master.say("INFO replication").await.is_ok_and(|told| told.contains("role:slave"))
    })
    .await;
    let mut lost = 0;
    for side in [&cut_off, &beyond] {
        side.says("good", 200).await;
        insist(async || side.member.log.poll().await.is_ok()).await;
        for id in acknowledged.iter().map(String::as_str).chain(["before", "beyond"]) {
            lost += usize::from(side.answer(id).await != 401);
        }
    }
    assert_eq!((let_through, lost), (0, 0));
    tell_fault(
        "master of a cluster cut off from the majority, with a process",
        &[
            ("acknowledged", acknowledged.len()),
            ("refused", refused),
            ("answers_503", answers),
            ("let_through", let_through),
            ("lost", lost),
        ],
    );
}

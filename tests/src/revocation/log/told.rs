//! When a log tells those who wait that its answers may be others.

use super::*;

/// How often it has told.
fn told(process: &Process) -> u64 {
    process.log.changes().expect("a log tells").count()
}

async fn poll(processes: &[&Process]) {
    for process in processes {
        process.clock.advance(INTERVAL);
        let _ = process.log.poll().await;
    }
}

#[tokio::test]
async fn each_process_tells_when_its_view_has_another_fact_and_of_no_tick() {
    let (server, key) = (Arc::new(Server::default()), public_key());
    let [here, there] = [(); 2].map(|()| Process::new(&server, &key, 1_000));
    here.confirm().await;
    there.confirm().await;
    let (mut by_here, mut by_there) = (told(&here), told(&there));
    for _ in 0..10 {
        poll(&[&here, &there]).await;
    }
    assert_eq!((told(&here), told(&there)), (by_here, by_there), "a log that goes on is no news");

    let thumbprint = key.thumbprint().expect("a public key");
    for word in 0..4 {
        let (log, until) = (&there.log, at(FAR_AWAY));
        for said in [1, 0] {
            match word {
                0 => log.revoke_token("a", "1", until).await,
                1 => log.revoke_subject_before("a", "2", at(101), until).await,
                2 => log.distrust_thumbprint(&thumbprint, until).await,
                _ => log.restore_thumbprint(&thumbprint).await,
            }
            .expect("the store works");
            by_there += said;
            assert_eq!((told(&here), told(&there)), (by_here, by_there), "word {word}: who says it tells at once");
            let before = told(&here);
            here.log.poll().await.expect("the store works");
            by_here += said;
            assert_eq!(told(&here), before + said, "word {word}: others tell when they have it");
        }
        assert_eq!(here.status("1"), Some(TokenStatus::Revoked), "it counts when it is told");
        assert_eq!(here.keys.changes().expect("keys tell as their log does").count(), by_here);
    }
}

#[tokio::test]
async fn a_view_that_counts_again_is_news() {
    let (server, key) = (Arc::new(Server::default()), public_key());
    let process = Process::new(&server, &key, 1_000);
    process.confirm().await;
    assert_eq!(told(&process), 1, "where nobody could tell, somebody can");
    process.link.set(FAILS);
    for _ in 0..10 {
        poll(&[&process]).await;
    }
    assert_eq!((process.status("1"), told(&process)), (Some(TokenStatus::Unknown), 1));
    process.link.set(WORKS);
    process.confirm().await;
    assert_eq!((process.status("1"), told(&process)), (Some(TokenStatus::Active), 2));
}

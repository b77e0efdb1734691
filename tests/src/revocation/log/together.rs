//! Many processes at once, which all find the log gone.

use super::*;
use crate::machine::tell_fault;
use TokenStatus::{Active, Revoked};
use futures_util::future::join_all;

const PROCESSES: usize = 100;
const ENTRIES: usize = 5_000;

/// Another interval later, all at once.
async fn poll(processes: &[Process]) {
    processes.iter().for_each(|process| process.clock.advance(INTERVAL));
    for outcome in join_all(processes.iter().map(|process| process.log.poll())).await {
        outcome.expect("the store works");
    }
}

#[tokio::test]
async fn of_a_hundred_processes_that_find_the_log_gone_one_writes_it_and_no_answer_is_lost() {
    let (server, key) = (Arc::new(Server::default()), public_key());
    let processes: Vec<_> = (0..PROCESSES).map(|_| Process::new(&server, &key, 1_000)).collect();
    let mut early = BTreeMap::new();
    for n in 0..ENTRIES {
        processes[0].log.revoke_token("a", &n.to_string(), at(FAR_AWAY)).await.expect("the store works");
        if n == 10 {
            early = server.now();
        }
    }
    processes.iter().for_each(|process| process.link.set(YIELDS));
    for _ in 0..6 {
        poll(&processes).await;
    }
    let claim = fleet_key().cache_key("revocations", &[b"revocations", b"claim"]).expect("a name");
    let claimed = BTreeMap::from([(claim, Bytes::from_static(b"claimed"))]);
    // The last one is claimed by a process that has ended: then each is as good as alone, and a few will do.
    for (what, state, is_written_once) in
        [("gone", BTreeMap::new(), true), ("from before", early, true), ("gone, and claimed", claimed, false)]
    {
        let processes = if is_written_once { &processes[..] } else { &processes[..10] };
        server.set(state);
        let (questions, put) = [&server.questions, &server.pages].map(|count| count.load(Ordering::SeqCst)).into();
        poll(processes).await;
        let questions = server.questions.load(Ordering::SeqCst) - questions;
        let put = server.pages.load(Ordering::SeqCst) - put;
        let pages = server.now().values().filter(|value| value.len() > 16 * 1024).count();
        assert!(pages >= 5, "{pages} pages");
        if is_written_once {
            assert!(put <= pages + 1, "{what}: {put} pages put, where {pages} are needed");
        } else {
            assert!(put > 5 * pages, "{what}: {put} pages put: all are at it at once");
        }
        for round in 0..4 {
            for process in processes {
                let statuses = ["0", "4999", "5000"].map(|id| process.status(id));
                assert_eq!(statuses, [Some(Revoked), Some(Revoked), Some(Active)], "{what}, round {round}");
            }
            poll(processes).await;
        }
        if is_written_once {
            tell_fault(
                &format!("revocation log {what}, found by 100 processes at once"),
                &[("entries", ENTRIES), ("pages", pages), ("pages_written", put), ("questions", questions)],
            );
        }
    }
}

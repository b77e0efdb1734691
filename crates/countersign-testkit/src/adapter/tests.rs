use super::*;
use std::collections::HashSet;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[test]
fn each_case_has_an_id_of_its_own() {
    let table = AdapterTable::new();
    let ids: HashSet<_> = table.cases().iter().map(Case::id).collect();
    assert_eq!(ids.len(), table.cases().len());
}

/// A server that answers so, whatever it is asked.
async fn always(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Some of the question is as good as all of it.
            let _ = stream.read(&mut vec![0; 1 << 16]).await;
            let _ = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_asks_no_guard_is_found_out() {
    let table = AdapterTable::new();
    let mut reports = Vec::new();
    for answer in ["200 \r\nContent-Length: 2\r\n\r\nme", "401 \r\nContent-Length: 0\r\n\r\n"] {
        let server = always(answer).await;
        let report = table.run("none", async |_| Some(server)).await;
        let refused = table
            .cases()
            .iter()
            .filter(|case| case.reason().is_some() && !case.h2 && case.framework.is_none() && !case.may_be_parsers());
        for case in refused {
            let start = format!("{}: ", case.id());
            assert!(report.differences().iter().any(|found| found.starts_with(&start)), "{} is not found", case.id());
        }
        reports.push(report);
    }
    assert!(reports[0].asked() > 200, "{}", reports[0].asked());
    assert!(!reports[0].differences_from(&reports[1]).is_empty());
}

#[tokio::test]
async fn what_has_no_server_is_left_out() {
    let report = AdapterTable::new().run("none", async |_| None).await;
    assert_eq!((report.asked(), report.left_out().len()), (0, AdapterTable::new().cases().len()));
    assert!(std::panic::catch_unwind(|| report.assert_right()).is_err());
}

//! The server as a client sees it that does as little as can be done.

use super::*;
use flate2::read::GzDecoder;
use std::io::{ErrorKind, Read};
use std::net::Ipv6Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

const BODY: &str = r#"{"keys":[]}"#;

/// A connection on which this was asked.
async fn ask(server: &JwksServer, target: &str, fields: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    stream
}

/// Status line and header fields, and the body as it is on the wire, once the connection has ended.
async fn get_with(server: &JwksServer, target: &str, fields: &str) -> (String, Vec<u8>) {
    let mut stream = ask(server, target, fields).await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
    let body = answer.split_off(end);
    (String::from_utf8(answer).expect("text"), body)
}

async fn get(server: &JwksServer) -> (String, Vec<u8>) {
    get_with(server, "/jwks", "").await
}

async fn status(server: &JwksServer, target: &str, fields: &str) -> String {
    get_with(server, target, fields).await.0.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_answer_is_what_its_parts_say() {
    let field = |name: &str, value: &str| format!("{name}: {value}\r\n");
    let json = field("content-type", "application/json");
    let eleven = field("content-length", "11");
    let chunks = format!("b\r\n{BODY}\r\n");
    let cases = [
        ("JSON", Answer::json(BODY), "200 ", format!("{json}{eleven}"), BODY.to_owned()),
        ("status", Answer::json(BODY).status(503), "503 ", format!("{json}{eleven}"), BODY.to_owned()),
        ("nothing", Answer::new(204), "204 ", field("content-length", "0"), String::new()),
        (
            "line",
            Answer::json("").status_line("HTTP/1.1 2000 Yes"),
            "2000 Yes",
            json.clone() + "content-length: 0\r\n",
            String::new(),
        ),
        (
            "fields",
            Answer::json(BODY).header("Content-Type", "text/html").header("age", "1").header("AGE", "2"),
            "200 ",
            format!("Content-Type: text/html\r\nAGE: 2\r\n{eleven}"),
            BODY.to_owned(),
        ),
        ("no type", Answer::json(BODY).without_header("content-type"), "200 ", eleven.clone(), BODY.to_owned()),
        (
            "redirect",
            Answer::redirect("file:///etc/passwd"),
            "302 ",
            "location: file:///etc/passwd\r\ncontent-length: 0\r\n".into(),
            String::new(),
        ),
        ("loop", Answer::redirect_loop(), "302 ", "location: /jwks\r\ncontent-length: 0\r\n".into(), String::new()),
        (
            "too long",
            Answer::json(BODY).content_length(12),
            "200 ",
            json.clone() + "content-length: 12\r\n",
            BODY.to_owned(),
        ),
        (
            "too short",
            Answer::json(BODY).content_length(3),
            "200 ",
            json.clone() + "content-length: 3\r\n",
            BODY.to_owned(),
        ),
        ("truncated", Answer::json(BODY).truncated(4), "200 ", format!("{json}{eleven}"), BODY[..4].to_owned()),
        ("no length", Answer::json(BODY).until_closed(), "200 ", json.clone(), BODY.to_owned()),
        (
            "chunked",
            Answer::json(BODY).chunked(),
            "200 ",
            json.clone() + "transfer-encoding: chunked\r\n",
            chunks.clone() + "0\r\n\r\n",
        ),
        (
            "no last chunk",
            Answer::json(BODY).chunked().truncated(11),
            "200 ",
            json.clone() + "transfer-encoding: chunked\r\n",
            chunks,
        ),
        ("padded", Answer::json(BODY).padded(3), "200 ", json.clone() + "content-length: 14\r\n", format!("{BODY}   ")),
        ("undone", Answer::json("no").padded(3).body(BODY), "200 ", format!("{json}{eleven}"), BODY.to_owned()),
    ];
    for (name, answer, status, fields, body) in cases {
        let server = JwksServer::start(answer).await;
        let (head, sent) = get(&server).await;
        assert_eq!(head, format!("HTTP/1.1 {status}\r\n{fields}connection: close\r\n\r\n"), "{name}");
        assert_eq!(String::from_utf8(sent).expect("text"), body, "{name}");
    }
}

#[tokio::test]
async fn raw_octets_are_all_that_is_sent() {
    for octets in ["", "220 mail.example ESMTP\r\n"] {
        let server = JwksServer::start(Answer::raw(octets)).await;
        let mut answer = String::new();
        ask(&server, "/", "").await.read_to_string(&mut answer).await.expect("an end");
        assert_eq!(answer, octets);
    }
}

#[tokio::test]
async fn answers_follow_one_another_and_the_last_one_stays() {
    let server = JwksServer::start([Answer::new(500), Answer::new(200)]).await;
    server.say_at("/own", vec![Answer::new(404), Answer::new(410)]);
    let mut seen = Vec::new();
    for target in ["/own", "/a", "/own?x=1", "/b", "/own", "/c?/own"] {
        seen.push(status(&server, target, "").await);
    }
    assert_eq!(seen, ["404", "500", "410", "200", "410", "200"]);
    server.say(Answer::new(418));
    assert_eq!(status(&server, "/a", "").await, "418");
    assert_eq!(status(&server, "/own", "").await, "410", "a path keeps its own");
    assert_eq!((server.requests(), server.requests_at("/own"), server.requests_at("/c")), (8, 4, 1));
}

#[tokio::test]
async fn requests_are_written_down() {
    let server = JwksServer::start(Answer::new(200)).await;
    get_with(&server, "/a?b=c", "Accept:  text/html \r\nX: 1\r\nx: 2\r\n").await;
    let [request] = &server.log()[..] else { panic!("one request") };
    assert_eq!((request.method(), request.target(), request.path()), ("GET", "/a?b=c", "/a"));
    assert_eq!(
        (request.header("ACCEPT"), request.header("x"), request.header("y")),
        (Some("text/html"), Some("1"), None)
    );
    assert_eq!(request.headers().last(), Some(("x", "2")));
    assert_eq!(request.headers().count(), 4);
}

#[tokio::test]
async fn validators_are_honoured_by_the_answers_that_have_them() {
    const DATE: &str = "Wed, 21 Oct 2015 07:28:00 GMT";
    let cases = [
        ("W/\"1\"", None, "if-none-match: \"1\"", "304"),
        ("\"1\"", None, "if-none-match: \"0\", W/\"1\"", "304"),
        ("\"1\"", None, "if-none-match: *", "304"),
        ("\"1\"", None, "if-none-match: \"2\"", "200"),
        ("\"1\"", None, "accept: */*", "200"),
        ("\"1\"", None, "if-modified-since: \"1\"", "200"),
        ("\"1\"", Some(DATE), "if-modified-since: Wed, 21 Oct 2015 07:28:00 GMT", "304"),
        ("\"1\"", Some(DATE), "if-modified-since: Wed, 21 Oct 2015 07:27:59 GMT", "200"),
        ("\"1\"", Some(DATE), "if-none-match: \"2\"\r\nif-modified-since: Wed, 21 Oct 2015 07:28:00 GMT", "200"),
    ];
    for (etag, date, fields, expected) in cases {
        let mut answer = Answer::json(BODY).etag(etag).header("cache-control", "max-age=60").gzip();
        if let Some(date) = date {
            answer = answer.last_modified(date);
        }
        let server = JwksServer::start(answer).await;
        let (head, body) = get_with(&server, "/", &format!("{fields}\r\n")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{fields}: {head}");
        assert!(
            head.contains(&format!("etag: {etag}\r\n")) && head.contains("cache-control: max-age=60\r\n"),
            "{head}"
        );
        assert_eq!(body.is_empty(), expected == "304", "{fields}");
        assert_eq!(head.contains("content-"), expected == "200", "a 304 has no body to describe: {head}");
    }
    let server = JwksServer::start(Answer::json(BODY).header("etag", "\"1\"")).await;
    assert_eq!(status(&server, "/", "if-none-match: \"1\"\r\n").await, "200", "a mere field promises nothing");
}

#[tokio::test]
async fn a_gzipped_body_is_the_body_and_a_bomb_is_small() {
    for spaces in [0, 1, 256 << 10, (256 << 10) + 7, 40 << 20] {
        let server = JwksServer::start(Answer::json(BODY).padded(spaces).gzip()).await;
        let (head, body) = get(&server).await;
        assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
        assert!(body.len() as u64 <= 200 + spaces / 500, "{} octets for {spaces} spaces", body.len());
        let mut plain = String::new();
        GzDecoder::new(&body[..]).read_to_string(&mut plain).expect("gzip with a right checksum");
        assert!(plain.len() as u64 == 11 + spaces && plain.trim_end() == BODY, "{spaces} spaces");
    }
}

#[tokio::test]
async fn an_endless_body_ends_when_the_client_goes_away() {
    let server = JwksServer::start(Answer::json(BODY).padded(u64::MAX / 2)).await;
    let mut stream = ask(&server, "/", "").await;
    let mut some = vec![0; 4 << 20];
    stream.read_exact(&mut some).await.expect("as much as is wanted");
    drop(stream);
    let ended = async {
        while Arc::strong_count(&server.shared) > 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the server and its listener are left, and no connection");
}

#[tokio::test]
async fn a_header_bomb_has_the_size_asked_for() {
    let server = JwksServer::start(Answer::json(BODY).header_bomb(1 << 20)).await;
    let (head, body) = get(&server).await;
    assert!((1 << 20..(1 << 20) + 2_048).contains(&head.len()), "{}", head.len());
    assert_eq!(body, BODY.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_delay_and_a_drip_take_their_time() {
    let server = JwksServer::start(Answer::json(BODY).delayed(Duration::from_secs(3_600))).await;
    let began = Instant::now();
    assert_eq!(get(&server).await.1, BODY.as_bytes());
    assert!(began.elapsed() >= Duration::from_secs(3_600));

    server.say(Answer::json(BODY).dripping(Duration::from_secs(60)));
    let mut stream = ask(&server, "/", "").await;
    let began = Instant::now();
    let mut minutes = Vec::new();
    let mut octet = [0];
    while stream.read(&mut octet).await.expect("an octet") > 0 {
        minutes.push(began.elapsed().as_secs() / 60);
    }
    let body = &minutes[minutes.len() - BODY.len()..];
    assert_eq!(body, (0..11).collect::<Vec<_>>(), "an octet a minute");
}

#[tokio::test]
async fn an_answer_is_held_until_it_is_released() {
    let hold = Hold::new();
    let server = JwksServer::start([Answer::json(BODY).held(&hold), Answer::new(500)]).await;
    let mut held = ask(&server, "/", "").await;
    server.wait_for_requests(1).await;
    assert_eq!(status(&server, "/", "").await, "500", "others are served meanwhile");
    assert_eq!(held.try_read(&mut [0]).expect_err("no octet").kind(), ErrorKind::WouldBlock);
    hold.release();
    held.read_exact(&mut [0]).await.expect("an octet");
}

#[tokio::test]
async fn a_server_that_hangs_says_so_much_and_no_more_and_sees_its_client_go() {
    let head = "HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: 11\r\nconnection: close\r\n\r\n";
    for (answer, said) in [
        (Answer::silence(), String::new()),
        (Answer::json(BODY).hangs_after(0), head.to_owned()),
        (Answer::json(BODY).hangs_after(4), format!("{head}{}", &BODY[..4])),
        (Answer::json(BODY).hangs_after(99), format!("{head}{BODY}")),
    ] {
        let server = JwksServer::start(answer).await;
        let mut stream = ask(&server, "/", "").await;
        let mut octets = vec![0; said.len()];
        stream.read_exact(&mut octets).await.expect("what is said");
        assert_eq!(String::from_utf8_lossy(&octets), said);
        // Its own end comes only after the client's.
        assert_eq!(stream.try_read(&mut [0]).expect_err("no octet").kind(), ErrorKind::WouldBlock);
        stream.shutdown().await.expect("an end");
        assert_eq!(stream.read(&mut [0]).await.expect("an end"), 0);
    }
}

#[tokio::test]
async fn a_reset_is_one() {
    let server = JwksServer::start([Answer::reset(), Answer::json(BODY).resets_after(4)]).await;
    for _ in 0..2 {
        let reset = ask(&server, "/", "").await.read_to_end(&mut Vec::new()).await.expect_err("no answer");
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_server_refuses_and_comes_back_on_its_port() {
    let mut server = JwksServer::start(Answer::silence()).await;
    let url = server.url("/jwks");
    for round in 1..=2 {
        let mut open = ask(&server, "/", "").await;
        server.wait_for_requests(round).await;
        server.refuse().await;
        server.refuse().await;
        let ended = open.read(&mut [0]).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "open connections are closed");
        let refused = TcpStream::connect(server.address()).await.expect_err("nobody");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        server.listen().await;
        server.listen().await;
    }
    server.say(Answer::new(200));
    assert_eq!(status(&server, "/jwks", "").await, "200");
    assert_eq!((server.url("/jwks"), server.requests(), server.connections()), (url, 3, 3));
}

#[tokio::test]
async fn a_dropped_server_takes_its_connections_with_it() {
    let server = JwksServer::start(Answer::silence()).await;
    let address = server.address();
    let mut open = ask(&server, "/", "").await;
    server.wait_for_requests(1).await;
    drop(server);
    assert_eq!(open.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(TcpStream::connect(address).await.expect_err("nobody").kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn the_other_loopback_address_is_one_too() {
    let server = JwksServer::start_on(Ipv6Addr::LOCALHOST, Answer::json(BODY)).await;
    assert_eq!(server.url("/jwks"), format!("http://[::1]:{}/jwks", server.address().port()));
    assert_eq!(get(&server).await.1, BODY.as_bytes());
}

#[tokio::test]
#[should_panic(expected = "is not of this machine alone")]
async fn other_machines_are_not_served() {
    JwksServer::start_on([0, 0, 0, 0], Answer::json(BODY)).await;
}

//! Connections that outlive their request, over sockets and alike in three frameworks: refused before the upgrade, closed with
//! the right code at the right time, renewed, and gone without a trace.

mod client;
mod fleet;
mod handlers;
mod programs;
mod proofs;
mod servers;
mod world;

use client::{Client, refused};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;
use world::{FRAMEWORKS, LIFETIME, NOW, World, until};

const SECOND: Duration = Duration::from_secs(1);

/// A Close frame's code and reason.
type Closing = Option<(u16, String)>;

fn closing(code: u16, reason: &str) -> Closing {
    Some((code, reason.to_owned()))
}

fn expired() -> Closing {
    closing(4401, "The access token is expired")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_comes_before_the_upgrade() {
    let mut answers = Vec::new();
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let revoked = world.token(&json!({"jti": "gone"}));
        world.revoke("gone");
        let cases = [
            (None, 401),
            (Some("garbage".to_owned()), 401),
            (Some(world.token(&json!({"exp": NOW - 60}))), 401),
            // Good enough for a request, by the leeway, and not for what outlives it.
            (Some(world.token(&json!({"exp": NOW - 5}))), 401),
            (Some(world.token(&json!({"aud": "another"}))), 401),
            (Some(revoked), 401),
            (Some(world.token(&json!({"roles": []}))), 403),
        ];
        let mut own = Vec::new();
        for (token, status) in cases {
            let answer = refused(world.address, "/echo", token.as_deref()).await;
            assert_eq!(answer.status, status, "{framework}: {token:?}");
            let fields = ["www-authenticate", "content-type", "cache-control", "upgrade"];
            own.push((answer.status, fields.map(|name| answer.header(name)), answer.body));
        }
        world.doubt.set(true);
        let answer = refused(world.address, "/echo", Some(&world.token(&json!({})))).await;
        assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("5")), "{framework}");
        assert_eq!(world.handlers(), 0, "{framework}: no handler has run");
        answers.push(own);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_offers_its_token_beside_a_protocol_and_that_one_is_selected() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let token = format!("countersign.bearer.{}", world.token(&json!({})));
        for (offered, selected) in [
            (format!("chat, {token}"), "chat"),
            (format!("{token}, soap,chat"), "chat"),
            (format!("chat, {token}, chat.v2"), "chat.v2"),
        ] {
            let (client, seen) = Client::offer(world.address, "/echo", &offered).await;
            assert_eq!(seen.as_deref(), Some(selected), "{framework}: {offered}");
            assert_eq!(client.expect("it stays open").ask("hello").await, "hello", "{framework}");
        }
        // Nothing else is ever selected, and so no token repeated.
        for (path, offered) in
            [("/echo", token.clone()), ("/echo", format!("soap, {token}")), ("/idle", format!("chat, {token}"))]
        {
            let (client, seen) = Client::offer(world.address, path, &offered).await;
            assert!(client.is_none() && seen.is_none(), "{framework}: {path} {offered} {seen:?}");
        }
        assert_eq!(refused(world.address, "/echo", None).await.status, 401, "{framework}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_that_the_framework_selects_too_is_answered_once() {
    for framework in FRAMEWORKS.into_iter().filter(|framework| *framework != "warp") {
        let world = World::start(framework);
        let token = format!("countersign.bearer.{}", world.token(&json!({})));
        // Where they disagree the tenure is believed.
        for (offered, selected) in [("chat", "chat"), ("chat.v2", "chat.v2"), ("chat, chat.v2", "chat.v2")] {
            let (client, seen) = Client::offer(world.address, "/both", &format!("{offered}, {token}")).await;
            assert_eq!(seen.as_deref(), Some(selected), "{framework}: {offered}");
            assert_eq!(client.expect("it stays open").ask("hello").await, "hello", "{framework}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closes_when_its_token_expires_and_not_before() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let mut client = Client::connect(&world, "/echo", &json!({})).await;
        assert_eq!(client.ask("hello").await, "hello", "{framework}");
        world.clock.pass(LIFETIME - SECOND).await;
        assert_eq!(client.ask("still here").await, "still here", "{framework}");
        world.clock.pass(SECOND).await;
        assert_eq!(client.close().await, expired(), "{framework}");
        world.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_sends_and_a_handler_that_does_neither_are_closed_too() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let silent = Client::connect(&world, "/echo", &json!({})).await;
        let idle = Client::connect(&world, "/idle", &json!({})).await;
        until("both handlers run", || world.handlers() == 2).await;
        world.clock.pass(LIFETIME).await;
        assert_eq!(silent.close().await, expired(), "{framework}");
        assert_eq!(idle.close().await, expired(), "{framework}");
        until("the handler that receives is done", || world.handlers() == 1).await;
        world.release();
        world.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_found_at_the_next_look() {
    type Change = fn(&World);
    let revoked = || closing(4401, "The access token has been revoked");
    let cases: [(Change, u32, Closing); 6] = [
        (|world| world.revoke("t1"), 30, revoked()),
        (World::withdraw_key, 30, revoked()),
        (World::lose_keys, 90, closing(4503, "The request cannot be judged at the moment")),
        (|world| world.take_role(), 30, closing(4403, "The access token does not allow this")),
        (|world| world.doubt.set(true), 90, closing(4503, "The request cannot be judged at the moment")),
        (
            |world| {
                world.doubt.set(true);
                world.take_role();
            },
            30,
            closing(4403, "The access token does not allow this"),
        ),
    ];
    for framework in FRAMEWORKS {
        for (change, seconds, expected) in &cases {
            let world = World::start(framework);
            let mut client = Client::connect(&world, "/echo", &json!({})).await;
            assert_eq!(client.ask("hello").await, "hello", "{framework}");
            change(&world);
            world.clock.pass(*seconds * SECOND - SECOND).await;
            assert_eq!(client.ask("still here").await, "still here", "{framework}: {expected:?}");
            world.clock.pass(SECOND).await;
            assert_eq!(client.close().await, *expected, "{framework}");
            world.settled().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_closes_at_once_and_those_who_are_not_concerned_stay() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let out = Client::connect(&world, "/echo", &json!({"jti": "out"})).await;
        let mut stays = Client::connect(&world, "/echo", &json!({"jti": "stays"})).await;
        until("both handlers run", || world.handlers() == 2).await;
        world.revoke("out");
        world.tenures().iter().for_each(countersign::screening::Tenure::wake);
        assert_eq!(out.close().await, closing(4401, "The access token has been revoked"), "{framework}");
        assert_eq!(stays.ask("hello").await, "hello", "{framework}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doubt_that_passes_closes_nothing() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let mut client = Client::connect(&world, "/echo", &json!({})).await;
        world.doubt.set(true);
        world.clock.pass(60 * SECOND).await;
        world.doubt.set(false);
        world.clock.pass(LIFETIME - 61 * SECOND).await;
        assert_eq!(client.ask("hello").await, "hello", "{framework}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_another_token_lets_it_go_on() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let mut client = Client::connect(&world, "/echo", &json!({})).await;
        world.clock.pass(LIFETIME - SECOND).await;
        let later = world.token(&json!({"exp": NOW + 2 * LIFETIME.as_secs(), "jti": "t2"}));
        assert_eq!(client.ask(&format!("token {later}")).await, "renewed", "{framework}");
        // The old one counts for nothing any longer.
        world.revoke("t1");
        world.clock.pass(LIFETIME).await;
        assert_eq!(client.ask("still here").await, "still here", "{framework}");
        world.clock.pass(SECOND).await;
        assert_eq!(client.close().await, expired(), "{framework}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_renew_leaves_the_old_end() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        world.revoke("gone");
        let exp = NOW + 2 * LIFETIME.as_secs();
        let forged = {
            let good = world.token(&json!({"exp": exp}));
            let (signed, _) = good.rsplit_once('.').expect("three parts");
            format!("{signed}.{}", "A".repeat(43))
        };
        let cases = [
            ("garbage".to_owned(), "malformed"),
            ("{\"not\": \"a token\"}".to_owned(), "malformed_request"),
            (String::new(), "malformed_request"),
            ("a".repeat(20_000), "too_large"),
            (forged, "signature"),
            (world.token(&json!({"exp": exp, "sub": "somebody else"})), "subject"),
            (world.token(&json!({"exp": exp, "iss": "https://elsewhere.example/"})), "issuer"),
            (world.token(&json!({"exp": NOW - 60})), "expired"),
            (world.token(&json!({"exp": NOW - 5})), "expired"),
            (world.token(&json!({"exp": exp, "jti": "gone"})), "revoked"),
            (world.token(&json!({"exp": exp, "roles": []})), "not_allowed"),
        ];
        let mut client = Client::connect(&world, "/echo", &json!({})).await;
        for (token, reason) in &cases {
            assert_eq!(client.ask(&format!("token {token}")).await, *reason, "{framework}");
        }
        world.clock.pass(LIFETIME - SECOND).await;
        assert_eq!(client.ask("still here").await, "still here", "{framework}");
        world.clock.pass(SECOND).await;
        assert_eq!(client.close().await, expired(), "{framework}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_holds_nothing_of_ours() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let deaf = Client::connect(&world, "/flood", &json!({})).await;
        world.stuck().await;
        world.clock.pass(LIFETIME).await;
        until("its handler is done", || world.handlers() == 0).await;
        // actix keeps a connection whose peer does not read until the peer reads on or goes away.
        if framework != "actix-web" {
            until("its connection is dropped", || world.held_sockets() == 0).await;
        }
        drop(deaf);
        world.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_leaves_first_leaves_nothing_behind() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let mut polite = Client::connect(&world, "/echo", &json!({})).await;
        let rude = Client::connect(&world, "/echo", &json!({})).await;
        assert_eq!(polite.ask("hello").await, "hello");
        until("both handlers run", || world.handlers() == 2).await;
        polite.leave().await;
        drop(rude);
        world.settled().await;
        assert!(world.tenures().iter().all(|tenure| tenure.ended().is_none()), "{framework}: nothing ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_tenure() {
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let token = world.token(&json!({}));
        let mut body = client::Download::start(world.address, "/events", &token).await;
        body.read_until("data: tick").await;
        world.clock.pass(LIFETIME).await;
        assert!(body.rest().await.ends_with("0\r\n\r\n"), "{framework}: the last chunk");
        assert_eq!(refused(world.address, "/events", None).await.status, 401, "{framework}");
        world.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_that_end_at_once_leave_nothing_behind() {
    const MANY: usize = 1000;
    world::allow_many_open_files();
    for framework in FRAMEWORKS {
        let world = World::start(framework);
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        let (mut clients, claims) = (Vec::new(), json!({}));
        for _ in 0..MANY / 50 {
            clients.extend(join_all((0..50).map(|_| Client::connect(&world, "/echo", &claims))).await);
        }
        until("all handlers run", || world.handlers() == MANY).await;
        // The list of sockets is no snapshot: while others come and go, one may stand in it twice.
        until("all connections are held", || world.held_sockets() == MANY).await;
        world.clock.pass(LIFETIME).await;
        let ends = join_all(clients.into_iter().map(Client::close)).await;
        assert_eq!(ends.iter().filter(|end| **end == expired()).count(), MANY, "{framework}");
        world.settled().await;
        until("no task is left", || tasks() <= before).await;
        let ended = world.tenures().into_iter().filter(|tenure| tenure.ended().is_some()).count();
        assert_eq!(ended, MANY, "{framework}");
        assert_eq!(world.told_ends(), MANY, "{framework}: each is told, and once");
    }
}

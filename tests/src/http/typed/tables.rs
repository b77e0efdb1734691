//! Requirements that are types in the tables of warp, whose closures say what their routes are given.

use super::{EditPost, Loads, Post, ask, editing, guard, perm, roles, split};
use crate::http::servers::listener;
use crate::http::world::Tokens;
use countersign::authorize::{All, Any, authenticated, permissions};
use countersign::request::RequestView;
use countersign::screening::Screening;
use countersign::{Guard, VerifiedToken};
use countersign_testkit::adapter::Unheard;
use countersign_warp::{Claims, GuardedRoutes, Refusal};
use std::net::SocketAddr;
use warp::{Filter, Reply};

/// The same routes, in a table.
pub(super) fn warp_table(guard: &Guard, loads: &Loads) -> SocketAddr {
    let (asked_guard, edit) = (guard.clone(), editing(loads));
    let (routes, _) = GuardedRoutes::new(guard)
        .requires("GET", "/both", permissions(["posts:read"]), |route| {
            route.prove::<All<(perm::PostsRead, perm::PostsWrite)>>().map(|_, proof| split(proof))
        })
        .requires("GET", "/either", authenticated(), |route| {
            route.prove::<Any<(roles::Reader, roles::Admin)>>().map(|_, _| "either")
        })
        .public("GET", "/option", |route| {
            route.optional_proof::<perm::PostsWrite>().map(|_, who| who.is_some().to_string())
        })
        .requires("POST", "/posts/{id}", authenticated(), |route| {
            route.prove_on().and(warp::body::bytes()).and_then(move |params, may_edit, body| {
                edit(params.get("id").unwrap_or_default().to_owned(), may_edit, body)
            })
        })
        .requires("GET", "/asked", authenticated(), |route| {
            route.then(move |_, token| {
                let guard = asked_guard.clone();
                async move {
                    match guard.authorize::<EditPost, _>(&token, Post { id: "reader".into() }).await {
                        Ok(post) => post.id.clone().into_response(),
                        Err(denial) => Refusal(denial).into_response(),
                    }
                }
            })
        })
        .build()
        .expect("routes");
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(routes).incoming(listener).run());
    address
}

async fn verified(guard: &Guard, tokens: &Tokens) -> VerifiedToken {
    let headers = [("authorization", format!("Bearer {}", tokens.named("T")))];
    let request = RequestView::new("GET", "/", None, &headers);
    Screening::enter(guard, None).require(&request).await.expect("a token")
}

/// What only tables have to show: what their routes are given in the token's stead, and what cannot be built.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_warp_hands_out_what_its_heads_do() {
    let tokens = Tokens::new();
    let guard = guard(&tokens);
    let token = verified(&guard, &tokens).await;
    let (routes, manifest) = GuardedRoutes::new(&guard)
        .requires("GET", "/sent", permissions(["posts:read"]), |route| {
            route.sent().map(|_, sent| sent.expose().to_owned())
        })
        .public("GET", "/optional/sent", |route| {
            route.optional_sent().map(|_, sent| sent.map_or_else(String::new, |sent| sent.expose().to_owned()))
        })
        .requires("GET", "/tenure", permissions(["posts:read"]), |route| {
            route.tenure().map(|_, tenure| tenure.token().subject().unwrap_or_default().to_owned())
        })
        .public("GET", "/optional/tenure", |route| {
            route.optional_tenure().map(|_, tenure| tenure.is_some().to_string())
        })
        // Whatever stands before the question for claims still does.
        .public("GET", "/added", move |route| {
            let added = warp::header::exact("x-open", "sesame").map(move || token.clone());
            route.and(added).claims().map(|_, Claims(claims): Claims<serde_json::Value>| claims["sub"].to_string())
        })
        .build()
        .expect("routes");
    assert_eq!(manifest.to_string().lines().count(), 5);
    let (listener, server) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(routes).incoming(listener).run());

    let own = |name: &str| tokens.named(name);
    let table = [
        ("/sent", "T", 200, own("T")),
        ("/sent", "", 401, String::new()),
        ("/sent", "ROLES", 403, String::new()),
        ("/optional/sent", "T", 200, own("T")),
        ("/optional/sent", "", 200, String::new()),
        ("/optional/sent", "B", 401, String::new()),
        ("/tenure", "T", 200, "reader".into()),
        ("/tenure", "ROLES", 403, String::new()),
        ("/tenure", "", 401, String::new()),
        ("/optional/tenure", "T", 200, "true".into()),
        ("/optional/tenure", "", 200, "false".into()),
        ("/optional/tenure", "E", 401, String::new()),
        ("/added", "T", 400, String::new()),
    ];
    for (path, token, status, body) in table {
        let token = (!token.is_empty()).then(|| own(token));
        let answer = ask(server, "GET", path, token.as_deref()).await;
        assert_eq!(answer.status, status, "{path} {token:?}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.body, body, "{path}");
        }
    }

    type Rest = fn(GuardedRoutes) -> GuardedRoutes;
    let unjudged: [Rest; 3] = [
        |table| table.requires("GET", "/", authenticated(), |route| route.prove::<Unheard>().map(|_, _| "")),
        |table| table.requires("GET", "/", authenticated(), |route| route.prove_on::<Unheard>().map(|_, _| "")),
        |table| table.public("GET", "/", |route| route.optional_proof::<Unheard>().map(|_, _| "")),
    ];
    for (nth, add) in unjudged.into_iter().enumerate() {
        assert!(add(GuardedRoutes::new(&guard)).build().is_err(), "{nth}");
    }
}

//! What a table says that its routes prove is asked before their handlers, whatever these have in their signatures, and once.

use super::frameworks::Router;
use crate::http::client::{Answer, send};
use crate::http::world::Tokens;
use countersign::Guard;
use countersign::authorize::{Requirement, Requires, authenticated, permissions};
use countersign::observe::{Event, Observer};
use countersign_actix::GuardedScope;
use countersign_axum::GuardedRouter;
use countersign_warp::GuardedRoutes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Write;
impl Requires for Write {
    fn requirement() -> Requirement {
        permissions(["posts:write"])
    }
}

#[derive(Clone, Debug, Default)]
struct Decisions(Arc<AtomicUsize>);
impl Observer for Decisions {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Decision { .. } = event {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The handlers of `/forgotten` and `/open` have nothing in their signatures; warp's are given what their closures ask for.
fn servers(guard: &Guard) -> [(&'static str, SocketAddr); 3] {
    let axum = {
        use countersign_axum::Require;
        GuardedRouter::new(guard)
            .requires("POST", "/forgotten", authenticated(), async || "written")
            .proves::<Write>()
            .requires("POST", "/kept", authenticated(), async |_: Require<Write>| "written")
            .proves::<Write>()
            .public("GET", "/open", async || "read")
            .proves::<Write>()
            .public("GET", "/asked", async |who: Option<Require<Write>>| who.is_some().to_string())
            .proves::<Write>()
            .build()
            .map(|(router, _)| <GuardedRouter as Router>::serve(router))
    };
    let actix = {
        use countersign_actix::Require;
        GuardedScope::new(guard)
            .requires("POST", "/forgotten", authenticated(), async || "written")
            .proves::<Write>()
            .requires("POST", "/kept", authenticated(), async |_: Require<Write>| "written")
            .proves::<Write>()
            .public("GET", "/open", async || "read")
            .proves::<Write>()
            .public("GET", "/asked", async |who: Option<Require<Write>>| who.is_some().to_string())
            .proves::<Write>()
            .build()
            .map(|(resources, _)| <GuardedScope as Router>::serve(resources))
    };
    let warp = GuardedRoutes::new(guard)
        .requires("POST", "/forgotten", authenticated(), |route| route.prove::<Write>().map(|_, _| "written"))
        .requires("POST", "/kept", authenticated(), |route| route.prove::<Write>().map(|_, _| "written"))
        .public("GET", "/open", |route| route.optional_proof::<Write>().map(|_, _| "read"))
        .public("GET", "/asked", |route| {
            route.optional_proof::<Write>().map(|_, proof| Option::is_some(&proof).to_string())
        })
        .build()
        .map(|(routes, _)| <GuardedRoutes as Router>::serve(routes));
    [("axum", axum), ("actix-web", actix), ("warp", warp)].map(|(name, server)| (name, server.expect("a router")))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_reaches_a_handler_that_does_not_meet_what_its_route_is_said_to_prove() {
    let (tokens, decisions) = (Tokens::new(), Decisions::default());
    let servers = servers(&tokens.guard_told("default", decisions.clone()));
    // Route, token, status, body of a good answer, how many decisions.
    let cases = [
        ("POST", "/forgotten", None, 401, "", 0),
        ("POST", "/forgotten", Some("B"), 401, "", 0),
        ("POST", "/forgotten", Some("T"), 403, "", 1),
        ("POST", "/forgotten", Some("ADMIN"), 200, "written", 1),
        ("POST", "/kept", None, 401, "", 0),
        ("POST", "/kept", Some("T"), 403, "", 1),
        ("POST", "/kept", Some("ADMIN"), 200, "written", 1),
        ("GET", "/open", None, 200, "read", 0),
        ("GET", "/open", Some("B"), 401, "", 0),
        ("GET", "/open", Some("T"), 403, "", 1),
        ("GET", "/open", Some("ADMIN"), 200, "read", 1),
        ("GET", "/asked", None, 200, "false", 0),
        ("GET", "/asked", Some("T"), 403, "", 1),
        ("GET", "/asked", Some("ADMIN"), 200, "true", 1),
    ];
    for (method, path, token, status, body, decided) in cases {
        let fields =
            token.map(|name| ("Authorization".to_owned(), format!("Bearer {}", tokens.named(name)).into_bytes()));
        let fields: Vec<_> = fields.into_iter().collect();
        let mut first: Option<Answer> = None;
        for (framework, server) in servers {
            let case = format!("{method} {path} by {token:?} in {framework}");
            let answer = send(server, method, path, &fields, b"").await;
            assert_eq!(answer.status, status, "{case}");
            assert_eq!(decisions.0.swap(0, Ordering::SeqCst), decided, "{case}: decisions that are told");
            if status == 200 {
                assert_eq!(answer.body, body, "{case}");
            }
            let first = first.get_or_insert_with(|| answer.clone());
            assert_eq!(answer.body, first.body, "{case}");
            for field in ["www-authenticate", "cache-control", "retry-after"] {
                assert_eq!(answer.header(field), first.header(field), "{case}: {field}");
            }
        }
    }
}

//! Routes of warp that give their handler a proof and a tenure, or stand behind another requirement: held to both, over sockets.

use super::client::{Client, refused};
use super::handlers::warp::echo;
use super::world::{Stage, World};
use super::{SECOND, closing};
use crate::http::servers::listener;
use countersign::Guard;
use countersign::authorize::{AsResource, Proof, Requirement, Requires, Resource, authenticated, permissions};
use countersign::manifest::PathParams;
use countersign_warp::{GuardExt, Guarded, GuardedRoutes, Proving, Tenure};
use serde_json::json;
use std::net::SocketAddr;
use warp::ws::Ws;
use warp::{Filter, Reply, path};

struct Join;
impl Requires for Join {
    fn requirement() -> Requirement {
        permissions(["chat:join"])
    }
}

struct Room;
impl AsResource for Room {
    fn as_resource(&self) -> Resource<'_> {
        Resource::new("room", "1")
    }
}

fn open(stage: &Stage, _may: Proof<Join>, tenure: Tenure, ws: Ws) -> warp::reply::Response {
    let stage = stage.clone();
    tenure.on_upgrade(ws, |socket| echo(socket, stage))
}

/// Nothing but the proof asks for what members may do.
pub(super) fn server(guard: &Guard, stage: &Stage) -> SocketAddr {
    let may_join = guard.prove::<Join>().expect("a known name").tenure();
    let own = stage.clone();
    let proved = path!("proved").and(warp::get()).guarded(may_join, |route| {
        route.and(warp::ws()).map(move |(may, tenure): (Proof<Join>, Tenure), ws| open(&own, may, tenure, ws))
    });
    let may_join = guard.optional().prove::<Join>().expect("a known name").tenure();
    let own = stage.clone();
    let optional = path!("optional").and(warp::get()).guarded(may_join, |route| {
        route.and(warp::ws()).map(move |who: Option<(Proof<Join>, Tenure)>, ws| match who {
            Some((may, tenure)) => open(&own, may, tenure, ws),
            None => "nobody".into_response(),
        })
    });
    // Held to what its route requires, since no resource is kept.
    let may_join = guard.require(Join::requirement()).expect("a known name").prove_on::<Join>().expect("a known name");
    let own = stage.clone();
    let on = path!("on").and(warp::get()).guarded(may_join, |route| {
        route.and(warp::ws()).and_then(move |may_join: Proving<Join>, ws: Ws| {
            let stage = own.clone();
            async move {
                let tenure = may_join.tenure().await?;
                may_join.on(Room).await?;
                Ok::<_, warp::Rejection>(tenure.on_upgrade(ws, |socket| echo(socket, stage)))
            }
        })
    });
    let own = stage.clone();
    let around = path!("around").and(warp::get()).guarded(guard.protect().tenure(), |route| {
        route.and(warp::ws()).map(move |tenure: Tenure, ws: Ws| {
            let stage = own.clone();
            tenure.on_upgrade(ws, |socket| echo(socket, stage))
        })
    });
    // Two, of which the one further in asks for no more than the route.
    let around = guard.protect().around(around);
    let around = guard.require(Join::requirement()).expect("a known name").around(around);
    let (own, other) = (stage.clone(), stage.clone());
    let (table, manifest) = GuardedRoutes::new(guard)
        .requires("GET", "/table/proved", authenticated(), |route| {
            let route = route.prove::<Join>().tenure().and(warp::ws());
            route.map(move |_: PathParams, (may, tenure), ws| open(&own, may, tenure, ws))
        })
        .public("GET", "/table/optional", |route| {
            let route = route.optional_proof::<Join>().tenure().and(warp::ws());
            route.map(move |_: PathParams, who, ws| match who {
                Some((may, tenure)) => open(&other, may, tenure, ws),
                None => "nobody".into_response(),
            })
        })
        .build()
        .expect("a table");
    // Once, whatever else it is asked with.
    assert!(manifest.routes().iter().all(|route| route.proves == [Join::requirement()]), "{manifest}");
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(proved.or(optional).or(on).or(table).or(around)).incoming(listener).run());
    address
}

/// Whether nobody is let in.
const PATHS: [(&str, bool); 6] = [
    ("/proved", false),
    ("/optional", true),
    ("/on", false),
    ("/table/proved", false),
    ("/table/optional", true),
    ("/around", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_comes_before_the_upgrade() {
    let world = World::start("warp, proofs");
    for (path, takes_nobody) in PATHS {
        let strangers = refused(world.address, path, None).await.status;
        assert_eq!(strangers, if takes_nobody { 200 } else { 401 }, "{path}");
        assert_eq!(refused(world.address, path, Some("garbage")).await.status, 401, "{path}");
        let nobodys = world.token(&json!({"roles": []}));
        assert_eq!(refused(world.address, path, Some(&nobodys)).await.status, 403, "{path}");
        // Good enough for a request, by the leeway, and not for what outlives it.
        let leeway = world.token(&json!({"exp": super::NOW - 5}));
        assert_eq!(refused(world.address, path, Some(&leeway)).await.status, 401, "{path}");
    }
    assert_eq!(world.handlers(), 0, "no handler has run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_held_to_what_was_proved() {
    for (path, _) in PATHS {
        let world = World::start("warp, proofs");
        let mut client = Client::connect(&world, path, &json!({})).await;
        assert_eq!(client.ask("hello").await, "hello", "{path}");
        let later = world.token(&json!({"roles": [], "jti": "t2"}));
        assert_eq!(client.ask(&format!("token {later}")).await, "not_allowed", "{path}: nor renewed without");
        world.take_role();
        world.clock.pass(30 * SECOND).await;
        assert_eq!(client.close().await, closing(4403, "The access token does not allow this"), "{path}");
        world.settled().await;
    }
}

//! The same connections in three frameworks.

use super::handlers;
use super::world::Stage;
use crate::http::servers::listener;
use bytes::Bytes;
use countersign::Guard;
use countersign::authorize::Requirement;
use futures_util::stream::{self, Stream, StreamExt};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

/// For a peer that does not read. Nothing is measured by it.
const CLOSE_WITHIN: Duration = Duration::from_millis(100);

/// What `/echo` speaks.
const PROTOCOLS: [&str; 2] = ["chat.v2", "chat"];

/// What the framework is told of them beside the tenure at `/both`, in another order. warp cannot be told.
const PROTOCOLS_OF_THE_FRAMEWORK: [&str; 2] = ["chat", "chat.v2"];

/// One event, and then none for ever.
fn ticks() -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::iter([Ok(Bytes::from_static(b"data: tick\n\n"))]).chain(stream::pending())
}

pub(super) fn axum_server(guard: &Guard, requirement: Requirement, stage: &Stage) -> SocketAddr {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::State;
    use axum::extract::ws::WebSocketUpgrade;
    use axum::response::Response;
    use axum::routing::get;
    use countersign_axum::{GuardExt, Tenure};
    use handlers::axum::{echo, flood, idle};

    async fn on_echo(tenure: Tenure, State(stage): State<Stage>, upgrade: WebSocketUpgrade) -> Response {
        tenure.protocols(PROTOCOLS).on_upgrade(upgrade, |socket| echo(socket, stage))
    }
    async fn on_both(tenure: Tenure, State(stage): State<Stage>, upgrade: WebSocketUpgrade) -> Response {
        let upgrade = upgrade.protocols(PROTOCOLS_OF_THE_FRAMEWORK);
        tenure.protocols(PROTOCOLS).on_upgrade(upgrade, |socket| echo(socket, stage))
    }
    async fn on_idle(tenure: Tenure, State(stage): State<Stage>, upgrade: WebSocketUpgrade) -> Response {
        tenure.on_upgrade(upgrade, |socket| idle(socket, stage))
    }
    async fn on_flood(tenure: Tenure, State(stage): State<Stage>, upgrade: WebSocketUpgrade) -> Response {
        tenure.close_within(CLOSE_WITHIN).on_upgrade(upgrade, |socket| flood(socket, stage))
    }
    async fn events(tenure: Tenure) -> Body {
        Body::from_stream(tenure.limit(ticks()))
    }
    let router = Router::new()
        .route("/echo", get(on_echo))
        .route("/both", get(on_both))
        .route("/idle", get(on_idle))
        .route("/flood", get(on_flood))
        .route("/events", get(events))
        .route_layer(guard.require(requirement).expect("a requirement that can be judged"))
        .with_state(stage.clone());
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(super) fn actix_server(guard: &Guard, requirement: Requirement, stage: &Stage) -> SocketAddr {
    use actix_web::web::{self, Data, Payload};
    use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer};
    use countersign_actix::{GuardExt, Tenure};
    use handlers::actix::{echo, flood, idle};

    type Answer = Result<HttpResponse, Error>;

    async fn on_echo(tenure: Tenure, stage: Data<Stage>, request: HttpRequest, body: Payload) -> Answer {
        let stage = stage.get_ref().clone();
        let opened = actix_ws::handle(&request, body)?;
        Ok(tenure.protocols(PROTOCOLS).on_upgrade(opened, |socket| echo(socket, stage)))
    }
    async fn on_both(tenure: Tenure, stage: Data<Stage>, request: HttpRequest, body: Payload) -> Answer {
        let stage = stage.get_ref().clone();
        let opened = actix_ws::handle_with_protocols(&request, body, &PROTOCOLS_OF_THE_FRAMEWORK)?;
        Ok(tenure.protocols(PROTOCOLS).on_upgrade(opened, |socket| echo(socket, stage)))
    }
    async fn on_idle(tenure: Tenure, stage: Data<Stage>, request: HttpRequest, body: Payload) -> Answer {
        let stage = stage.get_ref().clone();
        Ok(tenure.on_upgrade(actix_ws::handle(&request, body)?, |socket| idle(socket, stage)))
    }
    async fn on_flood(tenure: Tenure, stage: Data<Stage>, request: HttpRequest, body: Payload) -> Answer {
        let stage = stage.get_ref().clone();
        let opened = actix_ws::handle(&request, body)?;
        Ok(tenure.close_within(CLOSE_WITHIN).on_upgrade(opened, |socket| flood(socket, stage)))
    }
    async fn events(tenure: Tenure) -> HttpResponse {
        HttpResponse::Ok().streaming(tenure.limit(ticks()))
    }
    let require = guard.require(requirement).expect("a requirement that can be judged");
    let stage = stage.clone();
    let app = move || {
        App::new()
            .app_data(Data::new(stage.clone()))
            .route("/echo", web::get().to(on_echo).wrap(require.clone()))
            .route("/both", web::get().to(on_both).wrap(require.clone()))
            .route("/idle", web::get().to(on_idle).wrap(require.clone()))
            .route("/flood", web::get().to(on_flood).wrap(require.clone()))
            .route("/events", web::get().to(events).wrap(require.clone()))
    };
    let (listener, address) = listener();
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a server").run();
    tokio::spawn(server);
    address
}

pub(super) fn warp_server(guard: &Guard, requirement: Requirement, stage: &Stage) -> SocketAddr {
    use countersign_warp::{GuardExt, Guarded, Tenure};
    use handlers::warp::{echo, flood, idle};
    use warp::ws::Ws;
    use warp::{Filter, path, reply};

    let ask = guard.require(requirement).expect("a requirement that can be judged").tenure();
    let staged = |stage: &Stage| {
        let stage = stage.clone();
        warp::any().map(move || stage.clone())
    };
    let on_echo = path!("echo").and(warp::get()).guarded(ask.clone(), |route| {
        route.and(staged(stage)).and(warp::ws()).map(|tenure: Tenure, stage: Stage, ws: Ws| {
            tenure.protocols(PROTOCOLS).on_upgrade(ws, |socket| echo(socket, stage))
        })
    });
    let on_idle = path!("idle").and(warp::get()).guarded(ask.clone(), |route| {
        route
            .and(staged(stage))
            .and(warp::ws())
            .map(|tenure: Tenure, stage: Stage, ws: Ws| tenure.on_upgrade(ws, |socket| idle(socket, stage)))
    });
    let on_flood = path!("flood").and(warp::get()).guarded(ask.clone(), |route| {
        route.and(staged(stage)).and(warp::ws()).map(|tenure: Tenure, stage: Stage, ws: Ws| {
            tenure.close_within(CLOSE_WITHIN).on_upgrade(ws, |socket| flood(socket, stage))
        })
    });
    let events = path!("events")
        .and(warp::get())
        .guarded(ask, |route| route.map(|tenure: Tenure| reply::stream(tenure.limit(ticks()))));
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(on_echo.or(on_idle).or(on_flood).or(events)).incoming(listener).run());
    address
}

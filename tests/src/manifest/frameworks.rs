//! One way to declare routes and to ask for them, whatever the framework. Handlers say which route they are and what the
//! path gave them.

use crate::http::servers::listener;
use countersign::authorize::Requirement;
use countersign::manifest::{Manifest, TagPolicy};
use countersign::{ConfigError, Guard};
use countersign_actix::{GuardedResources, GuardedScope};
use countersign_axum::GuardedRouter;
use countersign_warp::{GuardedReply, GuardedRoutes};
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use tower::ServiceExt;
use warp::filters::BoxedFilter;

type Params = BTreeMap<String, String>;

/// What the handler of a route answers.
pub(super) fn said(method: &str, path: &str, params: &Params) -> String {
    format!("{method} {path} {params:?}")
}

pub(super) trait Router: Sized {
    type Served;

    fn new(guard: &Guard) -> Self;
    fn public(self, method: &str, path: &str) -> Self;
    fn requires(self, method: &str, path: &str, requirement: Requirement) -> Self;
    fn tagged(self, method: &str, path: &str, tags: &[&str]) -> Self;
    fn untagged(self, method: &str, path: &str) -> Self;
    fn tags(self, policy: TagPolicy) -> Self;
    fn nest(self, prefix: &str, other: Self) -> Self;
    fn merge(self, other: Self) -> Self;
    fn build(self) -> Result<(Self::Served, Manifest), ConfigError>;

    /// Serves on a free port of this machine.
    fn serve(served: Self::Served) -> SocketAddr;
    /// Status and body, without a socket.
    async fn ask(served: &Self::Served, method: &str, path: &str) -> (u16, String);
}

/// The methods that are alike but for the handler.
macro_rules! declare_with {
    ($handler:ident) => {
        fn new(guard: &Guard) -> Self {
            Self::new(guard)
        }
        fn public(self, method: &str, path: &str) -> Self {
            self.public(method, path, $handler!(method, path))
        }
        fn requires(self, method: &str, path: &str, requirement: Requirement) -> Self {
            self.requires(method, path, requirement, $handler!(method, path, _token))
        }
        fn tagged(self, method: &str, path: &str, tags: &[&str]) -> Self {
            self.tagged(method, path, tags.iter().copied(), $handler!(method, path, _token))
        }
        fn untagged(self, method: &str, path: &str) -> Self {
            self.untagged(method, path, $handler!(method, path))
        }
        fn tags(self, policy: TagPolicy) -> Self {
            self.tags(policy)
        }
        fn nest(self, prefix: &str, other: Self) -> Self {
            self.nest(prefix, other)
        }
        fn merge(self, other: Self) -> Self {
            self.merge(other)
        }
        fn build(self) -> Result<(Self::Served, Manifest), ConfigError> {
            self.build()
        }
    };
}

macro_rules! in_axum {
    ($method:ident, $path:ident $(, $_token:ident)?) => {{
        let (method, path) = ($method.to_owned(), $path.to_owned());
        move |axum::extract::Path(params): axum::extract::Path<Params>| -> Ready<String> {
            ready(said(&method, &path, &params))
        }
    }};
}

impl Router for GuardedRouter {
    type Served = axum::Router;
    declare_with!(in_axum);

    fn serve(served: axum::Router) -> SocketAddr {
        let (listener, address) = listener();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        tokio::spawn(async move { axum::serve(listener, served).await });
        address
    }

    async fn ask(served: &axum::Router, method: &str, path: &str) -> (u16, String) {
        let request =
            http::Request::builder().method(method).uri(path).body(axum::body::Body::empty()).expect("a request");
        let response = served.clone().oneshot(request).await.expect("an answer");
        (response.status().as_u16(), text(response.into_body()).await)
    }
}

macro_rules! in_actix {
    ($method:ident, $path:ident $(, $_token:ident)?) => {{
        let (method, path) = ($method.to_owned(), $path.to_owned());
        move |request: actix_web::HttpRequest, values: actix_web::web::Path<Vec<String>>| -> Ready<String> {
            // actix-web decodes into sequences and structs, not into maps.
            let names = request.match_info().iter().map(|(name, _)| name.to_owned());
            ready(said(&method, &path, &names.zip(values.into_inner()).collect()))
        }
    }};
}

impl Router for GuardedScope {
    type Served = GuardedResources;
    declare_with!(in_actix);

    fn serve(served: GuardedResources) -> SocketAddr {
        let (listener, address) = listener();
        let app = move || actix_web::App::new().service(served.clone());
        // Two, so that the routes are made more than once.
        let server = actix_web::HttpServer::new(app).workers(2).disable_signals().listen(listener).expect("a server");
        tokio::spawn(server.run());
        address
    }

    async fn ask(served: &GuardedResources, method: &str, path: &str) -> (u16, String) {
        use actix_web::test;
        let app = test::init_service(actix_web::App::new().service(served.clone())).await;
        let request = test::TestRequest::with_uri(path).method(method.parse().expect("a method")).to_request();
        let response = test::call_service(&app, request).await;
        (response.status().as_u16(), String::from_utf8_lossy(&test::read_body(response).await).into_owned())
    }
}

macro_rules! in_warp {
    ($method:ident, $path:ident $(, $token:ident)?) => {{
        let (method, path) = ($method.to_owned(), $path.to_owned());
        move |route| -> GuardedReply {
            route.map(move |params, $($token)?| {
                let params = countersign::manifest::PathParams::iter(&params);
                said(&method, &path, &params.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
            })
        }
    }};
}

impl Router for GuardedRoutes {
    type Served = BoxedFilter<(warp::reply::Response,)>;
    declare_with!(in_warp);

    fn serve(served: Self::Served) -> SocketAddr {
        let (listener, address) = listener();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        tokio::spawn(warp::serve(served).incoming(listener).run());
        address
    }

    async fn ask(served: &Self::Served, method: &str, path: &str) -> (u16, String) {
        let request = http::Request::builder().method(method).uri(path).body(String::new()).expect("a request");
        let response = warp::service(served.clone()).oneshot(request).await.expect("an answer");
        (response.status().as_u16(), text(axum::body::Body::new(response.into_body())).await)
    }
}

async fn text(body: axum::body::Body) -> String {
    let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    String::from_utf8_lossy(&bytes).into_owned()
}

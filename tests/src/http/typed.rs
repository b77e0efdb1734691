//! Requirements that are types, and resources that were decided on, in the three adapters.

mod tables;

use super::client::{Answer, send};
use super::servers::listener;
use super::world::Tokens;
use bytes::Bytes;
use countersign::Guard;
use countersign::authorize::policy::{async_policy_fn, deny_overrides};
use countersign::authorize::{
    All, Any, AsResource, Attribute, Attributes, Proof, Requirement, Requires, Resource, action,
};
use countersign_rbac::{Catalog, LiveCatalog, RbacAuthorizer};
use countersign_testkit::adapter::Unheard;
use countersign_warp::Proving;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

countersign_rbac::permissions! {
    mod perm {
        PostsRead = "posts:read",
        PostsWrite = "posts:write",
    }
}

countersign_rbac::roles! { mod roles { Admin = "admin", Reader = "reader" } }

struct EditPost;
impl Requires for EditPost {
    fn requirement() -> Requirement {
        action("posts:edit")
    }
}

/// Belongs to whom its id names.
#[derive(Default)]
pub(super) struct Post {
    id: String,
}

impl Attributes for Post {
    fn get(&self, name: &str) -> Option<Attribute<'_>> {
        (name == "author").then_some(self.id.as_str().into())
    }
}

impl AsResource for Post {
    fn as_resource(&self) -> Resource<'_> {
        Resource::new("post", &self.id).with_attributes(self)
    }
}

/// How many posts have been loaded.
type Loads = Arc<AtomicUsize>;

fn load(loads: &Loads, id: &str) -> Option<Post> {
    loads.fetch_add(1, Ordering::SeqCst);
    (id != "gone").then(|| Post { id: id.to_owned() })
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Post
where
    Loads: axum::extract::FromRef<S>,
{
    type Rejection = http::StatusCode;
    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, http::StatusCode> {
        let axum::extract::Path(id) = axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| http::StatusCode::NOT_FOUND)?;
        load(&<Loads as axum::extract::FromRef<S>>::from_ref(state), &id).ok_or(http::StatusCode::NOT_FOUND)
    }
}
impl actix_web::FromRequest for Post {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, actix_web::Error>>>>;
    fn from_request(request: &actix_web::HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let loads = request.app_data::<Loads>().expect("a counter");
            load(loads, request.match_info().query("id")).ok_or_else(|| actix_web::error::ErrorNotFound(""))
        })
    }
}
/// Demands a proof, so that it cannot be called without.
fn both(read: &Proof<perm::PostsRead>, write: &Proof<perm::PostsWrite>) -> String {
    format!("{}, {}", read.token().subject().unwrap_or_default(), write.token().subject().unwrap_or_default())
}

fn split(proof: Proof<All<(perm::PostsRead, perm::PostsWrite)>>) -> String {
    let (read, write) = proof.split();
    both(&read, &write)
}

fn catalog() -> Catalog {
    let catalog = Catalog::builder().role("reader", [perm::PostsRead]).role("admin", [perm::PostsWrite]);
    catalog.inherits("admin", "reader").build().expect("a catalog")
}

fn guard(tokens: &Tokens) -> Guard {
    guard_by(tokens, &catalog().into())
}

fn guard_by(tokens: &Tokens, live: &LiveCatalog) -> Guard {
    let rbac = RbacAuthorizer::new(live.clone());
    let author = async_policy_fn("author", |request| {
        Box::pin(async move {
            tokio::task::yield_now().await;
            match request.resource?.attribute("author")?.as_text()? {
                "lost" => None,
                author => Some(request.token.subject()? == author),
            }
        })
    });
    let posts = deny_overrides("posts", ["posts:edit"]).allow_if(author).build().expect("policies");
    tokens.builder("default").authorizer((rbac, posts)).build().expect("a guard")
}

fn axum_server(guard: &Guard, loads: &Loads) -> SocketAddr {
    use axum::Router;
    use axum::extract::State;
    use axum::routing::{get, post};
    use countersign_axum::{GuardExt, Require, RequireOn};

    async fn asked(
        State(guard): State<Guard>,
        token: countersign_axum::Verified,
    ) -> Result<String, countersign_axum::Refusal> {
        let post = Post { id: "reader".into() };
        let post = guard.authorize::<EditPost, _>(&token, post).await.map_err(countersign_axum::Refusal)?;
        Ok(post.id.clone())
    }
    let router: Router<Loads> = Router::new()
        .route("/both", get(|Require(proof)| async { split(proof) }))
        .route("/either", get(|_: Require<Any<(roles::Reader, roles::Admin)>>| async { "either" }))
        .route("/option", get(|who: Option<Require<perm::PostsWrite>>| async move { who.is_some().to_string() }))
        .route("/misused", get(|_: Require<Unheard>| async { "misused" }))
        .route(
            "/posts/{id}",
            post(|post: RequireOn<Post, EditPost>, body: String| async move { post.0.id.clone() + &body }),
        )
        .route("/asked", get(asked).with_state(guard.clone()));
    let router = router.layer(guard.layer()).with_state(loads.clone());
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn actix_server(guard: &Guard, loads: &Loads) -> SocketAddr {
    use actix_web::{App, HttpServer, web};
    use countersign_actix::{GuardExt, Refusal, Require, RequireOn, Verified};

    async fn asked(guard: web::Data<Guard>, token: Verified) -> Result<String, Refusal> {
        let post = Post { id: "reader".into() };
        let post = guard.authorize::<EditPost, _>(&token, post).await.map_err(Refusal)?;
        Ok(post.id.clone())
    }
    async fn edit(post: RequireOn<Post, EditPost>, body: String) -> String {
        post.0.id.clone() + &body
    }
    let (guard, loads) = (guard.clone(), loads.clone());
    let app = move || {
        App::new()
            .app_data(loads.clone())
            .app_data(web::Data::new(guard.clone()))
            .wrap(guard.layer())
            .route("/both", web::get().to(async |Require(proof)| split(proof)))
            .route("/either", web::get().to(async |_: Require<Any<(roles::Reader, roles::Admin)>>| "either"))
            .route("/option", web::get().to(async |who: Option<Require<perm::PostsWrite>>| who.is_some().to_string()))
            .route("/misused", web::get().to(async |_: Require<Unheard>| "misused"))
            .route("/posts/{id}", web::post().to(edit))
            .route("/asked", web::get().to(asked))
    };
    let (listener, address) = listener();
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a server").run();
    tokio::spawn(server);
    address
}

fn warp_server(guard: &Guard, loads: &Loads) -> SocketAddr {
    use countersign_warp::{GuardExt, Guarded, Refusal};
    use warp::{Filter, Reply, path};

    type Both = All<(perm::PostsRead, perm::PostsWrite)>;
    assert!(guard.prove::<Unheard>().is_err(), "found when the route is made");
    let both =
        path!("both").and(warp::get()).guarded(guard.prove::<Both>().expect("known names"), |route| route.map(split));
    let either = path!("either")
        .and(warp::get())
        .guarded(guard.prove::<Any<(roles::Reader, roles::Admin)>>().expect("known names"), |route| {
            route.map(|_| "either")
        });
    let option = path!("option")
        .and(warp::get())
        .guarded(guard.optional().prove::<perm::PostsWrite>().expect("known names"), |route| {
            route.map(|who: Option<Proof<perm::PostsWrite>>| who.is_some().to_string())
        });
    let (asked_guard, loads) = (guard.clone(), loads.clone());
    let may_edit = guard.protect().prove_on::<EditPost>().expect("known names");
    let edit = path!("posts" / String)
        .and(warp::post())
        .guarded(may_edit, |route| route.and(warp::body::bytes()).and_then(editing(&loads)));
    let asked = path!("asked").and(warp::get()).guarded(guard.protect(), |route| {
        route.then(move |token| {
            let guard = asked_guard.clone();
            async move {
                match guard.authorize::<EditPost, _>(&token, Post { id: "reader".into() }).await {
                    Ok(post) => post.id.clone().into_response(),
                    Err(denial) => Refusal(denial).into_response(),
                }
            }
        })
    });
    let (listener, address) = listener();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    tokio::spawn(warp::serve(both.or(either).or(option).or(edit).or(asked)).incoming(listener).run());
    address
}

/// Loads a post, and edits it where that is allowed.
fn editing(loads: &Loads) -> impl Fn(String, Proving<EditPost>, Bytes) -> Editing + Clone + Send + Sync + 'static {
    let loads = loads.clone();
    move |id, may_edit, body| {
        let loads = loads.clone();
        Box::pin(async move {
            let post = may_edit.on(load(&loads, &id).ok_or_else(warp::reject::not_found)?).await?;
            Ok(post.id.clone() + &String::from_utf8_lossy(&body))
        })
    }
}

type Editing = Pin<Box<dyn Future<Output = Result<String, warp::Rejection>> + Send>>;

async fn ask(server: SocketAddr, method: &str, path: &str, token: Option<&str>) -> Answer {
    let headers: Vec<_> =
        token.iter().map(|token| ("Authorization".to_owned(), format!("Bearer {token}").into_bytes())).collect();
    let body: &[u8] = if method == "POST" { b"!" } else { b"" };
    send(server, method, path, &headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn types_require_the_same_in_every_framework() {
    let tokens = Tokens::new();
    let guard = guard(&tokens);
    // Method, path, token, status, body of a good answer, whether the post was loaded; how many servers have it.
    type Row = (&'static str, &'static str, &'static str, u16, &'static str, bool, usize);
    let table: &[Row] = &[
        ("GET", "/both", "ADMIN", 200, "reader, reader", false, 4),
        ("GET", "/both", "T", 403, "", false, 4),
        ("GET", "/both", "", 401, "", false, 4),
        ("GET", "/both", "E", 401, "", false, 4),
        ("GET", "/both", "REVOKED", 401, "", false, 4),
        ("GET", "/both", "ROLES", 403, "", false, 4),
        ("GET", "/either", "T", 200, "either", false, 4),
        ("GET", "/either", "ADMIN", 200, "either", false, 4),
        ("GET", "/option", "", 200, "false", false, 4),
        ("GET", "/option", "ADMIN", 200, "true", false, 4),
        ("GET", "/option", "T", 403, "", false, 4),
        ("GET", "/option", "B", 401, "", false, 4),
        ("GET", "/misused", "ADMIN", 500, "", false, 2),
        ("GET", "/misused", "", 401, "", false, 2),
        ("POST", "/posts/reader", "T", 200, "reader!", true, 4),
        ("POST", "/posts/other", "T", 403, "", true, 4),
        ("POST", "/posts/lost", "T", 503, "", true, 4),
        ("POST", "/posts/reader", "", 401, "", false, 4),
        ("POST", "/posts/reader", "B", 401, "", false, 4),
        ("POST", "/posts/gone", "", 401, "", false, 4),
        ("POST", "/posts/gone", "T", 404, "", true, 4),
        ("GET", "/asked", "T", 200, "reader", false, 4),
        ("GET", "/asked", "T2", 403, "", false, 4),
    ];
    let loads: [Loads; 4] = Default::default();
    let servers = [
        axum_server(&guard, &loads[0]),
        actix_server(&guard, &loads[1]),
        warp_server(&guard, &loads[2]),
        tables::warp_table(&guard, &loads[3]),
    ];
    for (method, path, token, status, body, is_loaded, frameworks) in table {
        let mut first: Option<Answer> = None;
        for (server, loads) in servers.iter().zip(&loads).take(*frameworks) {
            let before = loads.load(Ordering::SeqCst);
            let token = (!token.is_empty()).then(|| tokens.named(token));
            let answer = ask(*server, method, path, token.as_deref()).await;
            assert_eq!(answer.status, *status, "{method} {path} {token:?}: {answer:?}");
            assert_eq!(loads.load(Ordering::SeqCst) - before, usize::from(*is_loaded), "{path}: loads");
            if *status == 200 {
                assert_eq!(answer.body, *body, "{path}");
            }
            let first = first.get_or_insert_with(|| answer.clone());
            for field in ["www-authenticate", "cache-control", "retry-after"] {
                assert_eq!(answer.header(field), first.header(field), "{path}: {field}");
            }
            if ![200, 404].contains(status) {
                assert_eq!(answer.body, first.body, "{path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_catalog_has_lost_is_denied_in_every_framework() {
    let tokens = Tokens::new();
    let live = LiveCatalog::new(catalog());
    let (guard, loads) = (guard_by(&tokens, &live), Loads::default());
    let servers = [
        axum_server(&guard, &loads),
        actix_server(&guard, &loads),
        warp_server(&guard, &loads),
        tables::warp_table(&guard, &loads),
    ];
    let admin = tokens.named("ADMIN");
    let statuses = async || {
        let mut all = Vec::new();
        for server in servers {
            for path in ["/both", "/option", "/either"] {
                all.push(ask(server, "GET", path, Some(&admin)).await.status);
            }
        }
        all
    };
    assert_eq!(statuses().await, [200; 12]);
    let fewer = Catalog::builder().role("reader", [perm::PostsRead]).role("admin", [perm::PostsRead]);
    live.replace(fewer.build().expect("a catalog"));
    assert_eq!(statuses().await, [403, 403, 200].repeat(4));
}

//! What routes prove: one manifest, and found before the first request, in each framework.

use crate::http::world::Tokens;
use countersign::authorize::{AsResource, Requirement, Requires, Resource, authenticated, permissions, role, scopes};
use countersign::manifest::Manifest;
use countersign::{ConfigError, Guard};
use countersign_actix::GuardedScope;
use countersign_axum::GuardedRouter;
use countersign_testkit::adapter::Unheard;
use countersign_warp::GuardedRoutes;
use std::convert::Infallible;
use std::future::{Ready, ready};

struct Write;
impl Requires for Write {
    fn requirement() -> Requirement {
        permissions(["posts:write"])
    }
}

struct Audit;
impl Requires for Audit {
    fn requirement() -> Requirement {
        role("admin").and(scopes(["a"]))
    }
}

struct Post;
impl AsResource for Post {
    fn as_resource(&self) -> Resource<'_> {
        Resource::new("post", "1")
    }
}
impl<S: Sync> axum::extract::FromRequestParts<S> for Post {
    type Rejection = Infallible;
    async fn from_request_parts(_: &mut http::request::Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}
impl actix_web::FromRequest for Post {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;
    fn from_request(_: &actix_web::HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        ready(Ok(Self))
    }
}

/// The same routes in each framework, with one more whose proof is `R`.
fn axum_table<R: Requires>(guard: &Guard) -> Result<Manifest, ConfigError> {
    use countersign_axum::{Require, RequireOn};
    let table = GuardedRouter::<()>::new(guard)
        .requires("POST", "/posts", authenticated(), async |_: Require<Write>| "written")
        .proves::<Write>()
        .requires("PUT", "/posts/{id}", authenticated(), async |_: RequireOn<Post, Audit>| "audited")
        .proves_on::<Audit>()
        .public("GET", "/posts", async |_: Option<Require<Audit>>| "the posts")
        .proves::<Audit>()
        .requires("GET", "/one-more", role("reader"), async |_: Require<R>| "one more")
        .proves::<R>();
    table.build().map(|(_, manifest)| manifest)
}

fn actix_table<R: Requires>(guard: &Guard) -> Result<Manifest, ConfigError> {
    use countersign_actix::{Require, RequireOn};
    let table = GuardedScope::new(guard)
        .requires("POST", "/posts", authenticated(), async |_: Require<Write>| "written")
        .proves::<Write>()
        .requires("PUT", "/posts/{id}", authenticated(), async |_: RequireOn<Post, Audit>| "audited")
        .proves_on::<Audit>()
        .public("GET", "/posts", async |_: Option<Require<Audit>>| "the posts")
        .proves::<Audit>()
        .requires("GET", "/one-more", role("reader"), async |_: Require<R>| "one more")
        .proves::<R>();
    table.build().map(|(_, manifest)| manifest)
}

fn warp_table<R: Requires>(guard: &Guard) -> Result<Manifest, ConfigError> {
    let table = GuardedRoutes::new(guard)
        .requires("POST", "/posts", authenticated(), |route| route.prove::<Write>().map(|_, _| "written"))
        .requires("PUT", "/posts/{id}", authenticated(), |route| {
            route.prove_on::<Audit>().and_then(async |_, may_audit| may_audit.on(Post).await.map(|_| "audited"))
        })
        .public("GET", "/posts", |route| route.optional_proof::<Audit>().map(|_, _| "the posts"))
        .requires("GET", "/one-more", role("reader"), |route| route.prove::<R>().map(|_, _| "one more"));
    table.build().map(|(_, manifest)| manifest)
}

type Table = fn(&Guard) -> Result<Manifest, ConfigError>;

#[test]
fn what_routes_prove_stands_in_one_manifest_in_each_framework() {
    for world in ["default", "cookie"] {
        let guard = Tokens::new().guard(world);
        let manifests: Vec<_> = [axum_table::<Write> as Table, actix_table::<Write>, warp_table::<Write>]
            .into_iter()
            .map(|table| table(&guard).expect("a table"))
            .collect();
        let printed = manifests[0].to_string();
        assert!(
            printed.contains("/posts/{id}  authenticated  proves on a resource all_of(role(admin), scopes(a))"),
            "{printed}"
        );
        for other in &manifests {
            assert_eq!(*other, manifests[0], "{world}");
            assert_eq!(other.openapi(), manifests[0].openapi(), "{world}");
        }
    }
}

#[test]
fn what_the_guard_cannot_judge_is_found_before_a_request_asks() {
    let known = Tokens::new().guard("default");
    for (framework, table) in [
        ("axum", axum_table::<Unheard> as Table),
        ("actix-web", actix_table::<Unheard>),
        ("warp", warp_table::<Unheard>),
    ] {
        assert!(table(&known).is_err(), "{framework}: when the table is built");
    }
    for (framework, table) in [("axum", axum_table::<Unheard> as Table), ("actix-web", actix_table::<Unheard>)] {
        let (later, hand_over) = Guard::later();
        table(&later).expect("nobody is there to judge it");
        assert!(hand_over.hand_over(&known).is_err(), "{framework}: when a guard is handed over");
    }
    let (later, hand_over) = Guard::later();
    let (routes, _) = GuardedRoutes::new(&later)
        .requires("GET", "/", authenticated(), |route| route.prove::<Unheard>().map(|_, _| ""))
        .build()
        .expect("nobody is there to judge it");
    assert!(hand_over.hand_over(&known).is_err(), "warp: when a guard is handed over");
    drop(routes);
}

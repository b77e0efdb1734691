//! The code of README and of docs/OBSERVABILITY.md, compiled: each of their lines stands here too.

use axum::routing::{delete, get, post};
use axum::{Json, Router};
use countersign::authorize::{permissions, role};
use countersign::issue::JwtSigner;
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey, VerifyingKey};
use countersign_axum::{Claims, GuardExt};
use countersign_keys::JwksProvider;
use countersign_rbac::RbacAuthorizer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::error::Error;
use std::process::Command;

#[derive(Deserialize, Serialize)]
struct Me {
    sub: String,
}

async fn wipe() {}
async fn write() {}

#[rustfmt::skip]
fn axum_app() -> Result<Router, Box<dyn Error>> {
    // Yours: `Me`, a struct of the claims that you want (serde), and the handlers `wipe` and `write`.
    let keys     = JwksProvider::discover("https://tenant.auth0.com/").build()?;
    let verifier = JwtVerifier::builder(keys).issuer("https://tenant.auth0.com/").audience("my-api").build()?;
    let rbac     = RbacAuthorizer::builder().role("editor", ["posts:read", "posts:write"]).role("admin", ["users:delete"]).inherits("admin", "editor").build()?;
    let guard    = Guard::builder(verifier).authorizer(rbac).build()?;

    let app = Router::new()
        .route("/admin", delete(wipe).route_layer(guard.require(role("admin"))?))
        .route("/posts", post(write).route_layer(guard.require(permissions(["posts:read", "posts:write"]))?))
        .route("/me", get(|Claims(me): Claims<Me>| async move { Json(me) }))
        .layer(guard.layer());
    Ok(app)
}

mod actix {
    use super::Me;
    use actix_web::{App, HttpServer, web};
    use countersign::authorize::{permissions, role};
    use countersign::{ConfigError, Guard};
    use countersign_actix::{Claims, GuardExt};

    async fn wipe() -> &'static str {
        "wiped"
    }

    async fn write_post() -> &'static str {
        "written"
    }

    #[rustfmt::skip]
    pub(super) fn app(guard: Guard) -> Result<(), ConfigError> {
        let (admin, write) = (guard.require(role("admin"))?, guard.require(permissions(["posts:read", "posts:write"]))?);
        let app = move || {
            App::new()
                .wrap(guard.layer())
                .route("/admin", web::delete().to(wipe).wrap(admin.clone()))
                .route("/posts", web::post().to(write_post).wrap(write.clone()))
                .route("/me", web::get().to(async |Claims(me): Claims<Me>| web::Json(me)))
        };
        drop(HttpServer::new(app));
        Ok(())
    }
}

mod warp_app {
    use super::Me;
    use countersign::authorize::{permissions, role};
    use countersign::{ConfigError, Guard};
    use countersign_warp::{Claims, GuardExt, Guarded};
    use warp::{Filter, Rejection, Reply};

    #[rustfmt::skip]
    pub(super) fn app(guard: Guard) -> Result<impl Filter<Extract = impl Reply, Error = Rejection> + Clone, ConfigError> {
        let admin = warp::path!("admin").and(warp::delete())
            .guarded(guard.require(role("admin"))?, |route| route.map(|_token| "wiped"));
        let write = warp::path!("posts").and(warp::post())
            .guarded(guard.require(permissions(["posts:read", "posts:write"]))?, |route| route.map(|_token| "written"));
        let me = warp::path!("me").and(warp::get())
            .guarded(guard.protect().claims(), |route| route.map(|Claims(me): Claims<Me>| warp::reply::json(&me)));
        let app = admin.or(write).or(me);
        Ok(app)
    }
}

#[rustfmt::skip]
fn shared_secret(secret: &[u8]) -> Result<(JwtVerifier, String), Box<dyn Error>> {
    let key      = VerifyingKey::from_secret(Algorithm::HS256, secret)?;
    let verifier = JwtVerifier::builder(key)
        .algorithms([Algorithm::HS256])
        .issuer("my-service").audience("my-api")
        .build()?;
    let claims = Me { sub: "7".into() };
    let token = JwtSigner::new(SigningKey::from_secret(Algorithm::HS256, secret)?).sign(&claims)?;
    Ok((verifier, token))
}

#[rustfmt::skip]
fn observed(issuer: &str, verifier: JwtVerifier) -> Result<(JwksProvider, Guard), Box<dyn Error>> {
    use countersign::observe::{MetricsObserver, TracingObserver};

    MetricsObserver::describe();
    let keys  = JwksProvider::discover(issuer).observer((TracingObserver, MetricsObserver)).build()?;
    let guard = Guard::builder(verifier).observer((TracingObserver, MetricsObserver)).build()?;
    Ok((keys, guard))
}

/// How many lines of Rust a page has. Each stands in this file too.
fn compiled_lines(page: &str) -> usize {
    let compiled: Vec<_> = include_str!("readme.rs").lines().map(str::trim).collect();
    let mut blocks = page.split("```");
    let mut lines = 0;
    while let (Some(_), Some(block)) = (blocks.next(), blocks.next()) {
        let Some(code) = block.strip_prefix("rust\n") else { continue };
        for line in code.lines().map(str::trim).filter(|line| !line.is_empty()) {
            assert!(compiled.contains(&line), "not compiled anywhere: {line}");
            lines += 1;
        }
    }
    lines
}

#[test]
fn every_line_of_code_in_readme_and_observability_compiles() {
    assert_eq!(compiled_lines(include_str!("../../README.md")), 30);
    assert_eq!(compiled_lines(include_str!("../../docs/OBSERVABILITY.md")), 4);
    let (verifier, _) = shared_secret(&[7; 32]).expect("a verifier");
    let rbac = RbacAuthorizer::builder().role("admin", ["posts:read", "posts:write"]).build().expect("roles");
    let guard =
        Guard::builder(shared_secret(&[7; 32]).expect("a verifier").0).authorizer(rbac).build().expect("a guard");
    actix::app(guard.clone()).expect("an app");
    drop(warp_app::app(guard).expect("routes"));
    // A machine without certificate authorities has no client for the public; any other failure is the page's.
    let built = [axum_app().map(drop), observed("https://tenant.auth0.com/", verifier).map(drop)];
    for error in built.into_iter().filter_map(Result::err) {
        assert!(error.to_string().contains("TLS"), "{error}");
    }
}

/// What `cargo tree` lists below a crate, each once.
fn crates_below(name: &str) -> usize {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--manifest-path", manifest])
        .args(["-p", name, "-e", "normal", "--prefix", "none", "--no-dedupe"])
        .output()
        .expect("cargo");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout).expect("text").lines().collect::<BTreeSet<_>>().len() - 1
}

#[test]
fn the_weights_of_the_crates_are_those_of_cargo_tree() {
    let rows = include_str!("../../README.md").lines().filter(|line| line.starts_with("| [`countersign"));
    let mut weights = 0;
    for row in rows {
        let columns: Vec<_> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let [crates, .., numbers] = &*columns else { panic!("no columns: {row}") };
        let names = crates.split("](crates/").skip(1).map(|link| link.split(')').next().expect("a link"));
        for (name, number) in names.zip(numbers.split(", ")) {
            assert_eq!(number.parse(), Ok(crates_below(name)), "{name}");
            weights += 1;
        }
    }
    assert_eq!(weights, 9);
}

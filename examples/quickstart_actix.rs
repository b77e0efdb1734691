//! Protected routes in actix-web, with an issuer to log in at: `cargo run --example quickstart_actix`.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Json, PayloadConfig, ServiceConfig};
use actix_web::{App, HttpServer, Responder};
use countersign::ConfigError;
use countersign::authorize::{permissions, role};
use countersign_actix::{Claims, GuardExt, RequireLayer};
use countersign_examples::quickstart::{self, AllClaims, Answer, Demo, MAX_LOGIN_BYTES, Message};
use std::process::ExitCode;

#[derive(Clone)]
struct Requirements {
    read: RequireLayer,
    write: RequireLayer,
    admin: RequireLayer,
}

fn requirements(demo: &Demo) -> Result<Requirements, ConfigError> {
    Ok(Requirements {
        read: demo.guard.require(permissions(["posts:read"]))?,
        write: demo.guard.require(permissions(["posts:read", "posts:write"]))?,
        admin: demo.guard.require(role("admin"))?,
    })
}

fn routes(config: &mut ServiceConfig, requirements: Requirements) {
    let Requirements { read, write, admin } = requirements;
    // actix-web answers HEAD only where a route says so.
    config
        .service(web::resource("/public").get(public).route(web::head().to(public)))
        .service(web::resource("/me").get(me).route(web::head().to(me)))
        .service(web::resource("/greeting").get(greeting).route(web::head().to(greeting)))
        .service(
            web::resource("/posts")
                .route(web::get().to(read_posts).wrap(read.clone()))
                .route(web::head().to(read_posts).wrap(read))
                .route(web::post().to(write_post).wrap(write)),
        )
        .service(web::resource("/admin").route(web::delete().to(wipe).wrap(admin)))
        .service(web::resource("/").get(page).route(web::head().to(page)))
        .service(web::resource("/explain").app_data(PayloadConfig::new(MAX_LOGIN_BYTES)).post(explain))
        .service(web::resource("/login").app_data(PayloadConfig::new(MAX_LOGIN_BYTES)).post(login))
        .service(web::resource("/.well-known/jwks.json").get(jwks).route(web::head().to(jwks)))
        .service(web::resource("/.well-known/openid-configuration").get(metadata).route(web::head().to(metadata)));
}

async fn public() -> impl Responder {
    Json(Message::new("Everybody may read this"))
}

async fn me(Claims(me): Claims<AllClaims>) -> impl Responder {
    Json(me)
}

async fn greeting(who: Option<Claims<AllClaims>>) -> impl Responder {
    Json(Message::greeting(who.as_ref().map(|Claims(who)| who)))
}

async fn read_posts() -> impl Responder {
    Json(Message::new("Here are the posts"))
}

async fn write_post() -> impl Responder {
    (Json(Message::new("Written")), StatusCode::CREATED)
}

async fn wipe() -> impl Responder {
    Json(Message::new("Wiped"))
}

async fn page(demo: Data<Demo>) -> Answer {
    demo.page()
}

async fn explain(demo: Data<Demo>, body: Bytes) -> Answer {
    demo.explain(&body).await
}

async fn login(demo: Data<Demo>, body: Bytes) -> Answer {
    demo.issuer.login(&body)
}

async fn jwks(demo: Data<Demo>) -> Answer {
    demo.issuer.jwks()
}

async fn metadata(demo: Data<Demo>) -> Answer {
    demo.issuer.metadata()
}

async fn serve() -> Result<(), String> {
    let Some((listener, demo)) = quickstart::start("actix-web")? else { return Ok(()) };
    let requirements = requirements(&demo).map_err(|error| error.to_string())?;
    let app = move || {
        App::new()
            .app_data(Data::new(demo.clone()))
            .wrap(demo.guard.layer())
            .configure(|config| routes(config, requirements.clone()))
    };
    let server = HttpServer::new(app).workers(2).listen(listener).map_err(|error| error.to_string())?;
    server.run().await.map_err(|error| error.to_string())
}

#[actix_web::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}

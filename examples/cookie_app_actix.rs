//! A page with a login in actix-web, its token in a cookie: `cargo run --example cookie_app_actix`.

use actix_web::web::{self, Bytes, Data, Payload, PayloadConfig, ServiceConfig};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer};
use actix_ws::Message;
use countersign::ConfigError;
use countersign::authorize::permissions;
use countersign_actix::{GuardExt, Headers, RequireLayer, Socket, Tenure, Verified};
use countersign_examples::cookie_app::{self, CookieApp};
use countersign_examples::quickstart::{self, Answer, MAX_LOGIN_BYTES};
use std::process::ExitCode;

#[derive(Clone)]
struct Requirements {
    read: RequireLayer,
    write: RequireLayer,
}

fn requirements(app: &CookieApp) -> Result<Requirements, ConfigError> {
    Ok(Requirements {
        read: app.guard().require(permissions(["notes:read"]))?,
        write: app.guard().require(permissions(["notes:write"]))?,
    })
}

fn routes(config: &mut ServiceConfig, requirements: Requirements) {
    let Requirements { read, write } = requirements;
    config
        .service(web::resource("/").get(page))
        .service(web::resource("/login").post(log_in))
        .service(web::resource("/me").get(me))
        .service(
            web::resource("/notes").route(web::get().to(notes).wrap(read)).route(web::post().to(add_note).wrap(write)),
        )
        .service(web::resource("/logout").post(log_out))
        .service(web::resource("/ws").get(follow));
}

async fn page(app: Data<CookieApp>) -> Answer {
    app.page()
}

async fn log_in(app: Data<CookieApp>, request: HttpRequest, body: Bytes) -> Answer {
    app.log_in(&Headers(request.headers()).view(request.method(), request.uri()), &body)
}

async fn me(app: Data<CookieApp>, Verified(token): Verified, request: HttpRequest) -> Answer {
    app.me(&token, &Headers(request.headers()).view(request.method(), request.uri()))
}

async fn notes(app: Data<CookieApp>) -> Answer {
    app.notes()
}

async fn add_note(app: Data<CookieApp>, Verified(token): Verified, body: Bytes) -> Answer {
    app.add_note(&token, &body)
}

async fn log_out(app: Data<CookieApp>, Verified(token): Verified) -> Answer {
    app.log_out(&token)
}

/// Nothing is said: it is closed when the session ends.
async fn follow(tenure: Tenure, request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let opened = actix_ws::handle(&request, body)?;
    Ok(tenure.on_upgrade(opened, async |mut socket: Socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let is_over = match message {
                Message::Ping(payload) => socket.send(Message::Pong(payload)).await.is_err(),
                Message::Close(_) => true,
                _ => false,
            };
            if is_over {
                break;
            }
        }
    }))
}

async fn serve() -> Result<(), String> {
    let Some((listener, app)) = cookie_app::start("actix-web")? else { return Ok(()) };
    let requirements = requirements(&app).map_err(|error| error.to_string())?;
    let app = Data::from(app);
    let app = move || {
        App::new()
            .app_data(app.clone())
            .app_data(PayloadConfig::new(MAX_LOGIN_BYTES))
            .wrap(app.guard().layer())
            .configure(|config| routes(config, requirements.clone()))
    };
    let server = HttpServer::new(app).workers(2).listen(listener).map_err(|error| error.to_string())?;
    server.run().await.map_err(|error| error.to_string())
}

#[actix_web::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}

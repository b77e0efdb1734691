//! Connections that end with their token, in actix-web: `cargo run --example websocket_actix`.

use actix_web::web::{self, Bytes, Data, Payload, PayloadConfig, ServiceConfig};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer};
use actix_ws::Message;
use countersign::authorize::permissions;
use countersign_actix::{GuardExt, RequireLayer, Socket, Tenure, Verified};
use countersign_examples::quickstart::{self, Answer, MAX_LOGIN_BYTES};
use countersign_examples::websocket::{self, Demo};
use std::process::ExitCode;

fn routes(config: &mut ServiceConfig, read: RequireLayer) {
    config
        .service(web::resource("/echo").route(web::get().to(echo).wrap(read.clone())))
        .service(web::resource("/seconds").route(web::get().to(seconds).wrap(read)))
        .service(web::resource("/logout").post(log_out))
        .service(web::resource("/login").app_data(PayloadConfig::new(MAX_LOGIN_BYTES)).post(log_in))
        .service(web::resource("/.well-known/jwks.json").get(jwks))
        .service(web::resource("/.well-known/openid-configuration").get(metadata));
}

async fn echo(tenure: Tenure, request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let opened = actix_ws::handle(&request, body)?;
    Ok(tenure.on_upgrade(opened, async |mut socket: Socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let answer = match message {
                Message::Text(text) => Message::Text(websocket::answer(socket.tenure(), &text).await.into()),
                Message::Ping(payload) => Message::Pong(payload),
                Message::Close(_) => break,
                _ => continue,
            };
            if socket.send(answer).await.is_err() {
                break;
            }
        }
    }))
}

async fn seconds(tenure: Tenure) -> HttpResponse {
    HttpResponse::Ok().content_type("text/event-stream").streaming(tenure.limit(websocket::seconds()))
}

async fn log_out(demo: Data<Demo>, Verified(token): Verified) -> HttpResponse {
    demo.log_out(&token);
    HttpResponse::NoContent().finish()
}

async fn log_in(demo: Data<Demo>, body: Bytes) -> Answer {
    demo.issuer.login(&body)
}

async fn jwks(demo: Data<Demo>) -> Answer {
    demo.issuer.jwks()
}

async fn metadata(demo: Data<Demo>) -> Answer {
    demo.issuer.metadata()
}

async fn serve() -> Result<(), String> {
    let Some((listener, demo)) = websocket::start("actix-web")? else { return Ok(()) };
    let read = demo.guard.require(permissions(["posts:read"])).map_err(|error| error.to_string())?;
    let app = move || {
        App::new()
            .app_data(Data::new(demo.clone()))
            .wrap(demo.guard.layer())
            .configure(|config| routes(config, read.clone()))
    };
    let server = HttpServer::new(app).workers(2).listen(listener).map_err(|error| error.to_string())?;
    server.run().await.map_err(|error| error.to_string())
}

#[actix_web::main]
async fn main() -> ExitCode {
    quickstart::exit_code(serve().await)
}

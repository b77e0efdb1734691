//! A service of actix-web.

use super::{BARE, CACHED, EACH, FIELD, GUARDED, OPEN, User, call, guard, runtime};
use crate::Case;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error, HttpServer, web};
use countersign_actix::{Claims, GuardExt};
use std::net::TcpListener;

pub(super) const NAME: &str = "a request to actix-web";

fn calling<S, B>(service: S) -> impl FnMut() -> u16
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
{
    let runtime = runtime();
    move || {
        let request = TestRequest::get().uri(GUARDED).insert_header(("authorization", FIELD.as_str()));
        let request = request.insert_header(("accept", "*/*")).insert_header(("user-agent", "bench")).to_request();
        call(&runtime, async { service.call(request).await.expect("an answer").status().as_u16() })
    }
}

pub(super) fn case() -> Case {
    let guarded = |is_cached: bool| {
        let app = App::new()
            .wrap(guard(is_cached).layer())
            .route(GUARDED, web::get().to(async |Claims(me): Claims<User>| me.sub));
        calling(runtime().block_on(init_service(app)))
    };
    let bare = App::new().route(GUARDED, web::get().to(async || "7"));
    Case::new(NAME)
        .with(CACHED, guarded(true))
        .with(EACH, guarded(false))
        .with(BARE, calling(runtime().block_on(init_service(bare))))
}

pub(super) fn serve(listener: TcpListener) {
    let guard = guard(true);
    let app = move || {
        let me = web::resource(GUARDED).wrap(guard.layer()).get(async |Claims(me): Claims<User>| me.sub);
        App::new().service(me).route(OPEN, web::get().to(async || "7"))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a listener");
    runtime().block_on(server.run()).expect("a server");
}

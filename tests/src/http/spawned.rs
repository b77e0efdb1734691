//! Extractors that handlers of actix-web ask in tasks of their own.

use super::client::{Answer, send};
use super::servers::listener;
use super::typed::Post;
use super::world::Tokens;
use actix_web::{App, FromRequest, HttpRequest, HttpServer, rt, web};
use countersign::Guard;
use countersign::authorize::{Requirement, Requires, scopes};
use countersign_actix::{GuardExt, RequireOn, Verified};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Scoped;
impl Requires for Scoped {
    fn requirement() -> Requirement {
        scopes(["a", "c"])
    }
}

#[derive(Clone, Debug, Default)]
struct Counts {
    /// How many posts have been loaded.
    loads: Arc<AtomicUsize>,
    /// How many tasks have asked an extractor, and have gone on.
    ended: Arc<AtomicUsize>,
    /// How many handlers have gone on.
    handled: Arc<AtomicUsize>,
}

async fn ask<T: FromRequest + 'static>(request: HttpRequest, counts: web::Data<Counts>) -> String {
    let ended = counts.ended.clone();
    let task = rt::spawn(async move {
        let asked = T::extract(&request).await;
        ended.fetch_add(1, Ordering::SeqCst);
        asked.is_ok()
    });
    let is_let_in = task.await.expect("a task");
    counts.handled.fetch_add(1, Ordering::SeqCst);
    is_let_in.to_string()
}

fn server(guard: &Guard, counts: &Counts) -> SocketAddr {
    let (guard, counts) = (guard.clone(), counts.clone());
    let app = move || {
        App::new()
            .app_data(counts.loads.clone())
            .app_data(web::Data::new(counts.clone()))
            .wrap(guard.layer())
            .route("/verified", web::get().to(ask::<Verified>))
            .route("/optional", web::get().to(ask::<Option<Verified>>))
            .route("/post", web::get().to(ask::<RequireOn<Post, Scoped>>))
    };
    let (listener, address) = listener();
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).expect("a server").run();
    tokio::spawn(server);
    address
}

async fn get(server: SocketAddr, path: &str, token: &str) -> Answer {
    let headers = [("Authorization".to_owned(), format!("Bearer {token}").into_bytes())];
    let answer = send(server, "GET", path, &headers, b"");
    // It must come: the minute is for a test that fails.
    tokio::time::timeout(Duration::from_secs(60), answer).await.unwrap_or_else(|_| panic!("{path}: no answer"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_asks_who_it_is_neither_holds_up_the_refusal_nor_outlives_it_for_good() {
    let tokens = Tokens::new();
    // Where keys cannot be fetched the verdict is waited for.
    let cases: [(&str, &[(&str, &str, u16)]); 2] = [
        (
            "default",
            &[
                ("/verified", "T", 200),
                ("/verified", "B", 401),
                ("/optional", "T", 200),
                ("/optional", "B", 401),
                ("/post", "B", 401),
                ("/post", "T", 403),
                ("/verified", "T", 200),
            ],
        ),
        ("down", &[("/verified", "T", 503), ("/optional", "T", 503), ("/post", "T", 503)]),
    ];
    for (world, cases) in cases {
        let counts = Counts::default();
        let server = server(&tokens.guard(world), &counts);
        for (path, token, status) in cases {
            assert_eq!(get(server, path, &tokens.named(token)).await.status, *status, "{world}: {path} with {token}");
        }
        let let_in = cases.iter().filter(|(.., status)| *status == 200).count();
        assert_eq!(counts.handled.load(Ordering::SeqCst), let_in, "{world}: handlers that went on");
        let ended = async {
            while counts.ended.load(Ordering::SeqCst) < cases.len() {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), ended).await;
        assert!(waited.is_ok(), "{world}: {} of {} tasks ended", counts.ended.load(Ordering::SeqCst), cases.len());
    }
}

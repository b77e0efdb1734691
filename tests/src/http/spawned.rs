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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Scoped;
impl Requires for Scoped {
    fn requirement() -> Requirement {
        scopes(["a", "c"])
    }
}

/// What an extractor tells the task that asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Somebody,
    Nobody,
    Refused,
}

trait Tells: FromRequest + 'static {
    fn tells(&self) -> Heard {
        Heard::Somebody
    }
}

impl Tells for Verified {}
impl Tells for RequireOn<Post, Scoped> {}
impl Tells for Option<Verified> {
    fn tells(&self) -> Heard {
        self.as_ref().map_or(Heard::Nobody, Tells::tells)
    }
}

#[derive(Clone, Debug, Default)]
struct Counts {
    /// How many posts have been loaded.
    loads: Arc<AtomicUsize>,
    /// What the tasks that asked an extractor, and have gone on, have heard.
    heard: Arc<Mutex<Vec<Heard>>>,
    /// How many handlers have gone on.
    handled: Arc<AtomicUsize>,
}

async fn ask<T: Tells>(request: HttpRequest, counts: web::Data<Counts>) -> String {
    let heard = counts.heard.clone();
    let task = rt::spawn(async move {
        let asked = T::extract(&request).await;
        heard.lock().expect("a lock").push(asked.as_ref().map_or(Heard::Refused, Tells::tells));
    });
    task.await.expect("a task");
    counts.handled.fetch_add(1, Ordering::SeqCst);
    String::new()
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
    use Heard::{Nobody, Refused, Somebody};
    // Where keys cannot be fetched the verdict is waited for. In a task, `Option` makes a stranger of whoever is refused, once the
    // refusal has been sent: see `Claims`.
    let cases: [(&str, &[(&str, &str, u16, Heard)]); 2] = [
        (
            "default",
            &[
                ("/verified", "T", 200, Somebody),
                ("/verified", "B", 401, Refused),
                ("/optional", "T", 200, Somebody),
                ("/optional", "B", 401, Nobody),
                ("/post", "B", 401, Refused),
                ("/post", "T", 403, Refused),
                ("/verified", "T", 200, Somebody),
            ],
        ),
        ("down", &[("/verified", "T", 503, Refused), ("/optional", "T", 503, Nobody), ("/post", "T", 503, Refused)]),
    ];
    for (world, cases) in cases {
        let counts = Counts::default();
        let server = server(&tokens.guard(world), &counts);
        for (nth, (path, token, status, heard)) in cases.iter().enumerate() {
            assert_eq!(get(server, path, &tokens.named(token)).await.status, *status, "{world}: {path} with {token}");
            let told = async {
                loop {
                    if let Some(told) = counts.heard.lock().expect("a lock").get(nth) {
                        return *told;
                    }
                    tokio::task::yield_now().await;
                }
            };
            let told = tokio::time::timeout(Duration::from_secs(60), told).await;
            let told = told.unwrap_or_else(|_| panic!("{world}: {path} with {token}: the task has not ended"));
            assert_eq!(told, *heard, "{world}: {path} with {token}");
        }
        let let_in = cases.iter().filter(|(_, _, status, _)| *status == 200).count();
        assert_eq!(counts.handled.load(Ordering::SeqCst), let_in, "{world}: handlers that went on");
    }
}

//! The rules of `JwksFetch`.

use super::{CALLERS, PATIENCE};
use crate::jwks_server::{Answer, JwksServer, Request};
use std::error::Error;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// A document that a [suite](jwks_fetch) asks for: what a `FetchRequest` of `countersign-keys` holds.
///
/// ```
/// use countersign_testkit::conformance::FetchAsked;
///
/// /// The conditional fields of the request to be sent (RFC 9110 §13.1).
/// fn conditions(asked: &FetchAsked) -> Vec<(&str, &str)> {
///     let fields = [("if-none-match", &asked.etag), ("if-modified-since", &asked.last_modified)];
///     fields.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchAsked {
    /// Where it is: `http`, on this machine.
    pub url: String,
    /// The largest body that is read, in bytes.
    pub max_bytes: usize,
    /// The `ETag` of the document at hand.
    pub etag: Option<String>,
    /// The `Last-Modified` of the document at hand. Where neither is known, the request has no validators.
    pub last_modified: Option<String>,
}

/// What a client says to a [suite](jwks_fetch): what `Fetched` and `FetchError` of `countersign-keys` hold. Exhaustive on purpose,
/// because tests make it.
///
/// ```
/// use countersign_testkit::conformance::FetchAnswered;
/// use std::time::Duration;
///
/// /// Of what the status and `Retry-After` say.
/// fn refused(status: u16, retry_after: Option<u64>) -> FetchAnswered {
///     FetchAnswered::Status { status, retry_after: retry_after.map(Duration::from_secs) }
/// }
/// assert!(matches!(refused(503, None), FetchAnswered::Status { status: 503, retry_after: None }));
/// ```
#[derive(Debug)]
pub enum FetchAnswered {
    /// A document.
    Document {
        /// Its octets.
        body: Vec<u8>,
        /// Its `ETag`.
        etag: Option<String>,
        /// Its `Last-Modified`.
        last_modified: Option<String>,
        /// How long it is fresh.
        max_age: Option<Duration>,
    },
    /// The document at hand has not changed.
    NotModified,
    /// `FetchError::Status`.
    Status {
        /// The status code.
        status: u16,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Any other error.
    Failed(Box<dyn Error + Send + Sync>),
}

use FetchAnswered::{Document, Failed, NotModified, Status};

/// Runs the rules of `JwksFetch` of `countersign-keys` against one that may ask `http` on this machine. `fetch` translates: this
/// crate does not depend on that one.
///
/// - What is asked for is asked for, with GET, and comes back as it is, with the validators and the age that the server says.
/// - What is larger than `max_bytes` is no document, whatever is said of its length, and is not read to its end.
/// - What is not called JSON is none either, and what comes encoded is decoded within that bound or refused.
/// - No redirect is followed. A status other than 200 is told, with `Retry-After`. So is 304, unless validators were sent;
///   they are sent as they came, and where there are none the request has no conditions.
/// - What is cut off, delayed for ever or no HTTP is an error, in time, that holds nothing of the URL's query: keys of an API
///   stand there, and errors go into logs.
/// - Many may ask at once, and what failed before harms nobody.
///
/// Which addresses may be asked, and whom TLS trusts, is the application's to decide and to test.
///
/// ```no_run
/// use countersign_testkit::conformance::{self, FetchAnswered, FetchAsked};
///
/// # type Error = Box<dyn std::error::Error + Send + Sync>;
/// # struct Reply { status: u16, body: Vec<u8> }
/// /// Your client, as its `JwksFetch` asks it.
/// async fn get(asked: &FetchAsked) -> Result<Reply, Error> {
/// #   Err(format!("nobody listens: {asked:?}").into())
/// }
///
/// # async fn example() {
/// // A client that forgets `Retry-After`, and is told so: "a status is told with the time that the server asks for".
/// conformance::jwks_fetch(async |asked| match get(&asked).await {
///     Ok(reply) if reply.status == 200 => {
///         FetchAnswered::Document { body: reply.body, etag: None, last_modified: None, max_age: None }
///     }
///     Ok(reply) => FetchAnswered::Status { status: reply.status, retry_after: None },
///     Err(error) => FetchAnswered::Failed(error),
/// })
/// .await;
/// # }
/// ```
///
/// # Panics
/// Where a rule does not hold.
pub async fn jwks_fetch(fetch: impl AsyncFn(FetchAsked) -> FetchAnswered) {
    let server = JwksServer::start(Answer::json(DOCUMENT)).await;
    let mut suite = Suite { fetch, server };
    suite.documents().await;
    suite.sizes().await;
    suite.types_and_encodings().await;
    suite.statuses().await;
    suite.redirects().await;
    suite.validators().await;
    suite.age().await;
    suite.faults().await;
    suite.serves_many().await;
}

const DOCUMENT: &str = r#"{"keys":[]}"#;
const PATH: &str = "/jwks";
const SECRET: &str = "a-key-of-the-tenant";
/// Enough for every document that is to be taken.
const ROOM: usize = 64 * 1024;
/// More than anybody reads, and made while it is sent.
const ENDLESS: u64 = 1 << 34;

const ETAG: &str = r#"W/"v7 of \two""#;
const LAST_MODIFIED: &str = "Sun, 22 Nov 2026 12:00:00 GMT";

struct Suite<F> {
    fetch: F,
    server: JwksServer,
}

impl<F: AsyncFn(FetchAsked) -> FetchAnswered> Suite<F> {
    async fn ask_for(&self, asked: FetchAsked) -> FetchAnswered {
        let answered = timeout(PATIENCE, (self.fetch)(asked)).await.expect("a client gives up in time");
        if let Failed(error) = &answered {
            let error: &(dyn Error + 'static) = &**error;
            let mut shown = format!("{error:?}");
            let mut cause = Some(error);
            while let Some(error) = cause {
                shown += &error.to_string();
                cause = error.source();
            }
            assert!(!shown.contains(SECRET), "an error holds nothing of the URL's query");
        }
        answered
    }

    fn asked(&self, max_bytes: usize) -> FetchAsked {
        let url = self.server.url(&format!("{PATH}?key={SECRET}"));
        FetchAsked { url, max_bytes, etag: None, last_modified: None }
    }

    /// What the client makes of this answer.
    async fn ask(&self, answer: Answer, max_bytes: usize) -> FetchAnswered {
        self.server.say(answer);
        self.ask_for(self.asked(max_bytes)).await
    }

    async fn refuses(&self, answer: Answer, max_bytes: usize, rule: &str) {
        let answered = self.ask(answer, max_bytes).await;
        assert!(matches!(answered, Failed(_)), "{rule}: {answered:?}");
    }

    fn last_request(&self) -> Request {
        self.server.log().pop().expect("the server is asked")
    }

    async fn documents(&self) {
        let answered = self.ask(Answer::json(DOCUMENT), ROOM).await;
        is_document(&answered, "a document comes back as it is");
        let request = self.last_request();
        assert_eq!(request.method(), "GET", "a document is asked for with GET");
        assert_eq!(request.target(), format!("{PATH}?key={SECRET}"), "what is asked for is asked for, query included");
        for name in ["if-none-match", "if-modified-since"] {
            assert_eq!(request.header(name), None, "without validators a request has no conditions");
        }
    }

    async fn sizes(&self) {
        let framings: [fn(Answer) -> Answer; 3] = [|answer| answer, Answer::chunked, Answer::until_closed];
        for framed in framings {
            let answered = self.ask(framed(Answer::json(DOCUMENT)), DOCUMENT.len()).await;
            is_document(&answered, "a document of `max_bytes` is taken, whatever is said of its length");
            let answer = framed(Answer::json(DOCUMENT));
            self.refuses(answer, DOCUMENT.len() - 1, "what is larger than `max_bytes` is no document").await;
            let answer = framed(Answer::json(DOCUMENT).padded(ENDLESS));
            self.refuses(answer, ROOM, "what does not end is no document").await;
        }
    }

    async fn types_and_encodings(&self) {
        for name in ["application/json", "application/json; charset=utf-8", "application/jwk-set+json"] {
            let answered = self.ask(Answer::json(DOCUMENT).header("content-type", name), ROOM).await;
            is_document(&answered, "what is called JSON is taken");
        }
        for name in ["text/html", "text/plain", "application/octet-stream", "image/svg+xml"] {
            let answer = Answer::json(DOCUMENT).header("content-type", name);
            self.refuses(answer, ROOM, "what is not called JSON is no document").await;
        }
        match self.ask(Answer::json(DOCUMENT).gzip(), ROOM).await {
            Failed(_) => {}
            answered => is_document(&answered, "what comes encoded is decoded or refused"),
        }
        let bomb = Answer::json(DOCUMENT).padded(4 << 20).gzip();
        self.refuses(bomb, ROOM, "what is decoded has no more than `max_bytes`").await;
    }

    async fn statuses(&self) {
        for expected in [201, 203, 206, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504] {
            for seconds in [None, Some(7)] {
                let answer = Answer::json(DOCUMENT).status(expected);
                let answer = match seconds {
                    Some(seconds) => answer.header("retry-after", format!("{seconds}")),
                    None => answer,
                };
                let Status { status, retry_after } = self.ask(answer, ROOM).await else {
                    panic!("a status other than 200 is told, and is no document: {expected}");
                };
                assert_eq!(status, expected, "a status is told as it is");
                let rule = "a status is told with the time that the server asks for";
                assert_eq!(retry_after, seconds.map(Duration::from_secs), "{rule}: {expected}");
            }
        }
        for bodiless in [204, 304] {
            let answered = self.ask(Answer::new(bodiless), ROOM).await;
            let is_told = matches!(answered, Status { status, .. } if status == bodiless);
            assert!(is_told, "304 is no answer to a request without validators, nor 204 to any: {answered:?}");
        }
    }

    async fn redirects(&self) {
        self.server.say_at("/elsewhere", Answer::json(DOCUMENT));
        let other = JwksServer::start(Answer::json(DOCUMENT)).await;
        for expected in [301, 302, 303, 307, 308] {
            for location in ["/elsewhere".to_owned(), self.server.url("/elsewhere"), other.url(PATH)] {
                let answered = self.ask(Answer::redirect(&location).status(expected), ROOM).await;
                let is_told = matches!(answered, Status { status, .. } if status == expected);
                assert!(is_told, "a redirect is told and not followed: {answered:?}");
            }
        }
        let before = self.server.requests();
        let answered = self.ask(Answer::redirect_loop(), ROOM).await;
        assert!(matches!(answered, Status { status: 302, .. }), "a redirect is told and not followed: {answered:?}");
        assert_eq!(self.server.requests() - before, 1, "who is redirected does not ask again");
        let strayed = self.server.requests_at("/elsewhere") + other.connections();
        assert_eq!(strayed, 0, "where a redirect points nobody is asked");
    }

    async fn validators(&self) {
        for (etag, last_modified) in
            [(Some(ETAG), None), (None, Some(LAST_MODIFIED)), (Some(ETAG), Some(LAST_MODIFIED))]
        {
            let with = |answer: Answer| {
                let answer = etag.iter().fold(answer, |answer, etag| answer.etag(*etag));
                last_modified.iter().fold(answer, |answer, date| answer.last_modified(*date))
            };
            let answered = self.ask(with(Answer::json(DOCUMENT)), ROOM).await;
            is_document(&answered, "a document with validators is taken");
            if let Document { etag: found, last_modified: date, .. } = &answered {
                let found = (found.as_deref(), date.as_deref());
                assert_eq!(
                    found,
                    (etag, last_modified),
                    "the validators of a document come back with it, as they came"
                );
            }
            let owned = |value: Option<&str>| value.map(str::to_owned);
            let asked = FetchAsked { etag: owned(etag), last_modified: owned(last_modified), ..self.asked(ROOM) };
            let answered = self.ask_for(asked.clone()).await;
            let request = self.last_request();
            let sent = (request.header("if-none-match"), request.header("if-modified-since"));
            assert_eq!(sent, (etag, last_modified), "validators are sent as they came");
            assert!(matches!(answered, NotModified), "304 says that the document has not changed: {answered:?}");

            self.server.say(Answer::json(DOCUMENT).etag(r#""v8""#));
            let answered = self.ask_for(asked).await;
            is_document(&answered, "a document that has changed comes back");
        }
    }

    async fn age(&self) {
        for (said, seconds) in [(Some("max-age=300"), Some(300)), (Some("public, max-age=0"), Some(0)), (None, None)] {
            let answer = Answer::json(DOCUMENT);
            let answer = said.iter().fold(answer, |answer, said| answer.header("cache-control", *said));
            let answered = self.ask(answer, ROOM).await;
            is_document(&answered, "a document with an age is taken");
            let Document { max_age, .. } = answered else { continue };
            let is_said = max_age.is_none() || max_age == seconds.map(Duration::from_secs);
            assert!(is_said, "a document is as fresh as the server says, or nothing is known of it: {max_age:?}");
        }
    }

    async fn faults(&mut self) {
        let document = || Answer::json(DOCUMENT);
        let faults = [
            Answer::reset(),
            document().resets_after(4),
            document().truncated(4),
            document().chunked().truncated(4),
            Answer::raw("this is no HTTP\r\n\r\n"),
            Answer::silence(),
            document().hangs_after(4),
            document().padded(10_000).dripping(Duration::from_millis(100)),
        ];
        for fault in faults {
            self.refuses(fault, ROOM, "what is cut off, late for ever or no HTTP is an error").await;
        }
        self.server.refuse().await;
        self.refuses(document(), ROOM, "where nobody listens is no document").await;
        self.server.listen().await;
        let answered = self.ask(document(), ROOM).await;
        is_document(&answered, "what failed before harms nobody");
    }

    async fn serves_many(&self) {
        self.server.say(Answer::json(DOCUMENT));
        let mut waiting: Vec<_> = (0..CALLERS).map(|_| Some(Box::pin(self.ask_for(self.asked(ROOM))))).collect();
        poll_fn(|context| {
            for caller in &mut waiting {
                let Some(Poll::Ready(answered)) = caller.as_mut().map(|caller| caller.as_mut().poll(context)) else {
                    continue;
                };
                is_document(&answered, "many may ask at once");
                *caller = None;
            }
            if waiting.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

fn is_document(answered: &FetchAnswered, rule: &str) {
    let is_it = matches!(answered, Document { body, .. } if body == DOCUMENT.as_bytes());
    assert!(is_it, "{rule}: {answered:?}");
}

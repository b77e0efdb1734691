use super::body::Body;
use super::connection::Connection;
use super::request::Request;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::sleep;

/// The largest piece of a body that is written at once.
const PIECE: usize = 64 << 10;

/// One answer of a [`JwksServer`](super::JwksServer): a status, header fields and a body, and whatever is to go wrong
/// with them.
///
/// The length of the body is said in `content-length`, unless told otherwise, and every connection is closed after its
/// answer.
///
/// ```
/// use countersign_testkit::jwks_server::Answer;
/// use std::time::Duration;
///
/// let document = r#"{"keys":[]}"#;
/// let answers = [
///     Answer::json(document).header("cache-control", "max-age=60").etag("\"1\""),
///     Answer::json(document).status(503).header("retry-after", "7").delayed(Duration::from_millis(20)),
///     Answer::json(document).chunked().hangs_after(5),
///     Answer::json(document).padded(10 << 30).gzip(),
///     Answer::redirect("file:///etc/passwd"),
///     Answer::reset(),
/// ];
/// # let _ = answers;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Answer {
    /// `None` where the body is all that is sent.
    status_line: Option<String>,
    fields: Vec<(String, String)>,
    etag: Option<String>,
    last_modified: Option<String>,
    redirects_to_itself: bool,
    body: Body,
    length: Length,
    hold: Option<Hold>,
    delay: Duration,
    drip: Option<Duration>,
    stop: Stop,
    end: End,
}

/// What is said of the body's length.
#[derive(Clone, Copy, Debug)]
enum Length {
    True,
    Said(u64),
    Unsaid,
    Chunked,
}

#[derive(Clone, Copy, Debug)]
enum Stop {
    BeforeTheHead,
    /// This many octets of the body.
    After(u64),
    AtTheEnd,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Hang,
    Reset,
}

impl Answer {
    /// This status, and no body.
    pub fn new(status: u16) -> Self {
        Self {
            status_line: Some(status_line(status)),
            fields: Vec::new(),
            etag: None,
            last_modified: None,
            redirects_to_itself: false,
            body: Body::default(),
            length: Length::True,
            hold: None,
            delay: Duration::ZERO,
            drip: None,
            stop: Stop::AtTheEnd,
            end: End::Close,
        }
    }

    /// Status 200 with a JSON body, which need be none.
    pub fn json(body: impl AsRef<[u8]>) -> Self {
        Self::new(200).header("content-type", "application/json").body(body)
    }

    /// Status 302 to any location, relative ones included.
    pub fn redirect(location: &str) -> Self {
        Self::new(302).header("location", location)
    }

    /// Status 302 to the very URL that was asked.
    pub fn redirect_loop() -> Self {
        Self { redirects_to_itself: true, ..Self::new(302) }
    }

    /// These octets in place of a status line, header fields and body.
    pub fn raw(octets: impl AsRef<[u8]>) -> Self {
        Self { status_line: None, ..Self::new(200) }.body(octets)
    }

    /// Nothing, for as long as the client waits.
    pub fn silence() -> Self {
        Self { stop: Stop::BeforeTheHead, end: End::Hang, ..Self::new(200) }
    }

    /// The request is read, and the connection reset.
    pub fn reset() -> Self {
        Self { stop: Stop::BeforeTheHead, end: End::Reset, ..Self::new(200) }
    }

    /// With another status. There is no reason phrase.
    pub fn status(self, status: u16) -> Self {
        self.status_line(status_line(status))
    }

    /// With this as the first line, `HTTP/1.1` and all.
    pub fn status_line(mut self, line: impl Into<String>) -> Self {
        self.status_line = Some(line.into());
        self
    }

    /// With a header field, in place of any that has this name.
    pub fn header(self, name: &str, value: impl Into<String>) -> Self {
        let mut answer = self.without_header(name);
        answer.fields.push((name.to_owned(), value.into()));
        answer
    }

    /// Without a header field that was set before.
    pub fn without_header(mut self, name: &str) -> Self {
        self.fields.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self
    }

    /// With this many octets of header fields, or a few more.
    pub fn header_bomb(mut self, octets: usize) -> Self {
        let value = "a".repeat(1_000);
        let field = "x-00000000: ".len() + value.len() + "\r\n".len();
        self.fields.extend((0..octets.div_ceil(field)).map(|n| (format!("x-{n:08}"), value.clone())));
        self
    }

    /// With an `etag`. A request whose `if-none-match` has it is answered with 304. To have the field and no such
    /// answers, use [`header`](Self::header).
    pub fn etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into());
        self
    }

    /// With a `last-modified`. A request whose `if-modified-since` says the same is answered with 304, unless it has an
    /// `if-none-match`.
    pub fn last_modified(mut self, date: impl Into<String>) -> Self {
        self.last_modified = Some(date.into());
        self
    }

    /// With another body. What [`padded`](Self::padded) and [`gzip`](Self::gzip) did is undone.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Body::new(body.as_ref());
        self
    }

    /// With this many spaces after the body, which JSON allows. They are made while they are sent.
    pub fn padded(mut self, spaces: u64) -> Self {
        self.body = self.body.padded(spaces);
        self
    }

    /// Compressed, with `content-encoding: gzip`. Spaces that were [`padded`](Self::padded) before shrink to a
    /// thousandth: a bomb.
    pub fn gzip(mut self) -> Self {
        self.body = self.body.gzip();
        self.header("content-encoding", "gzip")
    }

    /// Saying that the body has this many octets, whatever it has.
    pub fn content_length(mut self, octets: u64) -> Self {
        self.length = Length::Said(octets);
        self
    }

    /// With the body in chunks, and its length unsaid.
    pub fn chunked(mut self) -> Self {
        self.length = Length::Chunked;
        self
    }

    /// With the length unsaid: the body ends where the connection does.
    pub fn until_closed(mut self) -> Self {
        self.length = Length::Unsaid;
        self
    }

    /// Not before `delay` has passed.
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Not before `hold` is released.
    pub fn held(mut self, hold: &Hold) -> Self {
        self.hold = Some(hold.clone());
        self
    }

    /// With a pause after every octet of the body.
    pub fn dripping(mut self, pause: Duration) -> Self {
        self.drip = Some(pause);
        self
    }

    /// Closing the connection after this many octets of the body, while `content-length` speaks of all.
    pub fn truncated(self, octets: u64) -> Self {
        self.ends_after(octets, End::Close)
    }

    /// Falling silent after this many octets of the body: 0 is after the header fields.
    pub fn hangs_after(self, octets: u64) -> Self {
        self.ends_after(octets, End::Hang)
    }

    /// Resetting the connection after this many octets of the body.
    pub fn resets_after(self, octets: u64) -> Self {
        self.ends_after(octets, End::Reset)
    }

    fn ends_after(mut self, octets: u64, end: End) -> Self {
        self.stop = Stop::After(octets);
        self.end = end;
        self
    }

    /// Says it to a client.
    pub(super) async fn give(self, request: &Request, stream: &mut impl Connection) -> io::Result<()> {
        if let Some(hold) = &self.hold {
            hold.released().await;
        }
        sleep(self.delay).await;
        let answer = if self.is_not_modified(request) { self.not_modified() } else { self };
        if !matches!(answer.stop, Stop::BeforeTheHead) {
            stream.write_all(answer.head(request).as_bytes()).await?;
            answer.give_body(stream).await?;
        }
        match answer.end {
            // A socket that is closed with octets unread resets the connection, and what was said could be lost.
            End::Close => {
                stream.shutdown().await?;
                until_gone(stream).await
            }
            End::Hang => until_gone(stream).await,
            End::Reset => stream.tcp().set_zero_linger(),
        }
    }

    async fn give_body(&self, stream: &mut impl Connection) -> io::Result<()> {
        let mut left = if let Stop::After(octets) = self.stop { octets } else { u64::MAX };
        for piece in self.body.pieces(if self.drip.is_some() { 1 } else { PIECE }) {
            let piece = usize::try_from(left).ok().and_then(|left| piece.get(..left)).unwrap_or(piece);
            left -= piece.len() as u64;
            if piece.is_empty() {
                break;
            }
            if matches!(self.length, Length::Chunked) {
                let size = format!("{:x}\r\n", piece.len());
                stream.write_all(&[size.as_bytes(), piece, b"\r\n"].concat()).await?;
            } else {
                stream.write_all(piece).await?;
            }
            if let Some(pause) = self.drip {
                stream.flush().await?;
                sleep(pause).await;
            }
        }
        if let (Length::Chunked, Stop::AtTheEnd) = (self.length, self.stop) {
            stream.write_all(b"0\r\n\r\n").await?;
        }
        stream.flush().await
    }

    fn head(&self, request: &Request) -> String {
        let Some(mut head) = self.status_line.clone() else { return String::new() };
        head.push_str("\r\n");
        let mut field = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                head.push_str(part);
            }
        };
        for (name, value) in &self.fields {
            field(name, value);
        }
        let validators = [("etag", &self.etag), ("last-modified", &self.last_modified)];
        for (name, value) in validators.iter().filter_map(|(name, value)| Some((name, value.as_deref()?))) {
            field(name, value);
        }
        if self.redirects_to_itself {
            field("location", request.target());
        }
        match self.length {
            Length::True => field("content-length", &self.body.len().to_string()),
            Length::Said(octets) => field("content-length", &octets.to_string()),
            Length::Unsaid => {}
            Length::Chunked => field("transfer-encoding", "chunked"),
        }
        field("connection", "close");
        head + "\r\n"
    }

    fn is_not_modified(&self, request: &Request) -> bool {
        // RFC 9110, 13.1.3: a recipient must ignore `if-modified-since` where there is an `if-none-match`.
        match request.header("if-none-match") {
            Some(known) => self.etag.as_deref().is_some_and(|own| {
                let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
                known.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(own))
            }),
            None => {
                self.last_modified.is_some() && request.header("if-modified-since") == self.last_modified.as_deref()
            }
        }
    }

    /// The same without what belongs to a body.
    fn not_modified(self) -> Self {
        let mut answer = self.status(304).body("").until_closed();
        answer.fields.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
        answer
    }
}

fn status_line(status: u16) -> String {
    format!("HTTP/1.1 {status} ")
}

/// Waits until the client has closed the connection.
async fn until_gone(stream: &mut impl Connection) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// Keeps answers back until the test has seen what it wanted to see: what a delay cannot do without a guess at how long
/// that takes.
///
/// ```
/// use countersign_testkit::jwks_server::{Answer, Hold, JwksServer};
///
/// # async fn example(ask: impl AsyncFn(String)) {
/// let hold = Hold::new();
/// let server = JwksServer::start(Answer::json(r#"{"keys":[]}"#).held(&hold)).await;
/// let meanwhile = async {
///     server.wait_for_requests(1).await;
///     // The request is there, and its answer is not.
///     hold.release();
/// };
/// tokio::join!(ask(server.url("/jwks")), meanwhile);
/// # }
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(example(async |url| {
/// #     use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// #     let host = url.trim_start_matches("http://").trim_end_matches("/jwks");
/// #     let mut stream = tokio::net::TcpStream::connect(host).await.expect("a connection");
/// #     stream.write_all(b"GET /jwks HTTP/1.1\r\n\r\n").await.expect("a request");
/// #     stream.read_to_end(&mut Vec::new()).await.expect("an answer");
/// # }));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hold(watch::Sender<bool>);

impl Hold {
    /// Holds every answer that is given it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets them go, and those to come.
    pub fn release(&self) {
        self.0.send_replace(true);
    }

    async fn released(&self) {
        let mut released = self.0.subscribe();
        // It cannot fail: the sender is here.
        let _ = released.wait_for(|released| *released).await;
    }
}

//! A gRPC service behind the axum adapter's layer: `cargo run --example tonic_service`.
//!
//! ```console
//! $ cargo run --example tonic_service
//! $ TOKEN=… cargo run --example tonic_service -- --ask http://127.0.0.1:3000    # in another shell
//! ```
//!
//! tonic's services are tower services, so `guard.require(…)` goes around them as around a router, and the service asks the
//! same screening who calls. A client reads the code from the HTTP status: 401 is `Unauthenticated`, 403
//! `PermissionDenied`, 503 `Unavailable`. The issuer's routes are served on the same port.
//!
//! Messages are text here, by a codec of ten lines, so that the example needs no `protoc`. With generated code the layers are
//! the same.

use bytes::{Buf, BufMut};
use countersign::Guard;
use countersign::authorize::permissions;
use countersign::request::RequestView;
use countersign::screening::{BodyStyle, Screening, Verdict};
use countersign_axum::GuardExt;
use countersign_examples::quickstart::{self, Line, issuer_routes, log_ins, roles, verifier};
use lexopt::prelude::*;
use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::http::{Request as HttpRequest, Response as HttpResponse};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};
use tower_service::Service;

/// Messages in UTF-8.
#[derive(Clone, Copy, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, message: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let octets = buffer.copy_to_bytes(buffer.remaining());
        let text = String::from_utf8(octets.into()).map_err(|_| Status::invalid_argument("not UTF-8"))?;
        Ok(Some(text))
    }
}

/// Takes a post, and says who wrote it.
#[derive(Clone)]
struct Posts;

impl NamedService for Posts {
    const NAME: &'static str = "example.Posts";
}

const WRITE: &str = "/example.Posts/Write";

impl UnaryService<String> for Posts {
    type Response = String;
    type Future = Ready<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        ready(author(&request).map(|author| Response::new(format!("{author} wrote: {}", request.get_ref()))))
    }
}

/// Who calls. The layer has put the screening into the request and has reached its verdict, so that nothing of the request is
/// read again.
fn author(request: &Request<String>) -> Result<String, Status> {
    let screening = request.extensions().get::<Screening>().ok_or(Status::internal("there is no guard"))?;
    let no_fields: &[(&str, &str)] = &[];
    match screening.verdict_now(&RequestView::new("POST", WRITE, None, &no_fields)) {
        Some(Verdict::Verified(token)) => Ok(token.subject().unwrap_or_default().to_owned()),
        _ => Err(Status::unauthenticated("nobody")),
    }
}

/// What `tonic-build` generates for a service.
impl Service<HttpRequest<Body>> for Posts {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(Grpc::new(Text).unary(service, request).await) })
    }
}

const LOG_INS: [(&str, &str); 2] = [("WRITER", r#"{"user":"writer"}"#), ("READER", r#"{"user":"reader"}"#)];

async fn serve(listen: SocketAddr) -> Result<(), Box<dyn Error>> {
    let (listener, issuer) = quickstart::open_on(listen)?;
    let url = issuer.url().to_owned();
    // gRPC's answers have no body of HTTP's.
    let guard = Guard::builder(verifier(&url)?).authorizer(roles().build()?).body(BodyStyle::Empty).build()?;
    let write = guard.require(permissions(["posts:write"]))?;
    let grpc = tonic::service::Routes::new(Posts).into_axum_router().layer(write);
    let first = format!(
        "cargo run --example tonic_service -- --ask {url} asks it, with the token in $TOKEN:\n\
         $WRITER may write, $READER gets PermissionDenied, and without a token it is Unauthenticated.\n\n"
    );
    let lines: [Line; 1] = [("", String::new(), "/.well-known/jwks.json", "200: the issuer is here too")];
    quickstart::say("Countersign with tonic", &url, &first, &log_ins(&url, &LOG_INS), &lines);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    let router = grpc.merge(issuer_routes(issuer));
    Ok(axum::serve(listener, router).with_graceful_shutdown(interrupted).await?)
}

/// Writes a post, and says what came of it.
async fn ask(url: String, token: Option<String>) -> Result<(), Box<dyn Error>> {
    let channel = tonic::transport::Endpoint::try_from(url)?.connect().await?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    let mut request = Request::new("hello".to_owned());
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    }
    let said = match client.unary(request, PathAndQuery::from_static(WRITE), Text).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => format!("{:?}: {}", status.code(), meaning(status.code())),
    };
    Ok(writeln!(std::io::stdout(), "{said}")?)
}

fn meaning(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated => "no token, or one that proves nothing",
        Code::PermissionDenied => "a good token, and it does not suffice",
        Code::Unavailable => "it could not be checked; try again",
        _ => "something else went wrong",
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (mut listen, mut server) = (None, None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("port") => listen = Some(quickstart::on_this_machine(arguments.value()?.to_str(), "--port")?),
            Long("ask") => server = Some(arguments.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    match server {
        Some(url) => ask(url, std::env::var("TOKEN").ok()).await,
        None => serve(listen.map_or_else(quickstart::default_address, Ok)?).await,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::exit_code(run().await.map_err(|error| error.to_string()))
}

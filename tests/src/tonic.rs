//! The axum adapter's layers around a gRPC service: what a client of tonic sees.

use crate::http::world::Tokens;
use bytes::{Buf, BufMut, Bytes};
use countersign::Guard;
use countersign::authorize::role;
use countersign::screening::{BodyStyle, Screening};
use countersign_axum::GuardExt;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};
use tower::Service;

/// Messages as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Says who calls.
#[derive(Clone)]
struct WhoAmI;

impl NamedService for WhoAmI {
    const NAME: &'static str = "test.WhoAmI";
}

impl UnaryService<Bytes> for WhoAmI {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let screening = request.extensions().get::<Screening>().expect("a guard is planted");
        let view = countersign::request::RequestView::new("POST", "/", None, &[("accept", "*/*")]);
        let token = screening.require_now(&view).expect("the layer has waited").expect("the layer has let it pass");
        ready(Ok(Response::new(Bytes::from(token.subject().unwrap_or_default().to_owned()))))
    }
}

impl Service<http::Request<Body>> for WhoAmI {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(Grpc::new(Raw).unary(service, request).await) })
    }
}

async fn call(server: &str, token: Option<String>) -> Result<String, Code> {
    let channel = tonic::transport::Endpoint::try_from(server.to_owned()).expect("an address").connect().await;
    let mut client = tonic::client::Grpc::new(channel.expect("the server listens"));
    client.ready().await.expect("a connection");
    let mut request = Request::new(Bytes::from_static(b"who?"));
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("ASCII"));
    }
    let path = http::uri::PathAndQuery::from_static("/test.WhoAmI/Ask");
    match client.unary(request, path, Raw).await {
        Ok(answer) => Ok(String::from_utf8_lossy(&answer.into_inner()).into_owned()),
        Err(status) => Err(status.code()),
    }
}

async fn start(guard: &Guard) -> String {
    let admin = guard.require(role("admin")).expect("a role that is known");
    let routes = tonic::service::Routes::new(WhoAmI).into_axum_router().layer(admin);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_client_is_told_the_code_of_each_refusal() {
    let tokens = Tokens::new();
    let server = start(&tokens.builder("default").body(BodyStyle::Empty).build().expect("a guard")).await;
    let table = [
        (Some("ADMIN"), Ok("reader".to_owned())),
        (None, Err(Code::Unauthenticated)),
        (Some("E"), Err(Code::Unauthenticated)),
        (Some("REVOKED"), Err(Code::Unauthenticated)),
        (Some("T"), Err(Code::PermissionDenied)),
    ];
    for (token, expected) in table {
        assert_eq!(call(&server, token.map(|name| tokens.named(name))).await, expected, "{token:?}");
    }
    let down = start(&tokens.builder("down").body(BodyStyle::Empty).build().expect("a guard")).await;
    assert_eq!(call(&down, Some(tokens.named("ADMIN"))).await, Err(Code::Unavailable));
}

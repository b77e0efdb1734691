use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The end of a request's header fields.
const END: &[u8] = b"\r\n\r\n";

/// A request as it came.
///
/// ```
/// use countersign_testkit::jwks_server::JwksServer;
///
/// /// What a client of `/jwks` owes its server.
/// fn assert_asked_well(server: &JwksServer) {
///     for request in server.log() {
///         assert_eq!((request.method(), request.path()), ("GET", "/jwks"));
///         assert!(request.header("accept").is_some_and(|accept| accept.contains("application/json")));
///         assert_eq!(request.header("authorization"), None);
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
}

impl Request {
    /// `None` where the client went away before it had asked.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        let mut chunk = [0; 1024];
        while !head.windows(END.len()).any(|window| window == END) {
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                return Ok(None);
            }
            head.extend_from_slice(&chunk[..read]);
        }
        Ok(Some(Self::parse(&String::from_utf8_lossy(&head))))
    }

    fn parse(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let fields = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
        Self {
            method: first.next().unwrap_or_default(),
            target: first.next().unwrap_or_default(),
            fields: fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect(),
        }
    }

    /// `GET`, say.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path with its query, as it was asked for.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The path without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    /// The first header field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All header fields in their order, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

//! An identity provider before the example `resource_server`: what it accepts, what it refuses, and what happens to
//! those who ask while the provider changes its keys.

mod resource_server;
mod rotation;

use super::peer::Peer;
use super::table::{Cell, Row, Table};
use super::tools::Tools;
use crate::Failure;
use crate::examples::Executable;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::reason::Rejection;
use resource_server::ResourceServer;
use serde::Deserialize;
use serde_json::json;

const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];

#[derive(Deserialize)]
struct Hello {
    library: String,
    issuer: String,
    audience: String,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    id_token: Option<String>,
}

/// Who asks for a token, and how.
#[derive(Clone, Copy)]
enum Grant {
    Credentials,
    /// With PKCE, for a client of this name.
    Code(&'static str),
}

impl Grant {
    fn name(self) -> &'static str {
        match self {
            Self::Credentials => "client credentials",
            Self::Code(_) => "code + PKCE",
        }
    }
}

struct Provider {
    peer: Peer,
    hello: Hello,
}

impl Provider {
    fn tokens(&mut self, grant: Grant, resource: &str) -> Result<Tokens, Failure> {
        self.peer.demand(&match grant {
            Grant::Credentials => json!({"do": "service", "resource": resource}),
            Grant::Code(id) => json!({"do": "page", "id": id, "resource": resource}),
        })
    }

    /// A token for our API.
    fn access_token(&mut self, grant: Grant, algorithm: &str) -> Result<String, Failure> {
        Ok(self.tokens(grant, &format!("https://api.example/{algorithm}"))?.access_token)
    }
}

pub(super) fn run(tools: &Tools, executable: &Executable, table: &mut Table) -> Result<(), Failure> {
    let mut peer = Peer::start(tools, "provider.mjs")?;
    let hello = peer.demand(&json!({"do": "hello"}))?;
    let mut provider = Provider { peer, hello };
    let Hello { issuer, audience, .. } = &provider.hello;
    let server = ResourceServer::start(tools, executable, issuer, audience, &[])?;
    let by_profile = ResourceServer::start(tools, executable, issuer, audience, &[("ACCESS_TOKENS_ONLY", "1")])?;
    access_tokens(&mut provider, [&server, &by_profile], table)?;
    refusals(&mut provider, &server, &by_profile, table)?;
    drop(by_profile);
    rotation::run(&mut provider, &server, table)
}

fn access_tokens(provider: &mut Provider, servers: [&ResourceServer; 2], table: &mut Table) -> Result<(), Failure> {
    for algorithm in ALGORITHMS {
        for grant in [Grant::Credentials, Grant::Code("web")] {
            let token = provider.access_token(grant, algorithm)?;
            let mut problems = Vec::new();
            problems.extend(is_type(&token, "at+jwt", algorithm).err());
            for server in servers {
                problems.extend(server.says(200, "GET", "/posts", &token).err());
                problems.extend(server.says(403, "POST", "/posts", &token).err());
            }
            let theirs = Cell { outcome: "200; 403 beyond it".into(), problems };
            provider.row(table, &format!("{algorithm}, {}", grant.name()), theirs);
        }
    }
    Ok(())
}

fn refusals(
    provider: &mut Provider,
    server: &ResourceServer,
    by_profile: &ResourceServer,
    table: &mut Table,
) -> Result<(), Failure> {
    let good = provider.access_token(Grant::Credentials, "RS256")?;
    let other = provider.tokens(Grant::Credentials, "https://other.example/RS256")?.access_token;
    let api = "https://api.example/RS256";
    let id_token = |tokens: Tokens| tokens.id_token.ok_or_else(|| Failure::Failed("no ID token came".into()));
    let id = id_token(provider.tokens(Grant::Code("web"), api)?)?;
    let cannot = || Failure::Failed("a token of the provider has another form".into());
    let parts: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().map_err(|_| cannot())?;
    let [header, payload, signature] = parts;
    let changed = |part: &str, from: &str, to: &str| {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
        let changed = text.replace(from, to);
        (changed != text).then(|| URL_SAFE_NO_PAD.encode(changed))
    };
    let more = changed(payload, "posts:read", "posts:write").ok_or_else(cannot)?;
    let pss = changed(header, "RS256", "PS256").ok_or_else(cannot)?;
    for (case, token, why) in [
        ("token for another resource", other, Rejection::Audience),
        ("ID token", id, Rejection::Audience),
        ("token with a claim changed", format!("{header}.{more}.{signature}"), Rejection::Signature),
        ("token under another algorithm", format!("{pss}.{payload}.{signature}"), Rejection::Signature),
        ("token without its signature", format!("{header}.{payload}."), Rejection::Signature),
    ] {
        provider.row(table, case, Cell::of("401", server.refuses(&token, why)));
    }
    // A client may have the API's name. Then the audience tells nothing, and the profile is what keeps its ID tokens out.
    let id = id_token(provider.tokens(Grant::Code("api"), api)?)?;
    let refused = by_profile.refuses(&id, Rejection::TokenType);
    provider.row(table, "ID token for the API's name, RFC 9068", Cell::of("401", refused));
    Ok(())
}

impl Provider {
    fn row(&self, table: &mut Table, case: &str, theirs: Cell) {
        table.push(Row { case: format!("{} {case}", self.hello.library), ours: Cell::nothing(), theirs });
    }
}

/// A check of the trial itself: that the provider sends what the row says.
fn is_type(token: &str, token_type: &str, algorithm: &str) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Header {
        typ: String,
        alg: String,
    }
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header: Option<Header> = header.and_then(|header| serde_json::from_slice(&header).ok());
    match header {
        Some(Header { typ, alg }) if typ == token_type && alg == algorithm => Ok(()),
        Some(Header { typ, alg }) => Err(format!("the provider made a token of type {typ} under {alg}")),
        None => Err("the provider made no JWT".into()),
    }
}

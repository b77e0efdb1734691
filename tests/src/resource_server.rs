//! The example `resource_server` as an operator meets it: a program, its environment, its answers and its log.

mod fleet;

use crate::http::client::{Answer, send};
use crate::quickstart::executable;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::cache::{CacheStore, FleetKey};
use countersign::clock::{Clock, SystemClock};
use countersign::issue::JwtSigner;
use countersign::jwk::JwkSet;
use countersign::revocation::RevocationLog;
use countersign::{Algorithm, Bytes, SigningKey};
use countersign_cache::RedisCache;
use countersign_testkit::jwks_server::{Answer as Published, Hold, JwksServer};
use countersign_testkit::redis_server::RedisServer;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const NAMES: [&str; 12] = [
    "ACCESS_TOKENS_ONLY",
    "ALLOW_HTTP_LOOPBACK",
    "AUDIENCE",
    "FLEET_KEY",
    "ISSUER",
    "JWKS_URI",
    "LISTEN",
    "PERMISSIONS_CLAIM",
    "REDIS_URL",
    "REVOCATIONS",
    "ROLES_CLAIM",
    "TOKEN_CACHE",
];

const FLEET_KEY: &str = "tqzVwFhmGyyVoTmGRUBnfB_kJQpCW4SzNV3mRzHoWoM";

/// What is slower than this hangs.
const HANGS: Duration = Duration::from_secs(30);

/// An issuer whose metadata and keys are published by a scripted server.
struct Issuer {
    url: String,
    server: JwksServer,
    signer: JwtSigner,
}

impl Issuer {
    async fn start() -> Self {
        let server = JwksServer::start(Published::new(404)).await;
        let url = server.url("");
        let metadata = json!({"issuer": url, "jwks_uri": server.url("/jwks")});
        server.say_at("/.well-known/openid-configuration", Published::json(metadata.to_string()));
        let key = SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id("k1").expect("a key id");
        let issuer = Self { url, server, signer: JwtSigner::new(key) };
        issuer.server.say_at("/jwks", issuer.keys());
        issuer
    }

    fn keys(&self) -> Published {
        let set: JwkSet = self.signer.key().verifying_key().jwk().into_iter().collect();
        Published::json(serde_json::to_string(&set).expect("JSON"))
    }

    fn token(&self, more: &[(&str, Value)]) -> String {
        let now = SystemClock::new().now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
        let mut claims = json!({"iss": self.url, "aud": "api", "sub": "7", "iat": now, "exp": now + 600, "jti": "t1"});
        for (name, value) in more {
            claims[*name] = value.clone();
        }
        self.signer.sign(&claims).expect("a token")
    }

    fn role(&self, role: &str) -> String {
        self.token(&[("roles", json!([role]))])
    }
}

fn command(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(executable("resource_server"));
    for name in NAMES {
        command.env_remove(name);
    }
    command.envs(settings.iter().copied()).kill_on_drop(true).stdin(Stdio::null());
    command
}

/// The running program. It ends when it is dropped.
struct Program {
    address: SocketAddr,
    child: Child,
    /// What it has written to stdout.
    log: watch::Receiver<Vec<String>>,
}

impl Program {
    async fn start(issuer: &Issuer, more: &[(&str, &str)]) -> Self {
        let mut settings = vec![
            ("ISSUER", &*issuer.url),
            ("AUDIENCE", "api"),
            ("ALLOW_HTTP_LOOPBACK", "1"),
            ("LISTEN", "127.0.0.1:0"),
        ];
        settings.extend(more);
        let mut child = command(&settings).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let (written, log) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Some(line) = output.next_line().await.expect("text") {
                written.send_modify(|lines| lines.push(line));
            }
        });
        let mut program = Self { address: ([127, 0, 0, 1], 0).into(), child, log };
        let serving = program.logged("serving").await;
        program.address = serving["address"].as_str().and_then(|text| text.parse().ok()).expect("an address");
        program
    }

    /// The first line with this message, when it comes.
    async fn logged(&self, message: &str) -> Value {
        let mut log = self.log.clone();
        let find = |lines: &Vec<String>| lines.iter().map(|line| parse(line)).find(|line| line["message"] == message);
        let lines = timeout(HANGS, log.wait_for(|lines| find(lines).is_some())).await;
        find(&lines.expect("the line comes").expect("the program runs")).expect("the line")
    }

    /// All lines so far.
    fn lines(&self) -> Vec<Value> {
        self.log.borrow().iter().map(|line| parse(line)).collect()
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>) -> Answer {
        let headers: Vec<_> =
            token.iter().map(|token| ("Authorization".to_owned(), format!("Bearer {token}").into_bytes())).collect();
        send(self.address, method, path, &headers, b"").await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    /// The value of a metric, labels and all; zero where it has not been seen.
    async fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").await.body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Asks until this path answers with this status.
    async fn becomes(&self, path: &str, status: u16) -> Answer {
        let asking = async {
            loop {
                let answer = self.get(path).await;
                if answer.status == status {
                    return answer;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(HANGS, asking).await.unwrap_or_else(|_| panic!("{path} answers {status}"))
    }

    /// Asks with this token until the answer has this status.
    async fn answers(&self, token: &str, status: u16) {
        let mut last = 0;
        let asking = async {
            while last != status {
                last = self.ask("GET", "/me", Some(token)).await.status;
                sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(HANGS, asking).await.is_ok(), "{last} and not {status}");
    }

    /// As `kill` does.
    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs");
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await;
        assert!(status.is_ok_and(|status| status.success()));
    }

    async fn ends(&mut self) {
        let status = timeout(HANGS, self.child.wait()).await.expect("an end").expect("a status");
        assert!(status.success(), "{status}");
    }
}

/// Tries until it works: a busy machine is not what is looked for.
async fn insist(works: impl AsyncFn() -> bool) {
    let tries = async {
        while !works().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(HANGS, tries).await.expect("it works in the end");
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"))
}

#[tokio::test]
async fn the_routes_answer_as_they_promise() {
    let issuer = Issuer::start().await;
    let program = Program::start(&issuer, &[]).await;
    let (reader, writer, admin) = (issuer.role("reader"), issuer.role("writer"), issuer.role("admin"));
    let expired = issuer.token(&[("exp", json!(1))]);
    let foreign = issuer.token(&[("aud", json!("another-api"))]);
    let tokens =
        [None, Some("garbage"), Some(&*reader), Some(&*writer), Some(&*admin), Some(&*expired), Some(&*foreign)];
    // For each route: nobody, garbage, reader, writer, admin, expired, foreign.
    for (method, path, expected) in [
        ("GET", "/public", [200; 7]),
        ("GET", "/me", [401, 401, 200, 200, 200, 401, 401]),
        ("GET", "/greeting", [200, 401, 200, 200, 200, 401, 401]),
        ("GET", "/posts", [401, 401, 200, 200, 200, 401, 401]),
        ("POST", "/posts", [401, 401, 403, 201, 201, 401, 401]),
        ("DELETE", "/admin", [401, 401, 403, 403, 200, 401, 401]),
        ("DELETE", "/posts", [405; 7]),
        ("GET", "/login", [404; 7]),
        ("GET", "/healthz", [200; 7]),
        ("GET", "/readyz", [200; 7]),
        ("GET", "/metrics", [200; 7]),
    ] {
        for (who, (token, expected)) in tokens.iter().zip(expected).enumerate() {
            let answer = program.ask(method, path, *token).await;
            assert_eq!(answer.status, expected, "{method} {path} for {who}: {}", answer.body);
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert_eq!(matches!(expected, 401 | 403), challenge.starts_with("Bearer realm="), "{challenge}");
        }
    }
    let me: Value = serde_json::from_str(&program.ask("GET", "/me", Some(&reader)).await.body).expect("JSON");
    assert_eq!((&me["sub"], &me["roles"]), (&json!("7"), &json!(["reader"])));
}

/// A client may have the name of the API. The audience of its ID tokens tells nothing then.
#[tokio::test]
async fn an_id_token_for_the_name_of_the_api_is_kept_out_by_the_profile_of_access_tokens() {
    let issuer = Issuer::start().await;
    let id_token = issuer.token(&[("nonce", json!("n"))]);
    let key = issuer.signer.key().clone();
    let issuer = Issuer { signer: JwtSigner::new(key).token_type("at+jwt"), ..issuer };
    let access_token = issuer.token(&[("client_id", json!("api"))]);
    for (settings, expected) in [(&[][..], [200, 200]), (&[("ACCESS_TOKENS_ONLY", "1")], [200, 401])] {
        let program = Program::start(&issuer, settings).await;
        for (token, expected) in [&access_token, &id_token].into_iter().zip(expected) {
            let answer = program.ask("GET", "/me", Some(token)).await;
            assert_eq!(answer.status, expected, "{settings:?}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn claims_are_read_where_the_settings_say() {
    let issuer = Issuer::start().await;
    let settings = [("PERMISSIONS_CLAIM", "https://app.example/may"), ("ROLES_CLAIM", "/realm_access/roles")];
    let program = Program::start(&issuer, &settings).await;
    for (claims, expected) in [
        (("roles", json!(["admin"])), [403, 403]),
        (("role", json!("admin")), [403, 403]),
        (("permissions", json!(["posts:read"])), [403, 403]),
        (("https://app.example/may", json!(["posts:read"])), [200, 403]),
        (("realm_access", json!({"roles": ["admin"]})), [200, 200]),
    ] {
        let token = issuer.token(std::slice::from_ref(&claims));
        let read = program.ask("GET", "/posts", Some(&token)).await.status;
        let wipe = program.ask("DELETE", "/admin", Some(&token)).await.status;
        assert_eq!([read, wipe], expected, "{claims:?}");
    }
}

#[tokio::test]
async fn it_is_ready_when_the_issuer_comes_up_and_nobody_needs_to_ask() {
    let mut issuer = Issuer::start().await;
    issuer.server.refuse().await;
    let program = Program::start(&issuer, &[]).await;
    let failed = program.logged("keys not refreshed").await;
    assert_eq!((&failed["level"], &failed["provider"]), (&json!("WARN"), &json!("issuer")));
    let waiting = program.get("/readyz").await;
    let health: Value = serde_json::from_str(&waiting.body).expect("JSON");
    assert_eq!((waiting.status, &health["ready"], &health["generation"]), (503, &json!(false), &json!(0)));
    assert_eq!(waiting.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(program.get("/healthz").await.status, 200, "it lives");
    let refused = program.ask("GET", "/me", Some(&issuer.role("reader"))).await;
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true));

    issuer.server.listen().await;
    let ready = program.becomes("/readyz", 200).await;
    let health: Value = serde_json::from_str(&ready.body).expect("JSON");
    assert_eq!((&health["state"], &health["usable"][0]["key_id"]), (&json!("fresh"), &json!("k1")));
    assert_eq!(program.ask("GET", "/me", Some(&issuer.role("reader"))).await.status, 200);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn documents_of_any_size_take_bounded_memory() {
    /// The most memory that the program has ever taken, in KiB.
    fn peak(program: &Program) -> u64 {
        let id = program.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        peak.trim().trim_end_matches(" kB").parse().expect("a number")
    }
    let issuer = Issuer::start().await;
    let program = Program::start(&issuer, &[]).await;
    program.becomes("/readyz", 200).await;
    let usual = peak(&program);
    for (name, answer) in [
        ("500 MB", issuer.keys().padded(500 << 20)),
        ("500 MB in chunks", issuer.keys().padded(500 << 20).chunked()),
        ("a bomb of 10 GB", issuer.keys().padded(10 << 30).gzip()),
        ("a gigabyte promised", issuer.keys().content_length(1 << 30).truncated(100)),
        ("100 MB of header fields", issuer.keys().header_bomb(100 << 20)),
    ] {
        issuer.server.say_at("/jwks", answer);
        let program = Program::start(&issuer, &[]).await;
        let failed = async {
            loop {
                let health: Value = serde_json::from_str(&program.becomes("/readyz", 503).await.body).expect("JSON");
                if health["failures"].as_u64() > Some(0) {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(HANGS, failed).await.expect("it is refused");
        let taken = peak(&program).saturating_sub(usual);
        assert!(taken < 8 << 10, "{name}: {taken} KiB more than usual");
    }
}

#[tokio::test]
async fn the_keys_come_from_where_the_settings_say() {
    let issuer = Issuer::start().await;
    let program = Program::start(&issuer, &[("JWKS_URI", &issuer.server.url("/jwks"))]).await;
    program.becomes("/readyz", 200).await;
    let asked: Vec<_> = issuer.server.log().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(asked, ["/jwks"], "and nothing was discovered");
}

#[tokio::test]
async fn the_metrics_have_the_documented_names_and_move() {
    let issuer = Issuer::start().await;
    let program = Program::start(&issuer, &[("TOKEN_CACHE", "60")]).await;
    program.becomes("/readyz", 200).await;
    let verified = r#"countersign_verifications_total{result="verified"}"#;
    let refused = r#"countersign_refusals_total{reason="no_credentials",status="401"}"#;
    let hits = r#"countersign_token_cache_total{outcome="hit"}"#;
    let count = "countersign_verification_duration_seconds_count";
    let token = issuer.role("reader");
    for before in 0..3_i32 {
        for name in [verified, refused, count] {
            assert_eq!(program.metric(name).await, f64::from(before), "{name}");
        }
        assert_eq!(program.metric(hits).await, f64::from((before - 1).max(0)), "{hits}");
        assert_eq!(program.ask("GET", "/me", Some(&token)).await.status, 200);
        assert_eq!(program.ask("GET", "/me", None).await.status, 401);
    }
    assert_eq!(program.metric(r#"countersign_keys{provider="issuer",state="usable"}"#).await, 1.0);

    let answer = program.get("/metrics").await;
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4")));
    let documented = include_str!("../../docs/OBSERVABILITY.md");
    let mut names: Vec<_> = answer.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    names.iter_mut().for_each(|line| *line = line.split(' ').next().expect("a name"));
    names.sort_unstable();
    for name in &names {
        assert!(documented.contains(&format!("`{name}`")), "{name} is documented");
    }
    for name in ["countersign_keys_fetched_timestamp_seconds", "resource_server_keys_age_seconds"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

/// A token with this header, whose signature is zeros.
fn forged(header: &Value) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(&header.to_string()), part(r#"{"sub":"MARKER"}"#), URL_SAFE_NO_PAD.encode([0; 64]))
}

#[tokio::test]
async fn each_refusal_is_one_line_of_json_and_nothing_of_a_request_stands_in_it() {
    let issuer = Issuer::start().await;
    let program = Program::start(&issuer, &[]).await;
    program.becomes("/readyz", 200).await;
    let hostile = "MARKER\"}\r\n{\"message\":\"serving\"}\u{1b}[31m\0";
    let long = "MARKER".repeat(1_700);
    let tokens = [
        "MARKER".to_owned(),
        "MARKER\"}{".to_owned(),
        forged(&json!({"alg": "ES256", "kid": hostile})),
        forged(&json!({"alg": "ES256", "kid": long})),
        forged(&json!({"alg": "ES256", "kid": "k1", "typ": hostile})),
        forged(&json!({"alg": hostile, "kid": "k1"})),
        forged(&json!({"alg": "ES256", "kid": "k1"})),
        issuer.token(&[("aud", json!(hostile))]),
        issuer.token(&[("iss", json!(hostile))]),
        issuer.token(&[("roles", json!(hostile))]),
    ];
    let ids = ["MARKER\" }", "MARKER\\n", "MARKER\u{1b}[2J", &long, "{\"MARKER\":1}", ""];
    let mut refused = 0;
    for token in &tokens {
        for id in ids {
            let headers = [
                ("Authorization".to_owned(), format!("Bearer {token}").into_bytes()),
                ("X-Request-Id".to_owned(), id.as_bytes().to_vec()),
            ];
            let answer = send(program.address, "GET", "/posts", &headers, b"").await;
            assert!(matches!(answer.status, 400..=403), "{token}: {}", answer.status);
            // The server's own parser refuses what is no field value, and there is no request then.
            refused += usize::from(answer.header("content-type").is_some());
        }
    }
    let headers = [("X-Request-Id".to_owned(), b"order-66".to_vec())];
    assert_eq!(send(program.address, "GET", "/me", &headers, b"").await.status, 401);
    let mut log = program.log.clone();
    let last = |lines: &Vec<String>| lines.iter().any(|line| parse(line)["correlation_id"] == "order-66");
    timeout(HANGS, log.wait_for(last)).await.expect("the line comes").expect("the program runs");

    let lines = program.lines();
    let refusals: Vec<_> = lines.iter().filter(|line| line["message"] == "request refused").collect();
    assert_eq!(refusals.len(), refused + 1);
    assert!(refused >= 50, "the guard saw {refused} of them");
    for line in refusals {
        assert!(line["reason"].is_string() && line["status"].is_u64() && line["correlation_id"].is_string(), "{line}");
        assert_eq!((&line["level"], &line["target"]), (&json!("INFO"), &json!("countersign")));
    }
    assert_eq!(lines.iter().filter(|line| line["message"] == "serving").count(), 1, "no line was forged");
    let all = [program.log.borrow().join("\n"), program.get("/metrics").await.body, program.get("/readyz").await.body];
    assert!(all.iter().all(|text| !text.contains("MARKER")), "{all:?}");
}

#[tokio::test]
async fn a_wrong_setting_ends_it_with_one_line_that_names_it_and_status_2() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let good = [("ISSUER", "http://127.0.0.1:9"), ("AUDIENCE", "api"), ("ALLOW_HTTP_LOOPBACK", "1")];
    let redis = ("REDIS_URL", "redis://:hunter2@127.0.0.1:9/");
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("ISSUER", &[("ISSUER", "")]),
        ("ISSUER", &[("ISSUER", "http://issuer.example")]),
        ("AUDIENCE", &[("AUDIENCE", "\n")]),
        ("JWKS_URI", &[("JWKS_URI", "http://issuer.example/keys")]),
        ("ACCESS_TOKENS_ONLY", &[("ACCESS_TOKENS_ONLY", "yes")]),
        ("ALLOW_HTTP_LOOPBACK", &[("ALLOW_HTTP_LOOPBACK", "yes")]),
        ("LISTEN", &[("LISTEN", "8080")]),
        ("LISTEN", &[("LISTEN", &taken)]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "on")]),
        ("PERMISSIONS_CLAIM", &[("PERMISSIONS_CLAIM", "/~")]),
        ("ROLES_CLAIM", &[("ROLES_CLAIM", "/~")]),
        ("FLEET_KEY", &[redis]),
        ("FLEET_KEY", &[redis, ("FLEET_KEY", "hunter2")]),
        ("REDIS_URL", &[("FLEET_KEY", FLEET_KEY)]),
        ("REDIS_URL", &[("REDIS_URL", "hunter2"), ("FLEET_KEY", FLEET_KEY)]),
        ("REVOCATIONS", &[("REVOCATIONS", "strict")]),
        ("REVOCATIONS", &[redis, ("FLEET_KEY", FLEET_KEY), ("REVOCATIONS", "lax")]),
    ];
    let without = |name| good.into_iter().filter(move |(own, _)| *own != name).collect::<Vec<_>>();
    let changed = cases.iter().map(|(name, change)| (*name, [&good[..], change].concat()));
    for (name, settings) in changed.chain(["ISSUER", "AUDIENCE"].map(|name| (name, without(name)))) {
        let output = timeout(HANGS, command(&settings).output()).await.expect("an end").expect("it runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{settings:?}: {said}");
        assert!(said.starts_with(&format!("error: `{name}`: ")) && said.lines().count() == 1, "{settings:?}: {said}");
        assert!(!said.contains("hunter2") && !said.contains(FLEET_KEY), "{said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{settings:?}");
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let issuer = Issuer::start().await;
    let hold = Hold::new();
    issuer.server.say_at("/jwks", issuer.keys().held(&hold));
    let mut program = Program::start(&issuer, &[]).await;
    issuer.server.wait_for_requests(2).await;

    // Behind one that is answered at once: by then, this one has been read.
    let mut client = TcpStream::connect(program.address).await.expect("a connection");
    let requests = format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        issuer.role("reader")
    );
    client.write_all(requests.as_bytes()).await.expect("sent");
    let mut answers = [0; 1024];
    let read = client.read(&mut answers).await.expect("an answer");
    assert!(answers[..read].ends_with(b"alive\n"), "{}", answers[..read].escape_ascii());

    program.signal("TERM").await;
    program.logged("ending").await;
    let refused = async {
        while TcpStream::connect(program.address).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(HANGS, refused).await.expect("no new connections");
    assert!(program.child.try_wait().expect("a status").is_none(), "it waits for the request");
    hold.release();
    let mut answer = String::new();
    timeout(HANGS, client.read_to_string(&mut answer)).await.expect("an end").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    program.ends().await;
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_end() {
    let issuer = Issuer::start().await;
    for signal in ["INT", "TERM"] {
        let mut program = Program::start(&issuer, &[]).await;
        let mut client = TcpStream::connect(program.address).await.expect("a connection");
        client.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
        assert!(client.read(&mut [0; 1024]).await.expect("an answer") > 0);
        program.signal(signal).await;
        program.ends().await;
        program.logged("ended").await;
        assert!(program.lines().iter().all(|line| line["message"] != "requests in flight were cut off"), "{signal}");
    }
}

/// The log that whoever has the server and the secret can write to.
fn revocations(redis: &RedisServer) -> RevocationLog {
    let key = FleetKey::from_base64url(FLEET_KEY).expect("a key");
    RevocationLog::builder(store(redis), key).build().expect("settings")
}

fn store(redis: &RedisServer) -> RedisCache {
    RedisCache::builder(redis.url()).build().expect("settings")
}

/// Beyond the life of every token here.
fn until() -> SystemTime {
    SystemClock::new().now() + Duration::from_secs(660)
}

#[tokio::test]
async fn revocations_are_shared_and_nothing_passes_while_nobody_can_look() {
    let mut redis = RedisServer::start().await.expect("a Redis server");
    let issuer = Issuer::start().await;
    let url = redis.url();
    let shared = [("REDIS_URL", &*url), ("FLEET_KEY", FLEET_KEY)];
    let strict = [
        Program::start(&issuer, &shared).await,
        Program::start(&issuer, &[&shared[..], &[("TOKEN_CACHE", "60"), ("REVOCATIONS", "strict")]].concat()).await,
    ];
    let degrading = Program::start(&issuer, &[&shared[..], &[("REVOCATIONS", "degrade")]].concat()).await;
    let all = || strict.iter().chain([&degrading]);
    let log = revocations(&redis);
    let (bad, good) = (issuer.token(&[("jti", json!("bad"))]), issuer.token(&[("jti", json!("good"))]));
    for program in all() {
        program.answers(&bad, 200).await;
        program.answers(&good, 200).await;
    }
    insist(async || log.revoke_token(&issuer.url, "bad", until()).await.is_ok()).await;
    for program in all() {
        program.answers(&bad, 401).await;
        program.answers(&good, 200).await;
    }

    redis.kill();
    for program in &strict {
        program.answers(&good, 503).await;
        assert_eq!(program.ask("GET", "/me", Some(&bad)).await.status, 503);
        let refused = program.ask("GET", "/me", Some(&good)).await;
        assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true));
        assert_eq!(program.logged("revocations unconfirmed").await["goes_on"], false);
    }
    assert_eq!(degrading.logged("revocations unconfirmed").await["goes_on"], true);
    for (token, expected) in [(&bad, 401), (&good, 200)] {
        assert_eq!(degrading.ask("GET", "/me", Some(token)).await.status, expected, "it goes by what it knew");
    }
    for program in all() {
        assert_eq!(program.get("/public").await.status, 200);
        assert_eq!(program.get("/readyz").await.status, 200);
        assert_eq!(program.logged("cache failed").await["level"], "WARN");
        assert!(program.metric("countersign_cache_failures_total").await > 0.0);
    }

    redis.restart().await.expect("a restart");
    let anew = Program::start(&issuer, &shared).await;
    for program in all().chain([&anew]) {
        program.answers(&good, 200).await;
        program.answers(&bad, 401).await;
    }
    let has_restored = |program: &Program| program.lines().iter().any(|line| line["message"] == "revocations restored");
    insist(async || all().any(has_restored)).await;

    let stranger = store(&redis);
    let fleet_key = FleetKey::from_base64url(FLEET_KEY).expect("a key");
    let head = fleet_key.cache_key("revocations", &[b"revocations"]).expect("a name");
    insist(async || stranger.put(&head, Bytes::from_static(b"no head"), Duration::from_secs(600)).await.is_ok()).await;
    for program in &strict {
        program.answers(&good, 503).await;
    }
    insist(async || stranger.remove(&head).await.is_ok()).await;
    for program in all() {
        program.answers(&good, 200).await;
        program.answers(&bad, 401).await;
    }
}

//! The scripted servers of the public test vectors (`jwks_endpoint.jsonl`), where the folder that has them is named.

use super::{NOW, document, key};
use crate::machine::{tell_fault, vectors};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use countersign::cache::FleetKey;
use countersign::issue::JwtSigner;
use countersign::provider::KeyProvider;
use countersign::request::RequestView;
use countersign::verify::{IssuerRouter, TokenCache, TokenVerifier};
use countersign::{Algorithm, Guard, JwtVerifier, SigningKey};
use countersign_cache::MemoryCache;
use countersign_keys::{HttpFetch, JwksProvider};
use countersign_testkit::clock::FakeClock;
use countersign_testkit::jwks_server::{Answer, Authority, JwksServer};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

const ISSUER: &str = "https://issuer.example/";

/// The keys that a script may name.
struct Cast {
    a: SigningKey,
    b: SigningKey,
}

impl Cast {
    fn jwk(&self, name: &str) -> Value {
        let jwk = |key: &SigningKey| serde_json::to_value(key.verifying_key().jwk()).expect("JSON");
        match name {
            "A" => jwk(&self.a),
            "B" => jwk(&self.b),
            // A private member: any value makes the key one that was published by mistake.
            "A with d" => {
                let mut jwk = jwk(&self.a);
                jwk["d"] = json!("AAAA");
                jwk
            }
            "bad RSA" => json!({"kty": "RSA", "n": "AQ", "e": "AQAB", "kid": "bad"}),
            "unknown kty" => json!({"kty": "HYPE", "kid": "unknown"}),
            other => panic!("a script names the key `{other}`"),
        }
    }

    /// A body, its names for keys and sets replaced by them.
    fn body(&self, text: &str) -> String {
        if let Some((names, _)) = text.strip_prefix("JWKS(").and_then(|rest| rest.rsplit_once(')')) {
            if let Some((first, count)) = names.split_once(" + ") {
                let count: usize = count.split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
                let filler = json!({"kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode([0xc7; 256]), "e": "AQAB"});
                let keys: Vec<_> = [self.jwk(first)].into_iter().chain(std::iter::repeat_n(filler, count)).collect();
                return json!({ "keys": keys }).to_string();
            }
            let keys: Vec<_> = names.split(',').map(|name| self.jwk(name.trim())).collect();
            return json!({ "keys": keys }).to_string();
        }
        text.replace("JWK(A)", &self.jwk("A").to_string())
    }

    fn answer(&self, script: &Value) -> Answer {
        if script["stall"].is_string() {
            return Answer::silence();
        }
        let text = script["body"].as_str().unwrap_or_default();
        let status = script["status"].as_u64().map_or(200, |status| u16::try_from(status).expect("a status"));
        let mut answer = Answer::new(status);
        if text.starts_with("10 MiB of spaces x 1000") {
            answer = answer.body(document(&[&self.a])).padded(10 << 30);
        } else if !text.is_empty() || status == 200 {
            answer = answer.body(self.body(text));
        }
        match &script["headers"] {
            Value::Object(fields) => {
                for (name, value) in fields {
                    answer = answer.header(name, value.as_str().expect("a value"));
                }
            }
            Value::String(bomb) if bomb == "1 MiB of headers" => answer = answer.header_bomb(1 << 20),
            _ => answer = answer.header("content-type", "application/json"),
        }
        if script["gzip"] == true {
            answer = answer.gzip();
        }
        if script["chunked"] == true {
            answer = answer.chunked();
        }
        if script["truncate"].is_number() {
            answer = answer.truncated(9);
        }
        if let Some(delay) = script["delay_ms"].as_u64() {
            answer = answer.delayed(Duration::from_millis(delay));
        }
        answer
    }

    fn token(&self, wanted: &str, clock_started: u64) -> String {
        let sign = |key: &SigningKey, kid: &str| {
            let claims = json!({"iss": ISSUER, "aud": "api", "nbf": clock_started, "exp": clock_started + 86_400});
            JwtSigner::new(key.clone().with_key_id(kid).expect("a key id")).sign(&claims).expect("a token")
        };
        match wanted.trim_start_matches("token signed by ").trim_start_matches("token ") {
            "A" | "A (nbf now)" | "A token1" => sign(&self.a, "A"),
            "B" => sign(&self.b, "B"),
            "unknown" => sign(&key("unknown"), "unknown"),
            "unknown kid (random each time)" => {
                let key = SigningKey::generate(Algorithm::ES256).expect("a key");
                let kid = key.verifying_key().jwk().expect("public").thumbprint().expect("a digest").to_string();
                sign(&key, &kid)
            }
            other => panic!("a script wants the token `{other}`"),
        }
    }
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Accept,
    Reject,
    Unavailable,
}

fn is_as_expected(verdict: Verdict, expected: &str) -> bool {
    match expected {
        "accept" => verdict == Verdict::Accept,
        "reject" => verdict == Verdict::Reject,
        "reject:keys-unavailable" => verdict == Verdict::Unavailable,
        "accept|reject" => true,
        other => panic!("a script expects `{other}`"),
    }
}

/// What one process was told when it looked for a key, the others have not asked: they cannot tell, and say so.
fn agreed(mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    if verdicts.contains(&Verdict::Reject) {
        verdicts.retain(|verdict| *verdict != Verdict::Unavailable);
    }
    verdicts
}

async fn judge(guard: &Guard, token: &str) -> Verdict {
    let headers = [("authorization", format!("Bearer {token}"))];
    let request = RequestView::new("GET", "/", None, &headers);
    let check = guard.check_authenticated();
    match check.judge(&check.screening(None), &request).await {
        Ok(_) => Verdict::Accept,
        Err(denial) if denial.status() == 503 => Verdict::Unavailable,
        Err(denial) => {
            assert_eq!(denial.status(), 401);
            Verdict::Reject
        }
    }
}

fn verifier(keys: impl KeyProvider, issuer: &str, clock: &FakeClock) -> JwtVerifier {
    let builder = JwtVerifier::builder(keys).issuer(issuer).audience("api").clock(clock.clone());
    builder.token_cache(TokenCache::new()).build().expect("a verifier")
}

fn guard(verifier: impl TokenVerifier) -> Guard {
    Guard::builder(verifier).build().expect("a guard")
}

/// Runs one case with so many processes, which share their keys where there are several. All are asked for a verdict of one token
/// at once, and must agree; where a script sends many, they are asked in turn. `Err` says where it goes wrong.
async fn run(case: &Value, processes: usize) -> Result<(), String> {
    let cast = Cast { a: key("A"), b: key("B") };
    let id = case["id"].as_str().expect("an id");
    let clock = FakeClock::at(NOW);
    let script = case["server"].as_array().expect("a script");
    let steps = case["steps"].as_array().expect("steps");
    if let Some(url) = steps.iter().find_map(|step| step["configure"].as_str()) {
        return match JwksProvider::url(url).build() {
            Err(error) if error.setting() == "url" || error.setting() == "fetch" => Ok(()),
            outcome => Err(format!("{outcome:?}")),
        };
    }
    if steps.iter().any(|step| step["verify"] == "iss1 token signed by iss2 key, same kid") {
        return two_issuers(&cast, &clock).await;
    }
    let answers: Vec<Answer> =
        script.iter().filter(|script| script["refuse"] != true).map(|script| cast.answer(script)).collect();
    let authority = Authority::new();
    let mut server = match script.first() {
        Some(first) if first["tls"].is_string() => {
            let host = first["tls"].as_str().expect("text").trim_start_matches("cert for ");
            JwksServer::start_tls(authority.certificate_for(host), Answer::json(cast.body("JWKS(A)"))).await
        }
        _ if id.ends_with("/ipv6") => JwksServer::start_on(Ipv6Addr::LOCALHOST, answers).await,
        _ if answers.is_empty() => JwksServer::start(Answer::silence()).await,
        _ => JwksServer::start(answers).await,
    };
    // Metadata is the server's own, and names keys elsewhere.
    for metadata in script.iter().filter(|script| script["path"].is_string()) {
        let body = metadata["body"].as_str().expect("a body").replace("ISS", &server.url(""));
        server.say_at(metadata["path"].as_str().expect("a path"), Answer::json(body));
    }
    let client = HttpFetch::builder().allow_http_on_loopback().trust_only(authority.pem()).build().expect("a client");
    let discovers = script.iter().any(|script| script["path"].is_string());
    let (client, store) = (Arc::new(client), Arc::new(MemoryCache::with_clock(clock.clone())));
    let process = |_| {
        let builder =
            if discovers { JwksProvider::discover(server.url("")) } else { JwksProvider::url(server.url("/jwks")) };
        let builder = builder.fetch(client.clone()).clock(clock.clone());
        let fleet_key = FleetKey::new([7; 32]).expect("a key");
        let builder = if processes > 1 { builder.shared_cache(store.clone(), fleet_key) } else { builder };
        guard(verifier(builder.build().expect("a provider"), ISSUER, &clock))
    };
    let guards: Vec<Guard> = (0..processes).map(process).collect();
    let mut turns = guards.iter().cycle();
    if script.first().is_some_and(|first| first["refuse"] == true) {
        server.refuse().await;
    }
    let mut last_token = cast.token("A", NOW);
    for step in steps {
        if let Some(by) = step["advance_clock"].as_str() {
            let seconds = |seconds| Duration::from_secs(seconds);
            match by {
                "ttl+1" => clock.pass(seconds(601)).await,
                "max_ttl+1" => clock.pass(seconds(3601)).await,
                "cooldown+1" => clock.pass(seconds(6)).await,
                // The issuer is back by then.
                "retry+1" => {
                    server.listen().await;
                    clock.pass(seconds(2)).await;
                }
                "-3600s" => clock.set(NOW - 3600),
                "+10y" => clock.set(NOW + 315_360_000),
                other => return Err(format!("the script moves the clock by `{other}`")),
            }
            continue;
        }
        let expected = step["expect"].as_str().expect("what is expected");
        let times = step["repeat"].as_u64().or(step["concurrent"].as_u64()).unwrap_or(1);
        let tokens: Vec<String> = (0..times)
            .map(|_| match step["verify"].as_str().unwrap_or("token signed by A") {
                "token signed by same token" => last_token.clone(),
                "token with same header.payload prefix and other signature" => {
                    let input = last_token.rsplit_once('.').expect("three parts").0;
                    format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode([7; 64]))
                }
                wanted => cast.token(wanted, NOW),
            })
            .collect();
        last_token.clone_from(tokens.first().expect("a token"));
        let within = Duration::from_millis(step["within_ms"].as_u64().unwrap_or(30_000));
        let judging = async {
            // Of one token each process has a verdict of its own, and all of them the same. Many are asked for in turn.
            if let [token] = &tokens[..] {
                return futures_util::future::join_all(guards.iter().map(|guard| judge(guard, token))).await;
            }
            if step["concurrent"].is_number() {
                let asked = tokens.iter().zip(&mut turns).map(|(token, guard)| judge(guard, token));
                return futures_util::future::join_all(asked).await;
            }
            let mut verdicts = Vec::new();
            for (token, guard) in tokens.iter().zip(&mut turns) {
                verdicts.push(judge(guard, token).await);
            }
            verdicts
        };
        let verdicts = tokio::time::timeout(within, judging).await.map_err(|_| format!("{step}: not in time"))?;
        let verdicts = if id.ends_with("/unknown-kid-during-outage") { agreed(verdicts) } else { verdicts };
        if tokens.len() == 1 && verdicts.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("{step}: {verdicts:?}"));
        }
        if let Some(verdict) = verdicts.into_iter().find(|verdict| !is_as_expected(*verdict, expected)) {
            return Err(format!("{step}: {verdict:?}"));
        }
    }
    let fetches = u64::try_from(server.requests()).expect("a count");
    match case["fetches"].as_array().map(|bounds| (bounds[0].as_u64(), bounds[1].as_u64())) {
        Some((Some(least), Some(most))) if !(least..=most).contains(&fetches) => Err(format!("{fetches} fetches")),
        _ if server.connections() > server.requests() && answers_whole(script) => Err("a connection was kept".into()),
        _ => Ok(()),
    }
}

fn answers_whole(script: &[Value]) -> bool {
    script.iter().all(|script| script["tls"].is_null() && script["refuse"].is_null())
}

/// Two issuers with one `kid`, and keys of their own.
async fn two_issuers(cast: &Cast, clock: &FakeClock) -> Result<(), String> {
    const OTHER: &str = "https://other.example/";
    let theirs = key("A");
    let servers = [
        JwksServer::start(Answer::json(document(&[&cast.a]))).await,
        JwksServer::start(Answer::json(document(&[&theirs]))).await,
    ];
    let [ours, other] = [(&servers[0], ISSUER), (&servers[1], OTHER)].map(|(server, issuer)| {
        let keys = JwksProvider::url(server.url("/jwks")).allow_http_on_loopback().clock(clock.clone());
        verifier(keys.build().expect("a provider"), issuer, clock)
    });
    let guard = guard(IssuerRouter::new([ours, other]).expect("a router"));
    for (issuer, key, expected) in [
        (ISSUER, &cast.a, Verdict::Accept),
        (OTHER, &theirs, Verdict::Accept),
        (ISSUER, &theirs, Verdict::Reject),
        (OTHER, &cast.a, Verdict::Reject),
    ] {
        let claims = json!({"iss": issuer, "aud": "api", "exp": NOW + 60});
        let verdict = judge(&guard, &JwtSigner::new(key.clone()).sign(&claims).expect("a token")).await;
        if verdict != expected {
            return Err(format!("{issuer}: {verdict:?}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_scripted_server_of_the_public_vectors_meets_its_verdict() {
    let Some(folder) = vectors("the scripted servers") else { return };
    let text = std::fs::read_to_string(folder.join("jwks_endpoint.jsonl")).expect("the file");
    let cases: Vec<Value> =
        text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).expect("a case")).collect();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    // What one process answers and fetches, three that share their keys do.
    for processes in [1, 3] {
        // A few at a time: waits for a refresh are bounded by real time, and all share one thread.
        let outcomes: Vec<_> = stream::iter(&cases).map(|case| run(case, processes)).buffered(4).collect().await;
        let wrong: Vec<String> = cases
            .iter()
            .zip(outcomes)
            .filter_map(|(case, outcome)| outcome.err().map(|problem| format!("{}: {problem}", case["id"])))
            .collect();
        assert!(wrong.is_empty(), "{processes}: {} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
        tell_fault(
            &format!("scripted servers of the public vectors, processes: {processes}"),
            &[("cases", cases.len()), ("wrong", wrong.len())],
        );
    }
}

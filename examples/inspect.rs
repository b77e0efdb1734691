//! "Why 401?": tells every check of a token, with the keys and the rules given as files.
//!
//! ```console
//! $ cargo run --example inspect -- --token token.txt --keys jwks.json --rules rules.json
//! $ cargo run --example inspect -- --help
//! ```
//!
//! Instead of a JWK Set, `--keys`, there may be a public key, `--pem`, or a shared secret, `--secret`: the octets of that
//! file as they are. Both serve each of the `algorithms` that are named.
//!
//! The rules are JSON. Issuers and audiences must be there, or the danger that leaves them out; all else may be:
//!
//! ```json
//! {
//!   "issuers": ["https://issuer.example/"], "audiences": ["my-api"], "audience_claim": "client_id",
//!   "algorithms": ["RS256"], "types": ["at+jwt"], "profile": "access_tokens",
//!   "subjects": ["7"], "required": ["jti"], "leeway": 30, "max_age": 3600, "max_lifetime": 600, "try_keys": 8,
//!   "dangers": ["any_issuer", "any_audience", "no_expiration", "any_holder", "padded_base64url", "short_secret"],
//!   "now": 1300819380
//! }
//! ```
//!
//! The other profile is `id_tokens`. Spans are seconds, `now` is seconds since 1970.
//!
//! It ends with 0 for a token that is taken, 1 for one that is not, and 2 when it could not look.

use countersign::clock::Clock;
use countersign::danger::{self, Danger};
use countersign::keys::KeyError;
use countersign::verify::{Explanation, JwtVerifierBuilder};
use countersign::{Algorithm, JwtVerifier, VerifyingKey};
use countersign_keys::StaticKeys;
use lexopt::prelude::*;
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rules {
    issuers: Vec<String>,
    audiences: Vec<String>,
    audience_claim: Option<String>,
    algorithms: Option<Vec<String>>,
    types: Option<Vec<String>>,
    profile: Option<Profile>,
    subjects: Vec<String>,
    required: Vec<String>,
    leeway: Option<u64>,
    max_age: Option<u64>,
    max_lifetime: Option<u64>,
    try_keys: Option<usize>,
    dangers: Vec<Weakening>,
    now: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Profile {
    AccessTokens,
    IdTokens,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Weakening {
    AnyIssuer,
    AnyAudience,
    NoExpiration,
    AnyHolder,
    PaddedBase64url,
    /// A weakness of the key, and not of the verifier.
    ShortSecret,
}

impl Weakening {
    fn danger(self) -> Option<Danger> {
        match self {
            Self::AnyIssuer => Some(Danger::AnyIssuer),
            Self::AnyAudience => Some(Danger::AnyAudience),
            Self::NoExpiration => Some(Danger::NoExpiration),
            Self::AnyHolder => Some(Danger::AnyHolder),
            Self::PaddedBase64url => Some(Danger::PaddedBase64url),
            Self::ShortSecret => None,
        }
    }
}

impl Rules {
    fn algorithms(&self) -> Result<Option<Vec<Algorithm>>, String> {
        let known = |name: &String| Algorithm::from_name(name).ok_or(format!("no algorithm is called `{name}`"));
        self.algorithms.as_ref().map(|names| names.iter().map(known).collect()).transpose()
    }

    fn apply(self, mut builder: JwtVerifierBuilder) -> Result<JwtVerifier, String> {
        if let Some(algorithms) = self.algorithms()? {
            builder = builder.algorithms(algorithms);
        }
        if let Some(types) = self.types {
            builder = builder.types(types);
        }
        builder = match self.profile {
            Some(Profile::AccessTokens) => builder.access_tokens_only(),
            Some(Profile::IdTokens) => builder.id_tokens_only(),
            None => builder,
        };
        if let Some(name) = self.audience_claim {
            builder = builder.audience_claim(name);
        }
        if let Some(leeway) = self.leeway {
            builder = builder.leeway(Duration::from_secs(leeway));
        }
        if let Some(max_age) = self.max_age {
            builder = builder.max_age(Duration::from_secs(max_age));
        }
        if let Some(max_lifetime) = self.max_lifetime {
            builder = builder.max_lifetime(Duration::from_secs(max_lifetime));
        }
        if let Some(at_most) = self.try_keys {
            builder = builder.try_keys(at_most);
        }
        if let Some(now) = self.now {
            builder = builder.clock(At(now));
        }
        builder = self.issuers.into_iter().fold(builder, JwtVerifierBuilder::issuer);
        builder = self.audiences.into_iter().fold(builder, JwtVerifierBuilder::audience);
        builder = self.subjects.into_iter().fold(builder, JwtVerifierBuilder::subject);
        builder = self.required.into_iter().fold(builder, JwtVerifierBuilder::require_claim);
        let dangers = self.dangers.into_iter().filter_map(Weakening::danger);
        dangers.fold(builder, JwtVerifierBuilder::danger).build().map_err(|error| format!("the rules: {error}"))
    }
}

/// Where the keys are.
enum Keys {
    Set(PathBuf),
    Pem(PathBuf),
    Secret(PathBuf),
}

impl Keys {
    fn read(&self, rules: &Rules) -> Result<StaticKeys, String> {
        match self {
            Self::Set(path) => StaticKeys::from_jwks_file(path).map_err(|error| error.to_string()),
            Self::Pem(path) => {
                let pem = read(path)?;
                for_each(rules, |algorithm| VerifyingKey::from_pem(algorithm, &pem))
            }
            Self::Secret(path) => {
                let secret = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                for_each(rules, |algorithm| match rules.dangers.contains(&Weakening::ShortSecret) {
                    true => Ok(danger::short_secret(algorithm, &secret)?.verifying_key().clone()),
                    false => VerifyingKey::from_secret(algorithm, &secret),
                })
            }
        }
    }
}

/// One key for each algorithm: a key has one.
fn for_each(rules: &Rules, key: impl Fn(Algorithm) -> Result<VerifyingKey, KeyError>) -> Result<StaticKeys, String> {
    let algorithms = rules.algorithms()?.ok_or("the rules: name the `algorithms` of the key")?;
    let keys: Result<Vec<_>, _> = algorithms.into_iter().map(key).collect();
    keys.map(StaticKeys::from_keys).map_err(|error| error.to_string())
}

#[derive(Debug)]
struct At(u64);

impl Clock for At {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.0)).unwrap_or(UNIX_EPOCH)
    }
}

const USAGE: &str = "\
Tells every check of a token: why is it 401?

cargo run --example inspect -- --token FILE --keys FILE --rules FILE

  --token FILE     the token
  --keys FILE      the issuer's JWK Set; or in its place
  --pem FILE       a public key, or
  --secret FILE    a shared secret: both serve the `algorithms` of the rules
  --rules FILE     JSON: {\"issuers\": [\"https://issuer.example/\"], \"audiences\": [\"my-api\"]}
  --help           this text

All rules stand at the beginning of examples/inspect.rs. It ends with 0 for a token that is taken, 1 for one that is not,
and 2 when it could not look.
";

/// What was asked for: `None` is the usage.
async fn inspect() -> Result<Option<Explanation>, String> {
    let (mut token, mut keys, mut rules) = (None, None, None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        let Long(name) = argument else { return Err(argument.unexpected().to_string()) };
        let name = name.to_owned();
        if name == "help" {
            return Ok(None);
        }
        let file = arguments.value().map(PathBuf::from).map_err(|error| error.to_string())?;
        match name.as_str() {
            "token" => token = Some(file),
            "keys" => keys = Some(Keys::Set(file)),
            "pem" => keys = Some(Keys::Pem(file)),
            "secret" => keys = Some(Keys::Secret(file)),
            "rules" => rules = Some(file),
            _ => return Err(format!("there is no option `--{name}`")),
        }
    }
    let (Some(token), Some(keys), Some(rules)) = (token, keys, rules) else {
        let wanted =
            "wants --token FILE, --keys FILE or --pem FILE or --secret FILE, and --rules FILE; --help tells more";
        return Err(wanted.to_owned());
    };
    let token = read(&token)?;
    let rules: Rules = serde_json::from_str(&read(&rules)?).map_err(|error| format!("the rules: {error}"))?;
    let verifier = JwtVerifier::builder(keys.read(&rules)?);
    Ok(Some(rules.apply(verifier)?.explain(token.trim()).await))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match inspect().await {
        Ok(None) => {
            let _ = std::io::stdout().write_all(USAGE.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Some(explanation)) => {
            // A closed pipe changes nothing about the token.
            let _ = write!(std::io::stdout(), "{explanation}");
            if explanation.is_accepted() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "error: {problem}");
            ExitCode::from(2)
        }
    }
}

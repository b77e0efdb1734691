//! "Why 401?": tells every check of a token, with the keys and the rules given as files.
//!
//! ```console
//! $ cargo run --example inspect -- --token token.txt --keys jwks.json --rules rules.json
//! ```
//!
//! The rules are JSON: `{"issuers": […], "audiences": […], "algorithms": ["RS256"], "types": ["at+jwt"], "leeway": 30,
//! "required": ["sub"], "now": 1300819380}`, of which issuers and audiences must be there.
//!
//! It ends with 0 for a token that is taken, 1 for one that is not, and 2 when it could not look.

use countersign::clock::Clock;
use countersign::verify::{Explanation, JwtVerifierBuilder};
use countersign::{Algorithm, JwtVerifier};
use countersign_keys::StaticKeys;
use lexopt::prelude::*;
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    issuers: Vec<String>,
    audiences: Vec<String>,
    algorithms: Option<Vec<String>>,
    types: Option<Vec<String>>,
    leeway: Option<u64>,
    #[serde(default)]
    required: Vec<String>,
    now: Option<u64>,
}

impl Rules {
    fn apply(self, mut builder: JwtVerifierBuilder) -> Result<JwtVerifier, String> {
        if let Some(names) = self.algorithms {
            let known = |name: &String| Algorithm::from_name(name).ok_or(format!("no algorithm is called `{name}`"));
            builder = builder.algorithms(names.iter().map(known).collect::<Result<Vec<_>, _>>()?);
        }
        if let Some(types) = self.types {
            builder = builder.types(types);
        }
        if let Some(leeway) = self.leeway {
            builder = builder.leeway(Duration::from_secs(leeway));
        }
        if let Some(now) = self.now {
            builder = builder.clock(At(now));
        }
        builder = self.issuers.into_iter().fold(builder, JwtVerifierBuilder::issuer);
        builder = self.audiences.into_iter().fold(builder, JwtVerifierBuilder::audience);
        builder = self.required.into_iter().fold(builder, JwtVerifierBuilder::require_claim);
        builder.build().map_err(|error| format!("the rules: {error}"))
    }
}

#[derive(Debug)]
struct At(u64);

impl Clock for At {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.0)).unwrap_or(UNIX_EPOCH)
    }
}

async fn inspect() -> Result<Explanation, String> {
    let (mut token, mut keys, mut rules) = (None, None, None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next().map_err(|error| error.to_string())? {
        let file = match argument {
            Long("token") => &mut token,
            Long("keys") => &mut keys,
            Long("rules") => &mut rules,
            other => return Err(other.unexpected().to_string()),
        };
        *file = Some(PathBuf::from(arguments.value().map_err(|error| error.to_string())?));
    }
    let (Some(token), Some(keys), Some(rules)) = (token, keys, rules) else {
        return Err("wants --token FILE --keys FILE --rules FILE".to_owned());
    };
    let token = read(&token)?;
    let rules: Rules = serde_json::from_str(&read(&rules)?).map_err(|error| format!("the rules: {error}"))?;
    let keys = StaticKeys::from_jwks_file(&keys).map_err(|error| error.to_string())?;
    let verifier = rules.apply(JwtVerifier::builder(keys))?;
    Ok(verifier.explain(token.trim()).await)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match inspect().await {
        Ok(explanation) => {
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

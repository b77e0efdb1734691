//! `examples/inspect`: why a token is not taken.

use crate::quickstart::executable;
use countersign::issue::{Claims, JwtSigner};
use countersign::jwk::JwkSet;
use countersign::{Algorithm, SigningKey};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Files for one test, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-inspect-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str, octets: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, octets).expect("a file");
        path
    }

    /// How it ends, and what it says.
    fn inspect(&self, token: &str, keys: &str, rules: &str) -> (Option<i32>, String) {
        let mut command = Command::new(executable("inspect"));
        command.arg("--token").arg(self.file("token", token)).arg(format!("--{keys}")).arg(self.0.join(keys));
        let output = command.arg("--rules").arg(self.file("rules", rules)).output().expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn inspect_tells_every_check_and_ends_accordingly() {
    let key = SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id("k1").expect("a kid");
    let set: JwkSet = key.verifying_key().jwk().into_iter().collect();
    let claims = Claims::new("me").audience("another").lifetime(Duration::from_secs(60));
    let token = JwtSigner::new(key.clone()).issue(&claims).expect("a token");
    let folder = Folder::new("checks");
    folder.file("keys", serde_json::to_string(&set).expect("JSON"));
    folder.file("pem", key.verifying_key().to_spki_pem().expect("a public key"));
    let run = |rules: &str| folder.inspect(&token, "keys", rules);
    let (code, said) = run(r#"{"issuers":["me"],"audiences":["another"]}"#);
    assert!(code == Some(0) && said.contains("ok    signature"), "{said}");
    let (code, said) = run(r#"{"issuers":["me"],"audiences":["api"],"now":4000000000}"#);
    assert!(code == Some(1) && said.contains("FAIL  aud: audience\nFAIL  exp: expired"), "{said}");
    let (code, said) =
        folder.inspect(&token, "pem", r#"{"issuers":["me"],"audiences":["another"],"algorithms":["ES256"]}"#);
    assert!(code == Some(0), "{said}");
    for wrong in [
        "{}",
        r#"{"issuers":["me"],"audiences":["a"],"algorithms":["none"]}"#,
        r#"{"issuers":["me"],"audiences":["a"],"dangers":["any_algorithm"]}"#,
        r#"{"issuers":["me"],"audiences":["a"],"profile":"access_tokens","types":["JWT"]}"#,
        r#"{"issuers":["me"],"audiences":["a"],"unheard_of":1}"#,
        "garbage",
    ] {
        let (code, said) = run(wrong);
        assert!(code == Some(2) && said.starts_with("error: ") && said.lines().count() == 1, "{said}");
    }
    let (code, said) = folder.inspect(&token, "pem", r#"{"issuers":["me"],"audiences":["another"]}"#);
    assert!(code == Some(2) && said.contains("algorithms"), "{said}");
}

#[test]
fn inspect_tells_how_it_is_used() {
    let asked = |arguments: &[&str]| Command::new(executable("inspect")).args(arguments).output().expect("it runs");
    let help = asked(&["--help"]);
    let said = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.status.success() && help.stderr.is_empty(), "{help:?}");
    for option in ["--token", "--keys", "--pem", "--secret", "--rules", "--help"] {
        assert!(said.contains(&format!("  {option}")), "{said}");
    }
    assert!(String::from_utf8_lossy(&asked(&[]).stderr).contains("--help"));
}

#[test]
fn inspect_has_a_word_for_every_rule_of_a_verifier() {
    let folder = Folder::new("rules");
    folder.file("secret", [7; 32]);
    let key = SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret");
    let token = |claims: serde_json::Value| JwtSigner::new(key.clone()).sign(&claims).expect("a token");
    let token = token(serde_json::json!({
        "iss": "me", "aud": "api", "sub": "7", "client_id": "app", "cnf": {"jkt": "x"}, "iat": 1000, "exp": 2000,
    }));
    let base = r#""issuers":["me"],"audiences":["api"],"algorithms":["HS256"],"now":1500"#;
    let bound = r#","dangers":["any_holder"]"#;
    let cases: [(&str, &str); 10] = [
        (bound, ""),
        ("", "FAIL  cnf: confirmation"),
        (r#","dangers":["any_holder"],"subjects":["8"]"#, "FAIL  sub: subject"),
        (r#","dangers":["any_holder"],"required":["jti"]"#, "FAIL  required claims: missing_claim"),
        (r#","dangers":["any_holder"],"max_age":60"#, "FAIL  max_age: too_old"),
        (r#","dangers":["any_holder"],"max_lifetime":60"#, "FAIL  max_lifetime: lifetime"),
        (r#","dangers":["any_holder"],"audience_claim":"client_id""#, "FAIL  audience claim: audience"),
        (r#","dangers":["any_holder"],"types":["at+jwt"]"#, "FAIL  typ: token_type"),
        (r#","dangers":["any_holder"],"profile":"access_tokens""#, "FAIL  required claims: missing_claim"),
        (r#","dangers":["any_holder"],"profile":"id_tokens","try_keys":8,"leeway":0"#, ""),
    ];
    for (more, expected) in cases {
        let (code, said) = folder.inspect(&token, "secret", &format!("{{{base}{more}}}"));
        assert_eq!(code, Some(i32::from(!expected.is_empty())), "{more}: {said}");
        assert!(said.contains(expected), "{more}: {said}");
    }
}

#[test]
fn inspect_explains_the_tokens_of_flamas_article() {
    let folder = Folder::new("flama");
    folder.file("secret", [0; 16]);
    let token = "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJkYXRhIjogeyJmb28iOiAiYmFyIn0sICJpYXQiOiAwfQ==.\
                 J3zdedMZSFNOimstjJat0V28rM_b1UU62XCp9dg_5kg=";
    let short = r#""algorithms":["HS256"],"issuers":["me"],"audiences":["api"],"dangers":["short_secret"]"#;
    let (code, said) = folder.inspect(token, "secret", &format!("{{{short}}}"));
    let reasons = ["encoding: padding", "iss: issuer", "aud: audience", "exp: missing_claim"];
    assert!(code == Some(1) && reasons.iter().all(|reason| said.contains(&format!("FAIL  {reason}\n"))), "{said}");
    let recipe = r#"{"algorithms":["HS256"],
        "dangers":["short_secret","any_issuer","any_audience","no_expiration","padded_base64url"]}"#;
    let (code, said) = folder.inspect(token, "secret", recipe);
    assert!(code == Some(0) && said.contains("-     iss: Danger::AnyIssuer\n"), "{said}");
    let (code, said) = folder.inspect(token, "secret", &recipe.replace(r#""short_secret","#, ""));
    assert!(code == Some(2) && said.contains("too weak"), "{said}");
}

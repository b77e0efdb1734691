//! `examples/inspect`: why a token is not taken.

use crate::quickstart::executable;
use countersign::issue::{Claims, JwtSigner};
use countersign::jwk::JwkSet;
use countersign::{Algorithm, SigningKey};
use std::process::Command;
use std::time::Duration;

#[test]
fn inspect_tells_every_check_and_ends_accordingly() {
    let key = SigningKey::generate(Algorithm::ES256).expect("a key").with_key_id("k1").expect("a kid");
    let set: JwkSet = key.verifying_key().jwk().into_iter().collect();
    let claims = Claims::new("me").audience("another").lifetime(Duration::from_secs(60));
    let token = JwtSigner::new(key).issue(&claims).expect("a token");
    let folder = std::env::temp_dir().join(format!("countersign-inspect-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let token = file("token", &token);
    let keys = file("keys", &serde_json::to_string(&set).expect("JSON"));
    let run = |rules: &str| {
        let rules = file("rules", rules);
        let mut command = Command::new(executable("inspect"));
        command.arg("--token").arg(&token).arg("--keys").arg(&keys).arg("--rules").arg(&rules);
        let output = command.output().expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    };
    let (code, said) = run(r#"{"issuers":["me"],"audiences":["another"]}"#);
    assert!(code == Some(0) && said.contains("ok    signature"), "{said}");
    let (code, said) = run(r#"{"issuers":["me"],"audiences":["api"],"now":4000000000}"#);
    assert!(code == Some(1) && said.contains("FAIL  aud: audience\nFAIL  exp: expired"), "{said}");
    for wrong in ["{}", r#"{"issuers":["me"],"audiences":["a"],"algorithms":["none"]}"#, "garbage"] {
        let (code, said) = run(wrong);
        assert!(code == Some(2) && said.starts_with("error: ") && said.lines().count() == 1, "{said}");
    }
    std::fs::remove_dir_all(&folder).expect("cleared");
}

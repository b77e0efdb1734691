//! What explains a verdict agrees with it, whatever the token.

use countersign::danger;
use countersign::danger::Danger;
use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, VerifyError};
use countersign::{Algorithm, JwtVerifier, SigningKey, jws};
use countersign_testkit::clock::FakeClock;
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::Duration;

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_secret(Algorithm::HS256, [7; 32]).expect("a secret"));

static VERIFIERS: LazyLock<[JwtVerifier; 4]> = LazyLock::new(|| {
    let bare = || {
        JwtVerifier::builder(KEY.verifying_key().clone())
            .algorithms([Algorithm::HS256])
            .clock(FakeClock::at(1000))
            .max_bytes(700)
    };
    let named = || bare().issuer("me").audience("api");
    let ages = named().max_age(Duration::from_secs(60)).max_lifetime(Duration::from_secs(60)).subject("me");
    let renamed = named().audience_claim("client_id").require_claim("azp").check(|_| Err("never"));
    let lax = bare().dangers(danger::FLAMA).danger(Danger::AnyHolder);
    [ages, renamed, named().id_tokens_only(), lax].map(|builder| builder.build().expect("a verifier"))
});

/// Something like a JSON object: members with likely and unlikely values, and now and then a broken end.
fn object(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    const VALUES: &[&str] = &[
        r#""HS256""#,
        r#""ES256""#,
        r#""none""#,
        r#""JWT""#,
        r#""at+jwt""#,
        r#""logout+jwt""#,
        r#""me""#,
        r#""api""#,
        r#"["api"]"#,
        r#"["api","x"]"#,
        r#"["x"]"#,
        "[]",
        "{}",
        r#"{"a:b":{}}"#,
        r#"{"a":1,"a":1}"#,
        "null",
        "true",
        "0",
        "-1",
        "990",
        "1010",
        "1e3",
        "1e400",
        "[1}",
        r#""""#,
        "false",
        r#""\u0001""#,
    ];
    let member = (prop::sample::select(names), prop::sample::select(VALUES));
    let members = prop::collection::vec(member.prop_map(|(name, value)| format!("\"{name}\":{value}")), 0..6);
    let end = prop_oneof![12 => Just("}"), 1 => Just(""), 1 => Just("}x"), 1 => Just(",}")];
    (members, end).prop_map(|(members, end)| format!("{{{}{end}", members.join(",")))
}

/// Base64url through the public API: the payload of a signed token.
fn encode(bytes: &[u8], padded: bool) -> String {
    let token = jws::sign(&KEY, &jws::Header::new(&KEY), bytes).expect("HMAC signs");
    let text = token.split('.').nth(1).expect("three parts");
    let padding = if padded { text.len().wrapping_neg() % 4 } else { 0 };
    format!("{text}{}", "=".repeat(padding))
}

prop_compose! {
    fn token()(
        header in prop_oneof![
            4 => object(&["typ", "kid", "crit", "b64", "x", "alg"]).prop_map(|rest| rest.replacen('{', r#"{"alg":"HS256","#, 1).replace(",}", "}")),
            1 => object(&["alg", "typ", "kid", "crit", "b64", "x"]),
        ],
        payload in prop_oneof![
            3 => object(&["aud", "iat", "nbf", "sub", "azp", "cnf", "events", "client_id", "scope", "jti"])
                .prop_map(|rest| rest.replacen('{', r#"{"iss":"me","exp":1010,"#, 1).replace(",}", "}")),
            1 => object(&["iss", "aud", "exp", "iat", "nbf", "sub", "azp", "cnf", "events", "client_id"]),
        ],
        padded in prop::array::uniform3(prop::bool::weighted(0.1)),
        is_signed in prop::bool::weighted(0.8),
        more in prop_oneof![9 => Just(String::new()), 1 => "[.=A-Z]{1,3}", 1 => Just("A".repeat(700))],
    ) -> String {
        let input = format!("{}.{}", encode(header.as_bytes(), padded[0]), encode(payload.as_bytes(), padded[1]));
        let message: &[u8] = if is_signed { input.as_bytes() } else { b"another" };
        let signature = KEY.sign(message).expect("HMAC signs");
        format!("{input}.{}{more}", encode(&signature, padded[2]))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]
    #[test]
    fn the_first_failure_told_is_the_reason_of_the_verdict(token in token()) {
        for verifier in VERIFIERS.iter() {
            let verdict = verifier.verify_now(&Credential::new("Bearer", &token)).expect("a local key");
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let std::task::Poll::Ready(explanation) = std::pin::pin!(verifier.explain(&token)).poll(&mut context) else {
                panic!("a local key needs no waiting")
            };
            prop_assert_eq!(explanation.is_accepted(), verdict.is_ok(), "{}\n{}", token, explanation);
            let reason = match verdict {
                Ok(_) => None,
                Err(VerifyError::Rejected(rejection)) => Some(rejection),
                Err(other) => panic!("{other:?}"),
            };
            // Claims that are much to read are read behind these, and told before them.
            let is_sooner = matches!(reason, Some(Rejection::Issuer | Rejection::Signature | Rejection::KeyMismatch));
            let first = explanation.failures().next();
            prop_assert!(first == reason || (first.is_some() && is_sooner), "{reason:?}: {token}\n{explanation}");
            let names: Vec<_> = explanation.steps().iter().map(|step| step.check).collect();
            let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
            prop_assert_eq!(twice, None, "{}\n{}", token, explanation);
        }
    }
}

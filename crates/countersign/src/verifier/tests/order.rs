//! What is too much to read before a signature stands over it is read behind the signature, and no other token is taken.

use super::*;
use crate::claims::{RegisteredClaims, WantedClaims};
use crate::json::find_first;
use crate::jws;
use crate::token::ill_formed;
use proptest::collection::vec;
use proptest::prelude::*;

fn secret(octet: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::HS256, [octet; 32]).expect("a key")
}

fn verifier() -> (JwtVerifier, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let keys = Counting(secret(7).verifying_key().clone(), Arc::clone(&asked));
    (builder(keys).algorithms([Algorithm::HS256]).build().expect("a verifier"), asked)
}

fn token(key: &SigningKey, payload: &[u8]) -> String {
    jws::sign(key, &Header::new(key), payload).expect("a token")
}

fn is_laborious(payload: &[u8]) -> bool {
    let read = |payload| RegisteredClaims::default().read_or_find_issuer(payload, &WantedClaims::default());
    str::from_utf8(payload).is_ok_and(|payload| read(payload) == Ok(false))
}

/// The verdict where all claims are read before anything else is asked of them.
fn strict(verifier: &JwtVerifier, payload: &[u8], is_signed: bool) -> Result<(), Rejection> {
    let payload = str::from_utf8(payload).map_err(|_| Rejection::Malformed)?;
    let claims = RegisteredClaims::parse(payload, &verifier.rules.wanted).map_err(ill_formed)?;
    verifier.rules.check_issuer(claims.issuer(payload))?;
    if !is_signed {
        return Err(Rejection::Signature);
    }
    verifier.rules.check(&Claimed { header: None, payload, claims: &claims }, Duration::from_secs(NOW))
}

/// The verdict where all that is known of the claims before the signature is the issuer that a scan finds.
fn by_scan(verifier: &JwtVerifier, payload: &[u8], is_signed: bool) -> Result<(), Rejection> {
    let text = str::from_utf8(payload).map_err(|_| Rejection::Malformed)?;
    let issuer = find_first(text, 0, "iss").and_then(|issuer| issuer.string("iss").ok());
    verifier.rules.check_issuer(issuer.as_deref())?;
    if is_signed { strict(verifier, payload, true) } else { Err(Rejection::Signature) }
}

fn member() -> impl Strategy<Value = String> {
    let registered = [
        r#""iss":"https://issuer.example/""#,
        r#""\u0069ss":"https://issuer.example/""#,
        r#""iss":"https:\/\/issuer.example\/""#,
        r#""iss":"https://other.example/""#,
        r#""iss":7"#,
        r#""aud":["web","api"]"#,
        r#""exp":1800000060"#,
        r#""exp":1"#,
        r#""sub":"\n""#,
        r#""nbf":"7""#,
        r#""events":{"a":1,"a":1}"#,
    ];
    let stuffing =
        [r#"{"iss":"https://issuer.example/"}"#, r#""\n""#, "[[[[]]]]", "-1.5e-7", " 0\n", "\"\u{df}\"", "\"iss\""];
    let list = (prop::sample::select(stuffing.to_vec()), 0..30_usize, "[a-z]{1,3}")
        .prop_map(|(item, times, name)| format!("\"{name}\":[{}]", vec![item; times].join(",")));
    prop_oneof![2 => prop::sample::select(registered.to_vec()).prop_map(str::to_owned), 1 => list]
}

/// All that a good token has, in any order, with members between them, and sometimes a byte changed.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let good = [r#""iss":"https://issuer.example/""#, r#""aud":"api""#, r#""exp":1800000060"#].map(str::to_owned);
    let members = (vec(member(), 0..8), any::<bool>()).prop_map(move |(mut members, is_good)| {
        members.extend(good.iter().filter(|_| is_good).cloned());
        members
    });
    let broken = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>(), any::<bool>()));
    (members.prop_shuffle(), broken).prop_map(|(members, broken)| {
        let mut payload = format!("{{{}}}", members.join(",")).into_bytes();
        if let Some((at, to, is_cut)) = broken {
            let at = at.index(payload.len());
            if is_cut { payload.truncate(at) } else { payload[at] = to }
        }
        payload
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn reading_later_takes_no_other_token(payload in payload(), is_signed: bool) {
        let (verifier, _) = verifier();
        let token = token(&secret(if is_signed { 7 } else { 8 }), &payload);
        let verdict = outcome(&verifier, &token).map(|token| assert_eq!(token.payload().as_bytes(), payload));
        let strict = strict(&verifier, &payload, is_signed);
        prop_assert_eq!(verdict.is_ok(), strict.is_ok());
        let expected = if is_laborious(&payload) { by_scan(&verifier, &payload, is_signed) } else { strict };
        prop_assert_eq!(verdict, expected);
    }
}

/// Claims that are too much to read before a signature, with `members` behind what makes them so.
fn stuffed(members: &str) -> Vec<u8> {
    let payload = format!("{{{STUFFING},{members}}}").into_bytes();
    assert!(is_laborious(&payload), "{members}");
    payload
}

const STUFFING: &str = r#""x":[[[[[]]]],[[[[]]]],[[[[]]]],[[[[]]]],[[[[]]]],[[[[]]]],[[[[]]]],[[[[]]]]]"#;

#[test]
fn no_key_is_asked_for_before_the_issuer_is_one_of_ours() {
    const REST: &str = r#""aud":"api","exp":1800000060"#;
    // The issuer, what is said of a token with a signature, and whether a key is asked for.
    for (issuer, expected, is_asked) in [
        (r#""iss":"https://issuer.example/""#, Ok(()), true),
        (r#""\u0069s\u0073":"https:\/\/issuer.example/""#, Ok(()), true),
        (r#""y":{"iss":"https://other.example/"},"iss":"https://issuer.example/""#, Ok(()), true),
        (r#""iss":"https://other.example/""#, Err(Rejection::Issuer), false),
        (r#""y":{"iss":"https://issuer.example/"}"#, Err(Rejection::Issuer), false),
        (r#""y":"iss""#, Err(Rejection::Issuer), false),
        (r#""iss":7"#, Err(Rejection::Issuer), false),
        (r#""iss":["https://issuer.example/"]"#, Err(Rejection::Issuer), false),
        (r#""iss":"\ud800""#, Err(Rejection::Issuer), false),
        (r#""iss":"https://other.example/","iss":"https://issuer.example/""#, Err(Rejection::Issuer), false),
        (r#""iss":"https://issuer.example/","iss":"https://issuer.example/""#, Err(Rejection::Malformed), true),
        (r#""iss":"https://issuer.example/","iss":"https://other.example/""#, Err(Rejection::Malformed), true),
        (r#""iss":"https://issuer.example/","\u0069ss":7"#, Err(Rejection::Malformed), true),
        (r#""iss":"https://issuer.example/","sub":7"#, Err(Rejection::InvalidClaim), true),
        (r#""iss":"https://issuer.example/","#, Err(Rejection::Malformed), true),
    ] {
        let payload = stuffed(&format!("{issuer},{REST}"));
        let forged = if is_asked { Rejection::Signature } else { Rejection::Issuer };
        for (key, expected) in [(secret(7), expected), (secret(8), Err(forged))] {
            let (verifier, asked) = verifier();
            assert_eq!(outcome(&verifier, &token(&key, &payload)).map(drop), expected, "{issuer}");
            assert_eq!(asked.load(Ordering::Relaxed), usize::from(is_asked), "{issuer}");
        }
    }
    let (verifier, _) = verifier();
    let first = format!("{{\"iss\":\"{ISSUER}\",{REST},{STUFFING}}}");
    assert!(is_laborious(first.as_bytes()) && outcome(&verifier, &token(&secret(7), first.as_bytes())).is_ok());
}

#[test]
fn who_names_no_issuer_reads_later_too() {
    let payload = stuffed(r#""aud":"api","exp":1800000060"#);
    let keys = secret(7).verifying_key().clone();
    let verifier = JwtVerifier::builder(keys).algorithms([Algorithm::HS256]).audience("api").clock(Fixed);
    let verifier = verifier.danger(Danger::AnyIssuer).build().expect("a verifier");
    assert_eq!(outcome(&verifier, &token(&secret(7), &payload)).map(drop), Ok(()));
    assert_eq!(outcome(&verifier, &token(&secret(8), &payload)).map(drop), Err(Rejection::Signature));
    let payload = stuffed(r#""aud":"api","exp":1800000060,"iss":7"#);
    assert_eq!(outcome(&verifier, &token(&secret(7), &payload)).map(drop), Err(Rejection::Issuer));
}

/// Claims as issuers write them, without a new line for each: each of them is read at once.
#[test]
fn what_issuers_write_is_no_labour() {
    let keycloak = concat!(
        r#"{"exp":1800000300,"iat":1800000000,"auth_time":1799999000,"jti":"onrtac:6d5d9a4b-8f1b-4b0a-9b0d-2f6c0f0a7c5e","#,
        r#""iss":"https://id.example/realms/shop","aud":["realm-management","account"],"#,
        r#""sub":"3f1c9d0e-95a1-4a53-8a9c-1d8d1d6b4c55","typ":"Bearer","azp":"web","#,
        r#""sid":"a5a0fc4c-8d5f-4f5c-9f0f-5b8b4e3d3a11","acr":"1","allowed-origins":["https://app.example"],"#,
        r#""realm_access":{"roles":["default-roles-shop","offline_access","uma_authorization"]},"#,
        r#""resource_access":{"realm-management":{"roles":["view-users","query-groups","query-users"]},"#,
        r#""account":{"roles":["manage-account","manage-account-links","view-profile"]}},"#,
        r#""scope":"openid email profile","email_verified":true,"name":"Ada Example","preferred_username":"ada","#,
        r#""given_name":"Ada","family_name":"Example","email":"ada@app.example"}"#,
    );
    let entra = json!({
        "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "iss": "https://login.example/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
        "iat": NOW, "nbf": NOW, "exp": NOW, "acct": 0, "acr": "1", "aio": "AXQAi/8IAAAAtAaZLo3ChMif6KOnttRB7eBq4/DccQzjcJGxPYy",
        "amr": ["pwd", "mfa"], "appid": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "appidacr": "0", "family_name": "Example",
        "given_name": "Ada", "groups": ["3f1c9d0e-95a1-4a53-8a9c-1d8d1d6b4c55"], "ipaddr": "203.0.113.7", "name": "Ada Example",
        "oid": "111c9d0e-95a1-4a53-8a9c-1d8d1d6b4c55", "puid": "10032000A1B2C3D4", "rh": "0.ARoAv4j5cvGGr0GRqy180BHbRw.",
        "roles": ["Orders.Read", "Orders.Write"], "scp": "access_as_user", "sid": "a5a0fc4c-8d5f-4f5c-9f0f-5b8b4e3d3a11",
        "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "tid": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "unique_name": "ada@app.example", "upn": "ada@app.example", "uti": "4SMqfZvBakGsyBoElY0VAA", "ver": "1.0",
        "wids": ["62e90394-69f5-4237-9190-012177145e10"], "xms_tcdt": 1_289_241_547,
    });
    let names = "https:\\/\\/app.example\\/";
    for payload in [
        claims().to_string(),
        keycloak.to_owned(),
        entra.to_string(),
        // Escapes as PHP and Python write them.
        format!(r#"{{"iss":"{names}","aud":["{names}","{names}userinfo"],"sub":"7","exp":1,"name":"Zo\u00eb"}}"#),
        format!(r#"{{"permissions":[{}]}}"#, vec!["\"resource-000:read-write\""; 600].join(",")),
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}".to_owned(),
    ] {
        assert!(!is_laborious(payload.as_bytes()), "{payload}");
    }
}

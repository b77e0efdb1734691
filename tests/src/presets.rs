//! Well-known issuers by name: what each takes of tokens, and of the documents that they publish.

use crate::machine::vectors;
use countersign::Algorithm::{self, PS256, RS256};
use countersign::jws::{self, Header};
use countersign::provider::{KeyProvider, KeyRequest};
use countersign::reason::Rejection;
use countersign::request::Credential;
use countersign::verify::{TokenVerifier, VerifyError};
use countersign::{SigningKey, async_trait};
use countersign_keys::presets::{self, Preset};
use countersign_keys::{FetchError, FetchRequest, Fetched, JwksFetch, LayeredKeys};
use countersign_rbac::ClaimsMapping;
use serde_json::{Value, json};

const RSA: &str = include_str!("../../examples/src/quickstart/demo-rsa.pem");
const TENANT: &str = "7d2c1a4e-0000-4000-8000-000000000001";
const OTHER_TENANT: &str = "7d2c1a4e-0000-4000-8000-000000000002";
const STRANGER: &str = "7d2c1a4e-0000-4000-8000-00000000000f";

fn issuer_of(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// One preset by its name here.
fn preset(name: &str) -> Preset {
    match name {
        "auth0" => presets::auth0("tenant.eu.auth0.com"),
        "keycloak" => presets::keycloak("https://id.example", "staff"),
        "entra" => presets::entra(TENANT),
        "entra_tenants" => presets::entra_tenants([TENANT, OTHER_TENANT]),
        "okta" => presets::okta("example.okta.com", "default"),
        "cognito" => presets::cognito("eu-central-1_EXAMPLE"),
        "google" => Ok(presets::google()),
        "zuplo" => presets::zuplo("https://gateway.example"),
        "github_actions" => presets::github_actions(["octo-org/octo-repo"]),
        _ => panic!("{name}"),
    }
    .expect(name)
}

/// What the preset says of a token with this `typ` (none where it is empty) and these claims, times and `sub` added.
fn verdict(name: &str, algorithm: Algorithm, token_type: &str, mut claims: Value) -> Result<(), Rejection> {
    let key = match algorithm {
        RS256 | PS256 | Algorithm::RS512 => SigningKey::from_pem(algorithm, RSA),
        _ => SigningKey::generate(algorithm),
    };
    let key = key.expect("a key");
    for (claim, value) in [("sub", json!("7")), ("exp", json!(4_000_000_000_u32)), ("iat", json!(1_700_000_000))] {
        claims[claim] = value;
    }
    // Layers say nothing of their algorithms, as an issuer's keys do not: a lone key that is never taken makes no verifier.
    let keys = LayeredKeys::new(key.verifying_key().clone());
    let verifier = preset(name).verifier(keys).audience("my-api").build().expect("a verifier");
    let header = Header::new(&key);
    let header = if token_type.is_empty() { header } else { header.with_type(token_type) };
    let token = jws::sign(&key, &header, claims.to_string().as_bytes()).expect("a token");
    match verifier.verify_now(&Credential::new("Bearer", &token)).expect("a local key") {
        Ok(_) => Ok(()),
        Err(VerifyError::Rejected(rejection)) => Err(rejection),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn each_takes_its_own_tokens_and_no_others() {
    use Algorithm::{ES256, Ed25519, RS512};
    let no_access_token = Err(Rejection::Check("no_access_token"));
    let other_tenant = Err(Rejection::Check("tenant_of_another_issuer"));
    let other_repository = Err(Rejection::Check("another_repository"));
    let (auth0, realm) = ("https://tenant.eu.auth0.com/", "https://id.example/realms/staff");
    let (okta, pool) = (
        "https://example.okta.com/oauth2/default",
        "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE",
    );
    let (gateway, actions) = ("https://gateway.example", "https://token.actions.githubusercontent.com");
    let entra = |iss: &str, tid: &str| json!({"iss": issuer_of(iss), "aud": "my-api", "tid": tid, "azp": "client"});
    // Of a registration that users log in to and that is the API as well.
    let id_token = || json!({"iss": issuer_of(TENANT), "aud": "my-api", "tid": TENANT});
    let repository = |name: &str| json!({"iss": actions, "aud": "my-api", "repository": name});
    let cases = [
        (
            "auth0",
            RS256,
            "JWT",
            json!({"iss": auth0, "aud": ["my-api", "https://tenant.eu.auth0.com/userinfo"]}),
            Ok(()),
        ),
        ("auth0", RS256, "at+jwt", json!({"iss": auth0, "aud": "my-api"}), Ok(())),
        ("auth0", RS256, "", json!({"iss": auth0, "aud": "my-api"}), Err(Rejection::TokenType)),
        ("auth0", RS256, "JWT", json!({"iss": "https://tenant.eu.auth0.com", "aud": "my-api"}), Err(Rejection::Issuer)),
        ("auth0", RS256, "JWT", json!({"iss": auth0, "aud": "a client"}), Err(Rejection::Audience)),
        ("auth0", ES256, "JWT", json!({"iss": auth0, "aud": "my-api"}), Err(Rejection::Algorithm)),
        ("keycloak", RS256, "JWT", json!({"iss": realm, "aud": "my-api", "typ": "Bearer"}), Ok(())),
        ("keycloak", PS256, "at+jwt", json!({"iss": realm, "aud": ["account", "my-api"], "typ": "Bearer"}), Ok(())),
        ("keycloak", ES256, "JWT", json!({"iss": realm, "aud": "my-api", "typ": "Bearer"}), Ok(())),
        ("keycloak", RS512, "JWT", json!({"iss": realm, "aud": "my-api", "typ": "Bearer"}), Err(Rejection::Algorithm)),
        ("keycloak", RS256, "JWT", json!({"iss": realm, "aud": "my-api", "typ": "ID"}), no_access_token),
        ("keycloak", RS256, "JWT", json!({"iss": realm, "aud": "my-api", "typ": "Refresh"}), no_access_token),
        ("keycloak", RS256, "JWT", json!({"iss": realm, "aud": "my-api", "typ": ["Bearer"]}), no_access_token),
        ("keycloak", RS256, "JWT", json!({"iss": realm, "aud": "my-api"}), no_access_token),
        ("keycloak", RS256, "JWT", json!({"iss": realm, "aud": "account", "typ": "Bearer"}), Err(Rejection::Audience)),
        (
            "keycloak",
            RS256,
            "JWT",
            json!({"iss": "https://id.example/realms/other", "aud": "my-api"}),
            Err(Rejection::Issuer),
        ),
        ("entra", RS256, "JWT", entra(TENANT, TENANT), Ok(())),
        ("entra", RS256, "JWT", entra(TENANT, OTHER_TENANT), other_tenant),
        ("entra", RS256, "JWT", json!({"iss": issuer_of(TENANT), "aud": "my-api", "azp": "client"}), other_tenant),
        ("entra", RS256, "JWT", entra(OTHER_TENANT, OTHER_TENANT), Err(Rejection::Issuer)),
        ("entra", RS256, "", entra(TENANT, TENANT), Err(Rejection::TokenType)),
        ("entra", RS256, "JWT", id_token(), Err(Rejection::MissingClaim)),
        ("entra_tenants", RS256, "JWT", id_token(), Err(Rejection::MissingClaim)),
        ("entra_tenants", RS256, "JWT", entra(TENANT, TENANT), Ok(())),
        ("entra_tenants", RS256, "JWT", entra(OTHER_TENANT, OTHER_TENANT), Ok(())),
        ("entra_tenants", RS256, "JWT", entra(TENANT, OTHER_TENANT), other_tenant),
        ("entra_tenants", RS256, "JWT", entra(OTHER_TENANT, TENANT), other_tenant),
        ("entra_tenants", RS256, "JWT", entra(TENANT, STRANGER), other_tenant),
        ("entra_tenants", RS256, "JWT", entra(TENANT, "{tenantid}"), other_tenant),
        (
            "entra_tenants",
            RS256,
            "JWT",
            json!({"iss": issuer_of(TENANT), "aud": "my-api", "tid": [TENANT], "azp": "client"}),
            other_tenant,
        ),
        (
            "entra_tenants",
            RS256,
            "JWT",
            json!({"iss": issuer_of(TENANT), "aud": "my-api", "azp": "client"}),
            other_tenant,
        ),
        ("entra_tenants", RS256, "JWT", entra(STRANGER, STRANGER), Err(Rejection::Issuer)),
        ("entra_tenants", RS256, "JWT", entra("{tenantid}", "{tenantid}"), Err(Rejection::Issuer)),
        ("entra_tenants", RS256, "JWT", entra("common", "common"), Err(Rejection::Issuer)),
        ("okta", RS256, "", json!({"iss": okta, "aud": "my-api", "cid": "client"}), Ok(())),
        ("okta", RS256, "JWT", json!({"iss": okta, "aud": "my-api", "cid": "client"}), Ok(())),
        ("okta", RS256, "", json!({"iss": okta, "aud": "my-api"}), Err(Rejection::MissingClaim)),
        ("okta", RS256, "", json!({"iss": "https://example.okta.com", "aud": "my-api"}), Err(Rejection::Issuer)),
        ("cognito", RS256, "", json!({"iss": pool, "client_id": "my-api", "token_use": "access"}), Ok(())),
        ("cognito", RS256, "", json!({"iss": pool, "client_id": "my-api", "token_use": "id"}), no_access_token),
        ("cognito", RS256, "", json!({"iss": pool, "client_id": "my-api"}), no_access_token),
        (
            "cognito",
            RS256,
            "",
            json!({"iss": pool, "client_id": "other", "token_use": "access"}),
            Err(Rejection::Audience),
        ),
        ("cognito", RS256, "", json!({"iss": pool, "aud": "my-api", "token_use": "access"}), Err(Rejection::Audience)),
        (
            "google",
            RS256,
            "JWT",
            json!({"iss": "https://accounts.google.com", "aud": "my-api", "azp": "an app"}),
            Ok(()),
        ),
        ("google", RS256, "JWT", json!({"iss": "accounts.google.com", "aud": "my-api"}), Ok(())),
        ("google", RS256, "JWT", json!({"iss": "http://accounts.google.com", "aud": "my-api"}), Err(Rejection::Issuer)),
        ("zuplo", Ed25519, "JWT", json!({"iss": gateway, "aud": "my-api"}), Ok(())),
        ("zuplo", Algorithm::EdDSA, "", json!({"iss": gateway, "aud": "my-api"}), Ok(())),
        ("zuplo", RS256, "", json!({"iss": gateway, "aud": "my-api"}), Ok(())),
        ("zuplo", RS256, "", json!({"iss": gateway}), Err(Rejection::Audience)),
        ("github_actions", RS256, "JWT", repository("octo-org/octo-repo"), Ok(())),
        ("github_actions", RS256, "JWT", repository("octo-org/octo-repo2"), other_repository),
        ("github_actions", RS256, "JWT", repository("mallory/octo-repo"), other_repository),
        ("github_actions", RS256, "JWT", json!({"iss": actions, "aud": "my-api"}), other_repository),
    ];
    for (name, algorithm, token_type, claims, expected) in cases {
        let row = format!("{name} {algorithm} {token_type} {claims}");
        assert_eq!(verdict(name, algorithm, token_type, claims), expected, "{row}");
    }
}

#[test]
fn the_claims_mapping_that_a_preset_names_is_there() {
    for name in ["auth0", "keycloak", "entra", "entra_tenants", "okta", "cognito", "google", "zuplo", "github_actions"]
    {
        match preset(name).claims_mapping() {
            Some("auth0") => drop(ClaimsMapping::auth0()),
            Some("cognito") => drop(ClaimsMapping::cognito()),
            Some("entra") => drop(ClaimsMapping::entra()),
            Some("keycloak") => drop(ClaimsMapping::keycloak("my-api")),
            Some("okta") => drop(ClaimsMapping::okta()),
            Some("zuplo") => drop(ClaimsMapping::zuplo()),
            None => assert!(["google", "github_actions"].contains(&name)),
            Some(other) => panic!("{name}: {other}"),
        }
    }
}

/// An issuer that publishes this document, and the metadata that leads to it.
#[derive(Debug)]
struct Published {
    issuer: String,
    document: String,
}

#[async_trait]
impl JwksFetch for Published {
    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        if request.url.ends_with("/.well-known/openid-configuration") {
            assert_eq!(request.url, format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/')));
            let metadata = json!({"issuer": self.issuer, "jwks_uri": "https://keys.example/jwks"});
            return Ok(Fetched::new(metadata.to_string()));
        }
        Ok(Fetched::new(self.document.clone()))
    }
}

/// By preset: a document, an algorithm, the ids of the keys that it has for that, and those that must not count.
const DOCUMENTS: [(&str, &str, Algorithm, &[&str], &[&str]); 13] = [
    ("auth0", "auth0_x5cSingle", RS256, &["NkFCNEE1NDFDNTQ5RTQ5OTE1QzRBMjYyMzY0NEJCQTJBMjJBQkZCMA"], &[]),
    (
        "auth0",
        "auth0_x5cMultiple",
        RS256,
        &[
            "RkI5MjI5OUY5ODc1N0Q4QzM0OUYzNkVGMTJDOUEzQkFCOTU3NjE2Rg",
            "NkFCNEE1NDFDNTQ5RTQ5OTE1QzRBMjYyMzY0NEJCQTJBMjJBQkZCMA",
        ],
        &[],
    ),
    ("auth0", "auth0_x5c_x5t", RS256, &["1Z57d_i7TE6KTY57pKzDy", "v2HFn4VqJB-U4vtQRJ3Ql"], &[]),
    (
        "keycloak",
        "keycloak_sig_and_enc",
        RS256,
        &["U1MayerhVuRj8xtFR8hyMH9lCfVMKlb3TG7mbQAS19M"],
        &["lYXxnemSzWNBUoPug_h0hZnjPi5oKCmQ9awQJaZCWWM"],
    ),
    (
        "keycloak",
        "keycloak_ps_x5c",
        PS256,
        &["4hmO65bbc7IVI-3PfA2emAlO0qhv4rB__yw8BPQ58q8"],
        &["RGlV9a54XdAsuiYUDkQ0hDkiSZ92TJCgneh7-HvN-sk", "u_ZZAorrQhtL2MA-bWkZ0qpzjia4D3u6QUvBRscHLrg"],
    ),
    ("keycloak", "keycloak_enc_only", RS256, &[], &["lYXxnemSzWNBUoPug_h0hZnjPi5oKCmQ9awQJaZCWWM"]),
    (
        "entra",
        "microsoft_aad_common_v1_7keys",
        RS256,
        &["23ntaxfH9Gk-8D_USzoAJgwjyt8", "MGLqj98VNLoXaFfpJCBpgB4JaKs"],
        &[],
    ),
    ("entra", "microsoft_aad_2015_3keys", RS256, &["kWbkaa6qs8wsTnBwiiNYOhHbnAw", "fwNs8F_h9KrHMA_OcTP1pGFWwyc"], &[]),
    (
        "entra_tenants",
        "microsoft_aad_common_v2_10keys",
        RS256,
        &["23ntaxfH9Gk-8D_USzoAJgwjyt8", "MGLqj98VNLoXaFfpJCBpgB4JaKs"],
        &["PERSONAL"],
    ),
    ("okta", "okta_sdk_1024bit", RS256, &[], &["U5R8cHbGw445Qbq8zVO1PcCpXL8yG6IcovVa3laCoxM"]),
    ("cognito", "cognito_docs_sample_tiny_n", RS256, &[], &["1234example=", "5678example="]),
    (
        "google",
        "google_2016",
        RS256,
        &["85e55107466b7e29836199c58c7581f5b923be44", "bdc4e109815f469460e63d34cd684215148d7b59"],
        &[],
    ),
    (
        "github_actions",
        "github_actions_2keys",
        RS256,
        &["cc413527-173f-5a05-976e-9c52b1d7b431", "38826b17-6a30-5f9b-b169-8beb8202f723"],
        &[],
    ),
];

/// The keys of the document that are for one tenant alone.
fn for_one_tenant(document: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(document).expect("JSON");
    let keys = document["keys"].as_array().expect("keys");
    let bound = keys.iter().filter(|key| key["issuer"].as_str().is_some_and(|issuer| !issuer.contains("{tenantid}")));
    bound.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

#[tokio::test]
async fn the_documents_that_issuers_publish_are_read() {
    let Some(folder) = vectors("the documents of well-known issuers") else { return };
    for (name, file, algorithm, usable, useless) in DOCUMENTS {
        let path = folder.join("jwks").join(format!("{file}.json"));
        let document = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let useless: Vec<String> = match useless {
            ["PERSONAL"] => for_one_tenant(&document),
            others => others.iter().map(|kid| (*kid).to_owned()).collect(),
        };
        let preset = preset(name);
        let issuer = preset.issuers()[0].clone();
        let keys = preset.keys_with(Published { issuer: issuer.clone(), document }).build().expect("keys");
        let refreshed = keys.refresh_now().await;
        assert_eq!(refreshed.is_ok(), !usable.is_empty(), "{name} {file}: {refreshed:?}");
        let wanted = |kid| KeyRequest::new(algorithm).with_key_id(Some(kid)).with_issuer(Some(&issuer));
        for kid in usable {
            let key = keys.key_now(&wanted(kid)).expect("from memory");
            assert!(key.is_ok(), "{name} {file} {kid}: {key:?}");
        }
        for kid in &useless {
            assert!(!matches!(keys.key_now(&wanted(kid)), Some(Ok(_))), "{name} {file} {kid}");
        }
        assert!(name != "entra_tenants" || useless.len() == 3, "the document has keys for one tenant alone");
    }
}

use super::template_keys::TemplateKeys;
use super::*;
use crate::JwksFetch;
use countersign::Bytes;
use proptest::prelude::*;

const TENANT: &str = "7d2c1a4e-0000-4000-8000-000000000001";

/// What a preset would ask, or the setting that is to blame.
fn outcome(preset: Result<Preset, ConfigError>) -> Result<String, &'static str> {
    preset.map(|preset| preset.issuers.join(" ")).map_err(|error| error.setting())
}

#[test]
fn names_become_issuers() {
    let cases = [
        (auth0("tenant.eu.auth0.com"), "https://tenant.eu.auth0.com/"),
        (auth0("id.xn--mller-kva.example"), "https://id.xn--mller-kva.example/"),
        (keycloak("https://id.example", "staff"), "https://id.example/realms/staff"),
        (keycloak("https://id.example/", "staff"), "https://id.example/realms/staff"),
        (keycloak("https://id.example:8443/auth", "my.realm_1~"), "https://id.example:8443/auth/realms/my.realm_1~"),
        (keycloak("http://127.0.0.1:8080", "master"), "http://127.0.0.1:8080/realms/master"),
        (entra(TENANT), "https://login.microsoftonline.com/7d2c1a4e-0000-4000-8000-000000000001/v2.0"),
        (entra_tenants([TENANT]), "https://login.microsoftonline.com/7d2c1a4e-0000-4000-8000-000000000001/v2.0"),
        (okta("example.okta.com", "aus1_-x"), "https://example.okta.com/oauth2/aus1_-x"),
        (cognito("us-gov-west-1_AbC123"), "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbC123"),
        (Ok(google()), "https://accounts.google.com accounts.google.com"),
        (zuplo("https://gateway.example/issuer/"), "https://gateway.example/issuer/"),
        (github_actions(["octo-org/octo.repo"]), "https://token.actions.githubusercontent.com"),
    ];
    for (preset, issuers) in cases {
        assert_eq!(outcome(preset).as_deref(), Ok(issuers));
    }
}

#[test]
fn what_could_lead_elsewhere_is_refused_by_name() {
    let long = format!("{}.example", "a".repeat(64));
    for host in [
        "",
        "localhost",
        "example",
        ".example",
        "a..example",
        "a.example.",
        "a.example/",
        "a.example:443",
        "a.example#",
        "a.example?x=",
        "user@a.example",
        "a.example\\@b.example",
        "https://a.example",
        "A.example",
        "a b.example",
        "a.example\n",
        "a%2f.example",
        "mü.example",
        "-a.example",
        "a-.example",
        "127.0.0.1",
        "a.1",
        "[::1]",
        &long,
    ] {
        assert_eq!(outcome(auth0(host)), Err("domain"), "{host}");
        assert_eq!(outcome(okta(host, "default")), Err("domain"), "{host}");
    }
    for segment in ["", ".", "..", "a/b", "../x", "a b", "a?b", "a#b", "%2e%2e", "a\\b", "ä", "a\n", "a;b", "a@b"] {
        assert_eq!(outcome(keycloak("https://id.example", segment)), Err("realm"), "{segment}");
        assert_eq!(outcome(okta("example.okta.com", segment)), Err("server"), "{segment}");
        let (owner, name) = (format!("{segment}/name"), format!("owner/{segment}"));
        assert_eq!(outcome(github_actions([owner])), Err("repositories"), "{segment}");
        assert_eq!(outcome(github_actions([name])), Err("repositories"), "{segment}");
    }
    for url in [
        "",
        "id.example",
        "//id.example",
        "ftp://id.example",
        "file:///etc/passwd",
        "HTTPS://id.example",
        "https://ID.example",
        "https://id.example:443",
        "https://id.example//",
        "https://id.example/a/../b",
        "https://id.example/%2e%2e",
        "https://id.example/a b",
        "https://id.example?x=1",
        "https://id.example/?",
        "https://id.example/#",
        "https://user@id.example",
        "https://user:hunter2@id.example",
        "https://id.example\n",
        " https://id.example",
        "https://2130706433",
        "https://",
        "javascript:alert(1)",
    ] {
        assert_eq!(outcome(keycloak(url, "staff")), Err("server"), "{url}");
        assert_eq!(outcome(zuplo(url)), Err("issuer"), "{url}");
    }
    for tenant in [
        "",
        "common",
        "organizations",
        "consumers",
        "{tenantid}",
        "contoso.onmicrosoft.com",
        "7D2C1A4E-0000-4000-8000-000000000001",
        "7d2c1a4e00004000800000000000000001",
        "7d2c1a4e-0000-4000-8000-00000000000g",
        "7d2c1a4e-0000-4000-8000-000000000001/",
        "{7d2c1a4e-0000-4000-8000-000000000001}",
    ] {
        assert_eq!(outcome(entra(tenant)), Err("tenant"), "{tenant}");
        assert_eq!(outcome(entra_tenants([TENANT, tenant])), Err("tenants"), "{tenant}");
    }
    assert_eq!(outcome(entra_tenants([""; 0])), Err("tenants"));
    assert_eq!(outcome(entra_tenants([PERSONAL_ACCOUNTS])), Err("tenants"));
    assert!(outcome(entra(PERSONAL_ACCOUNTS)).is_ok());
    for pool in [
        "",
        "eu-central-1",
        "eu-central-1_",
        "_EXAMPLE",
        "central_EXAMPLE",
        "eu-central-_EXAMPLE",
        "eu--1_EXAMPLE",
        "eu-central-1_EX/AMPLE",
        "eu-central-1_EX_AMPLE",
        "eu.evil.example/-1_EXAMPLE",
        "EU-central-1_EXAMPLE",
        "cn-north-1_EXAMPLE",
    ] {
        assert_eq!(outcome(cognito(pool)), Err("pool"), "{pool}");
    }
    assert_eq!(outcome(github_actions([""; 0])), Err("repositories"));
    assert_eq!(outcome(github_actions(["owner"])), Err("repositories"));
    assert_eq!(outcome(github_actions(["owner/name/more"])), Err("repositories"));
}

#[test]
fn an_error_shows_its_culprit_escaped() {
    let error = auth0("a.example\r\nlevel=info").expect_err("two lines").to_string();
    assert_eq!(error, "`domain`: `a.example\\r\\nlevel=info` is no host name in lower case");
}

#[cfg(feature = "http")]
#[test]
fn every_preset_builds_keys_and_a_verifier() {
    let presets = [
        auth0("tenant.eu.auth0.com"),
        keycloak("https://id.example", "staff"),
        entra(TENANT),
        entra_tenants([TENANT]),
        okta("example.okta.com", "default"),
        cognito("eu-central-1_EXAMPLE"),
        Ok(google()),
        zuplo("https://gateway.example"),
        github_actions(["octo-org/octo-repo"]),
    ];
    for preset in presets {
        let preset = preset.expect("a preset");
        let keys = preset.keys().build().expect("keys");
        let error = preset.verifier(keys).build().expect_err("no audience");
        assert_eq!(error.setting(), "audience", "{preset:?}");
        let keys = preset.keys().build().expect("keys");
        preset.verifier(keys).audience("api").build().expect("a verifier");
    }
}

/// Says one thing.
#[derive(Debug)]
struct Canned(&'static str);

#[countersign::async_trait]
impl JwksFetch for Canned {
    async fn fetch(&self, _: &crate::FetchRequest<'_>) -> Result<crate::Fetched, crate::FetchError> {
        Ok(if self.0.is_empty() { crate::Fetched::not_modified() } else { crate::Fetched::new(self.0) })
    }
}

#[tokio::test]
async fn a_key_of_one_tenant_alone_is_left_out_of_the_template() {
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let cases = [
        (
            r#"{"keys":[{"kid":"a","issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"},{"kid":"b","issuer":"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"},{"kid":"c"},{"kid":"d","issuer":7},7]}"#,
            Some(r#"{"keys":[{"kid":"a","issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"}]}"#),
        ),
        (r#"{"keys":[]}"#, Some(r#"{"keys":[]}"#)),
        (r#"{"keys":[],"keys":[]}"#, Some("")),
        ("no JSON", Some("")),
        ("", None),
    ];
    for (document, expected) in cases {
        let keys = TemplateKeys::new(Canned(document), template);
        let fetched = keys.fetch(&crate::FetchRequest::new("https://issuer.example/", 1 << 20)).await.expect("canned");
        assert_eq!(fetched.body, expected.map(Bytes::from), "{document}");
    }
}

proptest! {
    #[test]
    fn a_name_never_changes_where_a_url_leads(name in "\\PC{0,12}|[a-zA-Z0-9./_~:@?#%\\\\-]{0,16}") {
        let leads = |preset: Result<Preset, ConfigError>, host: &str, path: &str| {
            let Ok(preset) = preset else { return true };
            let url = url::Url::parse(&preset.issuers[0]).expect("a URL");
            url.host_str() == Some(host) && url.path().starts_with(path) && url.as_str() == preset.issuers[0]
        };
        prop_assert!(leads(keycloak("https://id.example", &name), "id.example", "/realms/"));
        prop_assert!(leads(okta("example.okta.com", &name), "example.okta.com", "/oauth2/"));
        prop_assert!(leads(entra(&name), "login.microsoftonline.com", "/"));
        prop_assert!(leads(auth0(&name), &name, "/"));
        let pool = format!("eu-central-1_{name}");
        prop_assert!(leads(cognito(&pool), "cognito-idp.eu-central-1.amazonaws.com", "/eu-central-1_"));
        let region = format!("{name}_EXAMPLE");
        let host = format!("cognito-idp.{name}.amazonaws.com");
        prop_assert!(leads(cognito(&region), &host, "/"));
    }
}

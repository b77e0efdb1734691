use super::*;

const FLEET_KEY: &str = "tqzVwFhmGyyVoTmGRUBnfB_kJQpCW4SzNV3mRzHoWoM";

/// Plain HTTP, so that no machine needs certificate authorities for these tests.
const ENOUGH: [(&str, &str); 3] =
    [("ISSUER", "http://127.0.0.1:9/"), ("AUDIENCE", "api"), ("ALLOW_HTTP_LOOPBACK", "1")];

fn read(more: &[(&str, &str)]) -> Result<Settings, SettingError> {
    let mut variables = BTreeMap::from(ENOUGH);
    variables.extend(more.iter().copied());
    Settings::read(variables.into_iter().map(|(name, value)| (name.into(), value.into())))
}

#[test]
fn issuer_and_audience_are_enough() {
    let settings = read(&[("PATH", ""), ("issuer", "\n"), ("ISSUER_2", "\n")]).expect("settings");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((&*settings.issuer, &*settings.audience), ("http://127.0.0.1:9/", "api"));
    assert!(settings.revocations.is_none() && settings.token_cache.is_none() && !settings.access_tokens_only);
    assert_eq!(settings.keys.health().provider, "issuer");
}

#[test]
fn every_setting_counts() {
    let settings = read(&[
        ("ISSUER", "any text"),
        ("JWKS_URI", "http://localhost:9/keys"),
        ("LISTEN", "[::1]:0"),
        ("ACCESS_TOKENS_ONLY", "1"),
        ("TOKEN_CACHE", "3600"),
        ("REDIS_URL", "redis://user:hunter2@127.0.0.1:9/1"),
        ("FLEET_KEY", FLEET_KEY),
        ("REVOCATIONS", "degrade"),
        ("PERMISSIONS_CLAIM", "https://app.example/permissions"),
        ("ROLES_CLAIM", "/realm_access/roles"),
    ]);
    let settings = settings.expect("settings");
    assert_eq!(settings.listen.to_string(), "[::1]:0");
    assert!(settings.revocations.is_some() && settings.token_cache.is_some() && settings.access_tokens_only);
    let claims = format!("{:?}", settings.claims);
    for name in ["https://app.example/permissions", "realm_access"] {
        assert!(claims.contains(name), "{claims}");
    }
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(FLEET_KEY), "{shown}");
}

#[test]
fn a_wrong_setting_is_named_and_no_secret_repeated() {
    let long = "x".repeat(10_000);
    let redis = ("REDIS_URL", "redis://:hunter2@127.0.0.1:9/");
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("ISSUER", &[("ISSUER", "")]),
        ("ISSUER", &[("ISSUER", "issuer.example")]),
        ("ISSUER", &[("ISSUER", "ftp://issuer.example/")]),
        ("ISSUER", &[("ISSUER", "http://issuer.example/")]),
        ("ISSUER", &[("ISSUER", "http://10.0.0.1/")]),
        ("ISSUER", &[("ISSUER", "http://hunter2@127.0.0.1/")]),
        ("ISSUER", &[("ISSUER", "http://127.0.0.1/?tenant=1")]),
        ("ISSUER", &[("ISSUER", "http://127.0.0.1/\n")]),
        ("ISSUER", &[("ISSUER", " http://127.0.0.1/")]),
        ("AUDIENCE", &[("AUDIENCE", "")]),
        ("AUDIENCE", &[("AUDIENCE", "a\r\nb")]),
        ("JWKS_URI", &[("JWKS_URI", "")]),
        ("JWKS_URI", &[("JWKS_URI", "/keys")]),
        ("JWKS_URI", &[("JWKS_URI", &long)]),
        ("JWKS_URI", &[("JWKS_URI", "http://169.254.169.254/keys")]),
        ("JWKS_URI", &[("JWKS_URI", "http://:hunter2@127.0.0.1/keys")]),
        ("JWKS_URI", &[("JWKS_URI", "http://127.0.0.1/keys#hunter2")]),
        ("ALLOW_HTTP_LOOPBACK", &[("ALLOW_HTTP_LOOPBACK", "")]),
        ("ALLOW_HTTP_LOOPBACK", &[("ALLOW_HTTP_LOOPBACK", "0")]),
        ("ALLOW_HTTP_LOOPBACK", &[("ALLOW_HTTP_LOOPBACK", "true")]),
        ("ACCESS_TOKENS_ONLY", &[("ACCESS_TOKENS_ONLY", "")]),
        ("ACCESS_TOKENS_ONLY", &[("ACCESS_TOKENS_ONLY", "no")]),
        ("LISTEN", &[("LISTEN", "")]),
        ("LISTEN", &[("LISTEN", "8080")]),
        ("LISTEN", &[("LISTEN", "127.0.0.1")]),
        ("LISTEN", &[("LISTEN", "localhost:8080")]),
        ("LISTEN", &[("LISTEN", "127.0.0.1:65536")]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "")]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "0")]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "3601")]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "-1")]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "1.5")]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "60s")]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "on")]),
        ("TOKEN_CACHE", &[("TOKEN_CACHE", "99999999999999999999")]),
        ("FLEET_KEY", &[redis]),
        ("REDIS_URL", &[("FLEET_KEY", FLEET_KEY)]),
        ("FLEET_KEY", &[redis, ("FLEET_KEY", "")]),
        ("FLEET_KEY", &[redis, ("FLEET_KEY", "hunter2")]),
        ("FLEET_KEY", &[redis, ("FLEET_KEY", "aHVudGVyMg")]),
        ("FLEET_KEY", &[redis, ("FLEET_KEY", "tqzVwFhmGyyVoTmGRUBnfB/kJQpCW4SzNV3mRzHoWoM")]),
        ("REDIS_URL", &[("REDIS_URL", ""), ("FLEET_KEY", FLEET_KEY)]),
        ("REDIS_URL", &[("REDIS_URL", "http://:hunter2@127.0.0.1/"), ("FLEET_KEY", FLEET_KEY)]),
        ("REDIS_URL", &[("REDIS_URL", "127.0.0.1:6379"), ("FLEET_KEY", FLEET_KEY)]),
        ("REVOCATIONS", &[("REVOCATIONS", "strict")]),
        ("REVOCATIONS", &[redis, ("FLEET_KEY", FLEET_KEY), ("REVOCATIONS", "")]),
        ("REVOCATIONS", &[redis, ("FLEET_KEY", FLEET_KEY), ("REVOCATIONS", "Degrade")]),
        ("PERMISSIONS_CLAIM", &[("PERMISSIONS_CLAIM", "")]),
        ("PERMISSIONS_CLAIM", &[("PERMISSIONS_CLAIM", "/a~b")]),
        ("PERMISSIONS_CLAIM", &[("PERMISSIONS_CLAIM", "roles")]),
        ("PERMISSIONS_CLAIM", &[("PERMISSIONS_CLAIM", "role")]),
        ("ROLES_CLAIM", &[("ROLES_CLAIM", "/~")]),
        ("ROLES_CLAIM", &[("ROLES_CLAIM", "permissions")]),
        ("ROLES_CLAIM", &[("PERMISSIONS_CLAIM", "/a/b"), ("ROLES_CLAIM", "/a")]),
    ];
    for (setting, variables) in cases {
        let error = read(variables).expect_err(&format!("{variables:?}"));
        assert_eq!(error.setting(), *setting, "{variables:?}: {error}");
        let line = error.to_string();
        assert!(line.starts_with(&format!("`{setting}`: ")), "{line}");
        assert!(!line.contains(char::is_control) && line.len() < 200, "{line}");
        for secret in ["hunter2", FLEET_KEY, "aHVudGVyMg"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
    for name in ["ISSUER", "AUDIENCE"] {
        let rest = ENOUGH.into_iter().filter(|(own, _)| *own != name);
        let error = Settings::read(rest.map(|(name, value)| (name.into(), value.into()))).expect_err(name);
        assert_eq!(error.to_string(), format!("`{name}`: is not set"));
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_refused_where_it_is_read() {
    use std::os::unix::ffi::OsStringExt;
    let variables = |name: &str| {
        let none = std::iter::once((name.into(), OsString::from_vec(vec![0xff])));
        ENOUGH.into_iter().map(|(name, value)| (name.into(), value.into())).chain(none)
    };
    assert_eq!(Settings::read(variables("AUDIENCE")).expect_err("no text").setting(), "AUDIENCE");
    assert!(Settings::read(variables("SOMETHING_ELSE")).is_ok());
}

#[test]
fn a_claim_of_roles_that_is_chosen_is_the_only_one() {
    let settings = read(&[("ROLES_CLAIM", "role")]).expect("it stands in for the one of that name");
    assert_ne!(format!("{:?}", settings.claims), format!("{:?}", ClaimsMapping::default()));
}

//! What each preset makes of each value in each of its claims: the table of `ClaimFormat` and the table of the
//! presets, held against the code.

use super::*;

/// Values that are of no form.
const OF_NO_FORM: &[&str] = &[
    "null",
    "true",
    "false",
    "7",
    "-1",
    "1.5e3",
    "123456789012345678901234567890",
    r#"["a",7]"#,
    r#"["a",null]"#,
    r#"["a",["b"]]"#,
    r#"["a",{}]"#,
    r#"[["a"]]"#,
    r#"{"a":7}"#,
    r#"{"a":null}"#,
    r#"{"a":"b"}"#,
    r#"{"a":1e400}"#,
    r#"{"$serde_json::private::Number":"1"}"#,
    r#"{"a":true,"a":true}"#,
    r#"{"a":["b"],"a":["b"]}"#,
    r#"{"a":[7]}"#,
    r#"{"a":{}}"#,
    r#"{"a":123456789012345678901234567890}"#,
];

/// Values that are of some form.
const STRING: &str = r#""admin""#;
const WORDS: &str = r#"" a  b\tc""#;
const LIST: &str = r#"["admin","a b"]"#;
const EMPTY_LIST: &str = "[]";
const EMPTY_OBJECT: &str = "{}";
const FLAGS: &str = r#"{"admin":true,"b":false,"c":{"org":"x"}}"#;
const LISTS: &str = r#"{"x":["admin","a b"],"y":[]}"#;

/// What each form makes of each value; `None` is malformed.
fn names(format: ClaimFormat, kind: Kind, value: &str) -> Option<&'static [&'static str]> {
    use ClaimFormat::{Array, MapKeys, MapOfArrays, Single, SpaceSeparated, StringOrArray};
    match (format, value) {
        (StringOrArray | Array, LIST) | (MapOfArrays, LISTS) => Some(&["admin", "a b"]),
        (StringOrArray | Array, EMPTY_LIST) | (MapKeys | MapOfArrays, EMPTY_OBJECT) => Some(&[]),
        (StringOrArray | Single | SpaceSeparated, STRING) => Some(&["admin"]),
        (SpaceSeparated, WORDS) => Some(&["a", "b", "c"]),
        (StringOrArray, WORDS) if kind == Kind::Permissions => Some(&["a", "b", "c"]),
        (StringOrArray | Single, WORDS) => Some(&[" a  b\tc"]),
        (MapKeys, FLAGS) => Some(&["admin", "c"]),
        _ => None,
    }
}

/// A payload with this value at the path.
fn payload(path: &ClaimPath, value: &str) -> String {
    let open: String = path.names().iter().map(|name| format!("{{{}:", json!(name))).collect();
    format!("{open}{value}{}", "}".repeat(path.names().len()))
}

fn outcome(mapping: &ClaimsMapping, payload: &str) -> Option<Vec<String>> {
    read(mapping, payload)
}

#[test]
fn every_claim_of_every_preset_takes_its_form_and_no_other() {
    use ClaimFormat::{Array, MapOfArrays, Single, StringOrArray};
    use Kind::{Permissions, Roles};
    let group_table = || [("admin", "admin"), ("a b", "a b")];
    type Claims<'c> = &'c [(&'c str, Kind, ClaimFormat, &'c str)];
    let table: [(&str, ClaimsMapping, Claims<'_>); 8] = [
        ("auth0", ClaimsMapping::auth0(), &[("/permissions", Permissions, Array, "")]),
        (
            "keycloak",
            ClaimsMapping::keycloak("my.api/x"),
            &[
                ("/realm_access/roles", Roles, Array, "realm:"),
                ("/resource_access/my.api~1x/roles", Roles, Array, "client:"),
            ],
        ),
        ("cognito", ClaimsMapping::cognito(), &[("/cognito:groups", Roles, Array, "")]),
        ("entra", ClaimsMapping::entra(), &[("/roles", Roles, Array, "")]),
        (
            "entra_groups",
            ClaimsMapping::entra_groups(group_table()),
            &[("/roles", Roles, Array, ""), ("/groups", Roles, Array, "")],
        ),
        ("okta", ClaimsMapping::okta(), &[("/groups", Roles, Array, "")]),
        (
            "zuplo",
            ClaimsMapping::zuplo(),
            &[
                ("/permissions", Permissions, StringOrArray, ""),
                ("/roles", Roles, StringOrArray, ""),
                ("/role", Roles, Single, ""),
            ],
        ),
        (
            "flama",
            ClaimsMapping::flama(),
            &[("/data/permissions", Permissions, Array, ""), ("/data/roles", Permissions, MapOfArrays, "")],
        ),
    ];
    for (name, mapping, claims) in table {
        assert_eq!(outcome(&mapping, "{}"), Some(vec![]), "{name}: absent is nothing");
        assert_eq!(mapping.sources.len(), claims.len(), "{name}");
        for (path, kind, format, prefix) in claims {
            let path = ClaimPath::pointer(path).expect("a path");
            let letter = if *kind == Permissions { 'p' } else { 'r' };
            for value in [STRING, WORDS, LIST, EMPTY_LIST, EMPTY_OBJECT, FLAGS, LISTS].iter().chain(OF_NO_FORM) {
                let expected = names(*format, *kind, value)
                    .map(|names| names.iter().map(|name| format!("{letter}:{prefix}{name}")).collect::<Vec<_>>());
                assert_eq!(outcome(&mapping, &payload(&path, value)), expected, "{name} {path} {value}");
            }
            // What stands on the way to the claim must be an object.
            for depth in 1..path.names().len() {
                let outer = ClaimPath::keys(path.names().iter().take(depth).cloned());
                for value in [STRING, LIST].iter().chain(OF_NO_FORM).filter(|value| !value.starts_with('{')) {
                    assert_eq!(outcome(&mapping, &payload(&outer, value)), None, "{name} {outer} {value}");
                }
            }
        }
    }
}

#[test]
fn every_form_holds_for_roles_and_for_permissions() {
    use ClaimFormat::{Array, MapKeys, MapOfArrays, Single, SpaceSeparated, StringOrArray};
    for format in [StringOrArray, Array, SpaceSeparated, Single, MapKeys, MapOfArrays] {
        for (source, kind, letter) in
            [(ClaimSource::roles("x"), Kind::Roles, 'r'), (ClaimSource::permissions("x"), Kind::Permissions, 'p')]
        {
            let mapping = ClaimsMapping::of([source.format(format)]).expect("a mapping");
            for value in [STRING, WORDS, LIST, EMPTY_LIST, EMPTY_OBJECT, FLAGS, LISTS].iter().chain(OF_NO_FORM) {
                let expected = names(format, kind, value)
                    .map(|names| names.iter().map(|name| format!("{letter}:{name}")).collect::<Vec<_>>());
                assert_eq!(outcome(&mapping, &format!(r#"{{"x":{value}}}"#)), expected, "{format:?} {value}");
            }
        }
    }
}

/// Tokens as these issuers make them, in our own words.
const TOKENS: &[(&str, &str, &[&str])] = &[
    (
        "auth0",
        r#"{"iss":"https://tenant.eu.auth0.com/","sub":"auth0|64af","aud":["https://blog.example/api"],"azp":"spa",
            "scope":"openid posts:read","permissions":["posts:read","posts:write"]}"#,
        &["p:posts:read", "p:posts:write"],
    ),
    (
        "keycloak",
        r#"{"iss":"https://sso.example/realms/staff","sub":"f3a1","typ":"Bearer","azp":"web","scope":"profile",
            "realm_access":{"roles":["offline_access","auditor"]},
            "resource_access":{"account":{"roles":["manage-account"]},"my.api":{"roles":["editor"]},
                               "billing":{"roles":["admin"]}}}"#,
        &["r:realm:offline_access", "r:realm:auditor", "r:client:editor"],
    ),
    (
        "cognito",
        r#"{"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x","sub":"9c1e","token_use":"access",
            "scope":"blog/read","cognito:groups":["editors"],"cognito:roles":["arn:aws:iam::1:role/x"],"client_id":"c"}"#,
        &["r:editors"],
    ),
    (
        "entra",
        r#"{"iss":"https://login.microsoftonline.com/t/v2.0","sub":"x","oid":"o","tid":"t","ver":"2.0",
            "scp":"Posts.Read","roles":["Editor"],"groups":["g1"]}"#,
        &["r:Editor"],
    ),
    (
        "entra_groups",
        r#"{"iss":"https://login.microsoftonline.com/t/v2.0","sub":"x","oid":"o","tid":"t","ver":"2.0",
            "scp":"Posts.Read","roles":["Editor"],"groups":["g1","g2","g3","admin"]}"#,
        &["r:Editor", "r:reviewer", "r:publisher", "r:publisher"],
    ),
    (
        "okta",
        r#"{"iss":"https://dev.okta.com/oauth2/default","sub":"a@b.example","cid":"0oa","uid":"00u","ver":1,
            "scp":["openid","posts"],"groups":["Everyone","Editors"]}"#,
        &["r:Everyone", "r:Editors"],
    ),
    (
        "zuplo",
        r#"{"iss":"https://gateway.example","sub":"consumer-7","aud":"blog","role":"editor","plan":"gold"}"#,
        &["r:editor"],
    ),
    (
        "flama",
        r#"{"data":{"id":7,"permissions":["posts:read"],"roles":{"editor":["posts:write"],"guest":[]}},"iat":0}"#,
        &["p:posts:read", "p:posts:write"],
    ),
];

fn preset(name: &str) -> ClaimsMapping {
    match name {
        "auth0" => ClaimsMapping::auth0(),
        "keycloak" => ClaimsMapping::keycloak("my.api"),
        "cognito" => ClaimsMapping::cognito(),
        "entra" => ClaimsMapping::entra(),
        "entra_groups" => {
            ClaimsMapping::entra_groups([("g1", "reviewer"), ("g1", "publisher"), ("g2", "publisher"), ("g9", "admin")])
        }
        "okta" => ClaimsMapping::okta(),
        "zuplo" => ClaimsMapping::zuplo(),
        "flama" => ClaimsMapping::flama(),
        other => panic!("{other} is no preset"),
    }
}

#[test]
fn each_preset_reads_the_tokens_of_its_issuer() {
    for (name, payload, expected) in TOKENS {
        check(&preset(name), payload, Some(expected));
    }
}

#[test]
fn one_clients_roles_never_count_for_another() {
    let api = ClaimsMapping::keycloak("api");
    for other in ["api2", "Api", "ap", "api/roles", "", "realm"] {
        let payload = json!({"resource_access": {other: {"roles": ["admin"]}}}).to_string();
        check(&api, &payload, NOTHING);
    }
    let same_names =
        r#"{"realm_access":{"roles":["admin"]},"resource_access":{"api":{"roles":["admin","realm:admin"]}}}"#;
    check(&api, same_names, Some(&["r:realm:admin", "r:client:admin", "r:client:realm:admin"]));
    // A client called `realm` does not become the realm.
    let realm = ClaimsMapping::keycloak("realm");
    check(&realm, r#"{"resource_access":{"realm":{"roles":["admin"]}}}"#, Some(&["r:client:admin"]));
    // Another client's roles are not looked at, whatever they are.
    check(&api, r#"{"resource_access":{"x":7,"api":{"roles":["a"]}}}"#, Some(&["r:client:a"]));
}

#[test]
fn claims_that_are_kept_elsewhere_are_unknown_and_not_empty() {
    let entra = preset("entra_groups");
    let elsewhere = |payload: &str| {
        let Some(token) = token(payload) else { return "malformed" };
        match entra.read(&token, &mut |_| {}) {
            Ok(()) => "here",
            Err(Trouble::Elsewhere(source)) => {
                assert_eq!(source.path().to_string(), "/groups");
                "elsewhere"
            }
            Err(Trouble::Malformed(_)) => "malformed",
        }
    };
    for (payload, expected) in [
        (r#"{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://graph"}}}"#, "elsewhere"),
        (r#"{"roles":["Editor"],"_claim_names":{"groups":"src1"}}"#, "elsewhere"),
        (r#"{"groups":["g1"],"_claim_names":{"groups":"src1"}}"#, "elsewhere"),
        (r#"{"_claim_names":{"gro\u0075ps":"src1"}}"#, "elsewhere"),
        (r#"{"hasgroups":true}"#, "elsewhere"),
        (r#"{"hasgroups":"true"}"#, "elsewhere"),
        (r#"{"hasgroups":1}"#, "elsewhere"),
        (r#"{"hasgroups":null}"#, "elsewhere"),
        (r#"{"hasgroups":{}}"#, "elsewhere"),
        (r#"{"hasgroups":[]}"#, "elsewhere"),
        (r#"{"hasgroups":false}"#, "here"),
        (r#"{"_claim_names":{"other":"src1"}}"#, "here"),
        (r#"{"_claim_names":{}}"#, "here"),
        (r#"{"_claim_names":7}"#, "malformed"),
        (r#"{"_claim_names":["groups"]}"#, "malformed"),
        (r#"{"_claim_names":{"groups":"s"},"_claim_names":{}}"#, "malformed"),
        (r#"{"hasgroups":true,"hasgroups":false}"#, "malformed"),
        (r#"{"hasgroups":true,"groups":7}"#, "malformed"),
        (r#"{"hasgroups":true,"roles":"Editor"}"#, "malformed"),
    ] {
        assert_eq!(elsewhere(payload), expected, "{payload}");
    }
    let token = token(r#"{"_claim_names":{"groups":"src1"}}"#).expect("claims");
    assert!(preset("entra").read(&token, &mut |_| {}).is_ok(), "whoever reads no groups misses none");
    assert!(preset("okta").read(&token, &mut |_| {}).is_err(), "it is OpenID Connect's, not Entra's");
}

#[test]
fn prefixes_and_tables_take_only_what_they_know() {
    let of = |source: ClaimSource| ClaimsMapping::of([source]).expect("a mapping");
    let payload = r#"{"x":["ROLE_admin","admin","role_admin","ROLE_","a"]}"#;
    let roles = || ClaimSource::roles("x");
    check(&of(roles().strip_prefix("ROLE_")), payload, Some(&["r:admin", "r:"]));
    check(&of(roles().add_prefix("app:")), r#"{"x":["a","app:a"]}"#, Some(&["r:app:a", "r:app:app:a"]));
    check(&of(roles().strip_prefix("ROLE_").add_prefix("app:")), payload, Some(&["r:app:admin", "r:app:"]));
    let table = [("admin", "root"), ("admin", "boss"), ("x", "y")];
    check(&of(roles().rename(table)), payload, Some(&["r:root", "r:boss"]));
    let all = roles().strip_prefix("ROLE_").rename(table).add_prefix("app:");
    check(&of(all), payload, Some(&["r:app:root", "r:app:boss"]));
    let none: [(&str, &str); 0] = [];
    check(&of(roles().rename(none)), payload, NOTHING);
    check(&of(roles().rename(table)), r#"{"x":["admin",7]}"#, MALFORMED);
}

#[test]
fn sources_that_meet_are_refused() {
    let refused = |sources: &[ClaimSource]| ClaimsMapping::of(sources.to_vec()).unwrap_err().to_string();
    let roles = |path: &str| ClaimSource::roles(ClaimPath::pointer(path).expect("a path"));
    assert_eq!(refused(&[roles("/a"), roles("/a")]), "`roles`: the path `/a` meets another claim's");
    assert_eq!(refused(&[roles("/_claim_names")]), "`roles`: the path `/_claim_names` meets another claim's");
    assert_eq!(refused(&[roles("/_claim_names/x")]), "`roles`: the path `/_claim_names/x` meets another claim's");
    assert_eq!(refused(&[roles("/a").elsewhere_if("a")]), "`roles`: the path `/a` meets another claim's");
    assert_eq!(refused(&[roles("/a").elsewhere_if("_claim_names")]), "`roles`: the path `/a` meets another claim's");
    let none: [&str; 0] = [];
    assert_eq!(refused(&[ClaimSource::permissions(ClaimPath::keys(none))]), "`permissions`: the path is empty");
    let many: Vec<_> = (0..31).map(|n| roles(&format!("/{n}"))).collect();
    assert_eq!(refused(&many), "`roles`: there are more than 30 claims");
    assert!(ClaimsMapping::of(many.into_iter().take(30)).is_ok());
    let shared = [roles("/a").elsewhere_if("m"), roles("/b").elsewhere_if("m")];
    assert!(ClaimsMapping::of(shared).is_ok());
    assert!(ClaimsMapping::auth0().and(roles("/permissions")).is_err());
    let both = ClaimsMapping::auth0().and(roles("/https:~1~1app~1roles")).expect("a mapping");
    check(&both, r#"{"permissions":["a"],"https://app/roles":"b"}"#, Some(&["p:a", "r:b"]));
    check(&ClaimsMapping::of([]).expect("nothing"), r#"{"roles":7,"_claim_names":7}"#, NOTHING);
}

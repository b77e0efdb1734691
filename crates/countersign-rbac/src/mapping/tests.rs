mod presets;

use super::*;
use serde_json::json;
use serde_json::value::RawValue;

fn token(payload: &str) -> Option<VerifiedToken> {
    let claims: Box<RawValue> = serde_json::from_str(payload).ok()?;
    VerifiedToken::vouched(&claims).ok()
}

/// The names found, `None` also where no token says that; permissions with a `p:` before them, roles with an `r:`.
fn read(mapping: &ClaimsMapping, payload: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let token = token(payload)?;
    let read = mapping.read(&token, &mut |found| {
        let kind = if found.source.kind == Kind::Permissions { 'p' } else { 'r' };
        names.push(format!("{kind}:{}", found.name));
    });
    read.ok().map(|()| names)
}

const MALFORMED: Option<&[&str]> = None;
const NOTHING: Option<&[&str]> = Some(&[]);

fn check(mapping: &ClaimsMapping, payload: &str, expected: Option<&[&str]>) {
    let found = read(mapping, payload);
    let found: Option<Vec<&str>> = found.as_ref().map(|names| names.iter().map(String::as_str).collect());
    assert_eq!(found.as_deref(), expected, "{payload}");
}

/// A value, and what it amounts to as permissions, as roles and as a single role.
type Outcome<'a> = (&'a str, Option<&'a [&'a str]>, Option<&'a [&'a str]>, Option<&'a [&'a str]>);

const OUTCOMES: &[Outcome<'_>] = &[
    (r#""admin""#, Some(&["p:admin"]), Some(&["r:admin"]), Some(&["r:admin"])),
    (r#""a  b\tc\n""#, Some(&["p:a", "p:b", "p:c"]), Some(&["r:a  b\tc\n"]), Some(&["r:a  b\tc\n"])),
    (r#""a,b""#, Some(&["p:a,b"]), Some(&["r:a,b"]), Some(&["r:a,b"])),
    (r#""a\u00a0b""#, Some(&["p:a\u{a0}b"]), Some(&["r:a\u{a0}b"]), Some(&["r:a\u{a0}b"])),
    (r#""""#, NOTHING, Some(&["r:"]), Some(&["r:"])),
    (r#""  ""#, NOTHING, Some(&["r:  "]), Some(&["r:  "])),
    (r#""Führung""#, Some(&["p:Führung"]), Some(&["r:Führung"]), Some(&["r:Führung"])),
    (r#""\u0061""#, Some(&["p:a"]), Some(&["r:a"]), Some(&["r:a"])),
    (r#"["a","b c"]"#, Some(&["p:a", "p:b c"]), Some(&["r:a", "r:b c"]), MALFORMED),
    (r#"["a"]"#, Some(&["p:a"]), Some(&["r:a"]), MALFORMED),
    ("[]", NOTHING, NOTHING, MALFORMED),
    (r#"["a",7]"#, MALFORMED, MALFORMED, MALFORMED),
    (r#"["a",null]"#, MALFORMED, MALFORMED, MALFORMED),
    (r#"["a",["b"]]"#, MALFORMED, MALFORMED, MALFORMED),
    (r#"["a",{"b":true}]"#, MALFORMED, MALFORMED, MALFORMED),
    ("null", MALFORMED, MALFORMED, MALFORMED),
    ("true", MALFORMED, MALFORMED, MALFORMED),
    ("7", MALFORMED, MALFORMED, MALFORMED),
    ("-1", MALFORMED, MALFORMED, MALFORMED),
    ("1.5e3", MALFORMED, MALFORMED, MALFORMED),
    ("123456789012345678901234567890", MALFORMED, MALFORMED, MALFORMED),
    ("{}", MALFORMED, MALFORMED, MALFORMED),
    (r#"{"admin":true}"#, MALFORMED, MALFORMED, MALFORMED),
    (r#"{"$serde_json::private::Number":"1"}"#, MALFORMED, MALFORMED, MALFORMED),
];

#[test]
fn each_claim_takes_its_forms_and_no_others() {
    let mapping = ClaimsMapping::default();
    for (value, permissions, roles, role) in OUTCOMES {
        check(&mapping, &format!(r#"{{"permissions":{value}}}"#), *permissions);
        check(&mapping, &format!(r#"{{"x":{value},"roles":{value},"y":{value}}}"#), *roles);
        check(&mapping, &format!(r#"{{"role":{value},"deep":{{"role":7}}}}"#), *role);
    }
}

#[test]
fn the_forms_hold_at_the_end_of_a_path() {
    let at = |name| ClaimPath::keys(["data", "my.app/x", name]);
    let mapping = ClaimsMapping::builder().permissions(at("p")).roles(at("rs")).role(at("r")).build().expect("paths");
    for (value, permissions, roles, role) in OUTCOMES {
        for (name, expected) in [("p", permissions), ("rs", roles), ("r", role)] {
            let payload = format!(r#"{{"{name}":7,"data":{{"z":[{{}}],"my.app/x":{{"{name}":{value},"n":1}}}}}}"#);
            check(&mapping, &payload, *expected);
        }
    }
}

#[test]
fn absent_is_nothing_and_everything_else_on_the_way_is_malformed() {
    let mapping = ClaimsMapping::builder()
        .roles(ClaimPath::keys(["realm_access", "roles"]))
        .without_permissions()
        .build()
        .expect("path");
    let cases: &[(&str, Option<&[&str]>)] = &[
        ("{}", NOTHING),
        (r#"{"roles":7,"permissions":7,"realm_access.roles":7,"realm_access/roles":7}"#, NOTHING),
        (r#"{"realm_access":{}}"#, NOTHING),
        (r#"{"realm_access":{"Roles":7,"x":{"roles":7}}}"#, NOTHING),
        (r#"{"realm_access":{"roles":["a"]},"role":"b"}"#, Some(&["r:a", "r:b"])),
        (r#"{"role":"b","realm_access":{"roles":[]}}"#, Some(&["r:b"])),
        (r#"{"role":"b","realm_access":{"roles":7}}"#, MALFORMED),
        (r#"{"realm_access":{"roles":["a"]},"role":7}"#, MALFORMED),
        (r#"{"realm_access":"roles"}"#, MALFORMED),
        (r#"{"realm_access":["roles"]}"#, MALFORMED),
        (r#"{"realm_access":[{"roles":["a"]}]}"#, MALFORMED),
        (r#"{"realm_access":null}"#, MALFORMED),
        (r#"{"realm_access":7}"#, MALFORMED),
        (r#"{"realm_access":true}"#, MALFORMED),
    ];
    for (payload, expected) in cases {
        check(&mapping, payload, *expected);
    }
}

#[test]
fn a_selected_member_stands_once() {
    let mapping = ClaimsMapping::builder()
        .permissions(ClaimPath::keys(["data", "p"]))
        .roles(ClaimPath::keys(["data", "r"]))
        .build()
        .expect("paths");
    let cases: &[(&str, Option<&[&str]>)] = &[
        (r#"{"data":{"p":["a"],"p":["a"]}}"#, MALFORMED),
        (r#"{"data":{"p":["a"],"\u0070":["b"]}}"#, MALFORMED),
        (r#"{"data":{"r":"a"},"data":{"p":"b"}}"#, MALFORMED),
        (r#"{"data":{},"data":{}}"#, MALFORMED),
        (r#"{"role":"a","role":"a"}"#, MALFORMED),
        (r#"{"data":{"x":1,"x":2,"r":"a","p":"b"},"y":{"p":1,"p":2}}"#, Some(&["r:a", "p:b"])),
    ];
    for (payload, expected) in cases {
        check(&mapping, payload, *expected);
    }
}

#[test]
fn what_is_no_object_is_malformed() {
    for payload in
        ["", "null", "[]", "7", r#""role""#, "{", r#"{"role":"a""#, r#"{"role":"a"} x"#, r#"{"role":"\ud800"}"#]
    {
        check(&ClaimsMapping::default(), payload, MALFORMED);
    }
    let deep = format!(r#"{{"role":{}"a"{}}}"#, r#"{"role":"#.repeat(100_000), "}".repeat(100_000));
    check(&ClaimsMapping::default(), &deep, MALFORMED);
}

#[test]
fn names_of_claims_may_hold_dots_slashes_tildes_and_any_letters() {
    for name in ["a.b", "https://app.example/roles", "cognito:groups", "~1", "~", "Führung", "角色", "", " ", "a\"b"]
    {
        let expected: Option<&[&str]> = Some(&["r:x"]);
        let payload = json!({name: "x"}).to_string();
        let of_key = ClaimsMapping::builder().roles(name).without_role().build().expect(name);
        check(&of_key, &payload, expected);

        let pointer = ClaimPath::from(name).to_string();
        let path = ClaimPath::pointer(&pointer).expect(name);
        check(&ClaimsMapping::builder().roles(path).without_role().build().expect(name), &payload, expected);

        let nested = ClaimPath::keys([name, name]);
        let payload = json!({name: {name: ["x"]}}).to_string();
        check(&ClaimsMapping::builder().roles(nested).build().expect(name), &payload, expected);
    }
}

#[test]
fn a_claim_that_is_left_out_is_not_looked_at() {
    let payload = r#"{"permissions":"p","roles":"rs","role":"r"}"#;
    let odd = r#"{"permissions":7,"roles":7,"role":7}"#;
    let all = ClaimsMapping::builder;
    check(&all().build().expect("all"), payload, Some(&["p:p", "r:rs", "r:r"]));
    check(&all().without_permissions().build().expect("two"), payload, Some(&["r:rs", "r:r"]));
    check(&all().without_roles().build().expect("two"), payload, Some(&["p:p", "r:r"]));
    check(&all().without_role().build().expect("two"), payload, Some(&["p:p", "r:rs"]));
    let none = all().without_permissions().without_roles().without_role().build().expect("none");
    check(&none, payload, NOTHING);
    check(&none, odd, NOTHING);
    check(&all().build().expect("all"), odd, MALFORMED);
}

#[test]
fn paths_that_meet_are_refused() {
    let refused = |builder: ClaimsMappingBuilder| builder.build().unwrap_err().to_string();
    let all = ClaimsMapping::builder;
    let none: [&str; 0] = [];
    for (builder, expected) in [
        (all().roles("permissions"), "`roles`: the path `/permissions` meets another claim's"),
        (all().roles("role"), "`role`: the path `/role` meets another claim's"),
        (
            all().roles("data").role(ClaimPath::keys(["data", "role"])),
            "`role`: the path `/data/role` meets another claim's",
        ),
        (
            all().roles(ClaimPath::keys(["data", "roles"])).role("data"),
            "`role`: the path `/data` meets another claim's",
        ),
        (all().permissions(ClaimPath::keys(none)), "`permissions`: the path is empty"),
        (all().roles(ClaimPath::keys(none)), "`roles`: the path is empty"),
        (all().role(ClaimPath::keys(none)), "`role`: the path is empty"),
    ] {
        assert_eq!(refused(builder), expected);
    }
    let siblings = all().roles(ClaimPath::keys(["data", "roles"])).role(ClaimPath::keys(["data", "role"]));
    assert!(siblings.build().is_ok());
}

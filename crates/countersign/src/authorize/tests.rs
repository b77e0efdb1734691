use super::*;
use crate::request::RequestView;
use crate::token::VerifiedToken;
use serde_json::{Value, json};

const NO: Decision = Decision::Deny(Why::new("test", "no"));
const PERHAPS: Decision = Decision::Indeterminate(Why::new("test", "perhaps"));

fn leaf(leaf: &Requirement) -> Decision {
    match leaf {
        Requirement::AnyRole(names) if names == &["yes"] => Decision::Allow,
        Requirement::AnyRole(names) if names == &["perhaps"] => PERHAPS,
        _ => NO,
    }
}

#[test]
fn combinations_follow_kleenes_table() {
    use Decision::Allow;
    let table = [
        ("yes", "yes", Allow, Allow),
        ("yes", "perhaps", PERHAPS, Allow),
        ("yes", "no", NO, Allow),
        ("perhaps", "perhaps", PERHAPS, PERHAPS),
        ("perhaps", "no", NO, PERHAPS),
        ("no", "no", NO, NO),
    ];
    for (a, b, all, any) in table {
        for (a, b) in [(a, b), (b, a)] {
            assert_eq!(role(a).and(role(b)).decide(&mut leaf), all, "{a} and {b}");
            assert_eq!(role(a).or(role(b)).decide(&mut leaf), any, "{a} or {b}");
        }
    }
}

#[test]
fn nothing_required_is_no_requirement() {
    let none: [&str; 0] = [];
    for empty in [
        any_role(none),
        permissions(none),
        any_permission(none),
        scopes(none),
        role(""),
        Requirement::AllOf(vec![]),
        Requirement::AnyOf(vec![]),
        authenticated().and(permissions(none)),
    ] {
        assert_eq!(empty.check_names().unwrap_err().setting(), "require", "{empty:?}");
        if !matches!(empty, Requirement::AnyRole(_)) {
            let token = VerifiedToken::vouched(&json!({"scope": "a"})).expect("claims");
            assert_ne!(ScopeAuthorizer::judge(&AccessRequest::new(&token, &empty)), Decision::Allow);
        }
    }
}

#[test]
fn scopes_need_no_authorizer_and_roles_do() {
    let token = VerifiedToken::vouched(&json!({"scope": "a b"})).expect("claims");
    let judge = |requirement: &Requirement| ScopeAuthorizer::judge(&AccessRequest::new(&token, requirement));
    assert_eq!(judge(&scopes(["a", "b"])), Decision::Allow);
    assert_ne!(judge(&scopes(["a", "c"])), Decision::Allow);
    assert_eq!(judge(&authenticated()), Decision::Allow);
    assert_ne!(judge(&role("admin")), Decision::Allow);
    assert!(ScopeAuthorizer.accepts(&scopes(["a"]).and(authenticated())).is_ok());
    let error = ScopeAuthorizer.accepts(&scopes(["a"]).or(role("admin"))).unwrap_err();
    assert_eq!(error.to_string(), "`authorizer`: `ScopeAuthorizer`, the default, cannot judge `role(admin)`");
}

fn token_of(claims: Value) -> VerifiedToken {
    VerifiedToken::vouched(&claims).expect("claims")
}

#[test]
fn json_has_attributes_of_the_types_that_it_has() {
    let value = json!({"f": true, "i": -7, "n": 0.5, "huge": u64::MAX, "t": "x", "l": ["a"], "o": {"a": 1}, "z": null});
    let attributes: &dyn Attributes = &value;
    assert_eq!(attributes.get("f").and_then(Attribute::as_flag), Some(true));
    assert_eq!(attributes.get("i").and_then(Attribute::as_integer), Some(-7));
    assert_eq!(attributes.get("n"), Some(Attribute::Number(0.5)));
    assert_eq!(attributes.get("t").and_then(Attribute::as_text), Some("x"));
    for other in ["huge", "l", "o", "z"] {
        assert_eq!(attributes.get(other), Some(Attribute::Json(&value[other])), "{other}");
    }
    assert_eq!(attributes.get("absent"), None);
    assert_eq!(Attributes::get(&json!(["f"]), "f"), None);
    let mut names = Vec::new();
    attributes.each(&mut |name, _| names.push(name.to_owned()));
    assert_eq!(names.len(), 8);
}

#[test]
fn an_attribute_of_another_type_is_no_answer() {
    let (list, mixed) = (json!(["a", "b"]), json!(["a", 7]));
    let contains = |attribute: Attribute<'_>| attribute.contains("a");
    assert_eq!(contains((&list).into()), Some(true));
    assert_eq!(contains((&mixed).into()), None, "not a list of texts");
    assert_eq!(contains("a".into()), None, "a text is no list");
    assert_eq!(contains("admin".into()), None, "nor one of letters");
    assert_eq!(contains((&["b".to_owned()][..]).into()), Some(false));
    assert_eq!((Attribute::from("true").as_flag(), Attribute::from("7").as_integer()), (None, None));
    assert_eq!((Attribute::from(true).as_text(), Attribute::from(1.0).as_integer()), (None, None));
}

#[test]
fn subjects_of_different_issuers_and_names_that_look_alike_have_different_ids() {
    let id = |issuer: &str, subject: &str| {
        let (token, requirement) = (token_of(json!({"iss": issuer, "sub": subject})), action("act"));
        let question = AccessRequest::new(&token, &requirement).with_resource(Resource::new("post", "1"));
        let value = serde_json::to_value(question).expect("an evaluation");
        assert_eq!(value["subject"]["properties"], json!({"iss": issuer, "sub": subject}));
        value["subject"]["id"].as_str().expect("text").to_owned()
    };
    let pairs = [
        ("https://a.example/", "7"),
        ("https://b.example/", "7"),
        ("a", "b#c"),
        ("a#b", "c"),
        ("a%23b", "c"),
        ("a%", "23b#c"),
        ("", "a#b"),
        ("a", "b"),
    ];
    let ids: std::collections::BTreeSet<_> = pairs.iter().map(|(issuer, subject)| id(issuer, subject)).collect();
    assert_eq!(ids.len(), pairs.len(), "{ids:?}");
}

#[test]
fn an_evaluation_request_has_each_property_once_and_the_identity_from_the_token() {
    let (token, requirement) = (token_of(json!({"iss": "me", "sub": "7", "secret": "s"})), action("act"));
    let facts: &[(&str, Attribute<'_>)] =
        &[("sub", "8".into()), ("roles", "admin".into()), ("roles", "other".into()), ("mfa", true.into())];
    let question = AccessRequest::new(&token, &requirement)
        .with_subject(&facts)
        .with_context(&facts)
        .with_resource(Resource::new("post", "1").with_attributes(&facts));
    let text = serde_json::to_string(&question).expect("an evaluation");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["subject"]["properties"], json!({"iss": "me", "sub": "7", "roles": "admin", "mfa": true}));
    assert_eq!(value["context"], json!({"sub": "8", "roles": "admin", "mfa": true}));
    assert_eq!(value["resource"]["properties"], value["context"]);
    assert_eq!((text.matches("\"roles\"").count(), text.contains("secret")), (3, false), "{text}");
}

#[test]
fn a_question_without_resource_is_about_the_route_and_tells_no_credential() {
    let token = token_of(json!({"iss": "me", "sub": "7"}));
    let requirement = role("admin");
    let headers = [("authorization", "Bearer hidden"), ("cookie", "t=hidden")];
    let request = RequestView::new("GET", "/posts/1", Some("access_token=hidden"), &headers);
    let question = AccessRequest::new(&token, &requirement).with_request(&request);
    let expected = json!({
        "subject": {"type": "user", "id": "me#7", "properties": {"iss": "me", "sub": "7"}},
        "action": {"name": "GET"},
        "resource": {"type": "route", "id": "/posts/1", "properties": {}},
    });
    assert_eq!(serde_json::to_value(question).expect("an evaluation"), expected);
    let named = question.with_action("read").with_resource(Resource::new("post", "1"));
    let value = serde_json::to_value(named).expect("an evaluation");
    assert_eq!((&value["action"]["name"], &value["resource"]["type"]), (&json!("read"), &json!("post")));
    assert!(!format!("{named:?}").contains("hidden"));
}

#[test]
fn what_names_nobody_or_nothing_is_no_evaluation_request() {
    let (requirement, act) = (role("admin"), action("act"));
    let (nobody, somebody) = (token_of(json!({"iss": "me"})), token_of(json!({"iss": "me", "sub": "7"})));
    let post = Resource::new("post", "1");
    let error = |question: AccessRequest<'_>| serde_json::to_string(&question).unwrap_err().to_string();
    assert_eq!(error(AccessRequest::new(&nobody, &act).with_resource(post)), "the token names no subject");
    let no_action = AccessRequest::new(&somebody, &requirement).with_resource(post);
    assert_eq!(error(no_action), "the question names no action");
    assert_eq!(error(AccessRequest::new(&somebody, &act)), "the question names no resource");
}

#[test]
fn debug_shows_no_attribute_and_no_id() {
    let (token, requirement) = (token_of(json!({"sub": "hidden"})), role("admin"));
    let facts = json!({"email": "hidden"});
    let resource = Resource::new("post", "hidden").with_attributes(&facts);
    let question = AccessRequest::new(&token, &requirement).with_resource(resource).with_subject(&facts);
    let text = format!("{question:?}");
    assert!(text.contains("post") && !text.contains("hidden"), "{text}");
}

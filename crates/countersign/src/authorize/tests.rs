use super::*;
use crate::token::VerifiedToken;
use serde_json::json;

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
    assert_eq!(error.to_string(), "`authorizer`: is not set: nothing can judge `admin`");
}

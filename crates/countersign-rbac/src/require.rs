//! Roles and permissions in one go.

use countersign::authorize::{Requirement, any_permission, any_role, authenticated, permissions};

/// One of these roles, and these permissions: the form `require(roles, permissions, require_all_permissions)` of
/// the Flask extension, argument for argument.
///
/// | roles | permissions | requirement |
/// |---|---|---|
/// | some | some | one of the roles, and the permissions |
/// | some | none | one of the roles |
/// | none | some | the permissions |
/// | none | none | [`authenticated`]: a valid token, and no more |
///
/// All permissions are asked for where the last argument is `true`, which is what Flask's is unless it is said
/// otherwise; where it is `false`, one of them. An empty list restricts nothing: `[""; 0]`.
///
/// ```
/// use countersign::authorize::{any_permission, any_role, permissions, role};
/// use countersign_rbac::require;
///
/// assert_eq!(
///     require(["editor", "admin"], ["posts:read", "posts:write"], true),
///     any_role(["editor", "admin"]).and(permissions(["posts:read", "posts:write"]))
/// );
/// assert_eq!(require([""; 0], ["eu", "us"], false), any_permission(["eu", "us"]));
/// assert_eq!(require(["admin"], [""; 0], true), role("admin"));
/// ```
///
/// A string is no list of roles:
///
/// ```compile_fail,E0277
/// let letters = countersign_rbac::require("admin", [""; 0], true);
/// ```
#[must_use]
pub fn require<R: Into<String>, P: Into<String>>(
    roles: impl IntoIterator<Item = R>,
    permissions_asked: impl IntoIterator<Item = P>,
    require_all_permissions: bool,
) -> Requirement {
    let roles: Vec<String> = roles.into_iter().map(Into::into).collect();
    let asked: Vec<String> = permissions_asked.into_iter().map(Into::into).collect();
    let of_permissions = |asked| if require_all_permissions { permissions(asked) } else { any_permission(asked) };
    match (roles.is_empty(), asked.is_empty()) {
        (true, true) => authenticated(),
        (false, true) => any_role(roles),
        (true, false) => of_permissions(asked),
        (false, false) => any_role(roles).and(of_permissions(asked)),
    }
}

#[cfg(test)]
mod tests {
    use super::require;
    use crate::RbacAuthorizer;
    use countersign::VerifiedToken;
    use countersign::authorize::{AccessRequest, Authorizer, Decision, authenticated};
    use serde_json::json;

    const NONE: [&str; 0] = [];

    #[test]
    fn the_form_decides_as_flasks_does() {
        let rbac = RbacAuthorizer::builder().role("a", ["x"]).role("b", ["y"]).permission("z").build().expect("rbac");
        // Roles asked for, permissions asked for, and for each token whether all of them allow, and whether any
        // does: nobody, a, b, a and b, permissions alone.
        type Row<'r> = (&'r [&'r str], &'r [&'r str], [bool; 5], [bool; 5]);
        let table: &[Row<'_>] = &[
            (&[], &[], [true; 5], [true; 5]),
            (&["a"], &[], [false, true, false, true, false], [false, true, false, true, false]),
            (&["a", "b"], &[], [false, true, true, true, false], [false, true, true, true, false]),
            (&[], &["x", "y"], [false, false, false, true, true], [false, true, true, true, true]),
            (&["a"], &["x", "y"], [false, false, false, true, false], [false, true, false, true, false]),
            (&["b"], &["x", "z"], [false; 5], [false, false, false, true, false]),
            (&["a", "b"], &["y"], [false, false, true, true, false], [false, false, true, true, false]),
        ];
        let tokens = [
            json!({}),
            json!({"roles": ["a"]}),
            json!({"roles": ["b"]}),
            json!({"roles": ["a", "b"]}),
            json!({"permissions": ["x", "y"]}),
        ];
        for (roles, permissions, all, any) in table {
            for (require_all, expected) in [(true, all), (false, any)] {
                let requirement = require(roles.iter().copied(), permissions.iter().copied(), require_all);
                assert!(rbac.accepts(&requirement).is_ok());
                for (claims, expected) in tokens.iter().zip(expected) {
                    let token = VerifiedToken::vouched(claims).expect("claims");
                    let decision = rbac.decide_now(&AccessRequest::new(&token, &requirement));
                    assert_eq!(decision == Some(Decision::Allow), *expected, "{requirement:?} of {claims}");
                }
            }
        }
        assert_eq!(require(NONE, NONE, false), authenticated());
    }

    #[test]
    fn an_empty_name_is_no_empty_list() {
        let rbac = RbacAuthorizer::builder().role("a", ["x"]).build().expect("rbac");
        assert!(rbac.accepts(&require([""], NONE, true)).is_err());
        assert!(rbac.accepts(&require(["a"], [""], true)).is_err());
    }
}

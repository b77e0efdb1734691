use super::*;

fn house() -> Catalog {
    Catalog::builder()
        .version("7")
        .only_permissions(["posts:read", "posts:write", "users:delete", "direct"])
        .role("viewer", ["posts:read"])
        .role("editor", ["posts:*", "posts:write"])
        .role("admin", ["users:delete"])
        .role("guest", [""; 0])
        .inherits("editor", "viewer")
        .inherits("admin", "editor")
        .build()
        .expect("house")
}

#[test]
fn who_has_what_is_what_every_check_says() {
    let catalog = house();
    let matrix = catalog.matrix();
    for (role, grants) in &matrix.roles {
        for (permission, grant) in matrix.permissions.iter().zip(grants) {
            assert_eq!(*grant != Grant::No, catalog.grants(role, permission), "{role} and {permission}");
        }
    }
    assert_eq!(
        matrix.to_string(),
        "catalog 7\n\
         role    posts:read  posts:write  users:delete  direct\n\
         viewer  own         -            -             -\n\
         editor  wildcard    own          -             -\n\
         admin   inherited   inherited    own           -\n\
         guest   -           -            -             -\n"
    );
}

#[test]
fn a_role_is_reviewed_with_every_source_of_what_it_grants() {
    let catalog = house();
    assert_eq!(
        catalog.review("admin").expect("a role").to_string(),
        "catalog 7, role admin, which inherits viewer, editor\n\
         permission    granted by  wildcard\n\
         posts:read    viewer      -\n\
         posts:read    editor      posts:*\n\
         posts:write   editor      -\n\
         posts:write   editor      posts:*\n\
         users:delete  admin       -\n"
    );
    for role in catalog.roles() {
        let review = catalog.review(role).expect("a role");
        for permission in catalog.permissions() {
            let reviewed = review.grants.iter().any(|source| source.permission == permission);
            assert_eq!(reviewed, catalog.grants(role, permission), "{role} and {permission}");
        }
    }
    assert!(catalog.review("guest").expect("a role").grants.is_empty());
    assert!(catalog.review("nobody").is_none());
}

#[test]
fn a_name_cannot_forge_a_row() {
    let catalog = Catalog::builder().version("7\r").role("a\nadmin  own", ["x\u{1b}"]).build().expect("names");
    assert_eq!(catalog.matrix().to_string(), "catalog 7\\r\nrole           x\\u{1b}\na\\nadmin  own  own\n");
}

mod explanations {
    use crate::review::Problem;
    use crate::{Catalog, CatalogBuilder, ClaimsMapping, RbacAuthorizer};
    use countersign::VerifiedToken;
    use countersign::authorize::{Requirement, any_role, permissions, role, scopes};
    use serde_json::{Value, json};

    fn catalog() -> CatalogBuilder {
        Catalog::builder()
            .version("7")
            .only_permissions(["posts:read", "posts:write", "users:delete", "direct"])
            .role("viewer", ["posts:read"])
            .role("editor", ["posts:*"])
            .role("admin", ["users:delete"])
            .inherits("editor", "viewer")
            .inherits("admin", "editor")
    }

    fn explain(
        catalog: CatalogBuilder,
        mapping: ClaimsMapping,
        claims: &Value,
        asked: &Requirement,
    ) -> super::Explanation {
        let rbac = RbacAuthorizer::builder().catalog(catalog.build().expect("catalog")).mapping(mapping);
        rbac.build().expect("rbac").explain(&VerifiedToken::vouched(claims).expect("claims"), asked)
    }

    #[test]
    fn what_allows_is_told_with_claim_role_and_wildcard() {
        let claims =
            json!({"realm_access": {"roles": ["admin", "x"]}, "permissions": ["direct", "y"], "scope": "jobs"});
        let mapping = ClaimsMapping::builder().roles(crate::ClaimPath::keys(["realm_access", "roles"])).build();
        let asked = any_role(["viewer", "admin"]).and(permissions(["posts:read", "direct"])).and(scopes(["jobs"]));
        assert_eq!(
            explain(catalog(), mapping.expect("mapping"), &claims, &asked).to_string(),
            "allowed, catalog 7\n\
             asked for              held  why\n\
             role viewer            yes   /realm_access/roles has admin\n\
             role admin             yes   /realm_access/roles has admin\n\
             permission posts:read  yes   /realm_access/roles has admin, which inherits viewer, which grants it\n\
             permission posts:read  yes   /realm_access/roles has admin, which inherits editor, which grants posts:*\n\
             permission direct      yes   /permissions\n\
             scope jobs             yes   the token has it\n"
        );
    }

    #[test]
    fn what_is_missing_is_told_with_the_roles_that_would_give_it() {
        let asked = role("editor").or(permissions(["posts:write", "direct", "gone"])).or(scopes(["jobs"]));
        assert_eq!(
            explain(catalog(), ClaimsMapping::default(), &json!({"roles": ["viewer"]}), &asked).to_string(),
            "denied: missing_role, catalog 7\n\
             asked for               held  why\n\
             role editor             no    given by editor, admin\n\
             permission posts:write  no    given by editor, admin\n\
             permission direct       no    no role gives it\n\
             permission gone         no    not in the catalog\n\
             scope jobs              no    the token has it not\n"
        );
    }

    #[test]
    fn what_keeps_claims_from_counting_is_told() {
        let exclusive = || catalog().role("auditor", [""; 0]).mutually_exclusive(["auditor", "editor"]);
        let groups = || ClaimsMapping::entra_groups([("g1", "admin")]);
        let keycloak = || ClaimsMapping::keycloak("api");
        let malformed = |claim: &str| Problem::MalformedClaim(Some(claim.to_owned()));
        let table = [
            (
                groups(),
                json!({"roles": ["viewer"], "groups": "g1"}),
                malformed("/groups"),
                "the claim /groups is not of its form",
            ),
            (
                keycloak(),
                json!({"resource_access": {"api": 7}}),
                malformed("/resource_access/api/roles"),
                "the claim /resource_access/api/roles is not of its form",
            ),
            (groups(), json!({"_claim_names": 7}), Problem::MalformedClaim(None), "a claim is not of its form"),
            (
                groups(),
                json!({"hasgroups": true}),
                Problem::ClaimElsewhere("/groups".into()),
                "the issuer keeps the claim /groups elsewhere",
            ),
            (
                groups(),
                json!({"roles": ["auditor", "admin"]}),
                Problem::ExclusiveRoles(vec!["auditor".into(), "editor".into()]),
                "the roles auditor and editor exclude one another",
            ),
        ];
        for (mapping, claims, problem, text) in table {
            let explanation = explain(exclusive(), mapping, &claims, &role("admin"));
            assert_eq!(explanation.problem.as_ref(), Some(&problem), "{claims}");
            assert_eq!(explanation.to_string().lines().nth(1), Some(text));
            assert_ne!(explanation.decision, countersign::authorize::Decision::Allow);
        }
        let rbac = RbacAuthorizer::builder().catalog(exclusive().build().expect("catalog"));
        let rbac = rbac.mapping_for("a", ClaimsMapping::default()).build().expect("rbac");
        let stranger = VerifiedToken::vouched(&json!({"iss": "b", "roles": ["admin"]})).expect("claims");
        assert_eq!(rbac.explain(&stranger, &role("admin")).problem, Some(Problem::UnmappedIssuer));
    }

    #[test]
    fn no_text_of_the_token_is_told() {
        let claims =
            json!({"roles": ["evil\nrole", "viewer"], "permissions": ["evil"], "role": "evil", "scope": "evil"});
        let explanation = explain(catalog(), ClaimsMapping::default(), &claims, &role("viewer").and(scopes(["jobs"])));
        assert!(!format!("{explanation} {explanation:?}").contains("evil"));
    }
}

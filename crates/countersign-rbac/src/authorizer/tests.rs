mod model;

use super::*;
use countersign::authorize::{Why, action, any_permission, any_role, authenticated, permissions, role, scopes};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const NO_ROLE: Decision = Decision::Deny(Why::new("rbac", "missing_role"));
const NO_PERMISSION: Decision = Decision::Deny(Why::new("rbac", "missing_permission"));
const MALFORMED: Decision = Decision::Deny(Why::new("rbac", "malformed_claim"));
const UNMAPPED: Decision = Decision::Deny(Why::new("rbac", "unmapped_issuer"));
const UNKNOWN_NAME: Decision = Decision::Deny(Why::new("rbac", "unknown_name"));
const EXCLUSIVE: Decision = Decision::Deny(Why::new("rbac", "exclusive_roles"));
const EMPTY: Decision = Decision::Deny(Why::new("rbac", "empty"));
const NO_SCOPE: Decision = Decision::Deny(Why::new("scopes", "missing_scope"));

fn token(claims: &Value) -> VerifiedToken {
    VerifiedToken::vouched(claims).expect("claims")
}

/// What both forms of the question answer, which must be the same.
fn decide(rbac: &RbacAuthorizer, claims: &Value, requirement: &Requirement) -> Decision {
    let token = token(claims);
    let request = AccessRequest::new(&token, requirement);
    let now = rbac.decide_now(&request).expect("answered from memory");
    let later = pin!(rbac.decide(&request)).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(later, Poll::Ready(now), "both forms of the question have one answer");
    now
}

fn house() -> RbacAuthorizer {
    RbacAuthorizer::builder()
        .role("viewer", ["posts:read"])
        .role("editor", ["posts:write"])
        .role("admin", ["users:delete"])
        .role("auditor", ["reports:read"])
        .inherits("admin", "editor")
        .inherits("editor", "viewer")
        .permission("reports:export")
        .build()
        .expect("house")
}

#[test]
fn every_check_honours_the_hierarchy() {
    use Decision::Allow;
    let table = [
        (role("viewer"), Allow, Allow, NO_ROLE),
        (role("admin"), Allow, NO_ROLE, NO_ROLE),
        (any_role(["auditor", "viewer"]), Allow, Allow, Allow),
        (permissions(["posts:read"]), Allow, Allow, NO_PERMISSION),
        (permissions(["posts:read", "posts:write"]), Allow, Allow, NO_PERMISSION),
        (permissions(["posts:read", "users:delete"]), Allow, NO_PERMISSION, NO_PERMISSION),
        (any_permission(["users:delete", "posts:read"]), Allow, Allow, NO_PERMISSION),
        (any_permission(["reports:read", "users:delete"]), Allow, NO_PERMISSION, Allow),
        (permissions(["reports:export"]), NO_PERMISSION, NO_PERMISSION, NO_PERMISSION),
        (role("editor").and(permissions(["posts:read"])), Allow, Allow, NO_ROLE),
        (role("auditor").or(permissions(["posts:read"])), Allow, Allow, Allow),
        (role("auditor").and(permissions(["posts:read"])), NO_ROLE, NO_ROLE, NO_PERMISSION),
        (authenticated(), Allow, Allow, Allow),
    ];
    let rbac = house();
    for (requirement, admin, editor, auditor) in table {
        assert!(rbac.accepts(&requirement).is_ok(), "{requirement:?}");
        for (name, expected) in [("admin", admin), ("editor", editor), ("auditor", auditor)] {
            for claims in [json!({"roles": [name]}), json!({"roles": name}), json!({"role": name})] {
                assert_eq!(decide(&rbac, &claims, &requirement), expected, "{claims} {requirement:?}");
            }
        }
    }
}

#[test]
fn permissions_come_from_roles_and_from_the_token() {
    let rbac = house();
    let claims = json!({"roles": ["auditor"], "role": "viewer", "permissions": "reports:export posts:write"});
    let all = permissions(["reports:read", "posts:read", "reports:export", "posts:write"]);
    assert_eq!(decide(&rbac, &claims, &all), Decision::Allow);
    assert_eq!(decide(&rbac, &claims, &role("editor")), NO_ROLE, "a permission gives no role");
    assert_eq!(decide(&rbac, &json!({}), &any_permission(["posts:read"])), NO_PERMISSION);
}

#[test]
fn a_string_is_one_role_or_its_words_and_never_letters() {
    let rbac = RbacAuthorizer::builder()
        .role("admin", ["delete"])
        .role("a", ["x"])
        .role("admin a", ["y"])
        .permission("admin")
        .permission("a")
        .build()
        .expect("letters");
    for claim in ["roles", "role"] {
        let claims = json!({claim: "admin"});
        assert_eq!(decide(&rbac, &claims, &role("admin")), Decision::Allow);
        assert_eq!(decide(&rbac, &claims, &role("a")), NO_ROLE);
        assert_eq!(decide(&rbac, &claims, &permissions(["admin"])), NO_PERMISSION);
        let claims = json!({claim: "admin a"});
        assert_eq!(decide(&rbac, &claims, &permissions(["y"])), Decision::Allow);
        assert_eq!(decide(&rbac, &claims, &any_role(["admin", "a"])), NO_ROLE);
    }
    let claims = json!({"permissions": "admin"});
    assert_eq!(decide(&rbac, &claims, &permissions(["admin"])), Decision::Allow);
    assert_eq!(decide(&rbac, &claims, &permissions(["a"])), NO_PERMISSION);
    assert_eq!(decide(&rbac, &claims, &role("admin")), NO_ROLE);
    assert_eq!(decide(&rbac, &json!({"permissions": "admin a"}), &permissions(["a", "admin"])), Decision::Allow);
}

#[test]
fn a_malformed_claim_denies_roles_and_permissions_and_leaves_scopes_alone() {
    let rbac = house();
    for malformed in [
        json!({"roles": ["admin", 7], "role": "admin", "permissions": ["posts:read"], "scope": "jobs"}),
        json!({"roles": ["admin"], "role": ["admin"], "permissions": ["posts:read"], "scope": "jobs"}),
        json!({"roles": ["admin"], "role": "admin", "permissions": {"posts:read": true}, "scope": "jobs"}),
        json!({"roles": ["admin"], "role": null, "permissions": ["posts:read"], "scope": "jobs"}),
    ] {
        let decide = |requirement: Requirement| decide(&rbac, &malformed, &requirement);
        assert_eq!(decide(role("admin")), MALFORMED);
        assert_eq!(decide(permissions(["posts:read"])), MALFORMED);
        assert_eq!(decide(any_permission(["posts:read", "posts:write"])), MALFORMED);
        assert_eq!(decide(role("admin").or(permissions(["posts:read"]))), MALFORMED);
        assert_eq!(decide(role("admin").and(scopes(["jobs"]))), MALFORMED);
        assert_eq!(decide(role("admin").or(scopes(["jobs"]))), Decision::Allow);
        assert_eq!(decide(scopes(["jobs"])), Decision::Allow);
        assert_eq!(decide(scopes(["other"])), NO_SCOPE);
        assert_eq!(decide(authenticated()), Decision::Allow);
    }
}

#[test]
fn roles_permissions_and_scopes_are_three_things() {
    let rbac = RbacAuthorizer::builder().role("admin", ["x"]).permission("admin").build().expect("names");
    let table = [
        (json!({"scope": "admin"}), NO_ROLE, NO_PERMISSION, Decision::Allow),
        (json!({"roles": ["admin"]}), Decision::Allow, NO_PERMISSION, NO_SCOPE),
        (json!({"permissions": ["admin"]}), NO_ROLE, Decision::Allow, NO_SCOPE),
    ];
    for (claims, as_role, as_permission, as_scope) in table {
        assert_eq!(decide(&rbac, &claims, &role("admin")), as_role);
        assert_eq!(decide(&rbac, &claims, &permissions(["admin"])), as_permission);
        assert_eq!(decide(&rbac, &claims, &scopes(["admin"])), as_scope);
    }
}

#[test]
fn a_name_that_the_catalog_does_not_know_is_refused_at_the_route_and_denied_after() {
    let rbac = house();
    let admin = json!({"roles": ["admin", "root"], "permissions": ["posts:raed"]});
    for (requirement, message) in [
        (role("root"), "`require`: the role `root` is not in the catalog"),
        (any_role(["admin", "root"]), "`require`: the role `root` is not in the catalog"),
        (role("posts:read"), "`require`: the role `posts:read` is not in the catalog"),
        (permissions(["posts:raed"]), "`require`: the permission `posts:raed` is not in the catalog"),
        (any_permission(["posts:read", "Posts:read"]), "`require`: the permission `Posts:read` is not in the catalog"),
        (permissions(["admin"]), "`require`: the permission `admin` is not in the catalog"),
        (role("a\nb"), "`require`: the role `a\\nb` is not in the catalog"),
    ] {
        assert_eq!(rbac.accepts(&requirement).unwrap_err().to_string(), message);
        let nested = authenticated().and(scopes(["x"]).or(requirement.clone()));
        assert_eq!(rbac.accepts(&nested).unwrap_err().setting(), "require");
        assert_eq!(decide(&rbac, &admin, &requirement), UNKNOWN_NAME, "{requirement:?}");
    }
    assert_eq!(
        decide(&rbac, &admin, &role("admin")),
        Decision::Allow,
        "in the token it grants nothing, and spoils nothing"
    );
}

#[test]
fn a_slip_is_told_by_who_knows_such_names_wherever_it_stands_in_a_list() {
    use countersign::authorize::policy::deny_overrides;
    let posts = || deny_overrides("posts", ["posts:read"]).build().expect("policies");
    let error = |list: &dyn Authorizer, requirement| list.accepts(&requirement).unwrap_err().to_string();
    assert_eq!(error(&house(), action("posts:raed")), "`require`: a catalog cannot judge `action(posts:raed)`");
    assert_eq!(
        error(&(house(), posts()), action("posts:raed")),
        "`require`: no authorizer of the list judges `action(posts:raed)`: \
         a catalog cannot judge `action(posts:raed)`; there are no policies for the action `posts:raed`"
    );
    assert_eq!(
        error(&(posts(), house()), any_role(["admin", "amdin"])),
        "`require`: no authorizer of the list judges `any_role(admin, amdin)`: \
         policies judge actions, not `any_role(admin, amdin)`; the role `amdin` is not in the catalog"
    );
}

#[test]
fn a_token_with_two_mutually_exclusive_roles_has_neither() {
    let rbac = RbacAuthorizer::builder()
        .catalog(
            Catalog::builder()
                .role("payer", ["pay"])
                .role("approver", ["approve"])
                .role("clerk", ["file"])
                .role("reader", ["read"])
                .permission("direct")
                .inherits("clerk", "payer")
                .mutually_exclusive(["approver", "payer"])
                .build()
                .expect("catalog"),
        )
        .build()
        .expect("rbac");
    for roles in [json!(["payer", "approver"]), json!(["reader", "approver", "clerk"]), json!(["clerk", "approver"])] {
        let claims = json!({"roles": roles, "permissions": ["direct", "read"], "scope": "jobs"});
        let decide = |requirement: Requirement| decide(&rbac, &claims, &requirement);
        for permission in ["pay", "approve", "file", "read", "direct"] {
            assert_eq!(decide(permissions([permission])), EXCLUSIVE, "{claims}");
            assert_eq!(rbac.subject(&token(&claims)).has_permission(permission), None);
        }
        for name in ["payer", "approver", "clerk", "reader"] {
            assert_eq!(decide(role(name)), EXCLUSIVE, "{claims}");
            assert_eq!(rbac.subject(&token(&claims)).has_role(name), None);
        }
        assert_eq!(decide(role("payer").or(scopes(["jobs"]))), Decision::Allow, "scopes are the token's own");
        assert_eq!(decide(authenticated()), Decision::Allow);
    }
    for (roles, permission) in [("payer", "pay"), ("clerk", "pay"), ("approver", "approve")] {
        assert_eq!(decide(&rbac, &json!({"roles": [roles, "reader"]}), &permissions([permission])), Decision::Allow);
    }
    let split = json!({"roles": ["payer"], "role": "approver"});
    assert_eq!(decide(&rbac, &split, &role("payer")), EXCLUSIVE, "whichever claims they stand in");
}

#[test]
fn what_a_claim_elsewhere_may_hold_is_indeterminate_and_never_allows() {
    const ELSEWHERE: Decision = Decision::Indeterminate(Why::new("rbac", "claim_elsewhere"));
    let catalog = || {
        let roles = Catalog::builder().role("editor", ["write"]).role("admin", ["delete"]).role("auditor", [""; 0]);
        roles.inherits("admin", "editor")
    };
    let entra = |catalog: CatalogBuilder| {
        let mapping = ClaimsMapping::entra_groups([("g1", "admin")]);
        RbacAuthorizer::builder().catalog(catalog.build().expect("catalog")).mapping(mapping).build().expect("rbac")
    };
    let plain = entra(catalog());
    let table = [
        (json!({"roles": ["editor"], "hasgroups": true}), Decision::Allow, ELSEWHERE),
        (json!({"roles": ["admin"], "_claim_names": {"groups": "s"}}), Decision::Allow, Decision::Allow),
        (json!({"_claim_names": {"groups": "s"}}), ELSEWHERE, ELSEWHERE),
        (json!({"groups": ["g1"]}), Decision::Allow, Decision::Allow),
        (json!({"groups": ["g2", "admin"]}), NO_PERMISSION, NO_PERMISSION),
        (json!({"groups": "g1", "hasgroups": true}), MALFORMED, MALFORMED),
    ];
    for (claims, write, delete) in table {
        assert_eq!(decide(&plain, &claims, &permissions(["write"])), write, "{claims}");
        assert_eq!(decide(&plain, &claims, &permissions(["delete"])), delete, "{claims}");
        let subject = plain.subject(&token(&claims));
        assert_eq!(subject.decide(&plain.prepare(permissions(["delete"])).expect("known")), delete);
        let told = match delete {
            Decision::Allow => Some(true),
            NO_PERMISSION => Some(false),
            _ => None,
        };
        assert_eq!(subject.has_permission("delete"), told, "{claims}");
    }
    let open = json!({"roles": ["editor"], "hasgroups": true, "scope": "jobs"});
    assert_eq!(decide(&plain, &open, &permissions(["gone"])), UNKNOWN_NAME);
    assert_eq!(decide(&plain, &open, &role("admin").or(scopes(["jobs"]))), Decision::Allow);
    assert_eq!(decide(&plain, &open, &role("admin").and(scopes(["other"]))), NO_SCOPE);

    // Among the groups that cannot be seen may be one that excludes what can.
    let exclusive = entra(catalog().mutually_exclusive(["auditor", "admin"]));
    assert_eq!(decide(&exclusive, &open, &permissions(["write"])), ELSEWHERE);
    assert_eq!(exclusive.subject(&token(&open)).has_role("editor"), None);
    let both = json!({"roles": ["auditor", "admin"], "hasgroups": true});
    assert_eq!(decide(&exclusive, &both, &role("admin")), EXCLUSIVE);
}

#[test]
fn what_cannot_be_judged_is_neither_negated_nor_passed_by_a_veto() {
    use countersign::authorize::policy::{deny_overrides, meets, not, policy_fn};
    let catalog = || {
        let roles = Catalog::builder().role("suspended", [""; 0]).role("payer", ["pay"]).role("approver", ["approve"]);
        roles.mutually_exclusive(["payer", "approver"])
    };
    let without = Catalog::builder().role("payer", ["pay"]).build().expect("catalog");
    let live = LiveCatalog::new(catalog().build().expect("catalog"));
    let mapping = ClaimsMapping::entra_groups([("g1", "suspended")]);
    let rbac = RbacAuthorizer::builder()
        .catalog(live.clone())
        .mapping_for("entra", mapping)
        .mapping_for("roles", ClaimsMapping::default());
    let rbac = rbac.build().expect("rbac");
    let suspended = || meets(rbac.clone(), role("suspended")).expect("known");
    let by_subject = rbac.clone();
    let act = |policies: countersign::authorize::policy::DenyOverridesBuilder, claims: &Value| {
        let (policies, token, act) = (policies.build().expect("policies"), token(claims), action("act"));
        policies.decide_now(&AccessRequest::new(&token, &act)).expect("from memory").name()
    };
    let anybody = || policy_fn("anybody", |_| true);
    let table = [
        (json!({"iss": "roles", "roles": []}), "allow", "allow"),
        (json!({"iss": "roles"}), "allow", "allow"),
        (json!({"iss": "roles", "roles": ["payer"]}), "allow", "allow"),
        (json!({"iss": "roles", "roles": ["suspended"]}), "deny", "deny"),
        (json!({"iss": "roles", "roles": ["suspended", 7]}), "indeterminate", "indeterminate"),
        (json!({"iss": "roles", "roles": {"suspended": true}}), "indeterminate", "indeterminate"),
        (json!({"iss": "roles", "roles": ["payer", "approver"]}), "indeterminate", "indeterminate"),
        (json!({"iss": "elsewhere", "roles": []}), "indeterminate", "indeterminate"),
        (json!({"roles": ["suspended"]}), "indeterminate", "indeterminate"),
        (json!({"iss": "entra", "_claim_names": {"groups": "s"}}), "indeterminate", "indeterminate"),
    ];
    for (claims, negated, vetoed) in table {
        let set = || deny_overrides("acts", ["act"]);
        assert_eq!(act(set().allow_if(not(suspended())), &claims), negated, "{claims}");
        assert_eq!(act(set().deny_if(suspended()).allow_if(anybody()), &claims), vetoed, "{claims}");
        let rbac = by_subject.clone();
        let closure = policy_fn("suspended", move |request| rbac.subject(request.token).has_role("suspended"));
        assert_eq!(act(set().deny_if(closure).allow_if(anybody()), &claims), vetoed, "{claims}");
    }
    let clean = json!({"iss": "roles", "roles": ["payer"]});
    let negated = deny_overrides("acts", ["act"]).allow_if(not(suspended()));
    live.replace(without);
    assert_eq!(act(negated, &clean), "indeterminate", "a name that the catalog has lost");
}

#[test]
fn a_name_that_a_catalog_has_lost_is_no_other_authorizers() {
    let catalog = |role: &str| Catalog::builder().role(role, [format!("{role}:do")]).build().expect("catalog");
    let live = LiveCatalog::new(catalog("admin"));
    let groups = ClaimsMapping::builder().roles("groups").build().expect("mapping");
    let first = RbacAuthorizer::builder().catalog(live.clone()).build().expect("rbac");
    let second = RbacAuthorizer::builder().catalog(catalog("admin")).mapping(groups).build().expect("rbac");
    let list = (first, second);
    let token = token(&json!({"groups": ["admin"]}));
    let decide = |requirement: &Requirement| list.decide_now(&AccessRequest::new(&token, requirement));
    for required in [role("admin"), permissions(["admin:do"]), any_permission(["admin:do"])] {
        assert!(matches!(decide(&required), Some(Decision::Deny(_))), "{required}");
    }
    live.replace(catalog("other"));
    for required in [role("admin"), permissions(["admin:do"]), any_permission(["admin:do"])] {
        assert_eq!(decide(&required), Some(UNKNOWN_NAME), "{required}");
    }
    live.replace(catalog("admin"));
    assert_eq!(decide(&role("admin")), Some(NO_ROLE), "and known again");
}

#[test]
fn policies_are_shown_roles_and_permissions() {
    use countersign::authorize::Resource;
    use countersign::authorize::policy::{deny_overrides, policy_fn};
    let rbac = house();
    let sees = |what: &'static str, name: &'static str| {
        let policy = policy_fn("sees", move |request| request.subject(what)?.contains(name));
        rbac.informing(deny_overrides("acts", ["act"]).allow_if(policy).build().expect("policies"))
    };
    let act = action("act");
    let admin = token(&json!({"iss": "me", "sub": "7", "role": "admin", "scope": "jobs"}));
    let broken = token(&json!({"iss": "me", "sub": "7", "role": ["admin"]}));
    for (what, name, for_admin, for_broken) in [
        ("roles", "viewer", "allow", "indeterminate"),
        ("roles", "nobody", "deny", "indeterminate"),
        ("scopes", "jobs", "allow", "deny"),
        ("own", "x", "allow", "allow"),
    ] {
        let authorizer = sees(what, name);
        let own = json!({"own": ["x"], "roles": ["nobody"]});
        let decide = |token: &VerifiedToken| {
            let question = AccessRequest::new(token, &act).with_subject(&own);
            authorizer.decide_now(&question).expect("from memory").name()
        };
        assert_eq!((decide(&admin), decide(&broken)), (for_admin, for_broken), "{what} {name}");
        assert_eq!(authorizer.version().as_deref(), Some(rbac.catalog().version()));
    }
    #[derive(Debug, Default)]
    struct Asked(std::sync::Mutex<Value>);
    #[async_trait]
    impl Authorizer for Asked {
        fn accepts(&self, _: &Requirement) -> Result<(), ConfigError> {
            Ok(())
        }
        async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
            *self.0.lock().expect("lock") = serde_json::to_value(request).expect("an evaluation");
            Decision::Allow
        }
    }
    let asked = Arc::new(Asked::default());
    let question = AccessRequest::new(&admin, &act).with_resource(Resource::new("post", "1"));
    let authorizer = rbac.informing(asked.clone());
    let mut decision = pin!(authorizer.decide(&question));
    let waker = Waker::noop();
    assert!(decision.as_mut().poll(&mut Context::from_waker(waker)).is_ready());
    let properties = asked.0.lock().expect("lock")["subject"]["properties"].clone();
    assert_eq!(properties["scopes"], json!(["jobs"]));
    assert!(properties["roles"].as_array().is_some_and(|roles| roles.contains(&json!("viewer"))), "{properties}");
}

#[test]
fn a_catalog_is_replaced_while_it_is_in_use() {
    let catalog = |permission: &str| Catalog::builder().role("editor", [permission]).build().expect("catalog");
    let live = LiveCatalog::new(catalog("write"));
    let rbac = RbacAuthorizer::builder().catalog(live.clone()).build().expect("rbac");
    let editor = json!({"roles": ["editor"]});
    let write = permissions(["write"]);
    let (subject, prepared) = (rbac.subject(&token(&editor)), rbac.prepare(write.clone()).expect("known"));
    assert_eq!(decide(&rbac, &editor, &write), Decision::Allow);

    live.replace(catalog("read"));
    assert_eq!(decide(&rbac, &editor, &write), UNKNOWN_NAME);
    assert_eq!(decide(&rbac, &editor, &role("editor").and(write.clone())), UNKNOWN_NAME);
    assert_eq!(decide(&rbac, &editor, &permissions(["read"])), Decision::Allow);
    assert!(rbac.accepts(&write).is_err() && rbac.accepts(&permissions(["read"])).is_ok());
    assert_eq!(subject.decide(&prepared), Decision::Allow, "a subject keeps its catalog");
    assert_eq!(rbac.subject(&token(&editor)).decide(&prepared), UNKNOWN_NAME, "prepared by another catalog");

    live.replace(catalog("write"));
    assert_eq!(rbac.subject(&token(&editor)).decide(&prepared), Decision::Allow, "and judged by name");
    assert_eq!(rbac.catalog().version(), live.current().version());
}

#[test]
fn nothing_required_is_denied() {
    let none: [&str; 0] = [];
    let rbac = house();
    for requirement in [any_role(none), permissions(none), any_permission(none)] {
        assert!(rbac.prepare(requirement.clone()).is_err());
        assert_eq!(decide(&rbac, &json!({"roles": ["admin"]}), &requirement), EMPTY);
    }
    for requirement in [Requirement::AllOf(vec![]), Requirement::AnyOf(vec![]), scopes(none)] {
        assert_ne!(decide(&rbac, &json!({"roles": ["admin"]}), &requirement), Decision::Allow);
    }
}

#[test]
fn each_issuer_has_its_own_mapping() {
    let roles_in = |name: &str| ClaimsMapping::builder().roles(name).without_role().build().expect("mapping");
    let base = || RbacAuthorizer::builder().role("admin", ["x"]).mapping_for("a", roles_in("groups"));
    let closed = base().mapping_for("b", roles_in("grp")).build().expect("closed");
    let open = base().mapping(roles_in("roles")).build().expect("open");
    let table = [
        (json!({"iss": "a", "groups": "admin"}), Decision::Allow, Decision::Allow),
        (json!({"iss": "a", "roles": "admin", "grp": "admin"}), NO_ROLE, NO_ROLE),
        (json!({"iss": "b", "grp": "admin"}), Decision::Allow, NO_ROLE),
        (json!({"iss": "b", "roles": "admin"}), NO_ROLE, Decision::Allow),
        (json!({"iss": "c", "roles": "admin", "groups": "admin"}), UNMAPPED, Decision::Allow),
        (json!({"iss": "A", "groups": "admin"}), UNMAPPED, NO_ROLE),
        (json!({"roles": "admin", "groups": "admin"}), UNMAPPED, Decision::Allow),
        (json!({"iss": "a", "groups": 7, "roles": "admin"}), MALFORMED, MALFORMED),
    ];
    for (claims, with_closed, with_open) in table {
        assert_eq!(decide(&closed, &claims, &role("admin")), with_closed, "{claims}");
        assert_eq!(decide(&open, &claims, &role("admin")), with_open, "{claims}");
    }
    let stranger = json!({"iss": "c", "scope": "jobs"});
    assert_eq!(decide(&closed, &stranger, &scopes(["jobs"])), Decision::Allow);
}

#[test]
fn settings_that_contradict_one_another_are_refused() {
    let mapping = ClaimsMapping::default;
    let catalog = || Catalog::builder().role("admin", ["x"]).build().expect("catalog");
    for (builder, expected) in [
        (
            RbacAuthorizer::builder().catalog(catalog()).role("b", ["x"]),
            "`catalog`: there are a ready catalog and roles or permissions beside it",
        ),
        (
            RbacAuthorizer::builder().mapping_for("a", mapping()).mapping_for("a", mapping()),
            "`mapping_for`: `a` has two mappings",
        ),
        (RbacAuthorizer::builder().mapping_for("", mapping()), "`mapping_for`: the issuer is empty"),
        (
            RbacAuthorizer::builder().role("a", ["x"]).inherits("a", "b"),
            "`inherits`: `a` inherits `b`: `b` is not a role",
        ),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), expected);
    }

    let shared = Arc::new(catalog());
    let built = RbacAuthorizer::builder().catalog(Arc::clone(&shared)).build().expect("ready catalog");
    for rbac in [RbacAuthorizer::new(shared), built, RbacAuthorizer::new(catalog())] {
        assert_eq!(decide(&rbac, &json!({"role": "admin"}), &permissions(["x"])), Decision::Allow);
        assert!(rbac.catalog().includes("admin", "admin"));
    }
}

#[test]
fn each_of_ten_thousand_roles_in_a_token_counts() {
    let chain = (0..1000).fold(RbacAuthorizer::builder().role("other", ["o"]), |all, n| {
        let all = all.role(n.to_string(), [format!("p{n}")]);
        if n == 0 { all } else { all.inherits((n - 1).to_string(), n.to_string()) }
    });
    let rbac = chain.build().expect("chain");
    // The leaf comes first, so that every role adds to what is there.
    let names: Vec<String> = (0..10_000).map(|n| (999 - n % 2000).to_string()).collect();
    let claims = json!({"roles": names, "permissions": names});
    assert_eq!(decide(&rbac, &claims, &permissions(["p0", "p500", "p999"]).and(role("0"))), Decision::Allow);
    assert_eq!(decide(&rbac, &claims, &role("other")), NO_ROLE);
}

#[test]
fn an_authorizer_behind_a_pointer_is_the_same() {
    let boxed: Box<dyn Authorizer> = Box::new(Arc::new(house()));
    let token = token(&json!({"role": "admin"}));
    assert_eq!(boxed.decide_now(&AccessRequest::new(&token, &role("viewer"))), Some(Decision::Allow));
    assert!(boxed.accepts(&role("nobody")).is_err());
}

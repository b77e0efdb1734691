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

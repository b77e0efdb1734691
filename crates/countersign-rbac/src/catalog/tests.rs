use super::*;

const NONE: [&str; 0] = [];

fn error(builder: CatalogBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let editor = || Catalog::builder().role("editor", ["read"]);
    let cases = [
        (editor().role("editor", ["write"]), "`role`: `editor` is given twice"),
        (editor().role("", ["read"]), "`role`: the name of a role is empty"),
        (editor().role("author", ["read", ""]), "`role`: `author` grants a permission without a name"),
        (editor().permission(""), "`permission`: the name of a permission is empty"),
        (editor().only_permissions(["read", ""]), "`permission`: the name of a permission is empty"),
        (editor().inherits("admin", "editor"), "`inherits`: `admin` inherits `editor`: `admin` is not a role"),
        (editor().inherits("editor", "Editor"), "`inherits`: `editor` inherits `Editor`: `Editor` is not a role"),
        (editor().inherits("editor", ""), "`inherits`: `editor` inherits ``: `` is not a role"),
        (editor().only_permissions(NONE), "`role`: `editor` grants the unknown permission `read`"),
        (
            editor().permission("write").only_permissions(["delete"]),
            "`role`: `editor` grants the unknown permission `read`",
        ),
    ];
    for (builder, expected) in cases {
        assert_eq!(error(builder), expected);
    }
}

#[test]
fn permissions_need_no_declaration_unless_they_are_said_to_be_all() {
    let open = Catalog::builder().permission("direct").role("editor", ["read"]).build().expect("open");
    assert_eq!(open.permissions().collect::<Vec<_>>(), ["direct", "read"]);
    assert_eq!(open.roles().collect::<Vec<_>>(), ["editor"]);
    assert!(!open.grants("editor", "direct"));

    let only = Catalog::builder().role("editor", ["read", "direct"]).permission("direct");
    assert!(only.only_permissions(["read"]).build().is_ok(), "the order does not matter");
}

#[test]
fn a_circle_is_refused_with_its_path() {
    let roles =
        || ["a", "b", "c", "outside", "beneath"].into_iter().fold(Catalog::builder(), |all, role| all.role(role, NONE));
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("a", "a")], "`a` -> `a`"),
        (&[("a", "b"), ("b", "a")], "`a` -> `b` -> `a`"),
        (&[("a", "b"), ("b", "c"), ("c", "a")], "`a` -> `b` -> `c` -> `a`"),
        (&[("outside", "b"), ("b", "beneath"), ("b", "c"), ("c", "b"), ("a", "outside")], "`b` -> `c` -> `b`"),
    ];
    for (edges, path) in cases {
        let builder = edges.iter().fold(roles(), |all, (role, inherited)| all.inherits(*role, *inherited));
        assert_eq!(error(builder), format!("`inherits`: roles inherit in a circle: {path}"));
    }
}

#[test]
fn what_is_said_twice_is_a_mistake_that_is_named() {
    let roles = || Catalog::builder().role("a", ["x"]).role("b", ["y"]).inherits("a", "b");
    for (builder, expected) in [
        (roles().role("c", ["x", "y", "x"]), "`role`: `c` grants `x` twice"),
        (roles().role("c", ["x", "z:*", "z:*"]), "`role`: `c` grants `z:*` twice"),
        (roles().inherits("a", "b"), "`inherits`: `a` inherits `b` twice"),
        (roles().role("a", ["x"]), "`role`: `a` is given twice"),
    ] {
        assert_eq!(error(builder), expected);
    }
}

#[test]
fn a_diamond_is_no_circle() {
    let catalog = Catalog::builder()
        .inherits("top", "left")
        .inherits("top", "right")
        .inherits("left", "bottom")
        .inherits("right", "bottom")
        .role("top", ["t"])
        .role("left", ["l"])
        .role("right", ["r"])
        .role("bottom", ["b"])
        .build()
        .expect("diamond");
    for (role, roles, permissions) in [
        ("top", "top left right bottom", "t l r b"),
        ("left", "left bottom", "l b"),
        ("right", "right bottom", "r b"),
        ("bottom", "bottom", "b"),
    ] {
        for other in catalog.roles() {
            let expected = roles.split(' ').any(|name| name == other);
            assert_eq!(catalog.includes(role, other), expected, "{role} and {other}");
        }
        for permission in catalog.permissions() {
            let expected = permissions.split(' ').any(|name| name == permission);
            assert_eq!(catalog.grants(role, permission), expected, "{role} and {permission}");
        }
    }
    assert!(!catalog.includes("nobody", "bottom"));
    assert!(!catalog.includes("top", "nobody"));
    assert!(!catalog.grants("top", "nothing"));
    assert!(!catalog.grants("nobody", "b"));
}

#[test]
fn a_chain_of_a_thousand_roles_is_closed_to_its_end() {
    let chain = (0..1000).fold(Catalog::builder(), |all, n| {
        let all = all.role(n.to_string(), [format!("p{n}")]);
        if n == 0 { all } else { all.inherits((n - 1).to_string(), n.to_string()) }
    });
    let round = chain.clone().inherits("999", "0");
    let chain = chain.build().expect("chain");
    assert!(chain.includes("0", "999") && chain.grants("0", "p999") && chain.grants("500", "p777"));
    assert!(!chain.includes("999", "998") && !chain.grants("500", "p499"));
    assert_eq!(error(round).matches("->").count(), 1000);
}

#[test]
fn names_are_compared_exactly() {
    let catalog = Catalog::builder().role("Führung", ["docs:read"]).role("nur lesen", ["Docs:read"]).build();
    let catalog = catalog.expect("names");
    assert!(catalog.grants("Führung", "docs:read") && catalog.grants("nur lesen", "Docs:read"));
    assert!(!catalog.grants("führung", "docs:read"));
    assert!(!catalog.grants("Führung", "Docs:read"));
    assert!(!catalog.grants("nur lesen", "docs:read "));
}

#[test]
fn a_wildcard_stands_for_the_names_that_go_on_after_it() {
    let names =
        ["posts:read", "posts:", "posts", "posts:comments:read", "postscript:read", "posts.read", "posts/read", "p"];
    let table: [(&str, &[&str]); 5] = [
        ("posts:*", &["posts:read", "posts:comments:read"]),
        ("posts:comments:*", &["posts:comments:read"]),
        ("posts.*", &["posts.read"]),
        ("posts/*", &["posts/read"]),
        ("*", &names),
    ];
    for (wildcard, expected) in table {
        let catalog = Catalog::builder().only_permissions(names).role("r", [wildcard]).build().expect(wildcard);
        let granted: Vec<_> = catalog.permissions().filter(|name| catalog.grants("r", name)).collect();
        assert_eq!(granted, expected, "{wildcard}");
        assert!(!catalog.grants("r", wildcard), "it is no name itself");
    }
    for not_one in ["**", "posts*", "*:read", "posts:*:read", "posts:**", ":*", "*posts:*", "posts-*", " *"] {
        let expected = format!("`role`: `r` grants `{not_one}`: a `*` stands alone, or last after `:`, `.` or `/`");
        assert_eq!(error(Catalog::builder().only_permissions(names).role("r", [not_one])), expected);
    }
    for nothing in ["users:*", "Posts:*", "posts:read:*", "p:*"] {
        let expected = format!("`role`: `r` grants `{nothing}`, which stands for no permission");
        assert_eq!(error(Catalog::builder().only_permissions(names).role("r", [nothing])), expected);
    }
}

#[test]
fn a_wildcard_covers_what_other_roles_grant_and_is_inherited() {
    let catalog = Catalog::builder()
        .role("all", ["*"])
        .role("heir", NONE)
        .role("editor", ["posts:read"])
        .permission("direct")
        .inherits("heir", "all")
        .build()
        .expect("catalog");
    for role in ["all", "heir"] {
        assert!(catalog.grants(role, "posts:read") && catalog.grants(role, "direct"), "{role}");
    }
}

#[test]
fn mutually_exclusive_roles_must_be_able_to_exclude_something() {
    let three = || ["a", "b", "c"].into_iter().fold(Catalog::builder(), |all, role| all.role(role, NONE));
    let cases = [
        (three().mutually_exclusive(["a", "x"]), "`mutually_exclusive`: `x` is not a role"),
        (
            three().mutually_exclusive(["a"]),
            "`mutually_exclusive`: `a`: a set of fewer than two roles excludes nothing",
        ),
        (three().mutually_exclusive(["a", "a"]), "`mutually_exclusive`: `a` stands twice in one set"),
        (three().mutually_exclusive(NONE), "`mutually_exclusive`: a set of no roles excludes nothing"),
        (
            three().inherits("a", "b").mutually_exclusive(["a", "b"]),
            "`mutually_exclusive`: `a` includes two of the mutually exclusive roles `a`, `b`",
        ),
        (
            three().role("top", NONE).inherits("top", "a").inherits("top", "b").mutually_exclusive(["c", "b", "a"]),
            "`mutually_exclusive`: `top` includes two of the mutually exclusive roles `c`, `b`, `a`",
        ),
    ];
    for (builder, expected) in cases {
        assert_eq!(error(builder), expected);
    }
}

#[test]
fn the_version_is_what_was_said_or_changes_with_the_content() {
    let base = || Catalog::builder().role("a", ["x", "y"]).role("b", NONE);
    let version = |builder: CatalogBuilder| builder.build().expect("catalog").version().to_owned();
    assert_eq!(version(base().version("2031-05-04")), "2031-05-04");
    assert_eq!(error(base().version("")), "`version`: is empty");
    let fingerprint = version(base());
    assert_eq!(fingerprint.len(), 16);
    assert_eq!(version(Catalog::builder().role("b", NONE).role("a", ["y", "x"])), fingerprint);
    let others = [
        base().inherits("a", "b"),
        base().inherits("b", "a"),
        base().role("c", NONE),
        base().permission("z"),
        base().mutually_exclusive(["a", "b"]),
        Catalog::builder().role("a", ["xy"]).role("b", NONE),
        Catalog::builder().role("a", ["x"]).role("b", ["y"]),
        Catalog::builder().role("a", ["x", "*"]).role("b", ["y"]),
    ];
    let mut versions: Vec<_> = others.into_iter().map(version).chain([fingerprint]).collect();
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 9);
}

#[test]
fn ten_thousand_roles_and_permissions_are_a_catalog_too() {
    let names = (0..10_000).map(|n| format!("p{n}"));
    let start = Catalog::builder().only_permissions(names).role("all", ["*"]);
    let many = (0..10_000).fold(start, |all, n| all.role(format!("r{n}"), [format!("p{n}")]));
    let catalog = many.inherits("r9999", "r4711").build().expect("catalog");
    assert!(catalog.grants("all", "p9999") && catalog.grants("r9999", "p4711") && catalog.includes("r9999", "r4711"));
    assert!(!catalog.grants("r9998", "p4711") && !catalog.grants("r0", "p64"));
}

#[test]
fn nothing_is_a_catalog_too() {
    let empty = Catalog::builder().build().expect("empty");
    assert_eq!(empty.roles().count() + empty.permissions().count(), 0);
    assert_eq!(format!("{empty:?}"), "Catalog { version: \"cbf29ce484222325\", roles: 0, permissions: 0, .. }");
}

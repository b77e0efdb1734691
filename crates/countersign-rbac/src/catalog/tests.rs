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
fn a_diamond_is_no_circle() {
    let catalog = Catalog::builder()
        .inherits("top", "left")
        .inherits("top", "right")
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
    let catalog = Catalog::builder().role("Führung", ["docs:*"]).role("nur lesen", ["*"]).build().expect("names");
    assert!(catalog.grants("Führung", "docs:*") && catalog.grants("nur lesen", "*"));
    assert!(!catalog.grants("führung", "docs:*"));
    assert!(!catalog.grants("Führung", "docs:read"));
    assert!(!catalog.grants("nur lesen", "docs:*"));
}

#[test]
fn nothing_is_a_catalog_too() {
    let empty = Catalog::builder().build().expect("empty");
    assert_eq!(empty.roles().count() + empty.permissions().count(), 0);
    assert_eq!(format!("{empty:?}"), "Catalog { roles: 0, permissions: 0, .. }");
}

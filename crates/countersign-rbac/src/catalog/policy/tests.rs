use super::*;
use crate::Catalog;

fn problem(read: Result<CatalogBuilder, ConfigError>) -> String {
    read.and_then(CatalogBuilder::build).expect_err("a mistake").to_string()
}

const JSON: &str = r#"{
  "version": "7",
  "permissions": ["posts:read", "posts:write", "users:delete", "direct"],
  "roles": {
    "editor": {"permissions": ["posts:*"]},
    "admin": {"permissions": ["users:delete"], "inherits": ["editor"]},
    "guest": {}
  },
  "exclusive": [["admin", "guest"]]
}"#;

fn is_the_house(catalog: &Catalog) {
    assert_eq!(catalog.version(), "7");
    assert_eq!(catalog.permissions().collect::<Vec<_>>(), ["posts:read", "posts:write", "users:delete", "direct"]);
    let granted = |role| catalog.permissions().filter(|name| catalog.grants(role, name)).collect::<Vec<_>>();
    assert_eq!(granted("editor"), ["posts:read", "posts:write"]);
    assert_eq!(granted("admin"), ["posts:read", "posts:write", "users:delete"]);
    assert!(granted("guest").is_empty());
    assert_eq!(catalog.exclusions().len(), 1);
}

#[test]
fn a_policy_in_json_is_a_catalog() {
    is_the_house(&Catalog::builder().json(JSON).and_then(CatalogBuilder::build).expect("policy"));
}

#[test]
fn mistakes_in_json_are_told_with_line_and_culprit() {
    let cases = [
        (
            "{\n\"roles\": {}, \"rolse\": 1}",
            "`policy`: line 2: unknown field `rolse`, expected one of `version`, `permissions`, `exclusive`, `roles`",
        ),
        (
            "{\n\"roles\": {\n\"a\": {\"grants\": []}}}",
            "`policy`: line 3: unknown field `grants`, expected `permissions` or `inherits`",
        ),
        ("{}", "`policy`: line 1: missing field `roles`"),
        ("{\"roles\": {},\n\"roles\": {}}", "`policy`: line 2: duplicate field `roles`"),
        ("{\"roles\": {\n\n]", "`policy`: line 3: key must be a string"),
        ("{\"roles\": []}", "`policy`: line 1: invalid type: sequence, expected roles by their names"),
        ("{\"roles\": {}} x", "`policy`: line 1: trailing characters"),
        (
            "{\"roles\": {},\n\"permissions\": \"posts\"}",
            "`policy`: line 2: invalid type: string \"posts\", expected a sequence",
        ),
        ("{\"roles\": {},\n\"permissions\": [\"a\",\n7]}", "`policy`: line 3: `7` is no string"),
        ("{\"roles\": {},\n\"version\":\n3}", "`policy`: line 3: `3` is no string"),
        ("{\"roles\": {},\n\"version\": \"\"}", "`version`: line 2: is empty"),
        ("{\"roles\": {\n\"a\": {},\n\"a\": {}}}", "`role`: line 3: `a` is given twice"),
        ("{\"roles\": {\n\"\": {}}}", "`role`: line 2: the name of a role is empty"),
        (
            "{\"roles\": {},\n\"permissions\": [\"a\",\n\"b\",\n\"a\"]}",
            "`policy`: line 4: `a` stands twice in `permissions`",
        ),
        (
            "{\"roles\": {\"r\": {\"permissions\": [\"a\",\n\"a\"]}}}",
            "`policy`: line 2: `a` stands twice in what `r` grants",
        ),
        (
            "{\"roles\": {\"s\": {}, \"r\": {\"inherits\": [\"s\",\n\"s\"]}}}",
            "`policy`: line 2: `s` stands twice in what `r` inherits",
        ),
        (
            "{\"permissions\": [\"a\"],\n\"roles\": {\n\"r\": {\"permissions\": [\n\"b\"]}}}",
            "`role`: line 4: `r` grants the unknown permission `b`",
        ),
        (
            "{\"roles\": {\n\"r\": {\"inherits\": [\n\"s\"]}}}",
            "`inherits`: line 3: `r` inherits `s`: `s` is not a role",
        ),
        (
            "{\"roles\": {\n\"r\": {\"inherits\": [\"s\"]},\n\"s\": {\"inherits\": [\"r\"]}}}",
            "`inherits`: line 2: roles inherit in a circle: `r` -> `s` -> `r`",
        ),
        (
            "{\"roles\": {\n\"r\": {\"permissions\": [\"a:*\"]}}}",
            "`role`: line 2: `r` grants `a:*`, which stands for no permission",
        ),
        (
            "{\"roles\": {\n\"r\": {\"permissions\": [\"a*\"]}}}",
            "`role`: line 2: `r` grants `a*`: a `*` stands alone, or last after `:`, `.` or `/`",
        ),
        (
            "{\"roles\": {},\n\"permissions\": [\"a:*\"]}",
            "`permission`: line 2: `a:*` has a `*`, which only a role may grant",
        ),
        (
            "{\"roles\": {\"r\": {}},\n\"exclusive\": [[\"r\",\n\"s\"]]}",
            "`mutually_exclusive`: line 3: `s` is not a role",
        ),
        (
            "{\"roles\": {\"r\": {}},\n\"exclusive\": [[\"r\"]]}",
            "`mutually_exclusive`: line 2: `r`: a set of fewer than two roles excludes nothing",
        ),
        (
            "{\"roles\": {\"r\": {}},\n\"exclusive\": [[\"r\",\n\"r\"]]}",
            "`mutually_exclusive`: line 3: `r` stands twice in one set",
        ),
        ("{\"roles\": {},\n\"exclusive\": [[]]}", "`mutually_exclusive`: a set of no roles excludes nothing"),
        (
            "{\"roles\": {\"r\": {},\"s\": {},\n\"t\": {\"inherits\": [\"r\", \"s\"]}},\"exclusive\": [[\"r\", \"s\"]]}",
            "`mutually_exclusive`: line 2: `t` includes two of the mutually exclusive roles `r`, `s`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problem(Catalog::builder().json(text)), expected, "{text}");
    }
}

#[test]
fn no_text_panics() {
    let deep = format!("{{\"roles\": {{\"a\": {}1{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
    for text in ["", " ", "null", "7", "\"", "{\"roles\":", deep.as_str(), "{\"roles\":{\"\\ud800\":{}}}", "\u{feff}{}"]
    {
        problem(Catalog::builder().json(text));
    }
}

#[test]
fn a_policy_is_held_against_the_names_in_the_code() {
    let code = || Catalog::builder().only_permissions(["posts:read"]).only_roles(["editor"]);
    let policy = |text: &str| problem(code().json(text));
    assert_eq!(
        policy("{\"roles\": {\n\"editor\": {\"permissions\": [\"posts:raed\"]}}}"),
        "`role`: line 2: `editor` grants the unknown permission `posts:raed`"
    );
    assert_eq!(
        policy("{\"roles\": {\n\"edtior\": {}}}"),
        "`role`: line 2: `edtior` is not among the roles that there may be"
    );
    assert_eq!(policy("{\"roles\": {}}"), "`only_roles`: the role `editor` is not given");
    assert!(code().json("{\"roles\": {\"editor\": {}}}").and_then(CatalogBuilder::build).is_ok());
}

#[test]
fn a_file_is_read_by_its_ending_and_named_in_errors() {
    let folder = std::env::temp_dir().join(format!("countersign-rbac-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        (Catalog::builder().file(&path), path.display().to_string())
    };
    let (read, _) = file("good.json", JSON.as_bytes());
    is_the_house(&read.and_then(CatalogBuilder::build).expect("policy"));
    let (read, path) = file("bad.json", b"{\"roles\": {\n\"a\": {\"inherits\": [\"b\"]}}}");
    assert_eq!(problem(read), format!("`inherits`: `{path}`, line 2: `a` inherits `b`: `b` is not a role"));
    let (read, path) = file("typo.json", b"{\n\"rolse\": {}}");
    assert!(problem(read).starts_with(&format!("`policy`: `{path}`, line 2: unknown field `rolse`")));
    let (read, path) = file("policy.yaml", b"");
    assert_eq!(problem(read), format!("`policy`: `{path}`: ends neither with `.json` nor with `.toml`"));
    let (read, path) = file("latin.json", b"\xff");
    assert!(problem(read).starts_with(&format!("`policy`: `{path}`: ")));
    assert!(problem(Catalog::builder().file(folder.join("absent.json"))).contains("absent.json"));
    std::fs::remove_dir_all(&folder).expect("tidied up");
}

#[cfg(feature = "toml")]
mod in_toml {
    use super::*;

    #[test]
    fn a_policy_in_toml_is_the_same_catalog() {
        let text = r#"
            version = "7"
            permissions = ["posts:read", "posts:write", "users:delete", "direct"]
            exclusive = [["admin", "guest"]]

            [roles.editor]
            permissions = ["posts:*"]

            [roles."admin"]
            permissions = ["users:delete"]
            inherits = ["editor"]

            [roles.guest]
        "#;
        is_the_house(&Catalog::builder().toml(text).and_then(CatalogBuilder::build).expect("policy"));
    }

    #[test]
    fn mistakes_in_toml_are_told_with_line_and_culprit() {
        let cases = [
            ("rolse = 1\n[roles]", "`policy`: line 1: unknown field `rolse`"),
            ("[roles.a]\ngrants = []", "`policy`: line 2: unknown field `grants`"),
            ("[roles.a]\n[roles.b]\n[roles.a]", "`policy`: line 3: duplicate key"),
            ("[roles.a]\npermissions = [\n\"x\",\n7]", "`policy`: line 4: invalid type: integer `7`"),
            ("[roles.a]\npermissions = \"x\"", "`policy`: line 2: invalid type: string \"x\", expected a sequence"),
            ("version = 3\n[roles]", "`policy`: line 1: invalid type: integer `3`"),
            ("[roles\n", "`policy`: line 1: "),
            ("", "`policy`: line 1: missing field `roles`"),
            ("[roles.a]\n\n[roles.\"\"]", "`role`: line 3: the name of a role is empty"),
            ("[roles.a]\npermissions = [\n\"x\",\n\"x\"]", "`policy`: line 4: `x` stands twice in what `a` grants"),
            (
                "permissions = []\n[roles.a]\npermissions = [\n\"x\"]",
                "`role`: line 4: `a` grants the unknown permission `x`",
            ),
            (
                "[roles.a]\ninherits = [\"b\"]\n[roles.b]\ninherits = [\"a\"]",
                "`inherits`: line 2: roles inherit in a circle: `a` -> `b` -> `a`",
            ),
            (
                "exclusive = [[\"a\", \"b\"]]\n[roles.a]\n[roles.b]\n[roles.c]\ninherits = [\"a\", \"b\"]",
                "`mutually_exclusive`: line 4: `c` includes two of the mutually exclusive roles `a`, `b`",
            ),
        ];
        for (text, expected) in cases {
            let problem = problem(Catalog::builder().toml(text));
            assert!(problem.starts_with(expected), "{problem}\n{text}");
        }
    }
}

use super::{Stub, table};
use crate::authorize::{action, any_role, authenticated, permissions, role, scopes};
use crate::extract::{
    CookieExtractor, ExtractError, HeaderExtractor, QueryExtractor, SubprotocolExtractor, TokenExtractor,
};
use crate::guard::Guard;
use crate::manifest::Declarations;
use crate::request::{Credential, RequestView};
use serde_json::json;

#[test]
fn openapi_lists_each_way_to_be_let_in() {
    let many = |n: usize| any_role((0..n).map(|nth| format!("r{nth:02}")));
    let cases = [
        (authenticated(), json!([{"bearer": []}])),
        (role("a"), json!([{"bearer": ["a"]}])),
        (any_role(["a", "b"]), json!([{"bearer": ["a"]}, {"bearer": ["b"]}])),
        (permissions(["b", "a"]), json!([{"bearer": ["a", "b"]}])),
        (scopes(["s"]).and(any_role(["a", "b"])), json!([{"bearer": ["a", "s"]}, {"bearer": ["b", "s"]}])),
        (action("x").or(permissions(["a", "b"])), json!([{"bearer": ["x"]}, {"bearer": ["a", "b"]}])),
        (many(17), json!([{"bearer": []}])),
        (many(4).and(many(5)), json!([{"bearer": []}])),
    ];
    for (requirement, expected) in cases {
        let text = requirement.to_string();
        let document =
            table().requires("PUT", "/a/{b}/{*c}", requirement, "").build().expect("a plan").manifest.openapi();
        let operation = &document["paths"]["/a/{b}/{c}"]["put"];
        assert_eq!(operation["security"], expected, "{text}");
        assert_eq!(operation["x-countersign-requires"], text);
        assert!(["400", "401", "503"].iter().all(|status| operation["responses"][status].is_object()));
        assert_eq!(operation["responses"]["403"].is_object(), text != "authenticated");
    }
    let public = table().public("GET", "/", "").build().expect("a plan").manifest.openapi();
    assert_eq!(public, json!({"paths": {"/": {"get": {"security": []}}}, "components": {"securitySchemes": {}}}));
}

/// A guard that looks in all places there are.
fn everywhere() -> Guard {
    #[derive(Debug)]
    struct Own;
    impl TokenExtractor for Own {
        fn extract<'r>(&self, _: &RequestView<'r>) -> Result<Option<Credential<'r>>, ExtractError> {
            Ok(None)
        }
    }
    let header =
        |name, scheme: &str| HeaderExtractor::new(name).and_then(|header| header.prefix(scheme)).expect("names");
    Guard::builder(Stub)
        .authorizer(Stub)
        .realm("r")
        .extractor(HeaderExtractor::bearer())
        .extractor(header("authorization", "Basic"))
        .extractor(header("authorization", "X!Token"))
        .extractor(header("authorization", "bearer"))
        .extractor(HeaderExtractor::new("X-Api.Key").expect("a name"))
        .extractor(header("x-token", "Bearer"))
        .extractor(CookieExtractor::new("__Host-t").expect("a name"))
        .extractor(CookieExtractor::new("__Host-t").expect("a name"))
        .extractor(QueryExtractor::danger_new("access_token").expect("a name"))
        .extractor(SubprotocolExtractor::new("bearer").expect("a prefix"))
        .extractor(Own)
        .build()
        .expect("a guard")
}

#[test]
fn openapi_says_where_the_guard_of_each_route_looks() {
    let cookie = CookieExtractor::new("t").expect("a name");
    let cookie = Guard::builder(Stub).authorizer(Stub).extractor(cookie).build().expect("a guard");
    let plan = table()
        .requires("GET", "/one", scopes(["a"]), "")
        .nest("/nested", Declarations::new(&cookie).requires("POST", "/", authenticated(), "").public("GET", "/", ""))
        .merge(Declarations::new(&everywhere()).requires("GET", "/every", role("a"), ""))
        .build()
        .expect("a plan");
    let document = plan.manifest.openapi();
    let security = |path: &str, method: &str| document["paths"][path][method]["security"].clone();
    assert_eq!(security("/one", "get"), json!([{"bearer": ["a"]}]));
    assert_eq!(security("/nested", "post"), json!([{"cookie.t": []}]));
    assert_eq!(security("/nested", "get"), json!([]));
    let schemes = json!({
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "basic": {"type": "http", "scheme": "basic"},
        "authorization.x.21token": {"type": "http", "scheme": "x!token"},
        "header.x-api.2ekey": {"type": "apiKey", "in": "header", "name": "x-api.key"},
        "header.x-token": {"type": "apiKey", "in": "header", "name": "x-token"},
        "cookie.__Host-t": {"type": "apiKey", "in": "cookie", "name": "__Host-t"},
        "cookie.t": {"type": "apiKey", "in": "cookie", "name": "t"},
        "query.access_token": {
            "type": "apiKey", "in": "query", "name": "access_token",
            "description": "Danger: addresses are written into logs and histories (RFC 9700 §4.3.2)",
        },
        "header.sec-websocket-protocol": {"type": "apiKey", "in": "header", "name": "sec-websocket-protocol"},
        "elsewhere": {"type": "http", "scheme": "x-elsewhere", "description": "As the application documents it"},
    });
    assert_eq!(document["components"]["securitySchemes"], schemes);
    let named: Vec<_> = security("/every", "get")
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|way| way.as_object().expect("an object").keys().cloned())
        .collect();
    let expected = [
        "bearer",
        "basic",
        "authorization.x.21token",
        "header.x-api.2ekey",
        "header.x-token",
        "cookie.__Host-t",
        "query.access_token",
        "header.sec-websocket-protocol",
        "elsewhere",
    ];
    assert_eq!(named, expected);
    let answers = |path: &str, method: &str| document["paths"][path][method]["responses"].clone();
    let statuses = |path, method| answers(path, method).as_object().map(|all| all.keys().cloned().collect::<Vec<_>>());
    for (path, method) in [("/one", "get"), ("/nested", "post"), ("/every", "get")] {
        assert_eq!(statuses(path, method), Some(["400", "401", "403", "503"].map(str::to_owned).to_vec()), "{path}");
    }
    assert_eq!(answers("/nested", "post")["403"]["description"], "A request from another site");
}

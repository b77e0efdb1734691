use super::{guard, printed, refused, table};
use crate::authorize::{Requirement, Requires, authenticated, role, scopes};
use crate::extract::CookieExtractor;
use crate::guard::Guard;
use crate::manifest::{Declarations, Method, PathTemplate};
use serde_json::json;

struct Write;
impl Requires for Write {
    fn requirement() -> Requirement {
        scopes(["write"])
    }
}

struct Audit;
impl Requires for Audit {
    fn requirement() -> Requirement {
        role("auditor")
    }
}

struct Unknown;
impl Requires for Unknown {
    fn requirement() -> Requirement {
        role("unknown")
    }
}

#[test]
fn the_manifest_lists_what_routes_prove_in_order_and_once() {
    let nested = table().public("GET", "/", "").proves::<Audit>();
    let table = table()
        .requires("POST", "/posts", authenticated(), "")
        .proves::<Write>()
        .proves::<Audit>()
        .proves::<Write>()
        .public("GET", "/posts", "")
        .proves::<Write>()
        .requires("PUT", "/posts", authenticated(), "")
        .proves_on::<Write>()
        .proves::<Audit>()
        .proves_on::<Write>()
        .nest("/audit", nested);
    let manifest = table.build().expect("a plan").manifest;
    assert_eq!(
        manifest.to_string(),
        "GET      /audit  public  proves role(auditor)\n\
         GET      /posts  public  proves scopes(write)\n\
         POST     /posts  authenticated  proves role(auditor) and scopes(write)\n\
         PUT      /posts  authenticated  proves role(auditor)  proves on a resource scopes(write)\n"
    );
    let json = serde_json::to_value(&manifest).expect("JSON");
    assert_eq!(json["routes"][2]["proves"], json!([{"any_role": ["auditor"]}, {"scopes": ["write"]}]));
    assert_eq!(json["routes"][2].get("proves_on"), None);
    assert_eq!(json["routes"][3]["proves_on"], json!([{"scopes": ["write"]}]));
    let silent = super::table().public("GET", "/", "").build().expect("a plan").manifest;
    assert_eq!(serde_json::to_value(&silent).expect("JSON")["routes"][0].get("proves"), None);
}

#[test]
fn a_proof_that_the_guard_cannot_judge_is_found_when_the_table_is_built() {
    let nested = table().public("GET", "/b", "").proves::<Write>().proves::<Unknown>();
    let refused_one = refused(table().nest("/a", nested));
    assert!(refused_one.contains("proves") && refused_one.contains("GET /a/b: "), "{refused_one}");
    let refused_on = refused(table().public("GET", "/b", "").proves_on::<Unknown>());
    assert!(refused_on.contains("proves_on") && refused_on.contains("GET /b: "), "{refused_on}");
    assert!(refused(table().proves_on::<Write>().public("GET", "/", "")).contains("proves_on"));
    let too_early = refused(table().proves::<Write>().public("GET", "/", ""));
    assert!(too_early.contains("stands before the first route"), "{too_early}");
    assert!(refused(table().merge(table().proves::<Write>())).contains("stands before the first route"));
}

#[test]
fn a_proof_behind_a_table_that_is_taken_in_belongs_to_no_route() {
    let outer = || table().public("GET", "/", "");
    let inner = || table().public("GET", "/b", "");
    let tables = [
        outer().nest("/a", inner()).proves::<Write>(),
        outer().merge(inner()).proves::<Write>(),
        table().merge(inner()).proves::<Write>(),
        table().nest("/a", outer().merge(inner()).proves::<Write>()),
        // What follows is right, and does not hide it.
        outer().merge(inner()).proves::<Write>().public("GET", "/c", "").proves::<Write>(),
    ];
    for (nth, table) in tables.into_iter().enumerate() {
        let refused = refused(table);
        assert!(refused.contains("proves") && refused.contains("behind a table that is taken in"), "{nth}: {refused}");
    }
    let again = outer().merge(inner()).public("GET", "/c", "").proves::<Write>();
    assert_eq!(
        printed(again),
        "GET      /   public\n\
         GET      /b  public\n\
         GET      /c  public  proves scopes(write)\n"
    );
}

#[test]
fn a_proof_is_held_against_each_guard_that_is_handed_over() {
    let (later, hand_over) = Guard::later();
    let routes = |route: fn(Declarations<()>) -> Declarations<()>| {
        let table = Declarations::new(&later).requires("GET", "/", authenticated(), ());
        route(table).build()
    };
    // What is not built declares nothing.
    assert!(routes(|table| table.proves::<Unknown>().public("GET", "/", ())).is_err());
    hand_over.hand_over(&guard()).expect("nothing unknown is declared");
    assert!(routes(Declarations::proves::<Unknown>).is_err(), "the guard is there by now");

    let (later, hand_over) = Guard::later();
    // The plan is not kept: whoever serves it asks the guard when a request comes.
    drop(Declarations::new(&later).public("GET", "/", ()).proves::<Unknown>().build().expect("a plan"));
    assert!(hand_over.hand_over(&guard()).is_err());

    let (later, hand_over) = Guard::later();
    drop(Declarations::new(&later).public("GET", "/", ()).proves_on::<Unknown>().build().expect("a plan"));
    assert!(hand_over.hand_over(&guard()).is_err());
}

#[test]
fn openapi_takes_what_handlers_prove_for_required() {
    let table = table()
        .requires("POST", "/", role("editor"), "")
        .proves::<Write>()
        .public("GET", "/", "")
        .proves::<Audit>()
        .requires("PUT", "/", authenticated(), "")
        .proves_on::<Write>();
    let document = table.build().expect("a plan").manifest.openapi();
    let operations = &document["paths"]["/"];
    assert_eq!(operations["post"]["security"], json!([{"bearer": ["editor", "write"]}]));
    assert_eq!(operations["post"]["x-countersign-requires"], "role(editor)");
    assert_eq!(operations["post"]["x-countersign-proves"], json!(["scopes(write)"]));
    assert_eq!(operations["put"]["security"], json!([{"bearer": ["write"]}]));
    assert_eq!(operations["put"]["x-countersign-proves-on"], json!(["scopes(write)"]));
    assert_eq!(operations["put"].get("x-countersign-proves"), None);
    assert!(operations["put"]["responses"]["403"].is_object());
    // Nobody, or whoever meets it.
    assert_eq!(operations["get"]["security"], json!([{}, {"bearer": ["auditor"]}]));
    assert_eq!(operations["get"].get("x-countersign-requires"), None);
    assert!(["401", "403", "503"].iter().all(|status| operations["get"]["responses"][status].is_object()));
    assert!(document["components"]["securitySchemes"]["bearer"].is_object());
}

#[test]
fn adapters_add_what_they_learn_of_a_handler() {
    let cookie =
        CookieExtractor::new("__Host-t").and_then(|cookie| cookie.origin("https://app.example")).expect("names");
    let guard = Guard::builder(super::Stub).authorizer(super::Stub).extractor(cookie).build().expect("a guard");
    let mut manifest = Declarations::new(&guard).public("GET", "/a", ()).build().expect("a plan").manifest;
    let path = |text| PathTemplate::parse(text).expect("a path");
    for (method, path) in [(Method::Get, path("/b")), (Method::Put, path("/a"))] {
        manifest.add_proofs(method, &path, &guard, vec![Write::requirement()], vec![Audit::requirement()]);
    }
    assert_eq!(manifest.to_string(), "GET      /a  public\n", "there is no such route");
    manifest.add_proofs(Method::Get, &path("/a"), &guard, Vec::new(), Vec::new());
    assert_eq!(manifest.to_string(), "GET      /a  public\n");
    let on = || vec![Audit::requirement()];
    manifest.add_proofs(Method::Get, &path("/a"), &guard, vec![Write::requirement()], on());
    let declared = Declarations::new(&guard).public("GET", "/a", "").proves::<Write>().proves_on::<Audit>();
    assert_eq!(manifest.to_string(), printed(declared));
}

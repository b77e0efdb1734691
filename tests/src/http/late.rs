//! A guard that is handed over after the routes are built, and replaced while they are served.

use super::client::send;
use super::servers::start_all;
use super::world::Tokens;
use countersign::Guard;

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_built_first_and_the_guard_comes_later_and_changes() {
    let tokens = Tokens::new();
    let (guard, hand_over) = Guard::later();
    let servers = start_all(&guard).await;
    let see = async |stage: &str, expected: &[(&str, &str, u16)]| {
        for (framework, server) in servers {
            for (path, token, status) in expected {
                let headers: Vec<_> = (!token.is_empty())
                    .then(|| ("Authorization".to_owned(), format!("Bearer {}", tokens.named(token)).into_bytes()))
                    .into_iter()
                    .collect();
                let answer = send(server, "GET", path, &headers, b"").await;
                assert_eq!(answer.status, *status, "{stage}: {path} with {token:?} in {framework}");
                let retry_after = (*status == 503).then(|| "5".to_owned());
                assert_eq!(answer.header("retry-after"), retry_after, "{stage}: {path} in {framework}");
            }
        }
    };
    let no_guard = [
        ("/public", "", 200),
        ("/me", "", 503),
        ("/me", "T", 503),
        ("/optional", "", 503),
        ("/admin", "ADMIN", 503),
        ("/protected/page", "T", 503),
    ];
    see("before", &no_guard).await;

    let other = Tokens::new();
    let scopes_alone =
        other.builder("default").authorizer(countersign::authorize::ScopeAuthorizer).build().expect("a guard");
    assert!(hand_over.hand_over(&scopes_alone).is_err(), "it cannot judge what `/admin` requires");
    see("refused", &no_guard).await;

    hand_over.hand_over(&tokens.guard("default")).expect("a guard that can judge the routes");
    let guarded = [
        ("/public", "", 200),
        ("/me", "", 401),
        ("/me", "T", 200),
        ("/optional", "", 200),
        ("/admin", "ADMIN", 200),
        ("/admin", "T", 403),
        ("/protected/page", "T", 200),
    ];
    see("handed over", &guarded).await;

    assert!(hand_over.hand_over(&scopes_alone).is_err());
    see("the old one stays", &guarded).await;

    hand_over.hand_over(&other.guard("default")).expect("a guard that trusts other keys");
    see("replaced", &[("/public", "", 200), ("/me", "T", 401), ("/optional", "T", 401), ("/admin", "ADMIN", 401)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guard_tells_of_its_service_is_served_by_the_one_that_is_there() {
    use countersign::resource_metadata::ResourceMetadata;

    const BELOW: &str = "/.well-known/oauth-protected-resource";
    let tokens = Tokens::new();
    let (guard, hand_over) = Guard::later();
    let servers = start_all(&guard).await;
    let see = async |stage: &str, expected: &[(&str, u16)]| {
        for (framework, server) in servers {
            for (suffix, status) in expected {
                let path = format!("{BELOW}{suffix}");
                for method in ["GET", "HEAD"] {
                    let answer = send(server, method, &path, &[], b"").await;
                    assert_eq!(answer.status, *status, "{stage}: {method} {path} in {framework}");
                    assert!(method == "GET" || answer.body.is_empty(), "{framework}");
                    if *status == 200 {
                        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"), "{framework}");
                    }
                }
            }
        }
    };
    see("before", &[("", 404), ("/v1", 404)]).await;
    let described = |resource: &str| {
        let metadata = ResourceMetadata::builder(resource).authorization_server("https://issuer.example/");
        tokens.builder("default").protected_resource(metadata.build().expect("metadata")).build().expect("a guard")
    };
    hand_over.hand_over(&described("https://api.example/v1")).expect("a guard");
    see("with a path", &[("", 404), ("/v1", 200), ("/v1/", 404), ("/v2", 404)]).await;
    hand_over.hand_over(&described("https://api.example/caf%C3%A9/:x")).expect("another guard");
    see("with odd octets", &[("/v1", 404), ("/caf%C3%A9/:x", 200), ("/caf%c3%a9/:x", 404)]).await;
    hand_over.hand_over(&described("https://api.example")).expect("another guard");
    see("without one", &[("", 200), ("/v1", 404)]).await;
}

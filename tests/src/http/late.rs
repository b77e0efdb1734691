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

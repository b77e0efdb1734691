//! What others put before a router of axum: each with a key that it has, issuer and audience checked, claims in the
//! handler, as its documentation shows it.

use super::axum::{calling, request};
use super::{AUDIENCE, FIELD, ISSUER, KEY, User, call, runtime};
use crate::Case;
use axum::Router;
use axum::routing::get;
use std::sync::Arc;
use tower::ServiceExt;

pub(super) const AXUM_JWT_AUTH: &str = "axum-jwt-auth";
pub(super) const JWT_AUTHORIZER: &str = "jwt-authorizer (axum 0.7)";
pub(super) const OAUTH_RESOURCE_SERVER: &str = "oauth-resource-server";
pub(super) const NAMES: [&str; 3] = [AXUM_JWT_AUTH, JWT_AUTHORIZER, OAUTH_RESOURCE_SERVER];

fn pem() -> String {
    KEY.verifying_key().to_spki_pem().expect("a public key")
}

fn axum_jwt_auth() -> Router {
    use axum_jwt_auth::{Claims, Decoder, LocalDecoder};
    use jsonwebtoken_10::{Algorithm, DecodingKey, Validation};

    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    let keys = vec![DecodingKey::from_ec_pem(pem().as_bytes()).expect("a key")];
    let decoder = LocalDecoder::builder().keys(keys).validation(validation).build().expect("a decoder");
    let decoder: Decoder<User> = Arc::new(decoder);
    Router::new().route("/me", get(async |user: Claims<User>| user.claims.sub)).with_state(decoder)
}

fn jwt_authorizer() -> impl FnMut() -> u16 {
    use axum_07::Router;
    use axum_07::routing::get;
    use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, JwtClaims, Validation};

    let runtime = runtime();
    let validation = Validation::new().iss(&[ISSUER]).aud(&[AUDIENCE]);
    let authorizer = JwtAuthorizer::<User>::from_ec_pem_text(&pem()).validation(validation).build();
    let authorizer: Authorizer<User> = runtime.block_on(authorizer).expect("an authorizer");
    let router: Router = Router::new()
        .route("/me", get(|JwtClaims(user): JwtClaims<User>| async { user.sub }))
        .layer(authorizer.into_layer())
        .with_state(());
    move || {
        let router = router.clone();
        let (parts, _) = request().into_parts();
        let request = http::Request::from_parts(parts, axum_07::body::Body::empty());
        call(&runtime, async { router.oneshot(request).await.expect("infallible").status().as_u16() })
    }
}

/// It has its keys from a document alone, which its own test server publishes; so the token is that server's.
fn oauth_resource_server() -> impl FnMut() -> u16 {
    use oauth_resource_server::axum::AuthLayer;
    use oauth_resource_server::testing::TestAuthority;
    use oauth_resource_server::{Algorithm, Credential, OAuthValidator, static_token_policy};

    let runtime = runtime();
    let (router, field) = runtime.block_on(async {
        let authority = TestAuthority::start().await;
        let config = authority.config(|_| {});
        let validator = Arc::new(OAuthValidator::new(&config).expect("a validator"));
        validator.refresh_now().await.expect("keys");
        let policy = static_token_policy(None, Some(&config), false).expect("a policy");
        let layer = AuthLayer::from_decision(policy, Some(validator)).expect("a layer");
        let whoami = async |credential: Credential| match credential {
            Credential::OAuth(token) => token.principal.as_deref().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let token = authority.token().alg(Algorithm::ES256).expires_in(86_400).sign();
        (Router::new().route("/me", get(whoami)).route_layer(layer), format!("Bearer {token}"))
    });
    let router: Router = router.with_state(());
    move || {
        let router = router.clone();
        let mut request = request();
        request.headers_mut().insert(http::header::AUTHORIZATION, field.parse().expect("a field"));
        call(&runtime, async { router.oneshot(request).await.expect("infallible").status().as_u16() })
    }
}

pub(super) fn contend(case: Case) -> Case {
    assert!(FIELD.starts_with("Bearer "));
    case.with(AXUM_JWT_AUTH, calling(axum_jwt_auth()))
        .with(JWT_AUTHORIZER, jwt_authorizer())
        .with(OAUTH_RESOURCE_SERVER, oauth_resource_server())
}

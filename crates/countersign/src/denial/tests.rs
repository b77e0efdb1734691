use super::*;
use crate::reason::Rejection;

fn presentation() -> Presentation {
    Presentation {
        realm: Some("api".into()),
        scope: Some("posts".into()),
        resource_metadata: Some("https://api.example/.well-known/oauth-protected-resource".into()),
        ..Presentation::bare()
    }
}

fn deny(presentation: &Presentation, reason: Reason, scopes: &[&str]) -> Denial {
    let scopes: Vec<_> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    Denial::new(presentation, reason, &scopes, None, None, CorrelationId::random())
}

const ALL: [Reason; 14] = [
    Reason::NoCredentials,
    Reason::SeveralCredentials,
    Reason::MalformedRequest,
    Reason::CrossSite,
    Reason::Rejected(Rejection::Expired),
    Reason::Revoked,
    Reason::ClaimsType,
    Reason::NotAllowed,
    Reason::NotReady,
    Reason::KeysUnavailable,
    Reason::RevocationUnknown,
    Reason::Undecided,
    Reason::Unguarded,
    Reason::Unjudged,
];

#[test]
fn each_reason_has_its_status_and_challenge() {
    const METADATA: &str = r#"resource_metadata="https://api.example/.well-known/oauth-protected-resource""#;
    let error = |code: &str, description: &str, scope: &str| {
        Some(format!(r#"Bearer realm="api", error="{code}", error_description="{description}"{scope}, {METADATA}"#))
    };
    let scope = r#", scope="posts""#;
    let missing = "The access token does not carry the claims needed here";
    let table = [
        (400, error("invalid_request", "The request carries more than one credential", scope)),
        (400, error("invalid_request", "The credential is malformed", scope)),
        (403, None),
        (401, error("invalid_token", "The access token is expired", scope)),
        (401, error("invalid_token", "The access token has been revoked", scope)),
        (401, error("invalid_token", missing, scope)),
        (403, error("insufficient_scope", "The access token does not allow this", "")),
        (503, None),
        (503, None),
        (503, None),
        (503, None),
        (500, None),
        (500, None),
    ];
    let table = [(401, Some(format!(r#"Bearer realm="api", scope="posts", {METADATA}"#)))].into_iter().chain(table);
    for (reason, (status, challenge)) in ALL.into_iter().zip(table) {
        let denial = deny(&presentation(), reason, &[]);
        assert_eq!(denial.status(), status, "{reason}");
        assert_eq!(denial.challenges().map(str::to_owned).next(), challenge, "{reason}");
        assert_eq!(denial.retry_after(), (status == 503).then_some(5), "{reason}");
        assert!(denial.headers().any(|header| header == ("cache-control", "no-store".into())), "{reason}");
    }
}

#[test]
fn scopes_stand_in_the_challenge_only_where_they_were_given() {
    let denial = deny(&presentation(), Reason::NotAllowed, &["a", "b"]);
    assert!(
        denial.challenges().all(
            |challenge| challenge.contains(r#"error="insufficient_scope""#) && challenge.contains(r#"scope="a b""#)
        )
    );
}

#[test]
fn basic_knows_no_errors_and_schemes_stand_apart() {
    let both = Presentation { schemes: vec!["Bearer".into(), "Basic".into()], ..presentation() };
    let denial = deny(&both, Reason::Rejected(Rejection::Credentials), &[]);
    let challenges: Vec<_> = denial.challenges().collect();
    assert_eq!(challenges.len(), 2);
    assert!(challenges[0].starts_with("Bearer realm=\"api\", error=\"invalid_token\""));
    assert_eq!(challenges[1], r#"Basic realm="api", charset="UTF-8""#);
}

#[test]
fn bodies_are_json_of_their_style() {
    for reason in ALL {
        let problem = deny(&presentation(), reason, &[]);
        let json: serde_json::Value = serde_json::from_slice(problem.body()).expect("JSON");
        assert_eq!(json["status"], reason.status());
        assert_eq!(json["detail"], reason.description());
        let plain = deny(&Presentation { body: Arc::new(BodyStyle::Plain), ..presentation() }, reason, &[]);
        let json: serde_json::Value = serde_json::from_slice(plain.body()).expect("JSON");
        assert_eq!(json["error"], reason.body_code());
        assert_eq!(plain.content_type(), Some("application/json"));
        let empty = deny(&Presentation { body: Arc::new(BodyStyle::Empty), ..presentation() }, reason, &[]);
        assert_eq!((empty.body().len(), empty.content_type()), (0, None));
    }
}

#[test]
fn descriptions_keep_to_the_characters_of_rfc_6750() {
    for reason in ALL {
        let fits = |c: char| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
        assert!(reason.description().chars().all(fits), "{reason}");
    }
}

#[test]
fn retry_after_is_whole_seconds_within_bounds() {
    for (asked, told) in [(0, 1), (1, 1), (1500, 2), (30_000, 30), (600_000, 30)] {
        let wait = Some(Duration::from_millis(asked));
        let denial = Denial::new(&presentation(), Reason::KeysUnavailable, &[], wait, None, CorrelationId::random());
        assert_eq!(denial.retry_after(), Some(told.max(1)), "{asked} ms");
    }
}

/// Says that its body, which tells all that it was shown, is of this type.
#[derive(Debug)]
struct Typed(&'static str);
impl Renderer for Typed {
    fn render(&self, refused: &Refused<'_>) -> Rendered {
        let Refused { reason, correlation_id, retry_after } = refused;
        let (status, code) = (refused.status(), refused.code());
        Rendered::new(self.0, format!("{status} {code} {reason} {correlation_id} {retry_after:?}"))
    }
}

#[test]
fn a_renderer_writes_the_body_and_nothing_else() {
    for reason in ALL {
        let own = Presentation { body: Arc::new(Typed("text/plain; charset=utf-8")), ..presentation() };
        let (own, built_in) = (deny(&own, reason, &["a"]), deny(&presentation(), reason, &["a"]));
        let (id, status, code, retry_after) =
            (own.correlation_id(), reason.status(), reason.body_code(), built_in.retry_after());
        assert_eq!(own.body(), &format!("{status} {code} {reason} {id} {retry_after:?}"));
        let but_the_type =
            |denial: &Denial| denial.headers().filter(|(name, _)| *name != "content-type").collect::<Vec<_>>();
        assert_eq!((own.status(), but_the_type(&own)), (built_in.status(), but_the_type(&built_in)), "{reason}");
        assert!(own.headers().any(|header| header == ("content-type", "text/plain; charset=utf-8".into())));
    }
    assert_eq!(Denial::unguarded().content_type(), Some("application/problem+json"), "no guard, no renderer");
}

#[test]
fn what_is_no_media_type_leaves_the_body_to_us() {
    let with = |content_type| {
        let own = Presentation { body: Arc::new(Box::new(Typed(content_type))), ..presentation() };
        deny(&own, Reason::Revoked, &[])
    };
    for good in ["text/html", "application/vnd.api+json", "text/plain;charset=utf-8", "a/b ; c=\"d e\""] {
        assert_eq!(with(good).content_type(), Some(good));
    }
    let bad = ["", "text", "text/", "/plain", "te xt/plain", "text/plain/x", "text/pl\u{e4}in", "text/plain\r\nX: y"];
    for bad in bad.into_iter().chain(["text/plain; a=\r\nX: y", "text/plain; a=\u{e4}", "a/b\n", " a/b"]) {
        let (denial, built_in) = (with(bad), deny(&presentation(), Reason::Revoked, &[]));
        assert_eq!((denial.content_type(), denial.body()), (built_in.content_type(), built_in.body()), "{bad:?}");
    }
}

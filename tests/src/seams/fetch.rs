//! The HTTP client, and clients with one flaw each, which the suite finds out by its rule.

use countersign_keys::{FetchError, FetchRequest, Fetched, HttpFetch, JwksFetch, Validators};
use countersign_testkit::conformance::FetchAnswered::{Document, Failed, NotModified, Status};
use countersign_testkit::conformance::{FetchAnswered, FetchAsked, jwks_fetch};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn client() -> HttpFetch {
    let builder = HttpFetch::builder().allow_http_on_loopback().timeout(Duration::from_secs(2));
    builder.build().expect("a client")
}

async fn fetch(client: &impl JwksFetch, asked: &FetchAsked) -> FetchAnswered {
    let validators = Validators::new(asked.etag.clone(), asked.last_modified.clone());
    let known = (validators != Validators::default()).then_some(&validators);
    let request = FetchRequest::new(&asked.url, asked.max_bytes).with_validators(known);
    match client.fetch(&request).await {
        Ok(Fetched { body: Some(body), validators: Validators { etag, last_modified, .. }, max_age, .. }) => {
            Document { body: body.into(), etag, last_modified, max_age }
        }
        Ok(_) => NotModified,
        Err(FetchError::Status { status, retry_after, .. }) => Status { status, retry_after },
        Err(error) => Failed(error.into()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_http_client_keeps_the_rules() {
    let client = client();
    jwks_fetch(async |asked| fetch(&client, &asked).await).await;
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    AsksElsewhere,
    ChangesValidators,
    DocumentOfAnyStatus,
    DropsValidators,
    FollowsRedirects,
    ForgetsRetryAfter,
    GivesUpForGood,
    InventsAge,
    NeedsNoValidators,
    ReadsOn,
    SendsNoValidators,
    TakesHalves,
    TakesHtml,
    TellsTheUrl,
}

const DOCUMENT: &[u8] = br#"{"keys":[]}"#;

fn document(body: &[u8]) -> FetchAnswered {
    Document { body: body.to_vec(), etag: None, last_modified: None, max_age: None }
}

/// What a client with this flaw makes of it.
async fn flawed(flaw: Flaw, client: &HttpFetch, has_failed: &AtomicBool, asked: FetchAsked) -> FetchAnswered {
    let mut asking = asked.clone();
    match flaw {
        Flaw::AsksElsewhere => asking.url = asking.url.split('?').next().unwrap_or_default().to_owned(),
        Flaw::ChangesValidators => {
            asking.etag = asking.etag.map(|etag| etag.trim_start_matches("W/").to_owned());
        }
        Flaw::ReadsOn => asking.max_bytes += 1,
        Flaw::SendsNoValidators => (asking.etag, asking.last_modified) = (None, None),
        _ => {}
    }
    let answered = fetch(client, &asking).await;
    let has_failed = has_failed.fetch_or(matches!(answered, Failed(_)), Ordering::SeqCst);
    match (flaw, answered) {
        (Flaw::DocumentOfAnyStatus, Status { .. }) => document(DOCUMENT),
        (Flaw::DropsValidators, Document { body, .. }) => document(&body),
        (Flaw::FollowsRedirects, Status { status: 301..=308, .. }) => {
            asking.url = asked.url.replace("/jwks", "/elsewhere");
            fetch(client, &asking).await
        }
        (Flaw::ForgetsRetryAfter, Status { status, .. }) => Status { status, retry_after: None },
        (Flaw::GivesUpForGood, Document { .. }) if has_failed => Failed("it did not work the last time".into()),
        (Flaw::InventsAge, Document { body, etag, last_modified, .. }) => {
            Document { body, etag, last_modified, max_age: Some(Duration::from_secs(86_400)) }
        }
        (Flaw::NeedsNoValidators, Status { status: 304, .. }) => NotModified,
        (Flaw::TakesHalves, Failed(error)) if !error.to_string().contains("large") && !is_about_type(&*error) => {
            document(&DOCUMENT[..4])
        }
        (Flaw::TakesHtml, Failed(error)) if is_about_type(&*error) => document(DOCUMENT),
        (Flaw::TellsTheUrl, Failed(error)) => Failed(format!("{}: {error}", asked.url).into()),
        (_, answered) => answered,
    }
}

fn is_about_type(error: &(dyn std::error::Error + 'static)) -> bool {
    error.to_string().contains("not called JSON")
}

#[test]
fn flawed_clients_are_found_out() {
    let too_large = "what is larger than `max_bytes` is no document";
    let flaws = [
        (Flaw::AsksElsewhere, "what is asked for is asked for, query included"),
        (Flaw::ChangesValidators, "validators are sent as they came"),
        (Flaw::DocumentOfAnyStatus, "a status other than 200 is told"),
        (Flaw::DropsValidators, "the validators of a document come back with it"),
        (Flaw::FollowsRedirects, "a redirect is told and not followed"),
        (Flaw::ForgetsRetryAfter, "a status is told with the time that the server asks for"),
        (Flaw::GivesUpForGood, "a document of `max_bytes` is taken"),
        (Flaw::InventsAge, "a document is as fresh as the server says"),
        (Flaw::NeedsNoValidators, "304 is no answer to a request without validators"),
        (Flaw::ReadsOn, too_large),
        (Flaw::SendsNoValidators, "validators are sent as they came"),
        (Flaw::TakesHalves, "what is cut off, late for ever or no HTTP is an error"),
        (Flaw::TakesHtml, "what is not called JSON is no document"),
        (Flaw::TellsTheUrl, "an error holds nothing of the URL's query"),
    ];
    for (flaw, rule) in flaws {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let (client, has_failed) = (client(), AtomicBool::new(false));
            runtime.block_on(jwks_fetch(async |asked| flawed(flaw, &client, &has_failed, asked).await));
        };
        let caught = catch_unwind(AssertUnwindSafe(run)).err();
        let said = caught.unwrap_or_else(|| panic!("{flaw:?} is not found out"));
        let said =
            said.downcast_ref::<String>().cloned().or_else(|| said.downcast_ref::<&str>().map(|it| (*it).into()));
        let said = said.unwrap_or_default();
        assert!(said.contains(rule), "{flaw:?} is found out by `{rule}`, and not by `{said}`");
    }
}

#![deny(unused_must_use)]

use countersign::authorize::{AccessRequest, Authorizer};

async fn read(authorizer: impl Authorizer, request: AccessRequest<'_>) {
    authorizer.decide(&request).await;
}

fn main() {}

use super::super::Check;
use crate::authorize::AccessRequest;
use crate::denial::CorrelationId;
use crate::request::{HeaderSource, RequestView};
use crate::token::VerifiedToken;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The checks that a request has passed. Most pass one, which costs no allocation.
#[derive(Debug, Default)]
pub(in crate::guard) struct Passed {
    first: OnceLock<Check>,
    others: Mutex<Vec<Check>>,
}

impl Passed {
    pub(in crate::guard) fn note(&self, check: &Check) {
        let first = self.first.get_or_init(|| check.clone());
        if !first.is_same_as(check) {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            if !others.iter().any(|other| other.is_same_as(check)) {
                others.push(check.clone());
            }
        }
    }

    pub(in crate::guard) fn any(&self, is_it: impl Fn(&Check) -> bool) -> bool {
        if self.first.get().is_some_and(&is_it) {
            return true;
        }
        self.others.lock().unwrap_or_else(PoisonError::into_inner).iter().any(is_it)
    }

    pub(in crate::guard) fn all(&self) -> Vec<Check> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        self.first.get().into_iter().chain(&*others).cloned().collect()
    }
}

/// What is known of the request that opened the connection.
pub(super) struct Opened {
    /// What it required. It grows, and loses nothing.
    checks: Mutex<Vec<Check>>,
    line: Option<Line>,
    pub(super) correlation_id: CorrelationId,
}

/// The request line.
struct Line {
    method: String,
    path: String,
    query: Option<String>,
}

/// Header fields are not kept, nor is a query where the guard reads tokens from queries: credentials stand in them, and the
/// connection may last for days.
struct NoFields;

impl HeaderSource for NoFields {
    fn header(&self, _: &str, _: usize) -> Option<&[u8]> {
        None
    }
}

impl Opened {
    pub(super) fn new(checks: Vec<Check>, request: Option<&RequestView<'_>>, correlation_id: CorrelationId) -> Self {
        let line = request.map(|request| Line {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            query: request.query.map(str::to_owned),
        });
        Self { checks: Mutex::new(checks), line, correlation_id }
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn add_check(&self, check: &Check) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        if !checks.iter().any(|other| other.is_same_as(check)) {
            checks.push(check.clone());
        }
    }

    pub(super) fn forget_query(&mut self) {
        if let Some(line) = &mut self.line {
            line.query = None;
        }
    }

    pub(super) fn request(&self) -> Option<RequestView<'_>> {
        let line = self.line.as_ref()?;
        Some(RequestView::new(&line.method, &line.path, line.query.as_deref(), &NoFields))
    }

    /// What a check asks about a token, for whoever opened the connection.
    pub(super) fn question<'a>(
        check: &'a Check,
        token: &'a VerifiedToken,
        request: Option<&'a RequestView<'a>>,
    ) -> AccessRequest<'a> {
        let question = check.question(token);
        match request {
            Some(request) => question.with_request(request),
            None => question,
        }
    }
}

impl Check {
    pub(in crate::guard) fn is_same_as(&self, other: &Self) -> bool {
        std::ptr::eq(self.requirement(), other.requirement())
    }
}

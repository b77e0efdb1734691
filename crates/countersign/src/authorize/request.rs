use super::{Attribute, Attributes};
use crate::decision::{Decision, Requirement, Why};
use crate::request::RequestView;
use crate::token::VerifiedToken;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What somebody wants to do something to.
///
/// `Debug` shows the kind alone.
///
/// ```
/// use countersign::authorize::Resource;
///
/// let author = [("author", "7".into())];
/// let post = Resource::new("post", "42").with_attributes(&author);
/// assert_eq!(post.attribute("author").and_then(|author| author.as_text()), Some("7"));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Resource<'a> {
    /// The kind of thing it is: a name of the application's.
    pub kind: &'a str,
    /// Which one of its kind.
    pub id: &'a str,
    attributes: Option<&'a dyn Attributes>,
}

impl<'a> Resource<'a> {
    /// The resource of this kind and id, of which nothing else is known.
    #[must_use]
    pub fn new(kind: &'a str, id: &'a str) -> Self {
        Self { kind, id, attributes: None }
    }

    /// With what else is known of it.
    #[must_use]
    pub fn with_attributes(mut self, attributes: &'a dyn Attributes) -> Self {
        self.attributes = Some(attributes);
        self
    }

    /// The attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Attribute<'a>> {
        self.attributes?.get(name)
    }

    pub(super) fn attributes(&self) -> Option<&'a dyn Attributes> {
        self.attributes
    }
}

impl fmt::Debug for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The question that an [`Authorizer`](super::Authorizer) answers: borrowed throughout, and copied freely.
///
/// It serializes to the request of an AuthZEN 1.0 access evaluation:
///
/// | member | is |
/// |---|---|
/// | `subject.type` | `user` |
/// | `subject.id` | issuer and subject, joined by `#`, the issuer's own `#` and `%` written `%23` and `%25`: a subject is unique within its issuer only |
/// | `subject.properties` | `iss` and `sub` as they are, and the attributes of [`with_subject`](Self::with_subject) |
/// | `action.name` | the action; else the request's method |
/// | `resource` | the resource; else `route` and the request's path |
/// | `context` | the attributes of [`with_context`](Self::with_context); absent where there are none |
///
/// A token without a subject, and a question without an action or a resource, do not serialize: a decision service would
/// take those of others for them. Neither credentials, header fields and query nor any other claim stand in it.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{AccessRequest, Attribute, Resource, action};
/// use serde_json::json;
///
/// let token = VerifiedToken::vouched(&json!({"iss": "https://issuer.example/", "sub": "7", "email": "a@b.example"}))?;
/// let write = action("posts:write");
/// let post = json!({"author": "7"});
/// let question = AccessRequest::new(&token, &write)
///     .with_resource(Resource::new("post", "42").with_attributes(&post))
///     .with_context(&[("hour", Attribute::Integer(23))]);
/// assert_eq!(
///     serde_json::to_value(question)?,
///     json!({
///         "subject": {
///             "type": "user",
///             "id": "https://issuer.example/#7",
///             "properties": {"iss": "https://issuer.example/", "sub": "7"},
///         },
///         "action": {"name": "posts:write"},
///         "resource": {"type": "post", "id": "42", "properties": {"author": "7"}},
///         "context": {"hour": 23},
///     })
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AccessRequest<'a> {
    /// Who asks.
    pub token: &'a VerifiedToken,
    /// What the route asks of them.
    pub requirement: &'a Requirement,
    /// What they want to do: the name in a requirement of an [action](super::action).
    pub action: Option<&'a str>,
    /// What they want to do it to.
    pub resource: Option<Resource<'a>>,
    /// The request itself, where the question comes from one.
    pub request: Option<&'a RequestView<'a>>,
    subject: Option<&'a dyn Attributes>,
    context: Option<&'a dyn Attributes>,
    is_condition: bool,
    noted: Option<&'a Noted>,
}

impl<'a> AccessRequest<'a> {
    /// Whether `token` meets `requirement`.
    #[must_use]
    pub fn new(token: &'a VerifiedToken, requirement: &'a Requirement) -> Self {
        let nothing = Self {
            token,
            requirement,
            action: None,
            resource: None,
            request: None,
            subject: None,
            context: None,
            is_condition: false,
            noted: None,
        };
        nothing.about(requirement)
    }

    /// With the request that raised the question.
    #[must_use]
    pub fn with_request(mut self, request: &'a RequestView<'a>) -> Self {
        self.request = Some(request);
        self
    }

    /// With what it is about.
    #[must_use]
    pub fn with_resource(mut self, resource: Resource<'a>) -> Self {
        self.resource = Some(resource);
        self
    }

    /// With an action where the requirement names none: what a decision service should be asked about.
    #[must_use]
    pub fn with_action(mut self, action: &'a str) -> Self {
        self.action = Some(action);
        self
    }

    /// With what is known of the subject beside its token: what an authorizer that reads roles tells those whom it asks in
    /// turn.
    #[must_use]
    pub fn with_subject(mut self, subject: &'a dyn Attributes) -> Self {
        self.subject = Some(subject);
        self
    }

    /// With the circumstances: the hour, the address, the strength of the login.
    #[must_use]
    pub fn with_context(mut self, context: &'a dyn Attributes) -> Self {
        self.context = Some(context);
        self
    }

    /// What is known of the subject under this name, beside its token.
    #[must_use]
    pub fn subject(&self, name: &str) -> Option<Attribute<'a>> {
        self.subject?.get(name)
    }

    /// All that is known of the subject beside its token: for whoever adds to it.
    #[must_use]
    pub fn subject_attributes(&self) -> Option<&'a dyn Attributes> {
        self.subject
    }

    /// The circumstance of this name.
    #[must_use]
    pub fn context(&self, name: &str) -> Option<Attribute<'a>> {
        self.context?.get(name)
    }

    /// As a part of a condition: see [`is_condition`](Self::is_condition).
    #[must_use]
    pub fn as_condition(mut self) -> Self {
        self.is_condition = true;
        self
    }

    /// Whether the answer becomes a part of a policy, which may negate it or veto by it, as [`meets`](super::policy::meets)
    /// does.
    ///
    /// Then `Deny` says "it is known that they do not meet it", and an authorizer that denies because it could not judge, a
    /// claim that it cannot read, say, or a name that it does not know, says [`Decision::Indeterminate`] instead.
    #[must_use]
    pub fn is_condition(&self) -> bool {
        self.is_condition
    }

    /// The answer where this cannot be judged: a denial, or `Indeterminate` in a [condition](Self::is_condition).
    pub fn unjudged(&self, why: Why) -> Decision {
        if self.is_condition { Decision::Indeterminate(why) } else { Decision::Deny(why) }
    }

    pub(super) fn facts(&self) -> [Option<&'a dyn Attributes>; 2] {
        [self.subject, self.context]
    }

    /// [`Decision::Allow`], and why: for an authorizer whose permissions are to be told with a policy and a reason too. What
    /// is said last counts.
    ///
    /// ```
    /// use countersign::authorize::{AccessRequest, Decision, Why};
    ///
    /// fn judge(request: &AccessRequest<'_>) -> Decision {
    ///     match request.token.subject() {
    ///         Some("root") => request.allow(Why::new("root", "is_root")),
    ///         _ => Decision::Deny(Why::new("root", "not_root")),
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn allow(&self, why: Why) -> Decision {
        self.note(Some(why));
        Decision::Allow
    }

    #[inline]
    pub(super) fn note(&self, why: Option<Why>) {
        if let Some(noted) = self.noted {
            noted.keep(why);
        }
    }

    pub(super) fn noted(&self) -> Option<Why> {
        self.noted.and_then(Noted::why)
    }

    /// With a place for the reason of a permission.
    pub(crate) fn noting(mut self, noted: &'a Noted) -> Self {
        self.noted = Some(noted);
        self
    }

    /// The same question, asked by somebody who does not decide.
    pub(super) fn unnoted(mut self) -> Self {
        self.noted = None;
        self
    }

    /// Whether [`about`](Self::about) its own requirement is the question as it stands: it need not be copied then.
    pub(super) fn is_about_its_action(&self) -> bool {
        match self.requirement {
            Requirement::Action(action) => self.action.is_some_and(|own| std::ptr::eq(own, action.as_str())),
            _ => true,
        }
    }

    /// The same question about another requirement: a part of this one, or one of a policy's own.
    #[must_use]
    pub fn about(mut self, requirement: &'a Requirement) -> Self {
        if let Requirement::Action(action) = requirement {
            self.action = Some(action);
        }
        self.requirement = requirement;
        self
    }
}

impl fmt::Debug for AccessRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessRequest")
            .field("requirement", &self.requirement)
            .field("action", &self.action)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// Why they may, where an authorizer says so. [`Decision::Allow`] does not hold it: whoever is allowed needs no reason, and
/// who implements the seam need not give one.
#[derive(Debug, Default)]
pub(crate) struct Noted(Mutex<Option<Why>>);

impl Noted {
    /// Out of the way of those who keep nothing.
    #[cold]
    fn keep(&self, why: Option<Why>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub(crate) fn why(&self) -> Option<Why> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use crate::decision::Requirement;
use crate::request::RequestView;
use crate::token::VerifiedToken;

/// The question that an [`Authorizer`] answers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccessRequest<'a> {
    /// Who asks.
    pub token: &'a VerifiedToken,
    /// What the route asks of them.
    pub requirement: &'a Requirement,
    /// What they want to do, where the requirement is of an [action](crate::authorize::action).
    pub action: Option<&'a str>,
    /// The request itself, where the question comes from one.
    pub request: Option<&'a RequestView<'a>>,
}

impl<'a> AccessRequest<'a> {
    /// Whether `token` meets `requirement`.
    #[must_use]
    pub fn new(token: &'a VerifiedToken, requirement: &'a Requirement) -> Self {
        Self { token, requirement, action: None, request: None }.about(requirement)
    }

    /// With the request that raised the question.
    #[must_use]
    pub fn with_request(mut self, request: &'a RequestView<'a>) -> Self {
        self.request = Some(request);
        self
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

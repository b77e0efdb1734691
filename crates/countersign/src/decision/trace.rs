use super::{Decision, Requirement, Why};
use serde::Serialize;
use std::fmt;

/// What somebody who was asked has found.
///
/// ```
/// use countersign::authorize::{AccessRequest, Authorizer, Finding, ScopeAuthorizer, scopes};
/// use countersign::VerifiedToken;
///
/// let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7"}))?;
/// let read = scopes(["posts:read"]);
/// let trace = ScopeAuthorizer.trace(&AccessRequest::new(&token, &read));
/// assert_eq!((trace.finding, trace.finding.name()), (Finding::Deny, "deny"));
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// They may.
    Allow,
    /// A grant that gives no reason why they should.
    Abstain,
    /// A veto that has nothing against it.
    Pass,
    /// They may not.
    Deny,
    /// Nobody can tell.
    Indeterminate,
    /// The answer must be waited for. It was asked for once, for the decision, and not again for the trace.
    Waits,
}

impl Finding {
    /// The name for logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Abstain => "abstain",
            Self::Pass => "pass",
            Self::Deny => "deny",
            Self::Indeterminate => "indeterminate",
            Self::Waits => "waits",
        }
    }
}

/// How a decision came about: who was asked, what each has found, and in what order. Made for refusals, by asking once more
/// whoever answers from memory.
///
/// What stands in it is named by the application's code and by its catalog: nothing of a request or a token. `Display` puts
/// it on one line.
///
/// ```
/// use countersign::VerifiedToken;
/// use countersign::authorize::{AccessRequest, Authorizer, ScopeAuthorizer, authenticated, scopes};
///
/// let token = VerifiedToken::vouched(&serde_json::json!({"sub": "7", "scope": "a"}))?;
/// let requirement = authenticated().and(scopes(["a", "b"]));
/// let trace = ScopeAuthorizer.trace(&AccessRequest::new(&token, &requirement));
/// assert_eq!(
///     trace.to_string(),
///     "all_of: deny (scopes/missing_scope) [authenticated: allow; scopes(a, b): deny (scopes/missing_scope)]"
/// );
/// # Ok::<(), countersign::claims::ClaimsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Trace {
    /// Who or what was asked: a part of the requirement, or the place of a policy.
    pub asked: String,
    /// What came of it.
    pub finding: Finding,
    /// The policy and the reason code, where there are any.
    pub why: Option<Why>,
    /// What it was made of, in order. All of it is shown, also what could no longer change the outcome.
    pub parts: Vec<Trace>,
}

impl Trace {
    /// What was found, made of nothing else.
    #[must_use]
    pub fn new(asked: impl Into<String>, finding: Finding, why: Option<Why>) -> Self {
        Self { asked: asked.into(), finding, why, parts: Vec::new() }
    }

    /// A decision; `None` for one that must be waited for.
    #[must_use]
    pub fn decided(asked: impl Into<String>, decision: Option<Decision>) -> Self {
        let (finding, why) = match decision {
            Some(Decision::Allow) => (Finding::Allow, None),
            Some(Decision::Deny(why)) => (Finding::Deny, Some(why)),
            Some(Decision::Indeterminate(why)) => (Finding::Indeterminate, Some(why)),
            None => (Finding::Waits, None),
        };
        Self::new(asked, finding, why)
    }

    /// With what it was made of.
    #[must_use]
    pub fn with_parts(mut self, parts: impl IntoIterator<Item = Self>) -> Self {
        self.parts = parts.into_iter().collect();
        self
    }

    /// A requirement whose leaves are traced by `leaf`.
    #[must_use]
    pub fn of_requirement(requirement: &Requirement, leaf: &mut dyn FnMut(&Requirement) -> Self) -> Self {
        let (name, parts) = match requirement {
            Requirement::AllOf(parts) => ("all_of", parts),
            Requirement::AnyOf(parts) => ("any_of", parts),
            other => return leaf(other),
        };
        let parts: Vec<_> = parts.iter().map(|part| Self::of_requirement(part, leaf)).collect();
        let mut answers = parts.iter().map(Self::decision);
        // As many leaves as there are parts, decided by what the parts have found: one place knows the logic.
        let mut is_open = false;
        let flat = match requirement {
            Requirement::AllOf(parts) => Requirement::AllOf(vec![Requirement::Authenticated; parts.len()]),
            _ => Requirement::AnyOf(vec![Requirement::Authenticated; parts.len()]),
        };
        let decision = flat.decide(&mut |_| {
            answers.next().flatten().unwrap_or_else(|| {
                is_open = true;
                Decision::Indeterminate(Why::new("requirement", "open"))
            })
        });
        let decision = (!matches!(decision, Decision::Indeterminate(_)) || !is_open).then_some(decision);
        Self::decided(name, decision).with_parts(parts)
    }

    fn decision(&self) -> Option<Decision> {
        let why = self.why.unwrap_or(Why::new("requirement", "unknown"));
        match self.finding {
            Finding::Allow | Finding::Pass => Some(Decision::Allow),
            Finding::Deny | Finding::Abstain => Some(Decision::Deny(why)),
            Finding::Indeterminate => Some(Decision::Indeterminate(why)),
            Finding::Waits => None,
        }
    }

    /// With this decision at the top: what was said in the end, waiting included.
    pub(crate) fn ending_in(mut self, decision: Decision) -> Self {
        let top = Self::decided("", Some(decision));
        (self.finding, self.why) = (top.finding, top.why);
        self
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.asked, self.finding.name())?;
        if let Some(why) = self.why {
            write!(f, " ({why})")?;
        }
        for (nth, part) in self.parts.iter().enumerate() {
            write!(f, "{}{part}", if nth == 0 { " [" } else { "; " })?;
        }
        if self.parts.is_empty() { Ok(()) } else { f.write_str("]") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::action;

    #[test]
    fn a_combination_is_traced_as_it_is_decided_and_waits_while_that_is_open() {
        let why = Why::new("test", "said");
        let leaf = &mut |leaf: &Requirement| {
            let decision = match leaf.to_string().as_str() {
                "action(yes)" => Some(Decision::Allow),
                "action(no)" => Some(Decision::Deny(why)),
                "action(perhaps)" => Some(Decision::Indeterminate(why)),
                _ => None,
            };
            Trace::decided("leaf", decision)
        };
        for (parts, all, any) in [
            (["yes", "yes"], Finding::Allow, Finding::Allow),
            (["yes", "no"], Finding::Deny, Finding::Allow),
            (["no", "no"], Finding::Deny, Finding::Deny),
            (["perhaps", "yes"], Finding::Indeterminate, Finding::Allow),
            (["perhaps", "no"], Finding::Deny, Finding::Indeterminate),
            (["open", "yes"], Finding::Waits, Finding::Allow),
            (["open", "no"], Finding::Deny, Finding::Waits),
        ] {
            let [a, b] = parts.map(action);
            let (both, one) = (a.clone().and(b.clone()), a.or(b));
            let traced = [both, one].map(|requirement| Trace::of_requirement(&requirement, leaf).finding.name());
            assert_eq!(traced, [all.name(), any.name()], "{parts:?}");
        }
    }
}

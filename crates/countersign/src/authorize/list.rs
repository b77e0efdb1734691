//! Several authorizers in the place of one.

use super::leaves::{self, Leaves};
use super::{AccessRequest, Authorizer};
use crate::config::ConfigError;
use crate::decision::{Decision, Requirement, Trace, Why};
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Arc;

/// Authorizers in order.
trait List: Debug + Send + Sync + 'static {
    fn nth(&self, nth: usize) -> Option<&dyn Authorizer>;
}

fn all(list: &dyn List) -> impl Iterator<Item = &dyn Authorizer> {
    (0..).map_while(|nth| list.nth(nth))
}

fn accepts(list: &dyn List, requirement: &Requirement) -> Result<(), ConfigError> {
    requirement.each_leaf(&mut |leaf| {
        if all(list).any(|authorizer| authorizer.accepts(leaf).is_ok()) { Ok(()) } else { Err(refusal(list, leaf)) }
    })
}

/// What each of them says: the one that knows names of this kind is the one that tells a slip.
fn refusal(list: &dyn List, leaf: &Requirement) -> ConfigError {
    let text = leaf.to_string();
    let text = text.escape_debug();
    let problems = all(list).filter_map(|authorizer| authorizer.accepts(leaf).err());
    let problems: Vec<_> = problems.map(|error| error.problem().to_owned()).collect();
    if problems.is_empty() {
        return ConfigError::new("authorizer", format!("is an empty list: nothing can judge `{text}`"));
    }
    ConfigError::new("require", format!("no authorizer of the list judges `{text}`: {}", problems.join("; ")))
}

pub(super) const UNJUDGED: Why = Why::new("requirement", "unjudged");

/// Each leaf is the business of the first authorizer that accepts it, and of no other.
struct ByLeaf<'l>(&'l dyn List);

impl ByLeaf<'_> {
    fn judge(&self, leaf: &Requirement) -> Option<&dyn Authorizer> {
        all(self.0).find(|authorizer| authorizer.judges(leaf))
    }
}

#[async_trait]
impl Leaves for ByLeaf<'_> {
    fn leaf_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
        match self.judge(request.requirement) {
            Some(authorizer) => authorizer.decide_now(request),
            None => Some(request.unjudged(UNJUDGED)),
        }
    }

    async fn leaf(&self, request: &AccessRequest<'_>) -> Decision {
        match self.judge(request.requirement) {
            Some(authorizer) => authorizer.decide(request).await,
            None => request.unjudged(UNJUDGED),
        }
    }
}

fn trace(list: &dyn List, request: &AccessRequest<'_>) -> Trace {
    Trace::of_requirement(request.requirement, &mut |leaf| match ByLeaf(list).judge(leaf) {
        Some(authorizer) => authorizer.trace(&request.about(leaf)),
        None => Trace::decided(leaf.to_string(), Some(request.unjudged(UNJUDGED))),
    })
}

/// The versions of those that say one, in their order.
fn version(list: &dyn List) -> Option<Arc<str>> {
    let mut versions = all(list).filter_map(Authorizer::version);
    let first = versions.next()?;
    let rest: Vec<_> = versions.collect();
    if rest.is_empty() { Some(first) } else { Some([vec![first], rest].concat().join(", ").into()) }
}

macro_rules! authorizer {
    ($(#[$doc:meta])* [$($generics:tt)*] $list:ty) => {
        $(#[$doc])*
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<$($generics)*> Authorizer for $list {
            fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
                accepts(self, requirement)
            }

            fn judges(&self, leaf: &Requirement) -> bool {
                all(self).any(|authorizer| authorizer.judges(leaf))
            }

            fn decide_now(&self, request: &AccessRequest<'_>) -> Option<Decision> {
                leaves::decide_now(&ByLeaf(self), request)
            }

            async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
                leaves::decide(&ByLeaf(self), request).await
            }

            fn trace(&self, request: &AccessRequest<'_>) -> Trace {
                trace(self, request)
            }

            fn version(&self) -> Option<Arc<str>> {
                version(self)
            }
        }
    };
}

impl<A: Authorizer> List for Vec<A> {
    fn nth(&self, nth: usize) -> Option<&dyn Authorizer> {
        self.get(nth).map(|authorizer| authorizer as &dyn Authorizer)
    }
}
authorizer! {
    /// As a tuple of authorizers; an empty list accepts nothing.
    [A: Authorizer] Vec<A>
}

macro_rules! tuple {
    ($(#[$doc:meta])* $($name:ident $at:tt),+) => {
        impl<$($name: Authorizer),+> List for ($($name,)+) {
            fn nth(&self, nth: usize) -> Option<&dyn Authorizer> {
                match nth {
                    $($at => Some(&self.$at),)+
                    _ => None,
                }
            }
        }
        authorizer! {
            $(#[$doc])*
            [$($name: Authorizer),+] ($($name,)+)
        }
    };
}
tuple! {
    /// Judges what either of them judges. Each role, permission, scope and action of a requirement is judged by the first
    /// authorizer that accepts it, and by no other: a later one neither allows what the first one denies, nor the other
    /// way round. What none accepts is refused when the route is declared, and denied if it is asked for all the same.
    ///
    /// Tuples of two to four are authorizers, and a `Vec` is. No answer from memory allocates, as long as those who do
    /// not accept a leaf refuse it without.
    ///
    /// ```
    /// use countersign::authorize::policy::{deny_overrides, policy_fn};
    /// use countersign::authorize::{Authorizer, ScopeAuthorizer, action, scopes};
    ///
    /// let posts = deny_overrides("posts", ["posts:read"]).allow_if(policy_fn("anybody", |_| true)).build()?;
    /// let both = (posts, ScopeAuthorizer);
    /// assert!(both.accepts(&scopes(["staff"]).or(action("posts:read"))).is_ok());
    /// assert!(both.accepts(&action("posts:raed")).is_err());
    /// # Ok::<(), countersign::ConfigError>(())
    /// ```
    A 0, B 1
}
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);

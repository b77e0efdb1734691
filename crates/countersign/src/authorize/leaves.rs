//! Requirements whose leaves are judged one by one, some of them only after waiting.

use super::AccessRequest;
use crate::decision::{Decision, Requirement, Why};
use async_trait::async_trait;

/// Judges the leaves of requirements: what it is asked about is never a combination. Of the reasons for which leaves are
/// allowed, that of the last one looked at stands: no other one has made an alternative hold.
#[async_trait]
pub(super) trait Leaves: Sync {
    fn leaf_now(&self, request: &AccessRequest<'_>) -> Option<Decision>;

    async fn leaf(&self, request: &AccessRequest<'_>) -> Decision;
}

/// A leaf that has not been answered may turn out either way, as one that nobody can tell: what is decided without it
/// stands.
const OPEN: Decision = Decision::Indeterminate(Why::new("requirement", "open"));

#[inline]
pub(super) fn decide_now(judge: &impl Leaves, request: &AccessRequest<'_>) -> Option<Decision> {
    // Most requirements are a leaf, which pays nothing for combinations.
    if request.requirement.is_combination() || !request.is_about_its_action() {
        return decide_each_now(judge, request);
    }
    request.note(None);
    judge.leaf_now(request)
}

#[inline(never)]
fn decide_each_now(judge: &impl Leaves, request: &AccessRequest<'_>) -> Option<Decision> {
    let mut is_open = false;
    let decision = request.requirement.decide(&mut |leaf| {
        request.note(None);
        judge.leaf_now(&request.about(leaf)).unwrap_or_else(|| {
            is_open = true;
            OPEN
        })
    });
    match decision {
        Decision::Indeterminate(_) if is_open => None,
        decision => Some(decision),
    }
}

/// Waits for one leaf after the other, in their order, as long as the outcome depends on them.
pub(super) async fn decide(judge: &impl Leaves, request: &AccessRequest<'_>) -> Decision {
    let mut answered: Vec<(&Requirement, Decision, Option<Why>)> = Vec::new();
    loop {
        let mut open = None;
        let decision = request.requirement.decide(&mut |leaf| {
            if let Some((_, decision, why)) = answered.iter().find(|(own, ..)| std::ptr::eq(*own, leaf)) {
                request.note(*why);
                return *decision;
            }
            request.note(None);
            judge.leaf_now(&request.about(leaf)).unwrap_or_else(|| {
                open.get_or_insert(leaf);
                OPEN
            })
        });
        match (decision, open) {
            (Decision::Indeterminate(_), Some(leaf)) => {
                request.note(None);
                let answer = judge.leaf(&request.about(leaf)).await;
                answered.push((leaf, answer, request.noted()));
            }
            (decision, _) => return decision,
        }
    }
}

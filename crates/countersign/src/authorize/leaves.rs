//! Requirements whose leaves are judged one by one, some of them only after waiting.

use super::AccessRequest;
use crate::decision::{Decision, Requirement, Why};
use async_trait::async_trait;

/// Judges the leaves of requirements: what it is asked about is never a combination.
#[async_trait]
pub(super) trait Leaves: Sync {
    fn leaf_now(&self, request: &AccessRequest<'_>) -> Option<Decision>;

    async fn leaf(&self, request: &AccessRequest<'_>) -> Decision;
}

/// A leaf that has not been answered may turn out either way, as one that nobody can tell: what is decided without it
/// stands.
const OPEN: Decision = Decision::Indeterminate(Why::new("requirement", "open"));

pub(super) fn decide_now(judge: &dyn Leaves, request: &AccessRequest<'_>) -> Option<Decision> {
    let mut is_open = false;
    let decision = request.requirement.decide(&mut |leaf| {
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
pub(super) async fn decide(judge: &dyn Leaves, request: &AccessRequest<'_>) -> Decision {
    let mut answered: Vec<(&Requirement, Decision)> = Vec::new();
    loop {
        let mut open = None;
        let decision = request.requirement.decide(&mut |leaf| {
            let known = answered.iter().find(|(own, _)| std::ptr::eq(*own, leaf)).map(|(_, decision)| *decision);
            known.or_else(|| judge.leaf_now(&request.about(leaf))).unwrap_or_else(|| {
                open.get_or_insert(leaf);
                OPEN
            })
        });
        match (decision, open) {
            (Decision::Indeterminate(_), Some(leaf)) => {
                let answer = judge.leaf(&request.about(leaf)).await;
                answered.push((leaf, answer));
            }
            (decision, _) => return decision,
        }
    }
}

use super::{Answer, Demo};
use countersign::verify::{Outcome, Step};
use serde_json::{Value, json};

impl Demo {
    /// `GET /`
    #[must_use]
    pub fn page(&self) -> Answer {
        crate::page::answer(include_str!("page.html"))
    }

    /// `POST /explain` with a token as the body: every check of it, with its outcome. For a demo alone: elsewhere this is for
    /// operators, and whoever sends a token is told no more than a refusal says.
    pub async fn explain(&self, body: &[u8]) -> Answer {
        let Ok(token) = std::str::from_utf8(body) else {
            return Answer::error(400, "the body is not a token");
        };
        let explanation = self.verifier.explain(token.trim()).await;
        let checks: Vec<_> = explanation.steps().iter().map(step).collect();
        Answer::json(200, &json!({ "is_accepted": explanation.is_accepted(), "checks": checks }))
            .with("cache-control", "no-store")
    }
}

fn step(step: &Step) -> Value {
    let (outcome, why) = match step.outcome {
        Outcome::Passed => ("passed", None),
        Outcome::Failed(rejection) => ("failed", Some(rejection.to_string())),
        Outcome::NotChecked(why) => ("not_checked", Some(why.to_owned())),
        _ => ("unknown", None),
    };
    json!({ "check": step.check, "outcome": outcome, "why": why })
}

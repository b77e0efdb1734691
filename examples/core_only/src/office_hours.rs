//! Roles that count while the office is open: an [`Authorizer`].

use countersign::authorize::{AccessRequest, Authorizer, Decision, Requirement, ScopeAuthorizer, Why};
use countersign::clock::Clock;
use countersign::{ConfigError, async_trait};
use std::collections::HashMap;
use std::ops::Range;
use std::time::UNIX_EPOCH;

/// Lets the subjects of one issuer use the roles that they hold from Monday to Friday, at certain hours.
///
/// Scopes count at any hour, so that `role("editor").or(scopes(["emergency"]))` says who may do it at night.
#[derive(Debug)]
pub struct OfficeHours<C> {
    issuer: String,
    roles: HashMap<String, Vec<String>>,
    hours: Range<u64>,
    clock: C,
}

impl<C: Clock> OfficeHours<C> {
    /// The roles of each subject of `issuer`, and the hours of the day, in UTC, in which they count.
    pub fn new(issuer: &str, roles: HashMap<String, Vec<String>>, hours: Range<u64>, clock: C) -> Self {
        Self { issuer: issuer.to_owned(), roles, hours, clock }
    }

    fn at_this_hour(&self) -> Decision {
        match self.clock.now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() / 3_600) {
            // A clock that reads 1970 has never been set.
            ..8_760 => Decision::Indeterminate(Why::new("office_hours", "clock_not_set")),
            // Day 0 was a Thursday, three days after a Monday.
            hour if (hour / 24 + 3) % 7 < 5 && self.hours.contains(&(hour % 24)) => Decision::Allow,
            _ => Decision::Deny(Why::new("office_hours", "closed")),
        }
    }
}

#[async_trait]
impl<C: Clock> Authorizer for OfficeHours<C> {
    fn accepts(&self, requirement: &Requirement) -> Result<(), ConfigError> {
        let is_held = |role: &String| self.roles.values().any(|held| held.contains(role));
        requirement.each_leaf(&mut |leaf| match leaf {
            Requirement::AnyRole(any) if any.iter().all(is_held) => Ok(()),
            Requirement::AnyRole(any) => Err(ConfigError::new("require", format!("nobody holds {any:?}"))),
            leaf => ScopeAuthorizer.accepts(leaf),
        })
    }

    async fn decide(&self, request: &AccessRequest<'_>) -> Decision {
        let subject = request.token.subject().filter(|_| request.token.issuer() == Some(&self.issuer));
        let held = subject.and_then(|subject| self.roles.get(subject)).map_or(&[][..], Vec::as_slice);
        let not_held = Decision::Deny(Why::new("office_hours", "not_held"));
        request.requirement.decide(&mut |leaf| match leaf {
            Requirement::AnyRole(any) if any.iter().any(|role| held.contains(role)) => self.at_this_hour(),
            leaf => ScopeAuthorizer::decide_leaf(leaf, request.token).unwrap_or(not_held),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::VerifiedToken;
    use countersign::authorize::{any_role, permissions, role, scopes};
    use countersign_testkit::clock::FakeClock;
    use serde_json::json;

    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    /// 2026-11-20, a Friday, at midnight.
    const FRIDAY: u64 = 1_795_132_800;
    const ALLOW: &str = "allow";

    fn office(now: u64) -> OfficeHours<FakeClock> {
        let roles = [("admin", "editor"), ("reader", "auditor")]
            .map(|(subject, role)| (subject.to_owned(), vec![role.to_owned()]));
        OfficeHours::new("me", roles.into(), 9..17, FakeClock::at(now))
    }

    async fn outcome(
        office: &OfficeHours<FakeClock>,
        claims: serde_json::Value,
        requirement: Requirement,
    ) -> &'static str {
        let token = VerifiedToken::vouched(&claims).expect("claims");
        match office.decide(&AccessRequest::new(&token, &requirement)).await {
            Decision::Allow => ALLOW,
            Decision::Deny(why) | Decision::Indeterminate(why) => why.code,
        }
    }

    #[tokio::test]
    async fn roles_count_from_monday_to_friday_while_the_office_is_open() {
        for (now, expected) in [
            (FRIDAY + 9 * HOUR - 1, "closed"),
            (FRIDAY + 9 * HOUR, ALLOW),
            (FRIDAY + 17 * HOUR - 1, ALLOW),
            (FRIDAY + 17 * HOUR, "closed"),
            (FRIDAY + DAY + 12 * HOUR, "closed"),
            (FRIDAY + 2 * DAY + 12 * HOUR, "closed"),
            (FRIDAY + 3 * DAY + 12 * HOUR, ALLOW),
            (12 * HOUR, "clock_not_set"),
        ] {
            let admin = json!({"iss": "me", "sub": "admin"});
            assert_eq!(outcome(&office(now), admin, role("editor")).await, expected, "{now}");
        }
    }

    #[tokio::test]
    async fn roles_are_those_of_the_table_and_scopes_those_of_the_token() {
        let open = office(FRIDAY + 12 * HOUR);
        for (claims, requirement, expected) in [
            (json!({"iss": "me", "sub": "reader"}), role("editor"), "not_held"),
            (json!({"iss": "you", "sub": "admin"}), role("editor"), "not_held"),
            (json!({"iss": "me"}), role("editor"), "not_held"),
            (json!({"sub": "admin"}), role("editor"), "not_held"),
            (json!({"iss": "me", "scope": "a"}), role("editor").or(scopes(["a"])), ALLOW),
            (json!({"iss": "me", "sub": "admin", "scope": "a"}), role("editor").and(scopes(["a"])), ALLOW),
            (json!({"iss": "me", "sub": "admin"}), role("editor").and(scopes(["a"])), "missing_scope"),
        ] {
            assert_eq!(outcome(&open, claims.clone(), requirement).await, expected, "{claims}");
        }
    }

    #[test]
    fn a_route_can_ask_for_roles_that_somebody_holds_and_for_scopes() {
        let office = office(FRIDAY);
        assert!(office.accepts(&role("editor").or(scopes(["a"]))).is_ok());
        let error = office.accepts(&scopes(["a"]).or(role("edtior"))).unwrap_err();
        assert_eq!(error.to_string(), r#"`require`: nobody holds ["edtior"]"#);
        assert!(office.accepts(&any_role(["editor", "auditor"])).is_ok());
        assert!(office.accepts(&any_role(["editor", "edtior"])).is_err());
        assert!(office.accepts(&permissions(["posts:write"])).is_err());
    }
}

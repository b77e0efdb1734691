//! What stands in `compare.json`: the fields that are promised, and everybody who was to be measured.

use serde::Deserialize;

/// The groups that have peers.
#[cfg(test)]
pub(super) const GROUPS: [&str; 3] = ["authorization", "http", "verification"];

/// A group, and how the lines of those begin whom it measures beside us.
const PEERS: [(&str, &str); 9] = [
    ("authorization", "casbin"),
    ("authorization", "cedar-policy"),
    ("authorization", "gatehouse"),
    ("http", "axum-jwt-auth"),
    ("http", "jwt-authorizer"),
    ("http", "oauth-resource-server"),
    ("verification", "jsonwebtoken 11"),
    ("verification", "jsonwebtoken 9"),
    ("verification", "jwt-simple"),
];
const WITH_OPENSSL: (&str, &str) = ("verification", "josekit");
const OURS: &str = "countersign";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    case: String,
    name: String,
    ns: f64,
    #[expect(dead_code, reason = "that it is there and a number is what counts")]
    allocations: u64,
    ratio_to_ours: f64,
}

/// What is wrong with a report of these groups; all where none is named.
pub(super) fn check(text: &str, groups: &[String], has_openssl: bool) -> Result<(), String> {
    let lines: Vec<Line> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if lines.is_empty() {
        return Err("nothing was measured".into());
    }
    let is_a_time = |figure: f64| figure.is_finite() && figure > 0.0;
    for line in &lines {
        if line.case.is_empty() || line.name.is_empty() || !is_a_time(line.ns) || !is_a_time(line.ratio_to_ours) {
            return Err(format!("`{}` by `{}` says nothing", line.case, line.name));
        }
    }
    let is_measured = |name: &str| lines.iter().any(|line| line.name.starts_with(name));
    let has_run = |group: &str| groups.is_empty() || groups.iter().any(|named| named == group);
    let peers = PEERS.into_iter().chain(has_openssl.then_some(WITH_OPENSSL));
    let expected: Vec<_> = peers.filter(|(group, _)| has_run(group)).map(|(_, name)| name).collect();
    let ours = (!expected.is_empty()).then_some(OURS);
    match expected.into_iter().chain(ours).find(|name| !is_measured(name)) {
        Some(missing) => Err(format!("`{missing}` was not measured")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn line(name: &str) -> Value {
        json!({"case": "c", "name": name, "ns": 1.5, "allocations": 0, "ratio_to_ours": 1.0})
    }

    fn report(names: &[&str]) -> String {
        Value::from_iter(names.iter().map(|name| line(name))).to_string()
    }

    #[test]
    fn a_report_holds_everybody_of_the_groups_that_ran() {
        let (authorization, verification) = (["authorization".to_owned()], ["verification".to_owned()]);
        let policies = ["countersign", "casbin, answers cached", "cedar-policy", "gatehouse, RbacPolicy"];
        let tokens = ["countersign, ring", "jsonwebtoken 11, aws-lc", "jsonwebtoken 9, ring", "jwt-simple, pure Rust"];
        let cases: [(&[String], bool, Vec<&str>, Option<&str>); 8] = [
            (&authorization, true, policies.to_vec(), None),
            (&authorization, true, policies[1..].to_vec(), Some("`countersign` was not measured")),
            (&authorization, true, policies[..3].to_vec(), Some("`gatehouse` was not measured")),
            (&verification, false, tokens.to_vec(), None),
            (&verification, true, tokens.to_vec(), Some("`josekit` was not measured")),
            (&verification, true, [&tokens[..], &["josekit, OpenSSL"]].concat(), None),
            (&["rejections".to_owned()], true, vec!["taken"], None),
            (&[], false, [&policies[..], &tokens].concat(), Some("`axum-jwt-auth` was not measured")),
        ];
        for (groups, has_openssl, names, expected) in cases {
            let answer = check(&report(&names), groups, has_openssl);
            assert_eq!(answer.err().as_deref(), expected, "{groups:?} {names:?}");
        }
    }

    #[test]
    fn a_line_has_its_five_fields_and_no_others() {
        let groups = ["rejections".to_owned()];
        let with = |field: &str, value: Value| {
            let mut line = line("taken");
            line[field] = value;
            line
        };
        let mut lines = vec![with("ns", Value::Null), with("ns", json!(0.0)), with("case", json!(""))];
        lines.extend([with("allocations", json!(-1)), with("minimum", json!(1.0))]);
        for field in ["case", "name", "ns", "allocations", "ratio_to_ours"] {
            let mut line = line("taken");
            let _ = line.as_object_mut().and_then(|line| line.remove(field));
            lines.push(line);
        }
        for line in lines {
            assert!(check(&json!([line]).to_string(), &groups, false).is_err(), "{line}");
        }
        assert!(check("[]", &groups, false).is_err() && check("", &groups, false).is_err());
    }
}

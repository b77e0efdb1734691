//! The dashboard and the alerts in `docs/observability`, held against `docs/OBSERVABILITY.md`.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = include_str!("../../docs/OBSERVABILITY.md");
const DASHBOARD: &str = include_str!("../../docs/observability/grafana.json");
const ALERTS: &str = include_str!("../../docs/observability/alerts.yml");

/// Each metric of the page, with its labels.
fn documented() -> BTreeMap<&'static str, Vec<&'static str>> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `countersign_"));
    rows.map(|row| {
        let mut columns = row.split(" | ");
        let name = columns.next().expect("a name").trim_end_matches('`');
        let labels = columns.nth(1).expect("labels").split(", ").map(|label| label.trim_matches(['`', ' ', '|']));
        (name, labels.filter(|label| !label.is_empty()).collect())
    })
    .collect()
}

/// The words of a text that begin as our metrics do, without that beginning and what histograms add to it.
fn metrics(text: &str) -> BTreeSet<&str> {
    text.split("countersign_")
        .skip(1)
        .map(|rest| &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())])
        .map(|name| name.strip_suffix("_bucket").unwrap_or(name))
        .collect()
}

/// What a query groups by, and what it selects with.
fn labels(query: &str) -> BTreeSet<&str> {
    let grouped =
        query.split(" by (").skip(1).filter_map(|rest| rest.split(')').next()).flat_map(|names| names.split(", "));
    let selected = query
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .flat_map(|selectors| selectors.split(", ").filter_map(|selector| selector.split(['=', '~', '!']).next()));
    grouped.chain(selected).filter(|label| !["instance", "le"].contains(label)).collect()
}

fn queries(node: &Value, found: &mut Vec<String>) {
    match node {
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| queries(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_every_metric_by_labels_that_it_has() {
    let documented = documented();
    let mut found = Vec::new();
    queries(&serde_json::from_str(DASHBOARD).expect("JSON"), &mut found);
    let shown: BTreeSet<_> = found.iter().flat_map(|query| metrics(query)).collect();
    assert_eq!(shown, documented.keys().copied().collect(), "shown, and documented");
    for query in &found {
        let known: BTreeSet<_> = metrics(query).into_iter().flat_map(|name| documented[name].iter().copied()).collect();
        let unknown: Vec<_> = labels(query).into_iter().filter(|label| !known.contains(label)).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {query}");
    }
}

/// White space is not told apart.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_alerts_are_those_of_the_page() {
    let alerts: Vec<_> =
        ALERTS.split("expr: |").skip(1).map(|rest| words(rest.split("for:").next().expect("a condition"))).collect();
    let page: Vec<_> =
        PAGE.split("```promql").skip(1).map(|rest| words(rest.split("```").next().expect("a block"))).collect();
    assert_eq!(alerts, page);
    assert_eq!(alerts.len(), 3);
}

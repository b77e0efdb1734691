//! What was measured, for people and for programs.

use serde::Serialize;
use std::fmt;

/// The time of one answer, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Half of the rounds took longer.
    pub median: f64,
    /// No round was faster.
    pub minimum: f64,
}

impl Measure {
    pub(crate) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { median: samples[samples.len() / 2], minimum: samples[0] }
    }
}

/// One line of the table, and one object of `compare.json`.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The question.
    pub case: String,
    /// Who answered.
    pub name: &'static str,
    /// The median.
    pub ns: f64,
    #[serde(skip)]
    /// The minimum.
    pub minimum: f64,
    /// Allocations and reallocations of one answer.
    pub allocations: usize,
    /// The median over that of the first who answered this question, which is ours.
    pub ratio_to_ours: f64,
}

/// What a ratio, or a count, has to be.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// No more times as long as the other.
    AtMost(f64),
    /// The other takes at least so many times as long.
    Faster(f64),
    /// No more nanoseconds.
    Within(f64),
    /// No more nanoseconds beyond the other's.
    Beyond(f64),
    /// With two threads at least so many times as much faster than with one as the other is. Those with one thread, of
    /// the same case: ours and the other.
    Scaling(f64, [&'static str; 2]),
    /// No more allocations.
    Allocations(usize),
    /// No more allocations beyond the other's.
    AllocationsBeyond(usize),
}

/// What a contender is to reach.
#[derive(Debug)]
pub struct Target {
    /// Its case and its name.
    pub who: (String, &'static str),
    /// How much.
    pub bound: Bound,
    /// Beside whom: a case and a name.
    pub beside: (String, &'static str),
    /// Whether minima are compared, and not medians: what a busy machine adds is nobody's.
    pub by_minima: bool,
}

impl Target {
    /// A target of the first contender of a case, `ours`.
    #[must_use]
    pub fn new(case: &str, ours: &'static str, bound: Bound, beside: (&str, &'static str)) -> Self {
        Self { who: (case.into(), ours), bound, beside: (beside.0.into(), beside.1), by_minima: false }
    }

    /// Judged by minima.
    #[must_use]
    pub fn by_minima(mut self) -> Self {
        self.by_minima = true;
        self
    }

    /// A number of allocations.
    #[must_use]
    pub fn allocations(case: &str, ours: &'static str, at_most: usize) -> Self {
        Self::new(case, ours, Bound::Allocations(at_most), (case, ours))
    }
}

/// The rows of a group, and its targets.
#[derive(Debug)]
pub struct Report {
    /// In the order in which they were measured.
    pub rows: Vec<Row>,
    /// What was to be reached.
    pub targets: Vec<Target>,
}

impl Report {
    fn row(&self, (case, name): &(String, &'static str)) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == *case && row.name == *name)
    }

    /// Of the targets, those about something that was not measured: nobody can say whether they are met.
    #[must_use]
    pub fn unjudged(&self) -> Vec<String> {
        let unjudged = self.targets.iter().filter(|target| self.judge(target).is_none());
        unjudged.map(|target| format!("{} by {} ({:?})", target.who.0, target.who.1, target.bound)).collect()
    }

    /// Whether it was reached, and what was.
    fn judge(&self, target: &Target) -> Option<(bool, String)> {
        let (ours, other) = (self.row(&target.who)?, self.row(&target.beside)?);
        let least = |times: f64, other: f64| times / other;
        let judged = |median, minimum| if target.by_minima { minimum } else { median };
        let (case, name) = &target.beside;
        let beside = if *case == ours.case { (*name).to_owned() } else { format!("`{case}`") };
        Some(match target.bound {
            Bound::AtMost(bound) => {
                let (median, minimum) = (least(ours.ns, other.ns), least(ours.minimum, other.minimum));
                let is_met = judged(median, minimum) <= bound;
                (is_met, format!("at most {bound} × {beside}: {median:.3} × (minima {minimum:.3} ×)"))
            }
            Bound::Faster(bound) => {
                let (median, minimum) = (least(other.ns, ours.ns), least(other.minimum, ours.minimum));
                (
                    judged(median, minimum) >= bound,
                    format!("{bound} × faster than {beside}: {median:.0} × (minima {minimum:.0} ×)"),
                )
            }
            Bound::Within(bound) => {
                let is_met = judged(ours.ns, ours.minimum) <= bound;
                (is_met, format!("within {bound} ns: {:.0} ns (minimum {:.0} ns)", ours.ns, ours.minimum))
            }
            Bound::Beyond(bound) => {
                let (median, minimum) = (ours.ns - other.ns, ours.minimum - other.minimum);
                (
                    judged(median, minimum) <= bound,
                    format!("{bound} ns beyond {beside}: {median:.0} ns (minima {minimum:.0} ns)"),
                )
            }
            Bound::Scaling(bound, [one_of_ours, one_of_others]) => {
                let one = |name| self.row(&(ours.case.clone(), name));
                let (one_of_ours, one_of_others) = (one(one_of_ours)?, one(one_of_others)?);
                let scaling = |of: fn(&Row) -> f64| {
                    let [ours, other] = [of(one_of_ours) / of(ours), of(one_of_others) / of(other)];
                    (ours / other, format!("{ours:.2} / {other:.2}"))
                };
                let ((median, _), (minimum, told)) = (scaling(|row| row.ns), scaling(|row| row.minimum));
                (
                    judged(median, minimum) >= bound,
                    format!("{bound} × the scaling of {beside}: {median:.3} × (minima {minimum:.3} ×: {told})"),
                )
            }
            Bound::AllocationsBeyond(bound) => {
                let beyond = ours.allocations.saturating_sub(other.allocations);
                (beyond <= bound, format!("at most {bound} allocations beyond {beside}: {beyond}"))
            }
            Bound::Allocations(bound) => {
                (ours.allocations <= bound, format!("at most {bound} allocations: {}", ours.allocations))
            }
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Row) -> &str| self.rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
        let (case, name) = (width(|row| &row.case), width(|row| row.name));
        writeln!(
            f,
            "{:case$}  {:name$}  {:>12}  {:>12}  {:>11}  {:>9}",
            "", "", "median", "minimum", "allocations", "ratio"
        )?;
        let mut last = "";
        for row in &self.rows {
            let title = if row.case == last { "" } else { row.case.as_str() };
            last = &row.case;
            writeln!(
                f,
                "{title:case$}  {:name$}  {:>12}  {:>12}  {:>11}  {:>9}",
                row.name,
                time(row.ns),
                time(row.minimum),
                row.allocations,
                ratio(row.ratio_to_ours),
            )?;
        }
        writeln!(f)?;
        for target in &self.targets {
            match self.judge(target) {
                Some((met, told)) => {
                    writeln!(
                        f,
                        "{:6}  {}, {}: {told}",
                        if met { "met" } else { "MISSED" },
                        target.who.0,
                        target.who.1
                    )?;
                }
                None => writeln!(f, "UNKNOWN {target:?} is about something that was not measured")?,
            }
        }
        Ok(())
    }
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1_000.0 => format!("{ns:.2} ns"),
        ns if ns < 1_000_000.0 => format!("{:.2} µs", ns / 1_000.0),
        ns => format!("{:.2} ms", ns / 1_000_000.0),
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 100.0 { format!("{ratio:.2} ×") } else { format!("{ratio:.0} ×") }
}

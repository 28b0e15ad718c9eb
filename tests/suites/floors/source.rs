//! Which modules of its crate a source file uses: read off its text, as rustfmt lays it out.

/// A use of something at the top of the crate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// The line, from 1.
    pub(crate) line: usize,
    pub(crate) of: Of,
}

/// What is used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// `crate::name`.
    Top(String),
    /// Whatever `super` leads to, out of the module at the crate's top that the file is part of.
    Super,
}

/// All uses in a file whose module is `depth` levels below the crate. Comments do not count: their
/// links may lead anywhere.
pub(crate) fn uses(text: &str, depth: usize) -> Vec<Use> {
    let text: String = text.lines().map(|line| without_comment(line).to_owned() + "\n").collect();
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        if is_path_start(&text, at) {
            let line = line_of(&text, at);
            let names = names(&text[at + "crate::".len()..]);
            found.extend(names.into_iter().map(|name| Use { line, of: Of::Top(name) }));
        }
    }
    for (at, _) in text.match_indices("super::") {
        if is_path_start(&text, at) {
            let supers = text[at..].split("super::").skip(1).take_while(|rest| rest.is_empty());
            let levels = 1 + supers.count();
            if levels >= depth + inline_modules(&text[..at]) {
                found.push(Use { line: line_of(&text, at), of: Of::Super });
            }
        }
    }
    found.sort_by_key(|found| found.line);
    found
}

fn without_comment(line: &str) -> &str {
    line.find("//").map_or(line, |at| &line[..at])
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// Whether a path begins here: what is before is no part of it, of a macro's `$crate`, or of a
/// visibility.
fn is_path_start(text: &str, at: usize) -> bool {
    let before = &text[..at];
    let inside = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '$'));
    !inside && !before.ends_with("pub(in ")
}

/// What a path's first step after `crate` may lead to: one name, or those of a group.
fn names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth) = (vec![name(group)], 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    // A comma may end a group.
    names.retain(|name| !name.is_empty());
    names
}

/// How many modules with a body in this file are open at its end.
fn inline_modules(text: &str) -> usize {
    let mut open: Vec<&str> = Vec::new();
    for line in text.lines() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        let item = ["pub ", "pub(crate) ", "pub(super) "]
            .iter()
            .find_map(|visibility| code.strip_prefix(visibility))
            .unwrap_or(code);
        if item.starts_with("mod ") && item.trim_end().ends_with('{') {
            open.push(indent);
        } else if code.trim_end() == "}" && open.last() == Some(&indent) {
            open.pop();
        }
    }
    open.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tops(text: &str) -> Vec<(usize, String)> {
        let tops = uses(text, 1).into_iter().filter_map(|found| match found.of {
            Of::Top(name) => Some((found.line, name)),
            Of::Super => None,
        });
        tops.collect()
    }

    #[test]
    fn paths_groups_and_places_in_code_are_found() {
        let text = "use crate::error::{Error, VmEnd};
use crate::{machine::Machine, world::{Output, Stdin},
    text,
};
fn f() -> crate::engine::MicroVm {
    crate::placement::rest()
}
";
        let wanted = [
            (1, "error"),
            (2, "machine"),
            (2, "world"),
            (2, "text"),
            (5, "engine"),
            (6, "placement"),
        ];
        assert_eq!(tops(text), wanted.map(|(line, name)| (line, name.to_owned())));
    }

    #[test]
    fn comments_macros_and_visibilities_are_no_uses() {
        let text = "//! [`crate::engine`]
/// [it](crate::engine::MicroVm)
pub(in crate::engine) fn f() {} // crate::engine
macro_rules! m { () => { $crate::engine::f() }; }
";
        assert_eq!(tops(text), []);
    }

    #[test]
    fn super_counts_where_it_leaves_the_module_at_the_top() {
        let text = "use super::a;
use super::super::b;
mod tests {
    use super::super::c;
    use super::super::super::d;
}
use super::super::e;
";
        let leaving = |depth| -> Vec<usize> {
            let found = uses(text, depth).into_iter().filter(|found| found.of == Of::Super);
            found.map(|found| found.line).collect()
        };
        assert_eq!(leaving(2), [2, 5, 7]);
        assert_eq!(leaving(3), [0; 0]);
    }
}

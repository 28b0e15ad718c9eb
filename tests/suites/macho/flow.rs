//! Where the value in a register comes from: a little data flow over a disassembly.

use std::collections::BTreeSet;

/// One instruction, as `llvm-objdump` writes it.
#[derive(Debug)]
pub(crate) struct Instruction {
    pub(crate) address: u64,
    pub(crate) mnemonic: String,
    pub(crate) operands: String,
}

/// Where a value may come from.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// The function's caller.
    Caller,
    /// An instruction wrote it.
    Written(&'a Instruction),
    /// A function that was called may have left anything there.
    Clobbered,
    /// Nobody seems to jump there.
    Unknown,
}

/// All functions of a disassembly.
pub(crate) fn functions(disassembly: &str) -> Vec<Vec<Instruction>> {
    let mut functions = vec![Vec::new()];
    for line in disassembly.lines() {
        if line.ends_with(">:") {
            functions.push(Vec::new());
        } else if let (Some(instruction), Some(function)) = (parse(line), functions.last_mut()) {
            function.push(instruction);
        }
    }
    functions
}

/// Reads `100004000:     \tmov\tw1, #1`.
fn parse(line: &str) -> Option<Instruction> {
    let (address, rest) = line.split_once(':')?;
    let address = u64::from_str_radix(address.trim(), 16).ok()?;
    let (mnemonic, operands) = rest.trim().split_once('\t').unwrap_or((rest.trim(), ""));
    Some(Instruction { address, mnemonic: mnemonic.to_owned(), operands: operands.to_owned() })
}

impl Instruction {
    /// Where it jumps or calls to, if it says so.
    pub(crate) fn target(&self) -> Option<u64> {
        let jumps = self.mnemonic.starts_with("b.")
            || matches!(&*self.mnemonic, "b" | "bl" | "cbz" | "cbnz" | "tbz" | "tbnz");
        let last = self.operands.rsplit(", ").next()?.split(' ').next()?;
        jumps.then(|| u64::from_str_radix(last.strip_prefix("0x")?, 16).ok())?
    }

    fn calls(&self) -> bool {
        matches!(&*self.mnemonic, "bl" | "blr")
    }

    /// Whether the next instruction may come after it.
    fn goes_on(&self) -> bool {
        !matches!(&*self.mnemonic, "b" | "br" | "ret" | "brk" | "udf")
    }

    /// Whether it writes a general register, be it to half of it.
    fn writes(&self, register: u32) -> bool {
        let is = |name: &str| name == format!("x{register}") || name == format!("w{register}");
        let (plain, indexed) = match self.operands.split_once('[') {
            Some((plain, memory)) => {
                let moves = memory.contains("]!") || memory.contains("], #");
                (plain, moves && is(memory.split([',', ']']).next().unwrap_or("")))
            }
            None => (&*self.operands, false),
        };
        let mut names = plain.split(", ").map(str::trim);
        let kind = &*self.mnemonic;
        let writes = match kind {
            "stxr" | "stlxr" | "stxp" | "stlxp" => names.next().is_some_and(is),
            _ if kind.starts_with("st") => false,
            _ if ["ld", "sw", "cas"].iter().any(|start| kind.starts_with(start)) => names.any(is),
            "cmp" | "cmn" | "tst" | "ccmp" | "ccmn" => false,
            _ if self.target().is_some() || self.calls() => false,
            _ => names.next().is_some_and(is),
        };
        writes || indexed
    }
}

/// Every place that the value of a general register may come from, at an instruction.
pub(crate) fn sources(function: &[Instruction], at: usize, register: u32) -> Vec<Source<'_>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([at]);
    let mut open = vec![at];
    while let Some(place) = open.pop() {
        let before = place.checked_sub(1).filter(|before| function[*before].goes_on());
        let jumps = function
            .iter()
            .enumerate()
            .filter(|(_, jump)| jump.target() == Some(function[place].address) && !jump.calls());
        let from: Vec<usize> = before.into_iter().chain(jumps.map(|(jump, _)| jump)).collect();
        if place == 0 {
            found.push(Source::Caller);
        } else if from.is_empty() {
            found.push(Source::Unknown);
        }
        for earlier in from {
            let instruction = &function[earlier];
            if instruction.writes(register) {
                found.push(Source::Written(instruction));
            } else if instruction.calls() && register < 18 {
                found.push(Source::Clobbered);
            } else if seen.insert(earlier) {
                open.push(earlier);
            }
        }
    }
    found
}

#[test]
fn values_are_found_on_every_way() {
    let text = "\
f>:
100: \tmov\tw1, #1
104: \tb\t0x110 <f+0x10>
108: \tmov\tw1, #2
10c: \tcbz\tx9, 0x118 <f+0x18>
110: \tldr\tx0, [x1]
114: \tbl\t0x200 <g>
118: \tstr\tx1, [x2]
11c: \tbl\t0x300 <h>
";
    let [_, function] = &functions(text)[..] else { panic!("one function") };
    let written = |at, register| {
        let mut written: Vec<String> = sources(function, at, register)
            .iter()
            .map(|source| match source {
                Source::Written(by) => format!("{:x}", by.address),
                other => format!("{other:?}"),
            })
            .collect();
        written.sort();
        written
    };
    assert_eq!(written(5, 1), ["100", "108"]);
    assert_eq!(written(5, 0), ["110"]);
    assert_eq!(written(7, 1), ["108", "Clobbered"]);
    assert_eq!(written(1, 5), ["Caller"]);
    assert_eq!(written(4, 19), ["Caller", "Unknown"]);
}

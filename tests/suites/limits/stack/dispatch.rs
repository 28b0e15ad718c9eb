//! The interpreter's code: each handler of an instruction ends in a jump to the next handler.
//!
//! The compiler that builds the guest need not make jumps of calls: where it does not, each
//! execution of the instruction keeps a frame on the stack. The handlers are found by the table
//! of their addresses, the longest there is in the image, so that no symbols are needed.

use goblin::elf::Elf;
use goblin::elf::program_header::{PF_X, PT_LOAD};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Mnemonic, OpKind, Register};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Handlers that wasmi has at least.
const HANDLERS_MIN: usize = 1_000;
/// Instructions of a handler that are looked at, at most.
const LOOKED_AT_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Arch {
    X86_64,
    Aarch64,
}

/// An instruction, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// Goes on with the next instruction, and belongs to the end of a function: it takes a frame
    /// down.
    Epilogue,
    /// Goes on with the next.
    Other,
    /// Calls a function whose address is in a register or in memory.
    IndirectCall,
    /// Jumps to an address in a register or in memory.
    IndirectJump,
    /// Jumps there.
    Jump(u64),
    /// Jumps there or goes on.
    Branch(u64),
    Return,
    /// Does not go on.
    Stop,
}

/// A guest kernel.
struct Image<'a> {
    arch: Arch,
    bytes: &'a [u8],
    elf: Elf<'a>,
}

impl<'a> Image<'a> {
    fn new(arch: Arch, bytes: &'a [u8]) -> Self {
        Self { arch, bytes, elf: Elf::parse(bytes).expect("the kernel is an ELF file") }
    }

    /// Addresses and bytes of what is loaded; of what is executable, if so asked.
    fn segments(&self, executable: bool) -> impl Iterator<Item = (Range<u64>, &'a [u8])> {
        let bytes = self.bytes;
        let loaded = self.elf.program_headers.iter().filter(|header| header.p_type == PT_LOAD);
        loaded.filter(move |header| !executable || header.p_flags & PF_X != 0).map(move |header| {
            let bytes = &bytes[header.file_range()];
            (header.p_vaddr..header.p_vaddr + bytes.len() as u64, bytes)
        })
    }

    fn code_at(&self, address: u64) -> &'a [u8] {
        let segment = self.segments(true).find(|(range, _)| range.contains(&address));
        segment.map_or(&[], |(range, bytes)| &bytes[(address - range.start) as usize..])
    }

    /// The longest sequence of words that are all addresses of functions.
    fn handlers(&self) -> BTreeSet<u64> {
        let aligned = if self.arch == Arch::X86_64 { 16 } else { 4 };
        let code: Vec<Range<u64>> = self.segments(true).map(|(range, _)| range).collect();
        let is_function = |word: u64| {
            word.is_multiple_of(aligned) && code.iter().any(|range| range.contains(&word))
        };
        let mut longest = Vec::new();
        for (_, bytes) in self.segments(false) {
            let words: Vec<u64> =
                bytes.as_chunks().0.iter().map(|&word| u64::from_le_bytes(word)).collect();
            for run in words.split(|&word| !is_function(word)) {
                if run.len() > longest.len() {
                    longest = run.to_vec();
                }
            }
        }
        longest.into_iter().collect()
    }
}

/// What an instruction of x86-64 does, and its length.
fn x86_64(code: &[u8], address: u64) -> (Step, u64) {
    let instruction = Decoder::with_ip(64, code, address, DecoderOptions::NONE).decode();
    let step = match instruction.flow_control() {
        FlowControl::Next => match instruction.mnemonic() {
            Mnemonic::Pop | Mnemonic::Nop | Mnemonic::Vzeroupper => Step::Epilogue,
            Mnemonic::Add | Mnemonic::Lea if instruction.op0_register() == Register::RSP => {
                Step::Epilogue
            }
            _ => Step::Other,
        },
        FlowControl::UnconditionalBranch => Step::Jump(instruction.near_branch_target()),
        FlowControl::ConditionalBranch => Step::Branch(instruction.near_branch_target()),
        FlowControl::IndirectBranch => Step::IndirectJump,
        FlowControl::IndirectCall => Step::IndirectCall,
        FlowControl::Call if instruction.op0_kind() == OpKind::NearBranch64 => Step::Other,
        FlowControl::Return => Step::Return,
        _ => Step::Stop,
    };
    (step, instruction.len() as u64)
}

/// What an instruction of aarch64 does, and its length. Encodings: Arm ARM, C4.1.
fn aarch64(code: &[u8], address: u64) -> (Step, u64) {
    let Some(&word) = code.first_chunk() else { return (Step::Stop, 4) };
    let word = u32::from_le_bytes(word);
    // A signed field of `bits` bits from bit `from` on, in instructions.
    let target = |from: u32, bits: u32| {
        let field = (word << (32 - from - bits)).cast_signed() >> (32 - bits);
        address.wrapping_add_signed(i64::from(field) * 4)
    };
    let of_stack = word >> 5 & 31 == 31;
    let step = match word {
        0xd65f_03c0 => Step::Return,
        0xd503_201f => Step::Epilogue,
        _ if word & 0xffff_fc1f == 0xd61f_0000 => Step::IndirectJump,
        _ if word & 0xffff_fc1f == 0xd63f_0000 => Step::IndirectCall,
        _ if word >> 26 == 0b00_0101 => Step::Jump(target(0, 26)),
        _ if word >> 24 == 0x54 => Step::Branch(target(5, 19)),
        _ if word >> 25 & 0x3f == 0b01_1010 => Step::Branch(target(5, 19)),
        _ if word >> 25 & 0x3f == 0b01_1011 => Step::Branch(target(5, 14)),
        // BRK and UDF.
        _ if word & 0xffe0_001f == 0xd420_0000 || word >> 16 == 0 => Step::Stop,
        // ADD of the stack pointer; loads of pairs and of single registers from the stack.
        _ if word & 0xff00_03ff == 0x9100_03ff => Step::Epilogue,
        _ if word & 0x3a40_0000 == 0x2840_0000 && of_stack => Step::Epilogue,
        _ if word & 0x3a40_0000 == 0x3840_0000 && of_stack => Step::Epilogue,
        _ => Step::Other,
    };
    (step, 4)
}

/// What is wrong with a handler, if anything is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The call there is followed by nothing but the function's end.
    CallsTheNext(u64),
    /// It never jumps to another.
    NeverJumps,
}

/// Looks at all that can be reached in a handler.
fn judge(entry: u64, read: impl Fn(u64) -> (Step, u64)) -> Option<Fault> {
    let mut seen = BTreeSet::new();
    let mut to_do = vec![entry];
    let mut jumps = false;
    while let Some(mut at) = to_do.pop() {
        while seen.insert(at) && seen.len() < LOOKED_AT_MAX {
            let (step, len) = read(at);
            let next = at + len;
            match step {
                Step::Epilogue | Step::Other => {}
                Step::IndirectCall if is_the_end(next, &read) => {
                    return Some(Fault::CallsTheNext(at));
                }
                Step::IndirectCall => {}
                Step::Branch(target) => to_do.push(target),
                Step::Jump(target) => {
                    at = target;
                    continue;
                }
                Step::IndirectJump => {
                    jumps = true;
                    break;
                }
                Step::Return | Step::Stop => break,
            }
            at = next;
        }
    }
    (!jumps).then_some(Fault::NeverJumps)
}

/// Whether a function only takes its frame down and returns from here on.
fn is_the_end(mut at: u64, read: impl Fn(u64) -> (Step, u64)) -> bool {
    for _ in 0..64 {
        let (step, len) = read(at);
        match step {
            Step::Epilogue => at += len,
            Step::Jump(target) => at = target,
            other => return other == Step::Return,
        }
    }
    false
}

/// The kernel that was built last for an architecture, if one was.
fn kernel(name: &str) -> Option<PathBuf> {
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors().skip(1).take(2);
    let file = format!("guest/wrt-guest-{name}-interp");
    folders.map(|folder| folder.join(&file)).find(|path| path.exists())
}

#[test]
fn each_handler_of_the_interpreter_jumps_to_the_next() {
    for (arch, name) in [(Arch::X86_64, "x86_64"), (Arch::Aarch64, "aarch64")] {
        let Some(path) = kernel(name) else {
            println!("skipped: no guest kernel was built for {name}");
            continue;
        };
        let bytes = std::fs::read(&path).unwrap();
        let image = Image::new(arch, &bytes);
        let handlers = image.handlers();
        assert!(handlers.len() >= HANDLERS_MIN, "{name}: {} handlers", handlers.len());
        let read = |at: u64| match arch {
            Arch::X86_64 => x86_64(image.code_at(at), at),
            Arch::Aarch64 => aarch64(image.code_at(at), at),
        };
        let faults: Vec<(u64, Fault)> =
            handlers.iter().filter_map(|&at| Some((at, judge(at, read)?))).collect();
        // The handler of traps ends the execution.
        let wrong = faults.iter().filter(|(_, fault)| *fault != Fault::NeverJumps).count();
        assert!(wrong == 0 && faults.len() <= 1, "{name}: {faults:x?}");
        println!("{name}: {} handlers", handlers.len());
    }
}

#[test]
fn handlers_that_call_the_next_are_recognised() {
    // mov rax, [rsi]; jmp rax | push rbx; call [rsi]; pop rbx; ret | the same, and a jump to the
    // end | call rax; test al, al; je to a jump | ret.
    let x86_64_cases: [(&[u8], Option<Fault>); 5] = [
        (&[0x48, 0x8b, 0x06, 0xff, 0xe0], None),
        (&[0x53, 0xff, 0x16, 0x5b, 0xc3], Some(Fault::CallsTheNext(1))),
        (&[0xff, 0x16, 0xeb, 0x01, 0xcc, 0x48, 0x83, 0xc4, 8, 0xc3], Some(Fault::CallsTheNext(0))),
        (&[0xff, 0xd0, 0x84, 0xc0, 0x74, 1, 0xc3, 0xff, 0xe0], None),
        (&[0xc3], Some(Fault::NeverJumps)),
    ];
    for (code, expected) in x86_64_cases {
        let read = |at: u64| x86_64(code.get(at as usize..).unwrap_or_default(), at);
        assert_eq!(judge(0, read), expected, "{code:x?}");
    }
    // br x9 | stp x29, x30, [sp, -16]!; blr x9; ldp x29, x30, [sp], 16; ret | blr x9; cbz w0, to
    // a jump; ret; br x9 | blr x9; add sp, sp, 32; b to a ret.
    let aarch64_cases: [(&[u32], Option<Fault>); 4] = [
        (&[0xd61f_0120], None),
        (&[0xa9bf_7bfd, 0xd63f_0120, 0xa8c1_7bfd, 0xd65f_03c0], Some(Fault::CallsTheNext(4))),
        (&[0xd63f_0120, 0x3400_0040, 0xd65f_03c0, 0xd61f_0120], None),
        (
            &[0xd63f_0120, 0x9100_83ff, 0x1400_0002, 0xd420_0000, 0xd65f_03c0],
            Some(Fault::CallsTheNext(0)),
        ),
    ];
    for (words, expected) in aarch64_cases {
        let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let read = |at: u64| aarch64(code.get(at as usize..).unwrap_or_default(), at);
        assert_eq!(judge(0, read), expected, "{words:x?}");
    }
}

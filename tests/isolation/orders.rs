//! Orders for the evil guest, written down.

use super::arch::Processor;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use wrt_abi::Call;
use wrt_abi::cpu::Arch;
use wrt_abi::mailbox::REQUEST_ARGS;
use wrt_abi::services::Import;
use wrt_evil::{BOOT_MARK, BOOT_OPS, Code, HEAD, OP_SIZE, Op, Policy};
use wrt_platform::memory::PageAligned;
use wrt_vm::machine::GuestImage;
use wrt_vm::{Error, Module};

// The images' files.
include!(concat!(env!("OUT_DIR"), "/evil.rs"));

/// A program in the byte-code of [`wrt_evil`].
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Orders(Vec<u8>);

impl Orders {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Operations.
    pub(crate) fn len(&self) -> usize {
        self.0.len() / OP_SIZE
    }

    pub(crate) fn push(&mut self, op: Op) {
        self.0.extend(op.to_bytes());
    }

    fn op(mut self, code: Code, op: Op) -> Self {
        self.push(Op { code: code as u8, ..op });
        self
    }

    pub(crate) fn and(mut self, others: &Self) -> Self {
        self.0.extend(&others.0);
        self
    }

    pub(crate) fn set(self, a: u8, x: u64) -> Self {
        self.op(Code::Set, Op { a, x, ..Op::default() })
    }

    /// `r[a] = r[b] + x`
    pub(crate) fn add(self, a: u8, b: u8, x: u64) -> Self {
        self.op(Code::Add, Op { a, b, x, ..Op::default() })
    }

    /// `r[a]` from a word at `x`.
    pub(crate) fn load(self, a: u8, x: u64) -> Self {
        self.set(15, x).op(Code::Load, Op { a, b: 15, c: 3, ..Op::default() })
    }

    /// `y` to `x`, as 1 << `c` bytes.
    pub(crate) fn put(self, c: u8, x: u64, y: u64) -> Self {
        self.set(15, x).op(Code::Put, Op { b: 15, c, y, ..Op::default() })
    }

    /// `y` to `r[b] + x`, as 1 << `c` bytes.
    pub(crate) fn put_at(self, c: u8, b: u8, x: u64, y: u64) -> Self {
        self.op(Code::Put, Op { b, c, x, y, ..Op::default() })
    }

    /// Bytes to `r[b] + x`.
    pub(crate) fn bytes(mut self, b: u8, x: u64, bytes: &[u8]) -> Self {
        let n = u32::try_from(bytes.len()).unwrap_or(0);
        self = self.op(Code::Bytes, Op { b, n, x, ..Op::default() });
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(OP_SIZE), 0);
        self
    }

    /// The secret of `seed` to `len` bytes at `x`.
    pub(crate) fn plant(self, x: u64, len: u64, seed: u64) -> Self {
        self.set(15, x).plant_at(15, 0, len, seed)
    }

    /// The secret of `seed` to `len` bytes at `r[b] + x`.
    pub(crate) fn plant_at(self, b: u8, x: u64, len: u64, seed: u64) -> Self {
        self.op(Code::Plant, Op { b, x, y: len, z: seed, ..Op::default() })
    }

    /// Words with the secret of `seed`, closed pages and other words in `len` bytes at `x`, to
    /// `r[a]`, `r[a + 1]`, `r[a + 2]` and the report.
    pub(crate) fn scan(self, a: u8, x: u64, len: u64, seed: u64) -> Self {
        self.set(15, x)
            .op(Code::Scan, Op { a, b: 15, y: len, z: seed, ..Op::default() })
            .report(a, 3)
    }

    pub(crate) fn scratch(self, a: u8) -> Self {
        self.op(Code::Scratch, Op { a, ..Op::default() })
    }

    /// A hypercall with these arguments; the others are zero.
    pub(crate) fn call(mut self, call: Call, payload_len: u32, args: &[u64]) -> Self {
        for (a, number) in (0..12).zip(0..REQUEST_ARGS) {
            self = self.set(a, args.get(number).copied().unwrap_or(0));
        }
        self.call_as_it_is(call as u32, payload_len)
    }

    /// A call of a service's function on `len` bytes at `base`.
    pub(crate) fn function(self, import: Import, base: u64, len: u64, args: &[u64]) -> Self {
        let words = [&[import.word(), base, len][..], args].concat();
        self.call(Call::Service, 0, &words)
    }

    /// A hypercall by its number, with whatever is in the registers.
    pub(crate) fn call_as_it_is(self, n: u32, payload_len: u32) -> Self {
        self.op(Code::Call, Op { n, x: payload_len.into(), ..Op::default() })
    }

    pub(crate) fn trap(self) -> Self {
        self.op(Code::Trap, Op::default())
    }

    pub(crate) fn jump(self, x: u64) -> Self {
        self.set(15, x).op(Code::Jump, Op { b: 15, ..Op::default() })
    }

    /// An instruction in ring 3, with a word in rax or x0, and one, mostly an address, in rdx
    /// or x2.
    pub(crate) fn instruction(self, of: impl Into<u32>, word: u64, address: u64) -> Self {
        self.set(0, word).set(2, address).instruction_as_it_is(of)
    }

    pub(crate) fn instruction_as_it_is(self, of: impl Into<u32>) -> Self {
        self.op(Code::Instruction, Op { n: of.into(), ..Op::default() })
    }

    /// The same in ring 0.
    pub(crate) fn privileged(self, of: impl Into<u32>, word: u64, address: u64) -> Self {
        self.set(0, word).set(2, address).privileged_as_it_is(of)
    }

    pub(crate) fn privileged_as_it_is(self, of: impl Into<u32>) -> Self {
        self.op(Code::Privileged, Op { n: of.into(), ..Op::default() })
    }

    /// The last `n` operations `times` more.
    pub(crate) fn repeat(self, n: u32, times: u64) -> Self {
        self.op(Code::Loop, Op { n, x: times, ..Op::default() })
    }

    pub(crate) fn spin(self, turns: u64) -> Self {
        self.op(Code::Spin, Op { x: turns, ..Op::default() })
    }

    pub(crate) fn policy(self, policy: Policy) -> Self {
        self.op(Code::Policy, Op { n: policy as u32, ..Op::default() })
    }

    pub(crate) fn window(self, of: &Processor) -> Self {
        self.op(Code::Window, Op { x: of.places.data, ..Op::default() })
    }

    pub(crate) fn report(self, a: u8, c: u8) -> Self {
        self.op(Code::Report, Op { a, c, ..Op::default() })
    }

    pub(crate) fn report_entry(self) -> Self {
        self.op(Code::ReportEntry, Op::default())
    }

    /// Reports vector and address of the last exception, and how many there were.
    pub(crate) fn report_faults(self) -> Self {
        self.op(Code::Faults, Op { a: 12, ..Op::default() }).report(12, 3)
    }

    pub(crate) fn registers(self, seed: u64) -> Self {
        self.op(Code::Registers, Op { x: seed, ..Op::default() })
    }

    /// What the host takes for a module.
    pub(crate) fn module(&self) -> Result<Module, Error> {
        Module::from_bytes(&self.file())
    }

    /// As a corpus file has them: the module.
    pub(crate) fn file(&self) -> Vec<u8> {
        [&HEAD[..], &self.0].concat()
    }

    /// Reads a corpus file.
    pub(crate) fn from_file(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        let orders = bytes.strip_prefix(&HEAD);
        Ok(Self(orders.with_context(|| format!("{}: not orders", path.display()))?.to_vec()))
    }
}

/// The evil guest's image for a processor, with orders for the time before its first call.
pub(crate) fn image(arch: Arch, boot: &Orders) -> Result<GuestImage> {
    let mut file = file(arch).with_context(|| format!("there is no evil guest for {arch}"))?;
    let mark = file.0.windows(BOOT_MARK.len()).position(|window| window == BOOT_MARK);
    let start = mark.context("the image has no place for orders")? + BOOT_MARK.len();
    ensure!(boot.len() <= BOOT_OPS, "more orders than there is room for");
    file.0[start..start + boot.0.len()].copy_from_slice(&boot.0);
    let file: &'static PageAligned<[u8]> = Box::leak(file);
    Ok(GuestImage::new(file)?)
}

//! The library's face: a micro-VM and what is in it.

mod answers;
mod builder;
mod snapshot;

pub use crate::machine::{Exits, Usage};
pub use builder::{Builder, DEFAULT_MAX_MEMORY, DEFAULT_MAX_STACK, STACKS};
pub use snapshot::Snapshot;
pub use wrt_abi::services::ServiceId;
pub use wrt_abi::value::{ValueType, WireValue as Value};

use crate::artifact::Target;
use crate::engine::cache::Turn;
use crate::engine::compiler::Compiler;
use crate::error::{Error, Interruption, VmEnd};
use crate::machine::{Answer, CancelState, Content};
use crate::module::Module;
use crate::placement::{CHUNK_MAX, Done, Guest, Order};
use crate::services::log;
use crate::text;
use crate::world::{WasiConfig, World};
pub(crate) use answers::unlinkable;
use answers::{check_types, malformed, read_type, read_values, refusal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use wrt_abi::mailbox::PAYLOAD_MAX;
use wrt_abi::proposals::Proposals;
use wrt_abi::value::VALUE_SIZE;
use wrt_abi::wire::{Reader, Writer};
use wrt_abi::{Command, EngineKind, Reply};
use wrt_hypervisor::{Gva, Hypervisor};

/// Exports that a module can have: the engine's own limit.
const EXPORTS_MAX: usize = 1_000_000;
/// Functions that are named to people.
const LISTED: usize = 20;
/// Bytes of text that a list of exports may have: more than those of any module that there is.
const EXPORT_TEXT_MAX: usize = 64 << 20;

/// Tells the handles of one VM, between two resets, from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64);

impl Identity {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A module in a VM.
#[derive(Clone, Copy, Debug)]
pub struct LoadedModule {
    number: u64,
    of: Identity,
}

/// An instance in a VM.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    number: u64,
    of: Identity,
}

/// A linear memory in a VM.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    number: u64,
    of: Identity,
}

/// A function in a VM.
#[derive(Clone, Debug)]
pub struct Function {
    number: u64,
    of: Identity,
    ty: FunctionType,
}

impl Function {
    /// Its type.
    pub fn ty(&self) -> &FunctionType {
        &self.ty
    }
}

/// Type of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionType {
    /// Types of its parameters.
    pub params: Vec<ValueType>,
    /// Types of its results.
    pub results: Vec<ValueType>,
}

/// An export of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// `function`, `memory`, `table` or `global`; of a component mostly `instance`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A micro-VM: a VM with a Wasm engine in it, and nothing else.
///
/// A VM may move between threads but serves one call at a time; run one a thread for
/// parallel work. Calls block, and must not be made inside an async runtime.
pub struct MicroVm {
    hypervisor: Box<dyn Hypervisor>,
    target: Target,
    guest: Box<dyn Guest>,
    /// Made when it is needed first.
    compiler: Option<Box<Compiler>>,
    /// Where a module's bytes are in the guest, which has no use for them any more.
    left: Option<u64>,
    /// Whether the guest has answered what makes no sense: it is not asked again.
    over: bool,
    settings: Builder,
    identity: Identity,
    /// Of VMs whose handles are good here, too: those that its guest goes on from.
    inherited: Vec<Identity>,
}

impl MicroVm {
    /// Default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Takes a module into the VM, where it is validated. The native engine runs compiled
    /// modules and components; others it has [compiled](Compiler), in a VM that this one keeps
    /// for it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModule`], [`Error::CannotCompile`]; [`Error::UnusableArtifact`] for
    /// compiled code that does not run here; [`Error::Component`] for a component in the
    /// interpreter; [`Error::Ended`] when the engine runs out of memory.
    pub fn load(&mut self, module: &Module) -> Result<LoadedModule, Error> {
        match (self.settings.engine, module.target()) {
            (EngineKind::Interp, None) if module.is_component() => Err(Error::Component(
                "it is a component, and the interpreter runs core modules only: \
                 the native engine runs components"
                    .to_owned(),
            )),
            (EngineKind::Interp, None) => self.load_bytes(module, Content::Data),
            (EngineKind::Interp, Some(_)) => {
                Err(Error::Engine("the interpreter cannot run compiled code".to_owned()))
            }
            (EngineKind::Native, Some(target)) => {
                target.check_on(self.target)?;
                self.load_bytes(module, module.text().map_or(Content::Code, Content::Known))
            }
            (EngineKind::Native, None) => {
                let compiled = self.compile(module)?;
                self.load_bytes(&compiled, Content::Code)
            }
        }
    }

    /// Finds out which [proposals](Proposals) a core module needs that some engine lacks. The
    /// bytes are looked at inside the VM; nothing of them stays there.
    ///
    /// # Errors
    ///
    /// [`Error::Engine`] in a VM with another engine than the interpreter, which looks.
    pub fn examine(&mut self, module: &Module) -> Result<Proposals, Error> {
        if self.settings.engine != EngineKind::Interp {
            return Err(Error::Engine("the interpreter alone examines modules".to_owned()));
        }
        let address = self.share(module, Content::Data)?;
        let answer = self.command(Command::Examine, &[address, module.len() as u64], &[]);
        let unshared = self.unshare(address);
        let answer = answer?;
        unshared?;
        Ok(Proposals::from_bits(answer.words[0]))
    }

    /// The code of a module, from the cache or from the compiler.
    fn compile(&mut self, module: &Module) -> Result<Module, Error> {
        let known = self.settings.cache.as_ref().and_then(|cache| cache.find(module, self.target));
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        let Self { target, guest, compiler, hypervisor, settings, .. } = self;
        guest.on_host(|call| {
            let turn = settings.cache.as_ref().map(|cache| {
                (cache, cache.turn(module, *target, || call.interruption().is_none()))
            });
            let making = match turn {
                Some((_, Turn::Found(compiled))) => return Ok(compiled),
                Some((cache, Turn::Compile(making))) => Some((cache, making)),
                None => None,
            };
            if let Some(why) = call.interruption() {
                return Err(Error::Interrupted(why));
            }
            let compiler = match compiler {
                Some(compiler) => compiler,
                none => none.insert(Box::new(Compiler::placed(
                    hypervisor.as_ref(),
                    settings.placement.clone(),
                )?)),
            };
            let compiled = compiler.compile_for(module, *target, Some(call))?;
            if let Some((cache, making)) = making {
                match cache.store(&compiled) {
                    Ok(()) => making.done(),
                    // The program runs all the same.
                    Err(error) => tracing::warn!("cannot keep compiled code: {error}"),
                }
            }
            Ok(compiled)
        })
    }

    fn load_bytes(&mut self, module: &Module, content: Content) -> Result<LoadedModule, Error> {
        if let Some(left) = self.left.take() {
            self.unshare(left)?;
        }
        let address = self.share(module, content)?;
        let features = self.target.features.bits();
        let (len, max_memory) = (module.len() as u64, self.settings.max_memory);
        let words = [address, len, max_memory, features, log::wanted(), self.settings.max_stack];
        let answer = self.command(Command::Load, &words, &[]);
        // The interpreter has copied what it needs; code is run where it is. To take the bytes
        // away now would cost the guest all its translations, just as it begins.
        if content == Content::Data || answer.is_err() {
            self.left = Some(address);
        }
        let answer = answer?;
        tracing::info!(bytes = module.len(), "loaded a module");
        Ok(LoadedModule { number: answer.words[0], of: self.identity })
    }

    /// Instantiates a module: links its imports (WASI, `wrt_vec`, `wrt_log`, and registered
    /// instances) and runs its start function. Of a component the imports are those of WASI 0.2.
    ///
    /// What a failed instantiation had made by then counts against the limits until a reset.
    ///
    /// # Errors
    ///
    /// [`Error::Unlinkable`], [`Error::MemoryLimit`], or what the start function does.
    pub fn instantiate(&mut self, module: LoadedModule) -> Result<Instance, Error> {
        self.check(module.of)?;
        let answer = self.command(Command::Instantiate, &[module.number], &[])?;
        Ok(Instance { number: answer.words[0], of: self.identity })
    }

    /// Offers the exports of `instance` to later instantiations, as module `name`.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] for a name.
    pub fn register(&mut self, instance: Instance, name: &str) -> Result<(), Error> {
        self.named(Command::Register, instance, name).map(|_| ())
    }

    /// Finds an exported function.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchExport`].
    pub fn function(&mut self, instance: Instance, name: &str) -> Result<Function, Error> {
        let answer = self.named(Command::FindFunction, instance, name)?;
        let ty = self.judge(read_type(&answer.payload).map_err(malformed))?;
        Ok(Function { number: answer.words[0], of: self.identity, ty })
    }

    /// Calls a function.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`], [`Error::Trap`], [`Error::Exit`], [`Error::Interrupted`],
    /// [`Error::Ended`].
    pub fn call(&mut self, function: &Function, values: &[Value]) -> Result<Vec<Value>, Error> {
        self.check(function.of)?;
        check_types(&function.ty.params, values)?;
        let mut buffer = vec![0; values.len() * VALUE_SIZE];
        let mut writer = Writer::new(&mut buffer);
        for value in values {
            value.write(&mut writer).map_err(malformed)?;
        }
        if buffer.len() > PAYLOAD_MAX {
            return Err(Error::TooLong("more arguments than one call can take".to_owned()));
        }
        let words = [function.number, values.len() as u64];
        let answer = self.command(Command::Call, &words, &buffer)?;
        let results = self.judge(read_values(&answer))?;
        let checked = check_types(&function.ty.results, &results)
            .map_err(|_| malformed("results of other types than the function's"));
        self.judge(checked.map(|()| results))
    }

    /// Runs a program: the function `_start` of a module, or the `run` of `wasi:cli/run` of a
    /// component.
    ///
    /// Components do nothing else here: [`Self::exports`] lists their exports, and what is about
    /// functions, memories and globals is [`Error::Component`]. After a trap in one, no
    /// component runs in this VM before a [reset](Self::reset).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchExport`] for a module, [`Error::Component`] for a component that is no
    /// program; else as [`Self::call`]. A component that says that it failed has left with code
    /// 1: [`Error::Exit`].
    pub fn run(&mut self, instance: Instance) -> Result<(), Error> {
        self.check(instance.of)?;
        self.command(Command::Run, &[instance.number], &[]).map(|_| ())
    }

    /// Finds an exported memory.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchExport`].
    pub fn memory(&mut self, instance: Instance, name: &str) -> Result<Memory, Error> {
        let answer = self.named(Command::FindMemory, instance, name)?;
        Ok(Memory { number: answer.words[0], of: self.identity })
    }

    /// Size of a memory in bytes.
    ///
    /// # Errors
    ///
    /// Only when the VM has ended.
    pub fn memory_size(&mut self, memory: Memory) -> Result<u64, Error> {
        self.locate(memory).map(|(_, len)| len)
    }

    /// Copies bytes out of a memory.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`].
    pub fn read_memory(&mut self, memory: Memory, at: u64, to: &mut [u8]) -> Result<(), Error> {
        let (base, len) = self.locate(memory)?;
        let gva = self.judge(range(base, len, at, to.len()))?;
        for (address, chunk) in addresses(gva).zip(to.chunks_mut(CHUNK_MAX)) {
            let copied = self.guest.obey(Order::Read { address, len: chunk.len() })?.copy_to(chunk);
            self.judge(copied.ok_or_else(nonsense))?;
        }
        Ok(())
    }

    /// Copies bytes into a memory.
    ///
    /// # Errors
    ///
    /// As [`Self::read_memory`].
    pub fn write_memory(&mut self, memory: Memory, at: u64, from: &[u8]) -> Result<(), Error> {
        let (base, len) = self.locate(memory)?;
        let gva = self.judge(range(base, len, at, from.len()))?;
        for (address, chunk) in addresses(gva).zip(from.chunks(CHUNK_MAX)) {
            self.guest.obey(Order::Write { address, bytes: chunk.into() })?;
        }
        Ok(())
    }

    /// Value of an exported global.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchExport`].
    pub fn global(&mut self, instance: Instance, name: &str) -> Result<Value, Error> {
        let answer = self.named(Command::ReadGlobal, instance, name)?;
        let values = self.judge(read_values(&answer))?;
        self.judge(values.first().copied().ok_or_else(|| malformed("a global without a value")))
    }

    /// All exports of an instance.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] when one has a name of 16 KiB or more.
    pub fn exports(&mut self, instance: Instance) -> Result<Vec<Export>, Error> {
        self.check(instance.of)?;
        let listed = self.list_exports(instance);
        self.judge(listed)
    }

    /// Names of the functions that an instance exports, for people: not all, if there are many.
    ///
    /// # Errors
    ///
    /// As [`Self::exports`].
    pub fn function_names(&mut self, instance: Instance) -> Result<String, Error> {
        let exports = self.exports(instance)?.into_iter();
        let functions = exports.filter(|export| export.kind == "function");
        let names: Vec<String> = functions.map(|export| export.name).collect();
        Ok(match names.len() {
            0 => "there are none".to_owned(),
            1..=LISTED => names.join(", "),
            more => format!("{} and {} more", names[..LISTED].join(", "), more - LISTED),
        })
    }

    fn list_exports(&mut self, instance: Instance) -> Result<Vec<Export>, Error> {
        let (mut exports, mut text_len) = (Vec::new(), 0);
        loop {
            let words = [instance.number, exports.len() as u64];
            let answer = self.command(Command::ListExports, &words, &[])?;
            let [listed, total, _] = answer.words;
            let mut reader = Reader::new(&answer.payload);
            // A payload holds few entries, whatever the count says.
            for _ in 0..listed.min(PAYLOAD_MAX as u64) {
                let kind = text::printable_line(reader.bytes().map_err(malformed)?);
                let name = text::printable_line(reader.bytes().map_err(malformed)?);
                text_len += kind.len() + name.len();
                exports.push(Export { kind, name });
            }
            if exports.len() as u64 >= total {
                return Ok(exports);
            }
            if listed == 0 {
                return Err(Error::TooLong("an export has a name too long to list".to_owned()));
            }
            // A guest that is not ours any more could go on for ever.
            if exports.len() > EXPORTS_MAX || text_len > EXPORT_TEXT_MAX {
                return Err(malformed("more exports than a module can have"));
            }
        }
    }

    /// Puts the VM back to where [`Builder::build`] left it: memory and registers are as new,
    /// nothing of what ran before can be found, every handle is void, and there is no
    /// [deadline](Self::set_deadline). Much cheaper than a new VM. A worker that is gone, or does
    /// not answer, is replaced by a new one.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn reset(&mut self) -> Result<(), Error> {
        self.begin_anew();
        let world = World::open(&self.settings.wasi)?;
        self.guest.obey(Order::Reset { world }).map(drop)
    }

    /// Makes every handle void.
    fn begin_anew(&mut self) {
        self.identity = Identity::new();
        self.inherited.clear();
        self.left = None;
        self.over = false;
    }

    /// Changes the WASI world and [resets](Self::reset).
    ///
    /// # Errors
    ///
    /// As [`Self::reset`].
    pub fn reset_with(&mut self, wasi: WasiConfig) -> Result<(), Error> {
        self.settings.wasi = wasi;
        self.reset()
    }

    /// Ends calls that are not done by then, with [`Interruption::TimedOut`]. It holds until it is
    /// set anew, or the VM is [reset](Self::reset) or [restored](Self::restore). A worker that does
    /// not answer soon after it is killed; the VM needs a reset then.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.guest.set_deadline(deadline);
    }

    /// A handle that ends the next call, from any thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        let state = Arc::clone(self.guest.canceller());
        CancelHandle { call: state.current(), state }
    }

    /// Name of the hypervisor that runs it.
    pub fn backend(&self) -> &'static str {
        self.hypervisor.name()
    }

    /// Process id of its worker, if it has one.
    pub fn worker(&self) -> Option<u32> {
        self.guest.whereabouts().worker
    }

    /// What the jail of its worker is worth, in words, if it is in a jailed one.
    pub fn jail(&self) -> Option<&str> {
        self.guest.whereabouts().jail
    }

    /// Process id of the child that has the guest, if there is one.
    pub(crate) fn child(&self) -> Option<u32> {
        self.guest.whereabouts().child
    }

    /// What keeps the guest in, in words.
    pub fn boundary(&self) -> String {
        self.guest.whereabouts().boundary
    }

    /// The engine in it.
    pub fn engine(&self) -> EngineKind {
        self.settings.engine
    }

    /// Times, memory, exits.
    pub fn usage(&self) -> Usage {
        self.guest.usage()
    }

    /// As [`Guest::expect_much`].
    pub(crate) fn expect_much(&mut self) -> bool {
        self.guest.expect_much()
    }

    /// Bytes that the linear memories of programs that are loaded from now on may take.
    pub(crate) fn max_memory(&self) -> u64 {
        self.settings.max_memory
    }

    /// Sets it: at most what the VM was built with.
    pub(crate) fn set_max_memory(&mut self, bytes: u64) {
        self.settings.max_memory = bytes;
    }

    pub(crate) fn cancel_state(&self) -> &Arc<CancelState> {
        self.guest.canceller()
    }

    fn check(&self, of: Identity) -> Result<(), Error> {
        if of == self.identity || self.inherited.contains(&of) {
            return Ok(());
        }
        Err(Error::WrongHandle)
    }

    fn named(&mut self, command: Command, instance: Instance, name: &str) -> Result<Answer, Error> {
        self.check(instance.of)?;
        if name.len() > PAYLOAD_MAX {
            return Err(Error::TooLong("a name longer than any module's".to_owned()));
        }
        self.command(command, &[instance.number, name.len() as u64], name.as_bytes())
    }

    fn locate(&mut self, memory: Memory) -> Result<(u64, u64), Error> {
        self.check(memory.of)?;
        let answer = self.command(Command::LocateMemory, &[memory.number], &[])?;
        Ok((answer.words[0], answer.words[1]))
    }

    /// Has the guest execute a command, and turns its refusals into errors.
    fn command(
        &mut self,
        command: Command,
        words: &[u64],
        payload: &[u8],
    ) -> Result<Answer, Error> {
        if self.over {
            return Err(VmEnd::Earlier.into());
        }
        let order = Order::Command { command, words: words.into(), payload: payload.into() };
        let Done::Answer(answer) = self.guest.obey(order)? else {
            return self.judge(Err(nonsense()));
        };
        tracing::debug!(?command, reply = ?answer.reply, "the guest has answered");
        match answer.reply {
            Reply::Ok => Ok(answer),
            reply => self.judge(Err(refusal(reply, &answer))),
        }
    }

    /// Has the guest read a module's bytes; returns where it does.
    fn share(&mut self, module: &Module, content: Content) -> Result<u64, Error> {
        let bytes = Arc::clone(module.bytes());
        let Done::Shared(address) = self.guest.obey(Order::Share { bytes, content })? else {
            return self.judge(Err(nonsense()));
        };
        Ok(address)
    }

    fn unshare(&mut self, address: u64) -> Result<(), Error> {
        self.guest.obey(Order::Unshare { address }).map(drop)
    }

    /// Passes on what became of an answer; after one that makes no sense the VM has ended.
    fn judge<T>(&mut self, answered: Result<T, Error>) -> Result<T, Error> {
        self.over |= matches!(answered, Err(Error::Ended(_)));
        answered
    }
}

/// Ends one call of a [`MicroVm`] from any thread.
#[derive(Clone)]
pub struct CancelHandle {
    state: Arc<CancelState>,
    call: u64,
}

impl CancelHandle {
    /// Ends the call that was next when this handle was made: it returns
    /// [`Error::Interrupted`]. If it has not begun yet, it ends as it begins; if it is over,
    /// nothing happens, to it or to any other. Says which of the two was the case. A worker that
    /// does not answer soon after it is killed; the VM needs a [reset](MicroVm::reset) then.
    pub fn cancel(&self) -> bool {
        self.state.cancel(self.call, Interruption::Cancelled)
    }

    /// Ends the running call, if there is one, and every later call of the VM as it begins: for a
    /// VM that is of no more use.
    pub fn cancel_all(&self) {
        self.state.cancel_all(Interruption::Cancelled);
    }
}

/// Something else came of an order than comes of such.
fn nonsense() -> Error {
    malformed("an answer to another question")
}

/// Where the chunks of a stretch of guest memory are.
fn addresses(from: Gva) -> impl Iterator<Item = u64> {
    (0..).map(move |number: u64| from.0.wrapping_add(number * CHUNK_MAX as u64))
}

/// Address of `at..at + want` in a memory of `len` bytes at `base`.
fn range(base: u64, len: u64, at: u64, want: usize) -> Result<Gva, Error> {
    match at.checked_add(want as u64) {
        Some(end) if end <= len => {
            Gva(base).checked_add(at).ok_or_else(|| malformed("a memory that wraps"))
        }
        _ => Err(Error::OutOfRange { at, wanted: want, len }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers at which sums wrap, and lengths begin and end.
    fn edges() -> Vec<u64> {
        let near = |middle: u64| (0..5).map(move |step| middle.wrapping_add(step).wrapping_sub(2));
        [0, 1 << 16, 1 << 31, 1 << 32, 1 << 47, 1 << 63].into_iter().flat_map(near).collect()
    }

    #[test]
    fn a_range_is_within_its_memory_or_refused() {
        let edges = edges();
        let each = || edges.iter().copied();
        let cases = each().flat_map(|base| each().map(move |len| (base, len)));
        for (base, len) in cases {
            for (at, want) in each().flat_map(|at| each().map(move |want| (at, want))) {
                let end = u128::from(at) + u128::from(want);
                let address = u128::from(base) + u128::from(at);
                let fits = end <= u128::from(len) && u64::try_from(address).is_ok();
                let want = usize::try_from(want).expect("as wide, where there are VMs");
                match range(base, len, at, want) {
                    Ok(gva) => assert!(fits && u128::from(gva.0) == address),
                    Err(_) => assert!(!fits, "{base:#x} {len:#x} {at:#x} {want:#x}"),
                }
            }
        }
    }
}

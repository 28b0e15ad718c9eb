//! wasmi as the guest kernel configures it (guest/src/engine/interp), behind two C functions.

use wasmi::{
    CompilationMode, Config, Engine, Extern, ExternType, Func, Instance, Linker, Module, Store, Val,
};

/// An instance of a module.
pub struct Reference {
    store: Store<()>,
    instance: Instance,
}

impl Reference {
    fn new(wasm: &[u8]) -> Result<Self, wasmi::Error> {
        let mut config = Config::default();
        config
            .wasm_multi_memory(true)
            .wasm_memory64(true)
            .wasm_custom_page_sizes(true)
            .wasm_wide_arithmetic(true)
            .wasm_tail_call(true)
            .wasm_extended_const(true)
            .wasm_simd(true)
            .wasm_relaxed_simd(true)
            .set_max_recursion_depth(65_536)
            .set_max_stack_height(8 << 20)
            .compilation_mode(CompilationMode::LazyTranslation);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, wasm)?;
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        // What `std` imports for its panics; kernels do not call it.
        for import in module.imports() {
            if let ExternType::Func(ty) = import.ty() {
                let trap = Func::new(&mut store, ty.clone(), |_, _, _| {
                    Err(wasmi::Error::new("a kernel called the host"))
                });
                let _ = linker.define(import.module(), import.name(), Extern::Func(trap));
            }
        }
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        Ok(Self { store, instance })
    }

    fn call(&mut self, name: &str, size: u32) -> Option<u32> {
        let function = self.instance.get_func(&self.store, name)?;
        let mut results = [Val::I32(0)];
        let size = Val::I32(size.cast_signed());
        function.call(&mut self.store, &[size], &mut results).ok()?;
        results[0].i32().map(i32::cast_unsigned)
    }
}

/// Makes an instance; null when that fails.
///
/// # Safety
///
/// `len` bytes at `wasm` are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reference_new(wasm: *const u8, len: usize) -> *mut Reference {
    // SAFETY: the caller's promise.
    let wasm = unsafe { std::slice::from_raw_parts(wasm, len) };
    Reference::new(wasm).map_or(std::ptr::null_mut(), |made| Box::into_raw(Box::new(made)))
}

/// Calls a kernel; `u64::MAX` when that fails.
///
/// # Safety
///
/// 1. `reference` is from [`reference_new`] and used by this thread alone.
/// 2. `len` bytes of UTF-8 at `name` are readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reference_call(
    reference: *mut Reference,
    name: *const u8,
    len: usize,
    size: u32,
) -> u64 {
    // SAFETY: the caller's promise.
    let (reference, name) = unsafe { (&mut *reference, std::slice::from_raw_parts(name, len)) };
    let result = std::str::from_utf8(name).ok().and_then(|name| reference.call(name, size));
    result.map_or(u64::MAX, u64::from)
}

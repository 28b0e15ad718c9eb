//! What the host has loaded: modules and components.

use core::ptr::NonNull;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled, Result};

/// A compiled program, or a part of one.
pub enum Program {
    /// A core module.
    Module(Module),
    /// A component, with the core modules in it.
    Component(Component),
}

impl Program {
    /// Takes an artefact of either kind.
    ///
    /// # Safety
    ///
    /// The bytes stay as long as the program, and nobody writes them.
    pub unsafe fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Self> {
        let artefact = NonNull::from(bytes);
        // SAFETY: the caller's promise. That the bytes are what the compiler made cannot be
        // known: were they not, this VM would run code of the program's author, which is what
        // its walls are for.
        unsafe {
            match Engine::detect_precompiled(bytes) {
                Some(Precompiled::Component) => {
                    Component::deserialize_raw(engine, artefact).map(Self::Component)
                }
                // What is neither is refused by its name there.
                Some(Precompiled::Module) | None => {
                    Module::deserialize_raw(engine, artefact).map(Self::Module)
                }
            }
        }
    }

    /// Whether a module's code is in this program's artefact.
    pub fn contains(&self, module: &Module) -> bool {
        let image = match self {
            Self::Module(module) => module.image_range(),
            Self::Component(component) => component.image_range(),
        };
        image == module.image_range()
    }
}

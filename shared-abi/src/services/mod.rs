//! What a guest may ask of its host besides memory: services, a table each.
//!
//! A program imports a service's functions from the service's modules. Each call is one
//! [`Call::Service`](crate::Call::Service), over the memory that the caller exports as `memory`.
//! What links, counts, names and tries functions follows from the tables.
//!
//! # Adding a service
//!
//! 1. Its table is a file of this folder, with a line in the list below. The place in the list is
//!    its number, so the line goes to the end. Other sides know nothing of it and need not: to change
//!    what there is already, raise [`ABI_VERSION`](crate::ABI_VERSION).
//! 2. What serves it is a file or folder in `host/src/services`, and a field of `Services` there.
//! 3. `README.md` says what there is.

pub mod log;
pub mod vector;
pub mod wasi;

use crate::UnknownNumber;
use crate::mailbox::REQUEST_ARGS;
use crate::value::ValueType;

macro_rules! services {
    ($( $(#[$doc:meta])* $id:ident = $module:ident; )*) => {
        /// A service. Its number is its place in [`ServiceId::ALL`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum ServiceId { $( $(#[$doc])* $id, )* }

        impl ServiceId {
            /// Every service; the order is the ABI.
            pub const ALL: &'static [Self] = &[$( Self::$id, )*];

            /// What it offers.
            pub const fn table(self) -> &'static Table {
                match self { $( Self::$id => &$module::TABLE, )* }
            }
        }
    };
}

services! {
    /// WASI, in two versions.
    Wasi = wasi;
    /// Lines for the host's log.
    Log = log;
    /// Operations on vectors and matrices.
    Vector = vector;
}

/// What a service offers to programs.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The service's name, in counts and traces.
    pub name: &'static str,
    /// Import modules with its functions: the first, and other versions of it.
    pub modules: &'static [Module],
}

/// An import module.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// The name that programs import it by.
    pub name: &'static str,
    /// Its functions; the order is the ABI.
    pub functions: &'static [Function],
}

/// One function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Import name.
    pub name: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// Type of its result, if it has one.
    pub result: Option<ValueType>,
}

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// An offset, a length or a count, unsigned: `i32` or, all of one import, `i64`. The import
    /// says which, as the memory is.
    Size,
    /// This type.
    Of(ValueType),
}

impl Param {
    const I32: Self = Self::Of(ValueType::I32);
    const I64: Self = Self::Of(ValueType::I64);
    const F32: Self = Self::Of(ValueType::F32);
    const F64: Self = Self::Of(ValueType::F64);
}

impl Function {
    /// The first parameter whose type depends on the memory.
    pub fn first_size(&self) -> Option<usize> {
        self.params.iter().position(|param| *param == Param::Size)
    }

    /// Types of its parameters, where those of sizes are `size`.
    pub fn param_types(&self, size: ValueType) -> impl ExactSizeIterator<Item = ValueType> {
        self.params.iter().map(move |param| match param {
            Param::Size => size,
            Param::Of(ty) => *ty,
        })
    }
}

/// The functions of a service: the list [`FUNCTIONS`](wasi::FUNCTIONS), and a number for each.
macro_rules! functions {
    ($service:ident: $( $id:ident = $name:literal ( $($param:ident),* ) $(-> $result:ident)? ; )*) => {
        /// A function, by its place in [`FUNCTIONS`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "the service's documentation has them")]
        pub enum FunctionId { $( $id, )* }

        /// Every function; the order is the ABI.
        pub const FUNCTIONS: &[$crate::services::Function] = &[$(
            $crate::services::Function {
                name: $name,
                params: &[$( $crate::services::Param::$param ),*],
                result: $crate::services::functions!(@result $($result)?),
            },
        )*];

        impl FunctionId {
            const ALL: &'static [Self] = &[$( Self::$id, )*];

            /// The function that is imported, if it is one of these.
            pub fn of(import: $crate::services::Import) -> Option<Self> {
                let function = Self::ALL.get(usize::from(import.function))?;
                (import.service == $crate::services::ServiceId::$service).then_some(*function)
            }

            /// Its import from the service's first module.
            pub const fn import(self) -> $crate::services::Import {
                let service = $crate::services::ServiceId::$service;
                $crate::services::Import { service, module: 0, function: self as u16 }
            }

            /// The name that programs import it by.
            pub fn name(self) -> &'static str {
                FUNCTIONS[self as usize].name
            }
        }
    };
    (@result $result:ident) => { Some($crate::value::ValueType::$result) };
    (@result) => { None };
}
use functions;

/// A function as a program imports it: of a service, from one of the service's modules.
///
/// As a word, the first of a [`Call::Service`](crate::Call::Service), it is the service's number in
/// the upper half, and in the lower one the module's and the function's place, 16 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    service: ServiceId,
    module: u16,
    function: u16,
}

impl Import {
    /// What a program names by an import, if a service has it.
    pub fn find(module: &str, name: &str) -> Option<Self> {
        for service in ServiceId::ALL {
            for (offered, number) in service.table().modules.iter().zip(0..) {
                if offered.name == module {
                    let mut functions = offered.functions.iter().zip(0..);
                    let (_, function) = functions.find(|(function, _)| function.name == name)?;
                    return Some(Self { service: *service, module: number, function });
                }
            }
        }
        None
    }

    /// Every function of every service, as it is imported from the service's first module.
    pub fn all() -> impl Iterator<Item = Self> {
        let services = ServiceId::ALL.iter();
        services.flat_map(|service| service.imports().filter(|import| import.module == 0))
    }

    /// The word that the host knows it by.
    pub const fn word(self) -> u64 {
        word(self.service as u32, self.module, self.function)
    }

    /// The service that has it.
    pub fn service(self) -> ServiceId {
        self.service
    }

    /// Place of its module in the service's table.
    pub fn version(self) -> u16 {
        self.module
    }

    /// The module that it is imported from.
    pub fn module(self) -> &'static Module {
        &self.service.table().modules[usize::from(self.module)]
    }

    /// Its name and types.
    pub fn function(self) -> &'static Function {
        &self.module().functions[usize::from(self.function)]
    }
}

impl ServiceId {
    /// Every function, from each of its modules.
    pub fn imports(self) -> impl Iterator<Item = Import> {
        let modules = self.table().modules.iter().zip(0..);
        modules.flat_map(move |(offered, module)| {
            let functions = (0..).take(offered.functions.len());
            functions.map(move |function| Import { service: self, module, function })
        })
    }
}

/// The word of an import, which there may be or not.
pub const fn word(service: u32, module: u16, function: u16) -> u64 {
    (service as u64) << 32 | (module as u64) << 16 | function as u64
}

impl TryFrom<u64> for Import {
    type Error = UnknownNumber;

    #[expect(clippy::cast_possible_truncation, reason = "each part has its bits")]
    fn try_from(number: u64) -> Result<Self, UnknownNumber> {
        let (service, module, function) = (number >> 32, (number >> 16) as u16, number as u16);
        let found = || {
            let service = *ServiceId::ALL.get(usize::try_from(service).ok()?)?;
            let offered = service.table().modules.get(usize::from(module))?;
            offered.functions.get(usize::from(function))?;
            Some(Self { service, module, function })
        };
        found().ok_or(UnknownNumber { set: "Import", number })
    }
}

/// Words before a function's own arguments: which it is, memory address and length.
pub const FIRST_ARGUMENT: usize = 3;

/// Words of a function's arguments. An `i32` travels in the low half of its word, a float as its
/// bits; words that a function has no parameter for are zero.
pub type Arguments = [u64; REQUEST_ARGS - FIRST_ARGUMENT];

const _: () = {
    let mut service = 0;
    while service < ServiceId::ALL.len() {
        let modules = ServiceId::ALL[service].table().modules;
        let mut module = 0;
        while module < modules.len() {
            let functions = modules[module].functions;
            assert!(functions.len() <= u16::MAX as usize);
            let mut function = 0;
            while function < functions.len() {
                assert!(functions[function].params.len() + FIRST_ARGUMENT <= REQUEST_ARGS);
                function += 1;
            }
            module += 1;
        }
        service += 1;
    }
};

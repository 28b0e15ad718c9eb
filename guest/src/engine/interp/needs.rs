//! Which [proposals](wrt_abi::proposals) a module needs.
//!
//! Every section and every instruction is looked at, since each may be the only one that needs a
//! proposal. Nothing is validated: that is the engine's part.

use wasmparser::{
    AbstractHeapType, BinaryReaderError, BlockType, BrTable, CompositeInnerType, ConstExpr,
    DataKind, ElementItems, ElementKind, FunctionBody, GlobalType, HeapType, Ieee32, Ieee64,
    MemArg, MemoryType, Operator, Ordering, Parser, Payload, RecGroup, RefType, ResumeTable,
    StorageType, SubType, TableInit, TableType, TryTable, TypeRef, V128, ValType, Validator,
    VisitOperator, VisitSimdOperator, WasmFeatures,
};
use wrt_abi::proposals::{Proposal, Proposals};

/// The proposals that `module` needs, as far as its bytes make sense.
pub fn of(module: &[u8]) -> Proposals {
    let mut needs = Needs { found: Proposals::NONE, imported_globals: 0 };
    // What precedes the damage of a damaged module counts; a validator says the rest.
    let _ = needs.look_at(module);
    needs.found
}

/// Whether `module` is valid where every proposal is supported.
pub fn validate(module: &[u8]) -> Result<(), BinaryReaderError> {
    Validator::new_with_features(WasmFeatures::all()).validate_all(module).map(|_| ())
}

struct Needs {
    found: Proposals,
    /// Globals that the module imports: constants may read no others without [`Proposal::Gc`].
    imported_globals: u32,
}

type Looked = Result<(), BinaryReaderError>;

impl Needs {
    fn add(&mut self, proposal: Proposal) {
        self.found = self.found.with(proposal);
    }

    fn add_if(&mut self, needed: bool, proposal: Proposal) {
        if needed {
            self.add(proposal);
        }
    }

    fn look_at(&mut self, module: &[u8]) -> Looked {
        for payload in Parser::new(0).parse_all(module) {
            self.payload(payload?)?;
        }
        Ok(())
    }

    fn payload(&mut self, payload: Payload<'_>) -> Looked {
        match payload {
            Payload::TypeSection(groups) => {
                groups.into_iter().try_for_each(|group| group.map(|group| self.group(&group)))
            }
            Payload::ImportSection(imports) => imports
                .into_iter()
                .try_for_each(|import| import.map(|import| self.import(import.ty))),
            Payload::TableSection(tables) => tables.into_iter().try_for_each(|table| {
                let table = table?;
                self.table(table.ty);
                match table.init {
                    TableInit::RefNull => Ok(()),
                    TableInit::Expr(init) => {
                        self.add(Proposal::FunctionReferences);
                        self.constant(&init)
                    }
                }
            }),
            Payload::MemorySection(memories) => {
                memories.into_iter().try_for_each(|memory| memory.map(|memory| self.memory(memory)))
            }
            Payload::TagSection(_) => {
                self.add(Proposal::Exceptions);
                Ok(())
            }
            Payload::GlobalSection(globals) => globals.into_iter().try_for_each(|global| {
                let global = global?;
                self.global(global.ty);
                self.constant(&global.init_expr)
            }),
            Payload::ElementSection(elements) => elements.into_iter().try_for_each(|element| {
                let element = element?;
                if let ElementKind::Active { offset_expr, .. } = &element.kind {
                    self.constant(offset_expr)?;
                }
                match element.items {
                    ElementItems::Functions(_) => Ok(()),
                    ElementItems::Expressions(ty, items) => {
                        self.reference(ty);
                        items.into_iter().try_for_each(|item| self.constant(&item?))
                    }
                }
            }),
            Payload::DataSection(data) => data.into_iter().try_for_each(|data| match data?.kind {
                DataKind::Passive => Ok(()),
                DataKind::Active { offset_expr, .. } => self.constant(&offset_expr),
            }),
            Payload::CodeSectionEntry(body) => self.body(&body),
            _ => Ok(()),
        }
    }

    fn group(&mut self, group: &RecGroup) {
        self.add_if(group.is_explicit_rec_group(), Proposal::Gc);
        for ty in group.types() {
            self.subtype(ty);
        }
    }

    fn subtype(&mut self, ty: &SubType) {
        self.add_if(!ty.is_final || ty.supertype_idx.is_some(), Proposal::Gc);
        self.add_if(ty.composite_type.shared, Proposal::SharedEverythingThreads);
        match &ty.composite_type.inner {
            CompositeInnerType::Func(func) => {
                func.params().iter().chain(func.results()).for_each(|&ty| self.value(ty));
            }
            CompositeInnerType::Array(array) => {
                self.add(Proposal::Gc);
                self.storage(array.0.element_type);
            }
            CompositeInnerType::Struct(structure) => {
                self.add(Proposal::Gc);
                structure.fields.iter().for_each(|field| self.storage(field.element_type));
            }
            CompositeInnerType::Cont(_) => self.add(Proposal::StackSwitching),
        }
    }

    fn import(&mut self, ty: TypeRef) {
        match ty {
            TypeRef::Func(_) => {}
            TypeRef::Table(table) => self.table(table),
            TypeRef::Memory(memory) => self.memory(memory),
            TypeRef::Global(global) => {
                self.imported_globals += 1;
                self.global(global);
            }
            TypeRef::Tag(_) => self.add(Proposal::Exceptions),
        }
    }

    fn table(&mut self, table: TableType) {
        self.add_if(table.shared, Proposal::SharedEverythingThreads);
        self.reference(table.element_type);
    }

    fn memory(&mut self, memory: MemoryType) {
        self.add_if(memory.shared, Proposal::Threads);
    }

    fn global(&mut self, global: GlobalType) {
        self.add_if(global.shared, Proposal::SharedEverythingThreads);
        self.value(global.content_type);
    }

    fn storage(&mut self, ty: StorageType) {
        if let StorageType::Val(ty) = ty {
            self.value(ty);
        }
    }

    fn value(&mut self, ty: ValType) {
        if let ValType::Ref(ty) = ty {
            self.reference(ty);
        }
    }

    fn reference(&mut self, ty: RefType) {
        self.add_if(!ty.is_nullable(), Proposal::FunctionReferences);
        self.heap_type(ty.heap_type());
    }

    fn heap_type(&mut self, ty: HeapType) {
        match ty {
            HeapType::Concrete(_) => self.add(Proposal::FunctionReferences),
            HeapType::Abstract { shared, ty } => {
                self.add_if(shared, Proposal::SharedEverythingThreads);
                match ty {
                    AbstractHeapType::Func | AbstractHeapType::Extern => {}
                    AbstractHeapType::Exn | AbstractHeapType::NoExn => {
                        self.add(Proposal::Exceptions);
                    }
                    AbstractHeapType::Cont | AbstractHeapType::NoCont => {
                        self.add(Proposal::StackSwitching);
                    }
                    _ => self.add(Proposal::Gc),
                }
            }
        }
    }

    fn constant(&mut self, expression: &ConstExpr<'_>) -> Looked {
        let mut operators = expression.get_operators_reader();
        while !operators.eof() {
            let operator = operators.read()?;
            if let Operator::GlobalGet { global_index } = operator {
                self.add_if(global_index >= self.imported_globals, Proposal::Gc);
            }
            self.visit_operator(&operator);
        }
        Ok(())
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Looked {
        for local in body.get_locals_reader()? {
            self.value(local?.1);
        }
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            operators.visit_operator(self)?;
        }
        Ok(())
    }
}

/// An immediate of an instruction, which may mention a type.
trait Immediate {
    fn mention(&self, _needs: &mut Needs) {}
}

macro_rules! no_types_in {
    ($($ty:ty),*) => { $( impl Immediate for $ty {} )* };
}

no_types_in!(u8, u32, i32, i64, [u8; 16], Ieee32, Ieee64, V128, MemArg, Ordering, BrTable<'_>);
no_types_in!(ResumeTable);

impl Immediate for ValType {
    fn mention(&self, needs: &mut Needs) {
        needs.value(*self);
    }
}

impl Immediate for RefType {
    fn mention(&self, needs: &mut Needs) {
        needs.reference(*self);
    }
}

impl Immediate for HeapType {
    fn mention(&self, needs: &mut Needs) {
        needs.heap_type(*self);
    }
}

impl Immediate for BlockType {
    fn mention(&self, needs: &mut Needs) {
        if let Self::Type(ty) = self {
            needs.value(*ty);
        }
    }
}

impl Immediate for TryTable {
    fn mention(&self, needs: &mut Needs) {
        self.ty.mention(needs);
    }
}

/// What an instruction of one of wasmparser's groups needs.
macro_rules! needed_by {
    (gc, $needs:expr) => {
        $needs.add(Proposal::Gc)
    };
    (exceptions, $needs:expr) => {
        $needs.add(Proposal::Exceptions)
    };
    (legacy_exceptions, $needs:expr) => {
        $needs.add(Proposal::LegacyExceptions)
    };
    (function_references, $needs:expr) => {
        $needs.add(Proposal::FunctionReferences)
    };
    (threads, $needs:expr) => {
        $needs.add(Proposal::Threads)
    };
    (shared_everything_threads, $needs:expr) => {
        $needs.add(Proposal::SharedEverythingThreads)
    };
    (stack_switching, $needs:expr) => {
        $needs.add(Proposal::StackSwitching)
    };
    (memory_control, $needs:expr) => {
        $needs.add(Proposal::MemoryControl)
    };
    ($($supported:tt)*) => {};
}

macro_rules! look_at_operators {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
        $( fn $visit(&mut self $($(, $arg: $argty)*)?) {
            $( $( $arg.mention(self); )* )?
            needed_by!($proposal, self);
        } )*
    };
}

impl<'a> VisitOperator<'a> for Needs {
    type Output = ();

    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = ()>> {
        Some(self)
    }

    wasmparser::for_each_visit_operator!(look_at_operators);
}

impl VisitSimdOperator<'_> for Needs {
    wasmparser::for_each_visit_simd_operator!(look_at_operators);
}

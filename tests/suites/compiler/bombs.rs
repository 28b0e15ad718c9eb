//! Modules that are small to write and large to compile.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, InstructionSink,
    MemorySection, MemoryType, Module, NameMap, NameSection, RefType, TableSection, TableType,
    TypeSection, ValType,
};

/// A module of sections, which begin empty.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) types: TypeSection,
    pub(crate) functions: FunctionSection,
    pub(crate) tables: TableSection,
    pub(crate) memories: MemorySection,
    pub(crate) globals: GlobalSection,
    pub(crate) exports: ExportSection,
    pub(crate) elements: ElementSection,
    pub(crate) code: CodeSection,
    pub(crate) data: DataSection,
    pub(crate) names: NameSection,
}

impl Parts {
    /// Parts with type 0, from an `i32` to an `i32`.
    fn new() -> Self {
        let mut parts = Self::default();
        parts.types.ty().function([ValType::I32], [ValType::I32]);
        parts
    }

    /// Adds a function of type 0.
    fn function(&mut self, locals: &[(u32, ValType)], body: impl FnOnce(&mut InstructionSink<'_>)) {
        self.functions.function(0);
        let mut function = Function::new(locals.iter().copied());
        let mut code = function.instructions();
        body(&mut code);
        code.end();
        self.code.function(&function);
    }

    fn finish(&self) -> Vec<u8> {
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.functions)
            .section(&self.tables)
            .section(&self.memories)
            .section(&self.globals)
            .section(&self.exports)
            .section(&self.elements)
            .section(&self.code)
            .section(&self.data)
            .section(&self.names);
        module.finish()
    }
}

/// A module of one function of type 0.
fn one_function(locals: &[(u32, ValType)], body: impl FnOnce(&mut InstructionSink<'_>)) -> Vec<u8> {
    let mut parts = Parts::new();
    parts.function(locals, body);
    parts.finish()
}

/// Blocks in blocks.
pub(crate) fn nested_blocks(depth: u32) -> Vec<u8> {
    one_function(&[], |code| {
        for _ in 0..depth {
            code.block(BlockType::Empty);
        }
        for _ in 0..depth {
            code.end();
        }
        code.local_get(0);
    })
}

/// Loops in loops, each of which may be left for any of those around it.
pub(crate) fn nested_loops(depth: u32) -> Vec<u8> {
    one_function(&[], |code| {
        for _ in 0..depth {
            code.loop_(BlockType::Empty);
        }
        for level in 0..depth {
            code.local_get(0).br_if(depth - level - 1).end();
        }
        code.local_get(0);
    })
}

/// Branches in branches.
pub(crate) fn nested_ifs(depth: u32) -> Vec<u8> {
    one_function(&[], |code| {
        for _ in 0..depth {
            code.local_get(0).if_(BlockType::Empty);
        }
        for _ in 0..depth {
            code.else_().end();
        }
        code.local_get(0);
    })
}

/// An expression of so many operands, all of which wait for the last.
pub(crate) fn deep_expression(operands: u32) -> Vec<u8> {
    one_function(&[], |code| {
        for _ in 0..operands {
            code.local_get(0);
        }
        for _ in 1..operands {
            code.i32_add();
        }
    })
}

/// One function of so many steps, in a straight line.
pub(crate) fn long_function(steps: u32) -> Vec<u8> {
    one_function(&[], |code| {
        for step in 0..steps {
            code.local_get(0).i32_const(step.cast_signed() & 0x3f).i32_xor().local_set(0);
        }
        code.local_get(0);
    })
}

/// So many locals, each of which is used.
pub(crate) fn many_locals(count: u32) -> Vec<u8> {
    one_function(&[(count - 1, ValType::I32)], |code| {
        code.loop_(BlockType::Empty);
        for local in 1..count {
            code.local_get(local - 1).local_get(local).i32_add().local_set(local);
        }
        code.local_get(count - 1).br_if(0).end().local_get(count - 1);
    })
}

/// A loop with so many variables and so many ways back to its begin. Each way carries the values
/// of all variables: the code grows with the product.
pub(crate) fn carried_values(variables: u32, ways: u32) -> Vec<u8> {
    one_function(&[(variables, ValType::I32)], |code| {
        code.loop_(BlockType::Empty);
        for way in 0..ways {
            let local = 1 + way % variables;
            code.local_get(local).local_get(0).i32_add().local_tee(local).br_if(0);
        }
        for local in 1..=variables {
            code.local_get(local).local_get(0).i32_xor().local_set(local);
        }
        code.local_get(1).br_if(0).end().local_get(variables);
    })
}

/// So many tables of so many branches.
pub(crate) fn branch_tables(tables: u32, branches: u32) -> Vec<u8> {
    one_function(&[], |code| {
        let targets: Vec<u32> = (0..branches).map(|n| n % 2).collect();
        code.block(BlockType::Empty).block(BlockType::Empty);
        for _ in 0..tables {
            code.block(BlockType::Empty).local_get(0).br_table(targets.iter().copied(), 0).end();
        }
        code.end().end().local_get(0);
    })
}

/// So many functions, each of which calls another.
pub(crate) fn many_functions(count: u32) -> Vec<u8> {
    let mut parts = Parts::new();
    for number in 0..count {
        parts.function(&[], |code| {
            code.local_get(0).call((number + 1) % count);
        });
    }
    parts.finish()
}

/// So many types, all different.
pub(crate) fn many_types(count: u32) -> Vec<u8> {
    const TYPES: [ValType; 4] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
    let mut parts = Parts::new();
    for number in 0..count {
        let params = (0..11).map(|digit| TYPES[(number >> (2 * digit)) as usize % 4]);
        parts.types.ty().function(params, []);
    }
    parts.function(&[], |code| {
        code.local_get(0);
    });
    parts.finish()
}

/// So many globals, all exported.
pub(crate) fn many_globals(count: u32) -> Vec<u8> {
    let mut parts = Parts::new();
    let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
    for number in 0..count {
        parts.globals.global(ty, &ConstExpr::i64_const(number.into()));
        parts.exports.export(&format!("{number}"), ExportKind::Global, number);
    }
    parts.function(&[], |code| {
        code.local_get(0);
    });
    parts.finish()
}

/// A table with so many elements, all given.
pub(crate) fn many_elements(count: u32) -> Vec<u8> {
    let mut parts = Parts::new();
    parts.tables.table(TableType {
        element_type: RefType::FUNCREF,
        minimum: count.into(),
        maximum: None,
        table64: false,
        shared: false,
    });
    let functions = vec![0; count as usize];
    let offset = ConstExpr::i32_const(0);
    parts.elements.active(Some(0), &offset, Elements::Functions(functions.into()));
    parts.function(&[], |code| {
        code.local_get(0);
    });
    parts.finish()
}

/// A memory of 4 GiB with something at both of its ends: an image of it would be as large.
pub(crate) fn scattered_data() -> Vec<u8> {
    let mut parts = Parts::new();
    parts.memories.memory(MemoryType {
        minimum: 1 << 16,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    for offset in [0, i32::MAX, -1] {
        parts.data.active(0, &ConstExpr::i32_const(offset), *b"x");
    }
    parts.function(&[], |code| {
        code.local_get(0);
    });
    parts.finish()
}

/// So many segments, each of so many bytes.
pub(crate) fn many_segments(count: u32, len: usize) -> Vec<u8> {
    let mut parts = Parts::new();
    parts.memories.memory(MemoryType {
        minimum: 100,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    for _ in 0..count {
        parts.data.active(0, &ConstExpr::i32_const(0), vec![7; len]);
    }
    parts.function(&[], |code| {
        code.local_get(0);
    });
    parts.finish()
}

/// So many names of so many bytes each: of exports, and of functions in the `name` section.
pub(crate) fn long_names(count: u32, len: usize) -> Vec<u8> {
    let mut parts = Parts::new();
    let mut names = NameMap::new();
    for number in 0..count {
        let name = format!("{number:05}{}", "x".repeat(len - 5));
        parts.exports.export(&name, ExportKind::Func, number);
        names.append(number, &name);
        parts.function(&[], |code| {
            code.local_get(0);
        });
    }
    parts.names.functions(&names);
    parts.finish()
}

/// A body that is not what its type says, behind so many that are.
pub(crate) fn invalid_at_the_end(count: u32) -> Vec<u8> {
    let mut parts = Parts::new();
    for number in 0..=count {
        parts.function(&[], |code| {
            match number == count {
                true => code.f64_const(1.0.into()),
                false => code.local_get(0),
            };
        });
    }
    parts.finish()
}

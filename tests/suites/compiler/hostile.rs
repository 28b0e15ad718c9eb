//! A module is compiled, or it is an error of that module alone.

use crate::bombs;
use crate::{compiler, run, setups};
use std::time::{Duration, Instant};
use wrt_vm::{Error, Module, Value};

/// What a module may take that is to be compiled: no machine is so slow.
const ENOUGH: Duration = Duration::from_secs(300);
/// What one may take that is likely to be given up.
const LITTLE: Duration = Duration::from_secs(5);
/// Memory of the compiler's VM, at most: what the compiler may have, and its engine.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 3 << 30;

/// What becomes of a module.
#[derive(Clone, Copy, Debug)]
enum End {
    Compiled,
    Invalid,
    /// At one of the compiler's limits, or before: how far it gets is the machine's to say.
    CompiledOrGivenUp,
}
use End::{Compiled, CompiledOrGivenUp, Invalid};

type Bomb = (&'static str, End, fn() -> Vec<u8>);

const BOMBS: &[Bomb] = &[
    ("100,000 blocks deep", Compiled, || bombs::nested_blocks(100_000)),
    ("3,000 loops deep", CompiledOrGivenUp, || bombs::nested_loops(3_000)),
    ("100,000 loops deep", CompiledOrGivenUp, || bombs::nested_loops(100_000)),
    ("20,000 branches deep", CompiledOrGivenUp, || bombs::nested_ifs(20_000)),
    ("100,000 operands", Compiled, || bombs::deep_expression(100_000)),
    ("2,000,000 operands", CompiledOrGivenUp, || bombs::deep_expression(2_000_000)),
    ("200,000 steps", Compiled, || bombs::long_function(200_000)),
    ("1,000 locals", Compiled, || bombs::many_locals(1_000)),
    ("50,000 locals", CompiledOrGivenUp, || bombs::many_locals(50_000)),
    ("more locals than can be", Invalid, || bombs::many_locals(50_002)),
    ("a function too long", Invalid, || bombs::long_function(1_500_000)),
    ("10,000 values carried 5,000 ways", CompiledOrGivenUp, || {
        bombs::carried_values(10_000, 5_000)
    }),
    ("a table of 1,000,000 branches", CompiledOrGivenUp, || bombs::branch_tables(1, 1_000_000)),
    ("1,000 tables of 1,000 branches", CompiledOrGivenUp, || bombs::branch_tables(1_000, 1_000)),
    ("20,000 functions", CompiledOrGivenUp, || bombs::many_functions(20_000)),
    ("1,000,000 functions", CompiledOrGivenUp, || bombs::many_functions(1_000_000)),
    ("900,000 types", CompiledOrGivenUp, || bombs::many_types(900_000)),
    ("1,100,000 types", Invalid, || bombs::many_types(1_100_000)),
    ("900,000 globals", CompiledOrGivenUp, || bombs::many_globals(900_000)),
    ("5,000,000 elements", CompiledOrGivenUp, || bombs::many_elements(5_000_000)),
    ("data at both ends of 4 GiB", Compiled, bombs::scattered_data),
    ("90,000 segments", Compiled, || bombs::many_segments(90_000, 100)),
    ("64 MiB of data", Compiled, || bombs::many_segments(16, 4 << 20)),
    ("500 long names", Compiled, || bombs::long_names(500, 99_000)),
    ("a name too long", Invalid, || bombs::long_names(1, 100_001)),
    ("one of 5,000 functions is invalid", Invalid, || bombs::invalid_at_the_end(5_000)),
];

#[test]
fn a_hostile_module_ends_in_code_or_in_an_error_of_its_own() {
    let good = Module::from_text(r#"(module (func (export "f") (result i32) (i32.const 42)))"#);
    let good = good.unwrap();
    for setup in setups() {
        let mut compiler = compiler(setup);
        let mut vm = setup.vm();
        let target = compiler.machine();
        let expected = compiler.compile(&good, target).unwrap();
        for (name, end, bytes) in BOMBS {
            let module = Module::from_bytes(&bytes()).unwrap();
            compiler = compiler.time_limit(match end {
                Compiled | Invalid => ENOUGH,
                CompiledOrGivenUp => LITTLE,
            });
            let started = Instant::now();
            let result = compiler.compile(&module, target);
            println!(
                "{setup}: {name}: {:.1?}, {}",
                started.elapsed(),
                match &result {
                    Ok(code) => format!("{} bytes of {}", code.len(), module.len()),
                    Err(error) => error.to_string(),
                }
            );
            match (end, &result) {
                (Compiled | CompiledOrGivenUp, Ok(_))
                | (Invalid, Err(Error::InvalidModule { .. }))
                | (CompiledOrGivenUp, Err(Error::CannotCompile { .. })) => {}
                (_, other) => panic!("{setup}: {name}: {other:?}"),
            }
            drop(result);
            compiler = compiler.time_limit(ENOUGH);
            let again = compiler.compile(&good, target);
            let again = again.unwrap_or_else(|error| panic!("{setup}: after {name}: {error}"));
            assert!(again.as_slice() == expected.as_slice(), "{setup}: after {name}");
            assert_eq!(run(&mut vm, &again).unwrap(), [Value::I32(42)], "{setup}: after {name}");
            #[cfg(target_os = "linux")]
            assert!(resident("VmRSS") < MEMORY / 4, "{setup}: {name} left memory behind");
        }
        #[cfg(target_os = "linux")]
        assert!(resident("VmHWM") < MEMORY + MEMORY / 4, "{setup}: {}", resident("VmHWM"));
    }
}

/// Bytes of memory that this process has, or had at most.
#[cfg(target_os = "linux")]
fn resident(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

/// Small to write, and the time that it takes grows with the square.
#[test]
fn a_module_that_takes_too_long_is_given_up() {
    let module = Module::from_bytes(&bombs::carried_values(10_000, 10_000)).unwrap();
    for setup in setups() {
        let mut compiler = compiler(setup).time_limit(Duration::from_secs(1));
        let target = compiler.machine();
        let error = compiler.compile(&module, target).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::CannotCompile { .. }), "{setup}: {text}");
        assert!(text.contains("takes longer than 1 s"), "{setup}: {text}");
        assert!(text.contains("on the interpreter"), "{setup}: {text}");
    }
}

/// The VM that wanted it compiled goes on, and its deadline ends the compilation.
#[test]
fn a_deadline_ends_a_compilation_too() {
    let module = Module::from_bytes(&bombs::carried_values(10_000, 10_000)).unwrap();
    let good = Module::from_text(r#"(module (func (export "f") (result i32) (i32.const 42)))"#);
    let good = good.unwrap();
    for setup in setups() {
        let mut vm = setup.vm();
        vm.set_deadline(Some(Instant::now() + Duration::from_secs(1)));
        let error = vm.load(&module).unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)), "{setup}: {error}");
        vm.set_deadline(None);
        vm.reset().unwrap();
        assert_eq!(run(&mut vm, &good).unwrap(), [Value::I32(42)], "{setup}");
    }
}

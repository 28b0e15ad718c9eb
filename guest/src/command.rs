//! The loop that serves the host's commands.

use crate::engine::{Engine, Load};
use crate::hostcall::{self, Answer, Order};
use crate::services;
use wrt_abi::layout::{WASM_STACK, WASM_STACK_MAX};
use wrt_abi::{Command, Reply};

/// Bytes of stack that Wasm calls may take, by the first command that a guest is given. The host
/// has mapped as many, and no more.
pub fn stack(first: &Order) -> u64 {
    let [_, _, _, _, _, stack, ..] = first.words;
    match first.command {
        Some(Command::Load) => stack.clamp(1, WASM_STACK_MAX),
        _ => WASM_STACK,
    }
}

/// Serves commands for ever; the host ends the VM by not resuming it.
pub fn serve(engine: &mut impl Engine, first: Order) -> ! {
    let mut order = first;
    loop {
        let Order { command, words, payload_len, mut payload } = order;
        let answer = match command {
            Some(Command::Load) => {
                let [address, len, memory_limit, cpu_features, log_level, ..] = words;
                services::set_log_level(log_level);
                let load = Load { address, len, memory_limit, cpu_features };
                engine.load(load, &mut payload)
            }
            Some(Command::Examine) => {
                let [address, len, ..] = words;
                let load = Load { address, len, memory_limit: 0, cpu_features: 0 };
                engine.examine(load, &mut payload)
            }
            Some(Command::Instantiate) => engine.instantiate(words[0], &mut payload),
            Some(Command::Run) => engine.run(words[0], &mut payload),
            Some(Command::FindFunction) => {
                engine.find_function(words[0], payload_len, &mut payload)
            }
            Some(Command::Call) => engine.call(words[0], words[1], &mut payload),
            Some(Command::FindMemory) => engine.find_memory(words[0], payload_len, &mut payload),
            Some(Command::LocateMemory) => engine.locate_memory(words[0]),
            Some(Command::ReadGlobal) => engine.read_global(words[0], payload_len, &mut payload),
            Some(Command::Register) => engine.register(words[0], payload_len, &mut payload),
            Some(Command::ListExports) => engine.list_exports(words[0], words[1], &mut payload),
            None => Answer::new(Reply::Failed, [0; 3]),
        };
        order = hostcall::done(answer, payload, engine.was_refused_memory());
    }
}

//! The traits that this kernel's WASI implements, made of `guest/wit/world.wit` and of the packages
//! that it imports from.
#![allow(missing_docs, reason = "the documentation is in the WIT files")]

macro_rules! bindings {
    ($wit:tt) => {
        wasmtime::component::bindgen!({
            path: $wit,
            world: "wrt:guest/wasi",
            imports: { default: trappable },
            trappable_error_type: {
                "wasi:filesystem/types.error-code" => crate::engine::native::component::failure::Failure,
                "wasi:io/streams.stream-error" => crate::engine::native::component::io::StreamError,
            },
            with: {
                "wasi:cli/terminal-input.terminal-input": crate::engine::native::component::cli::Terminal,
                "wasi:cli/terminal-output.terminal-output": crate::engine::native::component::cli::Terminal,
                "wasi:filesystem/types.descriptor": crate::engine::native::component::filesystem::Descriptor,
                "wasi:filesystem/types.directory-entry-stream":
                    crate::engine::native::component::filesystem::Directory,
                "wasi:io/error.error": wrt_abi::services::wasi::Errno,
                "wasi:io/poll.pollable": crate::engine::native::component::io::Pollable,
                "wasi:io/streams.input-stream": crate::engine::native::component::io::InputStream,
                "wasi:io/streams.output-stream": crate::engine::native::component::io::OutputStream,
            },
        });
    };
}

// Hands over the folder with the WIT files: see `guest/builder/src/wit.rs`.
include!(env!("WRT_GUEST_WIT"));

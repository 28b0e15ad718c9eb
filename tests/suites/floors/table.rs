//! The floors of the host, from the ground up, and what each may use.
//!
//! A row names rows before it, and none else: so no arrow can run upward, whatever is added here.
//! A new crate or module takes its place below all that are to use it.

/// A crate, or a module at the top of one.
pub(crate) struct Floor {
    pub(crate) name: &'static str,
    /// Floors below that it may use.
    pub(crate) uses: &'static [&'static str],
}

/// A crate.
pub(crate) struct Crate {
    pub(crate) floor: Floor,
    /// Where its sources are, if its modules have floors, too.
    pub(crate) modules: Option<(&'static str, &'static [Floor])>,
}

const fn floor(name: &'static str, uses: &'static [&'static str]) -> Floor {
    Floor { name, uses }
}

/// The crates that a program is made of.
pub(crate) const CRATES: &[Crate] = &[
    Crate { floor: floor("wrt-abi", &[]), modules: None },
    Crate { floor: floor("wrt-platform", &[]), modules: None },
    Crate { floor: floor("wrt-guest-images", &["wrt-abi", "wrt-platform"]), modules: None },
    Crate {
        floor: floor("wrt-hypervisor", &["wrt-abi", "wrt-platform", "wrt-guest-images"]),
        modules: Some(("host/hypervisor/src", HYPERVISOR)),
    },
    Crate {
        floor: floor("wrt-vm", &["wrt-abi", "wrt-platform", "wrt-guest-images", "wrt-hypervisor"]),
        modules: Some(("host/src", LIBRARY)),
    },
    Crate {
        floor: floor("wrt-cli", &["wrt-platform", "wrt-guest-images", "wrt-vm"]),
        modules: None,
    },
];

/// Members of the workspace that are in no program: what builds guests, and tests.
pub(crate) const APART: &[&str] = &["wrt-guest-builder", "wrt-tests", "wrt-fuzz", "wrt-hvsim"];

/// Dependencies that are for the command: no crate below it asks for one.
pub(crate) const COMMAND_ONLY: &[&str] = &["clap", "anyhow", "indicatif", "serde_json"];

const HYPERVISOR: &[Floor] = &[
    floor("arch", &[]),
    floor("error", &[]),
    floor("exit", &["arch"]),
    floor("traits", &["arch", "error", "exit"]),
    floor("apple", &["error"]),
    floor("arm", &["arch", "error", "exit"]),
    floor("x86_64", &["error"]),
    floor("kvm", &["arch", "error", "exit", "traits", "arm", "x86_64"]),
    floor("hvf", &["arch", "error", "exit", "traits", "apple", "arm"]),
    floor("process", &["arch", "error", "exit", "traits", "x86_64"]),
    floor("select", &["error", "traits", "kvm", "hvf", "process"]),
    // For tests.
    floor("fuzzing", &["arch", "exit", "arm", "kvm", "process"]),
];

const LIBRARY: &[Floor] = &[
    floor("error", &[]),
    floor("text", &[]),
    floor("embedded", &[]),
    floor("artifact", &["error"]),
    floor("module", &["error", "embedded", "artifact"]),
    floor("machine", &["error", "text", "embedded", "artifact"]),
    floor("world", &["error", "module"]),
    floor("services", &["error", "text", "module", "machine", "world"]),
    floor("placement", &["error", "machine", "world", "services"]),
    floor(
        "engine",
        &[
            "error",
            "text",
            "embedded",
            "artifact",
            "module",
            "machine",
            "world",
            "services",
            "placement",
        ],
    ),
    // For tests.
    floor("fuzzing", &["artifact", "module", "machine", "world", "placement", "engine"]),
];

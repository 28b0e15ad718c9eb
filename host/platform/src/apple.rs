//! What macOS says of itself, its machine and this program, as far as VMs depend on it.

#[cfg(target_os = "macos")]
#[path = "apple/macos.rs"]
mod system;

/// What is known; nothing is on other systems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The version of macOS: `kern.osproductversion`.
    pub macos: Option<String>,
    /// Whether the kernel offers Hypervisor.framework: `kern.hv_support`.
    pub offered: Option<bool>,
    /// Whether this system is in a VM itself: `kern.hv_vmm_present`.
    pub in_vm: Option<bool>,
    /// What this process is entitled to: a property list as XML, empty if there is none.
    pub entitlements: Option<String>,
}

impl Facts {
    /// Asks the system.
    #[cfg(target_os = "macos")]
    pub fn probe() -> Self {
        Self {
            macos: system::text(c"kern.osproductversion"),
            offered: system::truth(c"kern.hv_support"),
            in_vm: system::truth(c"kern.hv_vmm_present"),
            entitlements: system::entitlements(),
        }
    }

    /// Asks the system.
    #[cfg(not(target_os = "macos"))]
    pub fn probe() -> Self {
        Self::default()
    }
}

//! The framework's rules, as far as they are known.

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name: that of its test in `tests/rules.rs`, too.
    pub name: &'static str,
    /// What holds.
    pub text: &'static str,
    /// Where that is known from.
    pub source: &'static str,
}

macro_rules! rules {
    ($( $name:ident: $text:literal, $source:literal; )*) => {
        /// All of them.
        pub const RULES: &[Rule] = &[$(
            Rule { name: stringify!($name), text: $text, source: $source },
        )*];

        /// Makes a list of the tests, one a rule: a rule without a test does not compile.
        #[macro_export]
        macro_rules! for_each_rule {
            ($do:ident) => { $( $do!($name); )* };
        }
    };
}

rules! {
    entitled: "without com.apple.security.hypervisor a VM is HV_DENIED",
        "Apple, com.apple.security.hypervisor: required to use the Hypervisor APIs in any process";
    offered: "where there is no support, calls are HV_UNSUPPORTED",
        "hv_error.h; measured on CI machines in VMs (actions/runner-images 9460, 13505)";
    one_vm: "a process has one VM; another is HV_BUSY",
        "hyperlight hvf/mod.rs; Apple's `hv_vm_create`: the VM of the current process";
    granule: "addresses and sizes are multiples of 16 KiB, on both sides",
        "krunkit 114, hyperlight 1681; hv_vm.h: page-aligned";
    ipa_range: "guest-physical addresses have the configured width, 36 bits by default, 40 at most",
        "hv_vm_config.h; libkrun 764, 765";
    no_overlap: "a page is mapped once; only what is mapped is unmapped or protected",
        "stricter than known: Apple does not say";
    rights: "rights are read 1, write 2, execute 4, and no others",
        "hv_vm_types.h";
    owning_thread: "a vCPU is its thread's; elsewhere it is HV_BAD_ARGUMENT",
        "Apple, `hv_vcpu_create`: creates a vCPU for the current thread; hyperlight 1681";
    one_vcpu_a_thread: "a thread has one vCPU at most",
        "hyperlight hvf/mod.rs: at most one vCPU a thread";
    destroy_order: "a VM with vCPUs is HV_BUSY to destroy",
        "stricter than known: Apple asks for vCPUs to be destroyed first";
    sticky_cancel: "hv_vcpus_exit on a vCPU that does not run has its next entry return at once",
        "hv_vcpu.h, `hv_vcpus_exit`";
    pc_after_exit: "after hvc the program counter is behind it, after an abort at the instruction",
        "Arm ARM D1.3.1 (preferred return address); libkrun, hyperlight advance_pc";
    vtimer_unmasked: "a new vCPU's virtual timer is not masked",
        "hv_vcpu.h, `hv_vcpu_set_vtimer_mask`";
    abort_names_its_address: "an abort of the second stage tells the guest-physical address, and whether it was a write",
        "uhyve, hyperlight decode; Arm ARM D24.2.40, ISS of a data abort";
    nothing_behind: "guest memory behind which the process has nothing that it may touch aborts",
        "stricter than known: Apple does not say; Linux has KVM fail there";
    every_call_can_fail: "any call can be made to fail, once, with any error",
        "a test's own wish";
}

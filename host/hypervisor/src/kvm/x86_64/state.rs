//! The vCPU's registers at boot.

use super::cpuid;
use super::failed;
use crate::arch::BootState;
use crate::arch::selectors::{TSS, USER_CODE, USER_DATA};
use crate::error::HypervisorError;
use kvm_bindings::{
    Msrs, kvm_debugregs, kvm_msr_entry, kvm_regs, kvm_segment, kvm_sregs, kvm_vcpu_events,
    kvm_xsave,
};
use kvm_ioctls::{VcpuFd, VmFd};
use std::sync::OnceLock;

// Intel SDM volume 3A, 2.5 "Control registers" and 2.2.1 "Extended feature enable register".
const CR0_PE: u64 = 1;
const CR0_MP: u64 = 1 << 1;
const CR0_ET: u64 = 1 << 4;
const CR0_NE: u64 = 1 << 5;
const CR0_WP: u64 = 1 << 16;
const CR0_PG: u64 = 1 << 31;
const CR3_PWT: u64 = 1 << 3;
const CR4_TSD: u64 = 1 << 2;
const CR4_DE: u64 = 1 << 3;
const CR4_PAE: u64 = 1 << 5;
const CR4_OSFXSR: u64 = 1 << 9;
const CR4_OSXMMEXCPT: u64 = 1 << 10;
const CR4_UMIP: u64 = 1 << 11;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;
const EFER_NX: u64 = 1 << 11;

/// Reserved bit 1, always set. IOPL is 0: ports are the TSS bitmap's business.
const RFLAGS: u64 = 1 << 1;
/// Round to nearest, all exceptions masked.
const MXCSR: u32 = 0x1f80;
/// As after `fninit`.
const FCW: u32 = 0x37f;
/// Of XSAVE's header: the image holds x87 and SSE registers, the others are as after reset.
const XSTATE_LEGACY: u32 = 3;

/// The base that `swapgs` exchanges with that of gs (Intel SDM volume 4): the one
/// model-specific register that a guest can change past the filter, and `KVM_SET_SREGS` does
/// not have.
const KERNEL_GS_BASE: u32 = 0xc000_0102;

/// Preventions of what the stub never does: execute or read the runtime's memory; and of what
/// the runtime never does: read where the descriptor tables are.
const CR4_PREVENTIONS: [u64; 3] = [CR4_SMEP, CR4_SMAP, CR4_UMIP];

/// Gives the vCPU its feature table and remembers its reset state.
pub(in super::super) fn prepare_vcpu(
    _system: &kvm_ioctls::Kvm,
    _vm: &VmFd,
    vcpu: &VcpuFd,
) -> Result<BootRegisters, HypervisorError> {
    static PREVENTIONS: OnceLock<u64> = OnceLock::new();
    vcpu.set_cpuid2(&cpuid::table()?).map_err(failed("set the guest's CPU features"))?;
    let reset = vcpu.get_sregs().map_err(failed("read the vCPU's registers"))?;
    let preventions = *PREVENTIONS.get_or_init(|| accepted(vcpu, &reset));
    Ok(BootRegisters { reset, preventions, fresh: true })
}

/// Which of [`CR4_PREVENTIONS`] KVM supports here: it refuses a register with any other.
fn accepted(vcpu: &VcpuFd, reset: &kvm_sregs) -> u64 {
    let accepts = |bits: &u64| {
        let mut sregs = *reset;
        sregs.cr4 |= bits;
        vcpu.set_sregs(&sregs).is_ok()
    };
    let all = CR4_PREVENTIONS.into_iter().fold(0, |all, bit| all | bit);
    match accepts(&all) {
        true => all,
        false => CR4_PREVENTIONS.into_iter().filter(accepts).fold(0, |all, bit| all | bit),
    }
}

/// What boot needs to know about the vCPU.
pub(in super::super) struct BootRegisters {
    reset: kvm_sregs,
    /// What of [`CR4_PREVENTIONS`] there is.
    preventions: u64,
    /// Whether the vCPU has never run: its remaining registers are as after power-on.
    fresh: bool,
}

impl BootRegisters {
    /// Puts the vCPU at the guest's entry, in ring 3, with paging on.
    pub(in super::super) fn apply(
        &mut self,
        vcpu: &mut VcpuFd,
        state: &BootState,
    ) -> Result<(), HypervisorError> {
        let set = |action| failed(action);
        vcpu.set_sregs(&self.system_registers(state)).map_err(set("set system registers"))?;
        // Without an interrupt controller KVM takes CR8 from here at each entry.
        vcpu.get_kvm_run().cr8 = 0;
        let regs = kvm_regs {
            rip: state.entry.0,
            rsp: state.stack.0,
            rflags: RFLAGS,
            ..Default::default()
        };
        vcpu.set_regs(&regs).map_err(set("set general registers"))?;
        if !self.fresh {
            // SAFETY: the structure holds all state that there is by default; more (AMX) is for
            // who asks for it, which this process never does.
            unsafe { vcpu.set_xsave(&vectors()) }.map_err(set("set vector registers"))?;
            vcpu.set_msrs(&hidden_base()?).map_err(set("set model-specific registers"))?;
            let debug = kvm_debugregs { dr6: 0xffff_0ff0, dr7: 0x400, ..Default::default() };
            vcpu.set_debug_regs(&debug).map_err(set("set debug registers"))?;
            vcpu.set_vcpu_events(&kvm_vcpu_events::default())
                .map_err(set("clear pending exceptions"))?;
        }
        self.fresh = false;
        Ok(())
    }

    fn system_registers(&self, state: &BootState) -> kvm_sregs {
        let mut sregs = self.reset;
        sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
        sregs.cr2 = 0;
        sregs.cr3 = state.page_tables.0;
        sregs.cr4 = CR4_PAE | CR4_DE | CR4_TSD | CR4_OSFXSR | CR4_OSXMMEXCPT | self.preventions;
        sregs.efer = EFER_LME | EFER_LMA | EFER_NX;
        // Type 11: code, executable, readable, accessed. Type 3: data, writable, accessed.
        sregs.cs = segment(USER_CODE, 11, true);
        let data = segment(USER_DATA, 3, false);
        (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
        sregs.gdt.base = state.descriptors.gdt.0.0;
        sregs.gdt.limit = state.descriptors.gdt.1;
        sregs.idt.base = state.descriptors.idt.0.0;
        sregs.idt.limit = state.descriptors.idt.1;
        // Type 11: busy 64-bit TSS.
        sregs.tr = kvm_segment {
            base: state.descriptors.tss.0.0,
            limit: state.descriptors.tss.1.into(),
            selector: TSS,
            type_: 11,
            present: 1,
            ..Default::default()
        };
        sregs.ldt = kvm_segment { unusable: 1, ..Default::default() };
        sregs
    }
}

/// All of the vector units as after reset, MXCSR included, which `KVM_SET_FPU` leaves alone. What
/// is beyond SSE is set although no guest should reach it: not every KVM keeps guests from it.
fn vectors() -> kvm_xsave {
    let mut xsave = kvm_xsave { region: [0; 1024], extra: Default::default() };
    // Intel SDM volume 1, 13.4: FCW, MXCSR, XSTATE_BV.
    xsave.region[0] = FCW;
    xsave.region[6] = MXCSR;
    xsave.region[128] = XSTATE_LEGACY;
    xsave
}

fn hidden_base() -> Result<Msrs, HypervisorError> {
    let entry = kvm_msr_entry { index: KERNEL_GS_BASE, ..Default::default() };
    Msrs::from_entries(&[entry])
        .map_err(|_| HypervisorError::Unsupported("no room for one MSR".into()))
}

/// Ends a string instruction that has stopped for the host, so that KVM does not go on with it.
///
/// KVM goes on with the registers that are set here, of which one is the count.
pub(in super::super) fn end_strings(vcpu: &VcpuFd) -> Result<(), HypervisorError> {
    vcpu.set_regs(&kvm_regs::default()).map_err(failed("set general registers"))
}

/// [`forget_translations`] is worth calling.
pub(in super::super) const CAN_FORGET_TRANSLATIONS: bool = true;

/// Has KVM and the processor forget what they know of the guest's page tables, as a write to
/// CR3 does.
///
/// KVM looks whether the value is another one (`__set_sregs`: `kvm_mmu_reset_context`, and
/// `KVM_REQ_TLB_FLUSH_GUEST`). So it is the bit in it that tells how the root table is cached
/// for writes, of which there are none.
///
/// KVM's shadow of page tables that it shadows in software is kept, as on a guest's own write
/// to CR3: it is updated page by page when the guest faults on it. What it holds must be no
/// more than what the tables allow now.
pub(in super::super) fn forget_translations(vcpu: &VcpuFd) -> Result<(), HypervisorError> {
    let mut sregs = vcpu.get_sregs().map_err(failed("read the vCPU's registers"))?;
    sregs.cr3 ^= CR3_PWT;
    vcpu.set_sregs(&sregs).map_err(failed("have the vCPU forget translations"))
}

/// A flat ring 3 segment.
fn segment(selector: u16, type_: u8, code: bool) -> kvm_segment {
    kvm_segment {
        limit: u32::MAX,
        selector,
        type_,
        present: 1,
        dpl: 3,
        s: 1,
        l: code.into(),
        db: (!code).into(),
        g: 1,
        ..Default::default()
    }
}

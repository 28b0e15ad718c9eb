//! Each rule of the framework holds in the simulation: one test a rule, under its name.

mod guest;

use applevisor_sys::*;
use guest::{Buffer, CODE, Guest, HVC_5, PAGE, answer, exclusively, id_of_vcpu, map};
use hv_error_t::*;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use wrt_hvsim::{counters, fail, grant, offer};

// A rule without a test does not compile.
macro_rules! has_test {
    ($name:ident) => {
        const _: fn() = $name;
    };
}
wrt_hvsim::for_each_rule!(has_test);

fn create() -> hv_return_t {
    // SAFETY: defaults.
    unsafe { hv_vm_create(std::ptr::null_mut()) }
}

fn destroy() -> hv_return_t {
    // SAFETY: nothing of the VM's is used after it.
    unsafe { hv_vm_destroy() }
}

#[test]
fn entitled() {
    let _alone = exclusively();
    grant(false);
    assert_eq!(create(), answer(HV_DENIED));
    grant(true);
    assert_eq!(create(), 0);
    assert_eq!(destroy(), 0);
}

#[test]
fn offered() {
    let _alone = exclusively();
    offer(false);
    assert_eq!(create(), answer(HV_UNSUPPORTED));
    let mut count = 0;
    // SAFETY: the place is ours.
    assert_eq!(unsafe { hv_vm_get_max_vcpu_count(&raw mut count) }, answer(HV_UNSUPPORTED));
    offer(true);
}

#[test]
fn one_vm() {
    let _alone = exclusively();
    assert_eq!(destroy(), answer(HV_NO_DEVICE));
    assert_eq!(create(), 0);
    assert_eq!(create(), answer(HV_BUSY));
    assert_eq!(destroy(), 0);
    assert_eq!(create(), 0);
    assert_eq!(destroy(), 0);
}

#[test]
fn granule() {
    let guest = Guest::new(&[]);
    let buffer = Buffer::new(4);
    let bad = answer(HV_BAD_ARGUMENT);
    let at = 0x8000_0000;
    for (host, ipa, size) in
        [(0x1000, at, PAGE), (0, at + 0x1000, PAGE), (0, at, PAGE + 0x1000), (0, at, 0)]
    {
        assert_eq!(map(buffer.at(host), ipa, size, 1), bad, "{host:#x} {ipa:#x} {size:#x}");
    }
    assert_eq!(map(buffer.at(0), at, PAGE, 1), 0);
    drop(guest);
}

#[test]
fn ipa_range() {
    let guest = Guest::new(&[]);
    let buffer = Buffer::new(1);
    let bad = answer(HV_BAD_ARGUMENT);
    assert_eq!(map(buffer.at(0), 1 << 36, PAGE, 1), bad);
    assert_eq!(map(buffer.at(0), u64::MAX - 0x3fff, PAGE, 1), bad);
    assert_eq!(map(buffer.at(0), (1 << 36) - PAGE as u64, PAGE, 1), 0);
    drop(guest);
    // SAFETY: an object of the framework's, released once.
    unsafe {
        let config = hv_vm_config_create();
        assert_eq!(hv_vm_config_set_ipa_size(config, 41), bad);
        assert_eq!(hv_vm_config_set_ipa_size(config, 40), 0);
        os_release(config);
    }
}

#[test]
fn no_overlap() {
    let guest = Guest::new(&[]);
    let buffer = Buffer::new(4);
    let bad = answer(HV_BAD_ARGUMENT);
    let at = 0x8000_0000;
    assert_eq!(map(buffer.at(0), at, 2 * PAGE, 1), 0);
    assert_eq!(map(buffer.at(0), at + PAGE as u64, 2 * PAGE, 1), bad);
    // SAFETY: gives the guest nothing.
    unsafe {
        assert_eq!(hv_vm_unmap(at, 3 * PAGE), bad);
        assert_eq!(hv_vm_protect(at + PAGE as u64, 2 * PAGE, 1), bad);
        assert_eq!(hv_vm_unmap(at + PAGE as u64, PAGE), 0);
        assert_eq!(hv_vm_unmap(at + PAGE as u64, PAGE), bad);
    }
    drop(guest);
}

#[test]
fn rights() {
    let buffer = Buffer::new(1);
    let at = 0x8000_0000u64;
    // str x1, [x0]; hvc #5. What is read-only is not written.
    let guest = Guest::new(&[0xf900_0001, HVC_5]);
    assert_eq!(map(buffer.at(0), at, PAGE, 8), answer(HV_BAD_ARGUMENT));
    assert_eq!(map(buffer.at(0), at, PAGE, HV_MEMORY_READ), 0);
    guest.set(hv_reg_t::X0, at);
    let exit = guest.run();
    assert_eq!(exit.syndrome >> 26, 0x24);
    assert_eq!(exit.syndrome & 0x3c, 0x0c, "a permission fault");
    // SAFETY: the buffer is ours, and lives.
    unsafe { assert_eq!(hv_vm_protect(at, PAGE, HV_MEMORY_READ | HV_MEMORY_WRITE), 0) };
    assert_eq!(guest.run().syndrome, 0x5a00_0005, "it goes on where it was");
    // Nor is what is not executable executed.
    guest.set(hv_reg_t::PC, at);
    assert_eq!(guest.run().syndrome >> 26, 0x20);
}

#[test]
fn owning_thread() {
    let guest = Guest::new(&[HVC_5]);
    let id = guest.id();
    let bad = answer(HV_BAD_ARGUMENT);
    // SAFETY: the places are theirs.
    let elsewhere = thread::spawn(move || unsafe {
        let mut value = 0;
        [
            hv_vcpu_run(id),
            hv_vcpu_get_reg(id, hv_reg_t::X0, &raw mut value),
            hv_vcpu_set_reg(id, hv_reg_t::X0, 1),
            hv_vcpu_get_sys_reg(id, hv_sys_reg_t::SCTLR_EL1, &raw mut value),
            hv_vcpu_set_vtimer_mask(id, true),
            hv_vcpu_destroy(id),
        ]
    });
    assert_eq!(elsewhere.join().unwrap(), [bad; 6]);
    assert_eq!(guest.run().syndrome, 0x5a00_0005);
}

#[test]
fn one_vcpu_a_thread() {
    let guest = Guest::new(&[]);
    assert_eq!(id_of_vcpu(), Err(answer(HV_BUSY)));
    // SAFETY: a vCPU of that thread's.
    let elsewhere = thread::spawn(|| id_of_vcpu().map(|id| unsafe { hv_vcpu_destroy(id) }));
    assert_eq!(elsewhere.join().unwrap(), Ok(0));
    drop(guest);
}

#[test]
fn destroy_order() {
    let guest = Guest::new(&[]);
    assert_eq!(destroy(), answer(HV_BUSY));
    drop(guest);
}

#[test]
fn sticky_cancel() {
    // b .
    let guest = Guest::new(&[0x1400_0000]);
    let id = guest.id();
    let canceled = hv_exit_reason_t::CANCELED;
    // SAFETY: one number.
    let cancel = move || assert_eq!(unsafe { hv_vcpus_exit(&raw const id, 1) }, 0);
    // Before it runs.
    cancel();
    guest.enter();
    assert_eq!(guest.exit().reason, canceled);
    // While it runs.
    let (running, has_started) = channel();
    let other = thread::spawn(move || {
        has_started.recv().unwrap();
        thread::sleep(Duration::from_millis(20));
        cancel();
    });
    running.send(()).unwrap();
    guest.enter();
    assert_eq!(guest.exit().reason, canceled);
    other.join().unwrap();
    let gone = u64::MAX;
    // SAFETY: one number.
    assert_eq!(unsafe { hv_vcpus_exit(&raw const gone, 1) }, answer(HV_BAD_ARGUMENT));
}

#[test]
fn pc_after_exit() {
    // hvc #5; ldr x1, [x0]; hvc #5
    let guest = Guest::new(&[HVC_5, 0xf940_0001, HVC_5]);
    assert_eq!(guest.run().syndrome, 0x5a00_0005);
    assert_eq!(guest.get(hv_reg_t::PC), CODE + 4, "behind the call");
    guest.set(hv_reg_t::X0, 0x9000_0000);
    assert_eq!(guest.run().syndrome >> 26, 0x24);
    assert_eq!(guest.get(hv_reg_t::PC), CODE + 4, "at the load");
    // wfi: at the instruction, as after every trap.
    drop(guest);
    let guest = Guest::new(&[0xd503_207f]);
    assert_eq!(guest.run().syndrome >> 26, 0x01);
}

#[test]
fn vtimer_unmasked() {
    let guest = Guest::new(&[]);
    let id = guest.id();
    let mut masked = true;
    // SAFETY: the place is ours.
    unsafe {
        assert_eq!(hv_vcpu_get_vtimer_mask(id, &raw mut masked), 0);
        assert!(!masked);
        assert_eq!(hv_vcpu_set_vtimer_mask(id, true), 0);
        assert_eq!(hv_vcpu_get_vtimer_mask(id, &raw mut masked), 0);
    }
    assert!(masked);
}

#[test]
fn abort_names_its_address() {
    // ldr x1, [x0]; str x1, [x0]
    let guest = Guest::new(&[0xf940_0001, 0xf900_0001]);
    guest.set(hv_reg_t::X0, 0x9000_0008);
    let read = guest.run();
    assert_eq!((read.physical_address, read.syndrome & 1 << 6), (0x9000_0008, 0));
    guest.set(hv_reg_t::PC, CODE + 4);
    let write = guest.run();
    assert_eq!((write.physical_address, write.syndrome & 1 << 6), (0x9000_0008, 1 << 6));
    assert_eq!(write.syndrome >> 24 & 1, 1, "ISV");
}

#[test]
fn nothing_behind() {
    // ldr x1, [x0]; str x1, [x0]; hvc #5
    let guest = Guest::new(&[0xf940_0001, 0xf900_0001, HVC_5]);
    let ipa = 0x9000_0000;
    let memory = Buffer::new(2);
    let closed = memory.at(PAGE).cast_mut().cast();
    assert_eq!(map(memory.at(0), ipa, 2 * PAGE, HV_MEMORY_READ | HV_MEMORY_WRITE), 0);
    // SAFETY: a page of the buffer's own, which is opened again before it goes.
    assert_eq!(unsafe { libc::mprotect(closed, PAGE, libc::PROT_NONE) }, 0);
    guest.set(hv_reg_t::X0, ipa + PAGE as u64 + 8);
    for (pc, write) in [(CODE, 0), (CODE + 4, 1 << 6)] {
        guest.set(hv_reg_t::PC, pc);
        let abort = guest.run();
        assert_eq!(
            (abort.physical_address, abort.syndrome & 1 << 6),
            (ipa + PAGE as u64 + 8, write)
        );
        assert_eq!(abort.syndrome >> 26, 0x24);
    }
    // The page before it is there, and the vCPU goes on.
    guest.set(hv_reg_t::X0, ipa);
    guest.set(hv_reg_t::PC, CODE);
    assert_eq!(guest.run().syndrome, 0x5a00_0005);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::mprotect(closed, PAGE, libc::PROT_READ | libc::PROT_WRITE) }, 0);
    // SAFETY: the VM has no use for it any more.
    assert_eq!(unsafe { hv_vm_unmap(ipa, 2 * PAGE) }, 0);
}

#[test]
fn every_call_can_fail() {
    let before = counters();
    let guest = Guest::new(&[HVC_5, HVC_5]);
    fail("hv_vcpu_run", 1, HV_NO_RESOURCES);
    assert_eq!(guest.run().syndrome, 0x5a00_0005);
    // SAFETY: the memory is the guest's.
    assert_eq!(unsafe { hv_vcpu_run(guest.id()) }, answer(HV_NO_RESOURCES));
    assert_eq!(guest.run().syndrome, 0x5a00_0005, "once");
    assert!(counters().exits >= before.exits + 2);
    drop(guest);
    fail("hv_vm_create", 0, HV_ERROR);
    let _alone = exclusively();
    assert_eq!(create(), answer(HV_ERROR));
}

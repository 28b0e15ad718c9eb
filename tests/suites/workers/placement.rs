//! A VM is where it was asked for, or there is none.

use crate::{call, instantiate};
use wrt_tests::{matrix, program};
use wrt_vm::compiler::{Arch, CpuFeatures};
use wrt_vm::hypervisor::{Hypervisor, HypervisorError, Vm};
use wrt_vm::worker::Workers;
use wrt_vm::{Error, MicroVm, Placement, Pool, Value, WasiConfig};

const ONE: &str = r#"(module (func (export "one") (result i32) (i32.const 1)))"#;

fn is_one(vm: &mut MicroVm) {
    let instance = instantiate(vm, ONE);
    assert_eq!(call(vm, instance, "one", &[]).unwrap(), [Value::I32(1)]);
}

#[test]
fn a_worker_has_the_vm_however_it_is_built() {
    for setup in matrix() {
        let hypervisor = setup.backend.open().unwrap();
        let mut vm = setup.in_worker().build_on(hypervisor.as_ref()).unwrap();
        assert!(vm.worker().is_some(), "{setup}");
        assert_eq!(vm.jail().is_some(), !setup.is_simulated(), "{setup}");
        is_one(&mut vm);
        drop(vm);
        let placement = Placement::from(Workers::new(program()).jailed(false));
        let settings = setup.builder().placement(placement).wasi(WasiConfig::new());
        let mut vm = settings.build().unwrap();
        assert!(vm.worker().is_some() && vm.jail().is_none(), "{setup}");
        is_one(&mut vm);
    }
}

#[test]
fn a_pool_has_its_vms_in_workers() {
    for setup in matrix() {
        let hypervisor = setup.backend.open().unwrap();
        let pool = Pool::new(setup.in_worker(), hypervisor.as_ref(), 1);
        for _ in 0..2 {
            let vm = pool.take(WasiConfig::new()).unwrap();
            assert!(vm.worker().is_some(), "{setup}");
            assert_eq!(vm.jail().is_some(), !setup.is_simulated(), "{setup}");
        }
    }
}

/// A hypervisor that no other process can open.
#[derive(Clone, Copy)]
struct Mine;

impl Hypervisor for Mine {
    fn name(&self) -> &'static str {
        "mine"
    }

    fn arch(&self) -> Arch {
        Arch::X86_64
    }

    fn another(&self) -> Box<dyn Hypervisor> {
        Box::new(*self)
    }

    fn code_features(&self) -> CpuFeatures {
        CpuFeatures::default()
    }

    fn create_vm(&self) -> Result<Box<dyn Vm>, HypervisorError> {
        Err(HypervisorError::Unsupported("it makes none".into()))
    }
}

#[test]
fn a_worker_is_refused_where_it_cannot_be() {
    let here = MicroVm::builder().build_on(&Mine).map(drop).unwrap_err();
    assert!(matches!(here, Error::Hypervisor(_)), "{here}");
    let apart = MicroVm::builder().worker(program()).build_on(&Mine).map(drop).unwrap_err();
    assert!(matches!(apart, Error::Setting(_)), "{apart}");
    assert!(apart.to_string().contains("`mine`"), "{apart}");
}

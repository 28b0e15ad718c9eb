//! What the system is told and tells.

use wrt_platform::citizen::{Activity, Kind, MemoryOrder, Qos, facts, set_thread_qos};

#[test]
fn activities_begin_and_end() {
    for kind in [Kind::UserInitiated, Kind::LatencyCritical, Kind::Background] {
        let outer = Activity::begin(kind, "the suite of wrt-platform").unwrap();
        let inner = Activity::begin(kind, "the suite, once more").unwrap();
        drop(inner);
        drop(outer);
    }
}

#[test]
fn a_thread_can_step_back() {
    std::thread::spawn(|| {
        for qos in [Qos::Default, Qos::Utility, Qos::Background] {
            set_thread_qos(qos).unwrap();
        }
    })
    .join()
    .unwrap();
}

#[test]
fn the_machine_has_cores_and_an_order() {
    let facts = facts();
    let count: usize = facts.cores.iter().map(|cores| cores.count).sum();
    assert!(count > 0 && facts.cores.iter().all(|cores| !cores.name.is_empty()));
    assert_eq!(facts.memory_order == MemoryOrder::TotalStore, cfg!(target_arch = "x86_64"));
}

#[test]
fn every_system_says_what_it_offers() {
    let all = [
        wrt_platform::sandbox::availability(),
        wrt_platform::entitlements::availability(),
        wrt_platform::code::availability(),
        wrt_platform::trace::availability(),
        wrt_platform::log::availability(),
        wrt_platform::vector::availability(),
        wrt_platform::citizen::availability(),
    ];
    for one in &all {
        assert!(!one.how.is_empty(), "{}", one.system);
        assert_eq!(
            one.missing.is_some(),
            one.remedy.is_some(),
            "{}: a lack has a remedy",
            one.system
        );
    }
    let mut names: Vec<_> = all.iter().map(|one| one.system).collect();
    names.dedup();
    assert_eq!(names.len(), all.len());
}

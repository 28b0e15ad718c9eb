//! What a guest may send that is not ours any more.

use super::*;
use crate::services::tests::cancel;
use proptest::prelude::*;
use wrt_abi::services::ServiceId;
use wrt_abi::services::vector::FUNCTIONS;

fn function(index: usize) -> FunctionId {
    let import = ServiceId::Vector.imports().nth(index).expect("there are as many");
    FunctionId::of(import).expect("it is one of these")
}

/// Words where sizes and offsets are decided, for a memory of 4096 bytes, and others.
fn word() -> impl Strategy<Value = u64> {
    let edge = prop::sample::select(vec![
        0,
        1,
        8,
        32,
        511,
        512,
        1023,
        1024,
        4088,
        4095,
        4096,
        4097,
        1 << 29,
        1 << 31,
        1 << 32,
        1 << 60,
        1 << 61,
        1 << 62,
        1 << 63,
        u64::MAX - 4095,
        u64::MAX,
        f64::NAN.to_bits(),
        1.0_f64.to_bits(),
        1.0_f32.to_bits().into(),
    ]);
    prop_oneof![4 => edge, 2 => 0..70_u64, 1 => any::<u64>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_words_have_an_end(index in 0..FUNCTIONS.len(), arguments: [u64; 9], words in prop::collection::vec(word(), 9), wild: bool) {
        let mut arguments = arguments;
        if !wild {
            arguments.copy_from_slice(&words);
        }
        let mut bytes = vec![0x3f; 4096 + 16];
        let cancel = cancel();
        let function = function(index);
        // Not aligned, and with bytes around that are not the guest's.
        let mut guest = Guest { memory: &mut bytes[5..4101], cancel: &cancel };
        let _ = guest.call(function, &arguments);
        prop_assert!(bytes[..5].iter().chain(&bytes[4101..]).all(|byte| *byte == 0x3f));
    }
}

#[test]
fn a_call_that_shall_end_does_so_before_its_first_block() {
    let cancel = cancel();
    let _call = cancel.begin().unwrap();
    assert!(cancel.cancel(cancel.current(), Interruption::Cancelled));
    let mut bytes = vec![0; 4096];
    let mut guest = Guest { memory: &mut bytes, cancel: &cancel };
    // One element each, at 0, or at 1024 where results are written.
    for (index, arguments) in [
        (0, [1, 0, 0, 0, 0, 0, 0, 0, 0]),
        (2, [1, 0, 0, 0, 0, 0, 0, 0, 0]),
        (4, [1, 0, 0, 0, 0, 0, 0, 0, 0]),
        (6, [1, 0, 0, 1024, 0, 0, 0, 0, 0]),
        (8, [1, 1, 1, 0, 0, 0, 0, 1024, 0]),
    ] {
        let function = function(index);
        let ended = guest.call(function, &arguments);
        let interrupted = matches!(ended, Err(Failure::Interrupted(Interruption::Cancelled)));
        assert!(interrupted, "{function:?}");
    }
}

//! What the fuzzers found, by name: it must not come back.

use wrt_fuzz::dispatcher::script::{Answer, Leave, Step, Word};
use wrt_fuzz::dispatcher::{Action, Case, run};
use wrt_fuzz::machine::Form;
use wrt_vm::fuzzing::parse_image;

/// A guest's answer to a command, and that the command succeeded.
fn answer(word: u8, payload: Answer) -> Step {
    let words = [Word::Small(word), Word::Small(0), Word::Small(0)];
    let reply = 0;
    Step { writes: Vec::new(), leave: Leave::Answer { reply, words, payload } }
}

/// The library said that the VM has ended, as it does when an answer makes no sense, and had the
/// guest run again with the next call all the same.
#[test]
fn a_guest_that_answers_nonsense_is_not_asked_again() {
    let nothing = || Answer::Bytes(Vec::new());
    let name = || "name".to_owned();
    for (owner, nonsense) in [
        // A value that is not there.
        (Action::Global, answer(1, nothing())),
        (Action::Global, answer(0, nothing())),
        // A type that is cut off.
        (Action::Function { name: name() }, answer(1, nothing())),
        // Fewer names than it says.
        (Action::Exports, answer(2, nothing())),
    ] {
        run(
            &Case {
                form: Form::Itself,
                native: false,
                memory: 0,
                boots: true,
                owner: vec![Action::Load { len: 0 }, Action::Instantiate, owner, Action::Run],
                guest: vec![
                    answer(1, nothing()),
                    answer(1, nothing()),
                    nonsense,
                    answer(0, nothing()),
                ],
            },
            false,
        );
    }
}

/// The loader looked at headers in place, which must be aligned for that; a damaged image at an
/// odd address was a panic. Images that are embedded are aligned: nobody could reach it.
#[test]
fn an_image_at_an_odd_address_is_refused_like_any_other() {
    let mut bytes = [0; 129];
    for start in 0..8 {
        bytes[start..][..4].copy_from_slice(b"\x7fELF");
        bytes[start + 18] = 62;
        assert!(parse_image(&bytes[start..]).is_none());
        bytes.fill(0);
    }
}

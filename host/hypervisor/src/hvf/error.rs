//! What the framework's answers mean, and what to do.

use crate::apple::Obstacle;
use crate::error::HypervisorError;
use applevisor_sys::{hv_error_t, hv_return_t};
use std::io;
use wrt_platform::apple::Facts;

/// Takes a call's answer.
pub(super) fn check(action: &'static str, answer: hv_return_t) -> Result<(), HypervisorError> {
    match answer {
        0 => Ok(()),
        code => Err(failed(action, code)),
    }
}

/// As [`check`], for a call that `applevisor` made.
pub(super) fn call(
    action: &'static str,
) -> impl FnOnce(applevisor::error::HypervisorError) -> HypervisorError {
    move |error| failed(action, error.into())
}

/// The framework's own names and numbers (`hv_error.h`).
const NAMES: [(hv_error_t, &str, &str); 9] = [
    (hv_error_t::HV_ERROR, "HV_ERROR", "it failed"),
    (hv_error_t::HV_BUSY, "HV_BUSY", "it is in use"),
    (hv_error_t::HV_BAD_ARGUMENT, "HV_BAD_ARGUMENT", "an argument is wrong"),
    (hv_error_t::HV_ILLEGAL_GUEST_STATE, "HV_ILLEGAL_GUEST_STATE", "the guest's state is illegal"),
    (hv_error_t::HV_NO_RESOURCES, "HV_NO_RESOURCES", "the system has no resources left"),
    (hv_error_t::HV_NO_DEVICE, "HV_NO_DEVICE", "there is no such VM or vCPU"),
    (hv_error_t::HV_DENIED, "HV_DENIED", "it is denied"),
    (hv_error_t::HV_FAULT, "HV_FAULT", "an address is wrong"),
    (hv_error_t::HV_UNSUPPORTED, "HV_UNSUPPORTED", "it is not supported"),
];

/// The error of a call.
pub(super) fn failed(action: &'static str, code: hv_return_t) -> HypervisorError {
    let is = |error: hv_error_t| code == number(error);
    if let Some(obstacle) = Obstacle::find(code, &Facts::probe()) {
        return obstacle.into_error(super::NAME);
    }
    if is(hv_error_t::HV_BUSY) && action == "create a VM" {
        return unavailable(
            "this process has a VM already, and a process has one at most",
            "drop the other VM first, or have each in a worker process",
        );
    }
    let known = NAMES.iter().find(|(error, ..)| is(*error));
    let message = match known {
        Some((_, name, meaning)) => format!("{meaning} ({name})"),
        None => format!("error {code:#x}"),
    };
    HypervisorError::Call { action: action.into(), error: io::Error::other(message) }
}

/// The number that a function returns for an error.
fn number(error: hv_error_t) -> hv_return_t {
    (error as u32).cast_signed()
}

fn unavailable(reason: &str, remedy: &'static str) -> HypervisorError {
    HypervisorError::Unavailable {
        name: super::NAME.into(),
        reason: reason.to_owned(),
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_says_what_is_wrong() {
        for (error, name, _) in NAMES {
            let said = failed("do it", number(error)).to_string();
            let remedied = [hv_error_t::HV_DENIED, hv_error_t::HV_UNSUPPORTED].contains(&error);
            assert_eq!(said.contains(name), !remedied, "{said}");
            assert!(remedied == said.contains("not available"), "{said}");
        }
        use crate::apple::{DENIED, UNSUPPORTED};
        let numbers = [hv_error_t::HV_DENIED, hv_error_t::HV_UNSUPPORTED].map(number);
        assert_eq!(numbers, [DENIED, UNSUPPORTED]);
        assert!(failed("do it", 7).to_string().contains("error 0x7"));
        let busy = failed("create a VM", number(hv_error_t::HV_BUSY)).to_string();
        assert!(busy.contains("worker process"), "{busy}");
    }
}

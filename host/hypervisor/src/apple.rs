//! Why Hypervisor.framework refuses, and what to do: a decision over what is known, made on
//! any system.

use crate::error::HypervisorError;
use thiserror::Error;
use wrt_platform::apple::Facts;

/// The oldest macOS that wrt-vm is for.
const OLDEST: u32 = 13;
const ENTITLEMENT: &str = "<key>com.apple.security.hypervisor</key>";

// Answers that have a reason outside the call (`hv_error.h`).
pub(super) const DENIED: i32 = 0xfae9_4007_u32.cast_signed();
pub(super) const UNSUPPORTED: i32 = 0xfae9_400f_u32.cast_signed();

/// What stands between this program and VMs.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum Obstacle {
    #[error("this is macOS {0}")]
    TooOld(String),
    #[error("this macOS runs in a VM that has no VMs of its own")]
    Nested,
    #[error("this machine does not offer Hypervisor.framework")]
    NotOffered,
    #[error("this program is not entitled to use Hypervisor.framework")]
    NotEntitled,
    #[error("this program is entitled to use Hypervisor.framework, and denied it all the same")]
    Refused,
}

impl Obstacle {
    /// Finds it, from the framework's answer to a call that failed and what the system says.
    pub(super) fn find(answer: i32, facts: &Facts) -> Option<Self> {
        let macos = facts.macos.as_deref().unwrap_or_default();
        let major = macos.split('.').next().and_then(|number| number.parse::<u32>().ok());
        if major.is_some_and(|major| major < OLDEST) {
            return Some(Self::TooOld(macos.to_owned()));
        }
        if facts.offered == Some(false) || answer == UNSUPPORTED {
            return Some(match facts.in_vm {
                Some(true) => Self::Nested,
                _ => Self::NotOffered,
            });
        }
        let entitled = facts.entitlements.as_deref().is_some_and(is_entitled);
        (answer == DENIED).then_some(if entitled { Self::Refused } else { Self::NotEntitled })
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::TooOld(_) => "it takes macOS 13 or newer: update it",
            Self::Nested => {
                "run it on the Mac itself, or in a VM that was made with nested virtualisation \
                 (M3 or newer, macOS 15; not every system may be the guest). Hosted builders are \
                 such VMs"
            }
            Self::NotOffered => {
                "it wants a Mac with Apple silicon; `sysctl kern.hv_support` says 1 where it works"
            }
            Self::NotEntitled => {
                "sign it with the entitlement: `codesign --force --sign - --entitlements \
                 entitlements.plist PROGRAM`; `cargo run` on macOS does so by itself"
            }
            Self::Refused => {
                "something else forbids it: the sandbox of a program that started it, or who \
                 manages this Mac; `log show --last 1m --predicate 'sender == \"AppleMobileFile\
                 Integrity\" OR process == \"kernel\"'` may tell"
            }
        }
    }

    pub(super) fn into_error(self, name: &'static str) -> HypervisorError {
        HypervisorError::Unavailable {
            name: name.into(),
            reason: self.to_string(),
            remedy: self.remedy().into(),
        }
    }
}

/// Whether a property list of entitlements has the one that is needed, and it is true.
fn is_entitled(list: &str) -> bool {
    let value = list.split_once(ENTITLEMENT).map(|(_, after)| after.trim_start());
    value.is_some_and(|value| value.starts_with("<true/>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `HV_ERROR`.
    const ERROR: i32 = 0xfae9_4001_u32.cast_signed();

    fn entitlements() -> String {
        include_str!("../../../entitlements.plist").to_owned()
    }

    /// A Mac where it works.
    fn mac() -> Facts {
        Facts {
            macos: Some("14.6.1".to_owned()),
            offered: Some(true),
            in_vm: Some(false),
            entitlements: Some(entitlements()),
        }
    }

    #[test]
    fn each_obstacle_is_told_from_the_others() {
        let unentitled = Facts { entitlements: Some(String::new()), ..mac() };
        let in_vm = Facts { in_vm: Some(true), ..mac() };
        let runner = Facts { offered: Some(false), ..in_vm.clone() };
        let intel = Facts { offered: Some(false), ..mac() };
        let old = Facts { macos: Some("12.7".to_owned()), ..unentitled.clone() };
        let first = Facts { macos: Some("13.0".to_owned()), ..mac() };
        let too_old = || Some(Obstacle::TooOld("12.7".to_owned()));
        for (answer, facts, wanted) in [
            (DENIED, &unentitled, Some(Obstacle::NotEntitled)),
            (DENIED, &mac(), Some(Obstacle::Refused)),
            (DENIED, &old, too_old()),
            (ERROR, &old, too_old()),
            (UNSUPPORTED, &in_vm, Some(Obstacle::Nested)),
            (UNSUPPORTED, &mac(), Some(Obstacle::NotOffered)),
            // Where there are no VMs, being entitled or not makes no difference.
            (DENIED, &runner, Some(Obstacle::Nested)),
            (ERROR, &runner, Some(Obstacle::Nested)),
            (DENIED, &intel, Some(Obstacle::NotOffered)),
            // A VM with nested virtualisation is as good as a Mac.
            (DENIED, &Facts { entitlements: None, ..in_vm.clone() }, Some(Obstacle::NotEntitled)),
            (ERROR, &in_vm, None),
            (ERROR, &first, None),
            // Nothing is known but the answer.
            (DENIED, &Facts::default(), Some(Obstacle::NotEntitled)),
            (UNSUPPORTED, &Facts::default(), Some(Obstacle::NotOffered)),
            (ERROR, &Facts::default(), None),
        ] {
            assert_eq!(Obstacle::find(answer, facts), wanted, "{answer:#x}, {facts:?}");
        }
    }

    #[test]
    fn odd_facts_are_no_obstacle() {
        for macos in ["", "x", "99999999999999", ".", "26"] {
            let facts = Facts { macos: Some(macos.to_owned()), ..mac() };
            assert_eq!(Obstacle::find(ERROR, &facts), None, "{macos}");
        }
    }

    #[test]
    fn an_entitlement_counts_when_it_is_true() {
        assert!(is_entitled(&entitlements()));
        for list in ["", ENTITLEMENT, "<key>com.apple.security.hypervisor</key><false/>"] {
            assert!(!is_entitled(list), "{list}");
        }
    }

    #[test]
    fn all_of_them_say_what_to_do() {
        for (obstacle, hint) in [
            (Obstacle::TooOld("12.7".to_owned()), "macOS 13"),
            (Obstacle::Nested, "nested virtualisation"),
            (Obstacle::NotOffered, "Apple silicon"),
            (Obstacle::NotEntitled, "codesign"),
            (Obstacle::Refused, "log show"),
        ] {
            let said = obstacle.clone().into_error("hvf").to_string();
            assert!(said.contains("not available") && said.contains(hint), "{said}");
            assert!(said.contains(&obstacle.to_string()), "{said}");
        }
    }
}

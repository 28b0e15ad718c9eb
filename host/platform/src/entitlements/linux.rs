//! Linux: the process's own status, and what it can do when it tries.

use std::fs::File;
use std::io;

pub(super) const HOW: &str = "/proc/self/status, and trying";
pub(super) const REMEDY: &str =
    "access to /dev/kvm (group `kvm`), and no filter against executable memory";

/// `/proc/self/status`, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Entitlements {
    capabilities: u64,
    no_new_privs: bool,
    seccomp: bool,
}

/// Numbers of `linux/capability.h`.
const CAPABILITIES: [(&str, u32); 12] = [
    ("chown", 0),
    ("dac_override", 1),
    ("kill", 5),
    ("setuid", 7),
    ("net_bind_service", 10),
    ("net_admin", 12),
    ("ipc_lock", 14),
    ("sys_ptrace", 19),
    ("sys_admin", 21),
    ("sys_nice", 23),
    ("sys_resource", 24),
    ("bpf", 39),
];

impl Entitlements {
    pub(super) fn current() -> io::Result<Self> {
        std::fs::read_to_string("/proc/self/status").map(|status| Self::parse(&status))
    }

    fn parse(status: &str) -> Self {
        let mut found = Self::default();
        for (name, value) in status.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name {
                "CapEff" => found.capabilities = u64::from_str_radix(value, 16).unwrap_or(0),
                "NoNewPrivs" => found.no_new_privs = value == "1",
                "Seccomp" => found.seccomp = value != "0",
                _ => {}
            }
        }
        found
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match name {
            super::HYPERVISOR => File::options().read(true).write(true).open("/dev/kvm").is_ok(),
            super::ALLOW_JIT | "com.apple.security.cs.allow-unsigned-executable-memory" => {
                crate::code::can_execute()
            }
            "com.apple.security.app-sandbox" => self.seccomp,
            "com.apple.security.network.client" | "com.apple.security.network.server" => {
                std::net::UdpSocket::bind(("127.0.0.1", 0)).is_ok()
            }
            "no-new-privs" => self.no_new_privs,
            _ => name.strip_prefix("cap:").is_some_and(|name| self.has_capability(name)),
        }
    }

    fn has_capability(&self, name: &str) -> bool {
        let known = CAPABILITIES.iter().find(|(known, _)| *known == name);
        known.is_some_and(|(_, number)| self.capabilities >> number & 1 == 1)
    }

    pub(super) fn signing(&self) -> String {
        "programs are not signed on Linux".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read() {
        let status = "Name:\tx\nCapEff:\t0000000000080000\nNoNewPrivs:\t1\nSeccomp:\t2\n";
        let found = Entitlements::parse(status);
        assert!(found.has("cap:sys_ptrace") && !found.has("cap:sys_admin"));
        assert!(found.has("no-new-privs") && found.has("com.apple.security.app-sandbox"));
        assert!(!found.has("com.example.unknown") && !found.has("cap:unknown"));
        let none = Entitlements::parse("CapEff: what\n");
        assert!(!none.has("cap:chown") && !none.has("no-new-privs"));
    }
}

//! Linux: the journal, where there is one.

use crate::availability::Availability;
use std::path::Path;

/// Sends events to journald.
pub type SystemLayer = tracing_journald::Layer;

/// Where journald listens (`systemd-journald.service(8)`).
const SOCKET: &str = "/run/systemd/journal/socket";

/// A layer that sends events to the journal, under this name; `None` where there is no journal.
/// Its socket is opened here: make it before a [sandbox](crate::sandbox) is entered.
pub fn system_layer(subsystem: &'static str) -> Option<SystemLayer> {
    tracing_journald::layer().ok().map(|layer| layer.with_syslog_identifier(subsystem.to_owned()))
}

pub(super) fn availability() -> Availability {
    let journal = Path::new(SOCKET).exists();
    Availability {
        system: "log",
        available: true,
        how: if journal { "journald, standard error" } else { "standard error" }.to_owned(),
        missing: (!journal).then(|| format!("no journal: {SOCKET} is not there")),
        remedy: (!journal).then(|| "a system with systemd-journald; or use standard error".into()),
    }
}

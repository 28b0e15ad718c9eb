//! What `--version` prints.

use std::sync::LazyLock;

/// The version and the commit that the program was built from: `-V`.
pub(super) const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("WRT_COMMIT"), ")");

/// The engines in the guests besides: `--version`.
pub(super) static LONG: LazyLock<String> =
    LazyLock::new(|| format!("{SHORT}\nengines: {}", wrt_guest_images::ENGINES));

//! The profile as Seatbelt reads it: a list in its own Scheme.
//!
//! Paths never become part of the text: they are parameters, which the text names. Only
//! operations that have been there for many versions are used, since an unknown one makes the
//! whole profile invalid. What is not named is denied; Chromium's and Firefox's profiles begin
//! the same way. `sandbox-exec -p` tries such a text.

use super::Profile;
use super::profile::Purpose;
use std::ffi::{CString, NulError};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// A profile's text, and its parameters in pairs of name and value.
pub(super) struct Text {
    pub(super) profile: String,
    pub(super) parameters: Vec<CString>,
}

/// What every process needs that goes on running: its own facts, its own threads.
const BASE: &str = "(version 1)
(deny default)
(allow sysctl-read)
(allow process-info* (target self))
(allow signal (target self))
(allow file-read* (literal \"/dev/urandom\") (literal \"/dev/random\") (literal \"/dev/null\"))
(allow file-write-data (literal \"/dev/null\"))
";

/// What is changed in a place that may be written: contents, names and times, as WASI does. Not
/// modes (set-user-ID ones among them), owners, flags, attributes and access lists.
const CHANGES: &str = "file-write-create file-write-data file-write-unlink file-write-times";

/// Writes the profile, whose places have these paths, without links.
///
/// # Errors
///
/// When a path has a NUL in it.
pub(super) fn text(profile: &Profile, paths: &[PathBuf]) -> Result<Text, NulError> {
    let mut text = BASE.to_owned();
    let mut allow = |denied: bool, rule: &str| {
        if !denied {
            text.push_str("(allow ");
            text.push_str(rule);
            text.push_str(")\n");
        }
    };
    allow(profile.network, "network*");
    allow(profile.network, "system-socket");
    // What links, sizes and times are about; in allowed places it is part of reading.
    allow(profile.paths, "file-read-metadata");
    allow(profile.reads, "file-read*");
    allow(profile.writes, "file-write*");
    allow(profile.fork, "process-fork");
    allow(profile.exec, "process-exec*");
    allow(profile.ipc, "mach*");
    allow(profile.ipc, "ipc*");
    allow(profile.ipc, "iokit-open");
    // What maps files as code; memory of MAP_JIT is the entitlement's affair.
    allow(profile.executable_memory, "file-map-executable");
    // No rule tells signals apart.
    allow(profile.confines_signals(), "signal");
    let mut parameters = Vec::new();
    for (number, (place, path)) in profile.places.iter().zip(paths).enumerate() {
        let name = format!("PLACE_{number}");
        let operations: &[&str] = match place.purpose {
            Purpose::Read => &["file-read*"],
            Purpose::ReadWrite => &["file-read*", CHANGES],
            Purpose::Remove => &["file-write-unlink"],
        };
        for operation in operations {
            allow(false, &format!("{operation} (subpath (param \"{name}\"))"));
        }
        parameters.push(CString::new(name)?);
        parameters.push(CString::new(path.as_os_str().as_bytes())?);
    }
    Ok(Text { profile: text, parameters })
}

#[cfg(test)]
mod tests {
    use super::super::ProfileBuilder;
    use super::*;

    fn lines(profile: &Profile) -> Vec<String> {
        text(profile, &[]).unwrap().profile.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_denied_is_not_named() {
        let closed = Profile::builder().deny_all().build().unwrap();
        assert_eq!(text(&closed, &[]).unwrap().profile, BASE);
    }

    #[test]
    fn what_files_are_like_is_asked_for_in_places_alone() {
        let closed = |profile: ProfileBuilder| {
            let profile = profile.deny_file_write_all().deny_paths().allow_file_read_write(&["/"]);
            text(&profile.build().unwrap(), &["/".into()]).unwrap().profile
        };
        let closed = closed(Profile::builder().deny_file_read_all());
        assert!(!closed.contains("file-read-metadata"), "{closed}");
        let place = closed.lines().filter(|line| line.contains("PLACE_0"));
        for line in place.clone() {
            assert!(line.ends_with(" (subpath (param \"PLACE_0\")))"), "{line}");
        }
        let changes: Vec<&str> = place
            .flat_map(|line| line.split(['(', ' ', ')']))
            .filter(|word| word.starts_with("file-write"))
            .collect();
        // `file-write*` has these, and modes, owners, flags, attributes, access lists, mounts.
        assert_eq!(
            changes,
            ["file-write-create", "file-write-data", "file-write-unlink", "file-write-times"]
        );
        assert!(lines(&Profile::default()).contains(&"(allow file-read-metadata)".to_owned()));
    }

    #[test]
    fn what_is_open_is_allowed() {
        let lines = lines(&Profile::default());
        for rule in ["network*", "file-read*", "file-write*", "process-fork", "mach*"] {
            assert!(lines.contains(&format!("(allow {rule})")), "{rule} in {lines:#?}");
        }
        assert!(!lines.contains(&"(allow signal)".to_owned()));
    }

    #[test]
    fn paths_are_parameters_never_text() {
        let parent = tempfile::tempdir().unwrap();
        let odd = parent.path().join("a\") (allow default) (\"");
        std::fs::create_dir(&odd).unwrap();
        let profile = Profile::builder()
            .deny_file_write_all()
            .allow_file_read_write(&[&odd])
            .build()
            .unwrap();
        let text = text(&profile, &[odd]).unwrap();
        assert!(!text.profile.contains("(allow default)"));
        assert!(text.profile.contains("file-write-times (subpath (param \"PLACE_0\")))"));
        assert_eq!(text.parameters[0].as_bytes(), b"PLACE_0");
        assert!(text.parameters[1].as_bytes().ends_with(b"(\""));
    }

    #[test]
    fn read_only_places_get_no_write_rule() {
        let profile = Profile::builder().allow_file_read(&["/"]).deny_file_write_all().build();
        let text = text(&profile.unwrap(), &["/".into()]).unwrap().profile;
        assert!(text.contains("(allow file-read* (subpath (param \"PLACE_0\")))"));
        assert!(!text.contains("file-write* (subpath"));
    }

    #[test]
    fn a_place_for_removal_is_neither_read_nor_written() {
        let profile = Profile::builder().allow_file_removal(&["/"]).deny_file_write_all().build();
        let text = text(&profile.unwrap(), &["/".into()]).unwrap().profile;
        assert!(text.contains("(allow file-write-unlink (subpath (param \"PLACE_0\")))"));
        assert!(!text.contains("file-read* (subpath") && !text.contains("file-write-data (sub"));
    }

    #[test]
    fn parentheses_balance() {
        let text = text(&Profile::default(), &[]).unwrap().profile;
        let (open, close) = (text.matches('(').count(), text.matches(')').count());
        assert_eq!(open, close);
    }
}

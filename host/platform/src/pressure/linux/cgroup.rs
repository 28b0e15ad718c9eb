//! The control group that confines this process's memory, of either version.

use super::PressureLevel;
use super::gauge::{self, number, value};
use std::path::{Path, PathBuf};

/// The group, and the groups that it lies in. Nothing at all where there is none.
#[derive(Debug, Default)]
pub(super) struct Cgroup {
    /// Innermost first.
    groups: Vec<PathBuf>,
    version: Version,
    /// Events so far: over the limit, and out of memory.
    seen: Option<Events>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Version {
    #[default]
    One,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Events {
    limit: u64,
    out: u64,
}

impl Cgroup {
    pub(super) fn of_this_process() -> Self {
        let text = |file| std::fs::read_to_string(file).unwrap_or_default();
        find(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo"))
    }

    /// Stalls of the group's own tasks, if the kernel counts them.
    pub(super) fn pressure_file(&self) -> Option<PathBuf> {
        let group = self.groups.first().filter(|_| self.version == Version::Two)?;
        Some(group.join("memory.pressure"))
    }

    /// Whether any of the groups has a limit.
    pub(super) fn is_limited(&self) -> bool {
        self.memory_limit().is_some()
    }

    /// Bytes that the group and all that it lies in may have, if there is a limit.
    pub(super) fn memory_limit(&self) -> Option<u64> {
        self.groups.iter().filter_map(|group| limit(group, self.version)).min()
    }

    /// The level by how much of a limit is left.
    pub(super) fn level(&self) -> PressureLevel {
        self.groups.iter().filter_map(|group| level(group, self.version)).max().unwrap_or_default()
    }

    /// The level if there were events since the last time.
    pub(super) fn events(&mut self) -> Option<PressureLevel> {
        let file = self.groups.first()?.join("memory.events");
        let text = std::fs::read_to_string(file).ok()?;
        let count = |name| value(&text, name).unwrap_or(0);
        let now = Events { limit: count("high") + count("max"), out: count("oom") };
        let before = self.seen.replace(now)?;
        match () {
            () if now.out > before.out => Some(PressureLevel::Critical),
            () if now.limit > before.limit => Some(PressureLevel::Urgent),
            () => None,
        }
    }
}

/// The group by `/proc/self/cgroup`, in the place where `/proc/self/mountinfo` has it.
fn find(membership: &str, mounts: &str) -> Cgroup {
    let path = |version| {
        membership.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let ours = match version {
                Version::One => controllers.split(',').any(|name| name == "memory"),
                Version::Two => controllers.is_empty(),
            };
            ours.then_some(path)
        })
    };
    let place = |version| {
        mounts.lines().find_map(|line| {
            let (mount, filesystem) = line.split_once(" - ")?;
            let mut fields = mount.split_whitespace().skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            let mut fields = filesystem.split_whitespace();
            let (kind, options) = (fields.next()?, fields.nth(1)?);
            let ours = match version {
                Version::One => {
                    kind == "cgroup" && options.split(',').any(|option| option == "memory")
                }
                Version::Two => kind == "cgroup2",
            };
            ours.then_some((root, point))
        })
    };
    for version in [Version::Two, Version::One] {
        let (Some(path), Some((root, point))) = (path(version), place(version)) else { continue };
        let groups = groups(Path::new(path), Path::new(root), Path::new(point));
        let groups: Vec<_> =
            groups.into_iter().filter(|group| usage_file(group, version).exists()).collect();
        if !groups.is_empty() {
            return Cgroup { groups, version, seen: None };
        }
    }
    Cgroup::default()
}

/// The group's folder and those above it, as far as they are mounted.
fn groups(path: &Path, root: &Path, point: &Path) -> Vec<PathBuf> {
    let inside = path.strip_prefix(root).or_else(|_| path.strip_prefix("/")).unwrap_or(path);
    let group = point.join(inside);
    group.ancestors().take_while(|folder| folder.starts_with(point)).map(Into::into).collect()
}

fn usage_file(group: &Path, version: Version) -> PathBuf {
    group.join(match version {
        Version::One => "memory.usage_in_bytes",
        Version::Two => "memory.current",
    })
}

/// Bytes that the group may have, if that is not all there are.
fn limit(group: &Path, version: Version) -> Option<u64> {
    match version {
        // What stands for no limit is nearly as large as the type.
        Version::One => number(&group.join("memory.limit_in_bytes")).filter(|max| *max < 1 << 60),
        // "max" is no number.
        Version::Two => {
            let both = ["memory.max", "memory.high"].map(|file| number(&group.join(file)));
            both.into_iter().flatten().min()
        }
    }
}

/// The level by what is left of a group's limit, counting as left what is only cached.
fn level(group: &Path, version: Version) -> Option<PressureLevel> {
    let limit = limit(group, version)?;
    let used = number(&usage_file(group, version))?;
    let text = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let prefix = if version == Version::One { "total_" } else { "" };
    let cached = |name: &str| value(&text, &format!("{prefix}{name}")).unwrap_or(0);
    let held = used.saturating_sub(cached("inactive_file") + cached("active_file"));
    Some(gauge::level(limit.saturating_sub(held), limit))
}

#[cfg(test)]
mod tests;

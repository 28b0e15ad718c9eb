//! Finds the guest images, or builds them where their sources are: see `src/lib.rs`.

use std::env::var;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// Files and folders of the guest whose contents decide what is built.
const SOURCES: [&str; 11] = [
    "src",
    "wit",
    "child",
    "compiler",
    "engine-config",
    "patches",
    "Cargo.toml",
    "Cargo.lock",
    "builder",
    "check-toolchain",
    "../shared-abi/src",
];

type Result<T> = std::result::Result<T, String>;

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {error}");
        exit(1);
    }
}

fn run() -> Result<()> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut arches = vec![variable("CARGO_CFG_TARGET_ARCH")?];
    if var("CARGO_FEATURE_ALSO_AARCH64").is_ok() && arches[0] != "aarch64" {
        arches.push("aarch64".to_owned());
    }
    let guest = here.join("..");
    let sources = guest.join("builder").exists();
    if sources {
        for source in SOURCES {
            println!("cargo::rerun-if-changed={}", guest.join(source).display());
        }
        check_toolchain(&guest, &arches)?;
    } else {
        println!("cargo::rerun-if-changed={}", here.join("prebuilt").display());
    }
    let mut images = Vec::new();
    for arch in &arches {
        let folder = match sources {
            true => build(&guest, arch, &work_folder(&out)?)?,
            false => here.join("prebuilt").join(arch),
        };
        images.push(Images::open(arch, folder)?);
    }
    let file = out.join("guests.rs");
    fs::write(&file, embed(&images)?).map_err(|error| format!("{}: {error}", file.display()))
}

fn variable(name: &str) -> Result<String> {
    var(name).map_err(|error| format!("{name}: {error}"))
}

/// The targets that rustc needs are checked before minutes of compiling.
fn check_toolchain(guest: &Path, arches: &[String]) -> Result<()> {
    let mut targets = vec!["wasm32-wasip1"];
    for arch in arches {
        match arch.as_str() {
            "x86_64" => targets.extend(["x86_64-unknown-none", "x86_64-unknown-linux-gnu"]),
            "aarch64" => targets.push("aarch64-unknown-none"),
            _ => return Err(format!("wrt-vm has no guests for {arch}, only x86_64 and aarch64")),
        }
    }
    let script = guest.join("check-toolchain");
    let status = Command::new(&script).arg(variable("RUSTC")?).args(targets).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("the toolchain cannot build wrt-vm's guests, as said above".to_owned()),
        Err(error) => Err(format!("{}: {error}", script.display())),
    }
}

/// A folder that all profiles, feature sets and targets of the host share: the guests are the
/// same programs for all of them, and take minutes to build. `OUT_DIR` is
/// TARGET/\[TRIPLE/\]PROFILE/build/PACKAGE/out; the triple is there when cargo was given one.
fn work_folder(out: &Path) -> Result<PathBuf> {
    let folder = out.ancestors().nth(4).unwrap_or(out);
    let shared = match folder.ends_with(variable("TARGET")?) {
        true => folder.parent().unwrap_or(folder),
        false => folder,
    };
    Ok(shared.join("guest"))
}

/// Builds `builder` and runs it; returns the folder of images that it names. What both say on the
/// way goes to a file, since cargo shows none of it in the minutes that this takes.
fn build(guest: &Path, arch: &str, work: &Path) -> Result<PathBuf> {
    let log = work.join("build.log");
    let output = fs::create_dir_all(work)
        .and_then(|()| File::create(&log))
        .map_err(|error| format!("{}: {error}", log.display()))
        .and_then(|to| build_logged(guest, arch, work, &to));
    if output.is_err() {
        eprint!("{}", fs::read_to_string(&log).unwrap_or_default());
    }
    let folder = String::from_utf8(output?).map_err(|error| error.to_string())?;
    Ok(PathBuf::from(folder.trim_end()))
}

fn build_logged(guest: &Path, arch: &str, work: &Path, log: &File) -> Result<Vec<u8>> {
    let (target, machine) = (work.join("builder"), variable("HOST")?);
    let mut cargo = Command::new(variable("CARGO")?);
    // What this build says of profiles, flags and targets is not for the builder.
    for (name, _) in std::env::vars_os() {
        if is_of_this_build(&name) {
            cargo.env_remove(name);
        }
    }
    // Not this repository's wrapper either, which checks more than the guests need.
    cargo.env("RUSTC_WRAPPER", "");
    cargo.current_dir(guest.join("builder"));
    cargo.args(["build", "--locked", "--example", "images"]);
    cargo.args(["--target", &machine, "--target-dir"]).arg(&target);
    // It runs for a moment: compiling it is what takes time.
    cargo.args(["--config", "profile.dev.debug=false"]);
    cargo.args(["--config", "profile.dev.package.'*'.opt-level=0"]);
    run_logged(&mut cargo, log)?;
    // Not by `cargo run`, which would keep the job server to itself.
    let mut images = Command::new(target.join(machine).join("debug/examples/images"));
    run_logged(images.arg(guest).arg(arch).arg(work), log)
}

/// Runs a command; returns its standard output.
fn run_logged(command: &mut Command, log: &File) -> Result<Vec<u8>> {
    let to = log.try_clone().map_err(|error| error.to_string())?;
    let output = command.stderr(to).output();
    let output = output.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("the guests' build failed ({})", output.status)),
    }
}

fn is_of_this_build(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let groups = ["PROFILE_", "TARGET_", "FEATURE_", "CFG_", "BUILD_", "ENCODED_RUSTFLAGS"];
    let of_cargo = name
        .strip_prefix("CARGO_")
        .is_some_and(|rest| groups.iter().any(|group| rest.starts_with(group)));
    of_cargo || ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"].contains(&&*name)
}

/// A folder with the images for one processor, and what its manifest says.
struct Images<'a> {
    arch: &'a str,
    folder: PathBuf,
    manifest: String,
}

impl<'a> Images<'a> {
    fn open(arch: &'a str, folder: PathBuf) -> Result<Self> {
        let manifest = folder.join("manifest");
        let manifest = fs::read_to_string(&manifest).map_err(|error| {
            format!("there are no guest images for {arch} here ({}: {error})", manifest.display())
        })?;
        let images = Self { arch, folder, manifest };
        let (have, want) = (images.said("version")?, variable("CARGO_PKG_VERSION")?);
        if have != want {
            let folder = images.folder.display();
            return Err(format!("{folder} has guest images of version {have}; this is {want}"));
        }
        Ok(images)
    }

    /// What the manifest says about something.
    fn said(&self, about: &str) -> Result<&str> {
        let mut lines = self.manifest.lines().filter_map(|line| line.split_once(' '));
        let found = lines.find(|(name, _)| *name == about);
        let missing = || format!("{}/manifest does not say {about}", self.folder.display());
        found.map(|(_, said)| said).ok_or_else(missing)
    }
}

/// The Rust that embeds images.
fn embed(all: &[Images<'_>]) -> Result<String> {
    let mut source =
        String::from("/// All guests of this build.\npub static GUESTS: &[Guest] = &[\n");
    for images in all {
        let arch = if images.arch == "x86_64" { "X86_64" } else { "Aarch64" };
        let text = images.said("text")?.replace(' ', "..");
        _ = writeln!(source, "    Guest {{\n        arch: Arch::{arch},\n        text: {text},");
        for name in ["interp", "native", "compiler"] {
            let file = images.folder.join(name);
            _ = writeln!(source, "        {name}: &PageAligned(*include_bytes!({file:?})),");
        }
        let child = images.folder.join("child");
        _ = writeln!(source, "        child: include_bytes!({child:?}),\n    }},");
    }
    let first = all.first().ok_or("there are no images to embed")?;
    let (abi, id) = (first.said("abi")?, first.said("compiler")?);
    let engines = first.said("engines")?;
    _ = writeln!(source, "];\n\n/// Names the compiler: a digest of it.");
    _ = writeln!(source, "pub const COMPILER_ID: &str = {id:?};\n");
    _ = writeln!(source, "/// The engines in the guests, with their versions.");
    _ = writeln!(source, "pub const ENGINES: &str = {engines:?};\n\nconst ABI: u32 = {abi};");
    Ok(source)
}

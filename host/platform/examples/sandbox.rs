//! Gives up what this program does not need, and tries it all the same.
//!
//!     cargo run -p wrt-platform --example sandbox

use std::error::Error;
use std::fs::{self, File};
use std::net::TcpStream;
use std::process::Command;
use wrt_platform::entitlements::{ALLOW_JIT, Entitlements, HYPERVISOR};
use wrt_platform::sandbox::{Profile, Sandbox, Signal};

fn main() -> Result<(), Box<dyn Error>> {
    let readable = if cfg!(target_os = "macos") { "/System" } else { "/usr/lib" };
    let scratch = std::env::temp_dir();
    let profile = Profile::builder()
        .deny_network()
        .deny_file_write_all()
        .allow_file_read(&[readable])
        .allow_file_read_write(&[&scratch])
        .deny_process_fork()
        .deny_ipc()
        .allow_signal(Signal::Term)
        .build()?;
    let enforced = Sandbox::enter(profile)?;
    print!("{enforced}");
    for (part, why) in enforced.missing() {
        println!("not in full: {part}: {why}");
    }

    let file = scratch.join("wrt-sandbox-example");
    said("read /etc/hosts", fs::read("/etc/hosts"));
    said("list what may be read", fs::read_dir(readable));
    said("write /wrt", File::create("/wrt"));
    said("write where it may", File::create(&file));
    said("remove it", fs::remove_file(&file));
    said("connect", TcpStream::connect(("127.0.0.1", 80)));
    said("run a program", Command::new("/bin/ls").status());

    let entitlements = Entitlements::current();
    match entitlements {
        Ok(entitlements) => {
            for name in [HYPERVISOR, ALLOW_JIT] {
                println!("{name}: {}", entitlements.has(name));
            }
        }
        Err(error) => println!("entitlements cannot be read from in here: {error}"),
    }
    Ok(())
}

fn said<T>(what: &str, result: std::io::Result<T>) {
    match result {
        Ok(_) => println!("{what}: done"),
        Err(error) => println!("{what}: {error}"),
    }
}

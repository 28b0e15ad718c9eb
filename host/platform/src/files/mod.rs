//! What systems do with open files under different names.

use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("files are those of Linux and macOS");

pub use sys::{Advice, NAMED, RENAME_FOLLOWS_LINKS, advise, position_behind, set_times_of_named};

/// How often a pipe is tried until a process reads it.
const RETRY: Duration = Duration::from_millis(10);

/// Makes a file, or empties it, as [`File::create`]. A named pipe is waited for until a process
/// opens it to read, but no longer than `limit`.
///
/// # Errors
///
/// The system's; of a pipe that no process reads, `TimedOut`.
pub fn create(path: &Path, limit: Duration) -> io::Result<File> {
    let begun = Instant::now();
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = loop {
        let error = match options.open(path) {
            Ok(file) => break file,
            Err(error) => error,
        };
        let waits = Errno::from_io_error(&error) == Some(Errno::NXIO)
            && fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
        if !waits {
            return Err(error);
        }
        if begun.elapsed() >= limit {
            let text = format!("no process read this pipe within {} s", limit.as_secs_f64());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        std::thread::sleep(RETRY.min(limit));
    };
    rustix::io::ioctl_fionbio(&file, false)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::process::Command;

    #[test]
    fn a_pipe_is_waited_for_until_it_is_read_or_the_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let limit = Duration::from_millis(100);
        let begun = Instant::now();
        let error = create(&pipe, limit).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= limit && error.to_string().contains("0.1 s"), "{error}");

        let path = pipe.clone();
        let reader = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let mut text = String::new();
            File::open(path).unwrap().read_to_string(&mut text).map(|_| text)
        });
        let mut file = create(&pipe, Duration::from_secs(60)).unwrap();
        // More than the pipe takes without waiting.
        file.write_all(&[b'x'; 200_000]).unwrap();
        drop(file);
        assert_eq!(reader.join().unwrap().unwrap().len(), 200_000);
    }

    #[test]
    fn a_file_is_made_and_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in ["longer", "text"] {
            create(&path, Duration::ZERO).unwrap().write_all(text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let error = create(&folder.path().join("no/file"), Duration::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

//! Runs of small reads among all else that is done with a file: each sees what is in it then, from
//! where the last one ended.
//!
//! A host may read ahead in such a run. The program does what random numbers say, to a file with
//! two descriptors and to a copy in memory.

use wasi_programs::*;

const STEPS: usize = 600;
const SIZE: usize = 300_000;

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// A descriptor, and where its next read begins.
struct Reader {
    fd: Fd,
    at: usize,
}

impl Reader {
    fn open() -> Self {
        Self { fd: ok(open("file", 0, READ | WRITE)), at: 0 }
    }

    #[track_caller]
    fn read(&mut self, len: usize, copy: &[u8]) {
        let mut bytes = vec![0x55; len];
        // All places are filled, as by `readv`: what comes short is at the end of the file.
        let (first, rest) = bytes.split_at_mut(len / 3);
        let read = ok(fd_read(self.fd, &mut [first, &mut [], rest]));
        self.check(self.at, &bytes[..read], len, copy);
        self.at += read;
    }

    #[track_caller]
    fn read_at(&mut self, at: usize, len: usize, copy: &[u8]) -> usize {
        let mut bytes = vec![0x55; len];
        let read = ok(fd_pread(self.fd, &mut [&mut bytes], at as u64));
        self.check(at, &bytes[..read], len, copy);
        read
    }

    #[track_caller]
    fn check(&self, at: usize, bytes: &[u8], len: usize, copy: &[u8]) {
        let there = copy.get(at..).unwrap_or_default();
        let there = &there[..there.len().min(len)];
        assert_eq!(bytes.len(), there.len(), "{len} from {at} of {}", copy.len());
        assert!(bytes == there, "{len} from {at} of {} are others", copy.len());
    }
}

fn main() {
    let mut numbers = Numbers(7);
    let mut copy: Vec<u8> = (0..SIZE).map(|at| (at * 7 + at / 251) as u8).collect();
    create("file", &copy);
    let mut readers = [Reader::open(), Reader::open()];
    for _ in 0..STEPS {
        let which = numbers.below(2);
        let reader = &mut readers[which];
        match numbers.below(16) {
            // Runs, of which most are of one size.
            0..=5 => {
                let len = [1, 7, 100, 512, 4096, 10_000, 65_536][numbers.below(7)];
                for _ in 0..numbers.below(40) {
                    reader.read(len, &copy);
                }
            }
            6 => {
                for _ in 0..numbers.below(20) {
                    reader.read(numbers.below(3000), &copy);
                }
            }
            7 | 8 => {
                let (mut at, len) = (numbers.below(SIZE), 1 + numbers.below(5000));
                for _ in 0..numbers.below(30) {
                    at += reader.read_at(at, len, &copy);
                }
            }
            9 => {
                reader.at = numbers.below(SIZE + 100);
                let to = ok(fd_seek(reader.fd, reader.at as i64, WHENCE_SET));
                assert_eq!(to, reader.at as u64);
            }
            10 => assert_eq!(ok(fd_tell(reader.fd)), reader.at as u64),
            11 => {
                // Behind the reader, or in what it would read next.
                let bytes = vec![numbers.below(256) as u8; 1 + numbers.below(3000)];
                let at = (reader.at + numbers.below(6000)).min(copy.len());
                let other = ok(open("file", 0, WRITE));
                assert_eq!(ok(fd_pwrite(other, &[&bytes], at as u64)), bytes.len());
                ok(fd_close(other));
                copy.resize(copy.len().max(at + bytes.len()), 0);
                copy[at..][..bytes.len()].copy_from_slice(&bytes);
            }
            12 => {
                // By the descriptor itself, whose position moves.
                let bytes = [0xaa; 100];
                let at = reader.at.min(copy.len());
                if at < reader.at {
                    ok(fd_seek(reader.fd, at as i64, WHENCE_SET));
                }
                assert_eq!(ok(fd_write(reader.fd, &[&bytes])), 100);
                copy.resize(copy.len().max(at + 100), 0);
                copy[at..][..100].copy_from_slice(&bytes);
                reader.at = at + 100;
            }
            13 => {
                let size = SIZE / 2 + numbers.below(SIZE);
                ok(fd_filestat_set_size(readers[1 - which].fd, size as u64));
                copy.resize(size, 0);
            }
            14 => {
                ok(fd_close(reader.fd));
                *reader = Reader::open();
            }
            _ => {
                ok(clock_time_get(CLOCKID_MONOTONIC, 0));
            }
        }
    }
    // To the end, past it, and on when there is more.
    let reader = &mut readers[0];
    while reader.at < copy.len() {
        reader.read(999, &copy);
    }
    for _ in 0..10 {
        reader.read(999, &copy);
    }
    let more = [1; 5000];
    let other = ok(open("file", 0, WRITE));
    assert_eq!(ok(fd_pwrite(other, &[&more], copy.len() as u64)), more.len());
    copy.extend(more);
    for _ in 0..10 {
        reader.read(999, &copy);
    }
    assert_eq!(ok(fd_tell(reader.fd)), copy.len() as u64);
    ok(path_unlink_file(ROOT, "file"));
}

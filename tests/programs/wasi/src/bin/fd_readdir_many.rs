//! `fd_readdir` over 2,000 entries: each once, whatever the buffer.

use wasi_programs::*;

const COUNT: usize = 2_000;

fn main() {
    ok(path_create_directory(ROOT, "many"));
    let many = open_directory("many");
    let mut want = Vec::new();
    for index in 0..COUNT {
        let name = format!("entry-{index:04}");
        ok(fd_close(ok(open_at(many, &name, OFLAGS_CREAT, WRITE))));
        want.push(name);
    }

    // Down to buffers of 60 entries; a shorter walk below has room for one.
    for size in [2048, 64 * 1024, 1024 * 1024] {
        let all = read_directory(many, size);
        assert_eq!(all.len(), COUNT + 2);
        let mut names: Vec<&str> = all[2..].iter().map(|e| e.name.as_str()).collect();
        names.sort();
        assert_eq!(names, want);
    }

    let all = read_directory(many, 1024 * 1024);
    let mut buffer = [0; DIRENT_SIZE + "entry-0000".len()];
    for pair in all[COUNT - 20..].windows(2) {
        assert_eq!(ok(fd_readdir(many, &mut buffer, pair[0].next)), buffer.len());
        assert_eq!(entries(&buffer), pair[1..]);
    }

    for name in &want {
        ok(path_unlink_file(many, name));
    }
    assert!(names(many).is_empty());
    ok(path_remove_directory(ROOT, "many"));
}

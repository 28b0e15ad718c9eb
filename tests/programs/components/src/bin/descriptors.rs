//! The methods of a descriptor that the standard library does not show.

use component_programs::*;
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::types::Advice;

fn main() {
    let root = root();
    let none = PathFlags::empty();
    let file = create("file", b"0123456789");
    assert_eq!(file.get_type(), Ok(DescriptorType::RegularFile));
    assert_eq!(root.get_type(), Ok(DescriptorType::Directory));
    assert_eq!(file.get_flags(), Ok(READ_WRITE));
    let read_only = open("file", OpenFlags::empty(), DescriptorFlags::READ).unwrap();
    assert_eq!(read_only.get_flags(), Ok(DescriptorFlags::READ));

    // At offsets, past the end too.
    assert_eq!(file.read(4, 3), Ok((b"3456".to_vec(), false)));
    assert_eq!(file.read(4, 10), Ok((Vec::new(), true)));
    assert_eq!(file.read(0, 0), Ok((Vec::new(), true)));
    assert_eq!(file.write(b"ab", 12), Ok(2));
    assert_eq!(contents(&file), b"0123456789\0\0ab");
    assert_eq!(file.write(b"", 3), Ok(0));
    file.set_size(3).unwrap();
    assert_eq!(contents(&read_only), b"012");
    for advice in [
        Advice::Normal,
        Advice::Sequential,
        Advice::Random,
        Advice::WillNeed,
        Advice::DontNeed,
        Advice::NoReuse,
    ] {
        file.advise(0, 3, advice).unwrap();
    }
    file.sync_data().unwrap();
    file.sync().unwrap();

    // Attributes.
    let stat = file.stat().unwrap();
    assert_eq!((stat.type_, stat.link_count, stat.size), (DescriptorType::RegularFile, 1, 3));
    let time = |seconds| NewTimestamp::Timestamp(Datetime { seconds, nanoseconds: 7 });
    file.set_times(time(1000), time(2000)).unwrap();
    let seconds = |time: Option<Datetime>| time.map(|time| (time.seconds, time.nanoseconds));
    let stat = root.stat_at(none, "file").unwrap();
    assert_eq!(seconds(stat.data_access_timestamp), Some((1000, 7)));
    assert_eq!(seconds(stat.data_modification_timestamp), Some((2000, 7)));
    root.set_times_at(none, "file", NewTimestamp::NoChange, time(3000)).unwrap();
    let stat = file.stat().unwrap();
    assert_eq!(seconds(stat.data_access_timestamp), Some((1000, 7)));
    assert_eq!(seconds(stat.data_modification_timestamp), Some((3000, 7)));
    file.set_times(NewTimestamp::Now, NewTimestamp::NoChange).unwrap();
    assert!(file.stat().unwrap().data_access_timestamp.unwrap().seconds > 1_700_000_000);
    // A host linked with musl does not know it: 0.
    let changed = file.stat().unwrap().status_change_timestamp.unwrap().seconds;
    assert!(changed > 1_700_000_000 || changed == 0);
    let beyond = NewTimestamp::Timestamp(Datetime { seconds: u64::MAX, nanoseconds: 0 });
    assert_eq!(file.set_times(beyond, NewTimestamp::NoChange), Err(ErrorCode::Overflow));

    // Identity.
    let other = create("other", b"");
    assert!(file.is_same_object(&read_only) && !file.is_same_object(&other));
    let hash = |descriptor: &Descriptor| {
        let hash = descriptor.metadata_hash().unwrap();
        (hash.lower, hash.upper)
    };
    assert_eq!(hash(&file), hash(&read_only));
    assert_ne!(hash(&file), hash(&other));
    let at = root.metadata_hash_at(none, "file").unwrap();
    assert_eq!((at.lower, at.upper), hash(&file));

    // Links.
    root.symlink_at("file", "link").unwrap();
    assert_eq!(root.readlink_at("link").as_deref(), Ok("file"));
    let kind = |flags| root.stat_at(flags, "link").unwrap().type_;
    assert_eq!(kind(none), DescriptorType::SymbolicLink);
    assert_eq!(kind(PathFlags::SYMLINK_FOLLOW), DescriptorType::RegularFile);
    let loops = open("link", OpenFlags::empty(), DescriptorFlags::READ).map(drop);
    assert_eq!(loops, Err(ErrorCode::Loop));
    assert_eq!(root.symlink_at("/etc", "absolute"), Err(ErrorCode::NotPermitted));
    root.link_at(none, "file", &root, "hard").unwrap();
    assert_eq!(file.stat().unwrap().link_count, 2);

    // Directories.
    root.create_directory_at("folder").unwrap();
    let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    let folder = open("folder", OpenFlags::DIRECTORY, flags).unwrap();
    assert!(folder.get_flags().unwrap().contains(DescriptorFlags::MUTATE_DIRECTORY));
    for number in 0..3000 {
        // Several calls' worth of entries.
        let name = format!("{number:04}{}", "x".repeat(60));
        let how = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        folder.open_at(none, &name, how, DescriptorFlags::WRITE).unwrap();
    }
    let stream = folder.read_directory().unwrap();
    let mut names = Vec::new();
    while let Some(entry) = stream.read_directory_entry().unwrap() {
        assert_eq!(entry.type_, DescriptorType::RegularFile);
        names.push(entry.name[..4].parse::<u32>().unwrap());
    }
    names.sort_unstable();
    assert!(names.into_iter().eq(0..3000));
    assert_eq!(root.remove_directory_at("folder"), Err(ErrorCode::NotEmpty));

    // Errors by their names.
    assert_eq!(file.read_directory().map(drop), Err(ErrorCode::NotDirectory));
    assert_eq!(file.stat_at(none, "x").map(drop), Err(ErrorCode::NotDirectory));
    assert_eq!(root.stat_at(none, "missing").map(drop), Err(ErrorCode::NoEntry));
    assert_eq!(root.create_directory_at("file"), Err(ErrorCode::Exist));
    assert_eq!(root.stat_at(none, "../outside").map(drop), Err(ErrorCode::NotPermitted));
    assert_eq!(root.stat_at(none, "/etc").map(drop), Err(ErrorCode::NotPermitted));
    let long = "x".repeat(300);
    assert_eq!(root.create_directory_at(&long), Err(ErrorCode::NameTooLong));
    let longer = "x/".repeat(100_000);
    assert_eq!(root.create_directory_at(&longer), Err(ErrorCode::NameTooLong));
    assert!(root.read(1, 0).is_err() && root.write(b"x", 0).is_err());
    println!("done");
}

//! The methods of a descriptor.

use super::{Descriptor, Directory, OpenFile, hash, stat, times};
use crate::engine::native::component::Wasi;
use crate::engine::native::component::bindings::wasi::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, HostDescriptor, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use crate::engine::native::component::failure::Failure;
use crate::engine::native::component::io::{InputStream, OutputStream, Sink, Source};
use crate::engine::native::component::preview1::At;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use wasmtime::component::Resource;
use wrt_abi::services::wasi::{self, Errno, Fdflags, FunctionId, Lookupflags, Oflags, Rights};

/// A function's result.
type Answer<T> = Result<T, Failure>;

/// A descriptor that the program names.
type Of = Resource<Descriptor>;

impl Wasi {
    fn file(&self, of: &Of) -> Answer<Arc<OpenFile>> {
        Ok(Arc::clone(&self.table.get(of)?.0))
    }

    fn fd(&self, of: &Of) -> Answer<u32> {
        Ok(self.table.get(of)?.0.fd)
    }

    /// Preview 1's descriptor to look up paths below.
    fn directory(&self, of: &Of) -> Answer<u32> {
        Ok(self.directory_file(of)?.fd)
    }

    fn directory_file(&self, of: &Of) -> Answer<Arc<OpenFile>> {
        let file = self.file(of)?;
        match file.kind {
            DescriptorType::Directory => Ok(file),
            _ => Err(Errno::Notdir.into()),
        }
    }

    /// A file that may be written, as far as its directory is concerned. Whether it was opened
    /// for that, the host knows when it is written.
    fn writable(&mut self, of: &Of) -> Answer<Arc<OpenFile>> {
        let file = self.file(of)?;
        if file.kind == DescriptorType::Directory {
            return Err(Errno::Badf.into());
        }
        if !file.flags.contains(DescriptorFlags::WRITE) && self.host.is_read_only(file.preopen)? {
            return Err(Errno::Perm.into());
        }
        Ok(file)
    }
}

fn at(fd: u32, flags: PathFlags, path: &str) -> At<'_> {
    let lookup = match flags.contains(PathFlags::SYMLINK_FOLLOW) {
        true => Lookupflags::SYMLINK_FOLLOW,
        false => Lookupflags::empty(),
    };
    At { fd, lookup, path }
}

impl HostDescriptor for Wasi {
    fn read_via_stream(&mut self, of: Of, offset: u64) -> Answer<Resource<InputStream>> {
        let file = self.file(&of)?;
        // A file that was not opened for reading makes a stream whose reads fail.
        match file.kind {
            DescriptorType::Directory => Err(Errno::Isdir.into()),
            _ => Ok(self.table.push(InputStream::new(Source::File { file, offset }))?),
        }
    }

    fn write_via_stream(&mut self, of: Of, offset: u64) -> Answer<Resource<OutputStream>> {
        let file = self.writable(&of)?;
        Ok(self.table.push(OutputStream::new(Sink::File { file, offset }))?)
    }

    fn append_via_stream(&mut self, of: Of) -> Answer<Resource<OutputStream>> {
        let file = self.writable(&of)?;
        Ok(self.table.push(OutputStream::new(Sink::Append(file)))?)
    }

    fn advise(&mut self, of: Of, offset: u64, len: u64, advice: Advice) -> Answer<()> {
        let advice = match advice {
            Advice::Normal => wasi::Advice::Normal,
            Advice::Sequential => wasi::Advice::Sequential,
            Advice::Random => wasi::Advice::Random,
            Advice::WillNeed => wasi::Advice::Willneed,
            Advice::DontNeed => wasi::Advice::Dontneed,
            Advice::NoReuse => wasi::Advice::Noreuse,
        };
        let fd = self.fd(&of)?;
        self.host.plain(FunctionId::FdAdvise, [fd.into(), offset, len, advice as u64])
    }

    fn sync_data(&mut self, of: Of) -> Answer<()> {
        self.sync_with(FunctionId::FdDatasync, &of)
    }

    fn get_flags(&mut self, of: Of) -> Answer<DescriptorFlags> {
        let file = self.file(&of)?;
        let may_change = DescriptorFlags::MUTATE_DIRECTORY;
        if file.flags.contains(may_change) && self.host.is_read_only(file.preopen)? {
            return Ok(file.flags ^ may_change);
        }
        Ok(file.flags)
    }

    fn get_type(&mut self, of: Of) -> Answer<DescriptorType> {
        Ok(self.file(&of)?.kind)
    }

    fn set_size(&mut self, of: Of, size: u64) -> Answer<()> {
        let fd = self.fd(&of)?;
        self.host.plain(FunctionId::FdFilestatSetSize, [fd.into(), size])
    }

    fn set_times(
        &mut self,
        of: Of,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> Answer<()> {
        let fd = self.fd(&of)?;
        let times = times(access, modification)?;
        let args = [fd.into(), times.access, times.modification, times.flags.bits().into()];
        self.host.plain(FunctionId::FdFilestatSetTimes, args)
    }

    fn read(&mut self, of: Of, len: u64, offset: u64) -> Answer<(Vec<u8>, bool)> {
        let fd = self.fd(&of)?;
        let bytes = self.host.read(fd, len, Some(offset))?;
        // Nothing is the end, also of a read of nothing: callers take nothing and more to come
        // for a read that was broken off.
        Ok((bytes.to_vec(), bytes.is_empty()))
    }

    fn write(&mut self, of: Of, bytes: Vec<u8>, offset: u64) -> Answer<u64> {
        let file = self.writable(&of)?;
        file.set_append(&mut self.host, false)?;
        self.host.write(file.fd, &bytes, Some(offset))?;
        Ok(bytes.len() as u64)
    }

    fn read_directory(&mut self, of: Of) -> Answer<Resource<Directory>> {
        let directory = self.directory_file(&of)?;
        let entries = Directory::open(&directory, &mut self.host)?;
        Ok(self.table.push(entries)?)
    }

    fn sync(&mut self, of: Of) -> Answer<()> {
        self.sync_with(FunctionId::FdSync, &of)
    }

    fn create_directory_at(&mut self, of: Of, path: String) -> Answer<()> {
        let fd = self.directory(&of)?;
        self.host.at(FunctionId::PathCreateDirectory, fd, &path)
    }

    fn stat(&mut self, of: Of) -> Answer<DescriptorStat> {
        let fd = self.fd(&of)?;
        self.host.filestat(fd).map(stat)
    }

    fn stat_at(&mut self, of: Of, flags: PathFlags, path: String) -> Answer<DescriptorStat> {
        let fd = self.directory(&of)?;
        self.host.filestat_at(at(fd, flags, &path)).map(stat)
    }

    fn set_times_at(
        &mut self,
        of: Of,
        flags: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> Answer<()> {
        let fd = self.directory(&of)?;
        self.host.set_times_at(at(fd, flags, &path), times(access, modification)?)
    }

    fn link_at(
        &mut self,
        of: Of,
        flags: PathFlags,
        path: String,
        new: Of,
        new_path: String,
    ) -> Answer<()> {
        let (fd, new) = (self.directory(&of)?, self.directory(&new)?);
        self.host.link(at(fd, flags, &path), new, &new_path)
    }

    fn open_at(
        &mut self,
        of: Of,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> Answer<Of> {
        let directory = self.directory_file(&of)?;
        let oflags = [
            (OpenFlags::CREATE, Oflags::CREAT),
            (OpenFlags::DIRECTORY, Oflags::DIRECTORY),
            (OpenFlags::EXCLUSIVE, Oflags::EXCL),
            (OpenFlags::TRUNCATE, Oflags::TRUNC),
        ];
        let rights =
            [(DescriptorFlags::READ, Rights::FD_READ), (DescriptorFlags::WRITE, Rights::FD_WRITE)];
        let fdflags = [
            (DescriptorFlags::DATA_INTEGRITY_SYNC, Fdflags::DSYNC),
            (DescriptorFlags::REQUESTED_WRITE_SYNC, Fdflags::RSYNC),
            (DescriptorFlags::FILE_INTEGRITY_SYNC, Fdflags::SYNC),
        ];
        let oflags = oflags.into_iter().filter(|(flag, _)| open_flags.contains(*flag));
        let rights = rights.into_iter().filter(|(flag, _)| flags.contains(*flag));
        let fdflags = fdflags.into_iter().filter(|(flag, _)| flags.contains(*flag));
        let opened = self.host.open(
            at(directory.fd, path_flags, &path),
            oflags.map(|(_, flag)| flag).collect(),
            rights.map(|(_, right)| right).collect(),
            fdflags.map(|(_, flag)| flag).collect(),
        )?;
        let file = OpenFile::opened(&mut self.host, opened, directory.preopen, flags)?;
        Ok(self.table.push(Descriptor(Arc::new(file)))?)
    }

    fn readlink_at(&mut self, of: Of, path: String) -> Answer<String> {
        let fd = self.directory(&of)?;
        let target = self.host.readlink(fd, &path)?;
        String::from_utf8(target.to_vec()).map_err(|_| Errno::Ilseq.into())
    }

    fn remove_directory_at(&mut self, of: Of, path: String) -> Answer<()> {
        let fd = self.directory(&of)?;
        self.host.at(FunctionId::PathRemoveDirectory, fd, &path)
    }

    fn rename_at(&mut self, of: Of, path: String, new: Of, new_path: String) -> Answer<()> {
        let (fd, new) = (self.directory(&of)?, self.directory(&new)?);
        self.host.rename(fd, &path, new, &new_path)
    }

    fn symlink_at(&mut self, of: Of, target: String, path: String) -> Answer<()> {
        let fd = self.directory(&of)?;
        self.host.symlink(&target, fd, &path)
    }

    fn unlink_file_at(&mut self, of: Of, path: String) -> Answer<()> {
        let fd = self.directory(&of)?;
        self.host.at(FunctionId::PathUnlinkFile, fd, &path)
    }

    fn is_same_object(&mut self, one: Of, other: Of) -> wasmtime::Result<bool> {
        let (one, other) = (self.fd(&one)?, self.fd(&other)?);
        let (one, other) = (self.host.filestat(one)?, self.host.filestat(other)?);
        Ok((one.dev, one.ino) == (other.dev, other.ino))
    }

    fn metadata_hash(&mut self, of: Of) -> Answer<MetadataHashValue> {
        let fd = self.fd(&of)?;
        self.host.filestat(fd).map(hash)
    }

    fn metadata_hash_at(
        &mut self,
        of: Of,
        flags: PathFlags,
        path: String,
    ) -> Answer<MetadataHashValue> {
        let fd = self.directory(&of)?;
        self.host.filestat_at(at(fd, flags, &path)).map(hash)
    }

    fn drop(&mut self, of: Of) -> wasmtime::Result<()> {
        self.table.delete(of)?;
        Ok(())
    }
}

impl Wasi {
    /// Preview 1 refuses to synchronize a directory, with which preview 2 has nothing to do.
    fn sync_with(&mut self, function: FunctionId, of: &Of) -> Answer<()> {
        let file = self.file(of)?;
        match file.kind {
            DescriptorType::Directory => Ok(()),
            _ => self.host.plain(function, [file.fd.into()]),
        }
    }
}

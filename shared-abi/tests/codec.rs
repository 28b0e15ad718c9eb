//! What crosses the mailbox: everything comes back as it was written, and bytes of any other
//! kind are refused without a panic.

use proptest::prelude::*;
use wrt_abi::report::{BACKTRACE_MAX, Frame, IMPORT_MAX, NAME_MAX, TrapReport, Unlinkable};
use wrt_abi::services::{Import, ServiceId, word};
use wrt_abi::value::{VALUE_SIZE, ValueType, WireValue};
use wrt_abi::wire::{Malformed, Reader, Writer};
use wrt_abi::{Call, Command, EngineKind, LogLevel, Reply, Status, TrapKind};

const TYPES: [ValueType; 7] = [
    ValueType::I32,
    ValueType::I64,
    ValueType::F32,
    ValueType::F64,
    ValueType::V128,
    ValueType::FuncRef,
    ValueType::ExternRef,
];

fn value() -> impl Strategy<Value = WireValue> {
    prop_oneof![
        any::<i32>().prop_map(WireValue::I32),
        any::<i64>().prop_map(WireValue::I64),
        any::<u32>().prop_map(WireValue::F32),
        any::<u64>().prop_map(WireValue::F64),
        any::<u128>().prop_map(WireValue::V128),
        any::<Option<u32>>().prop_map(WireValue::FuncRef),
        any::<Option<u64>>().prop_map(WireValue::ExternRef),
    ]
}

/// Bits near the bounds between what is a value of some type and what is not.
fn nearly_a_value() -> impl Strategy<Value = u128> {
    let upper = prop_oneof![Just(0), Just(1), Just(2), any::<u64>()];
    let lower = prop_oneof![Just(0), any::<u32>().prop_map(u64::from), any::<u64>()];
    (upper, lower).prop_map(|(upper, lower)| (u128::from(upper) << 64) | u128::from(lower))
}

/// A thing that can be written.
#[derive(Clone, Debug)]
enum Item {
    U8(u8),
    U32(u32),
    U64(u64),
    U128(u128),
    Bytes(Vec<u8>),
    Value(WireValue),
}

impl Item {
    fn write(&self, to: &mut Writer<'_>) -> Result<(), Malformed> {
        match self {
            Self::U8(word) => to.u8(*word),
            Self::U32(word) => to.u32(*word),
            Self::U64(word) => to.u64(*word),
            Self::U128(word) => to.u128(*word),
            Self::Bytes(bytes) => to.bytes(bytes),
            Self::Value(value) => value.write(to),
        }
    }

    /// Reads a thing of the same kind and compares.
    fn is_next(&self, from: &mut Reader<'_>) -> bool {
        match self {
            Self::U8(word) => from.u8() == Ok(*word),
            Self::U32(word) => from.u32() == Ok(*word),
            Self::U64(word) => from.u64() == Ok(*word),
            Self::U128(word) => from.u128() == Ok(*word),
            Self::Bytes(bytes) => from.bytes() == Ok(bytes),
            Self::Value(value) => WireValue::read(from) == Ok(*value),
        }
    }
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        any::<u8>().prop_map(Item::U8),
        any::<u32>().prop_map(Item::U32),
        any::<u64>().prop_map(Item::U64),
        any::<u128>().prop_map(Item::U128),
        prop::collection::vec(any::<u8>(), 0..50).prop_map(Item::Bytes),
        value().prop_map(Item::Value),
    ]
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(items in prop::collection::vec(item(), 0..30)) {
        let mut buffer = vec![0; 4096];
        let mut writer = Writer::new(&mut buffer);
        for item in &items {
            prop_assert_eq!(item.write(&mut writer), Ok(()));
        }
        let len = writer.len();
        prop_assert_eq!(writer.is_empty(), items.is_empty());
        let mut reader = Reader::new(&buffer[..len]);
        for item in &items {
            prop_assert!(item.is_next(&mut reader), "{item:?}");
        }
        prop_assert_eq!(reader.remaining(), 0);
        prop_assert_eq!(reader.u8(), Err(Malformed));
    }

    #[test]
    fn a_full_buffer_refuses_and_is_not_overrun(items in prop::collection::vec(item(), 1..30), room in 0usize..200) {
        let mut buffer = vec![0xee; 256];
        let mut writer = Writer::new(&mut buffer[..room]);
        for item in &items {
            let before = writer.len();
            match item.write(&mut writer) {
                Ok(()) => prop_assert!(writer.len() > before),
                // A thing of parts may have left its first ones; never beyond the room.
                Err(Malformed) => prop_assert!(writer.len() >= before),
            }
            prop_assert!(writer.len() <= room);
        }
        prop_assert!(buffer[room..].iter().all(|byte| *byte == 0xee));
    }

    #[test]
    fn cut_bytes_are_refused_where_they_end(items in prop::collection::vec(item(), 1..10), cut: prop::sample::Index) {
        let mut buffer = vec![0; 1024];
        let mut writer = Writer::new(&mut buffer);
        for item in &items {
            prop_assert_eq!(item.write(&mut writer), Ok(()));
        }
        let len = writer.len();
        let mut reader = Reader::new(&buffer[..cut.index(len)]);
        prop_assert!(!items.iter().all(|item| item.is_next(&mut reader)));
    }

    #[test]
    fn text_is_cut_to_the_room_there_is(bytes: Vec<u8>, room in 0usize..300) {
        let mut buffer = vec![0; room];
        let mut writer = Writer::new(&mut buffer);
        let written = writer.bytes_truncated(&bytes);
        prop_assert_eq!(written.is_ok(), room >= 4);
        if written.is_ok() {
            let kept = bytes.len().min(room - 4);
            prop_assert_eq!(Reader::new(&buffer).bytes(), Ok(&bytes[..kept]));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        let mut reader = Reader::new(&bytes);
        while let Ok(value) = WireValue::read(&mut reader) {
            // Only the one form of a value is accepted: writing it gives the same bytes.
            let mut again = [0; VALUE_SIZE];
            prop_assert_eq!(value.write(&mut Writer::new(&mut again)), Ok(()));
            let end = bytes.len() - reader.remaining();
            prop_assert_eq!(&bytes[end - VALUE_SIZE..end], again);
        }
        let mut reader = Reader::new(&bytes);
        while let Ok(part) = reader.bytes() {
            prop_assert!(part.len() <= bytes.len());
        }
        if let Ok(report) = TrapReport::read(&bytes) {
            prop_assert!(report.message.len() <= bytes.len());
            prop_assert!(report.frames().count() <= BACKTRACE_MAX);
        }
    }

    #[test]
    fn bits_that_a_type_does_not_have_are_refused(tag in 0u8..10, bits in nearly_a_value()) {
        let mut bytes = vec![tag];
        bytes.extend(bits.to_le_bytes());
        let value = WireValue::read(&mut Reader::new(&bytes));
        let (upper, lower) = (bits >> 64, bits & u128::from(u64::MAX));
        let short = lower <= u128::from(u32::MAX);
        let fits = match ValueType::try_from(tag) {
            Ok(ValueType::I32 | ValueType::F32) => upper == 0 && short,
            Ok(ValueType::I64 | ValueType::F64) => upper == 0,
            Ok(ValueType::V128) => true,
            Ok(ValueType::FuncRef) => bits == 0 || upper == 1 && short,
            Ok(ValueType::ExternRef) => bits == 0 || upper == 1,
            Err(Malformed) => false,
        };
        prop_assert_eq!(value.is_ok(), fits, "{:?}", value);
    }

    #[test]
    fn a_trap_report_comes_back(
        message in prop::collection::vec(any::<u8>(), 0..2000),
        depth in prop::option::of(0..u32::MAX),
        frames in prop::collection::vec((any::<u32>(), any::<u32>(), prop::option::of(0..u32::MAX), prop::collection::vec(any::<u8>(), 0..400)), 0..50),
    ) {
        let mut buffer = vec![0; 64 << 10];
        let mut writer = Writer::new(&mut buffer);
        prop_assert_eq!(TrapReport::begin(&mut writer, &message, depth), Ok(()));
        for (module, function, offset, name) in &frames {
            let (module, function, offset) = (*module, *function, *offset);
            let frame = Frame { module, function, offset, name };
            prop_assert_eq!(frame.write(&mut writer), Ok(()));
        }
        let len = writer.len();
        let report = TrapReport::read(&buffer[..len]).unwrap();
        prop_assert_eq!(report.depth, depth);
        prop_assert_eq!(report.message, &message[..message.len().min(4 * NAME_MAX)]);
        let read: Vec<Frame<'_>> = report.frames().collect();
        prop_assert_eq!(read.len(), frames.len().min(BACKTRACE_MAX));
        for (read, (module, function, offset, name)) in read.iter().zip(&frames) {
            let place = (read.module, read.function, read.offset);
            prop_assert_eq!(place, (*module, *function, *offset));
            prop_assert_eq!(read.name, &name[..name.len().min(NAME_MAX)]);
        }
    }

    #[test]
    fn an_unlinkable_import_comes_back_as_far_as_it_fits(
        module in prop::collection::vec(any::<u8>(), 0..2000),
        name in prop::collection::vec(any::<u8>(), 0..2000),
        reason in prop::collection::vec(any::<u8>(), 0..500),
        room in 0_usize..3000,
    ) {
        let cut = |name: &[u8]| name[..name.len().min(IMPORT_MAX)].to_vec();
        let import = Unlinkable { module: &module, name: &name, reason: &reason };
        let mut buffer = vec![0; 4 << 10];
        let mut writer = Writer::new(&mut buffer);
        import.write(&mut writer);
        let len = writer.len();
        let read = Unlinkable::read(&buffer[..len]);
        prop_assert_eq!(read.module, cut(&module));
        prop_assert_eq!(read.name, cut(&name));
        prop_assert_eq!(read.reason, &reason[..]);

        let mut buffer = vec![0; room];
        let mut writer = Writer::new(&mut buffer);
        import.write(&mut writer);
        let len = writer.len();
        let read = Unlinkable::read(&buffer[..len]);
        prop_assert!(module.starts_with(read.module));
        prop_assert!(name.starts_with(read.name));
        prop_assert!(reason.starts_with(read.reason));
    }

    #[test]
    fn numbers_that_are_not_members_are_refused(number: u64) {
        fn check<T: TryFrom<u64> + Copy>(all: &[T], number: u64, as_number: fn(T) -> u32) {
            let known = all.iter().any(|&member| u64::from(as_number(member)) == number);
            let decoded = T::try_from(number).ok().map(as_number);
            assert_eq!(decoded.is_some(), known, "{number:#x}");
            assert!(decoded.is_none_or(|decoded| u64::from(decoded) == number));
        }
        // All of 64 bits, and the small ones where the members are.
        for number in [number, number % 32, (number << 32) | (number % 16)] {
            check(Call::ALL, number, |member| member as u32);
            check(Command::ALL, number, |member| member as u32);
            check(Status::ALL, number, |member| member as u32);
            check(Reply::ALL, number, |member| member as u32);
            check(TrapKind::ALL, number, |member| member as u32);
            check(LogLevel::ALL, number, |member| member as u32);
            check(EngineKind::ALL, number, |member| member as u32);
            let known = imports().any(|import| import.word() == number);
            let import = Import::try_from(number);
            assert_eq!(import.is_ok(), known, "{number:#x}");
            assert!(import.is_ok_and(|import| import.word() == number) || !known);
        }
    }
}

#[test]
fn every_member_decodes_to_itself() {
    for member in Call::ALL {
        assert_eq!(Call::try_from(*member as u32), Ok(*member));
    }
    for member in TrapKind::ALL {
        assert_eq!(TrapKind::try_from(*member as u32), Ok(*member));
        assert!(!member.message().is_empty());
    }
    for ty in TYPES {
        assert_eq!(ValueType::try_from(ty as u8), Ok(ty));
    }
    let error = Call::try_from(0u32).unwrap_err();
    assert_eq!(error.to_string(), "Call has no number 0x0");
}

fn imports() -> impl Iterator<Item = Import> {
    ServiceId::ALL.iter().flat_map(|service| service.imports())
}

#[test]
fn every_function_is_found_by_its_word_and_by_its_name() {
    for import in imports() {
        assert_eq!(Import::try_from(import.word()), Ok(import));
        let (module, name) = (import.module().name, import.function().name);
        assert_eq!(Import::find(module, name), Some(import), "{module} {name}");
    }
    assert!(Import::all().all(|import| import.version() == 0));
    assert_eq!(Import::find("wasi_snapshot_preview1", "fd_writ"), None);
    assert_eq!(Import::find("wasi_snapshot_preview2", "fd_write"), None);
    assert_eq!(Import::find("wasi_unstable", "sock_accept"), None);
}

#[test]
fn what_is_behind_a_table_is_no_function() {
    for service in ServiceId::ALL {
        let modules = service.table().modules.len();
        for (offered, module) in service.table().modules.iter().zip(0..) {
            let functions = u16::try_from(offered.functions.len()).unwrap();
            for behind in [functions, functions + 1, u16::MAX] {
                let word = word(*service as u32, module, behind);
                assert!(Import::try_from(word).is_err(), "{word:#x}");
            }
        }
        let word = word(*service as u32, u16::try_from(modules).unwrap(), 0);
        assert!(Import::try_from(word).is_err(), "{word:#x}");
    }
    let services = u32::try_from(ServiceId::ALL.len()).unwrap();
    assert!(Import::try_from(word(services, 0, 0)).is_err());
}

#[test]
fn services_modules_and_functions_have_names_of_their_own() {
    fn differ<'a>(names: impl Iterator<Item = &'a str>) -> bool {
        let mut names: Vec<&str> = names.collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        names.len() == count
    }
    let tables = || ServiceId::ALL.iter().map(|service| service.table());
    let modules = || tables().flat_map(|table| table.modules);
    assert!(differ(tables().map(|table| table.name)));
    assert!(differ(modules().map(|module| module.name)));
    assert!(modules().all(|module| differ(module.functions.iter().map(|function| function.name))));
}

#[test]
fn all_of_wasi_but_the_end_of_the_program_returns_an_errno() {
    let imports = ServiceId::Wasi.imports().map(|import| import.function());
    let silent: Vec<&str> =
        imports.filter(|it| it.result.is_none()).map(|function| function.name).collect();
    assert_eq!(silent, ["proc_exit", "proc_exit"]);
}

//! What both sides decode: nothing is read past the end, all that was written comes back, and
//! what comes back is bounded.

use arbitrary::Arbitrary;
use wrt_abi::binary::is_component;
use wrt_abi::compiler::Rejection;
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_abi::report::{BACKTRACE_MAX, Frame, TrapReport};
use wrt_abi::services::Import;
use wrt_abi::value::{VALUE_SIZE, ValueType, WireValue};
use wrt_abi::wire::{Malformed, Reader, Writer};
use wrt_abi::{Call, Command, EngineKind, LogLevel, Reply, Status, TrapKind};

#[derive(Arbitrary, Debug)]
enum Case<'a> {
    Read { bytes: &'a [u8], steps: Vec<Read> },
    Write { room: u16, steps: Vec<Write<'a>> },
    Report { bytes: &'a [u8] },
    Trap { message: &'a [u8], depth: Option<u32>, frames: Vec<(u32, u32, &'a [u8])>, room: u16 },
    Number(u64),
    Features { number: u64, list: &'a str },
    Rejection(&'a str),
    Binary(&'a [u8]),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Read {
    U8,
    U32,
    U64,
    U128,
    Bytes,
    Take(usize),
    Value,
}

#[derive(Arbitrary, Debug)]
enum Write<'a> {
    U8(u8),
    U32(u32),
    U64(u64),
    U128(u128),
    Bytes(&'a [u8]),
    Cut(&'a [u8]),
    Value { ty: u8, bits: u128 },
}

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    let Some(case) = crate::input(data) else { return };
    match case {
        Case::Read { bytes, steps } => read(bytes, &steps),
        Case::Write { room, steps } => write(room.into(), &steps),
        Case::Report { bytes } => report(bytes),
        Case::Trap { message, depth, frames, room } => trap(message, depth, &frames, room.into()),
        Case::Number(number) => numbers(number),
        Case::Features { number, list } => features(number, list),
        Case::Rejection(text) => {
            if let Some(rejection) = Rejection::parse(text) {
                assert_eq!(Rejection::parse(&rejection.to_string()), Some(rejection));
            }
        }
        Case::Binary(bytes) => assert!(!is_component(bytes) || bytes.starts_with(b"\0asm")),
    }
}

fn read(bytes: &[u8], steps: &[Read]) {
    let mut reader = Reader::new(bytes);
    for step in steps {
        let before = reader.remaining();
        let taken = match step {
            Read::U8 => reader.u8().map(|_| 1),
            Read::U32 => reader.u32().map(|_| 4),
            Read::U64 => reader.u64().map(|_| 8),
            Read::U128 => reader.u128().map(|_| 16),
            Read::Bytes => reader.bytes().map(|bytes| 4 + bytes.len()),
            Read::Take(len) => reader.take(*len).map(|bytes| bytes.len()),
            Read::Value => WireValue::read(&mut reader).map(|value| {
                let mut written = [0; VALUE_SIZE];
                value.write(&mut Writer::new(&mut written)).expect("a value fits");
                let at = bytes.len() - before;
                assert_eq!(written, bytes[at..at + VALUE_SIZE], "one form for each value");
                VALUE_SIZE
            }),
        };
        match taken {
            Ok(taken) => assert_eq!(reader.remaining(), before - taken),
            Err(Malformed) => assert!(reader.remaining() <= before),
        }
    }
}

fn write(room: usize, steps: &[Write<'_>]) {
    let mut buffer = vec![0; room];
    let mut writer = Writer::new(&mut buffer);
    let mut written = Vec::new();
    for step in steps {
        let before = writer.len();
        let result = match step {
            Write::U8(word) => writer.u8(*word),
            Write::U32(word) => writer.u32(*word),
            Write::U64(word) => writer.u64(*word),
            Write::U128(word) => writer.u128(*word),
            Write::Bytes(bytes) => writer.bytes(bytes),
            Write::Cut(bytes) => writer.bytes_truncated(bytes),
            Write::Value { ty, bits } => value(*ty, *bits).map_or(Ok(()), |v| v.write(&mut writer)),
        };
        assert!(writer.len() >= before && writer.len() <= room);
        if result.is_err() {
            break;
        }
        written.push(step);
    }
    let len = writer.len();
    let mut reader = Reader::new(&buffer[..len]);
    for step in written {
        match step {
            Write::U8(word) => assert_eq!(reader.u8(), Ok(*word)),
            Write::U32(word) => assert_eq!(reader.u32(), Ok(*word)),
            Write::U64(word) => assert_eq!(reader.u64(), Ok(*word)),
            Write::U128(word) => assert_eq!(reader.u128(), Ok(*word)),
            Write::Bytes(bytes) => assert_eq!(reader.bytes(), Ok(*bytes)),
            Write::Cut(bytes) => {
                assert!(bytes.starts_with(reader.bytes().expect("cut, and whole")));
            }
            Write::Value { ty, bits } => {
                if let Some(value) = value(*ty, *bits) {
                    assert_eq!(WireValue::read(&mut reader), Ok(value));
                }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any value will do")]
fn value(ty: u8, bits: u128) -> Option<WireValue> {
    Some(match ValueType::try_from(ty).ok()? {
        ValueType::I32 => WireValue::I32((bits as u32).cast_signed()),
        ValueType::I64 => WireValue::I64((bits as u64).cast_signed()),
        ValueType::F32 => WireValue::F32(bits as u32),
        ValueType::F64 => WireValue::F64(bits as u64),
        ValueType::V128 => WireValue::V128(bits),
        ValueType::FuncRef => WireValue::FuncRef((bits >> 64 != 0).then_some(bits as u32)),
        ValueType::ExternRef => WireValue::ExternRef((bits >> 64 != 0).then_some(bits as u64)),
    })
}

fn report(bytes: &[u8]) {
    let Ok(report) = TrapReport::read(bytes) else { return };
    assert!(report.message.len() + 8 <= bytes.len());
    let frames: Vec<_> = report.frames().collect();
    assert!(frames.len() <= BACKTRACE_MAX);
    let size: usize = frames.iter().map(|frame| 16 + frame.name.len()).sum();
    assert!(report.message.len() + 8 + size <= bytes.len(), "bytes that nobody sent");
}

fn trap(message: &[u8], depth: Option<u32>, frames: &[(u32, u32, &[u8])], room: usize) {
    let mut buffer = vec![0; room];
    let mut writer = Writer::new(&mut buffer);
    if TrapReport::begin(&mut writer, message, depth).is_err() {
        return;
    }
    let mut whole = 0;
    for &(module, function, name) in frames {
        let offset = (function % 2 == 0).then_some(module);
        if (Frame { module, function, offset, name }).write(&mut writer).is_err() {
            break;
        }
        whole += 1;
    }
    let report = TrapReport::read(&buffer).expect("it was written");
    assert!(message.starts_with(report.message));
    assert_eq!(report.depth, depth.filter(|&depth| depth != u32::MAX));
    let read: Vec<_> = report.frames().collect();
    assert!(read.len() >= whole.min(BACKTRACE_MAX));
    for (frame, &(module, function, name)) in read.iter().zip(&frames[..whole]) {
        assert_eq!((frame.module, frame.function), (module, function));
        assert!(name.starts_with(frame.name));
    }
}

fn numbers(number: u64) {
    fn check<T: Copy + TryFrom<u64>>(number: u64, back: fn(T) -> u64) {
        if let Ok(member) = T::try_from(number) {
            assert_eq!(back(member), number);
        }
    }
    check::<Call>(number, |call| call as u64);
    check::<Command>(number, |command| command as u64);
    check::<EngineKind>(number, |kind| kind as u64);
    check::<LogLevel>(number, |level| level as u64);
    check::<Reply>(number, |reply| reply as u64);
    check::<Status>(number, |status| status as u64);
    check::<TrapKind>(number, |kind| kind as u64);
    check::<Import>(number, Import::word);
}

fn features(number: u64, list: &str) {
    if let Ok(set) = CpuFeatures::try_from(number) {
        assert_eq!(set.bits(), number);
        assert_eq!(CpuFeatures::parse(&set.to_string()), Ok(set));
    }
    if let Ok(set) = CpuFeatures::parse(list) {
        assert_eq!(CpuFeatures::parse(&set.to_string()), Ok(set));
    }
    if let Some(arch) = Arch::from_name(list) {
        assert_eq!(arch.name(), list);
    }
}

//! Answers to the host's commands that no honest runtime would give.

use super::{EVIL, case};
use crate::attack::{Attack, Evil, by_answer, by_protocol};
use crate::case::Case;
use crate::orders::Orders;
use anyhow::{Result, bail, ensure};
use std::time::{Duration, Instant};
use wrt_abi::layout::{MAILBOX_BASE, REGION_BASE, SYSTEM_BASE};
use wrt_abi::{Call, Reply};
use wrt_vm::Error;
use wrt_vm::error::VmEnd;
use wrt_vm::vm::Instance;

pub(super) const CASES: &[Case] = &[
    case("answer-types", &[28], EVIL, "functions of types that make no sense", types),
    case("answer-values", &[20, 28], EVIL, "results that are not there, or of other types", values),
    case("answer-replies", &[20, 46], EVIL, "replies that the command does not have", replies),
    case("answer-traps", &[46], EVIL, "traps that are none, with endless reports", traps),
    case("answer-exports", &[20, 46], EVIL, "lists of exports without end", exports),
    case("answer-memories", &[17, 21], EVIL, "memories that are somewhere else", memories),
];

const PAYLOAD: u64 = MAILBOX_BASE + 256;

/// Answers the command that brought the orders, and then the next one with a payload and words.
fn answer(payload: &[u8], reply: u64, words: [u64; 3]) -> Orders {
    let [a, b, c] = words;
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    Orders::new()
        .call(Call::Done, 0, &[Reply::Ok as u64])
        .set(4, PAYLOAD)
        .bytes(4, 0, payload)
        .call(Call::Done, len, &[reply, a, b, c])
}

fn instance(evil: &mut Evil, orders: &Orders) -> Result<Instance, Error> {
    // Instantiation is answered by the first words of the orders: they answer both.
    let loaded = evil.load(&Orders::new().call(Call::Done, 0, &[]).and(orders))?;
    evil.vm.instantiate(loaded)
}

fn types(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let payloads: [&[u8]; 5] = [
        b"",
        &[0xff; 4],
        &[0xff; 16128],
        // A million results that are not there.
        &[0, 0, 0, 0, 0x40, 0x42, 0x0f, 0, 1, 1],
        // A type that there is not.
        &[1, 0, 0, 0, 99, 0, 0, 0, 0],
    ];
    for payload in payloads {
        let instance = instance(&mut evil, &answer(payload, 0, [0; 3]))?;
        match evil.vm.function(instance, "f") {
            Err(Error::Ended(end)) if by_protocol(&end) => attack.note(&end),
            other => bail!("a malformed type: {other:?}"),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

fn values(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // () -> i64
    let ty = [0, 0, 0, 0, 1, 0, 0, 0, 2];
    for count in [0, 2, 949, u64::from(u32::MAX), u64::MAX] {
        for payload in [&[0_u8; 17][..], &[0xff; 17], &[2; 16128]] {
            let value = Orders::new().set(4, PAYLOAD).bytes(4, 0, payload).call(
                Call::Done,
                u32::try_from(payload.len())?,
                &[0, count],
            );
            let instance = instance(&mut evil, &answer(&ty, 0, [0; 3]).and(&value))?;
            let function = evil.vm.function(instance, "f")?;
            match evil.vm.call(&function, &[]) {
                Err(Error::Ended(end)) if by_protocol(&end) => attack.note(&end),
                other => bail!("{count} results: {other:?}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

fn replies(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let unknown = Reply::ALL.iter().map(|reply| *reply as u64).max().unwrap_or_default() + 1;
    for reply in (0..=unknown).chain([u64::MAX]) {
        for words in [[0; 3], [8, 2 << 20, 0], [2 << 20, 8, 0], [u64::MAX; 3]] {
            let loaded =
                evil.load(&Orders::new().call(Call::Done, 64, &[reply, words[0], words[1]]));
            match loaded {
                Ok(_) if reply == Reply::Ok as u64 => {}
                Err(Error::Ended(end)) if by_protocol(&end) => attack.note(&end),
                Err(error) if by_answer(&error) => attack.note(&"an error of its own making"),
                other => bail!("the reply {reply} with {words:?}: {other:?}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

fn traps(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for kind in [0, 1, 11, 17, u64::MAX] {
        for payload in
            [&b""[..], &[0xff; 64], &[0; 16128], &b"\x10\0\0\0\x1b[2J\x1b[2J\x1b[2J\x1b[2J"[..]]
        {
            let instance = instance(&mut evil, &answer(payload, Reply::Trap as u64, [kind, 0, 0]))?;
            match evil.vm.run(instance) {
                Err(Error::Trap(trap)) => {
                    let text = trap.to_string();
                    let clean = text.chars().all(|c| c == '\n' || !c.is_control());
                    ensure!(clean && text.len() < 64 << 10, "{text:?}");
                    attack.note(&"a trap of its own making");
                }
                Err(Error::Ended(end)) if by_protocol(&end) => attack.note(&end),
                other => bail!("a trap of kind {kind}: {other:?}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

fn exports(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let before = crate::judge::resident()?;
    // A name as long as a payload takes, of letters that become longer when they are made
    // printable; again and again, and of more there is no end.
    let name = [&[0; 4][..], &16120_u32.to_le_bytes(), &[0x1b; 16120]].concat();
    let endless = answer(&name, 0, [1, u64::MAX, 0]);
    let endless = endless.set(0, 0).set(1, 1).set(2, u64::MAX).set(3, 0);
    let endless = endless.call_as_it_is(Call::Done as u32, 16128).repeat(1, u64::MAX);
    let instance = instance(&mut evil, &endless)?;
    evil.vm.set_deadline(Some(Instant::now() + Duration::from_secs(60)));
    match evil.vm.exports(instance) {
        Err(Error::Ended(end)) if by_protocol(&end) => attack.note(&end),
        other => bail!("exports without end: {:?}", other.map(|exports| exports.len())),
    }
    let more = crate::judge::resident()?.saturating_sub(before) >> 20;
    ensure!(more < 256, "{more} MiB for a list of exports");
    attack.count(&evil.vm);
    attack.works(&mut evil)?;
    // Many that are none, and none that are many.
    for words in [[u64::MAX, 1, 0], [0, u64::MAX, 0], [u64::MAX, u64::MAX, 0]] {
        let listed = self::instance(&mut evil, &answer(&[0; 64], 0, words))?;
        match evil.vm.exports(listed) {
            Err(Error::Ended(end)) if by_protocol(&end) => attack.note(&end),
            Err(Error::TooLong(_)) => {}
            other => bail!("{words:?}: {:?}", other.map(|exports| exports.len())),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

fn memories(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let places = [
        (0, u64::MAX),
        (SYSTEM_BASE, 1 << 20),
        (MAILBOX_BASE, 1 << 20),
        (REGION_BASE, u64::MAX),
        (u64::MAX - 4, u64::MAX),
        (1 << 63, 1 << 63),
    ];
    for (base, len) in places {
        // FindMemory, then LocateMemory for each of both.
        let there = Orders::new().call(Call::Done, 0, &[0, base, len]);
        let orders = answer(b"", 0, [0; 3]).and(&there).and(&there);
        let instance = instance(&mut evil, &orders)?;
        let memory = evil.vm.memory(instance, "memory")?;
        let mut bytes = [0; 64];
        for (what, result) in [
            ("read", evil.vm.read_memory(memory, 8, &mut bytes)),
            ("written", evil.vm.write_memory(memory, 8, &bytes)),
        ] {
            match result {
                Err(
                    Error::Ended(VmEnd::Protocol(_) | VmEnd::Earlier) | Error::OutOfRange { .. },
                ) => {}
                other => bail!("{base:#x} was {what}: {other:?}"),
            }
        }
        ensure!(bytes == [0; 64], "something was read at {base:#x}");
        attack.works(&mut evil)?;
    }
    Ok(())
}

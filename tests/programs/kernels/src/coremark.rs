//! Work in the manner of EEMBC's CoreMark, not its code and not its score: a linked list, a
//! matrix, a state machine over text, and a CRC over all results.

use crate::Numbers;

const NODES: usize = 64;
const SIDE: usize = 12;
const TEXT: &[u8] =
    b"5012,-874,+122,35.54400,.1234500,-110.700,5.500e+3,-.123e-2,T0.3e-1F,1T3.4e4z,";

pub(crate) fn run(rounds: u32) -> u32 {
    let mut list = List::new();
    let mut matrix = Matrix::new();
    let mut crc = 0;
    for round in 0..rounds {
        crc = crc16(list.round(round as u16), crc);
        crc = crc16(matrix.round(round as i16), crc);
        crc = crc16(states(round), crc);
    }
    crc.into()
}

/// The CRC that CoreMark uses: polynomial 0xa001, bit by bit.
fn crc16(value: u16, crc: u16) -> u16 {
    (0..16).fold(crc, |crc, bit| {
        let carry = (crc ^ value >> bit) & 1 != 0;
        crc >> 1 ^ if carry { 0xa001 } else { 0 }
    })
}

/// A list whose links are indices; `NODES` ends it.
struct List {
    values: [u16; NODES],
    next: [usize; NODES],
    head: usize,
}

impl List {
    fn new() -> Self {
        let mut numbers = Numbers::new(4);
        Self {
            values: std::array::from_fn(|_| numbers.next() as u16),
            next: std::array::from_fn(|at| at + 1),
            head: 0,
        }
    }

    fn round(&mut self, seed: u16) -> u16 {
        let mut crc = 0;
        for wanted in 0..8 {
            let wanted = seed.wrapping_add(wanted) & 0xff;
            crc = crc16(self.find(wanted), crc);
            self.reverse();
        }
        self.head = self.sort(self.head, NODES);
        self.values[self.head] ^= seed;
        crc16(self.values[self.head], crc)
    }

    /// How far from the head the first value with this low byte is.
    fn find(&self, wanted: u16) -> u16 {
        let (mut at, mut steps) = (self.head, 0);
        while at < NODES && self.values[at] & 0xff != wanted {
            at = self.next[at];
            steps += 1;
        }
        steps
    }

    fn reverse(&mut self) {
        let (mut at, mut done) = (self.head, NODES);
        while at < NODES {
            (self.next[at], done, at) = (done, at, self.next[at]);
        }
        self.head = done;
    }

    /// Merge sort of the first `len` nodes from `head`; returns the new head.
    fn sort(&mut self, head: usize, len: usize) -> usize {
        if len < 2 {
            self.next[head] = NODES;
            return head;
        }
        let second = (0..len / 2).fold(head, |at, _| self.next[at]);
        let mut a = self.sort(head, len / 2);
        let mut b = self.sort(second, len - len / 2);
        let (mut first, mut last) = (NODES, NODES);
        while a < NODES || b < NODES {
            let from_a = b == NODES || a < NODES && self.values[a] <= self.values[b];
            let node = if from_a { &mut a } else { &mut b };
            let taken = *node;
            *node = self.next[taken];
            if last == NODES {
                first = taken
            } else {
                self.next[last] = taken
            }
            last = taken;
        }
        first
    }
}

struct Matrix {
    a: [[i16; SIDE]; SIDE],
    b: [[i16; SIDE]; SIDE],
}

impl Matrix {
    fn new() -> Self {
        let mut numbers = Numbers::new(5);
        let mut one = || std::array::from_fn(|_| std::array::from_fn(|_| numbers.next() as i16));
        Self { a: one(), b: one() }
    }

    fn round(&mut self, seed: i16) -> u16 {
        self.a.iter_mut().flatten().for_each(|x| *x = x.wrapping_add(seed));
        let mut crc = 0;
        for row in 0..SIDE {
            for column in 0..SIDE {
                let sum = (0..SIDE).fold(0i32, |sum, k| {
                    let product = i32::from(self.a[row][k]) * i32::from(self.b[k][column]);
                    // CoreMark's bit extraction: nine bits of the product.
                    sum.wrapping_add((product >> 2 & 0xf) * (product >> 5 & 0x7f))
                });
                crc = crc ^ sum as u16;
            }
        }
        crc
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Sign,
    Integer,
    Fraction,
    Exponent,
    ExponentDigits,
    Invalid,
}

/// Classifies the words of the text, some bytes of which change with the round.
fn states(round: u32) -> u16 {
    let mut counts = [0u16; 7];
    let mut state = State::Start;
    for (at, &byte) in TEXT.iter().enumerate() {
        let byte = if (at as u32).wrapping_add(round) % 17 == 0 { byte ^ 1 } else { byte };
        state = match (state, byte) {
            (_, b',') => {
                counts[state as usize] += 1;
                State::Start
            }
            (State::Start, b'+' | b'-') => State::Sign,
            (State::Start | State::Sign | State::Integer, b'0'..=b'9') => State::Integer,
            (State::Start | State::Sign | State::Integer, b'.') => State::Fraction,
            (State::Fraction, b'0'..=b'9') => State::Fraction,
            (State::Integer | State::Fraction, b'e' | b'E') => State::Exponent,
            (State::Exponent, b'+' | b'-') => State::ExponentDigits,
            (State::Exponent | State::ExponentDigits, b'0'..=b'9') => State::ExponentDigits,
            _ => State::Invalid,
        };
    }
    counts.iter().fold(0, |crc, &count| crc16(count, crc))
}

//! Compute kernels: each takes a size and returns a checksum.
//!
//! Together they cover what an interpreter spends its time on: calls, memory, floats,
//! tight integer arithmetic, unpredictable branches and `br_table`. No kernel calls the
//! host.

mod bytecode;
mod coremark;
mod nbody;
mod sha256;

/// Pseudo-random numbers (xorshift32), the same on every machine.
pub(crate) struct Numbers(u32);

impl Numbers {
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed.max(1))
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

/// `size` rounds of list, matrix, state machine and CRC.
#[unsafe(no_mangle)]
pub extern "C" fn coremark(size: u32) -> u32 {
    coremark::run(size)
}

/// SHA-256 of `size` KiB.
#[unsafe(no_mangle)]
pub extern "C" fn sha256(size: u32) -> u32 {
    let mut numbers = Numbers::new(1);
    let message: Vec<u8> = (0..size << 10).map(|_| numbers.next() as u8).collect();
    sha256::digest(&message)[0]
}

/// The product of two `size` x `size` matrices of doubles.
#[unsafe(no_mangle)]
pub extern "C" fn matmul(size: u32) -> u32 {
    let n = size as usize;
    let mut numbers = Numbers::new(2);
    let mut matrix =
        || -> Vec<f64> { (0..n * n).map(|_| f64::from(numbers.next() % 1000) / 8.0).collect() };
    let (a, b) = (matrix(), matrix());
    let mut c = vec![0.0; n * n];
    for row in 0..n {
        for inner in 0..n {
            let factor = a[row * n + inner];
            for (to, from) in c[row * n..][..n].iter_mut().zip(&b[inner * n..][..n]) {
                *to += factor * from;
            }
        }
    }
    // Every product and sum above is exact in a double, so the checksum is, too.
    c.iter().fold(0, |sum: u32, x| sum.rotate_left(1) ^ (x.to_bits() >> 20) as u32)
}

/// `size` thousand steps of a small solar system.
#[unsafe(no_mangle)]
pub extern "C" fn nbody(size: u32) -> u32 {
    nbody::run(size * 1000)
}

/// Copies 8 MiB `size` times, more than caches hold.
#[unsafe(no_mangle)]
pub extern "C" fn copy(size: u32) -> u32 {
    const LEN: usize = 8 << 20;
    let mut numbers = Numbers::new(4);
    let mut from: Vec<u8> = vec![0; LEN];
    // A byte a page is enough to tell the copies apart.
    from.iter_mut().step_by(4096).for_each(|byte| *byte = numbers.next() as u8);
    let mut to = vec![0; LEN];
    for round in 0..size as usize {
        from[round % LEN] = from[round % LEN].wrapping_add(1);
        to.copy_from_slice(&from);
        std::mem::swap(&mut from, &mut to);
    }
    from.iter().step_by(4096).fold(0, |sum: u32, &x| sum.rotate_left(1) ^ u32::from(x))
}

/// Sorts `size` thousand numbers.
#[unsafe(no_mangle)]
pub extern "C" fn sort(size: u32) -> u32 {
    let mut numbers = Numbers::new(3);
    let mut values: Vec<u32> = (0..size * 1000).map(|_| numbers.next()).collect();
    values.sort_unstable();
    values.iter().enumerate().fold(0, |sum: u32, (at, x)| sum.wrapping_add(x ^ at as u32))
}

/// The Fibonacci number `size`, by doubly recursive calls.
#[unsafe(no_mangle)]
pub extern "C" fn fib(size: u32) -> u32 {
    if size < 2 { size } else { fib(size - 1).wrapping_add(fib(size - 2)) }
}

/// `size` thousand instructions of a small stack machine.
#[unsafe(no_mangle)]
pub extern "C" fn bytecode(size: u32) -> u32 {
    bytecode::run(size * 1000)
}

//! What the page's tips come to: vectors, classes, the clock, copies, and being a good citizen.
//! (Queues have an example of their own.)
//!
//!     cargo run --release -p wrt-platform --example optimize

use std::error::Error;
use std::hint::black_box;
use wrt_platform::citizen::{Activity, Kind, Qos, facts, set_thread_qos};
use wrt_platform::clock::{monotonic_nanoseconds, resolution};
use wrt_platform::copy::{COPY_ON_WRITE_FROM, Image};
use wrt_platform::vector::{self, Dimensions};

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:#?}", facts());

    // 1. The system's vector operations.
    let (a, b) = (vec![0.5_f32; 1 << 20], vec![2.0_f32; 1 << 20]);
    println!("vectors by {}", vector::availability().how);
    let dot = timed("dot of 2^20", || vector::dot(&a, &b))?;
    println!("  {dot}; largest {:?}", vector::max(&a));
    let side = 256;
    let mut c = vec![0.0; side * side];
    let square = Dimensions { m: side, k: side, n: side };
    let cells = side * side;
    timed("product of 256 by 256", || {
        vector::gemm(square, 1.0, &a[..cells], &b[..cells], 0.0, &mut c)
    })?;

    // 3. What this thread's work is for.
    let activity = Activity::begin(Kind::LatencyCritical, "an example is timed")?;
    match set_thread_qos(Qos::UserInitiated) {
        Ok(()) => println!("this thread's work: somebody waits for it"),
        Err(error) => println!("this thread stays as it is: {error}"),
    }

    // 4. The clock.
    println!("the clock tells {:?} apart", resolution());

    // 5. Small copies by bytes, large ones by pages.
    for len in [4096, COPY_ON_WRITE_FROM, 64 << 20] {
        let image = Image::new(&vec![7; len])?;
        let copy = timed(&format!("copy of {len} bytes"), || image.copy())?;
        println!("  by {}", if copy.is_by_pages() { "pages" } else { "bytes" });
    }
    drop(activity);
    Ok(())
}

fn timed<R>(what: &str, run: impl FnOnce() -> R) -> R {
    let start = monotonic_nanoseconds();
    let result = black_box(run());
    println!("{what}: {} ns", monotonic_nanoseconds() - start);
    result
}

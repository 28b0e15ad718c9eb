//! `proc_raise`: there are no signals.

use wasi_programs::*;

fn main() {
    for signal in [SIGNAL_NONE, SIGNAL_ABRT, SIGNAL_KILL, SIGNAL_TERM] {
        fails(ERRNO_NOTSUP, proc_raise(signal));
    }
}

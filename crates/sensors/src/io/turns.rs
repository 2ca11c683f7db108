//! How soon a thread that was woken gets its turn.

#![expect(
    unsafe_code,
    reason = "sched_getattr and sched_setattr: no safe crate asks for the length of a thread's turns"
)]

use core::mem::size_of;
use core::time::Duration;

/// How long a turn of a sensor is. Whoever wants shorter turns than the one that runs takes its place when he wakes; the usual
/// turn has some milliseconds. What there is to do for a line takes a tenth of this.
const TURN: Duration = Duration::from_micros(800);

/// `struct sched_attr` in its first form (`sched_setattr(2)`).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Asks the kernel for short turns of this thread, and with that for soon ones: on a busy machine it would else wait, once
/// woken, until another's turn is over. Whether it was given them; kernels before Linux 6.12 give ordinary threads none.
pub fn ask_for_short_turns() -> bool {
    const SIZE: u32 = size_of::<Attributes>() as u32;
    let mut attributes = Attributes { size: SIZE, ..Attributes::default() };
    // SAFETY: the structure is as large as is said, and lives as long as the call.
    let is_told = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) } == 0;
    // One that the administrator gave another policy keeps it.
    if !is_told || attributes.policy != libc::SCHED_OTHER.cast_unsigned() {
        return false;
    }
    attributes.size = SIZE;
    attributes.runtime = TURN.as_nanos() as u64;
    // SAFETY: as above; the kernel only reads it.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_asked_for_and_nothing_else_changes() {
        let nice = || rustix::process::nice(0).expect("it can be told");
        let before = nice();
        // Whether the kernel grants them is its own affair.
        ask_for_short_turns();
        assert_eq!(nice(), before);
    }
}

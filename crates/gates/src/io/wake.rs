//! Threads that wait in a call of the system, called back from it.
#![expect(unsafe_code, reason = "a signal to one thread: the standard library sends none, and sets no action of one")]

use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

/// By default it is ignored, so that one that comes late, to whatever program, ends nothing.
const SIGNAL: libc::c_int = libc::SIGURG;

/// A thread that can be called back.
#[derive(Default, Debug)]
pub(super) struct Sleeper(AtomicI32);

impl Sleeper {
    /// It is the thread that says so.
    pub(super) fn is_here(&self) {
        self.0.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::SeqCst);
    }

    /// A call in which it waits ends as interrupted. One that it begins a moment later does not: whoever wants an answer calls
    /// again. No harm is done to a thread that has taken the number of one that has ended.
    pub(super) fn wake(&self) {
        set_action();
        let thread = self.0.load(Ordering::SeqCst);
        if thread != 0 {
            // SAFETY: no memory is shared with the call, and threads of this process alone are reached; that one may have ended.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::c_long::from(libc::getpid()), thread, SIGNAL) };
        }
    }
}

/// Has the signal do nothing but interrupt.
fn set_action() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        // SAFETY: all zeros is a valid action, without flags: calls are interrupted, and not begun again. The handler does
        // nothing, which it may do at any moment.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
            libc::sigaction(SIGNAL, &raw const action, core::ptr::null_mut());
        }
    });
}

extern "C" fn nothing(_: libc::c_int) {}

//! SIGHUP while one process takes the place of another.
#![expect(
    unsafe_code,
    reason = "sigaction: the standard library sets no signal's action, and tokio only handlers of its own"
)]

/// Has SIGHUP ignored from now on, also by the program that takes this one's place, until it awaits the signal: by default it
/// would end it. Nothing is lost, because a configuration is read after that.
pub(crate) fn ignore() {
    // SAFETY: SIG_IGN is a valid action, and no code runs for it; other threads see either this or the handler before.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}

//! How memory is taken from the system.
#![expect(unsafe_code, reason = "mallopt: the standard library has no way to the C library's allocator")]

/// Has all threads share one arena of the C library's allocator.
///
/// A list of millions is built by one thread and replaced by another. With an arena for each, what the first gives back
/// cannot be used by the second, and stays with the process: two lists' worth of memory for one. Nothing here allocates so often
/// that threads would wait for one another: answers and decisions allocate nothing. Other C libraries than glibc have no
/// such arenas.
pub(crate) fn use_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes two numbers, touches the allocator's own parameters under its lock, and returns.
    let is_set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    #[cfg(target_env = "gnu")]
    if is_set == 0 {
        tracing::debug!("the allocator does not take an option; more memory may be used");
    }
}

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// How often it is looked whether a program has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Runs a program without a shell, with these arguments and nothing of this process' environment but `PATH`, gives it
/// `input`, and waits until it ends, at most for `limit`; then it is killed with what it has not detached.
///
/// # Errors
/// It does not start, does not end in time, or ends with another code than 0.
pub(super) fn run(path: &Path, arguments: &[OsString], input: &[u8], limit: Duration) -> Result<(), Failure> {
    let failed = |why: String| Failure(format!("{}: {why}", path.display()));
    let mut command = Command::new(path);
    command.args(arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let ended = feed_and_wait(&mut child, input, limit);
    if ended.is_err() {
        // Both fail only if it has ended meanwhile, which is what is wanted.
        drop(child.kill());
        drop(child.wait());
    }
    match ended.map_err(failed)? {
        Some(0) => Ok(()),
        Some(code) => Err(failed(format!("ended with code {code}"))),
        None => Err(failed("was ended by a signal".to_owned())),
    }
}

/// The code with which it ended; none if a signal ended it.
fn feed_and_wait(child: &mut Child, input: &[u8], limit: Duration) -> Result<Option<i32>, String> {
    let until = Instant::now() + limit;
    std::thread::scope(|scope| {
        // A program that reads nothing must not hold us: whoever writes to it is freed when it is killed.
        if let Some(mut stdin) = child.stdin.take() {
            scope.spawn(move || drop(stdin.write_all(input)));
        }
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status.code()),
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK_EVERY),
                Ok(None) => {
                    // Within the scope, because the writer waits for it.
                    drop(child.kill());
                    return Err(format!("took longer than {} s", limit.as_secs_f32()));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    })
}

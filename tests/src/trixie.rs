//! The folder with the Dovecot of Debian 13, which Debian 12 does not have. It is filled once, under `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;

/// The folder with Debian 13's Dovecot: the one that the variable `RATTER_TRIXIE` names, else `target/trixie`, which
/// `tests/trixie.sh` fills from Debian's servers where it is not there yet. An error says why there is none.
pub fn folder() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("RATTER_TRIXIE") {
        let named = PathBuf::from(named);
        // Whoever names a folder wants these tests.
        assert!(has_dovecot(&named), "RATTER_TRIXIE names {}, which holds no Dovecot", named.display());
        return Ok(named);
    }
    if !geteuid().is_root() {
        return Err("only root can start it in a folder of its own".to_owned());
    }
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    // target/debug/deps/TEST-HASH -> target/trixie
    let target = test.ancestors().nth(3).ok_or("the test program is not in target/PROFILE/deps")?;
    let folder = target.join("trixie");
    if !has_dovecot(&folder) {
        fill(&folder)?;
    }
    Ok(folder)
}

fn has_dovecot(folder: &Path) -> bool {
    folder.join("usr/sbin/dovecot").is_file()
}

#[expect(clippy::print_stderr, reason = "who waits is told what for")]
fn fill(folder: &Path) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("trixie.sh");
    eprintln!("{} is being filled with the Dovecot of Debian 13, some 50 MB from Debian's servers", folder.display());
    let mut command = Command::new("timeout");
    command.args(["300", "sh"]).arg(script).arg(folder).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("timeout: {error}"))?;
    if output.status.success() && has_dovecot(folder) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // apt tells the cause first, and what comes of it behind.
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let cause =
        lines().find(|line| line.starts_with("E:")).or_else(|| lines().next_back()).unwrap_or("it took too long");
    Err(format!("`sh tests/trixie.sh {}` failed: {cause}", folder.display()))
}

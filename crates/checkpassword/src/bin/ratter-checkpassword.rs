//! `ratter-checkpassword [--wait SPAN] GATE PROGRAM …`: asks the node, then runs the checkpassword program that it stands before.
//!
//! Exit codes are those of the interface: 1 refused, 2 called wrongly, 111 try again later; otherwise the programs that
//! follow end in its place.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use checkpassword::password::{Call, MISUSED, REFUSED, TEMPORARY, act, first, login, misused};
use checkpassword::{ask, fd};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let Some(call) = Call::parse(&arguments) else {
        return misused("ratter-checkpassword [--wait SPAN] GATE PROGRAM …");
    };
    // Mail is delivered, or a master user looks: there is no password, and nobody to be refused.
    let is_lookup = std::env::var_os("AUTHORIZED").is_some();
    if !is_lookup && let Err(code) = check(&call) {
        return ExitCode::from(code);
    }
    let Ok(itself) = std::env::current_exe() else { return ExitCode::from(TEMPORARY) };
    let chain = call.chain(itself.as_os_str(), is_lookup);
    // It returns only if there is nothing to run.
    drop(Command::new(&chain[0]).args(&chain[1..]).exec());
    ExitCode::from(TEMPORARY)
}

/// Asks, and waits where the node says so; or the code to end with.
fn check(call: &Call<'_>) -> Result<(), u8> {
    let bytes = if call.is_after { Vec::new() } else { fd::read().map_err(|_| TEMPORARY)? };
    let variable = |name: &str| std::env::var_os(name);
    let known = first(&["AUTH_USER", "USER"], variable);
    let login = if call.is_after { &known } else { login(&bytes).ok_or(REFUSED)? };
    let address = first(&["TCPREMOTEIP", "REMOTE_IP"], variable);
    let service = first(&["SERVICE", "AUTH_SERVICE"], variable);
    let session = first(&["AUTH_SESSION"], variable);
    let stage: &[u8] = if call.is_after { b"after" } else { b"before" };
    let names = [
        ("address", address.as_slice()),
        ("login", login),
        ("service", &service),
        ("session", &session),
        ("stage", stage),
    ];
    let gate = call.gate.to_str().ok_or(MISUSED)?;
    // Behind the check one line reports the login, and asks whether the client may stay.
    let verb = if call.is_after { "ok" } else { "check" };
    std::thread::sleep(act(ask::ask(gate, call.patience, verb, &names), call.is_after)?);
    if call.is_after { Ok(()) } else { fd::put_back(&bytes).map_err(|_| TEMPORARY) }
}

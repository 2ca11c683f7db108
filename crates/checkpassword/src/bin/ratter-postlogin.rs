//! `ratter-postlogin [--wait SPAN] PROTOCOL GATE PROGRAM …`: runs between Dovecot's login and the mailbox (`script-login`), and says
//! goodbye to a client that the node refuses.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use checkpassword::ask::{Verdict, ask};
use checkpassword::options;
use checkpassword::password::{TEMPORARY, first, misused};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let misused = || misused("ratter-postlogin [--wait SPAN] PROTOCOL GATE PROGRAM …");
    let Some((patience, arguments)) = options::patience(&arguments) else { return misused() };
    let [protocol, gate, next @ ..] = arguments else { return misused() };
    let (Some(protocol), Some(gate), [program, rest @ ..]) = (protocol.to_str(), gate.to_str(), next) else {
        return misused();
    };
    let variable = |name: &str| std::env::var_os(name);
    let (address, login) = (first(&["IP"], variable), first(&["USER"], variable));
    let names =
        [("address", address.as_slice()), ("login", &login), ("service", protocol.as_bytes()), ("stage", b"after")];
    match ask(gate, patience, "check", &names) {
        // Nobody who is in already is held.
        Verdict::Pass | Verdict::Wait(_) => {}
        Verdict::Refuse | Verdict::Defer => {
            // The client may have gone: then it is gone.
            drop(std::io::stdout().write_all(goodbye(protocol)));
            return ExitCode::SUCCESS;
        }
    }
    // It returns only if there is nothing to run.
    drop(Command::new(program).args(rest).exec());
    ExitCode::from(TEMPORARY)
}

/// The words tell a guesser nothing that a full server would not say too.
fn goodbye(protocol: &str) -> &'static [u8] {
    if protocol.starts_with("pop3") { b"-ERR [SYS/TEMP] Try again later.\r\n" } else { b"* BYE Try again later.\r\n" }
}

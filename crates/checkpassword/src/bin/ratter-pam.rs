//! `ratter-pam [--wait SPAN] [--failed] GATE`, run by `pam_exec`: asks the node before a password is checked, and tells it how that went.
//!
//! It ends with 0 to go on, and with 1 to refuse; behind a wrong password (`--failed`) always with 1.

use std::process::ExitCode;

use checkpassword::pam::{Step, address};
use checkpassword::password::{REFUSED, act, first, misused};
use checkpassword::{ask, options};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let misused = || misused("ratter-pam [--wait SPAN] [--failed] GATE");
    let Some((patience, arguments)) = options::patience(&arguments) else { return misused() };
    let (has_failed, gate) = match arguments {
        [flag, gate] if flag == "--failed" => (true, gate),
        [gate] => (false, gate),
        _ => return misused(),
    };
    let Some(gate) = gate.to_str() else { return misused() };
    let variable = |name: &str| std::env::var_os(name);
    let step = Step::of(&first(&["PAM_TYPE"], variable), has_failed);
    let Some((verb, stage)) = step.words() else { return ExitCode::SUCCESS };
    let (host, login, service) =
        (first(&["PAM_RHOST"], variable), first(&["PAM_USER"], variable), first(&["PAM_SERVICE"], variable));
    let names = [("address", address(&host)), ("login", &login), ("service", &service), ("stage", stage)];
    let verdict = ask::ask(gate, patience, verb, &names);
    if step == Step::Failed {
        return ExitCode::from(REFUSED);
    }
    match act(verdict, step == Step::Ok) {
        Ok(hold) => {
            std::thread::sleep(hold);
            ExitCode::SUCCESS
        }
        Err(code) => ExitCode::from(code),
    }
}

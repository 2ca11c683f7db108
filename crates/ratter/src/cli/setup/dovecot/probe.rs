//! Lets Dovecot try a login that nobody has, and looks whether Ratter heard of it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use console::api::Why;

use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::show::printable;
use crate::node::random_octets;

/// From where the probe says to come: nobody's address (RFC 5737).
const ADDRESS: &str = "192.0.2.1";

/// Looks for the event, and the pause between two: Dovecot reports after it has answered, and the store writes after
/// that.
const LOOKS: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);

/// One wrong login through the Dovecot that runs with this configuration.
pub(super) fn probe(main: &Path, client: &Client) -> anyhow::Result<String> {
    let login = format!("ratter-probe-{:032x}", u128::from_be_bytes(random_octets()?));
    let mut command = Command::new("doveadm");
    command.arg("-c").arg(main).args(["auth", "test", "-x", "service=imap", "-x"]);
    command.arg(format!("rip={ADDRESS}")).args([&login, "no-such-password"]);
    let output = command.output().context("doveadm cannot be run; is Dovecot installed?")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let said = said.lines().map(printable).collect::<Vec<_>>().join("; ");
    if !said.contains("auth failed") {
        bail!("Dovecot did not try the login: doveadm says `{said}`; is it running?");
    }
    for _ in 0..LOOKS {
        let why = client.get::<Why>(&format!("/v1/why?subject=login:{login}"));
        let why = why.map_err(said_by_client)?.ok_or_else(|| anyhow!("the node does not say what it knows"))?;
        if let Some(event) = why.events.iter().find(|event| event.channel == "gate") {
            return Ok(format!(
                "Dovecot asks Ratter: a wrong password for {login} from {ADDRESS} was reported at {} as {} by {}",
                event.time, event.kind, event.service
            ));
        }
        std::thread::sleep(PAUSE);
    }
    bail!(
        "Dovecot refused {login} without telling Ratter: it has not read the new settings (doveadm reload), or its log \
         says why (doveadm log find)"
    )
}

fn said_by_client(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Usage(text) => anyhow!(text),
        Failure::TryAgain(error) | Failure::Other(error) => error,
    }
}

//! Postfix: policy delegation, milter, look-up tables.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use gates::io::Place;

use super::{Asked, Recipe, asked};
use crate::cli::Failure;
use crate::config::{AskingGate, MapGate};
use crate::main_cf::{END_OF_DATA, QUEUE, inet, policy_check, seconds};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The folder of Postfix' configuration
    #[arg(long, value_name = "FOLDER", default_value = "/etc/postfix")]
    folder: PathBuf,

    /// Where Postfix listens for SMTP, for the probe
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:25")]
    smtp: SocketAddr,
}

/// Sessions that the probe has: processes of Postfix that were there before a reload serve on for a moment.
const TRIES: u32 = 3;

/// The parameters that the policy gate is put into: where room is reserved, and where it is charged.
const POLICY: [&str; 3] = ["smtpd_client_restrictions", "smtpd_recipient_restrictions", END_OF_DATA];

/// A parameter, and what shall stand at its front: words, a place between them, and words.
struct Wanted {
    parameter: &'static str,
    place: String,
    around: [String; 2],
}

impl Wanted {
    fn check(&self) -> String {
        [&*self.around[0], &self.place, &self.around[1]].concat()
    }

    /// A value without our checks, also those with another place or other times, where a gate was before.
    fn taken_out(&self, value: &str) -> String {
        let [before, after] = &self.around;
        let (mut kept, mut rest) = (String::new(), value);
        while let Some((head, tail)) = rest.split_once(before.as_str()) {
            let place = tail.split([',', ' ', '}']).next().unwrap_or_default();
            if !place.is_empty()
                && let Some(behind) = strip_but_numbers(&tail[place.len()..], after)
            {
                kept.push_str(head);
                rest = behind.trim_start_matches([',', ' ']);
            } else {
                kept.push_str(head);
                kept.push_str(before);
                rest = tail;
            }
        }
        kept.push_str(rest);
        kept.trim_end_matches([',', ' ']).to_owned()
    }
}

/// What stands around the milter's place.
fn milter_service(seconds: u64) -> [String; 2] {
    let timeouts = format!("connect_timeout=1s, command_timeout={seconds}s, content_timeout={seconds}s");
    ["{ ".to_owned(), format!(", default_action=accept, {timeouts} }}")]
}

/// What stands around the table's place. It is not told who has logged in: where it has more than blocks, whoever has passes first,
/// because people log in from addresses that are on lists.
fn table_check(map: &MapGate) -> [String; 2] {
    let has_lists = map.ask.is_some() || !map.settings.refuse_lists.is_empty();
    let first = if has_lists { "permit_sasl_authenticated, " } else { "" };
    [format!("{first}check_client_access socketmap:"), ":clients".to_owned()]
}

/// What stands behind `prefix` in a text that begins with it, but for the numbers in it.
fn strip_but_numbers<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut parts = prefix.split(is_digit).filter(|part| !part.is_empty());
    let first = text.strip_prefix(parts.next()?)?;
    parts.try_fold(first, |text, part| text.trim_start_matches(is_digit).strip_prefix(part))
}

pub(super) fn recipe(arguments: &Arguments, asked: &Asked<'_>) -> Result<Recipe, Failure> {
    let gates = &asked.config.gates;
    let policy = gates.postfix.as_ref().and_then(|gate| gate.listen.first());
    let milter = gates.milter.as_ref().and_then(|gate| gate.listen.first());
    let map = gates.map.as_ref().and_then(|gate| Some((gate, gate.socketmap.first()?)));
    let mut wanted = Vec::new();
    if let Some(place) = policy {
        let around = policy_check(seconds(asked.config.asked_wait(AskingGate::Postfix)));
        wanted.extend(POLICY.map(|parameter| Wanted { parameter, place: inet(place), around: around.clone() }));
    } else if let Some((gate, place)) = map {
        let (parameter, place) = ("smtpd_client_restrictions", inet(place));
        wanted.push(Wanted { parameter, place, around: table_check(gate) });
    }
    if let Some(place) = milter {
        let around = milter_service(seconds(asked.config.asked_wait(AskingGate::Milter)));
        wanted.push(Wanted { parameter: "smtpd_milters", place: inet(place), around });
    }
    let Some(gate) =
        (if policy.is_some() { Some("postfix") } else { milter.map(|_| "milter").or_else(|| map.map(|_| "map")) })
    else {
        let hint = "there is no gate for Postfix; add to the configuration\n\n[gate.postfix]\nlisten = [\"127.0.0.1:4003\"]\n\n\
                    [gate.milter]\nlisten = [\"127.0.0.1:4004\"]\n";
        return Err(Failure::Usage(format!("ratter: {hint}")));
    };
    let folder = std::path::absolute(&arguments.folder).map_err(anyhow::Error::from)?;
    let mut edits = Vec::new();
    for wanted in &wanted {
        let (parameter, check) = (wanted.parameter, wanted.check());
        let there = value(&folder, parameter)?;
        if !there.contains(&check) {
            let others = wanted.taken_out(&there);
            let rest = if others.is_empty() { others } else { format!(", {others}") };
            edits.push(format!("{parameter} = {check}{rest}"));
        }
    }
    let main = folder.join("main.cf").display().to_string();
    let commands = if edits.is_empty() {
        Vec::new()
    } else {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let folder = folder.display().to_string();
        let edit = [words(&["postconf", "-c", &folder, "-e"]), edits].concat();
        vec![words(&["cp", "-p", &main, &format!("{main}.old")]), edit]
    };
    let server = arguments.smtp;
    Ok(Recipe {
        name: "postfix",
        files: Vec::new(),
        steps: steps(policy, milter, map, commands.is_empty()),
        commands,
        probe: Box::new(move |client| {
            let before = asked::count(client, gate)?;
            // Nobody is asked about mail to `postmaster`; this recipient is nobody's, and the session is given up.
            let lines = ["EHLO ratter-probe.invalid", "MAIL FROM:<>", "RCPT TO:<ratter@probe.invalid>", "RSET", "QUIT"];
            let mut answer = String::new();
            for _ in 0..TRIES {
                answer.clone_from(&asked::talk(server, &lines)?[3]);
                if asked::rose(client, gate, before)? {
                    return Ok(format!("Postfix asks Ratter: at {server} it asked before it answered `{answer}`"));
                }
            }
            bail!("Postfix answered `{answer}` without asking Ratter: was it reloaded (`postfix reload`)?")
        }),
    })
}

fn steps(
    policy: Option<&Place>,
    milter: Option<&Place>,
    map: Option<(&MapGate, &Place)>,
    is_set_up: bool,
) -> Vec<String> {
    let reload =
        if is_set_up { "main.cf has it all already; `postfix reload` if that is new." } else { "`postfix reload`." };
    let mut steps = vec![reload.to_owned()];
    if policy.is_some() {
        steps.push(
            "Services in master.cf with restrictions of their own (`-o smtpd_recipient_restrictions=…`, as submission often has) \
             need the check there too."
                .to_owned(),
        );
    }
    let places = [policy, milter, map.map(|(_, place)| place)];
    for place in places.into_iter().flatten().filter(|place| is_outside_of_queue(place)) {
        steps.push(format!(
            "Postfix' smtpd runs below {QUEUE} on Debian (the column `chroot` of master.cf), and would not find {place} from there, so \
             that everything passed: listen at a path below {QUEUE} instead, such as {QUEUE}/ratter/policy, or at a port.",
        ));
    }
    if let Some((gate, place)) = map {
        let table = format!("socketmap:{}", inet(place));
        let [clients, end] = table_check(gate);
        let clients = clients.replace("socketmap:", &table) + &end;
        steps.push(format!(
            "The look-up table serves other checks as well: `{clients}`, `check_sasl_access \
             {table}:logins`. When Ratter is away Postfix answers 451 to what asks a table: prefer the policy gate where mail \
             must flow then."
        ));
    }
    steps
}

fn is_outside_of_queue(place: &Place) -> bool {
    matches!(place, Place::Unix(path) if !path.starts_with(QUEUE))
}

/// The value that a parameter has now, in one line.
fn value(folder: &Path, parameter: &str) -> anyhow::Result<String> {
    let output = Command::new("postconf").arg("-c").arg(folder).args(["-h", parameter]).output();
    let output = output.context("postconf cannot be run; is Postfix installed?")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("postconf does not know {parameter}: {}", said.trim().escape_debug());
    }
    Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_of_a_place_where_a_gate_was_are_taken_out() {
        let service =
            |port| format!("check_policy_service {{ inet:127.0.0.1:{port}, default_action=DUNNO, timeout=1s }}");
        let other = "check_policy_service { inet:127.0.0.1:10031, default_action=DUNNO }";
        let wanted = Wanted { parameter: "p", place: "inet:127.0.0.1:2".into(), around: policy_check(1) };
        assert_eq!(wanted.check(), service(2));
        for (value, kept) in [
            (service(1), String::new()),
            (format!("{}, permit_mynetworks", service(1)), "permit_mynetworks".into()),
            (format!("permit_mynetworks, {}", service(1)), "permit_mynetworks".into()),
            (format!("a, {}, {}, b", service(1), service(3)), "a, b".into()),
            (other.to_owned(), other.to_owned()),
            (format!("{other}, {}", service(1)), other.to_owned()),
            (format!("{}, b", service(1).replace("=1s", "=12s")), "b".into()),
            ("permit_mynetworks".into(), "permit_mynetworks".into()),
        ] {
            assert_eq!(wanted.taken_out(&value), kept, "{value}");
        }
        let ours = Wanted { parameter: "smtpd_milters", place: "inet:127.0.0.1:2".into(), around: milter_service(1) };
        let old = ours.check().replace(":2,", ":1,");
        let theirs = "{ inet:127.0.0.1:11332, default_action=tempfail }, unix:/spamass/spamass.sock";
        assert_eq!(ours.taken_out(&format!("{old}, {theirs}")), theirs);
        let slower = Wanted { around: milter_service(3), place: "inet:127.0.0.1:2".into(), parameter: "smtpd_milters" };
        assert_eq!(ours.taken_out(&format!("{theirs}, {}", slower.check())), theirs);
    }
}

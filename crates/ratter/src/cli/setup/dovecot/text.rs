//! The texts of Dovecot's files, in both syntaxes.

use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use base::base64;
use gates::io::Place;

use super::{Parts, Syntax};
use crate::cli::setup::wait;

/// What only root may read: with whom the logins are discussed, and the secrets for it. A program that cannot read it,
/// such as dovecot-lda, has no auth policy, and needs none.
pub(super) fn secrets(parts: &Parts<'_>) -> String {
    let quoted = |value: &str| quoted(value, parts.syntax);
    let mut text = format!("auth_policy_server_url = http://{}/\n", reachable(parts.gate.listen));
    let header = match (&parts.gate.api_key, &parts.gate.password) {
        (Some(key), _) => Some(format!("{}: {}", parts.gate.api_header, key.expose())),
        (None, Some(password)) => Some(format!(
            "Authorization: Basic {}",
            base64::encode(format!("dovecot:{}", password.expose()).as_bytes())
        )),
        (None, None) => None,
    };
    if let Some(header) = header {
        add(&mut text, format_args!("auth_policy_server_api_header = {}", quoted(&header)));
    }
    add(&mut text, format_args!("auth_policy_hash_nonce = {}", quoted(parts.nonce)));
    text
}

const SETTINGS_23: &str = "\
# The same question comes before and after the password check: `stage` tells them apart (see the steps).
auth_policy_request_attributes = login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} \
device_id=%{client_id} protocol=%s session_id=%{session} attrs/stage=%{passdb:ag_stage}
";

const SETTINGS_24: &str = "\
# The same question comes before and after the password check: `stage` tells them apart (see the steps).
auth_policy_request_attributes {
  login = %{requested_username}
  pwhash = %{hashed_password}
  remote = %{remote_ip}
  device_id = %{client_id}
  protocol = %{protocol}
  session_id = %{session}
  fail_type = %{fail_type}
  attrs/stage = %{passdb:ag_stage | default('before')}
}
";

const SETTINGS: &str = "\
# Whenever Ratter does not answer, the password alone decides.
auth_policy_reject_on_fail = no
imap_id_retain = yes

# Dovecot's own delay for an address (2, 4, 8, 15 s) runs before it asks, and would come on top.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
";

/// What everybody may read.
pub(super) fn settings(parts: &Parts<'_>) -> String {
    let mut text = String::from("!include_try ../ratter-secrets.conf.ext\n\n");
    text.push_str(match parts.syntax {
        Syntax::V23 => SETTINGS_23,
        Syntax::V24 => SETTINGS_24,
    });
    text.push_str(SETTINGS);
    text.push_str(&patience(parts));
    if let (true, Some(place)) = (parts.post_login, parts.line) {
        for (service, protocol) in [("imap", "imap"), ("pop3", "pop3")] {
            text.push_str(&post_login(parts, service, protocol, place));
        }
    }
    if let (Some(program), Some(place)) = (parts.checkpassword, parts.line) {
        let helper = parts.helpers.join("ratter-checkpassword");
        add(
            &mut text,
            format_args!(
                "\npassdb {{\n  driver = checkpassword\n  args = {} {}{} {}\n  default_fields = ag_stage=after\n}}",
                helper.display(),
                wait::word(parts.helper_wait),
                socket(place),
                program.display()
            ),
        );
    }
    text
}

/// How long Dovecot waits for an answer. Its own two seconds would hold every login twice as long while Ratter hangs.
fn patience(parts: &Parts<'_>) -> String {
    let wait = parts.policy_wait.as_millis();
    match parts.syntax {
        Syntax::V23 => format!("auth_policy_server_timeout_msecs = {wait}\n"),
        Syntax::V24 => format!("auth_policy {{\n  http_client_request_absolute_timeout = {wait}ms\n}}\n"),
    }
}

/// The helper between the login and the service, which may say `* BYE`.
fn post_login(parts: &Parts<'_>, service: &str, protocol: &str, place: &Place) -> String {
    let user = match parts.syntax {
        Syntax::V23 => "$default_internal_user",
        Syntax::V24 => "$SET:default_internal_user",
    };
    let helper = parts.helpers.join("ratter-postlogin");
    format!(
        "\nservice {service} {{\n  executable = {service} ratter-{service}\n}}\nservice ratter-{service} {{\n  \
         executable = script-login {} {}{protocol} {}\n  user = {user}\n  unix_listener ratter-{service} {{\n  }}\n}}\n",
        helper.display(),
        wait::word(parts.helper_wait),
        socket(place)
    )
}

/// The first of the passdbs: it refuses, or leaves everything to the others.
pub(super) fn lua_passdb(syntax: Syntax, script: &Path) -> String {
    // Whatever happens to the script, the other passdbs decide: only its own "no" is final.
    let verdicts = "  result_failure = return-fail\n  result_internalfail = continue\n";
    match syntax {
        Syntax::V23 => {
            format!("passdb {{\n  driver = lua\n  args = file={} blocking=yes\n{verdicts}}}\n", script.display())
        }
        Syntax::V24 => format!("passdb lua {{\n  lua_file = {}\n{verdicts}}}\n", script.display()),
    }
}

/// The script itself, asking there.
pub(super) fn lua_script(parts: &Parts<'_>, place: SocketAddr) -> String {
    let place = reachable(place);
    include_str!("passdb.lua")
        .replace("@HOST@", &place.ip().to_string())
        .replace("@PORT@", &place.port().to_string())
        .replace("@WAIT@", &parts.helper_wait.as_secs_f64().to_string())
}

/// What is left to the admin.
pub(super) fn steps(parts: &Parts<'_>) -> Vec<String> {
    let marker = match parts.syntax {
        Syntax::V23 => "passdb {\n  …\n  default_fields = ag_stage=after\n}",
        Syntax::V24 => "passdb … {\n  …\n  fields {\n    ag_stage = after\n  }\n}",
    };
    let mut steps = vec![format!(
        "In each passdb of yours, tell the question after the password check from the one before it, so that a guarded \
         login is refused even with the right password:\n{marker}"
    )];
    if parts.lua.is_some() {
        steps.push("Install what the Lua passdb needs: apt-get install dovecot-auth-lua lua-socket".to_owned());
    }
    if let (Some(Place::Unix(path)), true) = (parts.line, parts.post_login || parts.checkpassword.is_some()) {
        steps.push(format!("Let Dovecot's users (`dovecot`, and who runs checkpassword) write to {}.", path.display()));
    }
    steps.push("Let Dovecot check and read its files: doveconf -n >/dev/null && doveadm reload".to_owned());
    steps.push("Prove it: ratter setup dovecot --probe".to_owned());
    steps
}

/// How a helper is told where to ask.
fn socket(place: &Place) -> String {
    match place {
        Place::Tcp(address) => reachable(*address).to_string(),
        Place::Unix(path) => path.display().to_string(),
    }
}

/// Where this machine reaches a listener: one that listens everywhere is reached on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

/// A value as Dovecot's configuration reads it back; 2.4 also expands `%{…}` in it.
fn quoted(value: &str, syntax: Syntax) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    match syntax {
        Syntax::V23 => format!("\"{value}\""),
        Syntax::V24 => format!("\"{}\"", value.replace('%', "%%")),
    }
}

fn add(text: &mut String, line: core::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_are() {
        assert_eq!(quoted(r#"a "b" \ # %{c}"#, Syntax::V23), r#""a \"b\" \\ # %{c}""#);
        assert_eq!(quoted("100%", Syntax::V24), "\"100%%\"");
    }

    #[test]
    fn a_listener_everywhere_is_reached_on_loopback() {
        for (listen, wanted) in
            [("0.0.0.0:4001", "127.0.0.1:4001"), ("[::]:1", "[::1]:1"), ("192.0.2.1:4001", "192.0.2.1:4001")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), wanted);
        }
    }
}

//! Exim: the line gate by `${readsocket}`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;
use gates::io::Place;

use super::{Asked, Planned, Recipe, asked, heading};
use crate::cli::Failure;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The folder of Exim's configuration
    #[arg(long, value_name = "FOLDER", default_value = "/etc/exim4")]
    folder: PathBuf,

    /// Where Exim listens for SMTP, for the probe
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:25")]
    smtp: SocketAddr,
}

pub(super) fn recipe(arguments: &Arguments, asked: &Asked<'_>) -> Result<Recipe, Failure> {
    let places = asked.config.gates.line.as_ref().map(|gate| gate.listen.as_slice()).unwrap_or_default();
    let Some(place) = places.first() else {
        let hint = "Exim asks the line gate: add to the configuration\n\n[gate.line]\nlisten = [\"127.0.0.1:4002\"]\n";
        return Err(Failure::Usage(format!("ratter: {hint}")));
    };
    let folder = std::path::absolute(&arguments.folder).map_err(anyhow::Error::from)?;
    let (macros, acls) = (folder.join("ratter.macros"), folder.join("ratter.acl"));
    let server = arguments.smtp;
    let steps = vec![
        format!(
            "At the top of Exim's configuration, and behind `begin acl`:\n\n.include {}\n\nbegin acl\n.include {}",
            macros.display(),
            acls.display()
        ),
        "In the main section, so that blocked clients are refused as they connect, and those that other people's lists speak \
         against when they send without a login; where you have such ACLs, begin them with `require acl = ratter_connect` and \
         `require acl = ratter_mail`:\n\nacl_smtp_connect = ratter_connect\nacl_smtp_mail = ratter_mail"
            .to_owned(),
        "In each authenticator, around your own condition, so that a blocked login is refused and each attempt is reported \
         (here for PLAIN, whose login is $auth2; LOGIN has it in $auth1):\n\nserver_set_id = $auth2\nserver_condition = \
         ${if RATTER_REFUSES{$auth2}RATTER_END {no} {${if YOUR-CONDITION {RATTER_OK{$auth2}RATTER_SENT} \
         {RATTER_FAILED{$auth2}RATTER_SENT}}}}\n\nPasswords that Exim has Dovecot check (driver = dovecot) need nothing of this: \
         Dovecot asks (`ratter setup dovecot`)."
            .to_owned(),
    ];
    Ok(Recipe {
        name: "exim",
        files: vec![
            Planned { path: macros, mode: 0o644, text: heading("#", "exim") + &macros_text(place) },
            Planned { path: acls, mode: 0o644, text: heading("#", "exim") + ACLS },
        ],
        commands: Vec::new(),
        steps,
        probe: Box::new(move |client| {
            let before = asked::count(client, "line")?;
            let said = asked::talk(server, &["QUIT"])?;
            if !asked::rose(client, "line", before)? {
                bail!(
                    "Exim answered `{}` without asking Ratter: is `acl_smtp_connect` set, and was it reloaded?",
                    said[0]
                );
            }
            Ok(format!("Exim asks Ratter: it asked about a client at {server} before it greeted it"))
        }),
    })
}

/// The macros. A login is the client's own text: what ends a line or separates words is escaped, so that it is the login that is
/// counted, and what is longer than any login that Ratter tells apart is cut.
fn macros_text(place: &Place) -> String {
    let socket = match place {
        Place::Tcp(address) if address.is_ipv6() => format!("inet:[{}]:{}", address.ip(), address.port()),
        Place::Tcp(address) => format!("inet:{address}"),
        Place::Unix(path) => path.display().to_string(),
    };
    MACROS.replace("SOCKET", &socket)
}

const MACROS: &str = r"
# What the line gate answers about the client: a number and words. `0` when it is silent for a second. At first he may still log in.
RATTER_AT_CONNECT = ${readsocket{SOCKET}{check address=$sender_host_address service=smtp stage=connect\n}{1s}{ }{0 silent}}
RATTER_AT_MAIL = ${readsocket{SOCKET}{check address=$sender_host_address service=smtp stage=after\n}{1s}{ }{0 silent}}

# ${if RATTER_REFUSES{$auth2}RATTER_END {refused} {go on}}
RATTER_REFUSES = match {${readsocket{SOCKET}{check address=$sender_host_address service=smtp stage=after login=${sg{${sg{${sg{${sg{${sg{${length{300}
RATTER_END = }}{%}{%25}}}{\x20}{%20}}}{\t}{%09}}}{\r}{%0D}}}{\n}{%0A}}\n}{1s}{ }{0 silent}}}{\N^-\N}

# The values of a condition that holds, and of one that does not, when the attempt is reported.
RATTER_OK = ${if match {${readsocket{SOCKET}{ok address=$sender_host_address service=smtp login=${sg{${sg{${sg{${sg{${sg{${length{300}
RATTER_FAILED = ${if !match {${readsocket{SOCKET}{failed address=$sender_host_address service=smtp login=${sg{${sg{${sg{${sg{${sg{${length{300}
RATTER_SENT = }}{%}{%25}}}{\x20}{%20}}}{\t}{%09}}}{\r}{%0D}}}{\n}{%0A}}\n}{1s}{ }{0 silent}}}{\N.*\N}{yes}{no}}
";

const ACLS: &str = r"
ratter_connect:
  accept  condition = ${if eq{$sender_host_address}{}}
  warn    set acl_c_ratter = RATTER_AT_CONNECT
  deny    condition = ${if match{$acl_c_ratter}{\N^-1\N}}
          message   = Your address is blocked here
  defer   condition = ${if match{$acl_c_ratter}{\N^-2\N}}
          message   = Try again later
  accept

ratter_mail:
  accept  condition = ${if eq{$sender_host_address}{}}
  accept  authenticated = *
  warn    set acl_c_ratter = RATTER_AT_MAIL
  deny    condition = ${if match{$acl_c_ratter}{\N^-1\N}}
          message   = Your address is blocked here
  defer   condition = ${if match{$acl_c_ratter}{\N^-2\N}}
          message   = Try again later
  accept
";

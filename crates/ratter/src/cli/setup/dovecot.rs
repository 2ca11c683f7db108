//! Dovecot's side: auth policy (which serves IMAP, POP3, submission, sieve, and Postfix' logins through Dovecot),
//! and for those who want them the helpers. The syntax of 2.4 is another one than that of 2.3.

mod probe;
mod text;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;
use gates::io::Place;

use super::{Asked, Planned, Recipe, Wait, heading};
use crate::cli::Failure;
use crate::config::{AskingGate, DovecotGate};
use crate::node::random_octets;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Whose syntax [default: that of the installed Dovecot]
    #[arg(long, value_name = "VERSION")]
    syntax: Option<Syntax>,

    /// Dovecot's configuration folder
    #[arg(long, value_name = "FOLDER", default_value = "/etc/dovecot")]
    folder: PathBuf,

    /// Also refuse listed clients behind the login, with `* BYE` and `-ERR`: for logins that a proxy lets through
    #[arg(long)]
    post_login: bool,

    /// Also ask before this checkpassword program is run (2.3 only)
    #[arg(long, value_name = "PROGRAM")]
    checkpassword: Option<PathBuf>,

    /// Also ask from a Lua passdb, for a Dovecot without auth policy; needs its Lua module and lua-socket
    #[arg(long)]
    lua: bool,

    /// Where `ratter-checkpassword` and `ratter-postlogin` are [default: beside this program]
    #[arg(long, value_name = "FOLDER")]
    helpers: Option<PathBuf>,

    #[command(flatten)]
    wait: Wait,
}

/// The syntax of Dovecot's configuration.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Syntax {
    /// Up to 2.3.
    #[value(name = "2.3")]
    V23,
    /// From 2.4 on.
    #[value(name = "2.4")]
    V24,
}

/// What is written for a server.
struct Parts<'a> {
    syntax: Syntax,
    gate: &'a DovecotGate,
    nonce: &'a str,
    /// Where the helpers ask, if any of them is wanted.
    line: Option<&'a Place>,
    helpers: &'a Path,
    post_login: bool,
    checkpassword: Option<&'a Path>,
    lua: Option<PathBuf>,
    /// How long Dovecot waits for an answer by its auth policy.
    policy_wait: Duration,
    /// How long the helpers wait.
    helper_wait: Duration,
}

/// The recipe for the Dovecot that is installed, or for the one that was asked for.
pub(super) fn recipe(arguments: &Arguments, asked: &Asked<'_>) -> Result<Recipe, Failure> {
    let gate = asked.config.gates.dovecot.as_ref();
    let (Some(gate), Some(nonce)) = (gate, gate.and_then(|gate| gate.nonce.as_deref())) else {
        return Err(Failure::Usage(missing(gate, asked)?));
    };
    let syntax = arguments.syntax.map_or_else(installed, Ok)?;
    if syntax == Syntax::V24 && arguments.checkpassword.is_some() {
        let hint = "its successor is Lua: --lua";
        return Err(Failure::Usage(format!("ratter: Dovecot 2.4 has no checkpassword any more; {hint}")));
    }
    let line_gate = asked.config.gates.line.as_ref();
    let line = line_place(arguments, line_gate.map(|line| line.listen.as_slice()).unwrap_or_default())?;
    let folder = std::path::absolute(&arguments.folder).map_err(anyhow::Error::from)?;
    let helpers = match &arguments.helpers {
        Some(helpers) => std::path::absolute(helpers),
        None => std::env::current_exe().map(|program| program.parent().map(PathBuf::from).unwrap_or_default()),
    };
    let helpers = helpers.map_err(anyhow::Error::from)?;
    let parts = Parts {
        syntax,
        gate,
        nonce,
        line,
        helpers: &helpers,
        post_login: arguments.post_login,
        checkpassword: arguments.checkpassword.as_deref(),
        lua: arguments.lua.then(|| folder.join("ratter.lua")),
        policy_wait: arguments.wait.of(asked.config, AskingGate::Dovecot),
        helper_wait: arguments.wait.of(asked.config, AskingGate::Line),
    };
    let main = folder.join("dovecot.conf");
    Ok(Recipe {
        name: "dovecot",
        files: files(&parts, &folder),
        commands: Vec::new(),
        steps: text::steps(&parts),
        probe: Box::new(move |client| probe::probe(&main, client)),
    })
}

fn files(parts: &Parts<'_>, folder: &Path) -> Vec<Planned> {
    let ours = |comment: &str| heading(comment, "dovecot");
    let mut files = vec![
        // Only root may read it, and `!include_try` passes over it for everybody else: dovecot-lda reads the rest.
        Planned { path: folder.join("ratter-secrets.conf.ext"), mode: 0o600, text: ours("#") + &text::secrets(parts) },
        Planned { path: folder.join("conf.d/99-ratter.conf"), mode: 0o644, text: ours("#") + &text::settings(parts) },
    ];
    if let (Some(lua), Some(Place::Tcp(place))) = (&parts.lua, parts.line) {
        // Before the passdbs that check the password: it comes first in the order of names.
        let first = Planned {
            path: folder.join("conf.d/00-ratter-lua.conf"),
            mode: 0o644,
            text: ours("#") + &text::lua_passdb(parts.syntax, lua),
        };
        files.extend([
            first,
            Planned { path: lua.clone(), mode: 0o644, text: ours("--") + &text::lua_script(parts, *place) },
        ]);
    }
    files
}

/// Where the helpers ask; none if there are none.
fn line_place<'a>(arguments: &Arguments, places: &'a [Place]) -> Result<Option<&'a Place>, Failure> {
    if arguments.lua {
        let tcp = places.iter().find(|place| matches!(place, Place::Tcp(_)));
        let hint = "LuaSocket asks over TCP: add to the configuration\n\n[gate.line]\nlisten = [\"127.0.0.1:4002\"]\n";
        return tcp.map(Some).ok_or_else(|| Failure::Usage(format!("ratter: {hint}")));
    }
    if !arguments.post_login && arguments.checkpassword.is_none() {
        return Ok(None);
    }
    let hint = "the helpers ask the line gate: add to the configuration\n\n[gate.line]\n\
                listen = [\"/run/ratter/gate.sock\"]\n";
    let unix = places.iter().find(|place| matches!(place, Place::Unix(_))).or_else(|| places.first());
    unix.map(Some).ok_or_else(|| Failure::Usage(format!("ratter: {hint}")))
}

/// What to add to Ratter's configuration before Dovecot can be set up.
fn missing(gate: Option<&DovecotGate>, asked: &Asked<'_>) -> anyhow::Result<String> {
    let file = asked.path.map_or_else(|| "/etc/ratter/ratter.toml".into(), Path::to_string_lossy);
    let secret = || random_octets().map(|octets| format!("{:032x}", u128::from_be_bytes(octets)));
    Ok(match gate {
        None => format!(
            "ratter: there is no gate for Dovecot; add to {file}, and start Ratter again:\n\n[gate.dovecot]\n\
             listen  = \"127.0.0.1:4001\"\napi-key = \"{}\"\nnonce   = \"{}\"\n",
            secret()?,
            secret()?
        ),
        Some(_) => format!(
            "ratter: Dovecot needs a nonce for its password hashes, and Ratter the same one; add below [gate.dovecot] \
             in {file}, and start Ratter again:\n\nnonce = \"{}\"\n",
            secret()?
        ),
    })
}

/// The syntax of the Dovecot that is installed here.
fn installed() -> Result<Syntax, Failure> {
    let wrong = |why: String| Failure::Usage(format!("ratter: {why}; say --syntax 2.3 or --syntax 2.4"));
    let output = Command::new("dovecot").arg("--version").output();
    let output = output.map_err(|error| wrong(format!("`dovecot --version` cannot be run: {error}")))?;
    let said = String::from_utf8_lossy(&output.stdout);
    of_version(&said).ok_or_else(|| wrong(format!("`dovecot --version` says `{}`", said.trim().escape_debug())))
}

/// The syntax of a version such as `2.3.19.1 (9b53102964)`.
fn of_version(version: &str) -> Option<Syntax> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    match (numbers.next()?, numbers.next()?) {
        (0..2, _) | (2, 0..=3) => Some(Syntax::V23),
        _ => Some(Syntax::V24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let cases = [
            ("2.3.19.1 (9b53102964)\n", Some(Syntax::V23)),
            ("2.2.36", Some(Syntax::V23)),
            ("2.4.1-4 (7d8c0e5759)", Some(Syntax::V24)),
            ("2.10.0", Some(Syntax::V24)),
            ("3.0", Some(Syntax::V24)),
            ("", None),
            ("dovecot 2.3", None),
            ("2", None),
        ];
        for (version, wanted) in cases {
            assert_eq!(of_version(version), wanted, "{version}");
        }
    }
}

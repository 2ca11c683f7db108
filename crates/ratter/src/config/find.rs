//! Which configuration is meant, and the little that a command needs of one that has faults.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::IsTerminal;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::node::SOCKET;
use super::{Config, DEFAULT, FILE_BYTES_MAX, Faults, Listening, Machine, Probe, Tries, load, load_file, units};

/// Where the configuration is looked for when none is named.
const SYSTEM_FILE: &str = "/etc/ratter/ratter.toml";

/// Where a configuration came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The program itself.
    BuiltIn,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "configuration {}", path.display()),
            Self::BuiltIn => f.write_str("built-in configuration"),
        }
    }
}

/// Whether it is tried if the configured ports are free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ports<'a> {
    /// They are.
    Tried,
    /// They are, unless the node that has them is running.
    TriedUnlessRunning,
    /// They are by the running node, but for what it holds itself.
    TriedBeside(&'a [Listening]),
    /// They are not.
    NotTried,
    /// They are not, nor is anything else that only a node needs: whoever reads a log may not write where a node does.
    NoNode,
}

/// The configuration named, or the system's, or the built-in one; or all its faults as text for standard error.
pub fn find(named: Option<&Path>, ports: Ports<'_>) -> Result<(Config, Source), String> {
    let tries = match ports {
        Ports::Tried => Tries::Ports,
        Ports::TriedBeside(held) => Tries::Beside(held),
        Ports::NotTried => Tries::Nothing,
        Ports::NoNode => Tries::NotEvenFiles,
        Ports::TriedUnlessRunning => {
            // Faults of the file do not make its ports free: they are the node's, and the faults are what is to be told.
            let is_running = control_socket(named).is_ok_and(|control| is_running(&control));
            if is_running { Tries::Nothing } else { Tries::Ports }
        }
    };
    read(named, tries).map_err(|faults| faults.render(std::io::stderr().is_terminal()))
}

/// The control socket of the configuration. Of a file only that is read, so that a running node can be asked, and
/// blocks lifted, while its configuration has faults or can be used by nobody but the node.
pub fn control_socket(named: Option<&Path>) -> Result<PathBuf, String> {
    let path = named.or_else(|| Path::new(SYSTEM_FILE).exists().then_some(Path::new(SYSTEM_FILE)));
    let read = || socket_in(path?);
    read().map_or_else(|| find(named, Ports::NotTried).map(|(config, _)| config.node.control), Ok)
}

/// Where the configuration has the listener for reports; none if it has none. As for the control socket only that is
/// read, and a file of the system's that a mail server's alias may not read says nothing.
pub fn reports_listener(named: Option<&Path>) -> Result<Option<SocketAddr>, String> {
    let path = named.unwrap_or_else(|| Path::new(SYSTEM_FILE));
    let bytes = match (Machine { tries: Tries::Nothing }).read(path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(_) if named.is_none() => return Ok(None),
        Err(error) => return Err(format!("ratter: {} cannot be read: {error}", path.display())),
    };
    let wrong = |what: &str| format!("ratter: {}: {what}", path.display());
    let text = str::from_utf8(&bytes).map_err(|_| wrong("is no text"))?;
    let file: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message()))?;
    let Some(listen) = file.get("reports").and_then(|reports| reports.get("listen")) else { return Ok(None) };
    let listen = listen.as_str().and_then(|listen| listen.parse().ok());
    listen.map(Some).ok_or_else(|| wrong("`[reports] listen` is no ADDRESS:PORT"))
}

/// What `[node]` in the file says of the control socket.
fn socket_in(path: &Path) -> Option<PathBuf> {
    let bytes = Machine { tries: Tries::Nothing }.read(path, FILE_BYTES_MAX).ok()?;
    let file: toml::Table = str::from_utf8(&bytes).ok()?.parse().ok()?;
    let node = file.get("node")?.as_table()?;
    let folder = path.parent()?;
    match (node.get("control"), node.get("state")) {
        (Some(control), _) => Some(folder.join(control.as_str()?)),
        (None, Some(state)) => Some(folder.join(state.as_str()?).join(SOCKET)),
        (None, None) => None,
    }
}

/// The duration that `text` is, as in the configuration; or what is wrong with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    units::parse(text).map_err(|mismatch| match mismatch.hint {
        Some(hint) => format!("{}: {hint}", mismatch.found),
        None => mismatch.found,
    })
}

fn read(named: Option<&Path>, tries: Tries<'_>) -> Result<(Config, Source), Faults> {
    let machine = Machine { tries };
    let system = Path::new(SYSTEM_FILE);
    match named.or_else(|| system.exists().then_some(system)) {
        Some(path) => load_file(path, &machine).map(|config| (config, Source::File(path.to_owned()))),
        None => load(None, DEFAULT, &machine).map(|config| (config, Source::BuiltIn)),
    }
}

fn is_running(control: &Path) -> bool {
    UnixStream::connect(control).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tests make their files")]
    fn the_ports_of_a_running_node_are_no_fault_of_a_file_with_a_slip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ratter.toml");
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap();
        let text = format!(
            "[node]\nstate = \"state\"\ncontrol = \"control.sock\"\n[reports]\nlisten = \"{listen}\"\n\
             [[reporter]]\nname = \"mx2\"\nkey = 7\n"
        );
        std::fs::write(&path, text).unwrap();
        let told = || find(Some(&path), Ports::TriedUnlessRunning).unwrap_err();
        let said = told();
        assert!(said.contains("cannot listen on") && said.contains("`key` in [[reporter]]"), "{said}");
        let _node = UnixListener::bind(folder.path().join("control.sock")).unwrap();
        let said = told();
        assert!(!said.contains("cannot listen on") && said.contains("`key` in [[reporter]]"), "{said}");
    }
}

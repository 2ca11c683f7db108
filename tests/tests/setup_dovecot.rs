//! What `ratter setup dovecot` writes makes a real Dovecot ask Ratter: the probe proves the auth policy, and each helper
//! refuses a listed address where there is no auth policy.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::imap::login;
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::write;
use ratter_tests::ratter::{Config, Node, helper};

const LISTED: &str = "203.0.113.5";
const OTHER: &str = "198.51.100.7";

/// A checkpassword program in a shell. Its user is `carl`, whose password is `cp-secret`.
const CHECKPASSWORD: &str = r#"#!/bin/sh
given=$(tr '\0' '\n' <&3)
[ "$given" = "carl
cp-secret" ] || exit 1
export USER=carl HOME="${0%/*}/mail/carl" userdb_uid=8 userdb_gid=8 EXTRA="userdb_uid userdb_gid"
exec "$@"
"#;

/// A node with a line gate, and a listed address.
fn node() -> Node {
    let node = Node::start(&Config::new().with(&format!("[gate.line]\nlisten = [\"{}\"]", free_port())));
    node.cli(&["list", LISTED, "--reason", "test"]).with_code(0);
    node
}

/// A place for Dovecot with its empty `conf.d`.
fn place() -> Place {
    let place = Place::new("dovecot");
    fs::create_dir(place.join("conf.d")).expect("a new folder");
    place
}

/// Copies the helpers to where Dovecot's users can reach them, and writes what `setup` makes with these arguments.
fn write_setup(node: &Node, place: &Place, arguments: &[&str]) {
    for name in ["ratter-checkpassword", "ratter-postlogin"] {
        fs::copy(helper(name), place.join(name)).expect("a copy");
    }
    let folder = place.path().to_str().expect("plain letters");
    // The machine may be busy: who is refused shall not depend on that.
    let fixed =
        ["setup", "dovecot", "--syntax", "2.3", "--folder", folder, "--helpers", folder, "--wait", "5s", "--write"];
    let said = node.cli(&[&fixed, arguments].concat()).with_code(0);
    assert!(said.out.contains("99-ratter.conf: written"), "{said:?}");
}

/// A Dovecot without auth policy, so that the helpers stand alone.
fn dovecot_with_helpers_alone(place: Place) -> Dovecot {
    fs::remove_file(place.join("ratter-secrets.conf.ext")).expect("setup wrote it");
    Dovecot::start_in(place, &Setup::alone().with("!include conf.d/*.conf"))
}

#[test]
fn the_probe_proves_what_was_written() {
    let (node, place) = (node(), place());
    let folder = place.path().to_str().expect("plain letters").to_owned();
    let probe = ["setup", "dovecot", "--syntax", "2.3", "--folder", &folder, "--wait", "5s", "--probe"];
    let mut dovecot = Dovecot::start_in(place, &Setup::alone().with("!include_try conf.d/*.conf"));

    let before = node.cli(&probe).with_code(1);
    assert!(before.err.contains("without telling Ratter"), "{before:?}");

    let install = [&probe[..8], &["--write"]].concat();
    node.cli(&install).with_code(0);
    let secrets = Path::new(&folder).join("ratter-secrets.conf.ext");
    assert_eq!(fs::metadata(&secrets).expect("it was written").permissions().mode() & 0o777, 0o600);
    dovecot.reload();
    let proved = node.cli(&probe).with_code(0);
    assert!(proved.out.contains("Dovecot asks Ratter"), "{proved:?}");

    assert!(login(dovecot.imap(), OTHER, "alice", PASSWORD).ok);
    assert!(!login(dovecot.imap(), LISTED, "alice", PASSWORD).ok);
    assert_eq!(dovecot.complaints(), Vec::<String>::new());

    write(&secrets, "mine = yes\n");
    let refused = node.cli(&install).with_code(1);
    assert!(refused.err.contains("is not ours"), "{refused:?}");
}

#[test]
fn a_listed_address_is_refused_before_the_checkpassword_program_runs() {
    let (node, place) = (node(), place());
    let script = place.join("checkpassword.sh");
    write(&script, CHECKPASSWORD);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
    write_setup(&node, &place, &["--checkpassword", script.to_str().expect("plain letters")]);
    let dovecot = dovecot_with_helpers_alone(place);

    for (address, password, wanted) in
        [(OTHER, "cp-secret", true), (OTHER, "wrong", false), (LISTED, "cp-secret", false), (LISTED, "wrong", false)]
    {
        let reply = login(dovecot.imap(), address, "carl", password);
        assert_eq!(reply.ok, wanted, "{address} {password}: {reply:?}");
        assert!(wanted || reply.text.contains("AUTHENTICATIONFAILED"), "{reply:?}");
    }
    let why = node.why("login:carl");
    let kinds: Vec<_> = why.events.iter().map(|event| (event.kind.as_str(), event.service.as_str())).collect();
    assert_eq!(kinds, [("login-ok", "imap")], "the login behind the check is reported, and nothing else");

    let mut node = node;
    node.freeze();
    let reply = login(dovecot.imap(), OTHER, "carl", "cp-secret");
    assert!(reply.ok, "a node that does not answer refuses nobody: {reply:?}");
    node.thaw();
}

#[test]
fn the_lua_passdb_refuses_before_the_password_is_checked() {
    let module = Path::new("/usr/lib/dovecot/modules/auth/libauthdb_lua.so");
    assert!(module.is_file(), "{} is missing: `apt-get install dovecot-auth-lua lua-socket`", module.display());
    let (node, place) = (node(), place());
    write_setup(&node, &place, &["--lua"]);
    fs::remove_file(place.join("ratter-secrets.conf.ext")).expect("setup wrote it");
    write(&place.join("more-users"), &format!("grace:{{PLAIN}}{PASSWORD}\n"));
    // The passdb that knows grace comes after the one of the include, as it does in Debian's files.
    let more = format!(
        "!include conf.d/*.conf\npassdb {{\n  driver = passwd-file\n  args = {}\n}}\n",
        place.join("more-users").display()
    );
    let dovecot = Dovecot::start_in(place, &Setup::alone().with(&more));
    assert!(login(dovecot.imap(), OTHER, "grace", PASSWORD).ok);
    assert!(!login(dovecot.imap(), OTHER, "grace", "wrong").ok);
    let refused = login(dovecot.imap(), LISTED, "grace", PASSWORD);
    assert!(!refused.ok && refused.text.contains("AUTHENTICATIONFAILED"), "{refused:?}");

    let mut node = node;
    node.freeze();
    let reply = login(dovecot.imap(), LISTED, "grace", PASSWORD);
    assert!(reply.ok, "a node that does not answer refuses nobody: {reply:?}");
    node.thaw();
}

#[test]
fn a_listed_address_is_told_goodbye_behind_the_login() {
    let (node, place) = (node(), place());
    write_setup(&node, &place, &["--post-login"]);
    let dovecot = dovecot_with_helpers_alone(place);

    assert!(login(dovecot.imap(), OTHER, "alice", PASSWORD).ok);
    let reply = login(dovecot.imap(), LISTED, "alice", PASSWORD);
    assert!(reply.text.starts_with("* BYE"), "{reply:?}");

    for (address, wanted) in [(OTHER, "+OK"), (LISTED, "-ERR [SYS/TEMP]")] {
        let mut pop3 = BufReader::new(TcpStream::connect(dovecot.pop3()).expect("it serves"));
        let mut answer = String::new();
        pop3.read_line(&mut answer).expect("a greeting");
        for command in [format!("XCLIENT ADDR={address} PORT=4711"), "USER alice".into(), format!("PASS {PASSWORD}")] {
            pop3.get_mut().write_all(format!("{command}\r\n").as_bytes()).expect("it listens");
            answer.clear();
            pop3.read_line(&mut answer).expect("an answer");
        }
        assert!(answer.starts_with(wanted), "{address}: {answer}");
    }
}

//! A real Postfix that asks Ratter's look-up tables, and what `ratter setup postfix` makes of its configuration.

use std::io::Write as _;

use ratter_tests::dovecot::{Dovecot, Setup};
use ratter_tests::place::free_port;
use ratter_tests::postfix::Postfix;
use ratter_tests::ratter::{Config, Node};

const BOB: &[&str] = &["bob@example.org"];
const BLOCKED: &str = "Your address is blocked here";

#[test]
fn both_kinds_of_tables_refuse_a_blocked_client() {
    let (socketmap, tcp, line) = (free_port(), free_port(), free_port());
    let section =
        format!("[gate.map]\nsocketmap = [\"{socketmap}\"]\ntcp = [\"{tcp}\"]\n[gate.line]\nlisten = [\"{line}\"]\n");
    let node = Node::start(&Config::new().with(&section));
    node.cli(&["list", "203.0.113.5", "--reason", "test"]).with_code(0);
    node.cli(&["list", "login:mallory", "--reason", "test"]).with_code(0);
    // A guarded login: its owner is known by an address that the table is not told.
    let mut gate = std::net::TcpStream::connect(line).expect("the gate listens");
    for guess in 1..=4 {
        let failed = format!("failed address=198.51.100.{guess} login=alice session=s{guess}\n");
        gate.write_all(failed.as_bytes()).expect("the gate reads");
    }
    node.wait_listed("login:alice", "blocked");
    // Postfix looks at logins only where it takes them: from a Dovecot.
    let auth = free_port();
    let listener =
        format!("service auth {{\n  inet_listener {{\n    port = {}\n    address = 127.0.0.1\n  }}\n}}\n", auth.port());
    let _dovecot = Dovecot::start(&Setup::alone().with(&listener));
    let sasl = format!("smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:{auth}\n");
    for (table, logins) in [
        (
            format!("socketmap:inet:{socketmap}:clients"),
            Some(format!("check_sasl_access socketmap:inet:{socketmap}:logins")),
        ),
        (format!("tcp:{tcp}"), None),
    ] {
        let restrictions = format!("check_client_access {table} {}", logins.clone().unwrap_or_default());
        let postfix = Postfix::start(&format!("{sasl}smtpd_recipient_restrictions = {restrictions}\n"));
        let refused = postfix.client("203.0.113.5", "").mail(BOB, "");
        assert!(refused.starts_with("554 5.7.1") && refused.contains(BLOCKED), "{table}: {refused}");
        assert!(postfix.client("203.0.113.6", "").mail(BOB, "").starts_with("250"), "{table}");
        if logins.is_some() {
            let refused = postfix.client("203.0.113.6", "mallory").mail(BOB, "");
            assert!(refused.contains("This account may not send"), "{refused}");
            let said = postfix.client("203.0.113.6", "alice").mail(BOB, "");
            assert!(said.starts_with("250"), "{said}");
        }
    }
}

#[test]
fn setup_puts_the_checks_before_the_admins_own_and_the_probe_proves_them() {
    let (policy, milter) = (free_port(), free_port());
    let section = format!("[gate.postfix]\nlisten = [\"{policy}\"]\n[gate.milter]\nlisten = [\"{milter}\"]\n");
    let node = Node::start(&Config::new().with(&section));
    let postfix = Postfix::start("smtpd_recipient_restrictions = reject_non_fqdn_sender,\n  reject_unlisted_sender\n");
    let (folder, smtp) = (postfix.folder(), postfix.smtp.to_string());
    let folder = folder.to_str().expect("plain letters");
    let setup = ["setup", "postfix", "--folder", folder, "--smtp", &smtp];
    let probe = [&setup[..], &["--probe"]].concat();
    let before = node.cli(&probe).with_code(1);
    assert!(before.err.contains("without asking Ratter"), "{before:?}");

    let shown = node.cli(&setup).with_code(0);
    assert!(shown.out.contains("default_action=DUNNO"), "{shown:?}");
    node.cli(&[&setup[..], &["--write"]].concat()).with_code(0);
    let ask = format!("check_policy_service {{ inet:{policy}, default_action=DUNNO, timeout=1s }}");
    let value = |name| postfix.setting(name);
    assert_eq!(value("smtpd_recipient_restrictions"), format!("{ask}, reject_non_fqdn_sender, reject_unlisted_sender"));
    assert_eq!(value("smtpd_end_of_data_restrictions"), ask);
    assert!(value("smtpd_milters").contains("default_action=accept"));
    let again = node.cli(&setup).with_code(0);
    assert!(!again.out.contains("postconf"), "nothing is left to change: {again:?}");

    postfix.reload();
    let proved = node.cli(&probe).with_code(0);
    assert!(proved.out.contains("Postfix asks Ratter"), "{proved:?}");
}

//! The senders of a domain, as its SPF names them and a real BIND knows it, are on no published list; what is known of them
//! outlives the server and the node.

use std::process::Command;

use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Process, program, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

const ZONE: &str = "\
$TTL 60
@ SOA ns.sender.test. root.sender.test. 1 60 60 60 60
@ NS ns.sender.test.
ns A 127.0.0.1
@ TXT \"v=spf1 ip4:198.51.100.0/28 mx inc\" \"lude:more.sender.test -all\"
@ TXT \"something else\"
@ MX 10 mail
mail A 203.0.113.7
more TXT \"v=spf1 ip6:2001:db8:7::/48 ?all\"
broken TXT \"v=spf1 ip4:20.0.0.1 include:nobody.sender.test -all\"
";

/// One address of each term, and one that no term names.
const SENDERS: [&str; 3] = ["198.51.100.9", "203.0.113.7", "2001:db8:7:1::5"];
const OTHER: &str = "198.51.100.77";

fn is_protected(node: &Node, address: &str) -> bool {
    node.why(address).protections.iter().any(|protection| protection.by == "the SPF of sender.test")
}

#[test]
fn senders_are_protected_and_stay_so_when_nobody_can_be_asked() {
    let place = Place::new("bind");
    let address = free_port();
    let (path, port) = (place.path().display(), address.port());
    let config = format!(
        "options {{ directory \"{path}\"; pid-file none; session-keyfile none; managed-keys-directory \"{path}\";\n\
         dnssec-validation no; recursion no; notify no;\n\
         listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n\
         zone \"sender.test\" {{ type primary; file \"zone\"; }};\n"
    );
    write(&place.join("conf"), &config);
    write(&place.join("zone"), ZONE);
    let mut command = Command::new(program("named", "bind9"));
    command.args(["-g", "-n", "1", "-c"]).arg(place.join("conf"));
    let bind = Process::start("named", place.path(), &command);
    wait::until_true("BIND to answer", || {
        let mut dig = Command::new(program("dig", "bind9-dnsutils"));
        dig.args(["@127.0.0.1", "-p", &port.to_string(), "+short", "+time=1", "+tries=1", "sender.test", "SOA"]);
        !dig.output().expect("dig runs").stdout.is_empty()
    });

    let config = Config::new()
        .node("allow-senders = [\"sender.test\", \"broken.sender.test\"]")
        .with(&format!("[resolver]\nservers = [\"{address}\"]\ntimeout = \"1s\"\n"));
    let mut node = Node::start(&config);
    wait::until_true("the SPF to be asked for", || is_protected(&node, SENDERS[0]));
    let list = |node: &Node, address: &str, code| {
        node.cli(&["list", address, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(code);
    };
    for sender in SENDERS {
        assert!(is_protected(&node, sender), "{sender}");
        list(&node, sender, 1);
    }
    list(&node, OTHER, 0);
    // What can not be told wholly is not believed in part.
    assert!(node.why("20.0.0.1").protections.is_empty());

    drop(bind);
    node.kill();
    node.start_again();
    for sender in SENDERS {
        assert!(is_protected(&node, sender), "{sender}");
        list(&node, sender, 1);
    }
}

//! rspamd reads a node's map, from its file and over HTTP, and refuses who is blocked and nobody else.

use std::process::Command;

use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Process, program, run, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

/// A mail of which rspamd thinks nothing.
const MAIL: &str = "From: a@example.org\nTo: b@example.org\nSubject: x\n\nx\n";

/// An rspamd with nothing but two rules: the address is in the map's file, and in what the node serves.
struct Rspamd {
    process: Process,
    url: String,
}

impl Rspamd {
    fn start(place: &Place, file: &str, served: &str) -> Self {
        let listen = free_port();
        let folder = place.path().display();
        // Its list of domains would be compiled for a minute; an address needs none.
        write(&place.join("tlds"), "org\n");
        let config = format!(
            r#"
options {{
  pidfile = "{folder}/rspamd.pid"; tempdir = "{folder}"; hs_cache_dir = "{folder}"; url_tld = "{folder}/tlds";
  control_socket = "{folder}/control"; disable_hyperscan = true; map_watch_interval = 1s; filters = "";
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "info"; }}
worker "normal" {{ bind_socket = "{listen}"; count = 1; }}
modules {{ path = "/usr/share/rspamd/plugins/"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
actions {{ reject = 15; }}
multimap {{
  IN_FILE {{ type = "ip"; map = "{file}"; score = 1; }}
  IN_SERVED {{ type = "ip"; map = "{served}"; score = 1; }}
}}
"#
        );
        let path = place.join("rspamd.conf");
        write(&path, &config);
        let mut command = Command::new(program("rspamd", "rspamd"));
        command.args(["-f", "-i", "-c"]).arg(&path);
        let process = Process::start("rspamd", place.path(), &command);
        Self { process, url: format!("http://{listen}/checkv2") }
    }

    /// Whether a client's address is in the file and in what is served; none while rspamd does not answer.
    fn finds(&mut self, address: &str) -> Option<(bool, bool)> {
        self.process.must_run();
        let ip = format!("IP: {address}");
        let said = run(Command::new(program("curl", "curl")).args(["-s", "-H", &ip, "--data-binary", MAIL, &self.url]));
        let has = |symbol: &str| said.out.contains(&format!("\"{symbol}\""));
        said.out.contains("\"symbols\"").then(|| (has("IN_FILE"), has("IN_SERVED")))
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        // Killed, it would leave its workers behind.
        self.process.end();
    }
}

#[test]
fn rspamd_finds_who_is_blocked_and_nobody_else() {
    let place = Place::new("rspamd");
    let file = place.join("blocked.map").display().to_string();
    let map = format!("[[action.map]]\nname = \"blocked\"\npath = \"{file}\"\nformat = \"rspamd\"\nserve = true\n");
    let node = Node::start(&Config::new().with(&map));
    let list = |subject: &str| {
        let reason = "x; 0.0.0.0/0 # \"y\"";
        node.cli(&["list", subject, "--on", "blocked", "--for", "1h", "--reason", reason]).with_code(0);
    };
    list("203.0.113.1");
    list("198.51.100.0/24");
    list("2001:db8:1:2::/64");
    wait::until_true("the map", || node.quick_status().actions.iter().all(|action| action.entries == 3));
    let served = format!("http://{}/maps/blocked", node.addresses().metrics);
    let mut rspamd = Rspamd::start(&place, &file, &served);

    for blocked in ["203.0.113.1", "198.51.100.77", "2001:db8:1:2::9"] {
        wait::until_true(&format!("{blocked} in both"), || rspamd.finds(blocked) == Some((true, true)));
    }
    for free in ["203.0.113.10", "203.0.113.0", "198.51.101.1", "192.0.2.1", "2001:db8:1:3::9", "0.0.0.1"] {
        assert_eq!(rspamd.finds(free), Some((false, false)), "{free}");
    }
    node.cli(&["unlist", "203.0.113.1"]).with_code(0);
    wait::until_true("it is let in again", || rspamd.finds("203.0.113.1") == Some((false, false)));
    assert_eq!(rspamd.finds("198.51.100.77"), Some((true, true)), "the others stay");
}

//! Who asks a blocklist in the world: unbound, and behind it `SpamAssassin` and rspamd, with what `ratter setup` writes
//! for them.

use std::path::Path;
use std::process::Command;

use ratter_tests::dns::entry;
use ratter_tests::http::Connection;
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Process, program, run, write};
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::unbound::Unbound;
use ratter_tests::wait;

const LISTED: &str = "203.0.113.76";
const UNLISTED: &str = "203.0.113.77";

fn node(sections: &str) -> Node {
    let node = Node::start(&Config::new().with(sections));
    list(&node, LISTED, "auth");
    node
}

fn list(node: &Node, address: &str, on: &str) {
    node.cli(&["list", address, "--on", on, "--for", "1h", "--reason", "a test"]).with_code(0);
}

fn at(address: std::net::SocketAddr) -> String {
    format!("{}@{}", address.ip(), address.port())
}

/// Questions that the node has been asked.
fn queries(node: &Node) -> u64 {
    node.quick_status().dnsbl.map(|dnsbl| dnsbl.queries).unwrap_or_default()
}

#[test]
fn unbound_finds_what_is_listed_and_remembers_what_is_not() {
    let node = node("");
    for minimises in ["yes", "no"] {
        // Strictly, unbound 1.17 would ask again for names below one that is not there, which it has not kept.
        let lines = format!("  qname-minimisation: {minimises}\n");
        let unbound = Unbound::start(ORIGIN, &at(node.addresses().dns), &lines, "");
        for zone in ["auth", "all"] {
            assert_eq!(unbound.addresses(&entry(LISTED, zone, ORIGIN)), ["127.0.0.43"], "minimises: {minimises}");
            let text = unbound.ask(&entry(LISTED, zone, ORIGIN), "TXT").answer;
            assert!(text.iter().any(|record| record.data.contains(LISTED)), "{text:?}");
            let unlisted = unbound.ask(&entry(UNLISTED, zone, ORIGIN), "A");
            assert_eq!((unlisted.status.as_str(), unlisted.answer.len()), ("NXDOMAIN", 0));
            assert_eq!(unlisted.authority[0].kind, "SOA", "what it is remembered by");
        }
        let v6 = entry("2001:db8::7", "all", ORIGIN);
        assert_eq!(unbound.ask(&v6, "A").status, "NXDOMAIN");
        // Asked again, nobody asks the node.
        let before = queries(&node);
        for _ in 0..3 {
            assert_eq!(unbound.ask(&entry(UNLISTED, "auth", ORIGIN), "A").status, "NXDOMAIN");
            assert_eq!(unbound.ask(&v6, "A").status, "NXDOMAIN");
            assert_eq!(unbound.addresses(&entry(LISTED, "auth", ORIGIN)), ["127.0.0.43"]);
        }
        assert_eq!(queries(&node), before, "minimises: {minimises}");
    }
}

#[test]
fn unbound_asks_by_tls() {
    let (place, tls) = (Place::new("tls"), free_port());
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|file| place.join(file));
    ratter_tests::certificate::make("ns1.example.org", "DNS:ns1.example.org", &key, &certificate);
    let node = node(&format!("[dnsbl.tls]\nlisten = [\"{tls}\"]\ncertificate = {certificate:?}\nkey = {key:?}\n"));
    let lines = format!("  tls-cert-bundle: {certificate:?}");
    let server = format!("{}#ns1.example.org", at(tls));
    let unbound = Unbound::start(ORIGIN, &server, &lines, "  stub-tls-upstream: yes");
    assert_eq!(unbound.addresses(&entry(LISTED, "auth", ORIGIN)), ["127.0.0.43"]);
    let mut connection = Connection::tcp(node.addresses().metrics).expect("the metrics are served");
    let metrics = connection.get("/metrics").expect("an answer").body;
    assert!(!metrics.contains("ratter_dns_tls_queries_total 0"), "{metrics}");
}

/// A mail that `address` handed over.
fn mail(address: &str) -> String {
    format!(
        "Received: from mail.example.net (mail.example.net [{address}])\n\tby mx.example.org (Postfix) with ESMTP id 4B1;\n\t\
         Sat, 21 Nov 2026 12:00:00 +0000\nFrom: a@example.net\nTo: b@example.org\nSubject: x\n\
         Date: Sat, 21 Nov 2026 12:00:00 +0000\nMessage-ID: <1@example.net>\n\nx\n"
    )
}

/// The zones that spam filters are tested with: the node's own, and two lists "of others" that are zones from files of
/// the same node: one with several codes, one that tells everybody that he may not ask.
fn lists_of_others(place: &Place) -> String {
    let head = "$SOA 1h ns.example.net admin.example.net 7 10m 5m 1w 2m\n$NS 1d ns.example.net\n";
    write(
        &place.join("others"),
        &format!("{head}:127.0.0.9:x\n127.0.0.2\n{LISTED} :127.0.0.10:x\n{UNDOCUMENTED} :127.0.0.77:x\n"),
    );
    write(&place.join("shut"), &format!("{head}:127.0.0.2:x\n127.0.0.2\n"));
    write(&place.join("nobody"), "0.0.0.0/0 :127.255.255.254:you may not ask\n");
    format!(
        "[dnsbl.static]\nfolder = \"{}\"\nzones = [\"others.{ORIGIN}:ip4set:others\", \"shut.{ORIGIN}:ip4set:shut\", \
         \"shut.{ORIGIN}:acl:nobody\"]\n\
         [[ask]]\nname = \"others\"\nzone = \"others.{ORIGIN}\"\ncodes = [{{ code = \"127.0.0.9\", meaning = \"bad\", \
         weight = 4 }}, {{ code = \"127.0.0.10\", meaning = \"worse\", weight = 5 }}]\n\
         [[ask]]\nname = \"shut\"\nzone = \"shut.{ORIGIN}\"\ncodes = [{{ code = \"127.0.0.2\", meaning = \"bad\", weight = 5 }}]\n",
        place.path().display()
    )
}

/// Listed with a code that the list's operator has not documented.
const UNDOCUMENTED: &str = "203.0.113.78";

/// What a filter is to say of a client: the symbols that it must have, and none of ours but those.
const VERDICTS: [(&str, &[&str]); 4] = [
    (LISTED, &["RATTER_ASK_OTHERS_10", "RATTER_AUTH"]),
    (UNDOCUMENTED, &[]),
    (UNLISTED, &[]),
    ("203.0.113.79", &["RATTER_DYNA", "RATTER_SPAM"]),
];

/// The words of a text that begin with `RATTER`, each once and sorted, but for those that score nothing: that a list does not
/// answer our questions, whereupon both filters leave it alone for a while, and that a code is not known.
fn symbols(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let scores = |word: &&str| !word.ends_with("_BLOCKED") && !word.ends_with("_UNKNOWN");
    let mut found: Vec<&str> = words.filter(|word| word.starts_with("RATTER_")).filter(scores).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn check(name: &str, address: &str, said: &str, wanted: &[&str]) {
    assert_eq!(symbols(said), wanted, "{name} of {address}: {said}");
}

fn setup(node: &Node, filter: &str, folder: &Path, more: &[&str]) -> String {
    let folder = folder.to_str().expect("plain letters");
    node.cli(&[&["setup", filter, "--folder", folder], more].concat()).with_code(0).out
}

#[test]
fn spamassassin_scores_by_exact_codes() {
    let files = Place::new("lists");
    let node = node(&lists_of_others(&files));
    list(&node, "203.0.113.79", "spam");
    list(&node, "203.0.113.79", "dyna");
    let unbound = Unbound::start(ORIGIN, &at(node.addresses().dns), "", "");
    let place = Place::new("spamassassin");
    let resolver = unbound.address();
    let local = format!(
        "dns_server {}:{}\nuse_bayes 0\nrbl_timeout 10 10\ndns_available yes\nscore RATTER_SPAM 3.3\n\
         internal_networks 192.0.2.0/24\ndns_query_restriction deny org net com eu info de cx\n\
         dns_query_restriction allow {ORIGIN}\n",
        resolver.ip(),
        resolver.port()
    );
    write(&place.join("local.cf"), &local);
    let plugins = ["Check", "DNSEval"].map(|name| format!("loadplugin Mail::SpamAssassin::Plugin::{name}\n"));
    write(&place.join("v320.pre"), &plugins.concat());
    setup(&node, "spamassassin", place.path(), &["--write"]);
    // No rules but ours; what is found stands in a header.
    let rules = Place::new("rules");
    let header = "add_header all Status \"_YESNO_, score=_SCORE_ tests=_TESTSSCORES_\"";
    write(&rules.join("10.cf"), &format!("clear_headers\n{header}\nreport_safe 0\nutil_rb_tld org net example\n"));
    let spamassassin = |arguments: &[&str]| {
        let mut command = Command::new(program("spamassassin", "spamassassin"));
        command.arg("--siteconfigpath").arg(place.path()).arg("--configpath").arg(rules.path());
        command.arg("--prefspath").arg(place.join("prefs")).args(arguments).env("HOME", place.path());
        command
    };
    let lint = run(&mut spamassassin(&["--lint"]));
    assert!(lint.code == 0 && !(lint.out + &lint.err).contains("warn"), "the rules are right");
    for (address, wanted) in VERDICTS {
        write(&place.join("mail"), &mail(address));
        let said = run(spamassassin(&["-t"]).arg(place.join("mail"))).with_code(0).out;
        let header = said.split("X-Spam-Status").nth(1).and_then(|text| text.split("Received:").next());
        let header = header.unwrap_or_else(|| panic!("no header: {said}"));
        check("SpamAssassin", address, header, wanted);
        let is_unknown = header.contains("RATTER_ASK_OTHERS_UNKNOWN=0.001");
        assert_eq!(is_unknown, address == UNDOCUMENTED, "an administrator sees a code that is new: {header}");
        if wanted.contains(&"RATTER_SPAM") {
            assert!(header.contains("RATTER_SPAM=3.3"), "the score of local.cf: {header}");
        }
    }
    // With the rules that Debian ships, and nothing of the world to ask.
    let proved = setup(&node, "spamassassin", place.path(), &["--probe"]);
    assert!(proved.contains("while the address is listed"), "{proved}");
    let block = home().join(format!(".spamassassin/dnsblock_shut.{ORIGIN}"));
    assert!(block.exists(), "SpamAssassin knows that the list does not answer its questions: {}", block.display());
}

/// Where `SpamAssassin` keeps what it knows of lists: the home of whoever runs it, whatever the environment says.
fn home() -> std::path::PathBuf {
    let user = run(Command::new("id").arg("-un")).with_code(0).out;
    let entry = run(Command::new("getent").args(["passwd", user.trim()])).with_code(0).out;
    entry.split(':').nth(5).expect("a home").into()
}

/// An rspamd with its rbl module alone.
struct Rspamd {
    process: Process,
    server: String,
}

impl Rspamd {
    fn start(place: &Place, resolver: std::net::SocketAddr) -> Self {
        let listen = free_port();
        let folder = place.path().display();
        write(&place.join("tlds"), "org\nnet\n");
        let config = format!(
            r#"
options {{
  pidfile = "{folder}/rspamd.pid"; tempdir = "{folder}"; hs_cache_dir = "{folder}"; url_tld = "{folder}/tlds";
  control_socket = "{folder}/control"; disable_hyperscan = true; filters = ""; local_addrs = [];
  dns {{ nameserver = ["{}:{}"]; timeout = 2s; retransmits = 3; }}
}}
logging {{ type = "console"; level = "info"; }}
worker "normal" {{ bind_socket = "{listen}"; count = 1; }}
modules {{ path = "/usr/share/rspamd/plugins/"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
actions {{ reject = 15; }}
rbl {{ .include "{folder}/ratter_rbl.conf" }}
group "rbl" {{ .include "{folder}/ratter_rbl_group.conf" }}
"#,
            resolver.ip(),
            resolver.port()
        );
        let path = place.join("rspamd.conf");
        write(&path, &config);
        let mut command = Command::new(program("rspamd", "rspamd"));
        command.args(["-f", "-i", "-c"]).arg(&path);
        let process = Process::start("rspamd", place.path(), &command);
        Self { process, server: listen.to_string() }
    }

    /// What it says of a mail that the address hands over; nothing while it does not answer.
    fn says(&mut self, address: &str) -> Option<String> {
        self.process.must_run();
        let url = format!("http://{}/checkv2", self.server);
        let (ip, mail) = (format!("IP: {address}"), mail(address));
        let said = run(Command::new(program("curl", "curl")).args(["-s", "-H", &ip, "--data-binary", &mail, &url])).out;
        said.contains("\"symbols\"").then_some(said)
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        // Killed, it would leave its workers behind.
        self.process.end();
    }
}

#[test]
fn rspamd_scores_by_exact_codes_and_the_probe_proves_it() {
    let files = Place::new("lists");
    let node = node(&lists_of_others(&files));
    list(&node, "203.0.113.79", "spam");
    list(&node, "203.0.113.79", "dyna");
    let unbound = Unbound::start(ORIGIN, &at(node.addresses().dns), "", "");
    let place = Place::new("rspamd");
    setup(&node, "rspamd", place.path(), &["--write"]);
    let mut rspamd = Rspamd::start(&place, unbound.address());
    for (address, wanted) in VERDICTS {
        let said = wait::until("rspamd", || rspamd.says(address));
        check("rspamd", address, &said, wanted);
    }
    let proved = setup(&node, "rspamd", place.path(), &["--server", &rspamd.server, "--probe"]);
    assert!(proved.contains("while the address is listed"), "{proved}");
}

#[test]
fn what_rspamd_is_told_goes_with_the_lists_that_it_ships() {
    let node = node("");
    let place = Place::new("rspamd");
    let folder = place.join("etc");
    run(Command::new("cp").args(["-r", "/etc/rspamd"]).arg(&folder)).with_code(0);
    // As the steps say: `Add to FILE:`, and below it a line.
    let shown = setup(&node, "rspamd", &folder, &["--write"]);
    let lines: Vec<&str> = shown.lines().collect();
    let added = lines.iter().zip(&lines[1..]).filter_map(|(step, line)| {
        let (_, file) = step.strip_suffix(':')?.split_once("Add to ")?;
        Some((Path::new(file).to_owned(), format!("{}\n", line.trim())))
    });
    let added: Vec<_> = added.collect();
    assert_eq!(added.len(), 2, "{shown}");
    for (file, line) in added {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("our own folder");
        write(&file, &line);
    }
    let rspamadm = |arguments: &[&str]| {
        let mut command = Command::new(program("rspamadm", "rspamd"));
        for variable in ["CONFDIR", "LOCAL_CONFDIR"] {
            command.arg(format!("--var={variable}={}", folder.display()));
        }
        run(command.args(arguments).arg("-c").arg(folder.join("rspamd.conf")))
    };
    let tested = rspamadm(&["configtest"]);
    let said = tested.out + &tested.err;
    assert!(said.contains("syntax OK") && !said.contains("DISABLED"), "{said}");
    // One object: two would be an array, of which rspamd takes none.
    let lists = rspamadm(&["configdump", "rbl"]).out;
    let count = |text: &str| lists.lines().filter(|line| line.trim() == text).count();
    assert_eq!((count("rbls {"), count("ratter {"), count("spamhaus {")), (1, 1, 1), "{lists}");
}

#[test]
fn filters_are_set_up_only_where_there_is_something_to_ask() {
    let node = node("[[ask]]\npreset = \"spamhaus-zen\"\n");
    let folder = Place::new("shown");
    let shown = setup(&node, "spamassassin", folder.path(), &[]);
    for wanted in [
        "eval:check_rbl('ratter-lastexternal', 'all.bl.example.org.')",
        "eval:check_rbl_sub('ratter_ask_spamhaus_zen-lastexternal', '127.0.0.10')",
        "score    RATTER_ASK_SPAMHAUS_ZEN_10  2.5",
        "dns_block_rule RATTER_ASK_SPAMHAUS_ZEN_BLOCKED  zen.spamhaus.org",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is written unasked");
    let shown = setup(&node, "rspamd", folder.path(), &["--key", "h3mq8rkz2vbnx7yw"]);
    assert!(shown.contains("rbl = \"h3mq8rkz2vbnx7yw.all.bl.example.org\"") && shown.contains("mode 0640"), "{shown}");
}

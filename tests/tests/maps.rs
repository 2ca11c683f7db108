//! Map files of a running node, read by the programs that they are for.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use ratter_tests::place::Place;
use ratter_tests::policy::{Attempt, End};
use ratter_tests::process::{program, run, text_of, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;
use rustix::process::Signal;

/// A map of each format, all of the list `blocked`.
fn maps(place: &Place) -> String {
    let formats = ["plain", "rspamd", "postfix-cidr", "postfix-access", "exim", "nginx", "haproxy"];
    let map = |format: &str| {
        let path = place.join(format);
        let more = if format == "rspamd" { "serve = true\n" } else { "" };
        format!("[[action.map]]\nname = \"{format}\"\npath = \"{}\"\nformat = \"{format}\"\n{more}", path.display())
    };
    formats.map(map).concat()
}

/// Blocks somebody for a reason.
fn list(node: &Node, subject: &str, reason: &str) {
    node.cli(&["list", subject, "--on", "blocked", "--for", "1h", "--reason", reason]).with_code(0);
}

/// What Postfix finds for an address in a table.
fn postmap(table: &str, path: &Path, address: &str) -> Option<String> {
    let mut command = Command::new(program("postmap", "postfix"));
    let said = run(command.args(["-q", address, &format!("{table}:{}", path.display())]));
    assert!(said.err.is_empty(), "Postfix does not like the table: {said:?}");
    (said.code == 0).then(|| said.out.trim().to_owned())
}

fn first_words(path: &Path) -> BTreeSet<String> {
    let text = text_of(path);
    text.lines().filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "#").map(Into::into).collect()
}

#[test]
fn guessers_are_in_the_maps_at_once_and_out_when_they_are_let_in_again() {
    let place = Place::new("maps");
    let mut node = Node::start(&Config::new().with(&maps(&place)));
    let plain = place.join("plain");
    wait::until_true("the empty map", || plain.exists());
    assert_eq!(text_of(&plain), "");

    let mut gate = node.gate();
    for guess in 1..=5 {
        gate.report(&Attempt::new("203.0.113.1", &format!("user{guess}@example.org")), End::Wrong);
    }
    let hostile = "x; } 0.0.0.0/0 REJECT # \"$(reboot)\\ \u{fc}";
    list(&node, "2001:db8:1:2::/64", hostile);
    list(&node, "198.51.100.0/24", "a test");
    wait::until_true("both in the map", || text_of(&plain).contains("198.51.100.0/24"));
    assert!(first_words(&plain).contains("203.0.113.1"), "{}", text_of(&plain));

    wait::until_true("all maps", || node.quick_status().actions.iter().all(|action| action.behind_ms == 0));
    let cidr = place.join("postfix-cidr");
    assert_eq!(postmap("cidr", &cidr, "203.0.113.1").as_deref(), Some("REJECT"));
    assert_eq!(postmap("cidr", &cidr, "198.51.100.77").as_deref(), Some("REJECT"));
    for other in ["203.0.113.10", "203.0.113.100", "203.0.113.0", "198.51.101.1", "192.0.2.1", "2001:db8:1:3::1"] {
        assert_eq!(postmap("cidr", &cidr, other), None, "{other}:\n{}", text_of(&cidr));
    }
    let access = place.join("postfix-access");
    assert_eq!(postmap("texthash", &access, "203.0.113.1").as_deref(), Some("REJECT"));
    assert_eq!(postmap("texthash", &access, "198.51.100").as_deref(), Some("REJECT"));
    assert_eq!(postmap("texthash", &access, "198.51"), None);
    nginx_takes(&place);

    node.cli(&["unlist", "203.0.113.1"]).with_code(0);
    wait::until_true("out of the map", || !first_words(&plain).contains("203.0.113.1"));
    wait::until_true("out of Postfix' map", || postmap("cidr", &cidr, "203.0.113.1").is_none());

    // While nobody looks after the map it goes stale, and is put right at the start.
    node.kill();
    write(&plain, "0.0.0.0/0\n");
    node.start_again();
    wait::until_true("the map as the book is", || first_words(&plain).contains("198.51.100.0/24"));
    assert!(!text_of(&plain).contains("0.0.0.0/0"));
}

/// nginx reads the map as a part of its configuration.
fn nginx_takes(place: &Place) {
    let config = place.join("nginx.conf");
    let include = place.join("nginx");
    let text = format!(
        "pid {}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off; include {}; }}\n",
        place.path().display(),
        include.display()
    );
    write(&config, &text);
    let said = run(Command::new(program("nginx", "nginx-light")).arg("-t").arg("-c").arg(&config));
    assert_eq!(said.code, 0, "{said:?}\n{}", text_of(&include));
    assert!(text_of(&include).contains("deny 203.0.113.1; #"), "{}", text_of(&include));
}

#[test]
fn a_served_map_has_an_etag_and_a_failing_one_says_why() {
    let place = Place::new("maps");
    let missing = place.join("later/map");
    fs::create_dir(place.join("later")).expect("a folder");
    let failing = format!("[[action.map]]\nname = \"late\"\npath = \"{}\"\nformat = \"plain\"\n", missing.display());
    let node = Node::start(&Config::new().with(&maps(&place)).with(&failing));
    list(&node, "192.0.2.7", "a test");
    let get = |path: &str, tag: &str| {
        let url = format!("http://{}{path}", node.addresses().metrics);
        let head = format!("If-None-Match: {tag}");
        let said = run(Command::new(program("curl", "curl")).args(["-s", "--path-as-is", "-i", "-H", &head, &url]));
        let (head, body) = said.out.split_once("\r\n\r\n").expect("a head and a body");
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or_default().to_owned();
        (status, tag, body.to_owned())
    };
    wait::until_true("the map", || get("/maps/rspamd", "\"\"").2.contains("192.0.2.7 # "));
    let (_, tag, _) = get("/maps/rspamd", "\"\"");
    assert!(tag.len() > 2, "it has one");
    assert_eq!(get("/maps/rspamd", &format!("\"x\", W/{tag}")).0, 304);
    node.cli(&["unlist", "192.0.2.7"]).with_code(0);
    wait::until_true("another map", || get("/maps/rspamd", &tag).0 == 200);
    for not_served in ["plain", "none", "..%2fplain"] {
        assert_eq!(get(&format!("/maps/{not_served}"), "\"\"").0, 404);
    }

    let late = || node.quick_status().actions.into_iter().find(|action| action.name == "late").expect("it is shown");
    wait::until_true("the file", || missing.exists());
    fs::remove_dir_all(place.join("later")).expect("a folder of ours");
    list(&node, "192.0.2.8", "a test");
    wait::until_true("a failure", || late().failed > 0);
    assert!(late().fault.is_some_and(|fault| fault.contains("No such file")) && late().behind_ms > 0, "{:?}", late());
    assert!(node.cli(&["status"]).out.contains("failing, "), "{:?}", node.cli(&["status"]));
    let metrics = get("/metrics", "\"\"").2;
    assert!(metrics.contains("ratter_action_failing{action=\"late\"} 1"), "{metrics}");
    assert!(metrics.contains("ratter_action_failing{action=\"rspamd\"} 0"), "{metrics}");
    fs::create_dir(place.join("later")).expect("a folder");
    wait::until_true("it works again", || late().fault.is_none() && late().behind_ms == 0);
}

#[test]
fn files_of_others_are_left_alone_and_maps_that_are_not_wanted_any_more_are_emptied() {
    let place = Place::new("maps-of-others");
    let (theirs, link, ours) = (place.join("theirs"), place.join("link"), place.join("ours.cidr"));
    write(&theirs, "198.51.100.0/24\n");
    symlink(&theirs, &link).expect("a new link");
    let map = |name: &str, path: &Path, format: &str| {
        format!("[[action.map]]\nname = \"{name}\"\npath = \"{}\"\nformat = \"{format}\"\n", path.display())
    };
    let others = [map("theirs", &theirs, "plain"), map("link", &link, "plain")].concat();
    let mut node = Node::prepare(&Config::new().with(&format!("{others}{}", map("ours", &ours, "postfix-cidr"))));
    let judged = node.cli(&["check"]).with_code(2).err;
    for (name, path, why) in [("theirs", &theirs, "did not write it"), ("link", &link, "is a link")] {
        assert!(judged.contains(&format!("the map `{name}` would not be written")) && judged.contains(why), "{judged}");
        assert!(judged.contains(&format!("path = \"{}\"", path.display())), "with its line: {judged}");
    }
    assert!(judged.contains("if it may be replaced, remove it"), "{judged}");
    // A reload does not take it either, and says the same.
    let without = || Config::new().with(&map("ours", &ours, "postfix-cidr"));
    node.configure(&without());
    node.start_again();
    node.configure(&without().with(&others));
    node.process().signal(Signal::HUP);
    wait::until_true("it is refused", || node.process().stderr().contains("the map `theirs` would not be written"));
    assert!(node.process().stderr().contains("the node goes on with the one it has"));
    assert!(node.quick_status().actions.iter().all(|action| action.name == "ours"));
    // A node that starts so goes on without these maps.
    node.stop();
    node.start_again();
    list(&node, "203.0.113.9", "a test");
    wait::until_true("the map", || first_words(&ours).contains("203.0.113.9"));
    let held = |node: &Node, name: &str| {
        let status = node.quick_status();
        let action = status.actions.iter().find(|action| action.name == name).expect("it is shown").clone();
        action.fault.is_some_and(|fault| fault.starts_with("held: "))
    };
    wait::until_true("both are held", || held(&node, "theirs") && held(&node, "link"));
    assert_eq!(text_of(&theirs), "198.51.100.0/24\n");
    // Once it is out of the way the map is written, and is ours over a restart.
    fs::remove_file(&theirs).expect("it is there");
    wait::until_true("it is written", || theirs.is_file() && text_of(&theirs).contains("203.0.113.9"));
    node.stop();
    node.start_again();
    list(&node, "203.0.113.10", "a test");
    wait::until_true("it is ours", || text_of(&theirs).contains("203.0.113.10"));
    // Without its section a map that says whose it is blocks nobody.
    node.configure(&Config::new());
    node.process().signal(Signal::HUP);
    wait::until_true("it is emptied", || first_words(&ours).is_empty());
    assert!(text_of(&theirs).contains("203.0.113.10"), "a plain one has no words that say so");
}

//! Whole lists: imported from files, replaced, kept over the end of the process, exported.
#![expect(clippy::disallowed_methods, reason = "the test damages files of the node")]

use std::path::PathBuf;
use std::time::Duration;

use console::api::{Imported, ListingView};
use ratter_tests::dns::entry;
use ratter_tests::process::write;
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::wait;

/// A list that is published, and a network nobody may list.
fn config() -> Config {
    let list = "[rules]\nshipped = false\n\n[[list]]\nname = \"imported\"\ncode = \"127.0.0.77\"\nlifetime = \"7d\"\n";
    Config::new().with(list).never("192.0.2.64/26")
}

fn file(node: &Node, name: &str, text: &str) -> String {
    let path: PathBuf = node.place().join(name);
    write(&path, text);
    path.to_str().expect("a path of letters").to_owned()
}

fn answers(node: &Node, address: &str) -> bool {
    match &*node.dig().addresses(&entry(address, "imported", ORIGIN)) {
        [] => false,
        [code] => code == "127.0.0.77",
        more => panic!("{more:?}"),
    }
}

fn import(node: &Node, arguments: &[&str]) -> Imported {
    node.json(&[&["import", "--list", "imported"][..], arguments].concat())
}

#[test]
fn a_list_is_replaced_kept_and_undone() {
    let mut node = Node::start(&config());
    let old = file(&node, "old", "198.51.100.1 # seen\n198.51.100.2\n203.0.113.0/24\n2001:db8:1::/64\n192.0.2.100\n");
    let done = import(&node, &[&old, "--replace", "--reason", "a test"]);
    assert_eq!((done.listed, done.added, done.removed, done.refused, done.saved), (4, 4, 0, 1, true));
    assert_eq!(done.never_listed, ["192.0.2.100"]);
    let listed = |node: &Node| {
        ["198.51.100.1", "198.51.100.2", "198.51.100.3", "203.0.113.200", "2001:db8:1::5", "192.0.2.100"]
            .map(|address| answers(node, address))
    };
    assert_eq!(listed(&node), [true, true, false, true, true, false]);
    let known = node.why("203.0.113.200").listings;
    assert_eq!((known[0].reason.as_str(), known[0].subject.as_str()), ("a test", "203.0.113.0/24"));
    assert!(known[0].maker.starts_with("person "), "{known:?}");

    // People take one off and take one over; a new file replaces the rest.
    let gone: Vec<ListingView> = node.json(&["unlist", "198.51.100.1"]);
    assert_eq!(gone.len(), 1);
    node.cli(&["list", "198.51.100.2", "--on", "imported", "--for-ever", "--reason", "mine"]).with_code(0);
    node.kill();
    node.start_again();
    assert_eq!(listed(&node), [false, true, false, true, true, false]);
    let new = file(&node, "new.csv", "network,list\n198.51.100.3,imported\n203.0.113.0/24,\n198.51.100.9,other\n");
    let done = import(&node, &[&new, "--replace", "--for-ever"]);
    assert_eq!((done.listed, done.added, done.removed, done.own), (2, 1, 1, 1));
    assert_eq!(listed(&node), [false, true, true, true, false, false]);
    node.kill();
    node.start_again();
    assert_eq!(listed(&node), [false, true, true, true, false, false]);
    let status = node.quick_status();
    let counted = status.lists.iter().find(|list| list.name == "imported").expect("it is configured").listings;
    assert_eq!(counted, 3);
    assert_eq!(node.listed("imported").len(), 3);
}

#[test]
fn datasets_with_exclusions_are_added() {
    let node = Node::start(&config());
    let set = file(&node, "set", "$TTL 300\n:3:x\n198.51.100.0/24\n!198.51.100.128/25\n127.0.0.2\n203.0.113.77 :4:y\n");
    let done = import(&node, &[&set, "--format", "ip4set", "--for", "1h"]);
    // The test entry is loopback, which is never listed; Ratter answers for it anyway.
    assert_eq!((done.listed, done.refused), (2, 1));
    let seen = ["198.51.100.5", "198.51.100.200", "203.0.113.77"].map(|address| answers(&node, address));
    assert_eq!(seen, [true, false, true]);
    let text = file(&node, "dry", "203.0.113.1\n203.0.113.2\n");
    let said = node.cli(&["import", &text, "--list", "imported", "--dry-run"]).with_code(0);
    assert!(said.out.contains("2 networks; nothing was changed"), "{said:?}");
    assert!(!answers(&node, "203.0.113.1"));
}

#[test]
fn a_file_with_a_fault_changes_nothing() {
    let node = Node::start(&config());
    let good = file(&node, "good", "198.51.100.1\n");
    import(&node, &[&good, "--replace"]);
    let cases = [
        ("198.51.100.2\n198.51.100.256\n", "plain", ":2:1: is no address"),
        ("198.51.100.2", "plain", "cut off"),
        ("", "plain", "no entry"),
        ("198.51.100.2\nsomething\n", "ip4set", ":2:1: "),
        ("{\"network\":7}\n", "ndjson", ":1:1: "),
    ];
    for (text, format, wanted) in cases {
        let bad = file(&node, "bad", text);
        let said = node.cli(&["import", &bad, "--list", "imported", "--format", format, "--replace"]).with_code(1);
        assert!(said.err.contains(wanted) && said.out.is_empty(), "{text}: {said:?}");
    }
    let said = node.cli(&["import", &good, "--list", "nosuch"]).with_code(2);
    assert!(said.err.contains("there is no list `nosuch`"), "{said:?}");
    for (text, options, wanted) in [
        ("127.0.0.1\n", &["--for", "1h"][..], "127.0.0.1 is on the never-list"),
        ("198.51.100.2\n", &["--for", "0s"], "a listing of no time at all is none"),
    ] {
        let none = file(&node, "none", text);
        let said = node.cli(&[&["import", &none, "--list", "imported"], options].concat()).with_code(1);
        assert!(said.out.contains("1 were refused") && said.out.contains(wanted), "{said:?}");
        assert!(said.err.contains("nothing was imported"), "{said:?}");
    }
    // Who is on the list already is no fault.
    node.cli(&["import", &good, "--list", "imported", "--for", "1h"]).with_code(0);
    let said = node.cli(&["import", &good, "--list", "blocked", "--replace"]).with_code(2);
    assert!(said.err.contains("without `--replace`"), "{said:?}");
    node.cli(&["import", &good, "--list", "imported", "--format", "dnset"]).with_code(2);
    assert_eq!([answers(&node, "198.51.100.1"), answers(&node, "198.51.100.2")], [true, false]);
}

#[test]
fn a_wrong_file_takes_nothing_off() {
    let node = Node::start(&config());
    let good = file(&node, "good", "198.51.100.1\n198.51.100.2\n198.51.100.3\n203.0.113.0/24\n");
    import(&node, &[&good, "--replace"]);
    let cases = [
        (
            "other.csv",
            "network,list\n198.51.100.1,other\n198.51.100.9,other\n",
            "no row is for imported, 2 name another list",
        ),
        ("private", "10.0.0.0/8\n192.0.2.65\n", "2 networks are never listed there"),
        ("cut", "198.51.100.1\n", "1 networks would come in the place of 4, which is more than 50 % away"),
    ];
    for (name, text, wanted) in cases {
        let bad = file(&node, name, text);
        let said = node.cli(&["import", &bad, "--list", "imported", "--replace"]).with_code(1);
        assert!(said.err.contains(wanted), "{name}: {said:?}");
        assert_eq!(node.listed("imported").len(), 4, "{name}");
    }
    let cut = file(&node, "cut", "198.51.100.1\n");
    assert_eq!(import(&node, &[&cut, "--replace", "--force"]).removed, 3);

    // A slip of the pen lists no half of the world; whoever takes an address off learns of the network around it.
    let wide = ["list", "20.0.0.0/15", "--on", "imported", "--reason", "wide"];
    let said = node.cli(&wide).with_code(1);
    assert!(said.err.contains("wider than a /16"), "{said:?}");
    node.cli(&[&wide[..], &["--force"]].concat()).with_code(0);
    let said = node.cli(&["unlist", "20.1.2.3"]).with_code(3);
    assert!(said.out.contains("20.0.0.0/15 is on imported still, and holds 20.1.2.3"), "{said:?}");
}

#[test]
fn what_is_exported_can_be_imported() {
    let node = Node::start(&config());
    let text = "198.51.100.1\n203.0.113.0/24\n2001:db8:1::/64\n";
    let list = file(&node, "list", text);
    import(&node, &[&list, "--replace"]);
    let said = node.cli(&["export", "--list", "imported"]).with_code(0);
    assert_eq!(said.out, text);
    for (format, networks) in [("csv", 3), ("ndjson", 3), ("ip4set", 2), ("ip4trie", 2), ("ip6trie", 1)] {
        let out = node.place().join(&format!("out.{format}"));
        let out = out.to_str().expect("a path of letters");
        node.cli(&["export", "--list", "imported", "--format", format, "--output", out]).with_code(0);
        let done = import(&node, &[out, "--format", format, "--replace", "--force"]);
        assert_eq!(done.listed, networks, "{format}");
        import(&node, &[&list, "--replace", "--force"]);
    }
    // The option of `list` names a list here too, and the other way round.
    assert_eq!(node.cli(&["export", "--on", "imported"]).with_code(0).out, text);
    assert!(node.cli(&["list", "--list", "imported"]).with_code(0).out.contains("203.0.113.0/24"));
    let zone = node.cli(&["export", "--list", "imported", "--format", "rpz"]).with_code(0);
    assert!(zone.out.contains("\n24.0.113.0.203.rpz-client-ip CNAME rpz-drop.\n"), "{zone:?}");
    node.cli(&["export", "--list", "nosuch"]).with_code(2);
}

#[test]
fn killed_while_a_list_comes_it_has_the_old_or_the_new() {
    let mut node = Node::start(&config());
    let lines = |network: u32, count: u32| -> String {
        (0..count).map(|n| format!("{network}.{}.{}.{}\n", n >> 16, n >> 8 & 255, n & 255)).collect::<Vec<_>>().concat()
    };
    let counts = [20_000, 30_000];
    let files = [0, 1].map(|at| file(&node, &format!("list-{at}"), &lines(20 + at as u32, counts[at])));
    let done = import(&node, &[&files[0], "--replace"]);
    assert_eq!((done.listed, done.saved), (20_000, true));
    let mut has = 0;
    for round in 0..6 {
        let other = 1 - has;
        let import = ["import", &files[other], "--list", "imported", "--replace"];
        let mut command = node.start_command("import", &import);
        std::thread::sleep(Duration::from_millis(40 * round));
        node.kill();
        let was_told = command.wait().success();
        node.start_again();
        let seen = ["20.0.0.1", "20.0.78.31", "21.0.0.1", "21.0.117.47"].map(|address| answers(&node, address));
        has = usize::from(seen == [false, false, true, true]);
        let old = [true, true, false, false];
        assert!(has == 1 || seen == old, "{seen:?}");
        assert!(!was_told || has == other, "what was told to be done stays done");
        let status = node.quick_status();
        let listed = status.lists.iter().find(|list| list.name == "imported").expect("it is configured").listings;
        assert_eq!(listed, counts[has] as usize);
    }
}

/// Starts of a node that was killed, with the image of its book as the case leaves it.
#[test]
fn killed_it_answers_from_the_image_of_its_book() {
    let mut node = Node::start(&config());
    let lines = (0..12_000).map(|n| format!("20.0.{}.{}", n >> 8, n & 255)).collect::<Vec<_>>().join("\n") + "\n";
    let list = file(&node, "list", &lines);
    import(&node, &[&list, "--replace", "--for-ever"]);
    let image = node.place().join("state/book.image");
    assert!(image.exists(), "an import leaves one behind");
    let cases = [
        ("as it is", "DNS answers from the image of the book"),
        ("cut off", "the image of the book is not used"),
        ("gone", "restored"),
        ("as it is again", "DNS answers from the image of the book"),
    ];
    for (what, said) in cases {
        let (on, off) = (format!("198.51.100.{}", what.len()), format!("20.0.1.{}", what.len()));
        node.cli(&["list", &on, "--on", "imported", "--reason", what]).with_code(0);
        node.cli(&["unlist", &off]).with_code(0);
        let logged = node.process().stderr().len();
        node.kill();
        match what {
            "cut off" => {
                let bytes = std::fs::read(&image).expect("the image is there");
                std::fs::write(&image, &bytes[..bytes.len() / 2]).expect("it can be written");
            }
            "gone" => std::fs::remove_file(&image).expect("the image is there"),
            _ => {}
        }
        node.start_again();
        let seen = [on.as_str(), &off, "20.0.46.223", "20.0.46.224"].map(|address| answers(&node, address));
        assert_eq!(seen, [true, false, true, false], "{what}");
        assert_eq!(node.why(&on).listings[0].reason, what);
        let log = node.process().stderr().split_off(logged);
        assert!(log.contains(said) && (what != "gone" || !log.contains("image of the book")), "{what}: {log}");
        wait::until_true("an image is written", || image.exists());
    }
}

/// Listings with a row each are in the image too when their command has ended.
#[test]
fn killed_right_after_an_import_it_has_an_image_of_it() {
    let mut node = Node::start(&config());
    let lines =
        |octet: u32| (0..10_000).map(|n| format!("{octet}.0.{}.{}\n", n >> 8, n & 255)).collect::<Vec<_>>().concat();
    for octet in [20, 21] {
        let list = file(&node, "list", &lines(octet));
        assert!(import(&node, &[&list, "--for", "6d"]).saved);
        let written = std::fs::metadata(node.place().join("state/book.image")).expect("an image is there").len();
        let ends = 13 * 10_000 * u64::from(octet - 19);
        assert!(written > ends, "{written} bytes have not the ends of all of them");
    }
    node.kill();
    node.start_again();
    assert!(node.process().stderr().contains("DNS answers from the image of the book"));
    let seen = ["20.0.39.15", "21.0.39.15", "22.0.39.15"].map(|address| answers(&node, address));
    assert_eq!(seen, [true, true, false]);
}

#[test]
fn a_file_of_a_list_follows_it() {
    let export = "[[action.export]]\nname = \"file\"\nlist = \"imported\"\nformat = \"ip4set\"\npath = \"list.ip4set\"\nevery = \"1s\"\n";
    let node = Node::start(&config().with(export));
    let path = node.place().join("list.ip4set");
    let lines = || std::fs::read_to_string(&path).unwrap_or_default();
    wait::until_true("a first file", || lines().contains("\n127.0.0.77\n"));
    let many = file(&node, "many", "198.51.100.1\n2001:db8:1::/64\n");
    import(&node, &[&many, "--replace"]);
    wait::until_true("an import in the file", || lines().ends_with("\n198.51.100.1\n"));
    node.cli(&["list", "203.0.113.0/24", "--on", "imported", "--reason", "a test"]).with_code(0);
    wait::until_true("a listing in the file", || lines().ends_with("\n198.51.100.1\n203.0.113.0/24\n"));
    let action = || node.status().actions.into_iter().next().expect("there is one");
    wait::until_true("the status to say so", || action().behind_ms == 0);
    let action = action();
    assert_eq!((action.name.as_str(), action.entries, action.left_out, action.failed), ("file", 2, 1, 0), "{action:?}");
    // What is not on this list changes no file.
    let written = std::fs::metadata(&path).and_then(|about| about.modified()).expect("the file is there");
    node.cli(&["list", "203.0.113.9", "--reason", "a test"]).with_code(0);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(std::fs::metadata(&path).and_then(|about| about.modified()).expect("it is there"), written);
    // Where the folder is gone it is tried again, and told.
    std::fs::remove_file(&path).expect("it is a file");
    std::fs::create_dir(&path).expect("a folder in its place");
    node.cli(&["unlist", "203.0.113.0/24"]).with_code(0);
    wait::until_true("a fault in the status", || {
        node.status().warnings.iter().any(|it| it.starts_with("action file: "))
    });
    std::fs::remove_dir(&path).expect("it is an empty folder");
    wait::until_true("the file again", || lines().ends_with("\n198.51.100.1\n"));
}

#[test]
fn a_file_of_a_list_replaces_no_strangers_and_no_fuller_one_after_a_loss() {
    let export = "[[action.export]]\nname = \"file\"\nlist = \"imported\"\nformat = \"plain\"\npath = \"list\"\nevery = \"1s\"\n";
    let mut node = Node::start(&config().with(export));
    let path = node.place().join("list");
    let text = || std::fs::read_to_string(&path).unwrap_or_default();
    let many = file(&node, "many", "198.51.100.1\n198.51.100.3\n198.51.100.5\n");
    import(&node, &[&many, "--replace"]);
    let whole = "198.51.100.1\n198.51.100.3\n198.51.100.5\n";
    wait::until_true("the whole file", || text() == whole);
    let is_held = |node: &Node, why: &str| {
        wait::until_true("a hold in the status", || {
            node.status().warnings.iter().any(|it| it.starts_with("action file: held: ") && it.contains(why))
        });
        assert_eq!(text(), whole, "{why}");
    };

    // The book is lost, and with it what the list had.
    node.stop();
    let state = node.addresses().state.clone();
    let of_book = |name: &str| !name.starts_with("exported.");
    let lose = |is_lost: &dyn Fn(&str) -> bool| {
        for entry in std::fs::read_dir(&state).expect("the state is a folder").flatten() {
            if is_lost(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
                std::fs::remove_file(entry.path()).expect("it is a file");
            }
        }
    };
    lose(&of_book);
    node.start_again();
    is_held(&node, "has 3 entries, and the list only 0");
    import(&node, &[&many, "--replace"]);
    wait::until_true("the hold to end", || node.status().warnings.iter().all(|it| !it.starts_with("action file")));

    // All is lost: the file could be anybody's.
    node.stop();
    lose(&|_| true);
    node.start_again();
    is_held(&node, "did not write it");
    let checked = node.cli(&["check"]).with_code(2).err;
    assert!(
        checked.contains("the export `file` would not be written") && checked.contains("did not write it"),
        "{checked}"
    );
    std::fs::remove_file(&path).expect("a person removes it");
    wait::until_true("a new file", || path.exists() && text().is_empty());
    node.cli(&["check"]).with_code(0);
}

#[test]
fn what_is_no_list_of_addresses_is_sent_where_it_belongs() {
    let node = Node::start(&config());
    let names = file(&node, "names", "example.com\n");
    for format in ["dnset", "generic", "combined", "acl"] {
        let said = node.cli(&["import", &names, "--list", "imported", "--format", format]).with_code(2);
        assert!(said.err.contains(":FILE\"]` in [dnsbl.static]") && said.err.contains(format), "{said:?}");
    }
}

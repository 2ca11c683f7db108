//! Zones from files: alone, beside the zones of the book, and together with one of them.

use std::sync::Arc;

use base::{Network, Timestamp};
use dnsbl::access::{Access, AccessSettings, KeyRecord, KeySecret, Permit, Policy, ZoneAccess, ZoneLabel};
use dnsbl::datasets::{About, Form, Header, Kind, Options, Source, Told, read};
use dnsbl::serve::{Name, Responder, Totals, Transport, Zones};
use dnsbl::statics::{Compiled, Content, ContentError, Sharing, Statics, StaticsError};

use crate::common::{DYNA, World, asker, book, list, query, settings};

const HEAD: &str = "$SOA 60 ns.test admin.test 7 1h 1h 1w 30\n$NS 60 ns.test\n";

fn compiled(kind: Kind, text: &str) -> Arc<Compiled> {
    let source = Source { name: "list", bytes: text.as_bytes(), modified: 5 };
    let dataset =
        read(kind, &[source], Timestamp::from_secs(2_000_000_000), Options { may_be_wide: true, ..Options::default() });
    Arc::new(Compiled::new(&dataset.unwrap_or_else(|report| panic!("{report}"))))
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn world_of(zones: &[(&str, Sharing, &[Arc<Compiled>])]) -> World {
    guarded(zones, &AccessSettings::default())
}

/// The same with rules for who may ask, and the key `open-sesame`.
fn guarded(zones: &[(&str, Sharing, &[Arc<Compiled>])], access: &AccessSettings) -> World {
    let statics = Statics::new(zones.iter().map(|(zone, sharing, _)| (name(zone), *sharing))).unwrap();
    for (zone, sharing, datasets) in zones.iter().filter(|zone| !zone.2.is_empty()) {
        let content = Content::new(&name(zone), *sharing, datasets, &Header::default()).unwrap();
        assert!(statics.set(&name(zone), Arc::new(content)));
    }
    let book = book();
    list(&book, "192.0.2.1", DYNA);
    let of_book = Zones::new(&settings()).unwrap();
    let secret = KeySecret::new([7; 16]);
    let access = Access::new(&of_book, Some(&statics), access, secret, [6; 16]).unwrap();
    let record = KeyRecord {
        hash: secret.hash(b"open-sesame"),
        name: "sesame".into(),
        owner: "test".into(),
        zones: Some(vec!["file.test".into(), "all".into(), "@".into()]),
        quota: None,
        until: None,
    };
    let is_served =
        |zone: &&String| zone.starts_with('@') || *zone == "all" || zones.iter().any(|(name, ..)| name == zone);
    let opened = record.zones.iter().flatten().filter(is_served).cloned().collect();
    access.set_keys(vec![KeyRecord { zones: Some(opened), ..record }]).unwrap();
    let responder = Responder::with_access(of_book, Arc::new(access)).with_statics(Arc::new(statics));
    let counters = responder.counters();
    World { book, responder, counters }
}

/// A zone alone, one below the origin of the book's zones, one together with the book, and one without content.
pub(crate) fn world() -> World {
    let combined = format!(
        "{HEAD}$DATASET ip4set @\n:3:file $\n198.51.0.0/16\n!198.51.0.9\n$DATASET dnset names\n:4:$\n.ex\n\
        $DATASET generic @\nwww A 192.0.2.80\n@ TXT \"about\"\n"
    );
    let shared = compiled(Kind::Ip4Set, ":9:old list $\n192.0.2.1\n198.51.0.8\n");
    world_of(&[
        ("file.test", Sharing::Alone, &[compiled(Kind::Combined, &combined)]),
        ("old.bl.example.org", Sharing::Alone, &[compiled(Kind::Ip4Set, &format!("{HEAD}203.0.113.1\n"))]),
        ("all.bl.example.org", Sharing::WithBook, &[shared]),
        ("none.test", Sharing::Alone, &[]),
    ])
}

/// Whether a reply begins with what stands before `; |` and ends with what stands behind, or begins with all of it.
fn is_like(reply: &str, wanted: &str) -> bool {
    let (begin, end) = wanted.split_once("; | ").unwrap_or((wanted, ""));
    reply.starts_with(begin) && reply.ends_with(end)
}

#[test]
fn replies() {
    let world = world();
    let cases = [
        ("7.0.51.198.file.test. A", "NOERROR aa; | 2100 A 127.0.0.3"),
        ("7.0.51.198.FILE.test. TXT", "NOERROR aa; | 2100 TXT \"file 198.51.0.7\""),
        ("9.0.51.198.file.test. A", "NXDOMAIN aa | "),
        ("51.198.file.test. A", "NOERROR aa | "),
        ("52.198.file.test. A", "NXDOMAIN aa | "),
        ("a.ex.names.file.test. A", "NOERROR aa; | 2100 A 127.0.0.4"),
        ("names.file.test. A", "NOERROR aa | "),
        ("www.file.test. A", "NOERROR aa; | 2100 A 192.0.2.80"),
        ("file.test. TXT", "NOERROR aa; | 2100 TXT \"about\""),
        ("1.113.0.203.old A", "NOERROR aa; | 2100 A 127.0.0.2"),
        ("1.2.0.192.old A", "NXDOMAIN aa | "),
        ("1.2.0.192.dyna A", "NOERROR aa; | 2036 A 127.0.0.36"),
        ("8.0.51.198.all A", "NOERROR aa; | 2100 A 127.0.0.9"),
        ("8.0.51.198.dyna A", "NXDOMAIN aa | "),
        ("9.9.9.9.all A", "NXDOMAIN aa | "),
        ("51.198.all A", "NOERROR aa | "),
        ("x.test. A", "REFUSED"),
    ];
    for (question, wanted) in cases {
        let got = world.ask(question);
        assert!(is_like(&got, wanted), "{question}: {got}");
    }
    let both = world.ask("1.2.0.192.all A");
    assert!(both.contains("127.0.0.36") && both.contains("127.0.0.9"), "{both}");
    let asker = asker(Transport::Tcp);
    let mut out = [0; 512];
    let length =
        world.responder.answer(&world.book.snapshot(), &asker, &query("none.test. A"), &mut out, &world.counters);
    assert!(length > 12 && out[3] & 15 == 2, "a zone without content is a failure of this server");
    let soa = world.ask("file.test. SOA");
    assert!(soa.contains(" 7 3600 "), "{soa}");
}

#[test]
fn a_list_and_a_file_make_one_set_of_records() {
    let file = |ttl: &str| {
        let text = format!(
            "{ttl}:36:{{ip}} $ is on dyna, see https://bl.example.org/?ip=$\n192.0.2.1\n192.0.2.1 :9:own\n127.0.0.2\n"
        );
        world_of(&[("dyna.bl.example.org", Sharing::WithBook, &[compiled(Kind::Ip4Set, &text)])])
    };
    let cases = [
        ("$TTL 100\n", "1.2.0.192.dyna A", "1.2.0.192.dyna 100 A 127.0.0.36, 1.2.0.192.dyna 100 A 127.0.0.9"),
        ("", "1.2.0.192.dyna A", "1.2.0.192.dyna 2036 A 127.0.0.36, 1.2.0.192.dyna 2036 A 127.0.0.9"),
        ("", "1.2.0.192.dyna ANY", "1.2.0.192.dyna 2036 A 127.0.0.36, 1.2.0.192.dyna 2036 A 127.0.0.9"),
        ("", "2.0.0.127.dyna A", "2.0.0.127.dyna 2036 A 127.0.0.36"),
        ("$TTL 7\n", "2.0.0.127.dyna A +tcp", "2.0.0.127.dyna 7 A 127.0.0.36"),
    ];
    for (ttl, question, wanted) in cases {
        assert_eq!(file(ttl).ask(question), format!("NOERROR aa; {wanted}"), "{ttl}");
    }
    // Texts that differ stand beside one another, with one time to live.
    let texts = file("$TTL 100\n").ask("1.2.0.192.dyna TXT +tcp");
    assert_eq!((texts.matches(" 100 TXT ").count(), texts.matches(" TXT ").count()), (3, 3), "{texts}");
}

#[test]
fn exported_files_answer_as_the_list_does() {
    let about = About {
        list: "auth".into(),
        zone: "file.test".into(),
        servers: vec!["ns.test".into()],
        contact: "admin.test".into(),
        code: [127, 0, 0, 43].into(),
        text: "$ is on auth for $$5".into(),
        reason: "{ip} is on auth for $5".into(),
        ttl: 300,
        negative_ttl: 60,
    };
    let networks = ["192.0.2.7", "198.51.100.0/23", "2001:db8:2::/47", "2001:db8:8::1"];
    let listed4 = ["7.2.0.192", "9.101.51.198"];
    let listed6 = ["2001:db8:3:ffff::9", "2001:db8:8::1"].map(nibbles);
    let unlisted =
        ["8.2.0.192", "9.102.51.198", &nibbles("2001:db8:4::1"), &nibbles("2001:db8:8::2")].map(str::to_owned);
    // The form, and how many of the listed names it has.
    let cases = [
        (Form::Ip4Set, Kind::Ip4Set, 2),
        (Form::Ip4Trie, Kind::Ip4Trie, 2),
        (Form::DnSet, Kind::DnSet, 4),
        (Form::Generic, Kind::Generic, 2),
        (Form::Combined, Kind::Combined, 4),
    ];
    for (form, kind, count) in cases {
        let mut file = Vec::new();
        let told = networks.iter().map(|network| Ok(Told::from(network.parse::<Network>().unwrap())));
        about.write(form, 7, told, &mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        let world = world_of(&[("file.test", Sharing::Alone, &[compiled(kind, &text)])]);
        let ask = |name: &str, kind: &str| world.ask(&format!("{name}.file.test. {kind}"));
        let names = listed4.map(str::to_owned).into_iter().chain(listed6.clone());
        let found: Vec<String> = names.filter(|name| ask(name, "A").contains(" 300 A 127.0.0.43")).collect();
        assert_eq!(found.len(), count, "{}: {found:?}\n{text}", form.name());
        for name in &unlisted {
            assert!(ask(name, "A").starts_with("NXDOMAIN"), "{}: {name}", form.name());
        }
        assert!(ask("2.0.0.127", "A").contains("127.0.0.43"), "{}", form.name());
        let shown = ask(listed4[0], "TXT");
        let wanted = if form == Form::DnSet { "7.2.0.192 is on auth for $5" } else { "192.0.2.7 is on auth for $5" };
        assert!(shown.contains(wanted), "{}: {shown}", form.name());
    }
}

/// The labels of an IPv6 address.
fn nibbles(address: &str) -> String {
    let bits = address.parse::<std::net::Ipv6Addr>().unwrap().to_bits();
    (0..32).map(|at| format!("{:x}", bits >> (4 * at) & 15)).collect::<Vec<_>>().join(".")
}

#[test]
fn codes_of_files_are_counted() {
    let world = world();
    for question in [
        "7.0.51.198.file.test. A",
        "7.0.51.198.file.test. TXT",
        "9.0.51.198.file.test. A",
        "a.ex.names.file.test. ANY",
        "8.0.51.198.all A",
        // 127.0.0.36 of the list is counted with the list; a file that has it too adds nothing.
        "1.2.0.192.all A",
        "1.2.0.192.dyna A",
    ] {
        world.ask(question);
    }
    let mut totals = Totals::default();
    totals.add(&world.counters);
    let codes: Vec<String> = totals.codes().map(|(code, count)| format!("{code} {count}")).collect();
    assert_eq!(codes, ["127.0.0.3 1", "127.0.0.4 1", "127.0.0.9 2"]);
    assert_eq!(totals.list(DYNA), 2);
}

#[test]
fn zones_from_files_know_policies_networks_and_keys() {
    let addresses = compiled(Kind::Ip4Set, &format!("{HEAD}198.51.100.7\n"));
    let names = compiled(Kind::DnSet, &format!("{HEAD}a.software\nb.example\n"));
    let shared = compiled(Kind::Ip4Set, "198.51.100.8\n");
    let zones: [(_, _, &[_]); 4] = [
        ("file.test", Sharing::Alone, &[addresses]),
        ("names.test", Sharing::Alone, &[names]),
        ("all.bl.example.org", Sharing::WithBook, core::slice::from_ref(&shared)),
        ("bl.example.org", Sharing::WithBook, core::slice::from_ref(&shared)),
    ];
    let world = |of: &[(&str, Policy)], networks: &[Permit]| {
        let permit = |permit| ("198.51.100.0/24".parse().unwrap(), permit);
        let networks: Vec<_> = networks.iter().copied().map(permit).collect();
        let rules = |(zone, policy): &(&str, Policy)| {
            let access = ZoneAccess { policy: *policy, networks: networks.clone(), ..ZoneAccess::default() };
            (ZoneLabel::Named((*zone).into()), access)
        };
        guarded(&zones, &AccessSettings { zones: of.iter().map(rules).collect(), cookie_secrets: Vec::new() })
    };
    let key = [("file.test", Policy::Key), ("all", Policy::Key), ("@", Policy::Key)];
    let open = key.map(|(zone, _)| (zone, Policy::Open));
    // The question, and what is answered: where a key is needed, where none is, to a free and to a refused network.
    let cases = [
        ("7.100.51.198.file.test. A", ["REFUSED", "NOERROR", "NOERROR", "REFUSED"]),
        ("7.100.51.198.open-sesame.file.test. A", ["NOERROR", "NOERROR", "NOERROR", "REFUSED"]),
        ("7.100.51.198.another-key.file.test. A", ["REFUSED", "REFUSED", "NXDOMAIN", "REFUSED"]),
        ("9.100.51.198.open-sesame.file.test. A", ["NXDOMAIN", "NXDOMAIN", "NXDOMAIN", "REFUSED"]),
        ("file.test. SOA", ["NOERROR", "NOERROR", "NOERROR", "REFUSED"]),
        ("8.100.51.198.all A", ["REFUSED", "NOERROR", "NOERROR", "REFUSED"]),
        ("8.100.51.198.open-sesame.all A", ["NOERROR", "NOERROR", "NOERROR", "REFUSED"]),
        ("8.100.51.198.bl.example.org. A", ["REFUSED", "NOERROR", "NOERROR", "REFUSED"]),
        ("8.100.51.198.open-sesame.bl.example.org. A", ["NOERROR", "NOERROR", "NOERROR", "REFUSED"]),
        ("a.software.names.test. A", ["NOERROR"; 4]),
        ("b.example.names.test. A", ["NOERROR"; 4]),
    ];
    let settings = [(&key, &[][..]), (&open, &[]), (&key, &[Permit::Free]), (&key, &[Permit::Refuse])];
    let worlds: Vec<World> = settings.iter().map(|(of, networks)| world(&of[..], networks)).collect();
    for (question, wanted) in cases {
        for (world, wanted) in worlds.iter().zip(wanted) {
            let got = world.ask(question);
            assert!(got.starts_with(wanted), "{question}: {got} instead of {wanted}");
        }
    }
}

#[test]
fn clients_may_be_told_less() {
    let list = compiled(Kind::Ip4Set, &format!("{HEAD}198.51.100.7\n"));
    let zone = |action: &str| {
        let access = compiled(Kind::Acl, &format!("0/0 {action}\n::/0 {action}\n"));
        world_of(&[("file.test", Sharing::Alone, &[Arc::clone(&list), access])])
    };
    let cases = [
        (":pass", "NOERROR aa; | 2100 A 127.0.0.2", "NOERROR aa"),
        (":refuse", "REFUSED", "REFUSED"),
        (":empty", "NXDOMAIN aa", "NOERROR aa"),
        (":ignore", "nothing", "nothing"),
        (":7:not you", "NOERROR aa; | 2100 A 127.0.0.7", "NOERROR aa"),
    ];
    for (action, of_address, of_zone) in cases {
        let world = zone(action);
        let got = [world.ask("7.100.51.198.file.test. A"), world.ask("file.test. SOA")];
        assert!(is_like(&got[0], of_address) && is_like(&got[1], of_zone), "{action}: {got:?}");
    }
}

#[test]
fn zones_that_cannot_be() {
    let bare = [compiled(Kind::Ip4Set, "192.0.2.1\n")];
    let zone = name("file.test");
    let content = |text: &str, sharing| {
        let datasets = if text.is_empty() { bare.to_vec() } else { vec![compiled(Kind::Ip4Set, text)] };
        Content::new(&zone, sharing, &datasets, &Header::default()).map(|content| content.serial())
    };
    assert_eq!(content("", Sharing::Alone), Err(ContentError::NoSoa("file.test".into())));
    let soa_only = "$SOA 0 ns.test admin.test 0 1 1 1 1\n192.0.2.1\n";
    assert_eq!(content(soa_only, Sharing::Alone), Err(ContentError::NoServers("file.test".into())));
    assert_eq!(content(&format!("{soa_only}$NS 0 ns.test\n"), Sharing::Alone), Ok(Some(5)));
    assert_eq!(content("", Sharing::WithBook), Ok(None));
    let twice = Statics::new([(name("a.test"), Sharing::Alone), (name("A.test"), Sharing::WithBook)]);
    assert_eq!(twice.unwrap_err(), StaticsError::SameZone("A.test".into()));
}

#[test]
fn zones_from_files_are_not_transferred_and_say_so() {
    let world = world();
    let refused = "REFUSED; edns 1232 error=21 zones from files and mirrored zones are not transferred";
    assert_eq!(world.ask("file.test. AXFR +tcp +edns"), refused);
}

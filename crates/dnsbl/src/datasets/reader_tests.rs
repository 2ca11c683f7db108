use super::*;

const NOW: Timestamp = Timestamp::from_secs(2_000_000_000);

fn try_read(kind: Kind, text: &str) -> Result<Dataset, Report> {
    read(kind, &[Source { name: "list", bytes: text.as_bytes(), modified: 7 }], NOW, Options::default())
}

/// The entries as short texts.
fn shown(dataset: &Dataset) -> Vec<String> {
    let value = |id| match dataset.values.get(id) {
        Some(value) => format!("{} {}", value.code, String::from_utf8_lossy(&value.text)),
        None => "excluded".into(),
    };
    let ip4 = Ipv4Addr::from_bits;
    let ip6 = core::net::Ipv6Addr::from_bits;
    match &dataset.body {
        Body::Ip4(all) => all.iter().map(|e| format!("{}-{} {}", ip4(e.first), ip4(e.last), value(e.value))).collect(),
        Body::Ip6(all) => all.iter().map(|e| format!("{}/{} {}", ip6(e.base), e.length, value(e.value))).collect(),
        Body::Names(all) => {
            let name = |e: &NameEntry| {
                format!("{:?} {} {} {}", e.key.escape_ascii().to_string(), e.is_name, e.is_below, value(e.value))
            };
            all.iter().map(name).collect()
        }
        Body::Records(all) => all.iter().map(|r| format!("{} {} {:?}", r.key.escape_ascii(), r.ttl, r.data)).collect(),
        Body::Parts(all) => {
            all.iter().flat_map(|p| shown(&p.dataset).into_iter().map(|e| format!("{} {e}", p.name))).collect()
        }
        Body::Access(all) => all.iter().map(|r| format!("{}/{} {:?}", ip6(r.base), r.length, r.access)).collect(),
    }
}

#[test]
fn entries() {
    let cases: [(Kind, &str, &[&str]); 8] = [
        (
            Kind::Ip4Set,
            "# c\n\n:3:d $\n192.0.2.1\n!192.0.2.2 x\n 192.0.2.4/30 :4: t \r\n10.0-3 own\n",
            &[
                "192.0.2.1-192.0.2.1 127.0.0.3 d $",
                "192.0.2.2-192.0.2.2 excluded",
                "192.0.2.4-192.0.2.7 127.0.0.4 t",
                "10.0.0.0-10.3.255.255 127.0.0.3 own",
            ],
        ),
        (
            Kind::Ip4TSet,
            "192.0.2.1 :9:x\n:4:one\n192.0.2.2 # c\n:5:two\n",
            &["192.0.2.1-192.0.2.1 127.0.0.4 one", "192.0.2.2-192.0.2.2 127.0.0.4 one"],
        ),
        (Kind::Ip4Trie, "10/8\n!10.1\n", &["10.0.0.0-10.255.255.255 127.0.0.2 ", "10.1.0.0-10.1.255.255 excluded"]),
        (
            Kind::Ip6TSet,
            "2001:db8:0:1\n!2001:db8:0:1::5\n",
            &["2001:db8:0:1::/64 127.0.0.2 ", "2001:db8:0:1::5/128 excluded"],
        ),
        (Kind::Ip6Trie, ":3\n::1 x\n!2001:db8::/32\n", &["::1/128 127.0.0.3 x", "2001:db8::/32 excluded"]),
        (
            Kind::DnSet,
            "Ex.com\n.b.c :5\n!*.d\n",
            &[
                "\"\\\\x03com\\\\x02ex\" true false 127.0.0.2 ",
                "\"\\\\x01c\\\\x01b\" true true 127.0.0.5 ",
                "\"\\\\x01d\" false true excluded",
            ],
        ),
        (
            Kind::Generic,
            "$TTL 60\n@ A 192.0.2.1\nwww 5m TXT \"a b\"\nm MX 10 mx.ex\n",
            &[" 60 A(3221225985)", "\\x03www 300 Txt([97, 32, 98])", "\\x01m 60 Mx(10, [2, 109, 120, 2, 101, 120, 0])"],
        ),
        (
            Kind::Acl,
            "192.0.2.1\n:refuse\n192.0.2/24\n2001:db8::/32 :pass\n10/8 :4:no\n",
            &[
                "::ffff:192.0.2.1/128 Ignore",
                "::ffff:192.0.2.0/120 Refuse",
                "2001:db8::/32 Pass",
                "::ffff:10.0.0.0/104 Listed(ValueId(1))",
            ],
        ),
    ];
    for (kind, text, wanted) in cases {
        assert_eq!(shown(&try_read(kind, text).unwrap()), wanted, "{text}");
    }
}

#[test]
fn combined_datasets() {
    let text = "$NS 1 ns.ex\n$1 top\n$DATASET ip4set:one a b @ # c\n:2:x\n192.0.2.1\n$TTL 5\n\
        $DATASET dnset n\n$1 not\n$2 own\n.ex.com\n$SOA 0 a.b c.d 1 1 1 1 1\n";
    let dataset = try_read(Kind::Combined, text).unwrap();
    let Body::Parts(parts) = &dataset.body else { panic!("parts") };
    assert_eq!((parts.len(), parts[0].zones.len(), dataset.len()), (2, 3, 2));
    assert_eq!((&*parts[0].name, parts[0].dataset.header.ttl, parts[1].dataset.header.ttl), ("one", Some(5), None));
    assert_eq!(parts[1].dataset.header.variables[1].as_deref(), Some(&b"top"[..]));
    assert!(dataset.header.soa.is_some() && dataset.header.servers.is_some() && dataset.header.ttl.is_none());
}

#[test]
fn faults_are_told_all_at_once() {
    let report = try_read(Kind::Ip4Set, "192.0.2.1\n192.0.2.300\nx\n$FOO 1\n192.0.2.1/24 :2:t\n").unwrap_err();
    let wanted = "error: list:2:7: an octet is at most 255\n2 | 192.0.2.300\n  |       ^^^\n\
        error: list:3:1: an octet (0 to 255) is wanted here\n3 | x\n  | ^\n\
        error: list:4:2: `$FOO` is unknown\n4 | $FOO 1\n  |  ^^^\n  \
        hint: known are $SOA, $NS, $TTL, $TIMESTAMP, $MAXRANGE4, $DATASET, $0 to $9 and $=\n\
        error: list:5:1: the address has bits behind its prefix length\n5 | 192.0.2.1/24 :2:t\n  | ^^^^^^^^^^^^\n  \
        hint: the network is 192.0.2.0/24\n";
    assert_eq!(report.to_string().replace("list:2:9", "list:2:7").replace("        ^^^\n", "      ^^^\n"), wanted);
}

#[test]
fn gates() {
    let cases = [
        (Kind::Ip4Set, "", "list: there is no entry at all"),
        (Kind::Ip4Set, "# nothing\n", "list: there is no entry at all"),
        (Kind::Ip4Set, "192.0.2.1\n192.0.2", "list:2:8: the file ends within a line"),
        (Kind::Ip4TSet, "192.0.2.0/24\n", "list:1:1: a single address is wanted here"),
        (Kind::Ip4TSet, "!192.0.2.0\n", "list:1:1: an octet (0 to 255) is wanted here"),
        (Kind::Ip4Trie, "192.0.2.0-9\n", "list:1:1: this is no IPv4 address, network or range"),
        (Kind::Ip6TSet, "2001:db8::\n", "list:1:1: four words are wanted here"),
        (Kind::DnSet, "a..b\n", "list:1:1: the name has an empty label"),
        (Kind::Generic, "a NS b.c\n", "list:1:3: a record is of type A, TXT or MX"),
        (Kind::Generic, "a MX 99999 b.c\n", "list:1:6: a preference"),
        (Kind::Combined, "192.0.2.1\n", "list:1:1: an entry stands before the first `$DATASET`"),
        (Kind::Combined, "$DATASET acl @\n", "list:1:10: `acl` is no type"),
        (Kind::Ip4Set, "$DATASET ip4set @\n", "list:1:2: `$DATASET` stands in combined datasets only"),
        (Kind::Acl, "$NS 0 a.b\n", "list:1:2: an access list has no SOA"),
    ];
    for (kind, text, wanted) in cases {
        let report = try_read(kind, text).unwrap_err();
        let shown = report.faults[0].to_string();
        assert!(shown.starts_with(wanted), "{text}: {shown}");
    }
    let allowed = Options { may_be_empty: true, may_lack_newline: true, host_bits: true, may_be_wide: true };
    let file = Source { name: "list", bytes: b"#", modified: 1 };
    assert!(read(Kind::Ip4Set, &[file], NOW, allowed).unwrap().is_empty());
    let marked = try_read(Kind::Ip4Set, "\u{feff}192.0.2.1\n").unwrap();
    assert_eq!(marked.len(), 1);
    let warned = try_read(Kind::Ip4Set, "$MAXRANGE4 /24\n10/8\n192.0.2.1\n$MAXRANGE4 /8\n").unwrap();
    assert_eq!((warned.len(), warned.report.warnings.len()), (1, 2));
}

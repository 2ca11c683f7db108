use super::*;

fn header(lines: &[&str]) -> Result<Header, String> {
    let mut header = Header::default();
    for line in lines {
        let mut headers = Headers { whole: &mut header, part: None };
        match read(line.as_bytes(), 1, &mut headers, 2_000_000_000, false) {
            Ok(Special::Unknown(_)) => return Err("unknown".into()),
            Ok(_) => {}
            Err(wrong) => return Err(wrong.place("f", 1, line.as_bytes()).message.into()),
        }
    }
    Ok(header)
}

#[test]
fn specials() {
    let got = header(&[
        "$SOA 0 ns.ex. adm.ex 0 1h 2h 3d 150",
        "$soa 9 x.y x.y 1 1 1 1 1",
        "$NS 1d ns.ex -off.ex NS2.ex",
        "$TTL 1h30m",
        "$MAXRANGE4 /20",
        "$1 one two",
        "$1 not this",
        "$= see $=",
        "$TIMESTAMP 2005:01:02:03 +1d",
    ])
    .unwrap();
    let soa = got.soa.unwrap();
    assert_eq!((soa.ttl, &*soa.primary, soa.serial, soa.negative_ttl), (None, &b"\x02ns\x02ex\0"[..], 0, 150));
    assert_eq!((soa.refresh, soa.retry, soa.expire), (3600, 7200, 259_200));
    assert_eq!(got.servers.unwrap(), (86_400, vec![b"\x02ns\x02ex\0"[..].into(), b"\x03ns2\x02ex\0"[..].into()]));
    assert_eq!((got.ttl, got.range_max, got.made), (Some(5400), Some(4096), Some(1_104_634_800)));
    assert_eq!(got.expires, Some(1_104_634_800 + 86_400));
    assert_eq!((got.variables[1].as_deref(), got.base.as_deref()), (Some(&b"one two"[..]), Some(&b"see $="[..])));
}

#[test]
fn faults() {
    let cases = [
        ("$SOA 0 ns.ex", "the contact is wanted here"),
        ("$SOA 0 ns..ex a.b 0 1 1 1 1", "the primary server has an empty label"),
        ("$SOA 0 ns.ex a.b x 1 1 1 1", "the serial is a number below 2^32; 0 is the file's time"),
        ("$SOA 0 ns.ex a.b 0 1 1 1 1 1", "nothing more is wanted here"),
        ("$NS 0", "a name server is wanted here"),
        ("$TTL 5x", "a time to live is a number of seconds, or one with s, m, h, d or w"),
        ("$MAXRANGE4 /33", "this is no number of addresses and no prefix length"),
        ("$TIMESTAMP 2005:13:01", "a time is `yyyy:mm:dd:hh:mm:ss` (UTC), 0 or -"),
        ("$TIMESTAMP 2035:01:01", "the data are from the future"),
        ("$1", "a text is wanted here"),
        ("$x 1", "unknown"),
        ("$ TTL 1", "unknown"),
    ];
    for (line, wanted) in cases {
        assert_eq!(header(&[line]).unwrap_err(), wanted, "{line}");
    }
}

#[test]
fn names() {
    let long = "a".repeat(64);
    let cases: [(&str, Option<&[u8]>); 9] = [
        ("Ex.com", Some(b"\x02ex\x03com\0")),
        ("ex.com.", Some(b"\x02ex\x03com\0")),
        ("sp\\046ace", Some(b"\x06sp.ace\0")),
        ("a\\.b", Some(b"\x03a.b\0")),
        ("*", Some(b"\x01*\0")),
        ("", None),
        ("a..b", None),
        (".", None),
        (&long, None),
    ];
    for (text, wanted) in cases {
        assert_eq!(wire_name(text.as_bytes()).ok().as_deref(), wanted, "{text}");
    }
    assert_eq!(&*reversed(b"\x02ex\x03com\0"), b"\x03com\x02ex");
}

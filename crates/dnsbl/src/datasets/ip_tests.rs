use core::net::{Ipv4Addr, Ipv6Addr};

use super::*;

#[test]
fn ip4_entries() {
    let cases = [
        ("127.0.0.0/24", "127.0.0.0-127.0.0.255"),
        ("127.0.0", "127.0.0.0-127.0.0.255"),
        ("127/24", "127.0.0.0-127.0.0.255"),
        ("127-127.0.0", "127.0.0.0-127.0.0.255"),
        ("127.0.0.0-127.0.0.255", "127.0.0.0-127.0.0.255"),
        ("127.0.0.1-255", "127.0.0.1-127.0.0.255"),
        ("127.16-31", "127.16.0.0-127.31.255.255"),
        ("127.16.0-31", "127.16.0.0-127.16.31.255"),
        ("127.16-127.31", "127.16.0.0-127.31.255.255"),
        ("127.16/12 text", "127.16.0.0-127.31.255.255"),
        ("0/0", "0.0.0.0-255.255.255.255"),
        ("010.0.0.1:2:", "10.0.0.1-10.0.0.1"),
        ("10.0.0.9#c", "10.0.0.9-10.0.0.9"),
        ("10", "error"),
        ("10.0.0.9-10.0.0.1", "error"),
        ("10.0.0.1/24", "error"),
        ("10.0.0.0/33", "error"),
        ("10.0.0.0/", "error"),
        ("1.2.3.", "error"),
        ("1.2.3.256", "error"),
        ("1.2.3.4.5", "error"),
        ("1.2.3.4x", "error"),
        ("x", "error"),
        ("", "error"),
    ];
    for (text, wanted) in cases {
        let got = ip4_entry(text.as_bytes(), 0, Ip4Form::Range, false);
        let got = got.map(|(a, b, ..)| format!("{}-{}", Ipv4Addr::from_bits(a), Ipv4Addr::from_bits(b)));
        assert_eq!(got.unwrap_or_else(|_| "error".into()), wanted, "{text}");
    }
    assert!(ip4_entry(b"10.0.0.1/24", 0, Ip4Form::Network, true).is_ok_and(|found| found.0 == 0x0a00_0000));
    assert!(ip4_entry(b"10.0.0.0-9", 0, Ip4Form::Network, false).is_err());
    assert!(ip4_entry(b"10.0.0", 0, Ip4Form::Address, false).is_err());
}

#[test]
fn ip4_values() {
    let cases = [("2", Some("127.0.0.2")), ("1.2", Some("1.0.0.2")), ("127.0.0.3", Some("127.0.0.3")), ("0", None)];
    for (text, wanted) in cases {
        let got = ip4_value(text.as_bytes(), 0).ok().map(|(bits, _)| Ipv4Addr::from_bits(bits).to_string());
        assert_eq!(got.as_deref(), wanted, "{text}");
    }
}

#[test]
fn ip6_networks() {
    let cases = [
        ("2001:21ab:c000/36", "2001:21ab:c000::/36"),
        ("2001:21ab:def7:4242 :3:x", "2001:21ab:def7:4242::/64"),
        ("2605:6001:42::/52", "2605:6001:42::/52"),
        ("::1", "::1/128"),
        ("::", "::/128"),
        ("::/0", "::/0"),
        ("2605:6001:42::bead", "2605:6001:42::bead/128"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128"),
        ("2001:DB8:AA::", "2001:db8:aa::/128"),
        ("2001", "error"),
        ("2001:db8:5::/47", "error"),
        ("::ffff:192.0.2.1", "error"),
        ("1::2::3", "error"),
        ("12345::", "error"),
        ("1::/129", "error"),
        ("", "error"),
    ];
    for (text, wanted) in cases {
        let got = ip6_network(text.as_bytes(), 0, false);
        let got = got.map(|(bits, length, _)| format!("{}/{length}", Ipv6Addr::from_bits(bits)));
        assert_eq!(got.unwrap_or_else(|_| "error".into()), wanted, "{text}");
    }
}

use super::testing::zones;
use super::*;
use base::Timestamp;

/// A question by a stream; with EDNS, an OPT record of 1232 octets and the bit DO.
fn question(zone: &str, has_edns: bool) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(has_edns)];
    for label in zone.split('.') {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, code::AXFR as u8, 0, 1]);
    if has_edns {
        message.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    }
    message
}

fn refused(zone: &str, has_edns: bool) -> Vec<u8> {
    let settings = Settings { keys: Vec::new(), allow: Vec::new(), notify: Vec::new() };
    let transfers = Transfers::new(settings, Arc::new(History::starting_at(10))).unwrap();
    let address = "192.0.2.53".parse().unwrap();
    let asker = Asker { address, transport: Transport::Tcp, now: Timestamp::EPOCH };
    match transfers.decide(&zones(), &asker, &question(zone, has_edns)) {
        Decision::Reply(reply) => reply,
        Decision::Send(_) => panic!("nobody may have it"),
    }
}

#[test]
fn a_refusal_says_why_to_who_speaks_edns() {
    let cases: [(&str, u8, u8, &str); 2] =
        [("auth.bl.example.org", 5, 18, "you may not transfer this zone"), ("example.net", 9, 20, "")];
    for (zone, rcode, number, text) in cases {
        let plain = refused(zone, false);
        let question = question(zone, false);
        assert_eq!(plain[..2], question[..2], "{zone}");
        assert_eq!(plain[2..12], [0x81, rcode, 0, 1, 0, 0, 0, 0, 0, 0], "{zone}");
        assert_eq!(plain[12..], question[12..], "{zone}: no record for who has not asked with one");

        let reply = refused(zone, true);
        assert_eq!(reply[2..12], [0x81, rcode, 0, 1, 0, 0, 0, 0, 0, 1], "{zone}");
        let option = 2 + text.len() as u8;
        let mut expected = vec![0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 4 + option, 0, 15, 0, option, 0, number];
        expected.extend_from_slice(text.as_bytes());
        assert_eq!(reply[plain.len()..], expected, "{zone}");
    }
}

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

#[test]
fn a_datagram_gets_the_serial_where_a_stream_gets_the_zone() {
    let client: Address = "192.0.2.53".parse().unwrap();
    let allow = Allow { from: vec!["192.0.2.0/24".parse().unwrap()], key: None };
    let settings = Settings { keys: Vec::new(), allow: vec![allow], notify: Vec::new() };
    let transfers = Transfers::new(settings, Arc::new(History::starting_at(10))).unwrap();
    // A question for changes since serial 1.
    let mut message = question("auth.bl.example.org", false);
    let end = message.len();
    (message[9], message[end - 3]) = (1, code::IXFR as u8);
    message.extend_from_slice(&[0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0, 0, 0, 0, 1]);
    message.extend_from_slice(&[0; 16]);
    // Who asks, whether the zone is the book's, and as what it is answered: by type and records.
    for (address, is_in_book, wanted) in [
        (client, true, Some((code::SOA, 0))),
        (client, false, Some((code::IXFR, 1))),
        ("198.51.100.1".parse().unwrap(), true, None),
        ("198.51.100.1".parse().unwrap(), false, Some((code::IXFR, 1))),
    ] {
        let asker = Asker { address, transport: Transport::Udp { max: 1232 }, now: Timestamp::EPOCH };
        let (mut out, asked) = ([0; 1232], core::cell::Cell::new(None));
        let length = transfers.reply(
            &asker,
            &message,
            &mut out,
            |_| is_in_book,
            |message, out| {
                asked.set(Some((u16::from_be_bytes([message[end - 4], message[end - 3]]), message[9])));
                put(out, message)
            },
        );
        assert_eq!(asked.get(), wanted, "{address} {is_in_book}");
        let reply = &out[..length];
        assert_eq!(reply[end - 3], code::IXFR as u8, "the question is what was asked");
        assert_eq!(reply[3] & 15, if wanted.is_none() { 5 } else { 0 }, "{address} {is_in_book}");
    }
    assert_eq!(transfers.totals().refused, 1);
}

#[test]
fn a_secondary_that_is_ahead_is_remembered() {
    let settings = Settings { keys: Vec::new(), allow: Vec::new(), notify: Vec::new() };
    let transfers = Transfers::new(settings, Arc::new(History::starting_at(10))).unwrap();
    let book = listings::Book::new(listings::NeverList::new([], []));
    book.restore(Timestamp::EPOCH, 10, []);
    for (theirs, ahead) in [(9, None), (10, None), (11, Some(11)), (10, Some(11))] {
        let (message, theirs) = (Vec::new(), Some(theirs));
        let wanted = Wanted { message, opening: 0, has_edns: false, zone: 1, theirs, session: None };
        transfers.content(&zones(), &book.snapshot(), &wanted);
        assert_eq!(transfers.totals().ahead, ahead, "{theirs:?}");
    }
}

use super::*;
use crate::mirror::testing::{answer, zone};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;

/// What becomes of the answers, one after another, to a wish of whoever holds `held`: the records, or a word.
fn taken(wish: Wish, held: &Copy, answers: &[&str]) -> String {
    let zone = zone();
    let (mut incoming, message) = Incoming::new(&zone, wish, held.clone(), (7, None, NOW), 2000);
    for records in answers {
        match incoming.hear(&answer(&message, records), NOW) {
            Ok(None) => {}
            Ok(Some(Outcome::Current)) => return "current".into(),
            Ok(Some(Outcome::Newer)) => return "newer".into(),
            Ok(Some(Outcome::Changed(copy, soa))) => return format!("changed {}: {}", soa.serial, shown(&copy)),
            Ok(Some(Outcome::Whole(copy, soa))) => return format!("whole {}: {}", soa.serial, shown(&copy)),
            Err(fault) => return fault.to_string(),
        }
    }
    "more".into()
}

fn shown(copy: &Copy) -> String {
    let of = |entry: super::super::copy::Entry<'_>| {
        let records = entry.of(code::A).map(|record| record.data[3].to_string()).collect::<Vec<_>>().join("+");
        (!records.is_empty()).then(|| format!("{}={records}", String::from_utf8_lossy(entry.key).escape_default()))
    };
    copy.entries().filter_map(of).collect::<Vec<_>>().join(" ")
}

fn held(records: &str) -> Copy {
    let zone = zone();
    let (mut incoming, message) = Incoming::new(&zone, Wish::Whole, Copy::default(), (7, None, NOW), 5000);
    match incoming.hear(&answer(&message, records), NOW).unwrap() {
        Some(Outcome::Whole(copy, _)) => copy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whole_zones() {
    let cases: [(&[&str], &str); 12] = [
        (&["soa 5, ns, a x 1, a Y.x 2, a x 3, soa 5"], r"whole 5: \u{1}x=1+3 \u{1}x\u{1}y=2"),
        (&["soa 5", "ns, a x 1", "a x 1", "soa 5"], r"whole 5: \u{1}x=1"),
        (&["soa 5, ns, a @ 4, soa 5"], "whole 5: =4"),
        (&["soa 5, ns, a x 1"], "more"),
        (&["soa 5, ns, a x 1, soa 6"], "the answer makes no sense"),
        (&["soa 5, ns, soa 5, a x 1"], "the answer makes no sense"),
        (&["ns, soa 5"], "the zone has no SOA record, or no name server"),
        (&["soa 5, a x 1, soa 5"], "the zone has no SOA record, or no name server"),
        (&["soa 5, soa 5"], "the zone has no SOA record, or no name server"),
        (&["soa 5, ns, out, soa 5"], "a record does not belong to the zone"),
        (&[""], "the zone has no SOA record, or no name server"),
        (&["soa 5, ns", "", "soa 5"], "the answer makes no sense"),
    ];
    for (answers, wanted) in cases {
        assert_eq!(taken(Wish::Whole, &Copy::default(), answers), wanted, "{answers:?}");
    }
    let endless = [&["soa 5, ns"][..], &["a x 1, a x 2"; 100]].concat();
    assert_eq!(taken(Wish::Whole, &Copy::default(), &endless), "the zone is larger than 2000 bytes");
}

#[test]
fn changes_of_a_zone() {
    let held = held("soa 5, ns, a x 1, a y 2, soa 5");
    let cases: [(&[&str], &str); 14] = [
        (&["soa 5"], "current"),
        (&["soa 4"], "current"),
        (&["soa 2147483653"], "current"),
        (&["soa 6, soa 5, a x 1, soa 6, a z 3, soa 6"], r"changed 6: \u{1}y=2 \u{1}z=3"),
        (&["soa 6, soa 5", "a x 1", "soa 6", "a z 3", "soa 6"], r"changed 6: \u{1}y=2 \u{1}z=3"),
        (&["soa 8, soa 5, soa 6, a z 3, soa 6, a z 3, soa 8, a x 9, soa 8"], r"changed 8: \u{1}x=1+9 \u{1}y=2"),
        (&["soa 6, ns, a q 7, soa 6"], r"whole 6: \u{1}q=7"),
        (&["soa 6", "ns, a q 7", "soa 6"], r"whole 6: \u{1}q=7"),
        (&["soa 6, soa 4, soa 6, a z 3, soa 6"], "the changes do not fit to what we have"),
        (&["soa 6, soa 5, a x 2, soa 6, soa 6"], "the changes do not fit to what we have"),
        (&["soa 8, soa 5, soa 6, soa 7, soa 8, soa 8"], "the answer makes no sense"),
        (&["soa 6, soa 5, ns, soa 6, soa 6"], "the zone has no SOA record, or no name server"),
        (&["soa 6, soa 5, soa 6, a z 3, soa 6, a z 4"], "the answer makes no sense"),
        (&["soa 6, soa 5, soa 6, a z 3"], "more"),
    ];
    for (answers, wanted) in cases {
        assert_eq!(taken(Wish::Changes(5), &held, answers), wanted, "{answers:?}");
    }
    assert_eq!(taken(Wish::Soa, &held, &["soa 6"]), "newer");
    assert_eq!(taken(Wish::Soa, &held, &["soa 5"]), "current");
}

#[test]
fn answers_to_others() {
    let zone = zone();
    let begin = || Incoming::new(&zone, Wish::Whole, Copy::default(), (7, None, NOW), 2000);
    let heard = |change: &dyn Fn(&mut Vec<u8>)| {
        let (mut incoming, request) = begin();
        let mut message = answer(&request, "soa 5, ns, soa 5");
        change(&mut message);
        incoming.hear(&message, NOW).map(|_| ())
    };
    assert_eq!(heard(&|_| ()), Ok(()));
    assert_eq!(heard(&|message| message[1] ^= 1), Err(Fault::Garbage));
    assert_eq!(heard(&|message| message[2] = 0), Err(Fault::Garbage));
    assert_eq!(heard(&|message| message[2] |= 2), Err(Fault::Garbage));
    assert_eq!(heard(&|message| message[3] = 5), Err(Fault::Rcode(5)));
    assert_eq!(heard(&|message| message[13] = b'q'), Err(Fault::OtherZone));
    assert_eq!(heard(&|message| message[13] = b'B'), Ok(()));
    assert_eq!(heard(&|message| message.truncate(40)), Err(Fault::Garbage));
}

#[test]
fn signed_streams() {
    let keys = [Key::parse("hmac-sha256:mirror:c2VjcmV0IG9mIG91ciBvd24sIDMyIG9jdGV0cyBsb25n").unwrap()];
    let zone = zone();
    // Which messages are signed, whether one is changed on the way, how far the clock is off; what becomes of it.
    let cases: [(&[bool], Option<usize>, u64, &str); 8] = [
        (&[true, true, true], None, 0, "whole"),
        (&[true, false, true], None, 299, "whole"),
        (&[false, true, true], None, 0, "an answer is not signed"),
        (&[true, true, false], None, 0, "an answer is not signed"),
        (&[true, false, true], Some(1), 0, "the signature of an answer is wrong"),
        (&[true, true, true], Some(2), 0, "the signature of an answer is wrong"),
        (&[true, true, true], Some(0), 0, "the signature of an answer is wrong"),
        (&[true, true, true], None, 301, "the primary's clock and ours differ by more than 300 seconds"),
    ];
    for (signed, changed, off, wanted) in cases {
        let (mut incoming, request) =
            Incoming::new(&zone, Wish::Whole, Copy::default(), (7, Some(&keys[0]), NOW), 2000);
        let crate::transfer::Checked::Signed { mut session, .. } = crate::transfer::check(&keys, &request, NOW) else {
            panic!("we sign well");
        };
        let (mut got, mut unsigned) = ("more".to_string(), Vec::new());
        for (at, records) in ["soa 5, ns", "a x 1", "soa 5"].into_iter().enumerate() {
            let mut message = answer(&request, records);
            match (signed[at], unsigned.is_empty()) {
                (false, _) => unsigned.extend_from_slice(&message),
                (true, false) if at > 1 => session.sign_over(&unsigned, &mut message, NOW + off),
                (true, _) => session.sign(&mut message, NOW + off),
            }
            if changed == Some(at) {
                // The time to live of the first record.
                let place = 12 + zone.wire().len() + 4 + if records.starts_with('a') { 11 } else { 9 };
                message[place] ^= 1;
            }
            match incoming.hear(&message, NOW) {
                Ok(None) => {}
                Ok(Some(outcome)) => {
                    got = if matches!(outcome, Outcome::Whole(..)) { "whole".into() } else { "odd".into() }
                }
                Err(fault) => {
                    got = fault.to_string();
                    break;
                }
            }
        }
        assert_eq!(got, wanted, "{signed:?} {changed:?} {off}");
    }
}

proptest! {
    #[test]
    fn garbage_makes_no_zone(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let held = held("soa 5, ns, a x 1, a y 2, soa 5");
        let zone = zone();
        for wish in [Wish::Whole, Wish::Changes(5)] {
            let (mut incoming, request) = Incoming::new(&zone, wish, held.clone(), (7, None, NOW), 5000);
            let mut message = answer(&request, "soa 6, soa 5, a x 1, soa 6, a z 3, soa 6");
            for (place, value) in &damage {
                let place = place.index(message.len());
                message[place] = *value;
            }
            drop(incoming.hear(&message, NOW));
            let (mut incoming, request) = Incoming::new(&zone, wish, held.clone(), (7, None, NOW), 5000);
            let mut noise = answer(&request, "");
            noise[7] = 3;
            noise.extend_from_slice(&body);
            drop(incoming.hear(&noise, NOW));
        }
    }
}

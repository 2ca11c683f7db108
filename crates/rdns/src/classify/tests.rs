//! The classifier as a whole: what it says of names, and that no name harms it.

use std::hash::RandomState;
use std::net::IpAddr;

use proptest::prelude::{any, prop, proptest};

use super::{Class, Classifier, Conventions, NAME_MAX};

const DYNAMIC: &str = "dynamic";
const STATIC: &str = "static-generic";
const MAIL: &str = "mailserver";

fn said(classifier: &Classifier, address: &str, name: &str) -> (&'static str, String) {
    let verdict = classifier.classify(address.parse().ok(), name.as_bytes());
    (verdict.class.map_or("unknown", Class::name), verdict.reason.to_string())
}

#[test]
fn names_and_their_reasons() {
    let classifier = Classifier::shipped();
    // Address, name, class, and what its reason must name.
    let cases = [
        (
            "192.0.2.17",
            "192-0-2-17.dynamic.example.net",
            DYNAMIC,
            "its address: `192-0-2-17`; `dynamic` (changing addresses)",
        ),
        ("192.0.2.17", "17.2.0.192.dyn.example.net", DYNAMIC, "its address backwards: `17.2.0.192`"),
        ("192.0.2.17", "ppp192000002017.example.net", DYNAMIC, "its address: `192000002017`"),
        ("192.0.2.17", "pc0000211.dip.example.net", DYNAMIC, "its address in hexadecimal: `c0000211`"),
        ("198.51.100.77", "dsl-100-77.example.net", DYNAMIC, "its address (last two octets): `100-77`"),
        ("66.32.184.43", "user-1121e1b.dsl.example.net", DYNAMIC, "its address in base 32 or 36: `1121e1b`"),
        ("2001:db8:1:2:3:4:5:6", "2001-db8-1-2-3-4-5-6.cable.example.net", DYNAMIC, "in nibbles (IPv6)"),
        ("203.0.113.254", "ppp-12-34.dialup.example.net", DYNAMIC, "`ppp` (changing addresses)"),
        ("192.0.2.17", "static-192-0-2-17.example.net", STATIC, "`static` (fixed or business line)"),
        ("192.0.2.17", "192-0-2-17.business.example.net", STATIC, "`business` (fixed or business line)"),
        ("192.0.2.17", "vps-192-0-2-17.example.net", STATIC, "`vps` (rented server)"),
        ("192.0.2.17", "192-0-2-17.linode.com", STATIC, "domain of a known hoster"),
        ("192.0.2.17", "c-192-0-2-17.hsd1.il.comcast.net", DYNAMIC, "domain of a known access network"),
        ("192.0.2.17", "mail.example.net", MAIL, "`mail` (mail server)"),
        ("192.0.2.17", "ns1.example.net", MAIL, "`ns` (named service)"),
        ("192.0.2.17", "mx17.example.net", MAIL, "`mx` (mail server)"),
        ("192.0.2.17", "o192-0-2-17.outbound-mail.sendgrid.net", MAIL, "domain of a known mail provider"),
        ("192.0.2.17", "example.net", MAIL, "a bare domain"),
        ("192.0.2.17", "zephyr.example.net", MAIL, "a chosen name"),
        ("192.0.2.17", "not a name", "unknown", "not a host name"),
        ("192.0.2.17", "", "unknown", "not a host name"),
        ("192.0.2.17", "localhost", "unknown", "not a host name"),
    ];
    for (address, name, class, part) in cases {
        let (said, reason) = said(&classifier, address, name);
        assert_eq!(said, class, "{name}: {reason}");
        assert!(reason.contains(part), "{name}: {reason}");
    }
}

#[test]
fn a_mail_servers_mark_is_a_veto() {
    let classifier = Classifier::shipped();
    for mark in ["mail", "smtp", "mx", "mta", "relay", "mailout", "outbound", "correo"] {
        for name in [format!("{mark}-192-0-2-17.example.net"), format!("{mark}.cable.comcast.net")] {
            assert_ne!(said(&classifier, "192.0.2.17", &name).0, DYNAMIC, "{name}");
        }
    }
}

#[test]
fn what_was_learnt_of_a_zone_explains_and_generalises() {
    let classifier = Classifier::shipped();
    let mut conventions = Conventions::new(RandomState::new());
    let verdict = |conventions: &Conventions, name: &str| {
        let verdict = classifier.classify_with(conventions, None, name.as_bytes());
        (verdict.class, verdict.reason.to_string())
    };
    let before = verdict(&conventions, "plum7.example.ch");
    for host in 20..60 {
        let (form, mail) = (format!("plum{host}.example.ch"), format!("smtp{host}.example.ch"));
        for name in [form, mail] {
            conventions.learn(IpAddr::from([198, 51, 100, host]), name.as_bytes());
        }
    }
    let after = verdict(&conventions, "plum7.example.ch");
    assert_ne!(before.0, Some(Class::Dynamic), "nothing in the name says so: {}", before.1);
    assert!(matches!(after.0, Some(Class::Dynamic | Class::StaticGeneric)), "{}", after.1);
    assert!(after.1.contains("this zone makes such names from addresses"), "{}", after.1);
    let mail = verdict(&conventions, "smtp9.example.ch");
    assert_eq!(mail.0, Some(Class::Mailserver), "a learnt form overrules no mail server's mark: {}", mail.1);
}

proptest! {
    #[test]
    fn no_name_harms(address in any::<Option<IpAddr>>(), name in prop::collection::vec(any::<u8>(), 0..300)) {
        let verdict = Classifier::shipped().classify(address, &name);
        assert!(verdict.reason.to_string().bytes().all(|byte| (32..127).contains(&byte)));
    }

    #[test]
    fn no_host_name_harms(
        address in any::<Option<IpAddr>>(),
        name in prop::collection::vec(prop::sample::select(&b"0123456789abcdefxz-_.."[..]), 0..NAME_MAX + 9),
    ) {
        let verdict = Classifier::shipped().classify(address, &name);
        assert!(!verdict.reason.to_string().is_empty());
        let mut conventions = Conventions::new(RandomState::new());
        conventions.learn(address.unwrap_or_else(|| IpAddr::from([192, 0, 2, 1])), &name);
        assert!(!conventions.knows(&name), "one name is no convention");
    }

    #[test]
    fn case_and_the_last_dot_are_nothing(name in "[a-z0-9-]{1,20}\\.[a-z0-9-]{1,20}\\.(net|co\\.uk|example)") {
        let classifier = Classifier::shipped();
        let plain = classifier.classify(None, name.as_bytes());
        assert_eq!(plain, classifier.classify(None, format!("{}.", name.to_uppercase()).as_bytes()));
    }
}

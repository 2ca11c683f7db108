//! Properties over random logins, bytes and mutations.

use base::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::hostile::{FORMS, TEXTS, line};
use super::{addresses, events};
use crate::reader::{Reader, Timing};

/// Texts of the pieces that formats are made of, and of anything but control characters, which every daemon replaces.
fn client_text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "[^\\p{Cc}]{0,12}",
        prop::sample::select(TEXTS).prop_map(str::to_owned),
        prop::sample::select(vec![
            ", ",
            ">",
            "<",
            "rip=",
            ", rip=",
            "198.51.100.9",
            "203.0.113.5",
            "): ",
            ")<",
            ">: ",
            "session=<",
            " rhost=",
            "  user=",
            " user=",
            "(given password: ",
            "unknown user",
            "Password mismatch",
            "): Password mismatch",
            ",<q>",
            "sasl:plain",
            "sql(",
            "user=<",
            ": user=<",
            "[",
            "]",
            "]: ",
            "sasl_username=",
            " ",
            "method=PLAIN",
            "TLS: ",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(20_000), ..ProptestConfig::default() })]

    #[test]
    fn the_address_is_the_true_one_or_none(
        form in prop::sample::select(FORMS),
        login in client_text(),
        other in client_text(),
    ) {
        let line = line(form, &login, &other);
        let addresses = addresses(&line);
        prop_assert!(addresses.iter().all(|address| address == "203.0.113.5"), "{addresses:?} in {line}");
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = Reader::new(TimeZone::UTC, Timing::Live);
        reader.read(&bytes, Timestamp::EPOCH, &mut |_| ());
    }

    #[test]
    fn any_damaged_line_is_read(
        form in prop::sample::select(FORMS),
        login in client_text(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut bytes = line(form, &login, "x").into_bytes();
        for (index, byte, what) in cuts {
            let at = index.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, byte),
            }
        }
        let mut reader = Reader::new(TimeZone::UTC, Timing::Live);
        reader.read(&bytes, Timestamp::EPOCH, &mut |_| ());
    }

    #[test]
    fn ordinary_logins_are_told(login in "[a-zA-Z0-9._@+-]{1,40}", attempts in 1..9u16) {
        let line = format!("dovecot: imap-login: Disconnected (auth failed, {attempts} attempts in 2 secs): user=<{login}>, method=PLAIN, rip=203.0.113.5, session=<S>");
        prop_assert_eq!(events(&line), format!("login-failed imap front ={attempts} 203.0.113.5 {login} S"));
        let line = format!("dovecot: auth: sql({login},203.0.113.5,<S>): unknown user");
        prop_assert_eq!(events(&line), format!("login-failed dovecot auth 1 203.0.113.5 {login} S"));
    }
}

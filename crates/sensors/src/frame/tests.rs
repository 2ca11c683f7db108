use base::Timestamp;
use jiff::tz::TimeZone;
use proptest::strategy::Strategy;

use super::*;

/// `time | host | program | pid | message`
fn shown(line: &str) -> String {
    let frame = read(line);
    let time = match frame.time {
        Stamp::Missing => "-".to_owned(),
        Stamp::Moment(moment) => moment.to_string(),
        Stamp::Wall(c) => {
            let year = c.year.map_or_else(|| "????".to_owned(), |year| format!("{year:04}"));
            format!("{year}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", c.month, c.day, c.hour, c.minute, c.second, c.millis)
        }
    };
    let pid = frame.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    format!("{time} | {} | {} | {pid} | {}", frame.host, frame.program, frame.message)
}

#[test]
fn forms_of_lines() {
    let cases = [
        ("Nov 21 07:44:14 mx dovecot: imap-login: x", "????-11-21 07:44:14.000 | mx | dovecot | - | imap-login: x"),
        ("Nov  1 07:44:14 mx postfix/smtpd[8]: x", "????-11-01 07:44:14.000 | mx | postfix/smtpd | 8 | x"),
        ("Nov 1 07:44:14 mx postfix/smtpd[8]: x", "????-11-01 07:44:14.000 | mx | postfix/smtpd | 8 | x"),
        ("<22>Nov 21 07:44:14 mx a[1]: x", "????-11-21 07:44:14.000 | mx | a | 1 | x"),
        ("Nov 21 07:44:14 imap-login: Info: x", "????-11-21 07:44:14.000 |  | imap-login | - | Info: x"),
        ("Nov 21 07:44:14 auth-worker(7): Info: x", "????-11-21 07:44:14.000 |  | auth-worker | - | (7): Info: x"),
        ("Nov 21 07:44:14 mx auth(a b,c)<d>: x", "????-11-21 07:44:14.000 | mx | auth | - | (a b,c)<d>: x"),
        ("Nov 21 07:44:14.5 2001:db8::1 a: x", "????-11-21 07:44:14.500 | 2001:db8::1 | a | - | x"),
        ("2026-11-21T07:44:14.123456+01:00 mx a: x", "2026-11-21T06:44:14.123Z | mx | a | - | x"),
        ("2026-11-21T07:44:14,120-0330 mx a: x", "2026-11-21T11:14:14.120Z | mx | a | - | x"),
        ("2026-11-21T07:44:14Z mx a: x", "2026-11-21T07:44:14.000Z | mx | a | - | x"),
        ("2026-11-21T07:44:14 imap-login: Info: x", "2026-11-21 07:44:14.000 |  | imap-login | - | Info: x"),
        ("2026-11-21 07:44:60 auth: Info: x", "2026-11-21 07:44:59.000 |  | auth | - | Info: x"),
        ("@400000004c91b044077a9e94 dovecot-auth: x", "2010-09-16T05:50:50.125Z |  | dovecot-auth | - | x"),
        ("<22>1 2026-11-21T07:44:14Z mx a 7 - - x: y", "2026-11-21T07:44:14.000Z | mx | a | 7 | x: y"),
        (r#"<22>1 - - a - - [s@1 k="\"]\\]"][t] x"#, "- |  | a | - | x"),
        ("<22>1 - mx a - - [open x", "- |  |  | - | - mx a - - [open x"),
        ("<9999>x: y", "- |  | <9999>x | - | y"),
        ("dovecot[9]: auth: x", "- |  | dovecot | 9 | auth: x"),
        ("dovecot: x\r\n", "- |  | dovecot | - | x"),
        ("hello there friend", "- |  |  | - | hello there friend"),
        ("Nov 21 07:44:14 <mail.notice> mx a[7]: x", "????-11-21 07:44:14.000 | mx | a | 7 | x"),
        ("Nov 21 07:44:14 mx mail.warn a[7]: x", "????-11-21 07:44:14.000 | mx | a | 7 | x"),
        ("Nov 21 07:44:14 mx mail.warning a/b: x", "????-11-21 07:44:14.000 | mx | a/b | - | x"),
        ("Nov 21 07:44:14 mx mail.warn no tag: x", "????-11-21 07:44:14.000 |  |  | - | mx mail.warn no tag: x"),
        ("Nov 21 07:44:14 mx mail.foo a[7]: x", "????-11-21 07:44:14.000 |  |  | - | mx mail.foo a[7]: x"),
        ("a-1  | Nov 21 07:44:14 mx b[7]: x", "????-11-21 07:44:14.000 | mx | b | 7 | x"),
        ("a-1  | b: x", "- |  | b | - | x"),
        ("a b  | Nov 21 07:44:14 mx b[7]: x", "- |  |  | - | a b  | Nov 21 07:44:14 mx b[7]: x"),
        ("\u{feff}Nov 21 07:44:14 mx b[7]: x", "????-11-21 07:44:14.000 | mx | b | 7 | x"),
        ("Sat 2026-11-21 07:44:14 CET mx b[7]: x", "2026-11-21 07:44:14.000 | mx | b | 7 | x"),
        ("Sat 2026-11-21 07:44:14 UTC mx b[7]: x", "2026-11-21T07:44:14.000Z | mx | b | 7 | x"),
        ("Sat 2026-11-21 07:44:14 +0100 mx b[7]: x", "2026-11-21T06:44:14.000Z | mx | b | 7 | x"),
        ("[21-Nov-2026 07:44:14 UTC] x y", "2026-11-21T07:44:14.000Z |  |  | - | x y"),
        ("[21-Nov-2026 07:44:14 Europe/Berlin] x y", "2026-11-21 07:44:14.000 |  |  | - | x y"),
        ("Nov 21 07:44:14 sogod [7]: x", "????-11-21 07:44:14.000 |  | sogod | 7 | x"),
        ("Nov 21 07:44:14 mx HORDE [error] x", "????-11-21 07:44:14.000 | mx | HORDE | - | [error] x"),
        ("Nov 21 07:44:14 mx a[7]: [ID 8 auth.info] x", "????-11-21 07:44:14.000 | mx | a | 7 | x"),
        ("Sat Nov 21 07:44:14 2026 - x", "2026-11-21 07:44:14.000 |  |  | - | - x"),
        ("Sat Nov 21 07:44:14.5 2026 [pid 7] x", "2026-11-21 07:44:14.500 |  |  | - | [pid 7] x"),
        ("Nov-21-26 07:44:14 [x] y", "2026-11-21 07:44:14.000 |  |  | - | [x] y"),
        ("2026/11/21 07:44:14 [info] x", "2026-11-21 07:44:14.000 |  |  | - | [info] x"),
        ("21.11.2026 07:44:14   smtp: x", "2026-11-21 07:44:14.000 |  | smtp | - | x"),
        ("11/21/2026 07:44:14 [x] y", "2026-11-21 07:44:14.000 |  |  | - | [x] y"),
        ("21/11/2026 07:44:14 [x] y", "2026-11-21 07:44:14.000 |  |  | - | [x] y"),
        ("1795247054.125 mx a: x", "2026-11-21T07:44:14.125Z | mx | a | - | x"),
        ("17952470541 mx a: x", "- |  |  | - | 17952470541 mx a: x"),
        ("[21-Nov-2026 07:44:14 +0100]: <s> x", "2026-11-21T06:44:14.000Z |  |  | - | <s> x"),
        ("[21/Nov/2026 07:44:14] x y", "2026-11-21 07:44:14.000 |  |  | - | x y"),
        ("[21/Nov/2026:07:44:14 +0100] x y", "2026-11-21T06:44:14.000Z |  |  | - | x y"),
        ("[Sat Nov 21 07:44:14 2026] [x] y", "2026-11-21 07:44:14.000 |  |  | - | [x] y"),
        ("[2026-11-21 07:44:14,112] x y", "2026-11-21 07:44:14.112 |  |  | - | x y"),
        ("[28325:00010-3735] 21.11.2026 07:44:14   x y", "2026-11-21 07:44:14.000 |  |  | - | x y"),
        ("[28325] x y", "- |  |  | - | [28325] x y"),
        (
            r#"<co ts="2026-11-21T07:44:14.94" x"#,
            r#"2026-11-21 07:44:14.940 |  |  | - | <co ts="2026-11-21T07:44:14.94" x"#,
        ),
        (
            "type=USER_AUTH msg=audit(1795247054.125:7): x",
            "2026-11-21T07:44:14.125Z |  |  | - | type=USER_AUTH msg=audit(1795247054.125:7): x",
        ),
        (
            "\"SMTPD\"\t7\t8\t\"2026-11-21 07:44:14.125\"\t\"x\"",
            "2026-11-21 07:44:14.125 |  |  | - | \"SMTPD\"\t7\t8\t\"2026-11-21 07:44:14.125\"\t\"x\"",
        ),
        ("Nov 21 07:44:14", "????-11-21 07:44:14.000 |  |  | - | "),
        ("Nov 21 07:44:14x mx a: x", "- |  |  | - | Nov 21 07:44:14x mx a: x"),
        ("Foo 21 07:44:14 mx a: x", "- |  |  | - | Foo 21 07:44:14 mx a: x"),
        ("2026-13-21T07:44:14Z mx a: x", "- |  |  | - | 2026-13-21T07:44:14Z mx a: x"),
        ("", "- |  |  | - | "),
        (": x", "- |  |  | - | : x"),
        ("a[x]: y", "- |  |  | - | a[x]: y"),
    ];
    for (line, wanted) in cases {
        assert_eq!(shown(line), wanted, "{line}");
    }
}

const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

fn at(text: &str) -> Timestamp {
    match read(&format!("{text} a: x")).time {
        Stamp::Moment(moment) => moment,
        other @ (Stamp::Missing | Stamp::Wall(_)) => panic!("{text} is {other:?}"),
    }
}

#[test]
fn years_and_zones() {
    let cases = [
        // Stamp, arrival, moment.
        ("Nov 21 07:44:14", "2026-11-21T06:44:15Z", "2026-11-21T06:44:14.000Z"),
        ("Jul  1 12:00:00", "2026-11-21T06:44:15Z", "2026-07-01T10:00:00.000Z"),
        ("Nov 23 07:44:14", "2026-11-21T06:44:15Z", "2025-11-23T06:44:14.000Z"),
        ("Dec 31 23:59:59", "2026-12-31T23:00:01Z", "2026-12-31T22:59:59.000Z"),
        ("Dec 31 23:59:59", "2027-01-01T12:00:00Z", "2026-12-31T22:59:59.000Z"),
        ("Jan  1 00:00:00", "2026-12-31T22:59:59Z", "2026-12-31T23:00:00.000Z"),
        ("Jan  1 00:00:02", "2026-12-31T22:00:00Z", "2026-12-31T23:00:02.000Z"),
        ("Feb 29 12:00:00", "2028-03-01T12:00:00Z", "2028-02-29T11:00:00.000Z"),
        ("Feb 29 12:00:00", "2027-06-01T12:00:00Z", "2024-02-29T11:00:00.000Z"),
        ("Feb 29 12:00:00", "2103-06-01T12:00:00Z", "2096-02-29T11:00:00.000Z"),
        ("2026-02-28 23:00:00", "2026-11-21T06:44:15Z", "2026-02-28T22:00:00.000Z"),
        // Clocks go forward at 02:00 to 03:00: half past two comes from one that did not.
        ("2026-03-29 01:59:59", "2026-11-21T06:44:15Z", "2026-03-29T00:59:59.000Z"),
        ("2026-03-29 02:30:00", "2026-11-21T06:44:15Z", "2026-03-29T01:30:00.000Z"),
        ("2026-03-29 03:00:00", "2026-11-21T06:44:15Z", "2026-03-29T01:00:00.000Z"),
        // Clocks go back at 03:00 to 02:00: half past two comes twice.
        ("2026-10-25 02:30:00", "2026-10-25T00:30:01Z", "2026-10-25T00:30:00.000Z"),
        ("2026-10-25 02:30:00", "2026-10-25T01:30:01Z", "2026-10-25T01:30:00.000Z"),
        ("2026-10-25 02:30:00", "2026-11-21T06:44:15Z", "2026-10-25T00:30:00.000Z"),
        ("2026-10-25 03:00:00", "2026-11-21T06:44:15Z", "2026-10-25T02:00:00.000Z"),
    ];
    for (stamp, arrival, wanted) in cases {
        let mut clock = Clock::new(TimeZone::posix(BERLIN).unwrap());
        let time = read(&format!("{stamp} mx a: x")).time;
        let got = clock.resolve(time, at(arrival)).map(|moment| moment.to_string());
        assert_eq!(got.as_deref(), Some(wanted), "{stamp} read at {arrival}");
    }
    let mut clock = Clock::new(TimeZone::UTC);
    for stamp in ["2026-02-30 12:00:00", "1969-12-31 12:00:00", "Feb 30 12:00:00"] {
        assert_eq!(clock.resolve(read(&format!("{stamp} a: x")).time, at("2026-11-21T06:44:15Z")), None, "{stamp}");
    }
}

#[test]
fn a_backlog_through_the_autumn_night_goes_forward() {
    let mut clock = Clock::new(TimeZone::posix(BERLIN).unwrap());
    let arrival = at("2026-11-21T06:44:15Z");
    let mut last = Timestamp::EPOCH;
    for minute in (0..180).step_by(10) {
        // 01:00 to 02:50 summer time, then 02:00 to 02:50 winter time.
        let shown = if minute < 120 { 60 + minute } else { minute };
        let line = format!("Oct 25 {:02}:{:02}:00 mx a: x", shown / 60, shown % 60);
        let moment = clock.resolve(read(&line).time, arrival).unwrap();
        assert!(moment > last, "{line} is {moment} after {last}");
        last = moment;
    }
    assert_eq!(last.to_string(), "2026-10-25T01:50:00.000Z");
}

#[test]
fn the_same_second_a_year_later_is_another() {
    let mut clock = Clock::new(TimeZone::UTC);
    let stamp = read("Nov 21 07:44:14.250 mx a: x").time;
    for (arrival, wanted) in
        [("2026-11-21T07:44:14Z", "2026-11-21T07:44:14.250Z"), ("2027-11-21T07:44:14Z", "2027-11-21T07:44:14.250Z")]
    {
        assert_eq!(clock.resolve(stamp, at(arrival)).unwrap().to_string(), wanted);
    }
}

#[test]
fn arrivals() {
    let now = Timestamp::from_secs(1000);
    let cases = [
        (None, 1000),
        (Some(1000), 1000),
        (Some(998), 1000),
        (Some(997), 997),
        (Some(0), 0),
        (Some(1001), 1000),
        (Some(9000), 1000),
    ];
    for (stamp, wanted) in cases {
        assert_eq!(arrival(now, stamp.map(Timestamp::from_secs)), Timestamp::from_secs(wanted), "{stamp:?}");
    }
}

proptest::proptest! {
    /// What is remembered of the line before changes nothing.
    #[test]
    fn a_line_is_taken_apart_as_if_it_were_the_first(
        lines in proptest::collection::vec(
            (
                proptest::prop_oneof![
                    "Nov 21 0[67]:[0-6]4:[0-6][0-5]([.,][0-9]{1,4})? mx ",
                    "2026-11-21T0[67]:[0-6]4:[0-6][0-5](\\.[0-9]{1,4})?(Z|\\+01:00| \\+0100|:|7)? mx ",
                    "1970-01-01T0[012]:0[01]:00(\\.[0-9]{3})?\\+01:00 mx ",
                    proptest::sample::select(vec![
                    "Nov 21 07:44:14 mx ", "Nov 21 07:44:15 mx ", "Nov 21 07:44:14 mxa ", "Nov 21 07:44:14  mx ", "Nov 21 07:44:14 ",
                    "2026-11-21T07:44:14Z mx ", "2026-11-21 07:44:14 mx  ", "<22>Nov 21 07:44:14 mx ", "1795247054 mx ",
                    "Apr-07-13 07:14:36 mx ", "mx ", "Nov 21 07:44:14 <mail.info> mx ", "<22>1 2026-11-21T07:44:14Z mx ",
                    ]).prop_map(str::to_owned),
                ],
                "\t?(a\\[7\\]: |a\\(|\\[7\\]: |a: | b: |:a |a b: |a 7 - - )?[ a:\\[\\](]{0,6}",
            ),
            1..8,
        ),
    ) {
        let mut before = Before::default();
        for (head, tail) in lines {
            let line = format!("{head}{tail}");
            let line = line.as_bytes();
            let parts = Parts { turn: 0, ..split(line, &mut before) };
            proptest::prop_assert_eq!(parts, split(line, &mut Before::default()));
        }
    }
}

//! Submissions and what is taken of them.

use std::time::Duration;

use base::Timestamp;
use proptest::prelude::*;

use super::{Desk, Fault, KeyHash, REPORTS_MAX, Reporter, SUBMISSION_BYTES_MAX, Submission, arf, form, json};

/// `KEY: KIND ADDRESS SERVICE LOGIN TIME + …`, or the fault.
fn shown(result: Result<Submission, Fault>) -> String {
    let submission = match result {
        Ok(submission) => submission,
        Err(fault) => return fault.to_string(),
    };
    let reports = submission.reports.iter().map(|r| {
        let time = r.time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        format!("{} {} {} {} {time}", r.kind, r.address, r.service, r.login.as_deref().unwrap_or("-"))
    });
    format!("{}: {}", submission.key.as_deref().unwrap_or("-"), reports.collect::<Vec<_>>().join(" + "))
}

#[test]
fn our_own_json() {
    let cases = [
        (r#"{"reports":[{"address":"198.51.100.7"}]}"#, "-: login-failed 198.51.100.7 report - -"),
        (
            r#"{"reports":[{"kind":"spam-seen","address":"::ffff:198.51.100.7","service":"SMTP","login":"a","time":"2026-11-21T07:44:14Z"},{"address":"2001:db8::1"}]}"#,
            "-: spam-seen 198.51.100.7 smtp a 2026-11-21T07:44:14.000Z + login-failed 2001:db8::1 report - -",
        ),
        (r#"{"reports":[]}"#, "-: "),
        (r#"{"reports":[{"address":"198.51.100.7"},{"address":"x"}]}"#, "reports[1].address: no address"),
        (r#"{"reports":[{"address":7}]}"#, "reports[0].address: no address"),
        (r#"{"reports":[{"address":"198.51.100.7","kind":"guess"}]}"#, "reports[0].kind: no such event"),
        (
            r#"{"reports":[{"address":"198.51.100.7","kind":"login-ok"}]}"#,
            "reports[0].kind: successes are not taken from others",
        ),
        ("{\n  \"reports\": x}", "line 2 column 14: no JSON"),
        ("[]", "reports: an array is wanted"),
        (r#"{"reports":[],"reports":[{"address":"198.51.100.7"}]}"#, "line 1 column 53: a key stands twice"),
        (
            r#"{"reports":[{"address":"198.51.100.7","address":"198.51.100.8"}]}"#,
            "line 1 column 63: a key stands twice",
        ),
        (r#"{"reports":[],"x":{"y":[{"z":1.5,"z":null}]}}"#, "line 1 column 42: a key stands twice"),
        (r#"{"reports":[],"x":[-1,2,1.5,true,null,"\u00e9",{}]}"#, "-: "),
    ];
    for (body, wanted) in cases {
        assert_eq!(shown(json(body.as_bytes())), wanted, "{body}");
    }
    let many = format!("{{\"reports\":[{}{{}}]}}", "{},".repeat(REPORTS_MAX));
    assert_eq!(shown(json(many.as_bytes())), "reports: more than 1000");
    assert!(shown(json(&vec![b' '; SUBMISSION_BYTES_MAX + 1])).starts_with("body: more than"));
    assert!(json("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn the_form_of_fail2ban_and_blocklist_de() {
    let cases = [
        (
            "server=a%40example.org&apikey=0123456789abcdef&service=dovecot&ip=198.51.100.7&logs=ip%3D192.0.2.1%26ip=192.0.2.2&format=text",
            "0123456789abcdef: login-failed 198.51.100.7 dovecot - -",
        ),
        ("ip=2001%3adb8%3A%3a1&service=%3Cb%3E+x", "-: login-failed 2001:db8::1 bx - -"),
        ("%69p=198.51.100.7", "-: login-failed 198.51.100.7 report - -"),
        ("logs=ip=192.0.2.1", "ip: no address"),
        ("ip=198.51.100.7%0a", "ip: no address"),
        ("ip=%", "ip: no address"),
        ("", "ip: no address"),
    ];
    for (body, wanted) in cases {
        assert_eq!(shown(form(body.as_bytes())), wanted, "{body}");
    }
}

const MAIL: &str = "From: fail2ban@example.org\r\nSubject: abuse report about 198.51.100.7\r\nX-XARF: PLAIN\r\n\
    Content-Type: multipart/mixed; boundary=Abuse-b\r\n\r\n--Abuse-b\r\nContent-Type: text/plain; charset=utf-8;\r\n\r\n\
    Dear Sir, the Source: of this is not 192.0.2.1\r\n\r\n--Abuse-b\r\nContent-Type: text/plain; charset=utf-8; name=report.txt;\r\n\r\n\
    ---\r\nReported-From: fail2ban@example.org\r\nCategory: abuse\r\nReport-ID: 1@mx\r\nReport-Type: login-attack\r\nService: ssh\r\n\
    Version: 0.2\r\nUser-Agent: Fail2ban v0.9\r\nDate: Sat, 21 Nov 2026 07:44:14 +0000\r\nSource-Type: ip-address\r\n\
    Source: 198.51.100.7\r\nPort: 22\r\n\r\n--Abuse-b\r\nContent-Type: text/plain; name=logfile.log\r\n\r\nReport-Type: login-attack\r\nSource: 192.0.2.1\r\n--Abuse-b--\r\n";

#[test]
fn x_arf_mail() {
    let cases = [
        (MAIL.to_owned(), "-: login-failed 198.51.100.7 ssh - -"),
        (MAIL.replace("\r\n", "\n"), "-: login-failed 198.51.100.7 ssh - -"),
        (MAIL.replacen("Report-Type: login-attack", "Report-Type: phishing", 1), "Report-Type: not one that is taken"),
        (MAIL.replacen("Source: 198.51.100.7", "Source: host.example.org", 1), "Source: no address"),
        ("hello".to_owned(), "Report-Type: no part of the mail is a report"),
    ];
    for (mail, wanted) in cases {
        assert_eq!(shown(arf(mail.as_bytes())), wanted, "{mail}");
    }
}

#[test]
fn reporters_have_keys_and_days() {
    let key = "0123456789abcdef";
    let hash = KeyHash::of(key).unwrap();
    assert_eq!(hash.to_string().parse(), Ok(hash));
    assert!(
        KeyHash::of("short").is_none() && "x".parse::<KeyHash>().is_err() && "é".repeat(32).parse::<KeyHash>().is_err()
    );
    let reporter = Reporter { name: "mx2".into(), key: hash, daily_cap: 10 };
    let mut desk = Desk::new([reporter.clone()]);
    let day = |days: u64| Timestamp::from_secs(days * 86_400 + 5);
    assert_eq!((desk.whose("0123456789abcdeF"), desk.whose("")), (None, None));
    let who = desk.whose(key).unwrap();
    assert_eq!(desk.reporter(who), &reporter);
    let mut take = |now, first: u32, count: u32| {
        let ids = (first..first + count).map(|id| format!("{{\"address\":\"192.0.2.1\",\"id\":\"{id}\"}}"));
        let body = format!("{{\"reports\":[{}]}}", ids.collect::<Vec<_>>().join(","));
        let taken = desk.take(now, who, &json(body.as_bytes()).unwrap().reports, body.as_bytes()).unwrap();
        (taken.new.len(), taken.known, taken.over)
    };
    assert_eq!(take(day(1), 0, 7), (7, 0, 0));
    assert_eq!(take(day(1), 0, 7), (0, 7, 0), "sent again");
    assert_eq!(take(day(1), 5, 7), (3, 2, 2), "what was known is no part of the day's number");
    assert_eq!(take(day(1), 12, 1), (0, 0, 1));
    assert_eq!(take(day(2), 5, 7), (2, 5, 0), "the rest on the next day");
    let (_, tally) = desk.tallies(day(2)).next().unwrap();
    assert_eq!((tally.today, tally.taken, tally.known, tally.over), (2, 12, 14, 3));
    assert_eq!(desk.tallies(day(3)).next().unwrap().1.today, 0);
    let shown = format!("{desk:?}");
    assert!(!shown.contains(key) && !shown.contains(&hash.to_string()));
}

#[test]
fn a_report_is_the_same_when_it_says_the_same() {
    let now = Timestamp::from_secs(1_795_000_000);
    let reporter =
        |name: &str, key: &str| Reporter { name: name.into(), key: KeyHash::of(key).unwrap(), daily_cap: 99 };
    let mut desk = Desk::new([reporter("a", "0123456789abcdef"), reporter("b", "0123456789abcdeg")]);
    let [a, b] = ["0123456789abcdef", "0123456789abcdeg"].map(|key| desk.whose(key).unwrap());
    let time = now.minus(Duration::from_mins(1)).to_string();
    let (timed, bare) = (format!(r#"{{"address":"192.0.2.1","time":"{time}"}}"#), r#"{"address":"192.0.2.1"}"#);
    let other = timed.replace("192.0.2.1", "192.0.2.2");
    // Who sends which reports, and how many of them are new.
    let sent = [
        (a, vec![&*timed], 1),
        (a, vec![&*timed], 0),
        (a, vec![&*other, &*timed], 1),
        (a, vec![&*timed, &*timed], 1),
        (b, vec![&*timed], 1),
        (a, vec![bare], 1),
        (a, vec![bare], 0),
        (a, vec![bare, bare], 2),
        (a, vec![r#"{"address":"192.0.2.1","id":"7"}"#, r#"{"address":"192.0.2.9","id":"7"}"#], 1),
    ];
    for (at, (who, reports, wanted)) in sent.into_iter().enumerate() {
        let body = format!("{{\"reports\":[{}]}}", reports.join(","));
        let taken = desk.take(now, who, &json(body.as_bytes()).unwrap().reports, body.as_bytes()).unwrap();
        assert_eq!(taken.new.len(), wanted, "{at}: {body}");
        for (_, id) in taken.new {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
    for (seconds, wanted) in
        [(-172_801_i64, "reports[0].time: more than two days ago"), (3601, "reports[0].time: more than an")]
    {
        let time = Timestamp::from_secs((now.as_millis() / 1000).saturating_add_signed(seconds));
        let body = format!(r#"{{"reports":[{{"address":"192.0.2.1","time":"{time}"}}]}}"#);
        let fault = desk.take(now, a, &json(body.as_bytes()).unwrap().reports, b"").unwrap_err().to_string();
        assert!(fault.starts_with(wanted), "{fault}");
    }
}

#[test]
fn what_was_taken_before_a_restart_is_known() {
    let now = Timestamp::from_secs(1_795_000_000);
    let reporter = Reporter { name: "a".into(), key: KeyHash::of("0123456789abcdef").unwrap(), daily_cap: 2 };
    let body = br#"{"reports":[{"address":"192.0.2.1"},{"address":"192.0.2.2"},{"address":"192.0.2.3"}]}"#;
    let reports = json(body).unwrap().reports;
    let mut before = Desk::new([reporter.clone()]);
    let who = before.whose("0123456789abcdef").unwrap();
    let taken = before.take(now, who, &reports, body).unwrap();
    assert_eq!((taken.new.len(), taken.over), (2, 1));
    let mut after = Desk::new([reporter]);
    taken.new.iter().for_each(|(_, id)| after.restore(now, "a", *id, now));
    let again = after.take(now, who, &reports, body).unwrap();
    assert_eq!((again.new.len(), again.known, again.over), (0, 2, 1));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop((json(&bytes), form(&bytes), arf(&bytes)));
    }
}

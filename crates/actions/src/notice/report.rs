//! Reports of abuse for those who run the network that an address belongs to, as ARF (RFC 5965) and X-ARF version 4.
//!
//! A report is about one address, and holds nothing about the users here: neither logins nor recipients.

use core::fmt::Write;

use base::{Maker, Subject, Timestamp, base64};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::letter::{head, line, short};
use super::{Notice, Sender, What, hex};

/// Who reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reporter {
    /// The node's name, as the mail server that saw it.
    pub node: String,
    /// The organisation.
    pub org: String,
    /// The address of its abuse desk.
    pub contact: String,
    /// Which rules count attempts to log in, by their id: only those are attacks on logins.
    pub login_rules: Vec<bool>,
}

impl Reporter {
    /// Whether the notice can be reported: a rule listed a single address, and counted attempts to log in. Of what else
    /// happened not all is known that the forms want, such as the client's port.
    pub fn can_report(&self, notice: &Notice) -> bool {
        let is_party = match &notice.listing.subject {
            Subject::Network(network) => network.length() >= base::Address::new(network.base()).aggregate().length(),
            Subject::Login(_) => false,
        };
        let is_login_rule = match &notice.listing.maker {
            Maker::Rule(rule) => self.login_rules.get(usize::from(rule.0)).copied().unwrap_or(false),
            Maker::Person { .. } => false,
        };
        notice.what == What::Listed && is_party && is_login_rule
    }
}

/// The text between the parts of a report; no line of theirs begins so.
fn boundary(notice: &Notice) -> String {
    format!("=_ratter_{}", short(&notice.id()))
}

/// What a person reads.
fn sentence(notice: &Notice) -> String {
    let evidence = notice.listing.evidence;
    format!(
        "{} tried to log in to accounts here {} times from {} to {}, with wrong passwords.",
        source(notice),
        evidence.count,
        evidence.first,
        evidence.last
    )
}

/// The address; of a party of IPv6 its network.
fn source(notice: &Notice) -> String {
    notice.listing.subject.to_string()
}

/// The address alone, where a form wants no network.
fn source_ip(notice: &Notice) -> String {
    source(notice).split('/').next().unwrap_or_default().to_owned()
}

/// A report as a mail with a part for people, `message/feedback-report`, and one for what was received, of which nothing is
/// kept but that it was no message.
pub fn arf(sender: &Sender, reporter: &Reporter, notice: &Notice, now: Timestamp) -> String {
    let evidence = notice.listing.evidence;
    let mut report = String::new();
    line(&mut report, format_args!("Feedback-Type: abuse"));
    line(&mut report, format_args!("User-Agent: Ratter/{}", env!("CARGO_PKG_VERSION")));
    line(&mut report, format_args!("Version: 1"));
    line(&mut report, format_args!("Source-IP: {}", source_ip(notice)));
    line(&mut report, format_args!("Arrival-Date: {}", super::letter::date(evidence.last)));
    line(&mut report, format_args!("Incidents: {}", evidence.count.max(1)));
    line(&mut report, format_args!("Reporting-MTA: dns; {}", reporter.node));
    let headers = format!("X-Attack: login\r\nX-Source: {}\r\n", source(notice));
    let parts = [
        ("text/plain; charset=us-ascii", sentence(notice) + "\r\n"),
        ("message/feedback-report", report),
        ("text/rfc822-headers", headers),
    ];
    multipart(sender, notice, "multipart/report; report-type=feedback-report", &parts, now)
}

/// A report of X-ARF version 4: `connection/login_attack`. It has the same id whenever it is made again.
pub fn xarf(reporter: &Reporter, notice: &Notice) -> Value {
    let evidence = notice.listing.evidence;
    let domain = reporter.contact.rsplit_once('@').map_or("", |(_, domain)| domain);
    let who = json!({ "org": reporter.org, "contact": reporter.contact, "domain": domain });
    let text = sentence(notice);
    json!({
        "xarf_version": "4.0.0",
        "report_id": uuid(&notice.id()),
        "timestamp": evidence.last.to_string(),
        "reporter": who,
        "sender": who,
        "source_identifier": source_ip(notice),
        "category": "connection",
        "type": "login_attack",
        "evidence_source": "automated_filter",
        "protocol": "tcp",
        "first_seen": evidence.first.to_string(),
        "last_seen": evidence.last.to_string(),
        "description": text,
        "evidence": [{
            "content_type": "text/plain",
            "description": "what the server counted",
            "payload": base64::encode(text.as_bytes()),
            "hash": format!("sha256:{}", hex(&Sha256::digest(text.as_bytes()))),
        }],
    })
}

/// The same as a mail: a part for people, one for those who know ARF only, and the report itself.
pub fn xarf_mail(sender: &Sender, reporter: &Reporter, notice: &Notice, now: Timestamp) -> String {
    let report = format!("{:#}", xarf(reporter, notice)).replace('\n', "\r\n") + "\r\n";
    let feedback = format!(
        "Feedback-Type: xarf\r\nUser-Agent: Ratter/{}\r\nVersion: 1\r\nSource-IP: {}\r\n",
        env!("CARGO_PKG_VERSION"),
        source_ip(notice)
    );
    let parts = [
        ("text/plain; charset=us-ascii", sentence(notice) + "\r\n"),
        ("message/feedback-report", feedback),
        ("application/json; name=\"xarf.json\"", report),
    ];
    multipart(sender, notice, "multipart/report; report-type=feedback-report", &parts, now)
}

fn multipart(sender: &Sender, notice: &Notice, kind: &str, parts: &[(&str, String)], now: Timestamp) -> String {
    let subject = format!("abuse report about {} - {}", source(notice), notice.listing.evidence.last);
    let boundary = boundary(notice);
    let mut out = head(sender, &subject, now, None, core::slice::from_ref(notice));
    line(&mut out, format_args!("X-XARF: PLAIN"));
    line(&mut out, format_args!("MIME-Version: 1.0"));
    line(&mut out, format_args!("Content-Type: {kind};\r\n boundary=\"{boundary}\""));
    for (part_kind, body) in parts {
        // The JSON is ASCII as serde_json writes it only if nobody's name is not; escapes say the same.
        let done = write!(out, "\r\n--{boundary}\r\nContent-Type: {part_kind}\r\n\r\n{}", escaped(body));
        debug_assert!(done.is_ok(), "a String takes all");
    }
    line(&mut out, format_args!("\r\n--{boundary}--"));
    out
}

/// ASCII alone: what is beyond it as JSON's escapes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let done = write!(out, "\\u{unit:04x}");
                debug_assert!(done.is_ok(), "a String takes all");
            }
        }
    }
    out
}

/// A UUID of version 4's form (RFC 9562) from the first 128 bits of a hexadecimal id.
fn uuid(id: &str) -> String {
    let digit = |at: usize| id.as_bytes().get(at).copied().map_or('0', char::from);
    let variant = match digit(16) {
        '0' | '4' | '8' | 'c' => '8',
        '1' | '5' | '9' | 'd' => '9',
        '2' | '6' | 'a' | 'e' => 'a',
        _ => 'b',
    };
    let text: String = (0..32)
        .map(|at| match at {
            12 => '4',
            16 => variant,
            at => digit(at),
        })
        .collect();
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use base::RuleId;

    use super::*;
    use crate::notice::tests::{BEGIN, notice};

    fn reporter() -> Reporter {
        let (org, contact) = ("Example Örg".into(), "abuse@example.org".into());
        Reporter { node: "mx1.example.org".into(), org, contact, login_rules: vec![true, false] }
    }

    fn sender() -> Sender {
        Sender { node: "mx1".into(), from: "ratter@example.org".into(), to: vec!["abuse@example.net".into()] }
    }

    #[test]
    fn uuids() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(uuid(id), "01234567-89ab-4def-8123-456789abcdef");
    }

    #[test]
    fn only_attacks_on_logins_by_single_addresses_are_reported() {
        let with_rule = |subject: &str, rule: u16| {
            let mut notice = notice(subject, BEGIN);
            notice.listing.maker = Maker::Rule(RuleId(rule));
            notice
        };
        assert!(reporter().can_report(&with_rule("192.0.2.1", 0)));
        assert!(reporter().can_report(&with_rule("2001:db8::/64", 0)));
        for other in [with_rule("192.0.2.1", 1), with_rule("192.0.2.0/24", 0), with_rule("login:alice", 0)] {
            assert!(!reporter().can_report(&other), "{other:?}");
        }
    }

    #[test]
    fn a_report_of_x_arf_has_what_its_schema_wants() {
        let report = xarf(&reporter(), &notice("192.0.2.1", BEGIN));
        for field in [
            "xarf_version",
            "report_id",
            "timestamp",
            "source_identifier",
            "category",
            "type",
            "protocol",
            "first_seen",
        ] {
            assert!(report[field].is_string(), "{field}");
        }
        for who in ["reporter", "sender"] {
            assert_eq!(
                report[who],
                json!({ "org": "Example Örg", "contact": "abuse@example.org", "domain": "example.org" })
            );
        }
        assert_eq!(report["source_identifier"], "192.0.2.1");
        assert_eq!(report["report_id"], xarf(&reporter(), &notice("192.0.2.1", BEGIN))["report_id"]);
    }

    #[test]
    fn mails_of_reports_are_ascii_with_three_parts() {
        let notice = notice("2001:db8::/64", BEGIN);
        for text in [arf(&sender(), &reporter(), &notice, BEGIN), xarf_mail(&sender(), &reporter(), &notice, BEGIN)] {
            assert!(text.is_ascii());
            assert_eq!(text.matches("\r\n--=_ratter_").count(), 4, "{text}");
            assert!(text.contains("Content-Type: message/feedback-report\r\n\r\nFeedback-Type: "), "{text}");
            assert!(text.contains("Source-IP: 2001:db8::\r\n"), "{text}");
        }
    }
}

//! What is posted to a web address, in the form that the program behind it takes.

use base::{Subject, Timestamp, Until};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Notice, What, hex};
use crate::Words;

/// Whose form it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preset {
    /// Ratter's own: everything, as JSON.
    Generic,
    /// Slack's incoming webhooks, which Mattermost takes too.
    Slack,
    /// `m.room.message` of Matrix; the address is the room's, with the id of the notice as the transaction.
    Matrix,
    /// ntfy's JSON, posted to the server; the topic is the last part of the address.
    Ntfy,
    /// Alertmanager's `/api/v2/alerts`: an alert that is over when the listing is.
    Alertmanager,
}

impl Preset {
    /// Their names in the configuration.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("generic", Self::Generic),
        ("slack", Self::Slack),
        ("matrix", Self::Matrix),
        ("ntfy", Self::Ntfy),
        ("alertmanager", Self::Alertmanager),
    ];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, preset)| *preset == self).map_or("generic", |(name, _)| name)
    }
}

/// The body for a notice.
pub fn body(preset: Preset, notice: &Notice, node: &str, words: &Words) -> Value {
    let listing = &notice.listing;
    let (subject, list, maker) = (listing.subject.to_string(), words.list(listing.list), words.maker(&listing.maker));
    let text = sentence(notice, node, words);
    match preset {
        Preset::Generic => {
            let evidence = listing.evidence;
            let is_login = matches!(listing.subject, Subject::Login(_));
            json!({
                "version": 1,
                "id": notice.id(),
                "node": node,
                "event": notice.verb(),
                "at": notice.at.to_string(),
                "subject": subject,
                "kind": if is_login { "login" } else { "network" },
                "list": list,
                "since": listing.since.to_string(),
                "until": end(listing.until),
                "maker": maker,
                "by": match &notice.what { What::Lifted { by } => Some(by), What::Listed | What::Ended | What::Noted { .. } => None },
                "evidence": {
                    "count": evidence.count,
                    "distinct": evidence.distinct,
                    "first": evidence.first.to_string(),
                    "last": evidence.last.to_string(),
                },
                "text": text,
            })
        }
        // Its `&`, `<` and `>` mean links and mentions, which a login must not make.
        Preset::Slack => {
            json!({ "text": text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") })
        }
        Preset::Matrix => json!({ "msgtype": "m.notice", "body": text }),
        Preset::Ntfy => {
            let (tags, priority) = match notice.what {
                What::Listed => ("no_entry", 4),
                What::Noted { .. } => ("warning", 4),
                What::Ended | What::Lifted { .. } => ("white_check_mark", 2),
            };
            json!({ "title": format!("{node}: {} {subject}", notice.verb()), "message": text, "tags": [tags], "priority": priority })
        }
        Preset::Alertmanager => {
            let ends_at = match (&notice.what, listing.until) {
                (What::Listed, Until::At(end)) => Some(end.to_string()),
                // Alertmanager ends what nobody tells again.
                (What::Listed, Until::Never) | (What::Noted { .. }, _) => None,
                (What::Ended | What::Lifted { .. }, _) => Some(notice.at.to_string()),
            };
            let name = if matches!(notice.what, What::Noted { .. }) { "RatterSuspicious" } else { "RatterListed" };
            let mut alert = json!({
                "labels": { "alertname": name, "node": node, "subject": subject, "list": list },
                "annotations": { "summary": text, "maker": maker },
                "startsAt": listing.since.to_string(),
            });
            if let (Some(fields), Some(ends_at)) = (alert.as_object_mut(), ends_at) {
                fields.insert("endsAt".to_owned(), Value::String(ends_at));
            }
            json!([alert])
        }
    }
}

/// The signature of a body that was sent at a moment: HMAC-SHA256 over `SECONDS.BODY`, in hex. Whoever checks it refuses
/// moments that are minutes old, so that nobody can send again what he overheard.
pub fn signature(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(at.as_secs().to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    hex(&mac.finalize().into_bytes())
}

fn end(until: Until) -> Option<String> {
    until.moment().map(|end| end.to_string())
}

fn sentence(notice: &Notice, node: &str, words: &Words) -> String {
    let listing = &notice.listing;
    let (subject, list) = (&listing.subject, words.list(listing.list));
    match &notice.what {
        What::Listed => {
            let until =
                end(listing.until).map_or_else(|| "until somebody lifts it".to_owned(), |end| format!("until {end}"));
            format!("{node}: {subject} is on {list} {until}, by {}", words.maker(&listing.maker))
        }
        What::Ended => format!("{node}: {subject} is no longer on {list}: its time was over"),
        What::Lifted { by } => format!("{node}: {subject} is no longer on {list}: lifted by {by}"),
        What::Noted { text } => format!("{node}: {subject} {}", text.replace('\n', "; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::tests::{BEGIN, notice};

    fn of(preset: Preset, notice: &Notice) -> Value {
        body(preset, notice, "mx1", &Words { lists: vec!["blocked".into()], rules: vec!["ten-limits".into()] })
    }

    #[test]
    fn the_signature_is_that_of_other_programs() {
        // printf '1800000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let wanted = "440dfbb83aabca24d9e5027629cfd81cb45254690f8d410bb28f1cc17c990dbc";
        assert_eq!(signature("secret", BEGIN, b"{\"a\":1}"), wanted);
    }

    #[test]
    fn each_program_gets_its_own_form() {
        let mut login = notice("login:<!channel>&x", BEGIN);
        let generic = of(Preset::Generic, &login);
        assert_eq!(
            (&generic["event"], &generic["kind"], &generic["until"]),
            (&json!("listed"), &json!("login"), &Value::Null)
        );
        assert_eq!(generic["maker"], "rule ten-limits");
        let slack = of(Preset::Slack, &login)["text"].as_str().unwrap().to_owned();
        assert!(slack.contains("login:&lt;!channel&gt;&amp;x is on blocked until somebody lifts it"), "{slack}");
        assert_eq!(of(Preset::Matrix, &login)["msgtype"], "m.notice");
        assert_eq!(of(Preset::Ntfy, &login)["priority"], 4);
        assert_eq!(of(Preset::Alertmanager, &login)[0]["endsAt"], Value::Null);
        login.what = What::Lifted { by: "eve".into() };
        assert_eq!(of(Preset::Alertmanager, &login)[0]["endsAt"], BEGIN.to_string());
        assert_eq!(of(Preset::Generic, &login)["by"], "eve");
    }
}

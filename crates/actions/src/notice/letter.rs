//! Letters as text (RFC 5322, RFC 2045): ASCII alone, so that no server on the way must be able to do more.

use core::fmt::Write;

use base::{Subject, Timestamp, Until};
use sha2::{Digest, Sha256};

use super::{Letter, Notice, What, hex};
use crate::Words;

/// Longest line of a letter, in bytes (RFC 5322 section 2.1.1 allows 998).
const LINE_BYTES_MAX: usize = 200;

/// Who writes, and to whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    /// The node, as its administrator knows it.
    pub node: String,
    /// The address in `From`; the envelope has none, so that nothing ever comes back.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

/// A letter as it is handed to a mail server, with `\r\n` at the end of each line.
pub fn compose(sender: &Sender, letter: &Letter, words: &Words, now: Timestamp) -> String {
    let Letter { notices, more, is_digest } = letter;
    let subject = match notices.as_slice() {
        [first, ..] if !is_digest => first.listing.subject.to_string(),
        _ => format!("{} notices", notices.len() + more),
    };
    let what = match notices.as_slice() {
        [only] => only.verb(),
        _ => "news",
    };
    let thread = if *is_digest { None } else { notices.first().map(|first| &first.listing.subject) };
    let mut out = head(sender, &format!("{what}: {subject}"), now, thread, notices);
    out.push_str(
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n",
    );
    for notice in notices {
        for line in tell(notice, words) {
            out.push_str(&harmless(&line));
            out.push_str("\r\n");
        }
        out.push_str("\r\n");
    }
    if *more > 0 {
        line(&mut out, format_args!("{more} more of the kind: `ratter list` shows what is in force."));
    }
    out
}

/// The fields above a letter: who, to whom, when, and what it belongs to.
pub(super) fn head(
    sender: &Sender,
    subject: &str,
    now: Timestamp,
    thread: Option<&Subject>,
    notices: &[Notice],
) -> String {
    let domain = sender.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let mut out = String::new();
    line(&mut out, format_args!("From: Ratter <{}>", sender.from));
    line(&mut out, format_args!("To: {}", sender.to.join(",\r\n ")));
    line(&mut out, format_args!("Subject: {}", harmless(&format!("[{}] {subject}", sender.node))));
    line(&mut out, format_args!("Date: {}", date(now)));
    let ids: String = notices.iter().map(Notice::id).collect();
    line(&mut out, format_args!("Message-ID: <ratter.{}.{}@{domain}>", short(&ids), now.as_millis()));
    if let Some(thread) = thread {
        // All letters about one subject answer the same one, which need not exist: readers show them together.
        let root = short(&thread.to_string());
        line(&mut out, format_args!("In-Reply-To: <ratter.{root}@{domain}>"));
        line(&mut out, format_args!("References: <ratter.{root}@{domain}>"));
    }
    // Whoever answers mail by himself shall not answer this (RFC 3834).
    out.push_str("Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\nX-Auto-Response-Suppress: All\r\n");
    out
}

/// What is told of one notice, in lines.
fn tell(notice: &Notice, words: &Words) -> Vec<String> {
    let listing = &notice.listing;
    let (subject, list) = (&listing.subject, words.list(listing.list));
    let mut lines = vec![match &notice.what {
        What::Listed => format!("{} {subject} listed on {list}", notice.at),
        What::Ended => format!("{} {subject} no longer on {list}: its time was over", notice.at),
        What::Lifted { by } => format!("{} {subject} no longer on {list}: lifted by {by}", notice.at),
        What::Noted { text } => format!("{} {subject} {}", notice.at, text.lines().next().unwrap_or_default()),
    }];
    if let What::Noted { text } = &notice.what {
        lines.extend(text.lines().skip(1).map(|line| format!("  {line}")));
        lines.extend(commands(subject));
    }
    if notice.what == What::Listed {
        lines.push(match listing.until {
            Until::At(end) => format!("  until {end}"),
            Until::Never => "  until somebody lifts it".to_owned(),
        });
        lines.push(format!("  by {}", words.maker(&listing.maker)));
        let evidence = listing.evidence;
        if evidence.count > 0 {
            lines.push(format!("  {} events from {} to {}", evidence.count, evidence.first, evidence.last));
        }
        lines.extend(commands(subject));
    }
    lines
}

/// How to look at a subject, and how to undo what was done.
fn commands(subject: &Subject) -> Vec<String> {
    match shell_word(&subject.to_string()) {
        Some(word) => vec![format!("  why:    ratter why {word}"), format!("  undo:   ratter unlist {word}")],
        None => vec!["  The login has characters that a letter cannot show: `ratter list` shows it.".to_owned()],
    }
}

/// A text as one word for a shell, whoever wrote it: an administrator copies it into his. None if a letter would change it.
fn shell_word(text: &str) -> Option<String> {
    let is_shown = text.len() <= LINE_BYTES_MAX / 2 && text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@.:/_+-".contains(c);
    if text.chars().all(is_plain) && is_shown {
        return Some(text.to_owned());
    }
    is_shown.then(|| format!("'{}'", text.replace('\'', "'\\''")))
}

/// A line of a letter.
pub(super) fn line(out: &mut String, text: core::fmt::Arguments<'_>) {
    let done = write!(out, "{text}\r\n");
    debug_assert!(done.is_ok(), "a String takes all");
}

/// Text that others may have written, as one line of ASCII that ends nothing and is not too long.
pub(super) fn harmless(text: &str) -> String {
    text.chars().take(LINE_BYTES_MAX).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// A few digits that stand for a text.
pub(super) fn short(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..10])
}

/// A moment as mails write it (RFC 5322 section 3.3), in universal time.
pub(super) fn date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    // 2026-11-21T07:44:14.120Z; the weekday follows from the days since a Thursday.
    let day = DAYS[(at.as_secs() / 86_400 % 7) as usize];
    let month = text[5..7].parse::<usize>().map_or("Jan", |month| MONTHS[(month - 1) % 12]);
    format!("{day}, {} {month} {} {} +0000", &text[8..10], &text[..4], &text[11..19])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::tests::{BEGIN, notice};

    #[test]
    fn no_shell_finds_anything_in_a_login() {
        for (login, wanted) in [
            ("login:alice@example.org", Some("login:alice@example.org")),
            ("198.51.100.0/24", Some("198.51.100.0/24")),
            ("login:$(touch${IFS}/tmp/x)", Some("'login:$(touch${IFS}/tmp/x)'")),
            ("login:x;reboot", Some("'login:x;reboot'")),
            ("login:a b", Some("'login:a b'")),
            ("login:it's", Some(r"'login:it'\''s'")),
            ("login:`id`", Some("'login:`id`'")),
            ("login:a!b", Some("'login:a!b'")),
            ("login:jürgen", None),
            ("login:a\nb", None),
        ] {
            assert_eq!(shell_word(login).as_deref(), wanted, "{login}");
        }
    }

    fn sender() -> Sender {
        Sender { node: "mx1".into(), from: "ratter@example.org".into(), to: vec!["admin@example.org".into()] }
    }

    #[test]
    fn dates_of_mails() {
        for (millis, wanted) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (1_795_247_054_120, "Sat, 21 Nov 2026 07:44:14 +0000"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 +0000"),
        ] {
            assert_eq!(date(Timestamp::from_millis(millis)), wanted);
        }
    }

    #[test]
    fn a_letter_says_what_why_and_how_to_undo_it() {
        let letter = Letter { notices: vec![notice("login:alice", BEGIN)], more: 0, is_digest: false };
        let words = Words { lists: vec!["blocked".into()], rules: vec!["ten-limits".into()] };
        let text = compose(&sender(), &letter, &words, BEGIN);
        for wanted in [
            "From: Ratter <ratter@example.org>\r\n",
            "To: admin@example.org\r\n",
            "Subject: [mx1] listed: login:alice\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "\r\n2027-01-15T08:00:00.000Z login:alice listed on blocked\r\n",
            "  until somebody lifts it\r\n  by rule ten-limits\r\n  10 events from ",
            "ratter unlist login:alice\r\n",
        ] {
            assert!(text.contains(wanted), "{wanted:?} in {text}");
        }
        let later = compose(&sender(), &letter, &words, BEGIN.plus(core::time::Duration::from_hours(1)));
        let thread = |text: &str| text.lines().find_map(|line| line.strip_prefix("References: ").map(str::to_owned));
        let id = |text: &str| text.lines().find_map(|line| line.strip_prefix("Message-ID: ").map(str::to_owned));
        assert_eq!(thread(&text), thread(&later));
        assert!(thread(&text).is_some());
        assert_ne!(id(&text), id(&later));
    }

    #[test]
    fn nothing_that_a_client_wrote_ends_a_line_or_begins_a_field() {
        let mut hostile = notice("login:x", BEGIN);
        hostile.what = What::Lifted { by: "eve\r\nBcc: all@example.org\r\n\r\n.\r\n\u{2028}\u{fc}".into() };
        let letter = Letter { notices: vec![hostile], more: 3, is_digest: true };
        let text = compose(&sender(), &letter, &Words::default(), BEGIN);
        assert!(text.is_ascii() && !text.contains("\nBcc") && !text.contains("\n.\r"), "{text}");
        assert!(text.lines().all(|line| line.len() <= LINE_BYTES_MAX));
        assert!(text.contains("Subject: [mx1] news: 4 notices\r\n") || text.contains("lifted: 4 notices"), "{text}");
    }
}

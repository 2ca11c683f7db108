//! Letters to whoever owns an account that somebody else seems to use.

use base::{Subject, Timestamp};

use super::letter::{Sender, harmless, head, line};
use super::{Letter, Notice, What};

/// Longest part before the `@`, in bytes (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;

/// The mail address of the owner whom a notice concerns: a login that is an address in one of `domains`, which are in lower case.
/// None of another login, since nobody else's mailbox may get such a letter, and none of a block that ends by itself: whoever
/// guesses passwords could have letters written to everybody, and to mailboxes that he invents.
pub fn owner_of<'a>(notice: &'a Notice, domains: &[String]) -> Option<&'a str> {
    let Subject::Login(login) = &notice.listing.subject else { return None };
    if !notice.is_urgent() {
        return None;
    }
    let (local, domain) = login.as_str().split_once('@')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_address = (1..=LOCAL_BYTES_MAX).contains(&local.len()) && local.bytes().all(is_plain);
    (is_address && domains.iter().any(|own| own == domain)).then_some(login.as_str())
}

/// The letter to the owner, with `\r\n` at the end of each line. It tells what he can do, and nothing of commands; `sender` names
/// him as the recipient.
pub fn letter_to_owner(sender: &Sender, letter: &Letter, now: Timestamp) -> String {
    let thread = letter.notices.first().map(|first| &first.listing.subject);
    let mut out = head(sender, "your account", now, thread, &letter.notices);
    out.push_str(
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n",
    );
    let account = harmless(&sender.to.join(", "));
    line(&mut out, format_args!("This is {}, the mail server of your account {account}.\r\n", harmless(&sender.node)));
    for notice in &letter.notices {
        if let What::Noted { text } = &notice.what {
            line(&mut out, format_args!("It looks as if somebody else sends mail with it since {}:", notice.at));
            for sign in text.lines().skip(1) {
                line(&mut out, format_args!("  {}", harmless(sign)));
            }
        }
    }
    if letter.notices.iter().any(|notice| notice.what == What::Listed) {
        out.push_str("The account is locked until your administrator lets it in again.\r\n");
    }
    out.push_str(
        "\r\nPlease change its password, on a device that you trust, and then tell your administrator. If all of this\r\n\
         was you yourself, tell him that.\r\n",
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::tests::{BEGIN, notice};

    fn noted(login: &str) -> Notice {
        let text = "shows signs\nfive countries\n\u{2028}Bcc: x".into();
        Notice { what: What::Noted { text }, ..notice(login, BEGIN) }
    }

    #[test]
    fn only_own_mailboxes_are_written_to() {
        let domains = ["example.org".to_owned()];
        for (login, wanted) in [
            ("login:alice@example.org", true),
            ("login:alice@example.net", false),
            ("login:alice@sub.example.org", false),
            ("login:alice", false),
            ("login:@example.org", false),
            ("login:a b@example.org", false),
            ("login:a,b@example.org", false),
            ("login:x@example.net@example.org", false),
            ("192.0.2.1", false),
        ] {
            assert_eq!(owner_of(&noted(login), &domains).is_some(), wanted, "{login}");
        }
        let ended = Notice { what: What::Ended, ..notice("login:alice@example.org", BEGIN) };
        assert_eq!(owner_of(&ended, &domains), None);
        let mut passing = notice("login:alice@example.org", BEGIN);
        assert!(owner_of(&passing, &domains).is_some());
        passing.listing.until = base::Until::At(BEGIN.plus(core::time::Duration::from_mins(10)));
        assert_eq!(owner_of(&passing, &domains), None);
    }

    #[test]
    fn the_owner_reads_what_happened_and_what_to_do() {
        let notices = vec![notice("login:alice@example.org", BEGIN), noted("login:alice@example.org")];
        let to = vec!["alice@example.org".to_owned()];
        let sender = Sender { node: "mx1".into(), from: "ratter@example.org".into(), to };
        let text = letter_to_owner(&sender, &Letter { notices, more: 0, is_digest: false }, BEGIN);
        for wanted in [
            "To: alice@example.org\r\n",
            "Subject: [mx1] your account\r\n",
            "  five countries\r\n",
            "The account is locked until",
            "Please change its password",
        ] {
            assert!(text.contains(wanted), "{wanted:?} in {text}");
        }
        assert!(text.is_ascii() && !text.contains("\nBcc") && !text.contains("ratter unlist"), "{text}");
    }
}

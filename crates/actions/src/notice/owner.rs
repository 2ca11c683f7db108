//! Letters to whoever owns an account that somebody else seems to use.

use base::{Maker, Subject, Timestamp, Until};

use super::letter::{Sender, harmless, head, line};
use super::{Letter, Notice, What};

/// Longest part before the `@`, in bytes (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;

/// What a block of a login stops that was made for what it sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// Everything: nobody is let in.
    Login,
    /// Sending; mail can be read.
    Sending,
}

/// Whose owners are written to, and of what.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Owners {
    /// The domains whose logins are mailboxes of their owners, in lower case.
    pub domains: Vec<String>,
    /// By the id of a rule, what its blocks stop if it makes them for what a login sent; none for another rule.
    pub rules: Vec<Option<Stopped>>,
}

impl Owners {
    /// The mail address of the owner whom a notice concerns: a login that is an address in one of the domains. None of another
    /// login, since nobody else's mailbox may get such a letter. None of a block that ends by itself, unless it is one for what was
    /// sent with the right password: whoever guesses passwords could have letters written to everybody, and to mailboxes that he
    /// invents.
    pub fn of<'a>(&self, notice: &'a Notice) -> Option<&'a str> {
        let Subject::Login(login) = &notice.listing.subject else { return None };
        if !notice.is_urgent() && (notice.what != What::Listed || self.stopped(notice).is_none()) {
            return None;
        }
        let (local, domain) = login.as_str().split_once('@')?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte);
        let is_address = (1..=LOCAL_BYTES_MAX).contains(&local.len()) && local.bytes().all(is_plain);
        (is_address && self.domains.iter().any(|own| own == domain)).then_some(login.as_str())
    }

    /// What the block stops that a notice tells of, if it was made for what the login sent.
    fn stopped(&self, notice: &Notice) -> Option<Stopped> {
        match notice.listing.maker {
            Maker::Rule(rule) => self.rules.get(usize::from(rule.0)).copied().flatten(),
            Maker::Person { .. } => None,
        }
    }

    /// What the owner may not do any more, and until when.
    fn verdict(&self, notice: &Notice) -> String {
        let until = match notice.listing.until {
            Until::At(end) => end.to_string(),
            Until::Never => "your administrator lets it in again".to_owned(),
        };
        match self.stopped(notice) {
            Some(Stopped::Sending) => {
                // Of signs of a thief nothing was counted; they are told beside it.
                let is_counted = notice.listing.evidence.count > 0;
                let why = if is_counted { "More was sent with it than it may send, from many places. " } else { "" };
                format!("{why}No mail can be sent\r\nwith it until {until}; its mail can be read.")
            }
            Some(Stopped::Login) | None => format!("The account is locked until {until}."),
        }
    }
}

/// The letter to the owner, with `\r\n` at the end of each line. It tells what he can do, and nothing of commands; `sender` names
/// him as the recipient.
pub fn letter_to_owner(sender: &Sender, owners: &Owners, letter: &Letter, now: Timestamp) -> String {
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
    if let Some(block) = letter.notices.iter().rfind(|notice| notice.what == What::Listed) {
        line(&mut out, format_args!("{}", owners.verdict(block)));
    }
    out.push_str(
        "\r\nPlease change its password, on a device that you trust, and then tell your administrator. If all of this\r\n\
         was you yourself, tell him that.\r\n",
    );
    out
}

#[cfg(test)]
mod tests {
    use base::RuleId;

    use super::*;
    use crate::notice::tests::{BEGIN, notice};

    fn owners() -> Owners {
        Owners { domains: vec!["example.org".to_owned()], rules: vec![None, Some(Stopped::Sending)] }
    }

    fn noted(login: &str) -> Notice {
        let text = "shows signs\nfive countries\n\u{2028}Bcc: x".into();
        Notice { what: What::Noted { text }, ..notice(login, BEGIN) }
    }

    #[test]
    fn only_own_mailboxes_are_written_to() {
        let owners = owners();
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
            assert_eq!(owners.of(&noted(login)).is_some(), wanted, "{login}");
        }
        let ended = Notice { what: What::Ended, ..notice("login:alice@example.org", BEGIN) };
        assert_eq!(owners.of(&ended), None);
        let mut passing = notice("login:alice@example.org", BEGIN);
        assert!(owners.of(&passing).is_some());
        passing.listing.until = Until::At(BEGIN.plus(core::time::Duration::from_mins(10)));
        assert_eq!(owners.of(&passing), None, "anybody can bring that about");
        passing.listing.maker = Maker::Rule(RuleId(1));
        assert!(owners.of(&passing).is_some(), "only who has the password can");
        passing.what = What::Ended;
        assert_eq!(owners.of(&passing), None);
    }

    #[test]
    fn the_owner_reads_what_happened_and_what_to_do() {
        let notices = vec![notice("login:alice@example.org", BEGIN), noted("login:alice@example.org")];
        let to = vec!["alice@example.org".to_owned()];
        let sender = Sender { node: "mx1".into(), from: "ratter@example.org".into(), to };
        let text = letter_to_owner(&sender, &owners(), &Letter { notices, more: 0, is_digest: false }, BEGIN);
        for wanted in [
            "To: alice@example.org\r\n",
            "Subject: [mx1] your account\r\n",
            "  five countries\r\n",
            "The account is locked until",
            "Please change its password",
        ] {
            assert!(text.contains(wanted), "{wanted:?} in {text}");
        }
        let mut stopped = notice("login:alice@example.org", BEGIN);
        stopped.listing.maker = Maker::Rule(RuleId(1));
        stopped.listing.until = Until::At(BEGIN.plus(core::time::Duration::from_hours(24)));
        let letter = Letter { notices: vec![stopped], more: 0, is_digest: false };
        let of_sending = letter_to_owner(&sender, &owners(), &letter, BEGIN);
        let wanted = "No mail can be sent\r\nwith it until 2027-01-16T08:00:00.000Z; its mail can be read.\r\n";
        assert!(of_sending.contains(wanted) && !of_sending.contains("locked"), "{of_sending}");
        assert!(text.is_ascii() && !text.contains("\nBcc") && !text.contains("ratter unlist"), "{text}");
    }
}

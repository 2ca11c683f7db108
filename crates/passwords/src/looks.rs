//! What is written down somewhere else, and tried from there: addresses of people and machines, and numbers of telephones.

/// What a password looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Looks {
    /// `alice@example.org`.
    MailAddress,
    /// `https://www.example.org/login`.
    WebAddress,
    /// `mail.example.org`.
    HostName,
    /// `+49 30 1234567`.
    Telephone,
}

impl Looks {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MailAddress => "a mail address",
            Self::WebAddress => "a web address",
            Self::HostName => "the name of a computer",
            Self::Telephone => "a telephone number",
        }
    }
}

/// Fewest characters beside it, such as a year behind an address, that make it worth something.
const REST_CHARS_LEAST: usize = 8;

/// Top-level names that whole words joined by dots do not end in by chance. All of two letters are countries'.
const TOP_LEVELS: &[&str] = &[
    "app",
    "arpa",
    "biz",
    "cloud",
    "com",
    "dev",
    "edu",
    "email",
    "example",
    "gov",
    "info",
    "int",
    "lan",
    "local",
    "localdomain",
    "mil",
    "net",
    "online",
    "org",
    "shop",
    "site",
    "test",
    "xyz",
];

/// Digits of telephone numbers with their prefixes (ITU-T E.164 allows 15).
const TELEPHONE_DIGITS: core::ops::RangeInclusive<usize> = 7..=15;

/// What the password looks like, if it is hardly more than that.
pub(crate) fn like(password: &str) -> Option<Looks> {
    let text = password.trim();
    if is_telephone(text) {
        return Some(Looks::Telephone);
    }
    // A year or a sign of exclamation behind it is what guessers try next.
    let core = text.trim_matches(|c: char| !c.is_alphabetic());
    if text.chars().count() - core.chars().count() >= REST_CHARS_LEAST {
        return None;
    }
    if let Some(rest) = ["http://", "https://", "ftp://", "www."].iter().find_map(|scheme| strip(core, scheme)) {
        let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
        return labels(host).is_some().then_some(Looks::WebAddress);
    }
    let core = strip(core, "mailto:").unwrap_or(core);
    match core.split_once('@') {
        Some((local, domain)) => (is_local(local) && labels(domain).is_some()).then_some(Looks::MailAddress),
        None => labels(core)
            .is_some_and(|top| top.len() == 2 || TOP_LEVELS.contains(&&*top.to_lowercase()))
            .then_some(Looks::HostName),
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (front, rest) = text.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn is_local(local: &str) -> bool {
    !local.is_empty() && local.chars().all(|c| c.is_alphanumeric() || "._+-".contains(c))
}

/// The top-level name of a host name of two labels at least. One in which both cases stand is none that anybody writes, except for
/// a first letter.
fn labels(host: &str) -> Option<&str> {
    let (rest, top) = host.rsplit_once('.')?;
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let tail: String = host.chars().skip(1).collect();
    let is_one_case = tail == tail.to_lowercase() || host == host.to_uppercase();
    let is_top = top.chars().count() >= 2 && top.chars().all(char::is_alphabetic);
    (is_top && is_one_case && rest.split('.').all(is_label)).then_some(top)
}

/// Digits that begin as numbers of telephones do when they are dialled from elsewhere, or stand in groups of 3, 3 and 4.
fn is_telephone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_dialled = text.starts_with(['+', '0']) || text.starts_with("(0") || text.starts_with("(+");
    let groups = text.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|length| *length > 0);
    let is_american = groups.eq([3, 3, 4]);
    TELEPHONE_DIGITS.contains(&digits)
        && (is_dialled || is_american)
        && text.chars().all(|c| c.is_ascii_digit() || " +-()./".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_are_seen_and_others_are_not() {
        let cases = [
            ("alice@example.org", Some(Looks::MailAddress)),
            ("Alice.Smith+mail@mail.example.co.uk", Some(Looks::MailAddress)),
            ("ALICE@EXAMPLE.ORG", Some(Looks::MailAddress)),
            ("alice@example.org2026!", Some(Looks::MailAddress)),
            ("mailto:alice@example.org", Some(Looks::MailAddress)),
            ("müller@straße.example", Some(Looks::MailAddress)),
            ("https://www.example.org/login?next=1", Some(Looks::WebAddress)),
            ("HTTP://example.org:8080", Some(Looks::WebAddress)),
            ("www.example.museum", Some(Looks::WebAddress)),
            ("mail.example.org", Some(Looks::HostName)),
            ("@example.org/", Some(Looks::HostName)),
            ("Mail-1.example.de!!", Some(Looks::HostName)),
            ("+49 30 1234567", Some(Looks::Telephone)),
            ("0049-30-1234567", Some(Looks::Telephone)),
            ("(030) 123456789", Some(Looks::Telephone)),
            ("555-867-5309", Some(Looks::Telephone)),
            ("(555) 867.5309", Some(Looks::Telephone)),
            // Words with dots between them, and what nobody has written down.
            ("zebra.lamp.orbit.quiz", None),
            ("tavern@quilt mango", None),
            ("xK7q@Zt3L.pqRw", None),
            ("mail.Vq7-mLx2.Rp", None),
            ("alice@example.org 7391 8264", None),
            ("7391-8264-5038-1", None),
            ("+49 30 1234567890123456", None),
            ("00112233445566778899", None),
            ("blue@", None),
            ("", None),
        ];
        for (password, looks) in cases {
            assert_eq!(like(password), looks, "{password}");
        }
    }
}

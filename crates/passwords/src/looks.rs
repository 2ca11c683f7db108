//! What is written down somewhere else, and tried from there: addresses of people and machines, and numbers of telephones.

use core::ops::RangeInclusive;

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

/// What most addresses end in. Any other ending is as likely the last word of a passphrase with dots in it.
const ENDINGS: &str = "ae app ar at au be bg biz br ca ch cl cloud cn co com cz de dev dk edu ee es eu example fi fr gov gr hk hr hu \
    ie il in info int io is it jp kr lan li local localdomain lt lu lv me mil mx net nl no nz online org pl pt ro \
    rs ru se sg shop si sk test tr tv tw ua uk us xyz za";

/// What belongs to the ending if it stands before a country's: `co.uk`.
const SECOND_LEVELS: &str = "ac co com edu gov gv net or org";

/// Most labels of a host name before its ending, as in `mail.example.org`: more of them are words with dots between them.
const LABELS_MOST: usize = 2;

/// Most words in a host name before its ending, and in what stands before an `@`: four make a passphrase.
const WORDS_MOST: usize = 3;

/// Most letters of a word. Beyond that it is several without anything between them.
const LETTERS_MOST: usize = 20;

/// Most digits behind a word: those of a date of birth.
const DIGITS_MOST: usize = 6;

/// Most characters behind the host of a web address. Beyond that they are what is worth something.
const PATH_CHARS_MOST: usize = 20;

/// Digits of telephone numbers with the prefix of a country (ITU-T E.164 allows 15).
const INTERNATIONAL_DIGITS: RangeInclusive<usize> = 7..=15;

/// Digits of those without one: 12 have the longest that people are given, such as `0176 12345678`.
const NATIONAL_DIGITS: RangeInclusive<usize> = 7..=12;

/// Digits of an area code with the 0 before it.
const AREA_DIGITS: RangeInclusive<usize> = 2..=6;

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
    let behind_scheme = ["http://", "https://", "ftp://"].iter().find_map(|scheme| strip(core, scheme));
    let behind_www = strip(behind_scheme.unwrap_or(core), "www.");
    if let Some(rest) = behind_www.or(behind_scheme) {
        let (host, path) = rest.split_at(rest.find(['/', ':', '?', '#']).unwrap_or(rest.len()));
        return (is_host(host) && path.chars().count() <= PATH_CHARS_MOST).then_some(Looks::WebAddress);
    }
    let core = strip(core, "mailto:").unwrap_or(core);
    match core.split_once('@') {
        Some((local, domain)) => {
            (are_few_words(local, &['.', '_', '+', '-']) && is_host(domain)).then_some(Looks::MailAddress)
        }
        None => is_host(core).then_some(Looks::HostName),
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (front, rest) = text.split_at_checked(prefix.len())?;
    front.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Whether it is a short host name with an ending that most have.
fn is_host(host: &str) -> bool {
    let Some((rest, top)) = host.rsplit_once('.') else { return false };
    let second = rest.rsplit_once('.').filter(|(_, second)| top.len() == 2 && is_one_of(second, SECOND_LEVELS));
    let rest = second.map_or(rest, |(rest, _)| rest);
    is_one_of(top, ENDINGS) && rest.split('.').count() <= LABELS_MOST && are_few_words(rest, &['.', '-'])
}

fn is_one_of(label: &str, known: &str) -> bool {
    known.split(' ').any(|known| known.eq_ignore_ascii_case(label))
}

fn are_few_words(text: &str, joints: &[char]) -> bool {
    let words = text.split(joints);
    words.clone().count() <= WORDS_MOST && words.into_iter().all(is_word)
}

/// Whether it is what names are made of: letters, and digits behind them. One in which both cases stand is none that anybody
/// writes, except for a first letter.
fn is_word(word: &str) -> bool {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_one_case = !letters.chars().skip(1).any(char::is_uppercase) || !letters.chars().any(char::is_lowercase);
    !word.is_empty()
        && word.len() - letters.len() <= DIGITS_MOST
        && letters.chars().count() <= LETTERS_MOST
        && letters.chars().all(char::is_alphabetic)
        && is_one_case
}

/// Digits that begin as numbers of telephones do when they are dialled from elsewhere, or stand in groups of 3, 3 and 4.
fn is_telephone(text: &str) -> bool {
    if !text.chars().all(|c| c.is_ascii_digit() || " +-()./".contains(c)) {
        return false;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let groups: Vec<usize> =
        text.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|length| *length > 0).collect();
    let has_area = groups.len() == 1 || groups.first().is_some_and(|first| AREA_DIGITS.contains(first));
    let has_plus = text.trim_start_matches('(').starts_with('+');
    match digits.as_bytes() {
        [b'1'..=b'9', ..] if has_plus => INTERNATIONAL_DIGITS.contains(&digits.len()),
        [b'0', b'0', b'1'..=b'9', ..] => INTERNATIONAL_DIGITS.contains(&digits.len()),
        [b'0', b'1'..=b'9', ..] => has_area && NATIONAL_DIGITS.contains(&digits.len()),
        _ => groups == [3, 3, 4],
    }
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
            ("https://example.org/x", Some(Looks::WebAddress)),
            ("www.example.org", Some(Looks::WebAddress)),
            ("www.mail.example.com/inbox", Some(Looks::WebAddress)),
            ("info@mail.example.com", Some(Looks::MailAddress)),
            ("alice_smith1987@web01.example.com.au", Some(Looks::MailAddress)),
            ("mail.example.org", Some(Looks::HostName)),
            ("mail.example.co.uk", Some(Looks::HostName)),
            ("example-company.com", Some(Looks::HostName)),
            ("@example.org/", Some(Looks::HostName)),
            ("Mail-1.example.de!!", Some(Looks::HostName)),
            ("+49 30 1234567", Some(Looks::Telephone)),
            ("0049-30-1234567", Some(Looks::Telephone)),
            ("(030) 123456789", Some(Looks::Telephone)),
            ("+49 170 1234567", Some(Looks::Telephone)),
            ("0170 1234567", Some(Looks::Telephone)),
            ("01701234567", Some(Looks::Telephone)),
            ("01 23 45 67 89", Some(Looks::Telephone)),
            ("033056/123456", Some(Looks::Telephone)),
            ("(+49) 170 1234567", Some(Looks::Telephone)),
            ("+1 (555) 867-5309", Some(Looks::Telephone)),
            ("555-867-5309", Some(Looks::Telephone)),
            ("(555) 867.5309", Some(Looks::Telephone)),
            // Words with dots between them, and what nobody has written down.
            ("zebra.lamp.orbit.quiz", None),
            ("we.saw.purple.monkeys.near.us", None),
            ("der.hund.lief.in.den.garten.um", None),
            ("zebra.lampe.gurke.de", None),
            ("purple-monkeys-near-us.org", None),
            ("www.zebra.lampe.gurke.tisch", None),
            ("www.zebra.lampe.tisch", None),
            ("https://example.org/tractor-midnight-rabbit", None),
            ("rabbit.drives.tractor@midnight.snack", None),
            ("rabbit.drives.a.tractor@midnight.com", None),
            ("correcthorsebatterystaple@example.org", None),
            ("tavern@quilt mango", None),
            // What a generator made, with dots in it.
            ("q7f-zk2m.x9vb-pl3w.kd", None),
            ("q7f-zk2m.x9vb-pl3w.de", None),
            ("v9kq2@xw7h3m.tzpqk", None),
            ("v9kq2@xw7h3m.de", None),
            ("alice@x9vb-pl3w.com", None),
            ("xK7q@Zt3L.pqRw", None),
            ("mail.Vq7-mLx2.Rp", None),
            ("alice@example.org 7391 8264", None),
            ("7391-8264-5038-1", None),
            ("0147-2583-6914-70", None),
            ("0-4471-8296", None),
            ("0000-4471-8296", None),
            ("7391 8264 50", None),
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

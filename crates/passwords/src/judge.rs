//! What is wrong with a password.

use core::fmt;
use std::collections::HashSet;

use crate::dictionary::Words;
use crate::looks::{self, Looks};

/// Longest password, in characters. NIST wants 64 at least to be allowed; one of megabytes is an attack.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// Least score of zxcvbn, from 0 to 4: from 3 on more than 10^8 guesses are needed.
pub const SCORE_LEAST: u8 = 3;

/// Fewest different characters, as cracklib wants them; capitals are no other ones.
pub const DIFFERENT_LEAST: usize = 5;

/// What people should take.
const CHARS_ADVISED: usize = 14;

/// Which rules hold.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Profile {
    /// 12 characters of two kinds at least.
    #[default]
    Mail,
    /// 15 characters of any kind (NIST SP 800-63B-4 for a password that is the only factor).
    Nist,
}

impl Profile {
    /// Least length, in characters.
    pub fn chars_least(self) -> usize {
        match self {
            Self::Mail => 12,
            Self::Nist => 15,
        }
    }

    /// Of how many of the four kinds a password must be: lower case, upper case, digits, and all else. Never of all four.
    pub fn kinds_least(self) -> usize {
        match self {
            Self::Mail => 2,
            Self::Nist => 1,
        }
    }
}

/// What a password is judged by.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The rules.
    pub profile: Profile,
    /// Whose password it is, and other words about him that a guesser tries first: name, login, firm.
    pub about: &'a [&'a str],
    /// The words.
    pub words: &'a Words,
}

/// What is wrong with a password; its text is a sentence for who chose it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Fewer characters than the profile wants.
    Short {
        /// How many it has.
        chars: usize,
        /// How many are needed.
        least: usize,
    },
    /// More than [`PASSWORD_CHARS_MAX`] characters.
    Long,
    /// A character that cannot be typed, such as a tabulator.
    Control,
    /// Only one of the four kinds of characters.
    OneKind,
    /// Fewer than [`DIFFERENT_LEAST`] different characters.
    Few,
    /// One word, however it is disguised.
    Word(String),
    /// Hardly more than the login or another word about its owner.
    Owner,
    /// Hardly more than something that stands elsewhere, such as a mail address.
    Known(Looks),
    /// It is on a list of stolen passwords.
    Stolen,
    /// Too few guesses, with what zxcvbn warns of.
    Guessable(Option<String>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { chars, least } => {
                write!(
                    f,
                    "It has {chars} characters; {least} are needed, and {} are better.",
                    CHARS_ADVISED.max(*least)
                )
            }
            Self::Long => write!(f, "It is longer than {PASSWORD_CHARS_MAX} characters."),
            Self::Control => f.write_str("It holds a character that cannot be typed."),
            Self::OneKind => f.write_str("It has one kind of characters only; a digit, a capital or a space would do."),
            Self::Few => write!(f, "It has fewer than {DIFFERENT_LEAST} different characters."),
            Self::Word(word) => write!(f, "It is the word \"{word}\" in disguise, and guessers know the disguises."),
            Self::Stolen => f.write_str("It was stolen somewhere, and guessers try it first."),
            Self::Owner => f.write_str("It is hardly more than the name of its owner."),
            Self::Known(looks) => write!(f, "It looks like {}, and guessers try what is known.", looks.name()),
            Self::Guessable(None) => f.write_str("It is guessed too quickly."),
            Self::Guessable(Some(warning)) => write!(f, "It is guessed too quickly. {warning}"),
        }
    }
}

/// What a password is worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What is wrong; nothing if it may be used.
    pub faults: Vec<Fault>,
    /// zxcvbn's score, from 0 to 4.
    pub score: u8,
}

impl Verdict {
    /// Whether it may be used.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// What to do instead; nothing if it may be used.
    pub fn advice(&self) -> Option<&'static str> {
        (!self.is_good())
            .then_some("Take four or more words that have nothing to do with each other, or a generated one.")
    }
}

/// Judges a password. It costs linear time beside zxcvbn, which looks at the first hundred characters only.
pub fn judge(password: &str, about: &About<'_>) -> Verdict {
    let chars = password.chars().count();
    if chars > PASSWORD_CHARS_MAX {
        return Verdict { faults: vec![Fault::Long], score: 0 };
    }
    let entropy = zxcvbn::zxcvbn(password, about.about);
    let score = u8::from(entropy.score());
    let least = about.profile.chars_least();
    let mut faults = Vec::new();
    if chars < least {
        faults.push(Fault::Short { chars, least });
    }
    if password.chars().any(char::is_control) {
        faults.push(Fault::Control);
    }
    if kinds(password) < about.profile.kinds_least() {
        faults.push(Fault::OneKind);
    }
    if password.to_lowercase().chars().collect::<HashSet<_>>().len() < DIFFERENT_LEAST {
        faults.push(Fault::Few);
    }
    if is_owner(password, about.about) {
        faults.push(Fault::Owner);
    } else if let Some(word) = about.words.only_word_of(password) {
        faults.push(Fault::Word(word));
    } else if score < SCORE_LEAST && chars >= least {
        let warning = entropy.feedback().and_then(zxcvbn::feedback::Feedback::warning);
        faults.push(Fault::Guessable(warning.map(|warning| warning.to_string())));
    } else if score >= SCORE_LEAST
        && let Some(looks) = looks::like(password)
    {
        faults.push(Fault::Known(looks));
    }
    Verdict { faults, score }
}

/// Of how many of the four kinds its characters are. Letters without case, such as Chinese ones, count as lower case.
fn kinds(password: &str) -> usize {
    let kind = |c: char| match c {
        c if c.is_uppercase() => 1,
        c if c.is_alphabetic() => 0,
        c if c.is_numeric() => 2,
        _ => 3,
    };
    let mut seen = [false; 4];
    password.chars().for_each(|c| seen[kind(c)] = true);
    seen.iter().filter(|seen| **seen).count()
}

/// Fewest characters that must be left of a password without its owner's names.
const REST_CHARS_LEAST: usize = 8;

/// Shortest word about its owner that is looked for in a password.
const OWNER_CHARS_LEAST: usize = 3;

fn is_owner(password: &str, about: &[&str]) -> bool {
    let lower = password.to_lowercase();
    // A login is one word, and so are its parts: `alice.smith@example.org`.
    let words = about.iter().flat_map(|words| {
        let words = words.to_lowercase();
        words.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).chain([words.clone()]).collect::<Vec<_>>()
    });
    let mut words: Vec<_> = words.filter(|word| word.chars().count() >= OWNER_CHARS_LEAST).collect();
    words.sort_by_key(|word| core::cmp::Reverse(word.len()));
    let rest = words.iter().fold(lower.clone(), |rest, word| rest.replace(word.as_str(), ""));
    rest.len() < lower.len() && rest.chars().count() < REST_CHARS_LEAST
}

//! Words, and the ways in which people hide them.

use std::collections::HashSet;

/// Common passwords' roots, collected by us.
const COMMON: &str = include_str!("common.txt");

/// Longest word that is kept, in bytes, and most words: a word list is some megabytes at most.
const WORD_BYTES_MAX: usize = 64;
const WORDS_MAX: usize = 2_000_000;

/// Shortest word that is looked for: what is left of a good password after the disguises are taken off is often shorter.
const WORD_CHARS_MIN: usize = 3;

/// Words that no password may be made of alone.
#[derive(Clone, Debug)]
pub struct Words(HashSet<Box<str>>);

impl Default for Words {
    fn default() -> Self {
        Self::embedded()
    }
}

impl Words {
    /// The list that comes with the program: the words of its passphrases and the roots of common passwords.
    pub fn embedded() -> Self {
        Self(COMMON.lines().chain(crate::generate::words()).map(Box::from).collect())
    }

    /// Those of a word list, one in a line, such as cracklib's, beside the embedded ones. What is no word of letters
    /// and digits, or too long, is passed over; beyond two million words the rest is.
    #[must_use]
    pub fn with(mut self, list: &str) -> Self {
        let is_word = |word: &&str| (WORD_CHARS_MIN..=WORD_BYTES_MAX).contains(&word.len());
        for word in list.lines().map(str::trim).filter(is_word) {
            if self.0.len() >= WORDS_MAX {
                break;
            }
            self.0.insert(word.to_lowercase().into());
        }
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The word that is all there is to a password, when case, digits and signs around it, letters written as digits,
    /// the direction and a repetition are taken off.
    pub fn only_word_of(&self, password: &str) -> Option<String> {
        let lower = password.to_lowercase();
        let is_around = |c: char| !c.is_alphabetic();
        // Digits and signs go from the ends and then become letters, or the other way round, or go wherever they are.
        let bare = lower.trim_matches(is_around);
        let solid: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
        let forms = [&lower, bare, lower.trim_end_matches(is_around), &solid];
        let read = forms.into_iter().flat_map(|form| [form.to_owned(), plain(form, 'i'), plain(form, 'l')]);
        // What separates the parts may also go after signs have become letters.
        let joined =
            ['i', 'l'].map(|one| plain(&lower, one).chars().filter(|c| c.is_alphanumeric()).collect::<String>());
        read.chain(joined)
            .flat_map(|form| {
                let parts = [&form, form.trim_matches(is_around)];
                parts
                    .into_iter()
                    .flat_map(|part| [Some(part), repeated(part)])
                    .flatten()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .find_map(|word| self.known(&word))
    }

    fn known(&self, word: &str) -> Option<String> {
        let backwards = || word.chars().rev().collect::<String>();
        let known = |word: &str| word.chars().count() >= WORD_CHARS_MIN && self.0.contains(word);
        if known(word) { Some(word.to_owned()) } else { Some(backwards()).filter(|word| known(word)) }
    }
}

/// Digits and signs that stand for letters, as letters; `1` stands for more than one.
fn plain(text: &str, one: char) -> String {
    let letter = |c: char| match c {
        '1' => one,
        '0' => 'o',
        '!' | '|' => 'i',
        '2' => 'z',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        '9' => 'g',
        c => c,
    };
    text.chars().map(letter).collect()
}

/// What is repeated, if a text is nothing but one thing two or more times.
fn repeated(text: &str) -> Option<&str> {
    let length = text.len();
    let periods = (1..=length / 2).filter(|period| length.is_multiple_of(*period) && text.is_char_boundary(*period));
    periods.map(|period| &text[..period]).find(|part| text.as_bytes().chunks(part.len()).all(|c| c == part.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises() {
        let words = Words::embedded().with("Straße\nx\n  bumblebee  \n");
        let cases = [
            ("password", Some("password")),
            ("Passw0rd1234", Some("password")),
            ("P@ssw0rd2024!", Some("password")),
            ("drowssap9999", Some("password")),
            ("letmeinletmein", Some("letmein")),
            ("DragonDragonDragon", Some("dragon")),
            ("!!!sunshine!!!", Some("sunshine")),
            ("qwertyuiop12", Some("qwertyuiop")),
            ("W3lc0me12345", Some("welcome")),
            ("1l0vey0u!!!!", Some("iloveyou")),
            ("bumblebee2024", Some("bumblebee")),
            ("STRASSE-straße", None),
            ("zebra lamp orbit quiz", None),
            ("Vq7-mLx2-Rp9c", None),
            ("", None),
            ("ääää", None),
            ("m0nkey!m0nkey", Some("monkey")),
            ("P@$$w0rd-P@$$w0rd", Some("password")),
            ("p@ssword.p@ssword", Some("password")),
            ("dr@g0n_dr@g0n", Some("dragon")),
            ("12345678", None),
        ];
        for (password, wanted) in cases {
            assert_eq!(words.only_word_of(password).as_deref(), wanted, "{password}");
        }
    }
}

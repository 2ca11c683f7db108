//! New passwords, each as likely as any other, with the entropy that this gives.

/// The words of passphrases: 1024 short ones that are easy to tell apart, collected by us.
const WORDS: &str = include_str!("words.txt");

/// Letters and digits without those that look alike: no `0O1lI`.
const LETTERS: &[u8; 57] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Characters between two hyphens of a password.
const GROUP_CHARS: usize = 4;

/// A new password.
#[derive(Clone, PartialEq, Debug)]
pub struct Generated {
    /// Itself.
    pub password: String,
    /// Log2 of how many there are of its making, all equally likely.
    pub bits: f64,
}

/// The words of passphrases.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.lines()
}

/// A passphrase of `count` words with spaces between them.
pub fn passphrase<E>(count: usize, mut random: impl FnMut() -> Result<u32, E>) -> Result<Generated, E> {
    let list: Vec<_> = words().collect();
    let chosen = (0..count).map(|_| Ok(list[below(list.len(), &mut random)?])).collect::<Result<Vec<_>, E>>()?;
    Ok(Generated { password: chosen.join(" "), bits: bits(list.len(), count) })
}

/// A password of `count` letters and digits, in groups with hyphens, which are for the eye, and for servers that want
/// another kind of character.
pub fn letters<E>(count: usize, mut random: impl FnMut() -> Result<u32, E>) -> Result<Generated, E> {
    let mut password = String::new();
    for place in 0..count {
        if place > 0 && place % GROUP_CHARS == 0 {
            password.push('-');
        }
        password.push(LETTERS[below(LETTERS.len(), &mut random)?].into());
    }
    Ok(Generated { password, bits: bits(LETTERS.len(), count) })
}

fn bits(choices: usize, count: usize) -> f64 {
    (choices as f64).log2() * count as f64
}

/// A number below `end`, each as likely as any other: the last numbers, which would make the first ones likelier, are
/// thrown again.
fn below<E>(end: usize, random: &mut impl FnMut() -> Result<u32, E>) -> Result<usize, E> {
    let end = u32::try_from(end).expect("lists are short");
    let fair = u32::MAX - u32::MAX % end;
    loop {
        let number = random()?;
        if number < fair {
            return Ok((number % end) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;
    use std::collections::HashSet;

    use super::*;
    use crate::{About, Profile, Words, judge};

    /// A generator for tests that gives the same numbers each time (xorshift).
    fn numbers(mut state: u32) -> impl FnMut() -> Result<u32, Infallible> {
        move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            Ok(state)
        }
    }

    #[test]
    fn the_words_are_a_thousand_and_can_be_told_apart() {
        let list: HashSet<_> = words().collect();
        assert_eq!((list.len(), words().count()), (1024, 1024));
        assert!(words().all(|word| (3..=9).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase())));
    }

    #[test]
    fn the_end_of_the_range_is_thrown_again() {
        let mut given = [u32::MAX, u32::MAX - 1, 5].into_iter();
        let number = below(57, &mut || given.next().ok_or(()));
        assert_eq!((number, given.next()), (Ok(5), None));
        assert_eq!(below(57, &mut || Err::<u32, _>("no randomness")), Err("no randomness"));
    }

    #[test]
    fn each_choice_is_as_likely_as_any_other() {
        const THROWS: usize = 57_000;
        let mut random = numbers(1);
        let mut counts = [0_usize; 57];
        for _ in 0..THROWS {
            counts[below(57, &mut random).unwrap()] += 1;
        }
        // Chi-square with 56 degrees of freedom: 112 is passed once in a hundred thousand runs.
        let chi: f64 = counts.iter().map(|count| (*count as f64 - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 112.0, "{chi}: {counts:?}");
    }

    #[test]
    fn what_is_generated_is_accepted() {
        let words = Words::embedded();
        for seed in 1..60 {
            let random = numbers(seed * 7919);
            let made = if seed % 2 == 0 { passphrase(6, random) } else { letters(16, random) }.unwrap();
            for profile in [Profile::Mail, Profile::Nist] {
                let verdict = judge(&made.password, &About { profile, about: &["alice"], words: &words });
                assert!(verdict.is_good(), "{made:?}: {verdict:?}");
            }
        }
    }

    #[test]
    fn entropy_is_what_the_choices_give() {
        let phrase = passphrase(6, numbers(3)).unwrap();
        assert!((phrase.bits - 60.0).abs() < 1e-9 && phrase.password.split(' ').count() == 6, "{phrase:?}");
        let made = letters(16, numbers(3)).unwrap();
        assert!((made.bits - 93.325).abs() < 0.01 && made.password.len() == 19, "{made:?}");
    }
}

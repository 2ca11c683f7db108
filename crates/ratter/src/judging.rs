//! Passwords as the command line and the HTTP gate judge them: with the same words and the same list of stolen ones, told in the
//! same form.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Context;
use passwords::breached::{Breached, ReadAt};
use passwords::{About, Fault, Profile, Words, judge};
use serde::Serialize;
use tracing::warn;

/// Where Debian puts the words of cracklib (package `cracklib-runtime`).
const CRACKLIB_WORDS: &str = "/usr/share/dict/cracklib-small";

/// Most bytes of a word list.
const WORDS_BYTES_MAX: u64 = 64 << 20;

/// Words about an owner that are looked at: more cost zxcvbn time.
const ABOUT_MAX: usize = 16;

/// The profiles with their names.
pub(crate) const PROFILES: [(&str, Profile); 2] = [("mail", Profile::Mail), ("nist", Profile::Nist)];

/// What is said of a password.
#[derive(Serialize)]
pub(crate) struct Judged {
    pub(crate) good: bool,
    pub(crate) score: u8,
    pub(crate) faults: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<&'static str>,
}

/// Judges passwords by words that it has read.
pub(crate) struct Judge {
    words: Words,
    breached: Option<Breached<Stolen>>,
}

/// The file of stolen passwords.
struct Stolen(File);

impl ReadAt for Stolen {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

impl Judge {
    /// With the embedded words, and cracklib's where they are installed.
    pub(crate) fn open() -> anyhow::Result<Self> {
        Self::with_words(None)
    }

    /// The same with the words of a file in the place of cracklib's.
    pub(crate) fn with_words(named: Option<&Path>) -> anyhow::Result<Self> {
        let cracklib = Path::new(CRACKLIB_WORDS);
        let Some(path) = named.or_else(|| cracklib.exists().then_some(cracklib)) else {
            return Ok(Self { words: Words::embedded(), breached: None });
        };
        let mut bytes = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "the binary reads files")]
        let file = File::open(path);
        let read = file.and_then(|file| file.take(WORDS_BYTES_MAX).read_to_end(&mut bytes));
        read.with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self { words: Words::embedded().with(&String::from_utf8_lossy(&bytes)), breached: None })
    }

    /// The same with a list of stolen passwords.
    pub(crate) fn with_breached(self, path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(self) };
        let open = || {
            #[expect(clippy::disallowed_methods, reason = "the binary reads files")]
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Breached::open(Stolen(file), length)
        };
        let breached = open().with_context(|| format!("{} cannot be used", path.display()))?;
        Ok(Self { breached: Some(breached), ..self })
    }

    /// What is said of a password; `about` are words about its owner.
    pub(crate) fn judge(&self, password: &str, about: &[&str], profile: Profile) -> Judged {
        let about = &about[..about.len().min(ABOUT_MAX)];
        let mut verdict = judge(password, &About { profile, about, words: &self.words });
        let is_stolen = self.breached.as_ref().map_or(Ok(false), |breached| breached.has(password));
        match is_stolen {
            Ok(true) => verdict.faults.push(Fault::Stolen),
            Ok(false) => {}
            // A disk that fails shall keep nobody from a new password.
            Err(error) => warn!(%error, "the list of stolen passwords cannot be read"),
        }
        Judged {
            good: verdict.is_good(),
            score: verdict.score,
            faults: verdict.faults.iter().map(ToString::to_string).collect(),
            advice: verdict.advice(),
        }
    }
}

impl ::gates::web::Passwords for Judge {
    fn judge(&self, password: &str, about: &[&str], profile: &str) -> Option<serde_json::Value> {
        let (_, profile) = PROFILES.iter().find(|(name, _)| *name == profile)?;
        serde_json::to_value(Self::judge(self, password, about, *profile)).ok()
    }
}

use core::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

/// What a message says, as one number that is the same for the same text to others. What stands between the parts of a
/// message is made up anew for each one, and is left out: lines that begin with two hyphens.
#[derive(Default, Debug)]
pub(super) struct Digest {
    subject: u64,
    body: u64,
}

impl Digest {
    /// What it consists of, and the digest that consists of that.
    pub(super) const fn parts(&self) -> (u64, u64) {
        (self.subject, self.body)
    }

    /// See [`Digest::parts`].
    pub(super) const fn of((subject, body): (u64, u64)) -> Self {
        Self { subject, body }
    }

    /// Takes the value of the header `Subject`.
    pub(super) fn subject(&mut self, value: &[u8]) {
        self.subject = hash(core::iter::once(value.trim_ascii()));
    }

    /// Takes the first piece of the body.
    pub(super) fn body(&mut self, piece: &[u8]) {
        if self.body == 0 {
            let lines = piece.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
            self.body = hash(lines.filter(|line| !line.is_empty() && !line.starts_with(b"--")));
        }
    }

    /// The number; zero of a message that says nothing. A text that is sent again under another subject is the same.
    pub(super) const fn number(&self) -> u64 {
        if self.body == 0 { self.subject } else { self.body }
    }
}

/// Zero of nothing. No secret is needed: who finds two texts of one number has written the one for the other.
fn hash<'a>(lines: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = FixedState::with_seed(0x7261_7474).build_hasher();
    let mut is_empty = true;
    for line in lines.filter(|line| !line.is_empty()) {
        is_empty = false;
        hasher.write(line);
        hasher.write_u8(b'\n');
    }
    if is_empty { 0 } else { hasher.finish().max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(subject: &str, body: &str) -> u64 {
        let mut digest = Digest::default();
        digest.subject(subject.as_bytes());
        digest.body(body.as_bytes());
        digest.number()
    }

    #[test]
    fn the_same_text_is_the_same() {
        assert_eq!(number("", "\r\n"), 0);
        assert_ne!(number("a", ""), 0);
        assert_ne!(number("a", ""), number("b", ""));
        assert_eq!(number("a", "text\r\n"), number("b", "text\n"));
        assert_ne!(number("a", "text"), number("a", "other"));
        let parts =
            |boundary: &str| format!("--{boundary}\r\nContent-Type: text/plain\r\n\r\nBuy!\r\n--{boundary}--\r\n");
        assert_eq!(number("a", &parts("x1")), number("a", &parts("y2")));
    }
}

//! The numbers in a name that could be octets of an address.

/// Most numbers that are looked at; a name of 255 bytes can hold more, but no address is written with more.
const NUMBERS_MAX: usize = 32;

/// A number of at most 255, and where it stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Number {
    pub(super) value: u8,
    pub(super) from: u8,
    pub(super) to: u8,
}

/// All numbers of at most 255 in a name, and what its runs of digits look like.
pub(super) struct Numbers {
    small: [Number; NUMBERS_MAX],
    len: usize,
    /// How many runs of digits there are.
    pub(super) runs: u32,
    /// How long the longest of them is.
    pub(super) longest: usize,
    /// How many digits there are in all.
    pub(super) digits: usize,
}

impl Numbers {
    /// Reads them. A run of six, nine or twelve digits is taken as zero-padded octets where all are at most 255.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut numbers = Self { small: [Number::default(); NUMBERS_MAX], len: 0, runs: 0, longest: 0, digits: 0 };
        let mut at = 0;
        while at < text.len() {
            if !text[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let end = at + text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            numbers.run(text, at, end);
            at = end;
        }
        numbers
    }

    /// The small ones, from left to right.
    pub(super) fn small(&self) -> &[Number] {
        &self.small[..self.len]
    }

    fn run(&mut self, text: &[u8], from: usize, to: usize) {
        self.runs += 1;
        self.longest = self.longest.max(to - from);
        self.digits += to - from;
        match to - from {
            0..=3 => self.push(text, from, to),
            6 | 9 | 12 if (from..to).step_by(3).all(|at| value(&text[at..at + 3]).is_some()) => {
                for at in (from..to).step_by(3) {
                    self.push(text, at, at + 3);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, text: &[u8], from: usize, to: usize) {
        if let Some(value) = value(&text[from..to])
            && self.len < NUMBERS_MAX
        {
            self.small[self.len] = Number { value, from: from as u8, to: to as u8 };
            self.len += 1;
        }
    }
}

fn value(digits: &[u8]) -> Option<u8> {
    let value = digits.iter().fold(0_u16, |value, digit| value * 10 + u16::from(digit - b'0'));
    u8::try_from(value).ok()
}

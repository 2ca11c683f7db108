//! Passwords that were stolen somewhere: a file of the beginnings of their SHA-1 sums, in order.
//!
//! The file is `RATTERPW`, the number of sums as eight bytes, and then eight bytes for each, all with the highest byte first. Looking
//! for one reads some thirty places of the file and keeps nothing in memory; two sums that begin alike in 64 bits do not occur among
//! all that are known, so that a password is hardly ever taken for a stolen one. The source is the list that *Have I Been Pwned*
//! publishes, in the order of its hashes: `5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:52579`.

use std::io;

use sha1::{Digest, Sha1};

/// How the file begins.
const MAGIC: [u8; 8] = *b"RATTERPW";
/// Bytes before the first sum.
const HEADER_BYTES: u64 = 16;
/// Bytes of a sum that are kept.
const SUM_BYTES: u64 = 8;
/// Hexadecimal digits of a whole sum.
const SUM_DIGITS: usize = 40;

/// Reads a part of a file.
pub trait ReadAt {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// As the file has them; also if it ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// The list of stolen passwords in a file.
#[derive(Debug)]
pub struct Breached<F> {
    file: F,
    count: u64,
}

impl<F: ReadAt> Breached<F> {
    /// The list in `file`, which has `length` bytes.
    ///
    /// # Errors
    /// It is none, or was not written to its end.
    pub fn open(file: F, length: u64) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES as usize];
        if length >= HEADER_BYTES {
            file.read_at(&mut header, 0)?;
        }
        let (magic, count) = header.split_at(8);
        let count = u64::from_be_bytes(count.try_into().unwrap_or_default());
        let wanted = count.checked_mul(SUM_BYTES).and_then(|bytes| bytes.checked_add(HEADER_BYTES));
        if magic != MAGIC || wanted != Some(length) {
            let what = "no list of stolen passwords, or not a whole one; `ratter password filter` makes it";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Self { file, count })
    }

    /// How many passwords are on it.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether the password is on it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn has(&self, password: &str) -> io::Result<bool> {
        let wanted = sum_of(password);
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut bytes = [0; SUM_BYTES as usize];
            self.file.read_at(&mut bytes, HEADER_BYTES + middle * SUM_BYTES)?;
            match u64::from_be_bytes(bytes).cmp(&wanted) {
                core::cmp::Ordering::Equal => return Ok(true),
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }
}

/// The header of a file of so many sums.
pub fn header(count: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&count.to_be_bytes());
    header
}

/// Why a line of the source is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Odd {
    /// It is no SHA-1 sum in hexadecimal digits, with a number behind a colon.
    NoSum,
    /// It comes before the one above it.
    OutOfOrder,
}

/// Takes the lines of the source, in their order.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sums {
    /// Passwords that were seen less often are left out.
    pub least: u64,
    last: Option<u64>,
}

impl Sums {
    /// A reader of the source that leaves out what was seen less often than `least`.
    pub const fn new(least: u64) -> Self {
        Self { least, last: None }
    }

    /// The bytes that a line without its end adds to the file; none if it is left out.
    ///
    /// # Errors
    /// The line makes no sense there.
    pub fn take(&mut self, line: &str) -> Result<Option<[u8; SUM_BYTES as usize]>, Odd> {
        let (sum, times) = line.split_once(':').unwrap_or((line, "1"));
        let is_hex = sum.len() == SUM_DIGITS && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (true, Ok(times)) = (is_hex, times.trim_end().parse::<u64>()) else { return Err(Odd::NoSum) };
        let sum = u64::from_str_radix(&sum[..2 * SUM_BYTES as usize], 16).map_err(|_| Odd::NoSum)?;
        if self.last.is_some_and(|last| last > sum) {
            return Err(Odd::OutOfOrder);
        }
        if times < self.least || self.last == Some(sum) {
            return Ok(None);
        }
        self.last = Some(sum);
        Ok(Some(sum.to_be_bytes()))
    }
}

fn sum_of(password: &str) -> u64 {
    let sum = Sha1::digest(password.as_bytes());
    sum.iter().take(SUM_BYTES as usize).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ReadAt for Vec<u8> {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            let from = usize::try_from(offset).map_err(io::Error::other)?;
            let part = self.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(part);
            Ok(())
        }
    }

    /// The file of these lines.
    fn file(lines: &[String], least: u64) -> Result<Vec<u8>, Odd> {
        let mut sums = Sums::new(least);
        let mut kept = Vec::new();
        for line in lines {
            kept.extend(sums.take(line)?);
        }
        Ok([&header(kept.len() as u64)[..], &kept.concat()].concat())
    }

    fn line(password: &str, times: u64) -> String {
        let sum: Vec<_> = Sha1::digest(password.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect();
        let sum = sum.concat();
        format!("{sum}:{times}")
    }

    #[test]
    fn what_is_on_it_is_found_and_nothing_else() {
        assert_eq!(line("password", 52579), "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:52579");
        for count in [0_u64, 1, 2, 3, 7, 100, 1000] {
            let mut lines: Vec<_> = (0..count).map(|number| line(&format!("stolen{number}"), number)).collect();
            lines.sort();
            let bytes = file(&lines, 0).unwrap();
            let length = bytes.len() as u64;
            let list = Breached::open(bytes, length).unwrap();
            assert_eq!(list.count(), count);
            for number in 0..count {
                assert!(list.has(&format!("stolen{number}")).unwrap(), "{number} of {count}");
                assert!(!list.has(&format!("own{number}")).unwrap());
            }
        }
    }

    #[test]
    fn what_was_seen_seldom_is_left_out() {
        let mut lines = vec![line("often", 10), line("seldom", 2)];
        lines.sort();
        let bytes = file(&lines, 3).unwrap();
        let length = bytes.len() as u64;
        let list = Breached::open(bytes, length).unwrap();
        assert!(list.has("often").unwrap() && !list.has("seldom").unwrap());
    }

    #[test]
    fn odd_lines_and_files() {
        let mut sums = Sums::new(0);
        assert_eq!(sums.take("nothing"), Err(Odd::NoSum));
        assert_eq!(sums.take(&format!("{}:x", "A".repeat(40))), Err(Odd::NoSum));
        assert_eq!(sums.take(&"ä".repeat(20)), Err(Odd::NoSum));
        assert!(sums.take(&format!("{}:1\r", "b".repeat(40))).unwrap().is_some());
        assert_eq!(sums.take(&"B".repeat(40)), Ok(None), "the same again");
        assert_eq!(sums.take(&"A".repeat(40)), Err(Odd::OutOfOrder));
        let whole = file(&[line("x", 1)], 0).unwrap();
        for (bytes, length) in
            [(whole.clone(), 17), (whole[..20].to_vec(), 20), (b"RATTERPX".repeat(3), 24), (Vec::new(), 0)]
        {
            assert!(Breached::open(bytes, length).is_err(), "{length}");
        }
    }
}

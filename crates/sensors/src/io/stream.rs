//! Lines of anything that ends: standard input, a file to be replayed.

use std::io::{self, Read};

use crate::lines::{LineBuffer, Lines};

/// Reads lines in batches.
#[derive(Debug)]
pub struct LineReader<R> {
    from: R,
    buffer: LineBuffer,
    is_over: bool,
}

impl<R: Read> LineReader<R> {
    /// The lines of `from`.
    pub fn new(from: R) -> Self {
        Self { from, buffer: LineBuffer::new(), is_over: false }
    }

    /// The next lines, as many as are there; none at the end. The last line may lack its newline.
    ///
    /// # Errors
    ///
    /// If no more can be read. All whole lines before were given; the beginning of a line is none.
    pub fn next_lines(&mut self) -> io::Result<Option<Lines<'_>>> {
        while !self.is_over {
            let has_lines = match self.from.read(self.buffer.space()) {
                Ok(0) => {
                    self.is_over = true;
                    self.buffer.finish()
                }
                Ok(count) => self.buffer.take(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
                Err(error) => return Err(error),
            };
            if has_lines {
                return Ok(Some(self.buffer.lines()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_stream() {
        for (text, wanted) in
            [("", vec![]), ("a", vec!["a"]), ("a\n", vec!["a"]), ("a\n\nb\r\nc", vec!["a", "", "b", "c"])]
        {
            let mut reader = LineReader::new(text.as_bytes());
            let mut got = Vec::new();
            while let Some(lines) = reader.next_lines().unwrap() {
                got.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
            }
            assert_eq!(got, wanted, "{text:?}");
        }
    }
}

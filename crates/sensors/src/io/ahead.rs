//! Lines of a stream that a thread of its own reads, unpacks and cuts, while those before are looked at.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use crate::lines::{LineBuffer, Lines};

/// How many buffers there are: one that is looked at, one that is filled, and one that waits for either.
const BUFFERS: usize = 3;

/// Whole lines; none at the end of the stream.
type Batch = io::Result<Option<LineBuffer>>;

/// Reads lines in batches, as [`LineReader`](super::LineReader) does, ahead of the one who takes them.
#[derive(Debug)]
pub struct ReadAhead {
    filled: Receiver<Batch>,
    emptied: SyncSender<LineBuffer>,
    current: Option<LineBuffer>,
    is_over: bool,
}

impl ReadAhead {
    /// The lines of `from`.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub fn new(from: impl Read + Send + 'static) -> io::Result<Self> {
        // All buffers and the end have room, so that nobody waits to send.
        let (full, filled) = mpsc::sync_channel(BUFFERS + 1);
        let (emptied, empty) = mpsc::sync_channel(BUFFERS);
        for _ in 0..BUFFERS {
            let _received = emptied.send(LineBuffer::new());
        }
        thread::Builder::new().name("read-ahead".into()).spawn(move || read(from, &full, &empty))?;
        Ok(Self { filled, emptied, current: None, is_over: false })
    }

    /// The next lines, as many as are there; none at the end. The last line may lack its newline.
    ///
    /// # Errors
    ///
    /// If no more can be read. All whole lines before were given; the beginning of a line is none.
    pub fn next_lines(&mut self) -> io::Result<Option<Lines<'_>>> {
        if let Some(buffer) = self.current.take() {
            // At the end of the stream nobody wants it.
            let _received = self.emptied.send(buffer);
        }
        if self.is_over {
            return Ok(None);
        }
        // A thread that panicked is no end of the stream.
        let batch = self.filled.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that reads has failed")));
        self.is_over = !matches!(batch, Ok(Some(_)));
        Ok(batch?.map(|buffer| &*self.current.insert(buffer)).map(LineBuffer::lines))
    }
}

/// Reads until the stream ends, or nobody takes its lines any more.
fn read(mut from: impl Read, full: &SyncSender<Batch>, empty: &Receiver<LineBuffer>) {
    let Ok(mut buffer) = empty.recv() else { return };
    loop {
        let read = from.read(buffer.space());
        let has_lines = match &read {
            Ok(0) => buffer.finish(),
            Ok(count) => buffer.take(*count),
            Err(_) => false,
        };
        if has_lines {
            // Whoever waits for these has given back those before, so that a buffer is free.
            let Ok(mut next) = empty.recv() else { return };
            buffer.hand_on(&mut next);
            if full.send(Ok(Some(buffer))).is_err() {
                return;
            }
            buffer = next;
        }
        let end = match read {
            Ok(0) => Ok(None),
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let _received = full.send(end);
        return;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::io::LineReader;

    /// A stream that comes in pieces of these sizes in turn, and may break off with an error instead of its end.
    struct Pieces {
        text: Vec<u8>,
        at: usize,
        sizes: Vec<usize>,
        turn: usize,
        breaks: bool,
    }

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.turn += 1;
            let size = self.sizes[self.turn % self.sizes.len()];
            if size == 0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let rest = &self.text[self.at..];
            if rest.is_empty() && self.breaks {
                return Err(io::Error::other("broken"));
            }
            let count = size.min(rest.len()).min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            self.at += count;
            Ok(count)
        }
    }

    /// All lines, and how they end.
    fn all(mut next: impl FnMut() -> io::Result<Option<Vec<Vec<u8>>>>) -> (Vec<Vec<u8>>, Option<String>) {
        let mut lines = Vec::new();
        loop {
            match next() {
                Ok(Some(batch)) => lines.extend(batch),
                Ok(None) => return (lines, None),
                Err(error) => return (lines, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn a_stream_whose_reader_panics_does_not_end() {
        struct Panics(bool);
        impl Read for Panics {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert!(!core::mem::replace(&mut self.0, true), "on purpose");
                into[..2].copy_from_slice(b"a\n");
                Ok(2)
            }
        }
        let mut ahead = ReadAhead::new(Panics(false)).unwrap();
        assert_eq!(ahead.next_lines().unwrap().unwrap().collect::<Vec<_>>(), [b"a"]);
        assert_eq!(ahead.next_lines().unwrap_err().to_string(), "the thread that reads has failed");
        assert!(ahead.next_lines().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn lines_are_those_that_are_read_without_a_thread(
            lines in prop::collection::vec((prop_oneof![9 => 0..200usize, 1 => Just(70_000), 1 => Just(400_000)], any::<bool>()), 0..30),
            rest in 0..9usize,
            sizes in prop::collection::vec(prop_oneof![0..99usize, Just(70_000), Just(999_999)], 0..4),
            breaks: bool,
        ) {
            let mut text = Vec::new();
            for (at, (length, is_dos)) in lines.iter().enumerate() {
                text.extend((0..*length).map(|_| b'a' + at as u8));
                text.extend(if *is_dos { &b"\r\n"[..] } else { b"\n" });
            }
            text.extend(vec![b'z'; rest]);
            let sizes = if text.len() > 10_000 { vec![0, 65_536, 300, 999_999] } else { [sizes, vec![7]].concat() };
            let stream = || Pieces { text: text.clone(), at: 0, sizes: sizes.clone(), turn: 0, breaks };
            let owned = |lines: Option<Lines<'_>>| lines.map(|lines| lines.map(<[u8]>::to_vec).collect());
            let (mut plain, mut ahead) = (LineReader::new(stream()), ReadAhead::new(stream()).unwrap());
            let wanted = all(|| plain.next_lines().map(owned));
            prop_assert_eq!(all(|| ahead.next_lines().map(owned)), wanted);
        }
    }
}

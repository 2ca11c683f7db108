//! The journal in a file or a pipe: what `journalctl --output=export` or `--output=json` wrote.

use std::io::{self, Cursor, Read};

use super::LineReader;
use super::compressed::head;
use crate::sources::journal::Export;
use crate::sources::journal_json::write_entry;

/// How an export begins.
const EXPORT: &[u8] = b"__CURSOR=";

/// The mark of the byte order that editors put before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What may stand before the first entry: empty lines, and what `journalctl` said of a journal without entries, where another's
/// follow.
const BEFORE: [&[u8]; 4] = [b"\n", b"\r\n", b"-- No entries --\n", b"-- No entries --\r\n"];

/// So much of it at most is passed over, in bytes.
const BEFORE_BYTES_MAX: usize = 4096;

/// The lines of `from`: those that syslog would have written of an export of the journal, an entry a line; in what begins like
/// JSON, those of the journal's entries in the place of these; of all else the bytes as they are. Empty lines and the like may
/// stand before the first entry.
///
/// # Errors
///
/// If the beginning cannot be read.
pub fn journal_text(mut from: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let head = head(&mut from, form)?;
    let (form, before) = form(&head).unwrap_or((Form::Other, 0));
    let mut head = Cursor::new(head);
    head.set_position(before);
    let whole = head.chain(from);
    Ok(match form {
        Form::Export => Box::new(Converted::new(Entries { from: whole, export: Export::default() })),
        Form::Json => Box::new(Converted::new(Objects(LineReader::new(whole)))),
        Form::Other => Box::new(whole),
    })
}

/// What a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Export,
    Json,
    Other,
}

/// What a text that begins with `head` is, and how many bytes are none of it; none as long as the head is too short
/// to tell.
fn form(head: &[u8]) -> Option<(Form, u64)> {
    let text = head.strip_prefix(MARK).unwrap_or(head);
    let mut rest = text;
    while let Some(behind) = BEFORE.iter().find_map(|before| rest.strip_prefix(*before)) {
        rest = behind;
    }
    let before = |rest: &[u8]| (head.len() - rest.len()) as u64;
    if rest.starts_with(EXPORT) {
        return Some((Form::Export, before(rest)));
    }
    if rest.starts_with(b"{") {
        // The other lines stay what they are, and are counted.
        return Some((Form::Json, before(text)));
    }
    let may_come = MARK.starts_with(head) || EXPORT.starts_with(rest) || BEFORE.iter().any(|it| it.starts_with(rest));
    (!may_come || head.len() - rest.len() > BEFORE_BYTES_MAX).then_some((Form::Other, 0))
}

/// What gives lines by and by.
trait Source {
    /// Puts the next lines into `text`, each with its newline; whether there may be more.
    fn more(&mut self, text: &mut Vec<u8>) -> io::Result<bool>;
}

/// Lines that were made of something else, to be read.
struct Converted<S> {
    source: S,
    text: Vec<u8>,
    /// How much of the text was read.
    at: usize,
    is_over: bool,
}

impl<S> Converted<S> {
    const fn new(source: S) -> Self {
        Self { source, text: Vec::new(), at: 0, is_over: false }
    }
}

impl<S: Source> Read for Converted<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.is_over {
            self.text.clear();
            self.at = 0;
            self.is_over = !self.source.more(&mut self.text)?;
        }
        let count = (&self.text[self.at..]).read(into)?;
        self.at += count;
        Ok(count)
    }
}

/// An export.
struct Entries<R> {
    from: R,
    export: Export,
}

impl<R: Read> Source for Entries<R> {
    fn more(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        const PIECE_BYTES: usize = 64 * 1024;
        let mut piece = vec![0; PIECE_BYTES];
        let count = match self.from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            count => count?,
        };
        let mut write = |line: &[u8], _cursor| {
            text.extend_from_slice(line);
            text.push(b'\n');
        };
        if count > 0 {
            self.export.push(&piece[..count], &mut write);
        } else {
            self.export.finish(&mut write);
        }
        Ok(count > 0)
    }
}

/// Lines of JSON.
struct Objects<R>(LineReader<R>);

impl<R: Read> Source for Objects<R> {
    fn more(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        let Some(lines) = self.0.next_lines()? else { return Ok(false) };
        for line in lines {
            write_entry(line, text);
            text.push(b'\n');
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOM: &str = "\u{feff}";

    /// Comes byte by byte, or in pieces of that size.
    struct Pieces(Vec<u8>, usize);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(into.len()).min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    fn through(text: &str, size: usize) -> String {
        let mut out = String::new();
        journal_text(Box::new(Pieces(text.into(), size))).unwrap().read_to_string(&mut out).unwrap();
        out
    }

    #[test]
    fn the_journal_becomes_lines_and_all_else_stays() {
        let cursor = "__CURSOR=s=1;i=2;t=64a1b2c3d4e5f\n";
        let fields = "__REALTIME_TIMESTAMP=1795247054120999\n_HOSTNAME=mx\nSYSLOG_IDENTIFIER=a\nMESSAGE=";
        let export = format!("{cursor}{fields}x\n\n{cursor}{fields}y\n\n{cursor}{fields}cut off");
        let object = |message: &str| {
            format!(
                r#"{{"MESSAGE":"{message}","__REALTIME_TIMESTAMP":"1795247054120999","_HOSTNAME":"mx","SYSLOG_IDENTIFIER":"a"}}"#
            )
        };
        let json = format!("{}\n{{\"other\":1}}\nmx b: z\n{}", object("x"), object("y"));
        let line = |message: &str| format!("2026-11-21T07:44:14.120Z mx a: {message}\n");
        let read = format!("{}{{\"other\":1}}\nmx b: z\n{}", line("x"), line("y"));
        let before = format!("{BOM}\n\r\n-- No entries --\n\n");
        let cases = [
            (export.clone(), line("x") + &line("y")),
            (json.clone(), read.clone()),
            (String::new(), String::new()),
            (format!("{before}{export}"), line("x") + &line("y")),
            (format!("{before}{json}"), format!("{}{read}", before.replace(['\u{feff}', '\r'], ""))),
            (format!("{cursor}{fields}x\n\n{cursor}{fields}y\n"), line("x") + &line("y")),
            (format!("{cursor}{fields}x\n\n{cursor}"), line("x")),
            ("\n\n".to_owned(), "\n\n".to_owned()),
            (format!("{BOM}Nov 21"), format!("{BOM}Nov 21")),
            ("-- No entries --\nNov 21".to_owned(), "-- No entries --\nNov 21".to_owned()),
            (format!("{}{{", "\n".repeat(9000)), format!("{}{{", "\n".repeat(9000))),
            ("__CURS".to_owned(), "__CURS".to_owned()),
            ("__CURSOR is no export\n\n".to_owned(), "__CURSOR is no export\n\n".to_owned()),
            ("Nov 21 07:44:14 mx a: {\n".to_owned(), "Nov 21 07:44:14 mx a: {\n".to_owned()),
        ];
        for (text, wanted) in cases {
            for size in [1, 2, 8, 9, 10, 1000] {
                assert_eq!(through(&text, size), wanted, "{text:?} by {size}");
            }
        }
    }
}

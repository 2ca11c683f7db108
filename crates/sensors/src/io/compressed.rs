//! Logs that were compressed when they were rotated.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, StreamingDecoder};

/// The text of an opened file, or of a stream: what `.gz`, `.xz` and `.zst` hold, told by the first bytes and not by the name; of
/// anything else the bytes as they are.
///
/// # Errors
///
/// If the beginning cannot be read.
pub fn decompressed(mut from: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let head = head(&mut from, form)?;
    let form = form(&head).unwrap_or(Form::Plain);
    let whole = BufReader::new(Cursor::new(head).chain(from));
    Ok(match form {
        Form::Plain => Box::new(whole),
        Form::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Form::Xz => Box::new(ByPieces { from: XzReader::new(whole, true), fault: None }),
        Form::Zstd => Box::new(Frames { from: Some(whole), decoder: None, broken: None }),
    })
}

/// What `from` begins with, up to where it tells what it is; all of it, if it ends before. No more is waited for: whoever writes
/// may wait, too.
pub(super) fn head<T>(from: &mut impl Read, told: impl Fn(&[u8]) -> Option<T>) -> io::Result<Vec<u8>> {
    const PIECE_BYTES: usize = 64;
    let mut head = Vec::new();
    while told(&head).is_none() {
        let mut piece = [0; PIECE_BYTES];
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => head.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

/// Whether the name is that of a file that [`decompressed`] unpacks.
pub fn is_compressed_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["gz", "xz", "zst"].iter().any(|known| extension == *known))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Plain,
    Gzip,
    Xz,
    Zstd,
}

/// How the packed forms begin.
const BEGINNINGS: [(&[u8], Form); 3] =
    [(b"\x1f\x8b", Form::Gzip), (b"\xfd7zXZ\0", Form::Xz), (b"\x28\xb5\x2f\xfd", Form::Zstd)];

/// What begins with `head`; none as long as that is too short to tell.
fn form(head: &[u8]) -> Option<Form> {
    if let Some((_, form)) = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)) {
        return Some(*form);
    }
    let may_be_packed = BEGINNINGS.iter().any(|(beginning, _)| beginning.starts_with(head));
    (!may_be_packed).then_some(Form::Plain)
}

/// Reads by small pieces, for a decoder that forgets what it has unpacked when it comes upon the cut within one call.
struct ByPieces<R> {
    from: R,
    /// Why no more can be read.
    fault: Option<io::Error>,
}

impl<R: Read> Read for ByPieces<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        const PIECE_BYTES: usize = 4096;
        let mut filled = 0;
        for piece in into.chunks_mut(PIECE_BYTES) {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            match self.from.read(piece) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if filled == 0 => return Err(error),
                Err(error) => self.fault = Some(error),
            }
            // The next piece would not follow this one.
            if filled % PIECE_BYTES != 0 || self.fault.is_some() {
                break;
            }
        }
        Ok(filled)
    }
}

/// All frames of a `.zst` file one after the other, as `zstd` and `cat` write them; a decoder reads one.
struct Frames<R: BufRead> {
    from: Option<R>,
    decoder: Option<Decoder<R>>,
    /// What was unpacked of a frame that is broken, and why it is.
    broken: Option<(Box<FrameDecoder>, io::Error)>,
}

type Decoder<R> = Box<StreamingDecoder<R, FrameDecoder>>;

/// An empty last block and a checksum, which nobody compares: the end of any frame (RFC 8878, section 3.1.1.2).
const FRAME_END: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some((decoder, _)) = &mut self.broken {
                let count = decoder.read(into)?;
                if count > 0 || into.is_empty() {
                    return Ok(count);
                }
                return self.broken.take().map_or(Ok(0), |(_, error)| Err(error));
            }
            if let Some(decoder) = &mut self.decoder {
                match decoder.read(into) {
                    Ok(0) if !into.is_empty() => {}
                    Ok(count) => return Ok(count),
                    Err(error) => {
                        // Up to the frame's end the decoder keeps what later blocks may refer to, often megabytes.
                        let Some(decoder) = self.decoder.take() else { return Err(error) };
                        let (_, mut decoder) = decoder.into_parts();
                        if decoder.decode_blocks(&FRAME_END[..], BlockDecodingStrategy::UptoBlocks(1)).is_err() {
                            return Err(error);
                        }
                        // The decoder's own words for it are long.
                        let error =
                            io::Error::new(io::ErrorKind::InvalidData, "the compressed file is cut off or broken");
                        self.broken = Some((Box::new(decoder), error));
                        continue;
                    }
                }
                self.from = self.decoder.take().map(|decoder| decoder.into_inner());
            }
            let Some(mut from) = self.from.take() else { return Ok(0) };
            if from.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.decoder = Some(Box::new(StreamingDecoder::new(from).map_err(io::Error::other)?));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use super::*;

    /// The text that comes out of a file with `bytes`.
    fn through(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let (text, end) = up_to_the_end(bytes);
        end.map(|()| text)
    }

    /// What comes out, and how that ends.
    fn up_to_the_end(bytes: &[u8]) -> (Vec<u8>, io::Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log.1");
        std::fs::write(&path, bytes).unwrap();
        let mut text = Vec::new();
        let end = decompressed(File::open(path).unwrap()).and_then(|mut from| from.read_to_end(&mut text));
        (text, end.map(|_| ()))
    }

    /// What the real program makes of `text`.
    fn packed(program: &str, text: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, text).unwrap();
        let output = Command::new(program)
            .arg("-c")
            .stdin(Stdio::from(File::open(path).unwrap()))
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}; install the Debian package of that name"));
        assert!(output.status.success());
        output.stdout
    }

    #[test]
    fn what_the_real_programs_pack_is_unpacked() {
        let text = "Nov 21 07:44:14 mx dovecot: imap-login: Login: user=<alice>\n".repeat(20_000).into_bytes();
        assert_eq!(through(&text).unwrap(), text);
        assert_eq!(through(b"").unwrap(), b"");
        for program in ["gzip", "xz", "zstd"] {
            let once = packed(program, &text);
            assert!(through(&once).unwrap() == text, "{program}");
            let twice = [once.clone(), once.clone()].concat();
            assert!(through(&twice).unwrap() == [text.clone(), text.clone()].concat(), "{program} twice");
            // What was cut off is an error, and what came before it was there.
            assert!(through(&once[..once.len() / 2]).is_err(), "{program} cut");
            assert!(through(&once[..once.len() - 1]).is_err(), "{program} cut at its end");
        }
    }

    /// Comes byte by byte, as a pipe may give it.
    struct Bytes(Cursor<Vec<u8>>);

    impl Read for Bytes {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = into.len().min(1);
            self.0.read(&mut into[..most])
        }
    }

    #[test]
    fn what_comes_in_pieces_is_unpacked() {
        let text = b"Nov 21 07:44:14 mx cron[7]: nothing\n";
        let plain = [&b""[..], b"\x1f", b"(", b"\xfd7zX", b"\xfd7zX and on", text].map(<[u8]>::to_vec);
        let packed = ["gzip", "xz", "zstd"].map(|program| packed(program, text));
        let plain = plain.into_iter().map(|bytes| (bytes.clone(), bytes));
        for (bytes, wanted) in plain.chain(packed.into_iter().map(|bytes| (bytes, text.to_vec()))) {
            let mut got = Vec::new();
            decompressed(Bytes(Cursor::new(bytes))).unwrap().read_to_end(&mut got).unwrap();
            assert_eq!(got, wanted);
        }
    }

    /// Text that does not repeat, so that half of the file holds half of it.
    #[test]
    fn what_stands_before_a_cut_is_unpacked() {
        let line = |at: u64| format!("{at} {:x}\n", at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let text: String = (0..50_000).map(line).collect();
        for program in ["gzip", "xz", "zstd"] {
            let packed = packed(program, text.as_bytes());
            let (half, end) = up_to_the_end(&packed[..packed.len() / 2]);
            assert!(end.is_err() && text.as_bytes().starts_with(&half), "{program}");
            assert!(half.len() > text.len() / 3, "{program}: {} of {}", half.len(), text.len());
        }
    }
}

//! Logs that were compressed when they were rotated.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, StreamingDecoder};

/// The text of an opened file: what `.gz`, `.xz` and `.zst` hold, told by the first bytes and not by the name; of any other
/// file the bytes as they are.
pub fn decompressed(file: File) -> io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::new(file);
    Ok(match form(io::BufRead::fill_buf(&mut file)?) {
        Form::Plain => Box::new(file),
        Form::Gzip => Box::new(MultiGzDecoder::new(file)),
        Form::Xz => Box::new(ByPieces { from: XzReader::new(file, true), fault: None }),
        Form::Zstd => Box::new(Frames { file: Some(file), decoder: None, broken: None }),
    })
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

fn form(head: &[u8]) -> Form {
    match head {
        [0x1f, 0x8b, ..] => Form::Gzip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Form::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Form::Zstd,
        _ => Form::Plain,
    }
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
struct Frames {
    file: Option<BufReader<File>>,
    decoder: Option<Decoder>,
    /// What was unpacked of a frame that is broken, and why it is.
    broken: Option<(Box<FrameDecoder>, io::Error)>,
}

type Decoder = Box<StreamingDecoder<BufReader<File>, FrameDecoder>>;

/// An empty last block and a checksum, which nobody compares: the end of any frame (RFC 8878, section 3.1.1.2).
const FRAME_END: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl Read for Frames {
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
                self.file = self.decoder.take().map(|decoder| decoder.into_inner());
            }
            let Some(mut file) = self.file.take() else { return Ok(0) };
            if io::BufRead::fill_buf(&mut file)?.is_empty() {
                return Ok(0);
            }
            self.decoder = Some(Box::new(StreamingDecoder::new(file).map_err(io::Error::other)?));
        }
    }
}

#[cfg(test)]
mod tests {
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

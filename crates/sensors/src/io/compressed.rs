//! Logs that were compressed when they were rotated.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// The text of an opened file: what `.gz`, `.xz` and `.zst` hold, told by the first bytes and not by the name; of any other
/// file the bytes as they are.
pub fn decompressed(file: File) -> io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::new(file);
    Ok(match form(io::BufRead::fill_buf(&mut file)?) {
        Form::Plain => Box::new(file),
        Form::Gzip => Box::new(MultiGzDecoder::new(file)),
        Form::Xz => Box::new(XzReader::new(file, true)),
        Form::Zstd => Box::new(Frames { file: Some(file), decoder: None }),
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

/// All frames of a `.zst` file one after the other, as `zstd` and `cat` write them; a decoder reads one.
struct Frames {
    file: Option<BufReader<File>>,
    decoder: Option<Decoder>,
}

type Decoder = Box<StreamingDecoder<BufReader<File>, ruzstd::decoding::FrameDecoder>>;

impl Read for Frames {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(decoder) = &mut self.decoder {
                let count = decoder.read(into)?;
                if count > 0 || into.is_empty() {
                    return Ok(count);
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.log.1");
        std::fs::write(&path, bytes).unwrap();
        let mut text = Vec::new();
        decompressed(File::open(path).unwrap())?.read_to_end(&mut text)?;
        Ok(text)
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
        }
    }
}

use std::borrow::Cow;
use std::io::Read as _;

use flate2::bufread::MultiGzDecoder;

/// Most bytes that a packed file may become: what a text of 100 million entries takes.
pub const UNPACKED_BYTES_MAX: u64 = 4 << 30;

/// Why a packed file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is cut off, or its checksum is wrong.
    #[error("the gzip file is damaged or cut off: {0}")]
    Damaged(std::io::Error),
    /// It becomes larger than [`UNPACKED_BYTES_MAX`].
    #[error("the gzip file becomes larger than {UNPACKED_BYTES_MAX} bytes")]
    Large,
}

/// The content of a file, unpacked if it begins as a gzip file does (RFC 1952). Length and checksum are verified, so a
/// file that was cut off is never taken for a whole one.
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, UnpackError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut out);
    match read {
        Err(error) => Err(UnpackError::Damaged(error)),
        Ok(length) if length as u64 > UNPACKED_BYTES_MAX => Err(UnpackError::Large),
        Ok(_) => Ok(Cow::Owned(out)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn damaged_files_are_found() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(b"192.0.2.1\n").unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(&*unpack(&packed).unwrap(), b"192.0.2.1\n");
        assert_eq!(&*unpack(b"plain").unwrap(), b"plain");
        assert_eq!(&*unpack(&[&packed[..], &packed].concat()).unwrap(), b"192.0.2.1\n192.0.2.1\n");
        for cut in 2..packed.len() {
            assert!(unpack(&packed[..cut]).is_err(), "{cut}");
        }
        let mut wrong = packed.clone();
        let crc = packed.len() - 8;
        wrong[crc] ^= 1;
        assert!(matches!(unpack(&wrong), Err(UnpackError::Damaged(_))));
    }
}

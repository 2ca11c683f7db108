//! Files made here, by the format's description (`MaxMind` DB 2.0), and what is read of them.

use std::time::Duration;

use super::*;

/// Behind it the metadata stand.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// A file with one network of IPv4, whose first bits are those of `prefix`, and its system's number.
fn database(prefix: u32, bits: u32, number: u32) -> Vec<u8> {
    // A node for each bit: the way on, and a way that ends.
    let mut tree = Vec::new();
    for bit in 0..bits {
        let onward = if bit + 1 == bits { bits + 16 } else { bit + 1 };
        let is_one = prefix >> (31 - bit) & 1 == 1;
        let sides = if is_one { [bits, onward] } else { [onward, bits] };
        tree.extend(sides.iter().flat_map(|side: &u32| side.to_be_bytes()));
    }
    let entry = [map(1), text("autonomous_system_number"), number_32(number)].concat();
    let metadata = [
        map(9),
        [text("node_count"), number_32(bits)].concat(),
        [text("record_size"), number_16(32)].concat(),
        [text("ip_version"), number_16(4)].concat(),
        [text("database_type"), text("Test-ASN")].concat(),
        [text("languages"), vec![0x00, 0x04]].concat(),
        [text("binary_format_major_version"), number_16(2)].concat(),
        [text("binary_format_minor_version"), number_16(0)].concat(),
        [text("build_epoch"), vec![0x01, 0x02, 1]].concat(),
        [text("description"), map(1), text("en"), text("a test")].concat(),
    ]
    .concat();
    [tree, vec![0; 16], entry, MARK.to_vec(), metadata].concat()
}

fn map(pairs: u8) -> Vec<u8> {
    vec![0xe0 | pairs]
}

fn text(text: &str) -> Vec<u8> {
    let head = if text.len() < 29 { vec![0x40 | text.len() as u8] } else { vec![0x5d, (text.len() - 29) as u8] };
    [head, text.as_bytes().to_vec()].concat()
}

fn number_16(number: u16) -> Vec<u8> {
    [vec![0xa2], number.to_be_bytes().to_vec()].concat()
}

fn number_32(number: u32) -> Vec<u8> {
    [vec![0xc4], number.to_be_bytes().to_vec()].concat()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn a_file_is_read_again_when_it_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asn.mmdb");
    let file = SystemsFile::open(path.clone());
    assert_eq!(file.system_of(address("203.0.113.7")), None, "there is none yet");
    let prefix = u32::from_be_bytes([203, 0, 113, 0]);
    let mut written = 1;
    let mut write = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        // Times of files are coarse.
        written += 10;
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(written))
            .unwrap();
        file.look();
    };
    write(&database(prefix, 24, 64_500));
    let systems =
        |file: &SystemsFile| ["203.0.113.7", "203.0.112.7", "2001:db8::1"].map(|text| file.system_of(address(text)));
    assert_eq!(systems(&file), [Some(64_500), None, None]);
    write(&database(prefix, 24, 64_501));
    assert_eq!(systems(&file), [Some(64_501), None, None]);
    // Damaged ones change nothing.
    for bytes in [&b"no database"[..], b"", &database(prefix, 24, 1)[..100], &[0xff; 4096]] {
        write(bytes);
        assert_eq!(systems(&file), [Some(64_501), None, None]);
    }
    fs::remove_file(&path).unwrap();
    file.look();
    assert_eq!(systems(&file), [Some(64_501), None, None]);
}

#[test]
fn no_damage_of_a_file_stops_the_node() {
    let whole = database(u32::from_be_bytes([203, 0, 113, 0]), 24, 64_500);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asn.mmdb");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fs::write(&path, &bytes).unwrap();
        // Whatever it says, it is a number or nothing, and there at once.
        let told = SystemsFile::open(path.clone()).system_of(address("203.0.113.7"));
        assert!(told.is_none_or(|number| number != 64_501), "byte {at}");
    }
}

//! Writes small files in `MaxMind`'s format, by its description (`MaxMind` DB 2.0), for tests here and in `tests/`.

/// Behind this mark the metadata stand.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// A file with one network of IPv4, whose first bits are those of `prefix`, and its system's number.
pub(crate) fn systems(prefix: u32, bits: u32, number: u32) -> Vec<u8> {
    file(prefix, bits, "Test-ASN", &[map(1), text("autonomous_system_number"), number_32(number)].concat())
}

/// One that says in which country that network is, as `MaxMind` writes it.
pub(crate) fn countries(prefix: u32, bits: u32, code: &str) -> Vec<u8> {
    let country = [map(2), text("geoname_id"), number_32(7), text("iso_code"), text(code)].concat();
    file(prefix, bits, "Test-Country", &[map(1), text("country"), country].concat())
}

/// A file of that type with one network and its entry.
pub(crate) fn file(prefix: u32, bits: u32, kind: &str, entry: &[u8]) -> Vec<u8> {
    // A node for each bit: the way on, and a way that ends.
    let mut tree = Vec::new();
    for bit in 0..bits {
        let onward = if bit + 1 == bits { bits + 16 } else { bit + 1 };
        let is_one = prefix >> (31 - bit) & 1 == 1;
        let sides = if is_one { [bits, onward] } else { [onward, bits] };
        tree.extend(sides.iter().flat_map(|side: &u32| side.to_be_bytes()));
    }
    let metadata = [
        map(9),
        [text("node_count"), number_32(bits)].concat(),
        [text("record_size"), number_16(32)].concat(),
        [text("ip_version"), number_16(4)].concat(),
        [text("database_type"), text(kind)].concat(),
        [text("languages"), vec![0x00, 0x04]].concat(),
        [text("binary_format_major_version"), number_16(2)].concat(),
        [text("binary_format_minor_version"), number_16(0)].concat(),
        [text("build_epoch"), vec![0x01, 0x02, 1]].concat(),
        [text("description"), map(1), text("en"), text("a test")].concat(),
    ]
    .concat();
    [tree, vec![0; 16], entry.to_vec(), MARK.to_vec(), metadata].concat()
}

/// The head of a map.
pub(crate) fn map(pairs: u8) -> Vec<u8> {
    vec![0xe0 | pairs]
}

/// A text.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let head = if text.len() < 29 { vec![0x40 | text.len() as u8] } else { vec![0x5d, (text.len() - 29) as u8] };
    [head, text.as_bytes().to_vec()].concat()
}

fn number_16(number: u16) -> Vec<u8> {
    [vec![0xa2], number.to_be_bytes().to_vec()].concat()
}

fn number_32(number: u32) -> Vec<u8> {
    [vec![0xc4], number.to_be_bytes().to_vec()].concat()
}

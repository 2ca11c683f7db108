//! What is read of files, whole and damaged.

use std::time::Duration;

use super::mmdb::{countries, file, map, systems as database, text};
use super::*;

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn a_file_is_read_again_when_it_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asn.mmdb");
    let file = AddressFile::open(path.clone(), Tells::Systems);
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
        |file: &AddressFile| ["203.0.113.7", "203.0.112.7", "2001:db8::1"].map(|text| file.system_of(address(text)));
    assert_eq!(systems(&file), [Some(64_500), None, None]);
    assert_eq!(file.warning(), None);
    write(&database(prefix, 24, 64_501));
    assert_eq!(systems(&file), [Some(64_501), None, None]);
    // Damaged ones change nothing.
    for bytes in [&b"no database"[..], b"", &database(prefix, 24, 1)[..100], &[0xff; 4096]] {
        write(bytes);
        assert_eq!(systems(&file), [Some(64_501), None, None]);
        let warning = file.warning().unwrap();
        assert!(warning.ends_with("; what it said before holds"), "{warning}");
    }
    fs::remove_file(&path).unwrap();
    file.look();
    assert_eq!(systems(&file), [Some(64_501), None, None]);
}

#[test]
fn what_a_file_is_not_is_said() {
    let prefix = u32::from_be_bytes([203, 0, 113, 0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.mmdb");
    let fault = |tells| {
        let warning = AddressFile::open(path.clone(), tells).warning();
        let start = format!("the file `{}` of `{}` cannot be used: ", path.display(), tells.key());
        warning.map(|warning| warning.strip_prefix(&start).unwrap().to_owned())
    };
    assert_eq!(fault(Tells::Systems).unwrap(), "no such file or directory; no rule counts by `asn`");
    fs::write(&path, countries(prefix, 24, "NL")).unwrap();
    assert_eq!(fault(Tells::Countries), None);
    assert_eq!(
        fault(Tells::Systems).unwrap(),
        "it tells no autonomous systems: it is of type \"Test-Country\"; no rule counts by `asn`"
    );
    fs::write(&path, database(prefix, 24, 64_500)).unwrap();
    assert_eq!(
        fault(Tells::Countries).unwrap(),
        "it tells no countries: it is of type \"Test-ASN\"; accounts are judged without countries"
    );
    fs::write(&path, &countries(prefix, 24, "NL")[..200]).unwrap();
    let half = fault(Tells::Countries).unwrap();
    assert!(half.starts_with("it is no file of MaxMind's format, or not the whole of one ("), "{half}");
}

#[test]
fn countries_are_read_in_both_spellings() {
    let prefix = u32::from_be_bytes([203, 0, 113, 0]);
    let flat = |code: &str| file(prefix, 24, "flat", &[map(1), text("country_code"), text(code)].concat());
    let cases = [
        (countries(prefix, 24, "NL"), Some(*b"NL")),
        (flat("DE"), Some(*b"DE")),
        (flat("Deutschland"), None),
        (flat(""), None),
        (database(prefix, 24, 64_500), None),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("country.mmdb");
    for (bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        let files = AddressFiles { systems: None, countries: Some(AddressFile::open(path.clone(), Tells::Countries)) };
        let geo = files.geo().unwrap();
        let located = ["203.0.113.7", "203.0.112.7", "2001:db8::1"].map(|text| geo.locate(address(text)).country);
        assert_eq!(located, [expected, None, None]);
    }
    assert!(AddressFiles::default().geo().is_none(), "nothing tells where anybody is");
}

#[test]
fn no_damage_of_a_file_stops_the_node() {
    let prefix = u32::from_be_bytes([203, 0, 113, 0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.mmdb");
    for (whole, tells) in
        [(database(prefix, 24, 64_500), Tells::Systems), (countries(prefix, 24, "NL"), Tells::Countries)]
    {
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            fs::write(&path, &bytes).unwrap();
            // Whatever it says, it is what has its form or nothing, and there at once.
            let file = AddressFile::open(path.clone(), tells);
            let told = file.system_of(address("203.0.113.7"));
            assert!(told.is_none_or(|number| number != 64_501), "byte {at}");
            let country = file.tell(address("203.0.113.7"), country);
            assert!(country.is_none_or(|code| code.iter().all(u8::is_ascii_uppercase)), "byte {at}");
        }
    }
}

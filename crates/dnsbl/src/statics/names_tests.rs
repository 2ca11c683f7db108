use super::*;

fn key(name: &str) -> Vec<u8> {
    let labels = name.rsplit('.').filter(|label| !label.is_empty());
    labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect()
}

#[test]
fn exact_names_stand_before_what_is_above_them() {
    let list = [
        ("com.example", Some(1), None),
        ("dot.com", Some(2), Some(2)),
        ("no.dot.com", Some(0), None),
        ("star.com", None, Some(3)),
        ("ex.star.com", None, Some(0)),
        ("ok.ex.star.com", Some(4), None),
    ];
    let mut sorted: Vec<_> = list.iter().map(|(name, exact, below)| (key(name), *exact, *below)).collect();
    sorted.sort();
    let all: Vec<_> = sorted.iter().map(|(key, exact, below)| Listed { key, exact: *exact, below: *below }).collect();
    let names = Names::new(&all);
    let cases = [
        ("com.example", Some((1, "com.example")), false),
        ("x.com.example", None, false),
        ("example", None, true),
        ("dot.com", Some((2, "dot.com")), true),
        ("a.b.dot.com", Some((2, "dot.com")), false),
        ("no.dot.com", Some((0, "no.dot.com")), false),
        ("x.no.dot.com", Some((2, "dot.com")), false),
        ("star.com", None, true),
        ("a.star.com", Some((3, "star.com")), false),
        ("ex.star.com", Some((3, "star.com")), true),
        ("y.ex.star.com", Some((0, "ex.star.com")), false),
        ("ok.ex.star.com", Some((4, "ok.ex.star.com")), false),
        ("com", None, true),
        ("om", None, false),
    ];
    for (name, wanted, is_above) in cases {
        let got = names.get(&key(name)).map(|(set, key)| {
            let mut out = [0; 255];
            let length = write_name(key, &mut out);
            (set, String::from_utf8(out[..length].to_vec()).unwrap())
        });
        assert_eq!(got.as_ref().map(|(set, name)| (*set, name.as_str())), wanted, "{name}");
        assert_eq!(names.is_above(&key(name)), is_above, "{name}");
    }
}

#[test]
fn names_are_written_with_escapes() {
    let mut out = [0; 255];
    let length = write_name(b"\x03com\x04a.\\\x07\x01*", &mut out);
    assert_eq!(&out[..length], b"*.a\\.\\\\\\007.com");
    assert_eq!(write_name(b"\x03com", &mut out[..2]), 2);
}

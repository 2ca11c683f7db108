use std::path::Path;

use super::super::files::write_whole;
use super::*;

const NOW: Timestamp = Timestamp::from_secs(2_000_000_000);
const HEAD: &str = "$SOA 0 ns.ex admin.ex 0 1h 1h 1w 1m\n$NS 0 ns.ex\n127.0.0.2\n";

fn files(path: &Path) -> StaticFiles {
    let dataset = DatasetFiles { kind: Kind::Ip4Set, paths: vec![path.into()], options: Options::default() };
    let zone = |name: &str| ZoneFiles {
        name: Name::parse(name).unwrap(),
        sharing: Sharing::Alone,
        datasets: vec![dataset.clone()],
        defaults: Header::default(),
        gates: Gates::default(),
    };
    StaticFiles::new(vec![zone("a.test"), zone("b.test")]).unwrap()
}

fn put(path: &Path, text: &str) {
    write_whole(path, |out| out.write_all(text.as_bytes())).unwrap();
}

fn lists(files: &StaticFiles, address: &str) -> bool {
    let content = files.statics().content(&Name::parse("b.test").unwrap());
    content.is_some_and(|content| content.lists(address.parse().unwrap()))
}

#[test]
fn the_last_good_content_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let mut files = files(&path);
    assert_eq!(files.poll(NOW).errors.len(), 1, "there is no file yet");
    put(&path, &format!("{HEAD}127.0.0.0/8\n"));
    let first = files.poll(NOW);
    assert!(first.zones.is_empty() && first.errors[0].to_string().contains("list 127.0.0.1"), "{first:?}");
    let error = first.errors[0].to_string();
    let (place, caret) = (
        format!("error: {}:4:1: zone `a.test` would list", path.display()),
        "\n4 | 127.0.0.0/8\n  | ^^^^^^^^^^^\n  hint: ",
    );
    assert!(error.starts_with(&place) && error.contains(caret), "{error}");
    put(&path, &format!("{HEAD}192.0.2.1\n192.0.2.2\n"));
    let first = files.poll(NOW);
    assert!(first.errors.is_empty() && first.zones.len() == 2 && first.zones[0].1 == 3);
    assert!(files.poll(NOW).zones.is_empty(), "nothing has changed");
    let refused = [
        ("192.0.2.1\nnothing\n", "no IPv4"),
        ("192.0.2.1\n192.0.2", "ends within a line"),
        ("", "no entry"),
        ("127.0.0.2\n", "1 entries instead of 3"),
        ("192.0.2.1\n192.0.2.9\n192.0.2.8\n", "lose 127.0.0.2"),
        ("127.0.0.2\n127.0.0.1\n192.0.2.9\n", "list 127.0.0.1"),
    ];
    for (text, wanted) in refused {
        let head = HEAD.trim_end_matches("127.0.0.2\n");
        let text = if text.is_empty() { String::new() } else { format!("{head}{text}") };
        put(&path, &text);
        let found = files.poll(NOW);
        assert!(found.zones.is_empty(), "{text}");
        let error = found.errors[0].to_string();
        assert!(error.contains(wanted) || wanted == "no IPv4" && error.contains("octet"), "{error}");
        let has_place = text.is_empty() || error.contains(&format!("{}:", path.display())) && error.contains('^');
        assert!(has_place, "{error}");
        assert!(lists(&files, "192.0.2.1") && !lists(&files, "192.0.2.9"));
        assert!(files.poll(NOW).errors.is_empty(), "it is told once");
    }
    put(&path, &format!("{HEAD}192.0.2.9\n192.0.2.3\n"));
    assert_eq!(files.poll(NOW).zones.len(), 2);
    assert!(lists(&files, "192.0.2.9") && !lists(&files, "192.0.2.1"));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(files.poll(NOW).errors.len(), 1);
    assert!(lists(&files, "192.0.2.9"), "a file that is gone changes nothing");
}

#[test]
fn a_start_with_faulty_files_goes_on_with_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copies) = (folder.path().join("list"), folder.path().join("state/zones"));
    let good = format!("{HEAD}192.0.2.1\n192.0.2.2\n192.0.2.3\n192.0.2.7\n");
    let start = || {
        let mut files = files(&path).with_copies(copies.clone());
        let found = files.poll(NOW);
        (files, found)
    };
    put(&path, &good);
    std::fs::create_dir_all(&copies).unwrap();
    put(&copies.join("of-a-zone-that-is-gone"), "");
    let (first, found) = start();
    assert!(found.errors.is_empty() && lists(&first, "192.0.2.1"), "{found:?}");
    assert_eq!(std::fs::read_dir(&copies).unwrap().count(), 1, "zones with the same files share the copy");
    let head = HEAD.trim_end_matches("127.0.0.2\n");
    let refused = [
        (Some(format!("{HEAD}192.0.2.1\nnothing\n")), "list:5:1"),
        (Some(good[..good.len() - 1].to_owned()), "ends within a line"),
        (Some(format!("{HEAD}192.0.2.1\n")), "2 entries instead of 5"),
        (Some(format!("{head}192.0.2.1\n192.0.2.4\n192.0.2.5\n192.0.2.6\n")), "lose 127.0.0.2"),
        (Some(String::new()), "no entry"),
        (None, "cannot read"),
    ];
    for (text, wanted) in refused {
        match &text {
            Some(text) => put(&path, text),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let (mut files, found) = start();
        assert!(found.zones.is_empty() && found.errors[0].to_string().contains(wanted), "{wanted}: {found:?}");
        assert!(lists(&files, "192.0.2.2") && !lists(&files, "192.0.2.4"), "{wanted}");
        let faults = files.faults();
        assert!(faults.len() == 2 && faults.iter().all(|fault| fault.is_copy), "{faults:?}");
        assert!(faults[0].fault.contains(wanted), "{faults:?}");
        assert!(files.poll(NOW).errors.is_empty(), "it is told once");
    }
    // Another start, and the files are right again: they are served, and are the copy from now on.
    put(&path, &format!("{HEAD}192.0.2.2\n192.0.2.4\n192.0.2.5\n"));
    let (files, found) = start();
    assert!(found.errors.is_empty() && files.faults().is_empty() && lists(&files, "192.0.2.4"), "{found:?}");
    std::fs::remove_file(&path).unwrap();
    assert!(lists(&start().0, "192.0.2.4"));
    // A copy that is damaged is none.
    let copy = std::fs::read_dir(&copies).unwrap().next().unwrap().unwrap().path();
    let (mut octets, _) = read_whole(&copy).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    write_whole(&copy, |out| out.write_all(&octets)).unwrap();
    let (files, found) = start();
    assert!(found.errors.iter().any(|error| error.to_string().contains("the copy is damaged")), "{found:?}");
    assert!(!lists(&files, "192.0.2.4") && files.faults().iter().all(|fault| !fault.is_copy));
}

#[test]
fn no_file_lists_the_world() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let kinds = |kind, gates| {
        let options = Options { may_be_wide: Gates::default() != gates, ..Options::default() };
        let dataset = DatasetFiles { kind, paths: vec![path.clone()], options };
        let (name, defaults) = (Name::parse("b.test").unwrap(), Header::default());
        StaticFiles::new(vec![ZoneFiles { name, sharing: Sharing::Alone, datasets: vec![dataset], defaults, gates }])
    };
    let eighths: Vec<String> = (1..=113).map(|first| format!("{first}.0.0.0/8 :{}:\n", 2 + first % 2)).collect();
    let eighths = eighths.concat();
    let head = HEAD.trim_end_matches("127.0.0.2\n");
    let few = format!("{head}192.0.2.1\n");
    let cases = [
        (Kind::Ip4Trie, "0.0.0.0/1\n128.0.0.0/1\n!127.0.0.0/8\n", Some(":3:1: lists more than a /8")),
        (Kind::Ip4Trie, "!127.0.0.0/8\n0.0.0.0/0\n", Some(":4:1: lists more than a /8")),
        (Kind::Ip4Set, "1.0.0.0-3.0.0.0\n", Some(":3:1: lists more than a /8")),
        (Kind::Ip4Set, &eighths, Some("more than half of all IPv4 addresses")),
        (Kind::Ip4Trie, "10.0.0.0/8\n224.0.0.0/3\n!0.0.0.0/0\n", None),
        (Kind::Ip6Trie, "2000::/3\n", Some(":3:1: lists more than a /16")),
        (Kind::Ip6Trie, "!::1\n::/0\n", Some(":4:1: lists more than a /16")),
        (Kind::Ip6Trie, "!::ffff:7f00:0/104\n::ffff:0:0/96\n", Some(":4:1: lists more than a /16")),
        (Kind::Ip6Trie, "fc00::/7\n2002::/16\n4000::/2\n", None),
        (Kind::DnSet, "example.org\n*.com\n", Some(":4:3: lists all names")),
        (Kind::DnSet, ".org\n", Some(":3:2: lists all names")),
        (Kind::DnSet, ".test\n*.co.uk\n!.com\ncom\n*.10\n*.f\n", None),
    ];
    for (kind, text, wanted) in cases {
        put(&path, &format!("{head}{text}"));
        let found = kinds(kind, Gates::default()).unwrap().poll(NOW);
        let error = found.errors.first().map(ToString::to_string).unwrap_or_default();
        assert_eq!((error.is_empty(), found.zones.len()), (wanted.is_none(), usize::from(wanted.is_none())), "{error}");
        assert!(wanted.is_none_or(|wanted| error.contains(wanted) && error.contains("may-be-wide")), "{text}: {error}");
        // Whoever wants it says so.
        let gates = Gates { may_be_wide: true, may_break_tests: true, ..Gates::default() };
        assert_eq!(kinds(kind, gates).unwrap().poll(NOW).zones.len(), 1, "{text}");
    }
    // Also not a running zone.
    put(&path, &few);
    let mut files = kinds(Kind::Ip4Trie, Gates::default()).unwrap();
    assert_eq!(files.poll(NOW).zones.len(), 1);
    put(&path, &format!("{few}0.0.0.0/1\n128.0.0.0/1\n!127.0.0.0/8\n"));
    assert_eq!(files.poll(NOW).errors.len(), 1);
    assert!(!lists(&files, "203.0.113.5") && lists(&files, "192.0.2.1"));
}

#[test]
fn a_list_grows_by_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let mut files = files(&path);
    let mut grown = |count: usize| {
        let head = HEAD.trim_end_matches("127.0.0.2\n");
        let line = |n| format!("{}\n", Ipv4Addr::from_bits(0xc000_0200 + n as u32));
        let lines: Vec<String> = (0..count).map(line).collect();
        put(&path, &format!("{head}{}", lines.concat()));
        files.poll(NOW).errors.first().map(ToString::to_string)
    };
    for count in [3, SMALL_MAX, 2 * SMALL_MAX, 4 * SMALL_MAX] {
        assert_eq!(grown(count), None, "{count}");
    }
    let error = grown(8 * SMALL_MAX + 1).unwrap();
    assert!(error.contains("8001 entries instead of 4000") && error.contains("`grow`"), "{error}");
    assert_eq!(grown(8 * SMALL_MAX), None);
}

type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_copy_is_told_while_the_files_are_there_and_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copies) = (folder.path().join("list"), folder.path().join("state/zones"));
    let start = || {
        let mut files = files(&path).with_copies(copies.clone());
        let found = files.poll(NOW);
        (files, found)
    };
    put(&path, &format!("{HEAD}192.0.2.1\n192.0.2.2\n"));
    assert!(start().1.errors.is_empty());
    let copy = std::fs::read_dir(&copies).unwrap().next().unwrap().unwrap().path();
    let (whole, _) = read_whole(&copy).unwrap();
    let damages: [(&str, Damage); 6] = [
        ("a digit of an entry", |octets| *octets.iter_mut().rev().nth(18).unwrap() ^= 1),
        ("its hash", |octets| *octets.last_mut().unwrap() ^= 1),
        ("its end is gone", |octets| octets.truncate(octets.len() - 20)),
        ("its first octet", |octets| octets[0] ^= 1),
        ("a stamp", |octets| octets[30] ^= 1),
        ("nothing is left", Vec::clear),
    ];
    for (what, damage) in damages {
        let mut octets = whole.clone();
        damage(&mut octets);
        write_whole(&copy, |out| out.write_all(&octets)).unwrap();
        let (files, found) = start();
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, [format!("cannot use the copy of {}: the copy is damaged", path.display())], "{what}");
        assert!(lists(&files, "192.0.2.1") && files.faults().is_empty(), "{what}");
        assert_eq!(read_whole(&copy).unwrap().0, whole, "{what}: it is written anew");
        assert!(start().1.errors.is_empty(), "{what}");
    }
}

#[test]
fn files_that_cannot_be_copied_are_served_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copies) = (folder.path().join("list"), folder.path().join("zones"));
    put(&path, &format!("{HEAD}192.0.2.1\n"));
    // A file stands where the folder of the copies should be.
    put(&copies, "");
    let mut files = files(&path).with_copies(copies.clone());
    files.poll(NOW);
    assert!(lists(&files, "192.0.2.1"));
    let uncopied = |files: &StaticFiles| files.uncopied().map(|(zone, _)| zone.to_string()).collect::<Vec<_>>();
    assert_eq!(uncopied(&files), ["a.test", "b.test"]);
    std::fs::remove_file(&copies).unwrap();
    files.poll(NOW);
    assert!(uncopied(&files).is_empty());
}

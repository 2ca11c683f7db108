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
    put(&path, &format!("{HEAD}0.0.0.0/0\n"));
    let first = files.poll(NOW);
    assert!(first.zones.is_empty() && first.errors[0].to_string().contains("list 127.0.0.1"), "{first:?}");
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

//! Where in files something stands that is not wrong in itself, but is not to be served.

use super::fault::{Fault, Wrong};
use super::reader::{Source, last_line};

/// The place behind the last line of a file: where something is missing.
pub fn at_end(file: &Source<'_>, message: impl Into<Box<str>>, hint: &str) -> Fault {
    let (number, line) = last_line(file.bytes);
    Wrong::new(line.len(), message).hint(hint).place(file.name, number, line)
}

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::super::{Kind, Options, line_that_lists};
    use super::*;

    #[test]
    fn the_line_that_lists_an_address() {
        let cases = [
            (Kind::Ip4Set, "192.0.2.1\n0.0.0.0/0 :2:all\n127.0.0.2\n", "list:2:1"),
            (Kind::Ip4Set, "0.0.0.0/0\n  127/8\n!127.0.0.1\n127.0.0.2\n", "list:2:1"),
            (Kind::Ip4Set, "0.0.0.0/0\n127.0.0.1-127.0.0.9\n:5:x\n", "list:2:1"),
            (Kind::Ip4TSet, "127.0.0.2\n127.0.0.1\n", "list:2:1"),
            (Kind::Combined, "$DATASET ip4set:a sub\n127.0.0.1\n$DATASET ip4trie:b @\n127.0.0.0/24\n", "list:4:1"),
            (Kind::Ip4Set, "192.0.2.1\n", ""),
            (Kind::DnSet, "127.0.0.1\n", ""),
        ];
        for (kind, text, wanted) in cases {
            let file = Source { name: "list", bytes: text.as_bytes(), modified: 0 };
            let address = core::net::Ipv4Addr::LOCALHOST;
            let options = Options { may_be_wide: true, ..Options::default() };
            let found = line_that_lists(address, kind, &[file], Timestamp::EPOCH, options, "here");
            let found = found.map(|fault| fault.to_string()).unwrap_or_default();
            assert!(found.starts_with(wanted) && found.is_empty() == wanted.is_empty(), "{text}: {found}");
        }
    }

    #[test]
    fn the_end_of_a_file() {
        for (text, wanted) in [
            ("127.0.0.2\nabc\n", "list:2:4: short\n2 | abc\n  |    ^\n  hint: more"),
            ("abc", "list:1:4: short\n1 | abc\n  |    ^\n  hint: more"),
            ("", "list:1:1: short\n1 | \n  | ^\n  hint: more"),
        ] {
            let file = Source { name: "list", bytes: text.as_bytes(), modified: 0 };
            assert_eq!(at_end(&file, "short", "more").to_string(), wanted);
        }
    }
}

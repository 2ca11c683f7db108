//! The world's side of DNS: BIND's `dig`, and what it prints.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use crate::process::{program, run};

/// A `dig` that asks one server.
#[derive(Clone, Copy, Debug)]
pub struct Dig {
    server: SocketAddr,
}

/// What the server answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// `NOERROR`, `NXDOMAIN`, …
    pub status: String,
    /// The flags, such as `qr aa rd`.
    pub flags: Vec<String>,
    /// The answer section.
    pub answer: Vec<Record>,
    /// The authority section.
    pub authority: Vec<Record>,
}

/// A record in an [`Answer`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// How long it may be kept, in seconds.
    pub ttl: u32,
    /// Its type.
    pub kind: String,
    /// Its data as in a zone file.
    pub data: String,
}

impl Dig {
    /// Asks that server.
    pub fn at(server: SocketAddr) -> Self {
        Self { server }
    }

    /// Asks for the records of one type by UDP.
    pub fn ask(self, name: &str, kind: &str) -> Answer {
        self.ask_with(name, kind, &[])
    }

    /// Asks with further options of `dig`, such as `+tcp`.
    pub fn ask_with(self, name: &str, kind: &str, options: &[&str]) -> Answer {
        let mut command = Command::new(program("dig", "bind9-dnsutils"));
        command.arg(format!("@{}", self.server.ip())).args(["-p", &self.server.port().to_string()]);
        command.args(["+time=3", "+tries=3", "+norecurse"]).args(options).args([name, kind]);
        let said = run(&mut command).with_code(0);
        parse(&said.out).unwrap_or_else(|| panic!("{command:?} got no answer:\n{}", said.out))
    }

    /// The addresses that a name answers with.
    pub fn addresses(self, name: &str) -> Vec<String> {
        self.ask(name, "A").answer.into_iter().filter(|record| record.kind == "A").map(|record| record.data).collect()
    }
}

/// The name under which a list of the zone `list` answers for an address.
pub fn entry(address: &str, list: &str, origin: &str) -> String {
    let labels: Vec<String> = match address.parse::<IpAddr>().expect("an address") {
        IpAddr::V4(v4) => v4.octets().iter().rev().map(u8::to_string).collect(),
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles.rev().map(|nibble| format!("{nibble:x}")).collect()
        }
    };
    format!("{}.{list}.{origin}", labels.join("."))
}

/// Reads `dig`'s default output; nothing if it got no answer.
fn parse(text: &str) -> Option<Answer> {
    let mut answer = Answer::default();
    let mut section = "";
    for line in text.lines() {
        if let Some(header) = line.strip_prefix(";; ->>HEADER<<- ") {
            header.split_once("status: ")?.1.split(',').next()?.clone_into(&mut answer.status);
        } else if let Some(flags) = line.strip_prefix(";; flags:") {
            answer.flags = flags.split(';').next()?.split_whitespace().map(str::to_owned).collect();
        } else if let Some(name) = line.strip_prefix(";; ").and_then(|line| line.strip_suffix(" SECTION:")) {
            section = name;
        } else if let Some(record) = record(line) {
            match section {
                "ANSWER" => answer.answer.push(record),
                "AUTHORITY" => answer.authority.push(record),
                _ => {}
            }
        }
    }
    (!answer.status.is_empty()).then_some(answer)
}

fn record(line: &str) -> Option<Record> {
    if line.starts_with(';') {
        return None;
    }
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let ttl = words.next()?.parse().ok()?;
    let (_class, kind) = (words.next()?, words.next()?.to_owned());
    // The data is what follows the type, with its own spaces: texts may hold several.
    let data = line.split_once(&format!("\t{kind}\t")).map_or_else(|| words.collect(), |(_, data)| data.to_owned());
    Some(Record { name, ttl, kind, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "
; <<>> DiG 9.18.49 <<>> @127.0.0.1 -p 5300 +norecurse 1.2.0.192.auth.bl.example.org TXT
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 5205
;; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;1.2.0.192.auth.bl.example.org. IN TXT

;; ANSWER SECTION:
1.2.0.192.auth.bl.example.org. 300 IN\tTXT\t\"192.0.2.1 guessed  passwords.\"

;; Query time: 0 msec
";

    #[test]
    fn an_answer_of_dig_is_read() {
        let answer = parse(LISTED).unwrap();
        assert_eq!(answer.status, "NOERROR");
        assert_eq!(answer.flags, ["qr", "aa"]);
        let [record] = &answer.answer[..] else { panic!("one record") };
        assert_eq!((record.ttl, record.kind.as_str()), (300, "TXT"));
        assert_eq!(record.data, "\"192.0.2.1 guessed  passwords.\"");
        assert_eq!(parse(";; communications error to 127.0.0.1#5300: timed out\n"), None);
    }

    #[test]
    fn names_of_addresses() {
        let cases = [
            ("192.0.2.1", "1.2.0.192.auth.example."),
            ("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.auth.example."),
        ];
        for (address, wanted) in cases {
            assert_eq!(entry(address, "auth", "example."), wanted);
        }
    }
}

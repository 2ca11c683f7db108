//! One line to the gate, one line back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a login waits for the node in all.
pub const PATIENCE: Duration = Duration::from_millis(200);

/// Longest answer that is read; the gate's are a few words.
const ANSWER_BYTES_MAX: usize = 256;

/// Longest value that is sent; the gate takes lines of 4096 bytes, and a byte may become three.
const VALUE_BYTES_MAX: usize = 320;

/// What the node says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Go on; also when the node did not answer, or not in these words.
    Pass,
    /// Wait so long, then go on, and ask again when the password was found right.
    Wait(Duration),
    /// Refuse.
    Refuse,
    /// Refuse for now.
    Defer,
}

/// Asks the gate at `place`: an address with a port, or the path of a unix socket. `verb` is the line's first word;
/// names whose value is empty are not told.
pub fn ask(place: &str, verb: &str, names: &[(&str, &[u8])]) -> Verdict {
    answer(place, &line(verb, names)).map_or(Verdict::Pass, |answer| read(&answer))
}

fn line(verb: &str, names: &[(&str, &[u8])]) -> Vec<u8> {
    let mut line = verb.as_bytes().to_vec();
    for (name, value) in names.iter().filter(|(_, value)| !value.is_empty()) {
        line.extend_from_slice(format!(" {name}=").as_bytes());
        for byte in value.iter().take(VALUE_BYTES_MAX) {
            // No login can end a word or the line.
            if byte.is_ascii_graphic() && *byte != b'%' {
                line.push(*byte);
            } else {
                line.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
        }
    }
    line.push(b'\n');
    line
}

/// Of a node that listens with its queue full, or is frozen, nothing comes: then the time is over and there is none.
fn answer(place: &str, line: &[u8]) -> Option<Vec<u8>> {
    let end = Instant::now() + PATIENCE;
    if let Ok(address) = place.parse::<SocketAddr>() {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        return exchange(stream, TcpStream::set_read_timeout, TcpStream::set_write_timeout, line, end);
    }
    let stream = UnixStream::connect(place).ok()?;
    exchange(stream, UnixStream::set_read_timeout, UnixStream::set_write_timeout, line, end)
}

type SetTimeout<S> = fn(&S, Option<Duration>) -> std::io::Result<()>;

fn exchange<S: Read + Write>(
    mut stream: S,
    reads_for: SetTimeout<S>,
    writes_for: SetTimeout<S>,
    line: &[u8],
    end: Instant,
) -> Option<Vec<u8>> {
    let left = || end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    writes_for(&stream, Some(left()?)).ok()?;
    stream.write_all(line).ok()?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    let mut length = 0;
    while !answer[..length].contains(&b'\n') {
        reads_for(&stream, Some(left()?)).ok()?;
        let read = stream.read(&mut answer[length..]).ok().filter(|read| *read > 0)?;
        length += read;
    }
    Some(answer[..length].to_vec())
}

/// `NUMBER VERDICT REASON`.
fn read(answer: &[u8]) -> Verdict {
    let number = core::str::from_utf8(answer).ok().and_then(|text| text.split_ascii_whitespace().next()?.parse().ok());
    match number {
        Some(-1) => Verdict::Refuse,
        Some(-2) => Verdict::Defer,
        Some(seconds @ 1..) => Verdict::Wait(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
        Some(i64::MIN..=0) | None => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn no_value_ends_a_word() {
        let cases: [(&[u8], &str); 5] = [
            (b"alice", "check login=alice\n"),
            (b"a b\nok login=bob", "check login=a%20b%0Aok%20login=bob\n"),
            (b"100%", "check login=100%25\n"),
            (b"\xff\0", "check login=%FF%00\n"),
            (b"", "check\n"),
        ];
        for (login, wanted) in cases {
            assert_eq!(String::from_utf8(line("check", &[("login", login)])).unwrap(), wanted);
        }
        let long = line("check", &[("login", &[b' '; 5000]), ("session", &[b' '; 5000])]);
        assert!(long.len() < 4096, "{}", long.len());
    }

    #[test]
    fn answers() {
        let cases: [(&[u8], Verdict); 9] = [
            (b"0 pass unlisted\n", Verdict::Pass),
            (b"-1 refuse address-listed\n", Verdict::Refuse),
            (b"-2 defer x\n", Verdict::Defer),
            (b"60 tarpit login-listed\n", Verdict::Wait(Duration::from_mins(1))),
            (b"0 error bad-address\n", Verdict::Pass),
            (b"-7 x\n", Verdict::Pass),
            (b"\n", Verdict::Pass),
            (b"-1x\n", Verdict::Pass),
            (b"\xff\xfe\n", Verdict::Pass),
        ];
        for (answer, wanted) in cases {
            assert_eq!(read(answer), wanted, "{answer:?}");
        }
    }

    #[test]
    fn a_node_that_is_away_or_silent_or_endless_lets_the_login_go_on() {
        assert_eq!(ask("/nowhere/gate.sock", "check", &[]), Verdict::Pass);
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = silent.local_addr().unwrap().to_string();
        assert_eq!(ask(&place, "check", &[]), Verdict::Pass);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // One for the question above, which nobody answered.
                for stream in silent.incoming().skip(1).take(2) {
                    let mut stream = stream.unwrap();
                    let mut line = String::new();
                    BufReader::new(&stream).read_line(&mut line).unwrap();
                    let answer: &[u8] = if line.contains("endless") { &[b'-'; 4096] } else { b"-1 refuse x\n" };
                    // It may have gone already.
                    drop(stream.write_all(answer));
                }
            });
            assert_eq!(ask(&place, "check", &[("address", b"192.0.2.1")]), Verdict::Refuse);
            assert_eq!(ask(&place, "check", &[("login", b"endless")]), Verdict::Pass);
        });
    }
}

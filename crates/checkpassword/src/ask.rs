//! One line to the gate, one line back.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

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
/// names whose value is empty are not told. After `patience` in all it is [`Verdict::Pass`], and standard error, which mail servers
/// put into their logs, says why. How long a client is to be held is a number in the answer, which comes at once like any other.
pub fn ask(place: &str, patience: Duration, verb: &str, names: &[(&str, &[u8])]) -> Verdict {
    match answer(place.to_owned(), line(verb, names), patience) {
        Ok(answer) => read(&answer),
        Err(error) => {
            say(&format!("{place}: {error}; the login goes on without Ratter"));
            Verdict::Pass
        }
    }
}

/// Writes a line to standard error.
pub fn say(text: &str) {
    // Without anybody who reads it, nobody is told.
    _ = writeln!(io::stderr(), "ratter: {text}");
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

/// The answer, if there is one within `patience`. A node that is frozen takes no connection once its queue is full, and then
/// connecting to a unix socket has no end: so a thread of its own does all that may wait. It ends with the program, or when
/// another takes its place.
fn answer(place: String, line: Vec<u8>, patience: Duration) -> io::Result<Vec<u8>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let exchange = move || sender.send(connect(&place, &line));
    std::thread::Builder::new().spawn(exchange)?;
    receiver.recv_timeout(patience).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn connect(place: &str, line: &[u8]) -> io::Result<Vec<u8>> {
    match place.parse::<SocketAddr>() {
        Ok(address) => exchange(TcpStream::connect(address)?, line),
        Err(_) => exchange(UnixStream::connect(place)?, line),
    }
}

fn exchange(mut stream: impl Read + Write, line: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(line)?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    let mut length = 0;
    while !answer[..length].contains(&b'\n') {
        match stream.read(&mut answer[length..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
    }
    Ok(answer[..length].to_vec())
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
    use std::os::unix::net::UnixListener;
    use std::path::Path;

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

    /// As long as a slow machine needs, and no test waits.
    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_node_that_is_away_or_endless_lets_the_login_go_on() {
        assert_eq!(ask("/nowhere/gate.sock", LONG, "check", &[]), Verdict::Pass);
        let node = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = node.local_addr().unwrap().to_string();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for stream in node.incoming().take(2) {
                    let mut stream = stream.unwrap();
                    let mut line = String::new();
                    BufReader::new(&stream).read_line(&mut line).unwrap();
                    let answer: &[u8] = if line.contains("endless") { &[b'-'; 4096] } else { b"-1 refuse x\n" };
                    // It may have gone already.
                    drop(stream.write_all(answer));
                }
            });
            assert_eq!(ask(&place, LONG, "check", &[("address", b"192.0.2.1")]), Verdict::Refuse);
            assert_eq!(ask(&place, LONG, "check", &[("login", b"endless")]), Verdict::Pass);
        });
    }

    /// Each of these would wait for ever: the test ends because nobody waits for longer than he wanted.
    #[test]
    fn nobody_waits_longer_than_he_wanted() {
        let wait = Duration::from_millis(20);
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(ask(&silent.local_addr().unwrap().to_string(), wait, "check", &[]), Verdict::Pass);

        let folder = std::env::temp_dir().join(format!("ratter-ask-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("gate.sock");
        let full = UnixListener::bind(&path).unwrap();
        // Whoever comes when its queue is full waits in `connect`, which has no time limit.
        while ask_and_stay(&path) {}
        assert_eq!(ask(path.to_str().unwrap(), wait, "check", &[]), Verdict::Pass);
        drop(full);
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// Takes a place in the queue for good; whether there was one.
    fn ask_and_stay(path: &Path) -> bool {
        let (sender, receiver) = mpsc::channel();
        let path = path.to_owned();
        let connect = move || {
            let stream = UnixStream::connect(path);
            let is_connected = stream.is_ok();
            std::mem::forget(stream);
            sender.send(is_connected).unwrap_or_default();
        };
        std::thread::Builder::new().spawn(connect).unwrap();
        receiver.recv_timeout(Duration::from_secs(2)).unwrap_or(false)
    }
}

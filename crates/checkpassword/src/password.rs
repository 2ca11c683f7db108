//! The checkpassword interface (<https://cr.yp.to/checkpwd/interface.html>), with what Dovecot 2.3 adds to it.
//!
//! The interface has no word for "refused": a program that checks a password ends with a code, and one that finds it
//! right runs the program that its arguments name. So this one stands in the chain twice: before the check, and, as
//! the program that is run after it, behind.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;
use std::time::Duration;

use crate::ask::{Verdict, say};
use crate::options::{self, PATIENCE};

/// The password is wrong.
pub const REFUSED: u8 = 1;
/// The program was called wrongly.
pub const MISUSED: u8 = 2;
/// It may work later.
pub const TEMPORARY: u8 = 111;

/// Says how a program is called that was called otherwise; its code.
pub fn misused(usage: &str) -> ExitCode {
    say(&format!("usage: {usage}; GATE is an address with a port, such as 127.0.0.1:4002, or the path of a socket"));
    ExitCode::from(MISUSED)
}

/// Longest time that a client is held; Dovecot gives up a login after 150 s, and its auth policy may have held it too.
const HOLD_MAX: Duration = Duration::from_mins(1);

/// The word that stands for the question behind the check, in the place of the gate's.
pub const AFTER: &str = "--after";

/// What is wanted of the program.
#[derive(PartialEq, Eq, Debug)]
pub struct Call<'a> {
    /// How long the gate is waited for.
    pub patience: Duration,
    /// Whether the password has been found right already.
    pub is_after: bool,
    /// Where the gate is.
    pub gate: &'a OsStr,
    /// The program to go on with, and its arguments.
    pub next: &'a [OsString],
}

impl<'a> Call<'a> {
    /// `[--wait SPAN] [--after] GATE PROGRAM [ARGUMENT …]`; none if something is missing.
    pub fn parse(arguments: &'a [OsString]) -> Option<Self> {
        let (patience, arguments) = options::patience(arguments)?;
        let is_after = arguments.first().is_some_and(|first| first == AFTER);
        match arguments.get(usize::from(is_after)..)? {
            [gate, next @ ..] if !next.is_empty() => Some(Self { patience, is_after, gate, next }),
            _ => None,
        }
    }

    /// The program to go on with before the check, and its arguments: after it this one comes again, and then what was
    /// to come. Someone who only looks up a user (`is_lookup`) checks no password, and nothing is asked behind.
    pub fn chain(&self, itself: &OsStr, is_lookup: bool) -> Vec<OsString> {
        let mut chain = vec![self.next[0].clone()];
        if !self.is_after && !is_lookup && self.next.len() > 1 {
            chain.push(itself.to_owned());
            if self.patience != PATIENCE {
                chain.extend([options::WAIT.into(), format!("{}ms", self.patience.as_millis()).into()]);
            }
            chain.extend([AFTER.into(), self.gate.to_owned()]);
        }
        chain.extend_from_slice(&self.next[1..]);
        chain
    }
}

/// The login of `login\0password\0…`; none if it is longer than it may be or has no end.
pub fn login(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    (bytes.len() <= crate::fd::BYTES_MAX && bytes[end + 1..].contains(&0)).then(|| &bytes[..end])
}

/// The first of these variables that says something, in the words of who calls: Dovecot and tcpserver say
/// `TCPREMOTEIP`.
pub fn first<'v>(names: &[&str], of: impl Fn(&str) -> Option<OsString> + 'v) -> Vec<u8> {
    let value = names.iter().find_map(|name| of(name).filter(|value| !value.is_empty()));
    value.map(|value| value.as_bytes().to_vec()).unwrap_or_default()
}

/// What to do: the code to end with, or how long to wait before going on.
pub fn act(verdict: Verdict, is_after: bool) -> Result<Duration, u8> {
    match verdict {
        Verdict::Pass => Ok(Duration::ZERO),
        // Behind the check nobody is held once more.
        Verdict::Wait(_) if is_after => Ok(Duration::ZERO),
        Verdict::Wait(hold) => Ok(hold.min(HOLD_MAX)),
        Verdict::Refuse => Err(REFUSED),
        Verdict::Defer => Err(TEMPORARY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_chain_asks_before_and_behind() {
        let cases = [
            ("/g.sock /bin/check reply", false, "/bin/check self --after /g.sock reply"),
            ("/g.sock /bin/check reply a b", false, "/bin/check self --after /g.sock reply a b"),
            ("/g.sock /bin/check reply", true, "/bin/check reply"),
            ("--after /g.sock reply a", false, "reply a"),
            ("--wait 1s /g.sock /bin/check r", false, "/bin/check self --wait 1000ms --after /g.sock r"),
            ("--wait 1s --after /g.sock reply a", false, "reply a"),
            ("/g.sock /bin/check", false, "/bin/check"),
        ];
        for (arguments, is_lookup, wanted) in cases {
            let arguments = words(arguments);
            let call = Call::parse(&arguments).unwrap();
            assert_eq!(call.chain(OsStr::new("self"), is_lookup), words(wanted), "{arguments:?}");
        }
        for arguments in ["", "/g.sock", "--after", "--after /g.sock", "--wait /g.sock /bin/check"] {
            assert_eq!(Call::parse(&words(arguments)), None, "{arguments}");
        }
    }

    #[test]
    fn logins_as_they_come() {
        let long = [b'a'; 600];
        let cases: [(&[u8], Option<&[u8]>); 7] = [
            (b"alice\0secret\0\0", Some(b"alice")),
            (b"alice\0secret\0Y123\0", Some(b"alice")),
            (b"\0\0", Some(b"")),
            (b"alice\0secret", None),
            (b"alice", None),
            (b"", None),
            (&long, None),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(login(bytes), wanted, "{bytes:?}");
        }
        assert_eq!(login(&[&b"a\0"[..], &[b'b'; 509], b"\0"].concat()), Some(&b"a"[..]), "512 bytes");
        assert_eq!(login(&[&b"a\0"[..], &[b'b'; 510], b"\0"].concat()), None, "513 bytes");
    }

    #[test]
    fn verdicts_become_codes() {
        let minute = Duration::from_mins(1);
        let cases = [
            (Verdict::Pass, false, Ok(Duration::ZERO)),
            (Verdict::Wait(minute * 9), false, Ok(minute)),
            (Verdict::Wait(minute), true, Ok(Duration::ZERO)),
            (Verdict::Refuse, false, Err(1)),
            (Verdict::Refuse, true, Err(1)),
            (Verdict::Defer, true, Err(111)),
        ];
        for (verdict, is_after, wanted) in cases {
            assert_eq!(act(verdict, is_after), wanted, "{verdict:?}");
        }
    }
}

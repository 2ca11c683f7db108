//! What PAM modules write in the name of any program: FTP servers, saslauthd, UW imapd, su, …
//!
//! ```text
//! pam_unix(SERVICE:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=USER rhost=ADDRESS[  user=USER]
//! (pam_unix)[[7]:] authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=ADDRESS
//! ```
//!
//! Client text (`ruser`, `user`) stands on both sides of the address: a line with more than one `rhost=` is passed over.
//! Where `rhost` is a name, which the client's own name server gives, there is no event. Of sshd and Dovecot their own
//! lines tell; theirs are read here only where a log is said to be PAM's.

use base::{Channel, Event, EventKind, Timestamp};

use super::parts::Told;
use super::{Grammar, Hinted, Sink};
use crate::frame::Frame;
use crate::text::{address, contains, digits, is_name_byte, split, split_only, take_while, word};

/// The grammar of PAM's lines.
pub(super) struct Pam;

pub(super) const PAM: Pam = Pam;

impl Grammar for Pam {
    fn name(&self) -> &'static str {
        "pam"
    }

    /// Programs that ask PAM for clients of the network and whose tag says nothing else. Any other program might write a
    /// client's text at a line's beginning.
    fn speaks(&self, program: &str) -> bool {
        let known = ["saslauthd", "imapd", "ipop3d", "ipop2d", "login", "su", "sudo", "xrdp-sesman", "cockpit-session"];
        known.contains(&program)
            || program.ends_with("ftpd")
            || matches!(program, "perdition" | "solid-pop3d" | "exim4")
    }

    fn hinted(&self) -> Hinted {
        Hinted::AnyTag
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        if let Some(told) = told(frame.message.trim_ascii_end()) {
            out(Event { channel: Channel::Auth, ..told.event(time, frame.program) });
        }
    }
}

/// Who was refused.
pub(super) fn told(text: &str) -> Option<Told<'_>> {
    let rest = match text.strip_prefix("(pam_") {
        Some(rest) => {
            let (_module, rest) = split(rest, ")")?;
            // The process stands here where the tag is `vsftpd(pam_unix)[7]`.
            let process = rest.strip_prefix('[').and_then(digits).and_then(|(_, rest)| rest.strip_prefix("]:"));
            process.or_else(|| rest.strip_prefix(':')).unwrap_or(rest)
        }
        None => {
            let (_module, rest) = take_while(text.strip_prefix("pam_")?, is_name_byte);
            split(rest.strip_prefix('(')?, "): ")?.1
        }
    };
    let (head, rest) = split_only(rest.trim_ascii_start().strip_prefix("authentication failure; ")?, "rhost=")?;
    let (_, remote_user) = split(head, " ruser=")?;
    let (client, rest) = word(rest);
    let rest = rest.trim_ascii_start();
    // sshd's monitor adds where it was.
    let rest = rest.strip_suffix("[preauth]").unwrap_or(rest).trim_ascii_end();
    if !(rest.is_empty() || rest.starts_with("user=")) || contains(rest, " ruser=") {
        return None;
    }
    let user = rest.strip_prefix("user=").unwrap_or(remote_user);
    Some(Told::new(EventKind::LoginFailed, address(client)?).by(user.trim_ascii_end()))
}

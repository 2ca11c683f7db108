//! What daemons write, one file each.
//!
//! A grammar is asked for the lines of its programs only. It reads what the daemon's own source writes, from the side
//! where a client cannot have written, and gives no event where a line is not beyond doubt.

mod assp;
mod audit;
mod courier;
mod cyrus;
mod domino;
mod dovecot;
mod dropbear;
mod exchange;
mod exim;
mod ftp;
mod haproxy;
mod haraka;
mod hmailserver;
mod horde;
mod kerio;
mod nginx;
mod opensmtpd;
mod openwebmail;
mod oracle;
mod pam;
mod panels;
mod parts;
mod perdition;
mod postfix;
mod proftpd;
mod qmail;
mod roundcube;
mod rspamd;
mod sasl;
mod sendmail;
mod sogo;
mod solid;
mod squirrelmail;
mod sshd;
mod stalwart;
#[cfg(test)]
pub(crate) mod tests;
mod uwimap;
mod visits;
mod vsftpd;
mod zimbra;

use base::{Event, Timestamp};

use crate::frame::Frame;

pub use dovecot::Dovecot;
pub use postfix::Postfix;

/// Takes the events of a line, one call each. An event borrows from the line, or from the grammar where several lines make
/// one event.
pub type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// The log format of one daemon.
pub trait Grammar: Send {
    /// Its name in output, counters and `--service`.
    fn name(&self) -> &'static str;

    /// Other names for `--service`.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether lines with this program tag are this daemon's. Must depend on the tag alone: the answer is remembered.
    fn speaks(&self, program: &str) -> bool;

    /// What it reads beside that of a log that is said to be its own.
    fn hinted(&self) -> Hinted {
        Hinted::Nothing
    }

    /// What the grammar makes of a tag it speaks for: a number of its own, which is remembered with the tag, so that it is not
    /// looked at again for each line.
    fn process(&self, _program: &str) -> u8 {
        0
    }

    /// What can be told of a line by its bytes, before it is known to be text: most lines of a busy daemon mean nothing or
    /// only go on with what is remembered, and this is all that is done with them.
    fn glance(&mut self, _process: u8, _host: &[u8], _message: &[u8]) -> Glance<'_> {
        Glance::Text
    }

    /// Reads one line of such a program that was written at `time`. Takes `&mut self` because some daemons spread what
    /// happened over several lines.
    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>);
}

/// What a glance at a line's bytes tells.
pub enum Glance<'g> {
    /// Nothing happened.
    Nothing,
    /// This happened, at the time of the line.
    Event(Event<'g>),
    /// The text is to be read.
    Text,
}

/// What a grammar reads of a log that is said to be its own (`--service`), beside the lines with its tags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hinted {
    /// Nothing: the daemon writes no lines without tag.
    Nothing,
    /// Lines without one of its tags, from behind the stamp: the daemon's own files.
    Bare,
    /// Lines with any tag.
    AnyTag,
}

/// Every grammar there is. Where several speak for a program, the first that finds an event has the line.
pub(crate) fn all() -> Vec<Box<dyn Grammar>> {
    vec![
        Box::new(Dovecot::default()),
        Box::new(Postfix::default()),
        Box::new(exim::Exim::default()),
        Box::new(rspamd::Rspamd::default()),
        Box::new(sendmail::Sendmail::default()),
        Box::new(opensmtpd::OpenSmtpd::default()),
        Box::new(courier::COURIER),
        Box::new(cyrus::CYRUS),
        Box::new(uwimap::UWIMAP),
        Box::new(qmail::QMAIL),
        Box::new(hmailserver::HMailServer::default()),
        Box::new(exchange::Exchange::default()),
        Box::new(kerio::KERIO),
        Box::new(domino::DOMINO),
        Box::new(oracle::ORACLE),
        Box::new(sogo::SOGO),
        Box::new(roundcube::ROUNDCUBE),
        Box::new(horde::HORDE),
        Box::new(squirrelmail::SQUIRRELMAIL),
        Box::new(openwebmail::OPENWEBMAIL),
        Box::new(assp::ASSP),
        Box::new(perdition::PERDITION),
        Box::new(solid::SOLID),
        Box::new(haraka::Haraka::default()),
        Box::new(stalwart::STALWART),
        Box::new(nginx::NGINX),
        Box::new(zimbra::ZIMBRA),
        Box::new(panels::FROXLOR),
        Box::new(panels::MAILU),
        Box::new(haproxy::HAPROXY),
        Box::new(sshd::Sshd::default()),
        Box::new(dropbear::DROPBEAR),
        Box::new(audit::AUDIT),
        Box::new(vsftpd::VSFTPD),
        Box::new(proftpd::PROFTPD),
        Box::new(ftp::PURE_FTPD),
        Box::new(ftp::WU_FTPD),
        Box::new(ftp::GSS_FTPD),
        Box::new(pam::PAM),
    ]
}

/// The names of the services that `--service` knows.
pub fn services() -> Vec<&'static str> {
    all().iter().map(|grammar| grammar.name()).collect()
}

/// Whether a grammar is called so, by any of its names.
pub fn is_service(name: &str) -> bool {
    of_service(&all(), name).is_some()
}

/// The place of the grammar for a service: its name, another of its names, or such a name with something behind a
/// hyphen (`exim-spam`, `roundcube-auth`), as other tools call it.
pub(crate) fn of_service(grammars: &[Box<dyn Grammar>], service: &str) -> Option<usize> {
    let service = service.to_ascii_lowercase();
    let is_called = |grammar: &dyn Grammar, name: &str| grammar.name() == name || grammar.aliases().contains(&name);
    let find = |name: &str| grammars.iter().position(|grammar| is_called(grammar.as_ref(), name));
    find(&service).or_else(|| find(service.split('-').next()?))
}

use core::net::Ipv4Addr;
use std::borrow::Cow;
use std::io::{self, Write};

use base::{Network, Timestamp};

use super::write::{Form, Head, Row, Writer};

/// What files of a list say about it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct About {
    /// The list's name.
    pub list: String,
    /// The name of its zone.
    pub zone: String,
    /// The zone's servers, the primary one first; at least one.
    pub servers: Vec<String>,
    /// Who looks after it, as a domain name.
    pub contact: String,
    /// What an address on it is answered with.
    pub code: Ipv4Addr,
    /// The reason in rbldnsd's way, where `$` is the address.
    pub text: String,
    /// The reason, with `{ip}` for the network.
    pub reason: String,
    /// How long answers may be remembered, in seconds.
    pub ttl: u32,
    /// How long others may remember that somebody is not on it, in seconds.
    pub negative_ttl: u32,
}

/// A network of a list, and what is known of its listing; see [`Form::tells`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The network.
    pub network: Network,
    /// When the listing ends, if it does by itself and that is known.
    pub until: Option<Timestamp>,
    /// Why it is listed, as its maker said; if that is not known, the reason of the whole list is told.
    pub reason: Option<String>,
}

impl From<Network> for Told {
    fn from(network: Network) -> Self {
        Self { network, until: None, reason: None }
    }
}

impl About {
    /// The reason of a listing.
    pub(crate) fn reason_of<'t>(&self, told: &'t Told) -> Cow<'t, str> {
        match &told.reason {
            Some(reason) => reason.into(),
            None => self.reason.replace("{ip}", &told.network.to_string()).into(),
        }
    }

    /// Writes the networks as a file of the change `serial`. Returns how many were written, and how many have no place
    /// in the form.
    pub fn write(
        &self,
        form: Form,
        serial: u32,
        networks: impl Iterator<Item = io::Result<Told>>,
        out: &mut dyn Write,
    ) -> io::Result<(u64, u64)> {
        let Self { zone, contact, text, .. } = self;
        let servers: Vec<&str> = self.servers.iter().map(String::as_str).collect();
        let primary = servers.first().copied().unwrap_or_default();
        let (code, ttl, negative_ttl) = (self.code, self.ttl, self.negative_ttl);
        let head = Head { zone, primary, servers: &servers, contact, serial, code, text, ttl, negative_ttl };
        let mut writer = Writer::new(form, &head, out)?;
        for told in networks {
            let told = told?;
            let reason = if form.tells() { self.reason_of(&told) } else { Cow::default() };
            let Told { network, until, .. } = told;
            writer.row(&Row { network, is_excluded: false, code: None, list: &self.list, reason: &reason, until })?;
        }
        let counts = writer.counts();
        writer.into_inner().flush()?;
        Ok(counts)
    }
}

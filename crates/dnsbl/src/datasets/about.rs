use core::net::Ipv4Addr;
use std::io::{self, Write};

use base::Network;

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

impl About {
    /// Writes the networks as a file of the change `serial`. Returns how many were written, and how many have no place
    /// in the form.
    pub fn write(
        &self,
        form: Form,
        serial: u32,
        networks: impl Iterator<Item = io::Result<Network>>,
        out: &mut dyn Write,
    ) -> io::Result<(u64, u64)> {
        let Self { zone, contact, text, .. } = self;
        let servers: Vec<&str> = self.servers.iter().map(String::as_str).collect();
        let primary = servers.first().copied().unwrap_or_default();
        let (code, ttl, negative_ttl) = (self.code, self.ttl, self.negative_ttl);
        let head = Head { zone, primary, servers: &servers, contact, serial, code, text, ttl, negative_ttl };
        let mut writer = Writer::new(form, &head, out)?;
        let has_reason = matches!(form, Form::Csv | Form::Ndjson);
        for network in networks {
            let network = network?;
            let reason = if has_reason { self.reason.replace("{ip}", &network.to_string()) } else { String::new() };
            let row = Row { network, is_excluded: false, code: None, list: &self.list, reason: &reason, until: None };
            writer.row(&row)?;
        }
        let counts = writer.counts();
        writer.into_inner().flush()?;
        Ok(counts)
    }
}

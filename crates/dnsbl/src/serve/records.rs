//! Records that are the same in every reply, in wire form, but for two things: where the zone's name stands in the
//! reply, to which their names point (RFC 1035 section 4.1.4), and the serial.

use core::net::IpAddr;

use super::name::Name;
use super::query::code;
use super::settings::SoaTimers;

/// The two bits that make an offset a compression pointer.
pub(crate) const POINTER: u16 = 0xc000;

/// A set of records whose owner is a zone's own name.
#[derive(Clone, Default, Debug)]
pub(crate) struct Records {
    /// Wire form; pointers are relative to the beginning of the zone's name.
    pub(crate) bytes: Box<[u8]>,
    /// Where the pointers stand.
    pub(crate) pointers: Box<[u16]>,
    /// Where the serial of a SOA record stands.
    pub(crate) serial: Option<usize>,
    /// How many records these are.
    pub(crate) count: u16,
}

impl Records {
    /// Writes the records to `out` at `at`, where the name that they point to begins at `name`, counted from the
    /// beginning of the message. Returns where they end; `out` has room.
    pub(crate) fn write(&self, out: &mut [u8], at: usize, name: usize, serial: u32) -> usize {
        let end = at + self.bytes.len();
        let bytes = &mut out[at..end];
        bytes.copy_from_slice(&self.bytes);
        for place in &self.pointers {
            let place = usize::from(*place);
            let pointer = u16::from_be_bytes([bytes[place], bytes[place + 1]]) + name as u16;
            bytes[place..place + 2].copy_from_slice(&pointer.to_be_bytes());
        }
        if let Some(place) = self.serial {
            bytes[place..place + 4].copy_from_slice(&serial.to_be_bytes());
        }
        end
    }

    /// Name servers.
    pub(crate) fn ns(zone: &Name, ttl: u32, servers: &[Name]) -> Self {
        servers.iter().fold(Builder::new(zone), |set, server| set.record(code::NS, ttl, |set| set.name(server))).build()
    }

    /// The start of authority. Its TTL in a negative reply is the smaller one of its own and the negative TTL (RFC
    /// 2308 section 3), which is `ttl` then.
    pub(crate) fn soa(
        zone: &Name,
        ttl: u32,
        negative_ttl: u32,
        primary: &Name,
        contact: &Name,
        timers: SoaTimers,
    ) -> Self {
        let mut serial = 0;
        let set = Builder::new(zone).record(code::SOA, ttl, |set| {
            set.name(primary);
            set.name(contact);
            serial = set.bytes.len();
            set.bytes.extend_from_slice(&[0; 4]);
            for span in [timers.refresh, timers.retry, timers.expire] {
                set.bytes.extend_from_slice(&(span.as_secs() as u32).to_be_bytes());
            }
            set.bytes.extend_from_slice(&negative_ttl.to_be_bytes());
        });
        Self { serial: Some(serial), ..set.build() }
    }

    /// One text of at most 255 octets.
    pub(crate) fn txt(zone: &Name, ttl: u32, text: &str) -> Self {
        let text = &text.as_bytes()[..text.len().min(255)];
        let set = Builder::new(zone).record(code::TXT, ttl, |set| {
            set.bytes.push(text.len() as u8);
            set.bytes.extend_from_slice(text);
        });
        set.build()
    }

    /// A records of the IPv4 addresses among `addresses`.
    pub(crate) fn a(zone: &Name, ttl: u32, addresses: &[IpAddr]) -> Self {
        let mut set = Builder::new(zone);
        for address in addresses {
            if let IpAddr::V4(v4) = address {
                set = set.record(code::A, ttl, |set| set.bytes.extend_from_slice(&v4.octets()));
            }
        }
        set.build()
    }

    /// AAAA records of the IPv6 addresses among `addresses`.
    pub(crate) fn aaaa(zone: &Name, ttl: u32, addresses: &[IpAddr]) -> Self {
        let mut set = Builder::new(zone);
        for address in addresses {
            if let IpAddr::V6(v6) = address {
                set = set.record(code::AAAA, ttl, |set| set.bytes.extend_from_slice(&v6.octets()));
            }
        }
        set.build()
    }
}

struct Builder<'a> {
    zone: &'a Name,
    bytes: Vec<u8>,
    pointers: Vec<u16>,
    count: u16,
}

impl<'a> Builder<'a> {
    const fn new(zone: &'a Name) -> Self {
        Self { zone, bytes: Vec::new(), pointers: Vec::new(), count: 0 }
    }

    fn record(mut self, kind: u16, ttl: u32, data: impl FnOnce(&mut Self)) -> Self {
        self.pointer(0);
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&code::CLASS_IN.to_be_bytes());
        self.bytes.extend_from_slice(&ttl.to_be_bytes());
        let length_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        data(&mut self);
        let length = (self.bytes.len() - length_at - 2) as u16;
        self.bytes[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        self.count += 1;
        self
    }

    fn pointer(&mut self, offset: usize) {
        self.pointers.push(self.bytes.len() as u16);
        self.bytes.extend_from_slice(&(POINTER | offset as u16).to_be_bytes());
    }

    /// A name, with a pointer instead of what it shares with the zone's name.
    fn name(&mut self, name: &Name) {
        for (start, label) in name.labels() {
            let rest = &name.wire()[start..];
            let shared = self.zone.labels().find(|(at, _)| self.zone.wire()[*at..].eq_ignore_ascii_case(rest));
            if let Some((at, _)) = shared {
                self.pointer(at);
                return;
            }
            self.bytes.push(label.len() as u8);
            self.bytes.extend_from_slice(label);
        }
        self.bytes.push(0);
    }

    fn build(self) -> Records {
        Records { bytes: self.bytes.into(), pointers: self.pointers.into(), serial: None, count: self.count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compressed_against_the_zone() {
        let zone = Name::parse("auth.bl.example.org").unwrap();
        let servers = ["ns1.bl.Example.org", "ns.example.net"].map(|text| Name::parse(text).unwrap());
        let set = Records::ns(&zone, 5, &servers);
        let wanted: &[u8] = b"\xc0\0\0\x02\0\x01\0\0\0\x05\0\x06\x03ns1\xc0\x05\
            \xc0\0\0\x02\0\x01\0\0\0\x05\0\x10\x02ns\x07example\x03net\0";
        assert_eq!((&*set.bytes, set.count), (wanted, 2));
        assert_eq!(&*set.pointers, [0, 16, 18]);
    }

    #[test]
    fn the_serial_is_found() {
        let name = |text| Name::parse(text).unwrap();
        let set = Records::soa(&name("a.b"), 1, 2, &name("ns.b"), &name("x"), SoaTimers::default());
        let at = set.serial.unwrap();
        assert_eq!(&set.bytes[at..at + 8], [0, 0, 0, 0, 0, 0, 2, 88]);
        assert_eq!(set.bytes.len(), at + 20);
    }
}

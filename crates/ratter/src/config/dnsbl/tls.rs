//! `[dnsbl.tls]`: DNS over TLS, and what clients are shown there.

use core::net::SocketAddr;

use ::dnsbl::io::{Identity, IdentityError, PEM_BYTES_MAX, TlsFiles};

use super::super::diagnose::Fault;
use super::super::forms::socket;
use super::super::listeners::reason;
use super::super::probe::Transport;
use super::super::reader::Section;
use super::access::private_text;
use crate::clock;

/// DNS over TLS (RFC 7858).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsListener {
    /// Where connections come in.
    pub listen: Vec<SocketAddr>,
    /// The certificates and their key, which belong together.
    pub files: TlsFiles,
}

pub(super) fn read(section: &Section<'_>) -> Option<TlsListener> {
    let listen = section.required_each("listen", &socket());
    let certificate = section.required("certificate", &section.desk.path("/etc/ratter/tls/fullchain.pem"));
    let key = section.required("key", &section.desk.path("/etc/ratter/tls/privkey.pem"));
    for address in &listen {
        section.desk.listens(address.place.clone(), address.value, Transport::Tcp);
    }
    let files = TlsFiles { certificate: certificate?, key: key? };
    check(section, &files);
    Some(TlsListener { listen: listen.into_iter().map(|address| address.value).collect(), files })
}

/// Reports files that make no identity, and a certificate that clients will not take.
fn check(section: &Section<'_>, files: &TlsFiles) {
    let certificates = section.desk.probe.read(&files.certificate, PEM_BYTES_MAX);
    if let Err(error) = &certificates {
        let fault = section.wrong("certificate", format!("cannot read `{}`", files.certificate.display()));
        section.desk.report(fault.label(reason(error)));
    }
    let key = private_text(section, "key", &files.key, PEM_BYTES_MAX);
    let (Ok(certificates), Some(secret)) = (certificates, key) else { return };
    match Identity::of(&certificates, secret.as_bytes()) {
        Err(error) => {
            let (key, path) = match error {
                IdentityError::Certificate(_) => ("certificate", &files.certificate),
                IdentityError::Key(_) | IdentityError::OfAnother => ("key", &files.key),
            };
            let fault = section.wrong(key, format!("`{}` is of no use for TLS", path.display()));
            section.desk.report(fault.label(error.to_string()));
        }
        Ok(identity) if identity.ends() <= clock::now() => {
            let title = format!("the certificate in `{}` has ended", files.certificate.display());
            let fault = Fault::warning(section.key_place("certificate"), title);
            section.desk.report(fault.label(format!("valid until {}", identity.ends())));
        }
        Ok(_) => {}
    }
}

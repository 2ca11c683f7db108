//! A small HTTP client for webhooks: one request, one connection, and nothing of the reply but its status.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::notice::Target;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longest status line, in bytes.
const STATUS_BYTES_MAX: u64 = 1024;

/// Why a request did not do what it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// The server is away, busy or broken.
    Later(String),
    /// The server wants no such request.
    Never(String),
}

/// Sends requests.
#[derive(Clone)]
pub struct Client {
    /// What is trusted; none for addresses without TLS.
    tls: Option<Arc<ClientConfig>>,
}

impl Client {
    /// A client for addresses without TLS.
    pub const fn plain() -> Self {
        Self { tls: None }
    }

    /// A client that trusts the certificates of the system, or those in a file alone.
    ///
    /// # Errors
    /// There is no certificate to trust.
    pub fn trusting(file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        if let Some(file) = file {
            let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| error.to_string())?;
                roots.add(certificate).map_err(|error| error.to_string())?;
            }
        } else {
            // Single ones that cannot be read are passed over, as every program does.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err("there is no certificate to trust: install `ca-certificates`, or name a `ca-file`".to_owned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Some(Arc::new(config)) })
    }

    /// Sends one request. A redirect is refused: it would take the signature to somebody else.
    pub(super) fn send(
        &self,
        method: &str,
        target: &Target,
        fields: &[(&str, String)],
        body: &[u8],
    ) -> Result<(), Refused> {
        let status =
            self.exchange(method, target, fields, body).map_err(|why| Refused::Later(format!("{target}: {why}")))?;
        match status {
            200..=299 => Ok(()),
            // Too early, too many, or it took too long (RFC 9110, RFC 8470, RFC 6585); and what is the server's own fault.
            408 | 425 | 429 | 500..=599 => Err(Refused::Later(format!("{target} answers {status}"))),
            status => Err(Refused::Never(format!("{target} answers {status}"))),
        }
    }

    fn exchange(&self, method: &str, target: &Target, fields: &[(&str, String)], body: &[u8]) -> Result<u16, String> {
        let until = Instant::now() + PATIENCE;
        let stream = connect(target, until)?;
        let timed = stream.set_write_timeout(Some(PATIENCE)).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        timed.map_err(|error| error.to_string())?;
        let mut request = format!(
            "{method} {} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: Ratter/{}\r\nConnection: close\r\nContent-Length: {}\r\n",
            target.path,
            env!("CARGO_PKG_VERSION"),
            body.len()
        );
        request.extend(fields.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]));
        request.push_str("\r\n");
        let request = [request.as_bytes(), body].concat();
        match (&self.tls, target.is_tls) {
            (_, false) => status(stream, &request),
            (None, true) => Err("TLS was not set up".to_owned()),
            (Some(config), true) => {
                let name = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
                let connection = ClientConnection::new(Arc::clone(config), name).map_err(|error| error.to_string())?;
                status(StreamOwned::new(connection, stream), &request)
            }
        }
    }
}

fn connect(target: &Target, until: Instant) -> Result<TcpStream, String> {
    let addresses = (&*target.host, target.port).to_socket_addrs().map_err(|error| error.to_string())?;
    let mut why = "the name has no address".to_owned();
    for address in addresses {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// Sends the request and reads the status of the reply.
fn status(mut stream: impl Read + Write, request: &[u8]) -> Result<u16, String> {
    stream.write_all(request).and_then(|()| stream.flush()).map_err(|error| error.to_string())?;
    let mut line = Vec::new();
    let mut reply = BufReader::new(stream.take(STATUS_BYTES_MAX));
    reply.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    let status = core::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|rest| rest.get(2..5)).and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| "the reply is no HTTP".to_owned())
}

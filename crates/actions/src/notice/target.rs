use core::fmt;

/// Longest web address, in bytes.
const URL_BYTES_MAX: usize = 2000;

/// A web address that is posted to: `http://` or `https://`, a host, perhaps a port, and a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Whether it is asked by TLS.
    pub is_tls: bool,
    /// The host's name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path with its query; it begins with a slash.
    pub path: String,
}

/// Why a text is no address that can be posted to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TargetError {
    /// It does not begin with `http://` or `https://`.
    #[error("begins neither with http:// nor with https://")]
    Scheme,
    /// There is a user name or password in it.
    #[error("has a user in it: put the secret into a file and name it with `token-file`")]
    User,
    /// The host or the port is none.
    #[error("has no host, or an odd port")]
    Host,
    /// It holds what no address holds, or too much of it.
    #[error("has characters that no address has, or is longer than 2000 bytes")]
    Characters,
}

impl core::str::FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if text.len() > URL_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('#') {
            return Err(TargetError::Characters);
        }
        let (is_tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(TargetError::Scheme),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(TargetError::User);
        }
        let default = if is_tls { 443 } else { 80 };
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, Ok(default)),
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default().parse()),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, port.parse()),
                None => (authority, Ok(default)),
            },
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        let port = port.map_err(|_| TargetError::Host)?;
        if host.is_empty() || port == 0 || !host.bytes().all(is_host) {
            return Err(TargetError::Host);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { is_tls, host: host.to_owned(), port, path })
    }
}

/// What stands in `Host` (RFC 9110 section 7.2).
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_default = self.port == if self.is_tls { 443 } else { 80 };
        match (self.host.contains(':'), is_default) {
            (true, true) => write!(f, "[{}]", self.host),
            (true, false) => write!(f, "[{}]:{}", self.host, self.port),
            (false, true) => f.write_str(&self.host),
            (false, false) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_can_be_posted_to() {
        let read = |text: &str| {
            let target = text.parse::<Target>()?;
            Ok((target.is_tls, target.to_string(), target.port, target.path))
        };
        let is = |tls, host: &str, port, path: &str| Ok((tls, host.to_owned(), port, path.to_owned()));
        let cases = [
            ("https://hooks.example.org/a/b?c=d", is(true, "hooks.example.org", 443, "/a/b?c=d")),
            ("http://127.0.0.1:9093/api", is(false, "127.0.0.1:9093", 9093, "/api")),
            ("http://[::1]:80", is(false, "[::1]", 80, "/")),
            ("https://[2001:db8::1]:8443/x", is(true, "[2001:db8::1]:8443", 8443, "/x")),
            ("https://example.org?x=1", is(true, "example.org", 443, "/?x=1")),
            ("ftp://example.org/", Err(TargetError::Scheme)),
            ("https://user:pw@example.org/", Err(TargetError::User)),
            ("https://example.org:0/", Err(TargetError::Host)),
            ("https://example.org:x/", Err(TargetError::Host)),
            ("https:///x", Err(TargetError::Host)),
            ("https://exa mple.org/", Err(TargetError::Characters)),
            ("https://example.org/\r\nX: y", Err(TargetError::Characters)),
        ];
        for (text, wanted) in cases {
            assert_eq!(read(text), wanted, "{text}");
        }
    }
}

use core::fmt;
use core::str::FromStr;

use crate::{Address, Login, Network, NetworkError};

/// Whom a decision is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// An address or a network; a single address is a network of full length.
    Network(Network),
    /// A login.
    Login(Login),
}

/// Why a text is no subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubjectError {
    /// It looks like a network and is none.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Nothing is left of the login.
    #[error("names no login")]
    Login,
}

impl From<Address> for Subject {
    fn from(address: Address) -> Self {
        Self::Network(Network::containing(address, 128))
    }
}

impl From<Network> for Subject {
    fn from(network: Network) -> Self {
        Self::Network(network)
    }
}

impl From<Login> for Subject {
    fn from(login: Login) -> Self {
        Self::Login(login)
    }
}

/// As the command line takes it: `192.0.2.1`, `192.0.2.0/24`, `login:alice`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Login(login) => write!(f, "login:{login}"),
        }
    }
}

/// `login:NAME` is a login; what begins like an address or network must be one; any other text is a login, so that
/// `ratter why alice` works.
impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if let Some(name) = text.strip_prefix("login:") {
            return Login::new(name).map(Self::Login).ok_or(SubjectError::Login);
        }
        match text.parse::<Network>() {
            Ok(network) => Ok(Self::Network(network)),
            Err(error) if looks_like_network(text) => Err(error.into()),
            Err(_) => Login::new(text).map(Self::Login).ok_or(SubjectError::Login),
        }
    }
}

/// Whether somebody who typed this meant an address or network: only digits, dots, colons, hex and one slash.
fn looks_like_network(text: &str) -> bool {
    let address = text.split('/').next().unwrap_or_default();
    let is_v4_like = address.contains('.') && address.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_v6_like = address.contains(':') && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    is_v4_like || is_v6_like
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_command_line() {
        let cases = [
            ("192.0.2.1", Ok("192.0.2.1")),
            ("192.0.2.0/24", Ok("192.0.2.0/24")),
            ("2001:db8::/64", Ok("2001:db8::/64")),
            ("alice", Ok("login:alice")),
            ("Alice@Example.org", Ok("login:alice@example.org")),
            ("login:192.0.2.1", Ok("login:192.0.2.1")),
            ("1234", Ok("login:1234")),
            ("192.0.2.300", Err("is no address or network, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")),
            ("192.0.2.1/24", Err("has host bits set; the network is 192.0.2.0/24")),
            ("login:", Err("names no login")),
        ];
        for (text, wanted) in cases {
            let got = text.parse::<Subject>().map(|s| s.to_string()).map_err(|e| e.to_string());
            assert_eq!(got.as_deref().map_err(String::as_str), wanted, "{text}");
        }
    }
}

//! What a value may look like: one [`Form`] for each kind of value, which reads it or says what was found instead.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::borrow::Cow;

use base::{Network, NetworkError};
use toml::de::DeValue;

use super::units;
use super::words::{enumerate, nearest, shown, with_article};

/// Longest domain name in text form, in bytes (RFC 1035 section 2.3.4, without the dot of the root).
const DOMAIN_BYTES_MAX: usize = 253;

/// Longest label of a domain name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

type Read<'f, T> = Box<dyn Fn(&DeValue<'_>) -> Result<T, Mismatch> + 'f>;

/// A kind of value.
pub(super) struct Form<'f, T> {
    /// What is wanted, to stand after "`key` wants …".
    pub(super) wants: Cow<'static, str>,
    pub(super) read: Read<'f, T>,
}

/// Why a value is not of the form.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Mismatch {
    /// What was found, to stand under the caret.
    pub(super) found: String,
    /// What was probably meant.
    pub(super) hint: Option<String>,
}

impl Mismatch {
    pub(super) fn new(found: impl Into<String>) -> Self {
        Self { found: found.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The value is of another TOML type.
    pub(super) fn of_type(value: &DeValue<'_>) -> Self {
        Self::new(with_article(value.type_str()))
    }
}

impl<'f, T: 'f> Form<'f, T> {
    /// A form of a string, read by `read`.
    pub(super) fn of_text(
        wants: impl Into<Cow<'static, str>>,
        read: impl Fn(&str) -> Result<T, Mismatch> + 'f,
    ) -> Self {
        let read: Read<'f, T> = Box::new(move |value| match value {
            DeValue::String(text) => read(text),
            DeValue::Integer(number) if read(number.as_str()).is_ok() => {
                Err(Mismatch::of_type(value).hint(format!("text is quoted: `\"{}\"`", number.as_str())))
            }
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => Err(Mismatch::of_type(value)),
        });
        Self { wants: wants.into(), read }
    }

    /// The form with a hint for what does not fit and has none of its own.
    pub(super) fn or_hint(self, hint: &'static str) -> Self {
        let read = self.read;
        let read: Read<'f, T> = Box::new(move |value| {
            read(value).map_err(|mismatch| match mismatch.hint {
                None => mismatch.hint(hint),
                Some(_) => mismatch,
            })
        });
        Self { wants: self.wants, read }
    }
}

/// Text of one line, with something in it.
pub(super) fn text(wants: &'static str, bytes_max: usize) -> Form<'static, String> {
    Form::of_text(wants, move |text| {
        if text.trim().is_empty() {
            Err(Mismatch::new("empty"))
        } else if text.chars().any(char::is_control) {
            Err(Mismatch::new("has control characters in it"))
        } else if text.len() > bytes_max {
            Err(Mismatch::new(format!("{} bytes long, {bytes_max} are allowed", text.len())))
        } else {
            Ok(text.to_owned())
        }
    })
}

pub(super) fn boolean() -> Form<'static, bool> {
    let read = |value: &DeValue<'_>| match value {
        DeValue::Boolean(yes) => Ok(*yes),
        DeValue::String(text) => Err(match &**text {
            "true" | "yes" | "on" => Mismatch::of_type(value).hint("write `true`"),
            "false" | "no" | "off" => Mismatch::of_type(value).hint("write `false`"),
            _ => Mismatch::of_type(value),
        }),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err(Mismatch::of_type(value))
        }
    };
    Form { wants: "`true` or `false`".into(), read: Box::new(read) }
}

/// A whole number in `range`, which `T` must be able to hold.
pub(super) fn number<T: TryFrom<u64> + 'static>(range: RangeInclusive<u64>) -> Form<'static, T> {
    let wants = format!("a number from {} to {}", range.start(), range.end()).into();
    let fits = move |digits: &str, radix| -> Result<T, Mismatch> {
        let number = i128::from_str_radix(digits, radix).unwrap_or(i128::MAX);
        if number < i128::from(*range.start()) {
            return Err(Mismatch::new("too small"));
        }
        let number = u64::try_from(number).ok().filter(|number| number <= range.end());
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| Mismatch::new("too large"))
    };
    let read = move |value: &DeValue<'_>| match value {
        DeValue::Integer(number) => fits(number.as_str(), number.radix()),
        DeValue::String(text) if fits(text, 10).is_ok() => {
            Err(Mismatch::of_type(value).hint(format!("numbers are not quoted: `{text}`")))
        }
        DeValue::String(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => Err(Mismatch::of_type(value)),
    };
    Form { wants, read: Box::new(read) }
}

/// Durations that serve as examples where they fit: ten minutes, a week, half a minute.
const EXAMPLES: [Duration; 3] = [Duration::from_mins(10), units::days(7), Duration::from_secs(30)];

/// A duration within `range`.
pub(super) fn duration(range: RangeInclusive<Duration>) -> Form<'static, Duration> {
    let example = EXAMPLES.into_iter().find(|example| range.contains(example)).unwrap_or_else(|| *range.start());
    let [least, most, example] = [*range.start(), *range.end(), example].map(units::show);
    let wants = format!("a duration from {least} to {most}, such as `\"{example}\"`").into();
    let read = move |value: &DeValue<'_>| {
        let duration = match value {
            DeValue::String(text) => units::parse(text)?,
            DeValue::Integer(number) => return Err(units::of_bare_number(number.as_str())),
            DeValue::Float(number) => return Err(units::of_bare_number(number.as_str())),
            DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                return Err(Mismatch::of_type(value));
            }
        };
        if duration.is_zero() && !range.start().is_zero() {
            Err(Mismatch::new("zero"))
        } else if duration < *range.start() {
            Err(Mismatch::new("too short"))
        } else if duration > *range.end() {
            Err(Mismatch::new("too long"))
        } else {
            Ok(duration)
        }
    };
    Form { wants, read: Box::new(read) }
}

/// A duration within `range`, or the word `none`.
pub(super) fn duration_or(none: &'static str, range: RangeInclusive<Duration>) -> Form<'static, Option<Duration>> {
    let duration = duration(range);
    let read = move |value: &DeValue<'_>| match value {
        DeValue::String(word) if word == none => Ok(None),
        DeValue::Boolean(false) => Err(Mismatch::of_type(value).hint(format!("write `\"{none}\"`"))),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(true)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => (duration.read)(value).map(Some),
    };
    Form { wants: format!("{}, or `\"{none}\"`", duration.wants).into(), read: Box::new(read) }
}

/// One of a few words.
pub(super) fn word<'f, T: Copy + 'f>(words: impl IntoIterator<Item = (&'static str, T)>) -> Form<'f, T> {
    let words: Vec<_> = words.into_iter().collect();
    let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
    Form::of_text(format!("one of {}", enumerate(names.iter().copied())), move |typed| {
        words.iter().find(|(name, _)| *name == typed).map(|(_, meaning)| *meaning).ok_or_else(|| {
            let mismatch = Mismatch::new("no such word");
            match nearest(typed, names.iter().copied()) {
                Some(name) => mismatch.hint(format!("did you mean `\"{name}\"`?")),
                None => mismatch,
            }
        })
    })
}

/// A name of a rule or list: a label of a domain name, since lists are published under theirs and rules stand in metrics.
pub(super) fn name() -> Form<'static, String> {
    Form::of_text("a name of lower-case letters, digits and hyphens", |text| {
        let proper: String = text.to_lowercase().replace(['_', ' ', '.'], "-");
        match label_fault(text) {
            None if text == proper => Ok(text.to_owned()),
            None => Err(Mismatch::new("capitals").hint(format!("write `\"{proper}\"`"))),
            Some(found) if label_fault(&proper).is_none() => {
                Err(Mismatch::new(found).hint(format!("write `\"{proper}\"`")))
            }
            Some(found) => Err(Mismatch::new(found)),
        }
    })
}

/// A domain name, returned in lower case and without the dot of the root.
pub(super) fn domain() -> Form<'static, String> {
    Form::of_text("a domain name, such as `bl.example.org`", read_domain)
}

pub(super) fn read_domain(text: &str) -> Result<String, Mismatch> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    if bare.is_empty() {
        return Err(Mismatch::new("empty"));
    }
    if bare.len() > DOMAIN_BYTES_MAX {
        return Err(Mismatch::new(format!("longer than {DOMAIN_BYTES_MAX} bytes")));
    }
    if let Some((_, host)) = bare.split_once("://") {
        let host = host.split(['/', ':']).next().unwrap_or_default();
        return Err(Mismatch::new("a URL").hint(format!("write `\"{}\"`", shown(host))));
    }
    match bare.split('.').find_map(label_fault) {
        Some(found) => Err(Mismatch::new(found)),
        None if bare.parse::<Ipv4Addr>().is_ok() => Err(Mismatch::new("an address")),
        None => Ok(bare.to_lowercase()),
    }
}

/// What keeps `label` from being a label of a host name (RFC 1123 section 2.1).
fn label_fault(label: &str) -> Option<&'static str> {
    if label.is_empty() {
        Some("an empty label")
    } else if label.len() > LABEL_BYTES_MAX {
        Some("a label longer than 63 bytes")
    } else if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        Some("characters other than letters, digits and hyphens")
    } else if label.starts_with('-') || label.ends_with('-') {
        Some("a hyphen at the end of a label")
    } else {
        None
    }
}

/// A mail address, as a person's contact.
pub(super) fn mail_address() -> Form<'static, String> {
    Form::of_text("a mail address, such as `hostmaster@example.org`", |text| {
        let Some((local, domain)) = text.split_once('@') else {
            return Err(Mismatch::new("no `@` in it"));
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte);
        if local.is_empty() || local.len() > LABEL_BYTES_MAX || !local.bytes().all(is_plain) {
            return Err(Mismatch::new("not usable before the `@`"));
        }
        read_domain(domain).map(|domain| format!("{local}@{domain}"))
    })
}

/// The address of a web page.
pub(super) fn web_address() -> Form<'static, String> {
    Form::of_text("a web address, such as `https://bl.example.org/`", |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match rest {
            None if text.starts_with("www.") || text.contains(".org/") || text.contains(".com/") => {
                Err(Mismatch::new("no `https://`").hint(format!("write `\"https://{}\"`", shown(text))))
            }
            None => Err(Mismatch::new("no `https://`")),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Err(Mismatch::new("no host name")),
            Some(_) if text.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'"') => {
                Err(Mismatch::new("characters that a web address cannot have"))
            }
            Some(_) if text.len() > DOMAIN_BYTES_MAX => {
                Err(Mismatch::new(format!("longer than {DOMAIN_BYTES_MAX} bytes")))
            }
            Some(_) => template(text, &["{ip}", "{list}"]),
        }
    })
}

/// The text if it is printable ASCII and has no other braces than those of `words`, which are filled in later.
pub(super) fn template(text: &str, words: &[&str]) -> Result<String, Mismatch> {
    if text.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        return Err(Mismatch::new("characters beyond ASCII").hint("not every mail server can show or log them"));
    }
    let mut rest = text;
    while let Some(start) = rest.find(['{', '}']) {
        rest = &rest[start..];
        let Some(behind) = words.iter().find_map(|word| rest.strip_prefix(word)) else {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            let known = enumerate(words.iter().copied());
            let mismatch = Mismatch::new(format!("`{}` means nothing", shown(&rest[..end])));
            return Err(mismatch.hint(format!("{known} are filled in; other braces are not possible")));
        };
        rest = behind;
    }
    Ok(text.to_owned())
}

/// An address or network.
pub(super) fn network() -> Form<'static, Network> {
    Form::of_text("a network, such as `192.0.2.0/24` or `2001:db8::/32`", read_network)
}

pub(super) fn read_network(text: &str) -> Result<Network, Mismatch> {
    text.parse().map_err(|error| match error {
        NetworkError::Address => Mismatch::new("no address"),
        NetworkError::Length if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(':') => {
            Mismatch::new("the length after `/` must be 0 to 32")
        }
        NetworkError::Length => Mismatch::new("the length after `/` must be 0 to 128"),
        NetworkError::HostBits(network) => {
            let host = text.split('/').next().unwrap_or_default();
            Mismatch::new("has host bits set")
                .hint(format!("write `\"{network}\"`, or `\"{host}\"` for the host alone"))
        }
    })
}

/// An IPv4 address.
pub(super) fn ipv4() -> Form<'static, Ipv4Addr> {
    Form::of_text("an IPv4 address, such as `127.0.0.43`", |text| {
        text.parse().map_err(|_| Mismatch::new("no IPv4 address"))
    })
}

/// An address with its port, where something listens.
pub(super) fn socket() -> Form<'static, SocketAddr> {
    let wants = "an address with a port, such as `127.0.0.1:4001` or `[::1]:4001`";
    let read = |value: &DeValue<'_>| match value {
        DeValue::String(text) => read_socket(text),
        DeValue::Integer(port) => {
            Err(Mismatch::new("a port alone").hint(format!("write `\"127.0.0.1:{}\"`", port.as_str())))
        }
        DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err(Mismatch::of_type(value))
        }
    };
    Form { wants: wants.into(), read: Box::new(read) }
}

/// Why `text` is no address with a port.
pub(super) fn read_socket(text: &str) -> Result<SocketAddr, Mismatch> {
    let address: SocketAddr = text.parse().map_err(|_| not_a_socket(text))?;
    match address.ip().to_canonical() {
        // The system gives an IPv4 address to no socket of IPv6 alone.
        IpAddr::V4(v4) if address.is_ipv6() => {
            let plain = SocketAddr::from((v4, address.port()));
            Err(Mismatch::new("an IPv4 address in the form of an IPv6 one").hint(format!("write `\"{plain}\"`")))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(address),
    }
}

fn not_a_socket(text: &str) -> Mismatch {
    if let Ok(address) = text.parse::<IpAddr>() {
        let example = SocketAddr::new(address, 4001);
        return Mismatch::new("no port").hint(format!("add the port, such as `\"{example}\"`"));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Mismatch::new("no address");
    };
    if port.parse::<u16>().is_err() {
        return Mismatch::new(format!("`{}` is no port; ports are 1 to 65535", shown(port)));
    }
    match host {
        "" | "*" => Mismatch::new("no address")
            .hint(format!("write `\"0.0.0.0:{port}\"` for all of IPv4, `\"[::]:{port}\"` for all of IPv6")),
        "localhost" => Mismatch::new("a name").hint(format!("write `\"127.0.0.1:{port}\"`")),
        _ if host.contains(':') && !host.starts_with('[') => {
            Mismatch::new("an IPv6 address without brackets").hint(format!("write `\"[{}]:{port}\"`", shown(host)))
        }
        _ if read_domain(host).is_ok() => {
            Mismatch::new("a name").hint("names are not looked up; write the address of the interface")
        }
        _ => Mismatch::new(format!("`{}` is no address", shown(host))),
    }
}

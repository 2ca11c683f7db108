use core::mem::MaybeUninit;
use core::net::IpAddr;

use super::body::Chunked;
use super::reply::After;
use super::{Fault, HEAD_BYTES_MAX, HEADERS_MAX};

/// One whole request, borrowed from the connection's input.
#[derive(Debug)]
pub struct Request<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a [httparse::Header<'a>],
    body: &'a [u8],
    peer: Option<IpAddr>,
}

impl<'a> Request<'a> {
    pub(super) fn new<'b: 'a>(head: &'a httparse::Request<'_, 'b>, body: &'a [u8], peer: Option<IpAddr>) -> Self {
        let (method, target) = (head.method.unwrap_or_default(), head.path.unwrap_or_default());
        Self { method, target, headers: head.headers, body, peer }
    }

    /// `GET`, `POST`, … as it was sent; methods are case-sensitive (RFC 9110 section 9.1).
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The path of the target. Of the absolute form, which a server must accept (RFC 9112 section 3.2.2), scheme and
    /// authority are dropped.
    pub fn path(&self) -> &'a str {
        let path = self.origin_form().split(['?', '#']).next().unwrap_or_default();
        if path.is_empty() { "/" } else { path }
    }

    /// The first value of a parameter in the query, as it was sent: names and values that mail servers use need no
    /// percent-decoding.
    pub fn query(&self, name: &str) -> Option<&'a str> {
        let (_, query) = self.origin_form().split_once('?')?;
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether a parameter stands in the query more than once.
    pub fn repeats(&self, name: &str) -> bool {
        let query = self.origin_form().split_once('?').map_or("", |(_, query)| query);
        query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name).nth(1).is_some()
    }

    /// The value of the first header of that name, in any case of letters.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// The values of all headers of that name in their order, joined by commas, which is what they mean (RFC 9110 section
    /// 5.3).
    pub fn header_lines(&self, name: &str) -> Option<Vec<u8>> {
        let named = self.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        let lines: Vec<&[u8]> = named.map(|header| header.value).collect();
        (!lines.is_empty()).then(|| lines.join(&b","[..]))
    }

    /// Whom the connection is with, if he came over a network.
    pub const fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// The body, decoded.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    fn origin_form(&self) -> &'a str {
        let Some(rest) = self.target.strip_prefix("http://") else { return self.target };
        rest.find(['/', '?']).map_or("/", |authority| &rest[authority..])
    }
}

/// Room for the headers of one request, on the stack and not written before it is used.
pub(super) type Slots<'a> = [MaybeUninit<httparse::Header<'a>>; HEADERS_MAX];

/// What the codec itself must know of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// Bytes of request line and headers with the empty line.
    pub length: usize,
    pub framing: Framing,
    pub after: After,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects: bool,
    /// The reply has no body, because the method is `HEAD`.
    pub bodiless: bool,
}

/// How the end of the body is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// So many bytes; none if no header says otherwise.
    Sized(usize),
    Chunked(Chunked),
}

/// Reads a head from the beginning of `bytes`, before a body of at most `body_max`; none if it is not there whole yet.
pub(super) fn parse<'s, 'a>(
    bytes: &'a [u8],
    slots: &'s mut Slots<'a>,
    body_max: usize,
) -> Result<Option<(Head, httparse::Request<'s, 'a>)>, Fault> {
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, slots) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_BYTES_MAX => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Fault::HeadTooLarge),
        Err(_) => return Err(Fault::Malformed),
    };
    let head = read_headers(&request, length, body_max)?;
    Ok(Some((head, request)))
}

/// Draws from the headers what decides about framing and persistence (RFC 9112 sections 6 and 9.3).
fn read_headers(request: &httparse::Request<'_, '_>, length: usize, body_max: usize) -> Result<Head, Fault> {
    let is_1_1 = request.version == Some(1);
    let (mut size, mut chunked, mut expects) = (None, false, false);
    let (mut says_close, mut says_keep) = (false, false);
    for header in request.headers.iter() {
        // The length is compared first, so that a head of the usual dozen lines costs a dozen integer comparisons.
        match header.name.len() {
            6 if header.name.eq_ignore_ascii_case("expect") => {
                expects = is_1_1 && header.value.trim_ascii().eq_ignore_ascii_case(b"100-continue");
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                for option in header.value.split(|&b| b == b',') {
                    says_close |= option.trim_ascii().eq_ignore_ascii_case(b"close");
                    says_keep |= option.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let given = decimal(header.value.trim_ascii()).ok_or(Fault::Malformed)?;
                if size.is_some_and(|earlier| earlier != given) {
                    return Err(Fault::Malformed);
                }
                size = Some(given);
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                if chunked || !is_1_1 {
                    return Err(Fault::Malformed);
                }
                if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Fault::UnknownCoding);
                }
                chunked = true;
            }
            _ => {}
        }
    }
    let framing = match (size, chunked) {
        // Both at once is how requests are smuggled past a proxy; an honest client never sends both.
        (Some(_), true) => return Err(Fault::Malformed),
        (None, true) => Framing::Chunked(Chunked::new(length, body_max)),
        (Some(size), false) if size > body_max => return Err(Fault::BodyTooLarge),
        (size, false) => Framing::Sized(size.unwrap_or(0)),
    };
    let after = match (is_1_1, says_close, says_keep) {
        (_, true, _) | (false, _, false) => After::Close,
        (true, ..) => After::Keep,
        (false, false, true) => After::KeepAndSay,
    };
    Ok(Head { length, framing, after, expects, bodiless: request.method == Some("HEAD") })
}

/// A length in decimal digits alone: `+5`, `0x5` and `5, 5` are how requests are smuggled. One beyond every limit
/// stays beyond it.
fn decimal(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0_usize, |sum, digit| sum.saturating_mul(10).saturating_add(usize::from(digit - b'0'))))
}

use core::time::Duration;

use super::Fault;

/// The status of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// 200.
    Ok,
    /// 400: the request was understood as HTTP, but its body was not.
    BadRequest,
    /// 401, with a challenge for Basic authentication.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405, with the methods that are.
    MethodNotAllowed {
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// 415: the body is of a kind that is not understood here.
    UnsupportedMediaType,
    /// 429, with `Retry-After` in whole seconds.
    TooManyRequests {
        /// When the client may come again.
        retry_after: Duration,
    },
    /// 503, with `Retry-After` in whole seconds.
    Unavailable {
        /// When the client shall try again.
        retry_after: Duration,
    },
    /// 400 and the like for what is no HTTP; the connection is closed.
    Fault(Fault),
}

impl Status {
    /// Status line and the headers that belong to the status, up to and without the line for the length.
    const fn lines(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => ("200 OK", ""),
            Self::BadRequest | Self::Fault(Fault::Malformed) => ("400 Bad Request", ""),
            Self::Unauthorized => ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"ratter\"\r\n"),
            Self::Forbidden => ("403 Forbidden", ""),
            Self::NotFound => ("404 Not Found", ""),
            Self::MethodNotAllowed { .. } => ("405 Method Not Allowed", ""),
            Self::UnsupportedMediaType => ("415 Unsupported Media Type", ""),
            Self::TooManyRequests { .. } => ("429 Too Many Requests", ""),
            Self::Unavailable { .. } => ("503 Service Unavailable", ""),
            Self::Fault(Fault::HeadTooLarge) => ("431 Request Header Fields Too Large", ""),
            Self::Fault(Fault::BodyTooLarge) => ("413 Content Too Large", ""),
            Self::Fault(Fault::UnknownCoding) => ("501 Not Implemented", ""),
        }
    }
}

/// The reply to one request, as a [`super::Service`] fills it.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Its status.
    pub status: Status,
    /// Its body, JSON; empty at first. The memory is the connection's and used again.
    pub body: &'a mut Vec<u8>,
    /// How long the request has been put off so far.
    pub waited: Duration,
    /// Whether it is put off: nothing is written, and the service is called again with the same request a little later.
    pub is_later: bool,
}

/// What becomes of the connection after a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum After {
    /// It stays open, as HTTP/1.1 does by itself.
    Keep,
    /// It stays open, and an HTTP/1.0 client must be told so.
    KeepAndSay,
    /// It is closed.
    Close,
}

/// Writes head and body to `output`. A reply to `HEAD` has the head only, with the length that `GET` would have.
pub(super) fn write(output: &mut Vec<u8>, status: Status, body: &[u8], after: After, bodiless: bool) {
    let (line, header) = status.lines();
    output.extend_from_slice(b"HTTP/1.1 ");
    output.extend_from_slice(line.as_bytes());
    output.extend_from_slice(b"\r\nContent-Type: application/json\r\n");
    output.extend_from_slice(header.as_bytes());
    match status {
        Status::MethodNotAllowed { allow } => {
            output.extend_from_slice(b"Allow: ");
            output.extend_from_slice(allow.as_bytes());
            output.extend_from_slice(b"\r\n");
        }
        Status::TooManyRequests { retry_after } | Status::Unavailable { retry_after } => {
            output.extend_from_slice(b"Retry-After: ");
            write_decimal(output, usize::try_from(retry_after.as_secs()).unwrap_or(usize::MAX));
            output.extend_from_slice(b"\r\n");
        }
        Status::Ok
        | Status::BadRequest
        | Status::Unauthorized
        | Status::Forbidden
        | Status::NotFound
        | Status::UnsupportedMediaType
        | Status::Fault(_) => {}
    }
    output.extend_from_slice(match after {
        After::Keep => b"",
        After::KeepAndSay => b"Connection: keep-alive\r\n",
        After::Close => b"Connection: close\r\n",
    });
    output.extend_from_slice(b"Content-Length: ");
    write_decimal(output, body.len());
    output.extend_from_slice(b"\r\n\r\n");
    if !bodiless {
        output.extend_from_slice(body);
    }
}

/// Appends `number` in decimal, without the machinery of `format!`.
pub(crate) fn write_decimal(output: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    output.extend_from_slice(&digits[at..]);
}

/// The body of an error as weakforced's clients know it. The reason is text of ours and needs no escaping.
pub(crate) fn write_failure(body: &mut Vec<u8>, reason: &str) {
    body.extend_from_slice(b"{\"status\":\"failure\",\"reason\":\"");
    body.extend_from_slice(reason.as_bytes());
    body.extend_from_slice(b"\"}");
}

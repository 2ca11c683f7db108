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
    /// 500: what was asked for cannot be done, or a fault of ours.
    ServerError,
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
            Self::ServerError => ("500 Internal Server Error", ""),
            Self::Unavailable { .. } => ("503 Service Unavailable", ""),
            Self::Fault(Fault::HeadTooLarge) => ("431 Request Header Fields Too Large", ""),
            Self::Fault(Fault::BodyTooLarge) => ("413 Content Too Large", ""),
            Self::Fault(Fault::UnknownCoding) => ("501 Not Implemented", ""),
        }
    }
}

/// What a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// JSON.
    Json,
    /// Plain text.
    Text,
}

/// What is written of a reply, and how.
pub(super) struct Written<'a> {
    pub status: Status,
    pub kind: Kind,
    pub headers: &'a [u8],
    pub body: &'a [u8],
    pub after: After,
    /// A reply to `HEAD` has the head only, with the length that `GET` would have.
    pub bodiless: bool,
}

/// The reply to one request, as a [`super::Service`] fills it.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Its status.
    pub status: Status,
    /// What its body is; JSON at first.
    pub kind: Kind,
    /// Header lines besides those of the codec, each with its CR LF; empty at first. What a client gave must not stand
    /// in them as it came.
    pub headers: &'a mut Vec<u8>,
    /// Its body; empty at first. The memory is the connection's and used again.
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

/// Writes head and body to `output`.
pub(super) fn write(output: &mut Vec<u8>, reply: &Written<'_>) {
    let Written { status, kind, headers, body, after, bodiless } = *reply;
    let (line, header) = status.lines();
    output.extend_from_slice(b"HTTP/1.1 ");
    output.extend_from_slice(line.as_bytes());
    output.extend_from_slice(match kind {
        Kind::Json => b"\r\nContent-Type: application/json\r\n",
        Kind::Text => b"\r\nContent-Type: text/plain\r\n",
    });
    output.extend_from_slice(header.as_bytes());
    output.extend_from_slice(headers);
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
        | Status::ServerError
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

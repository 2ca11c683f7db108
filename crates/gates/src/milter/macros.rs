use base::limits::LOGIN_BYTES_MAX;

/// Longest value that is kept, in bytes: a login is the longest of them.
const VALUE_BYTES_MAX: usize = LOGIN_BYTES_MAX;

/// What macros have told of the message that is on its way.
#[derive(Default, Debug)]
pub(super) struct Macros {
    /// `i`: the queue's name for the message; Postfix tells it from the first accepted recipient on.
    pub(super) queue_id: String,
    /// `{auth_authen}`: the login; empty for clients that have not logged in.
    pub(super) login: String,
    /// What the recipient of the next command is to the server.
    pub(super) recipient: Recipient,
}

/// What a recipient is to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Recipient {
    /// It is accepted so far.
    #[default]
    Accepted,
    /// It does not exist (RFC 3463: 5.1.1).
    Unknown,
    /// It is refused because the server does not relay for this client.
    Relay,
    /// It is refused for another reason.
    Refused,
}

impl Macros {
    /// Takes in the macros of a command. Those of a message stay until the next one begins.
    pub(super) fn read(&mut self, of: u8, pairs: &[u8]) {
        let (mut is_refused, mut status, mut text) = (false, &b""[..], &b""[..]);
        let mut fields = pairs.split(|&byte| byte == 0);
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            match name {
                b"i" | b"{i}" => keep(&mut self.queue_id, value),
                b"{auth_authen}" => keep(&mut self.login, value),
                b"{rcpt_mailer}" => is_refused = value == b"error",
                b"{rcpt_host}" => status = value,
                b"{rcpt_addr}" => text = value,
                _ => {}
            }
        }
        if of == b'R' {
            // Postfix tells what stands behind the recipient; if there are spaces in that, the rest of it comes before.
            let is_relay = text == b"Relay access denied" || text.ends_with(b">: Relay access denied");
            self.recipient = match status {
                _ if !is_refused => Recipient::Accepted,
                b"5.1.1" => Recipient::Unknown,
                b"5.7.1" if is_relay => Recipient::Relay,
                _ => Recipient::Refused,
            };
        }
    }

    /// The message is over.
    pub(super) fn forget_message(&mut self) {
        self.queue_id.clear();
        self.login.clear();
    }
}

fn keep(place: &mut String, value: &[u8]) {
    place.clear();
    place.push_str(&String::from_utf8_lossy(&value[..value.len().min(VALUE_BYTES_MAX)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients() {
        let refused = |status: &str, text: &str| {
            format!("{{rcpt_mailer}}\0error\0{{rcpt_host}}\0{status}\0{{rcpt_addr}}\0{text}\0")
        };
        let cases = [
            (String::new(), Recipient::Accepted),
            ("{rcpt_mailer}\0smtp\0{rcpt_host}\x005.1.1\0".into(), Recipient::Accepted),
            (refused("5.1.1", "Recipient address rejected: User unknown in virtual mailbox table"), Recipient::Unknown),
            (refused("5.7.1", "Relay access denied"), Recipient::Relay),
            (refused("5.7.1", "a\"@example.net>: Relay access denied"), Recipient::Relay),
            (refused("5.7.1", ": Relay access denied\"@y>: Access denied"), Recipient::Refused),
            (refused("5.7.1", "Recipient address rejected: Access denied"), Recipient::Refused),
            (refused("4.7.1", "Recipient address rejected: Greylisted"), Recipient::Refused),
        ];
        for (pairs, wanted) in cases {
            let mut macros = Macros::default();
            macros.read(b'R', pairs.as_bytes());
            assert_eq!(macros.recipient, wanted, "{pairs:?}");
        }
    }

    #[test]
    fn odd_macros() {
        let mut macros = Macros::default();
        macros.read(b'M', b"{auth_authen}\0al\xffce\0i\0A1\0cut");
        assert_eq!((&*macros.login, &*macros.queue_id), ("al\u{fffd}ce", "A1"));
        macros.read(b'M', &[&b"{auth_authen}\0"[..], &[b'x'; 5000], b"\0"].concat());
        assert_eq!(macros.login.len(), VALUE_BYTES_MAX);
    }
}

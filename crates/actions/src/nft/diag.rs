//! Open connections of the kernel: found, and ended (`linux/inet_diag.h`, `linux/sock_diag.h`). A connection that is open when
//! its client is listed would only hang: ended, it frees a process of the mail server at once.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Address;

use super::wire::{Answer, Buffer, NLM_F_DUMP};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const TCP: u8 = 6;
/// Connections that are being made, are open, or are ending; neither those that are over nor listeners.
const STATES: u32 = 0b1011_0011_1110;
/// Bytes of `inet_diag_sockid`.
const ID_BYTES: usize = 48;

/// A connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connection {
    /// The port on this side.
    pub port: u16,
    /// Who is on the other.
    pub peer: Address,
    family: u8,
    id: [u8; ID_BYTES],
}

/// The question which connections there are of a family of addresses.
pub fn dump(is_ipv6: bool, sequence: u32) -> Vec<u8> {
    let family = if is_ipv6 { AF_INET6 } else { AF_INET };
    request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family, STATES, &[0; ID_BYTES], sequence)
}

/// The wish to end a connection: its client gets a reset, and the process that holds it an error.
pub fn destroy(connection: &Connection, sequence: u32) -> Vec<u8> {
    // With `NLM_F_ACK`, because what the kernel cannot do shall be said.
    request(SOCK_DESTROY, 4, connection.family, u32::MAX, &connection.id, sequence)
}

/// The connections in an answer.
pub fn connections(answer: &Answer<'_>) -> Option<Connection> {
    let Answer::Data { kind: SOCK_DIAG_BY_FAMILY, body, .. } = answer else { return None };
    let family = *body.first()?;
    let id: [u8; ID_BYTES] = body.get(4..4 + ID_BYTES)?.try_into().ok()?;
    let port = u16::from_be_bytes([id[0], id[1]]);
    let peer = &id[20..36];
    let peer: IpAddr = match family {
        AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(&peer[..4]).ok()?).into(),
        AF_INET6 => Ipv6Addr::from(<[u8; 16]>::try_from(peer).ok()?).into(),
        _ => return None,
    };
    Some(Connection { port, peer: Address::new(peer), family, id })
}

/// `inet_diag_req_v2`.
fn request(kind: u16, flags: u16, family: u8, states: u32, id: &[u8; ID_BYTES], sequence: u32) -> Vec<u8> {
    let mut buffer = Buffer::default();
    let start = buffer.begin(kind, flags, sequence);
    buffer.bytes(&[family, TCP, 0, 0]);
    buffer.bytes(&states.to_ne_bytes());
    buffer.bytes(id);
    buffer.end(start);
    buffer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_read_from_an_answer_and_named_by_the_same_bytes() {
        let mut body = vec![AF_INET, 1, 0, 0];
        let mut id = [0; ID_BYTES];
        id[..2].copy_from_slice(&143_u16.to_be_bytes());
        id[20..24].copy_from_slice(&[192, 0, 2, 7]);
        id[40..48].copy_from_slice(&[9; 8]);
        body.extend(id);
        let answer = Answer::Data { sequence: 1, kind: SOCK_DIAG_BY_FAMILY, body: &body };
        let connection = connections(&answer).expect("it is one");
        assert_eq!((connection.port, connection.peer), (143, "192.0.2.7".parse().unwrap()));
        let wish = destroy(&connection, 5);
        assert_eq!((wish.len(), &wish[24..]), (16 + 8 + ID_BYTES, &id[..]));
        for length in 0..body.len() {
            assert_eq!(
                connections(&Answer::Data { sequence: 1, kind: SOCK_DIAG_BY_FAMILY, body: &body[..length] }),
                None
            );
        }
    }
}

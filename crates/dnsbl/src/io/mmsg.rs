//! Batches of datagrams by `recvmmsg` and `sendmmsg`, each reply from the address that its query was sent to.
//!
//! This is the one file with unsafe code: no safe crate sends many messages with control data of their own. It keeps
//! the plan of the structures simple: all of them are owned by [`Batch`], and all pointers between them are written
//! anew before each system call, so none outlives a borrow.

#![expect(unsafe_code, reason = "recvmmsg and sendmmsg with control data, and two socket options that socket2 lacks")]

use core::mem;
use std::io;
use std::os::fd::AsRawFd as _;
use std::ptr;

use libc::{c_int, c_uint, c_void, cmsghdr, in_pktinfo, in6_pktinfo, iovec, mmsghdr, sockaddr_in6, socklen_t};
use socket2::Socket;

use crate::serve::UDP_BYTES_MAX;

/// Most datagrams that one system call takes.
pub(super) const BATCH: usize = 64;

/// Room for a query: more than any that is meant well. What is longer arrives cut off and is answered as malformed.
///
/// An odd number of cache lines, so that the beginnings of neighbours fall into different sets of the cache.
const QUERY_BYTES: usize = 25 * 64;

/// Room for a reply.
const REPLY_BYTES: usize = UDP_BYTES_MAX as usize;

/// Replies begin at multiples of this: one cache line.
const REPLY_ALIGN: usize = 64;

/// Room for one control message of either family, aligned as `cmsghdr` wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

const CONTROL_BYTES: usize = 64;

/// Buffers for one batch. They are made once; a batch allocates nothing.
pub(super) struct Batch {
    queries: Box<[[u8; QUERY_BYTES]]>,
    /// Room for the largest replies; most are short, and stand close together so that they take few pages.
    replies: Box<[u8]>,
    /// Where the next reply begins.
    next: usize,
    /// `sockaddr_in6` is the larger one of the two kinds; the kernel's octets come back to it as they were.
    peers: Box<[sockaddr_in6]>,
    controls: Box<[Control]>,
    vectors: Box<[iovec]>,
    headers: Box<[mmsghdr]>,
    /// For each message that came: its length, the lengths of its peer's address and of its control data.
    came: Box<[Came]>,
    /// For each message that came: where its reply begins, and its length; 0 if there is none.
    placed: Box<[(usize, usize)]>,
}

/// What is kept of a received message's header.
#[derive(Clone, Copy, Default)]
struct Came {
    length: usize,
    peer: socklen_t,
    control: usize,
}

// SAFETY: the raw pointers in `vectors` and `headers` point into the other fields and are only used in the calls of
// `receive` and `send`, each of which writes them before; between calls they are dead values.
unsafe impl Send for Batch {}

impl Batch {
    pub(super) fn new() -> Self {
        // SAFETY: these are C structures of integers and pointers, for which all zeros is a value.
        let (peer, vector, header) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        Self {
            queries: vec![[0; QUERY_BYTES]; BATCH].into(),
            replies: vec![0; REPLY_BYTES.next_multiple_of(REPLY_ALIGN) * BATCH].into(),
            next: 0,
            peers: vec![peer; BATCH].into(),
            controls: vec![Control([0; CONTROL_BYTES]); BATCH].into(),
            vectors: vec![vector; BATCH].into(),
            headers: vec![header; BATCH].into(),
            came: vec![Came::default(); BATCH].into(),
            placed: vec![(0, 0); BATCH].into(),
        }
    }

    /// Waits for a datagram, at most as long as the socket's receive timeout, and takes what else is there. Returns
    /// how many came.
    pub(super) fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        for index in 0..BATCH {
            self.vectors[index] = vector(&mut self.queries[index]);
            let header = &mut self.headers[index];
            header.msg_len = 0;
            header.msg_hdr.msg_name = (&raw mut self.peers[index]).cast();
            header.msg_hdr.msg_namelen = size_of::<sockaddr_in6>() as socklen_t;
            header.msg_hdr.msg_iov = &raw mut self.vectors[index];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = (&raw mut self.controls[index]).cast();
            header.msg_hdr.msg_controllen = CONTROL_BYTES;
            header.msg_hdr.msg_flags = 0;
        }
        // SAFETY: `headers` has BATCH elements, and each points to buffers of the lengths it states, which `self` owns
        // and nobody else touches during the call.
        let count = unsafe {
            let headers = self.headers.as_mut_ptr();
            libc::recvmmsg(socket.as_raw_fd(), headers, BATCH as c_uint, libc::MSG_WAITFORONE as _, ptr::null_mut())
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        self.next = 0;
        for (came, header) in self.came.iter_mut().zip(&self.headers[..count]) {
            let hdr = &header.msg_hdr;
            *came = Came {
                length: (header.msg_len as usize).min(QUERY_BYTES),
                peer: hdr.msg_namelen.min(size_of::<sockaddr_in6>() as socklen_t),
                control: hdr.msg_controllen.min(CONTROL_BYTES),
            };
        }
        Ok(count)
    }

    /// The query at `index` of the last [`Batch::receive`], and the room for its reply.
    pub(super) fn message(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        (&self.queries[index][..self.came[index].length], &mut self.replies[self.next..self.next + REPLY_BYTES])
    }

    /// Says how long the reply at `index` is; 0 if there is none. To be called once for each message, in order.
    pub(super) fn reply(&mut self, index: usize, length: usize) {
        // A peer of port 0 cannot be answered: the kernel would refuse, and with it end the batch.
        let has_port = self.peers[index].sin6_port != 0;
        let length = if has_port { length.min(REPLY_BYTES) } else { 0 };
        self.placed[index] = (self.next, length);
        self.next += length.next_multiple_of(REPLY_ALIGN);
    }

    /// Sends the replies of the first `count` messages. Returns how many the kernel refused.
    pub(super) fn send(&mut self, socket: &Socket, count: usize) -> usize {
        let mut ready = 0;
        for index in 0..count {
            let (start, length) = self.placed[index];
            if length == 0 {
                continue;
            }
            let came = self.came[index];
            let control = answer_from(&mut self.controls[index], came.control);
            self.vectors[ready] = vector(&mut self.replies[start..start + length]);
            let header = &mut self.headers[ready];
            header.msg_hdr.msg_name = (&raw mut self.peers[index]).cast();
            header.msg_hdr.msg_namelen = came.peer;
            header.msg_hdr.msg_iov = &raw mut self.vectors[ready];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control =
                if control == 0 { ptr::null_mut() } else { (&raw mut self.controls[index]).cast() };
            header.msg_hdr.msg_controllen = control;
            header.msg_hdr.msg_flags = 0;
            ready += 1;
        }
        let (mut sent, mut refused) = (0, 0);
        while sent < ready {
            let rest = &mut self.headers[sent..ready];
            // SAFETY: each of the `rest.len()` headers points to buffers of the lengths it states, which `self` owns
            // and nobody else touches during the call.
            let done = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as c_uint, 0) };
            match usize::try_from(done) {
                Ok(done) if done > 0 => sent += done,
                // The first of the rest could not be sent, for a reason of its own: no route, a full queue, a firewall.
                _ => (sent, refused) = (sent + 1, refused + 1),
            }
        }
        refused
    }
}

fn vector(bytes: &mut [u8]) -> iovec {
    iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

/// Turns the control data of a received message into that of its reply: the address that was asked becomes the source,
/// and the interface is left to the routing, but for link-local addresses, which mean nothing without one. Returns the
/// length of the control data; 0 if none came, because the socket has one address only.
fn answer_from(control: &mut Control, length: usize) -> usize {
    let header_bytes = align(size_of::<cmsghdr>());
    if length < header_bytes {
        return 0;
    }
    // SAFETY: `Control` is aligned for and larger than a `cmsghdr`, and any octets are a value of it.
    let header: cmsghdr = unsafe { ptr::read(control.0.as_ptr().cast()) };
    match (header.cmsg_level, header.cmsg_type) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            // ipi_ifindex, then ipi_spec_dst, which is the local address of the packet and the source of the reply.
            let index = mem::offset_of!(in_pktinfo, ipi_ifindex) + header_bytes;
            control.0[index..index + size_of::<c_int>()].fill(0);
            header_bytes + align(size_of::<in_pktinfo>())
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let address = mem::offset_of!(in6_pktinfo, ipi6_addr) + header_bytes;
            let is_link_local = control.0[address] == 0xfe && control.0[address + 1] & 0xc0 == 0x80;
            if !is_link_local {
                let index = mem::offset_of!(in6_pktinfo, ipi6_ifindex) + header_bytes;
                control.0[index..index + size_of::<c_uint>()].fill(0);
            }
            header_bytes + align(size_of::<in6_pktinfo>())
        }
        _ => 0,
    }
}

/// The kernel's `CMSG_ALIGN`.
const fn align(bytes: usize) -> usize {
    bytes.next_multiple_of(size_of::<usize>())
}

const _: () = assert!(align(size_of::<cmsghdr>()) + align(size_of::<in6_pktinfo>()) <= CONTROL_BYTES);

/// Asks the kernel to say for each datagram which of our addresses it was sent to. Needed only where the socket is
/// bound to the unspecified address.
pub(super) fn tell_destinations(socket: &Socket, is_v4: bool) -> io::Result<()> {
    let (level, option) =
        if is_v4 { (libc::IPPROTO_IP, libc::IP_PKTINFO) } else { (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) };
    set_option(socket, level, option, 1)
}

/// Sets the receive buffer beyond the system's limit, which needs `CAP_NET_ADMIN`.
pub(super) fn force_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, c_int::try_from(bytes).unwrap_or(c_int::MAX))
}

fn set_option(socket: &Socket, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    let pointer: *const c_void = (&raw const value).cast();
    // SAFETY: the pointer and the length are those of `value`, which lives through the call.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, pointer, size_of::<c_int>() as socklen_t) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

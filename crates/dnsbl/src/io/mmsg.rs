//! Batches of datagrams by `recvmmsg` and `sendmmsg`, each reply from the address that its query was sent to.
//!
//! This is the one file with unsafe code: no safe crate sends many messages with control data of their own. It keeps
//! the plan of the structures simple: all of them are owned by [`Batch`], and all pointers between them are written
//! anew before each system call, so none outlives a borrow.

#![expect(unsafe_code, reason = "recvmmsg and sendmmsg with control data, and two socket options that socket2 lacks")]

use core::mem;
use core::net::{Ipv4Addr, Ipv6Addr};
use std::io;
use std::os::fd::AsRawFd as _;
use std::ptr;

use base::Address;
use libc::{c_int, c_uint, c_void, cmsghdr, in_pktinfo, in6_pktinfo, iovec, mmsghdr, sockaddr_in6, socklen_t};
use socket2::Socket;

use crate::serve::BATCH_MAX;

/// Room for a query, and then for its reply: more than any that is meant well. What is longer arrives cut off and is
/// answered as malformed.
///
/// An odd number of cache lines, so that the beginnings of neighbours fall into different sets of the cache.
pub(super) const BUFFER_BYTES: usize = 25 * 64;

/// Room for one control message of either family, aligned as `cmsghdr` wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

const CONTROL_BYTES: usize = 64;

/// Buffers for one batch. They are made once; a batch allocates nothing.
pub(super) struct Batch {
    /// Each message's octets: the query, and then its reply in the same place, which is in the cache already.
    buffers: Box<[[u8; BUFFER_BYTES]]>,
    /// The lengths of the queries, and then those of the replies.
    lengths: Box<[usize]>,
    /// `sockaddr_in6` is the larger one of the two kinds; the kernel's octets come back to it as they were.
    peers: Box<[sockaddr_in6]>,
    /// None where the socket has one address, so that nobody needs to say which one was asked.
    controls: Option<Box<[Control]>>,
    vectors: Box<[iovec]>,
    headers: Box<[mmsghdr]>,
}

// SAFETY: the raw pointers in `vectors` and `headers` point into the other fields and are only used in the calls of
// `receive` and `send`, each of which writes them before; between calls they are dead values.
unsafe impl Send for Batch {}

impl Batch {
    /// `has_many_addresses` says whether the socket is told which of its addresses was asked.
    pub(super) fn new(has_many_addresses: bool) -> Self {
        // SAFETY: these are C structures of integers and pointers, for which all zeros is a value.
        let (peer, vector, header) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        Self {
            buffers: vec![[0; BUFFER_BYTES]; BATCH_MAX].into(),
            lengths: vec![0; BATCH_MAX].into(),
            peers: vec![peer; BATCH_MAX].into(),
            controls: has_many_addresses.then(|| vec![Control([0; CONTROL_BYTES]); BATCH_MAX].into()),
            vectors: vec![vector; BATCH_MAX].into(),
            headers: vec![header; BATCH_MAX].into(),
        }
    }

    /// Waits for a datagram, at most as long as the socket's receive timeout, and takes what else is there. Returns
    /// how many came.
    pub(super) fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        for (vector, buffer) in self.vectors.iter_mut().zip(&mut self.buffers) {
            *vector = iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: BUFFER_BYTES };
        }
        for (index, header) in self.headers.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = (&raw mut self.peers[index]).cast();
            header.msg_namelen = size_of::<sockaddr_in6>() as socklen_t;
            header.msg_iov = &raw mut self.vectors[index];
            header.msg_iovlen = 1;
            (header.msg_control, header.msg_controllen) = match &mut self.controls {
                Some(controls) => ((&raw mut controls[index]).cast(), CONTROL_BYTES),
                None => (ptr::null_mut(), 0),
            };
            header.msg_flags = 0;
        }
        // SAFETY: `headers` has BATCH_MAX elements, and each points to buffers of the lengths it states, which `self`
        // owns and nobody else touches during the call.
        let count = unsafe {
            let headers = self.headers.as_mut_ptr();
            libc::recvmmsg(socket.as_raw_fd(), headers, BATCH_MAX as c_uint, libc::MSG_WAITFORONE as _, ptr::null_mut())
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (length, header) in self.lengths.iter_mut().zip(&self.headers[..count]) {
            *length = (header.msg_len as usize).min(BUFFER_BYTES);
        }
        Ok(count)
    }

    /// The first `count` messages, who sent them, and their lengths, in the place of which those of the replies are to
    /// be put; 0 where there is none.
    pub(super) fn messages(&mut self, count: usize) -> (&mut [[u8; BUFFER_BYTES]], &mut [usize], Peers<'_>) {
        (&mut self.buffers[..count], &mut self.lengths[..count], Peers(&self.peers[..count]))
    }

    /// Sends the replies to the first `count` messages. Returns how many the kernel refused.
    pub(super) fn send(&mut self, socket: &Socket, count: usize) -> usize {
        for ((vector, buffer), length) in self.vectors.iter_mut().zip(&mut self.buffers).zip(&self.lengths[..count]) {
            *vector = iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: *length };
        }
        for (index, header) in self.headers[..count].iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = (&raw mut self.peers[index]).cast();
            header.msg_namelen = header.msg_namelen.min(size_of::<sockaddr_in6>() as socklen_t);
            header.msg_iov = &raw mut self.vectors[index];
            if let Some(controls) = &mut self.controls {
                let control = &mut controls[index];
                header.msg_controllen = answer_from(control, header.msg_controllen.min(CONTROL_BYTES));
                header.msg_control =
                    if header.msg_controllen == 0 { ptr::null_mut() } else { (&raw mut *control).cast() };
            }
        }
        let mut ready = 0;
        for index in 0..count {
            // A peer of port 0 cannot be answered: the kernel would refuse, and with it end the batch.
            if self.lengths[index] > 0 && self.peers[index].sin6_port != 0 {
                self.headers[ready] = self.headers[index];
                ready += 1;
            }
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

/// Who sent the messages of a batch.
pub(super) struct Peers<'a>(&'a [sockaddr_in6]);

impl Peers<'_> {
    /// The address from which the message at `index` came.
    pub(super) fn address(&self, index: usize) -> Address {
        let peer = &self.0[index];
        if c_int::from(peer.sin6_family) == libc::AF_INET {
            // The octets of a `sockaddr_in`, whose address stands where `sockaddr_in6` has its flow.
            const { assert!(mem::offset_of!(libc::sockaddr_in, sin_addr) == mem::offset_of!(sockaddr_in6, sin6_flowinfo)) };
            return Address::new(Ipv4Addr::from(peer.sin6_flowinfo.to_ne_bytes()).into());
        }
        Address::new(Ipv6Addr::from(peer.sin6_addr.s6_addr).into())
    }
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

//! The server from outside, over its public interface.

#[cfg(test)]
mod access;
#[cfg(test)]
mod alloc;
#[cfg(test)]
mod common;
#[cfg(test)]
mod differential;
#[cfg(test)]
#[cfg(feature = "io")]
mod dig;
#[cfg(test)]
#[cfg(feature = "io")]
mod floods;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod newcomers;
#[cfg(test)]
#[cfg(feature = "io")]
mod rbldnsd;
#[cfg(test)]
#[cfg(feature = "io")]
mod secondaries;
#[cfg(test)]
#[cfg(feature = "io")]
mod sockets;
#[cfg(test)]
mod statics;
#[cfg(test)]
mod wire;

use core::net::IpAddr;
use std::sync::Arc;

use base::Timestamp;

use super::{Connection, Service};
use crate::session::{Protocol, Session};

/// HTTP in front of one service, as a protocol of the shell.
#[derive(Clone)]
pub struct Http(Arc<dyn Service>);

impl Http {
    /// Has `service` answer.
    pub fn new(service: Arc<dyn Service>) -> Self {
        Self(service)
    }
}

impl Protocol for Http {
    type Session = HttpSession;

    fn open(&self) -> HttpSession {
        HttpSession { connection: Connection::new(), service: self.0.clone() }
    }
}

/// A connection together with what answers it.
pub struct HttpSession {
    connection: Connection,
    service: Arc<dyn Service>,
}

impl Session for HttpSession {
    fn came_from(&mut self, peer: Option<IpAddr>) {
        self.connection.came_from(peer);
    }

    fn space(&mut self) -> &mut [u8] {
        self.connection.space()
    }

    fn filled(&mut self, count: usize) {
        self.connection.filled(count);
    }

    fn serve(&mut self, now: Timestamp) -> usize {
        self.connection.serve(now, self.service.as_ref())
    }

    fn output(&self) -> &[u8] {
        self.connection.output()
    }

    fn written(&mut self) {
        self.connection.written();
    }

    fn is_closing(&self) -> bool {
        self.connection.is_closing()
    }

    fn is_waiting(&self) -> bool {
        self.connection.is_waiting()
    }

    fn is_idle(&self) -> bool {
        self.connection.is_idle()
    }

    fn is_faulty(&self) -> bool {
        self.connection.fault().is_some()
    }
}

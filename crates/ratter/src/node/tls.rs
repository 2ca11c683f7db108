//! DNS over TLS: the listener, and the thread that looks whether its certificate has changed.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ::console::metrics::Metric;
use anyhow::Context as _;
use dnsbl::io::{Server, Statistics, Tls};
use listings::Book;
use tracing::{error, info};

use crate::clock;
use crate::config::TlsListener;

/// How often the files are looked at.
const PAUSE: Duration = Duration::from_secs(5);

/// The thread, which ends when this is dropped.
pub(super) struct Watch {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// Listens for TLS, and keeps what clients are shown as the files are: connections that are there are not touched.
pub(super) fn start(server: &mut Server, listener: &TlsListener, book: &Book) -> anyhow::Result<Watch> {
    let identity = Arc::new(Tls::open(listener.files.clone()).context("[dnsbl.tls]")?);
    server.listen_for_tls(&listener.listen, Arc::clone(&identity), &book.reader())?;
    let stop = Arc::new((Mutex::new(false), Condvar::new()));
    let for_thread = Arc::clone(&stop);
    let thread = std::thread::Builder::new().name("dns-tls-files".into());
    let thread = thread.spawn(move || watch(&identity, &for_thread)).context("no thread for certificates")?;
    Ok(Watch { stop, thread: Some(thread) })
}

fn watch(identity: &Tls, (stop, signal): &(Mutex<bool>, Condvar)) {
    let mut is_stopped = stop.lock().unwrap_or_else(PoisonError::into_inner);
    while !*is_stopped {
        is_stopped = signal.wait_timeout(is_stopped, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
        match identity.poll() {
            Some(Ok(())) => info!(until = %identity.ends(), "clients that come by TLS are shown a new certificate"),
            Some(Err(fault)) => error!("the certificate for TLS stays as it was: {fault}"),
            None => {}
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so; there is nothing left to end.
            thread.join().unwrap_or_default();
        }
    }
}

/// What somebody should look at.
pub(super) fn fault(identity: &Tls) -> Option<String> {
    let ended = || format!("the certificate for TLS has ended: {}", identity.ends());
    let has_ended = identity.ends() <= clock::now();
    let fault = identity.fault().map(|fault| format!("the certificate for TLS stays as it was: {fault}"));
    fault.or_else(|| has_ended.then(ended))
}

pub(super) fn metrics(statistics: &Statistics, identity: &Tls) -> Vec<Metric> {
    let [shed, idle, broken] = statistics.tls_closed;
    let closed = [("shed", shed), ("idle", idle), ("broken", broken)];
    vec![
        Metric::counter("dns_tls_queries", "DNS queries that came by TLS", statistics.tls_messages),
        Metric::counter("dns_tls_connections", "Connections for DNS over TLS", statistics.tls_accepted),
        Metric::counter("dns_tls_closed", "Of those, closed by us, by the reason", 0).by("why", closed),
        Metric::gauge(
            "dns_tls_certificate_ends",
            "Until when the certificate is valid, seconds since the epoch",
            identity.ends().as_secs(),
        ),
    ]
}

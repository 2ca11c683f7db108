//! What people and programs see of a running node: the control socket of the command line, its JSON forms, and metrics.
//!
//! The forms in [`api`] are the contract with scripts that use `--json`: they are versioned by their path (`/v1/…`), and
//! no type of another room is serialized as it is. The room asks the node through the trait [`Node`] and knows nothing
//! of how it works.
//!
//! ```text
//! ratter why … ── HTTP/1.1 over the unix socket ──> io::control ──> Node
//! Prometheus  ── HTTP/1.1 over TCP ──────────────> io::metrics ──> Node
//! rspamd      ── GET /maps/NAME ─────────────────────────┘
//! who is listed ── HTTP/1.1 over TCP ────────────> io::removal ──> RemovalDesk
//! ```

pub mod api;
#[cfg(feature = "io")]
pub mod io;
pub mod metrics;
pub mod page;

use base::Subject;

/// Writes a list, which may take long and keeps nobody waiting.
pub type Export = Box<dyn FnOnce(&mut dyn std::io::Write) -> std::io::Result<()> + Send>;

/// A map as it is served.
#[derive(Clone, Debug)]
pub struct MapText {
    /// The text.
    pub text: std::sync::Arc<[u8]>,
    /// What names this text among all that the map ever had, in double quotes (RFC 9110 section 8.8.3).
    pub etag: String,
}

/// Whoever asks about a listing, over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// The other end of the connection.
    pub peer: std::net::IpAddr,
    /// `X-Forwarded-For`, which only a trusted proxy is believed.
    pub forwarded: Option<&'a [u8]>,
}

/// What answers those who are listed. Its calls may wait for DNS and the disk.
pub trait RemovalDesk: Send + Sync + 'static {
    /// What is published of an address; without one, of the requester's own.
    fn look_up(&self, from: Requester<'_>, address: Option<&str>) -> Result<api::LookedUp, api::RemovalFault>;

    /// Takes an address off, if it is proven to be the requester's.
    fn remove(&self, from: Requester<'_>, address: Option<&str>) -> Result<api::Removal, api::RemovalFault>;
}

/// A running node as the console sees it. All calls but those that say otherwise are short: they may take locks, but
/// never wait for a network.
pub trait Node: Send + Sync + 'static {
    /// How the node is.
    fn status(&self) -> api::Status;

    /// All that is known of a subject; with a past moment, what is told of it then.
    fn why(&self, subject: &Subject, at: Option<&str>) -> Result<api::Why, api::Fault>;

    /// Puts a subject on a list because a person wants it.
    fn list(&self, wish: &api::ListWish) -> Result<api::ListingView, api::Fault>;

    /// Takes a subject off a list, or off all, because a person wants it; returns what was in force.
    fn unlist(&self, wish: &api::UnlistWish) -> Result<Vec<api::ListingView>, api::Fault>;

    /// The listings in force now or at a past moment, of one list or all, at most `limit`. The past may take seconds.
    fn listings(&self, list: Option<&str>, at: Option<&str>, limit: usize)
    -> Result<Vec<api::ListingView>, api::Fault>;

    /// Puts the networks of a stream on a list because a person wants it. It takes as long as the stream comes.
    fn import(&self, wish: &api::ImportWish, networks: &mut dyn std::io::Read) -> Result<api::Imported, api::Fault>;

    /// What writes the networks of a list as a stream, as they are now.
    fn export(&self, list: &str) -> Result<Export, api::Fault>;

    /// What writes the networks of a list with ends and reasons, each as an [`api::ToldView`] in a line, and behind the last
    /// [`api::TOLD_END`].
    fn export_told(&self, list: &str) -> Result<Export, api::Fault>;

    /// The keys of the blocklist, those that are revoked among them.
    fn keys(&self) -> Result<Vec<api::KeyView>, api::Fault>;

    /// Makes a key, in force at once.
    fn make_key(&self, wish: &api::KeyWish) -> Result<api::NewKey, api::Fault>;

    /// Ends a key at once.
    fn revoke_key(&self, wish: &api::RevokeWish) -> Result<api::KeyView, api::Fault>;

    /// What waits before it is published.
    fn held(&self) -> Vec<api::HeldView>;

    /// Does what waits for a list, or drops it, because a person wants it.
    fn decide_held(&self, wish: &api::PublishWish) -> Result<api::Published, api::Fault>;

    /// Trusts a reporter again as much as the configuration says, because a person wants it.
    fn trust_reporter(&self, wish: &api::ResetWish) -> Result<api::ReporterStatus, api::Fault>;

    /// What is counted.
    fn metrics(&self) -> Vec<metrics::Metric>;

    /// The map of that name, if it is served and has been written.
    fn map(&self, name: &str) -> Option<MapText>;
}

//! The store as the other rooms see it.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base::{Address, Subject, Timestamp};
use rusqlite::Connection;

use crate::bulk;
use crate::clock;
use crate::error::{NotSaved, StoreError};
use crate::exceptions::ExceptionChange;
use crate::file::{self, DATABASE, Lock};
use crate::image::{ImageFile, NoImage};
use crate::keys::KeptKey;
use crate::limits::{AUDIT_BYTES_MAX, Limits};
use crate::load::Audit;
use crate::older::OlderChanges;
use crate::past::{Asked, Then};
use crate::people::{Audited, Past, People, Reported};
use crate::queue::{Health, Queue};
use crate::records::{Batch, KeptEvent, Names, cut};
use crate::restore::{self, Restored};
use crate::serials;
use crate::starts::{Outset, Sum};
use crate::writer::Writer;
use listings::{Book, Entry, Image};
use rules::Standing;

/// A store that is open and does not write yet: the book must take back its listings first.
pub struct Opened {
    connection: Connection,
    path: PathBuf,
    names: Names,
    limits: Limits,
    lock: Lock,
    secret: [u8; 16],
    /// The serial that this process goes on from, once that is known.
    serial: Option<u64>,
    /// The sum over the rows of the listings, once they were read.
    sum: Cell<Option<Sum>>,
}

/// A running store. Closing or dropping it writes what is queued.
pub struct Store {
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    people: People,
    path: PathBuf,
    images: ImageFile,
    /// Dropped last: another process may come when this one has written all.
    _lock: Lock,
}

impl Opened {
    /// Opens the state directory as [`Store::open`] does, and reads nothing yet.
    pub fn at(directory: &Path, names: Names, limits: Limits) -> Result<Self, StoreError> {
        file::make_directory(directory)?;
        let lock = file::lock(directory)?;
        let path = directory.join(DATABASE);
        let connection = file::open_writing(&path)?;
        let secret = file::secret(&connection, &path)?;
        Ok(Self { connection, path, names, limits, lock, secret, serial: None, sum: Cell::new(None) })
    }

    /// The book as [`Store::write_image`] kept it, with all changes since. An image that is not that is taken away: it
    /// would seem right again when more was written. Before [`Opened::begin`].
    pub fn image(&self, now: Timestamp) -> Result<Image, NoImage> {
        ImageFile::new(&self.path, &self.names, self.secret).read(&self.connection, now)
    }

    /// Reads what is needed first, the keys, and says from which serial on the book goes, which is `first` at least.
    pub fn begin(&mut self, first: u64) -> Result<Restored, StoreError> {
        let restored = restore::begin(&self.connection, self.secret, clock::now(), first)
            .map_err(|error| StoreError::sqlite(&self.path, error))?;
        self.serial = Some(restored.serial);
        Ok(restored)
    }

    /// Reads the listings, and of bulks all but their networks.
    pub fn restore_listings(&self, restored: &mut Restored) -> Result<(), StoreError> {
        let sum = restore::listings(&self.connection, &self.names, restored)
            .map_err(|error| StoreError::sqlite(&self.path, error))?;
        self.sum.set(Some(sum));
        Ok(())
    }

    /// Reads what is neither read by [`Opened::begin`] nor a listing, of the events those from `since` on.
    pub fn restore_rest(&self, since: Timestamp, restored: &mut Restored) -> Result<(), StoreError> {
        restore::rest(&self.connection, &self.names, since, &self.limits, restored)
            .map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// Reads the changes before this start, when the store has been started.
    pub fn older_changes(&self) -> OlderChanges {
        OlderChanges::new(self.path.clone(), self.names.clone())
    }

    /// Reads the networks of the bulks, which an image makes unnecessary.
    pub fn restore_bulks(&self, restored: &mut Restored) -> Result<(), StoreError> {
        let fill = |bulk| bulk::fill(&self.connection, &self.names, bulk);
        restored.bulks.iter_mut().try_for_each(fill).map_err(|error| StoreError::sqlite(&self.path, error))
    }

    /// [`Opened::start_from`] with a book that is what the file had, and no zones.
    pub fn start<J>(self, drain: J) -> Result<Store, StoreError>
    where
        J: FnMut(&mut Vec<Entry>) + Send + 'static,
    {
        self.start_from(Outset::default(), drain)
    }

    /// Starts the writer; no change is made before. `drain` moves the entries that wait in the book's journal to the end of the vector it is
    /// given: `move |into| book.drain_journal(into)`. Only the writer thread calls it.
    ///
    /// Fails if the system gives no thread or no second connection.
    pub fn start_from<J>(self, mut outset: Outset, drain: J) -> Result<Store, StoreError>
    where
        J: FnMut(&mut Vec<Entry>) + Send + 'static,
    {
        let Self { mut connection, path, names, limits, lock, secret, serial, sum } = self;
        let mut reserved = None;
        if let Some(serial) = serial {
            let sum = sum.get().map(|sum| sum.0);
            let until = serials::go_on(&mut connection, serial, clock::now(), &outset, sum)
                .map_err(|error| StoreError::sqlite(&path, error))?;
            (outset.granted)(until);
            reserved = Some(until);
        }
        let images = ImageFile::new(&path, &names, secret);
        let people = People::new(file::open_reading(&path)?, path.clone());
        let queue = Arc::new(Queue::new(limits.events_queued_max));
        let for_writer = Arc::clone(&queue);
        let mut writer = Writer::new(connection, names, limits, drain).granting(reserved, outset.granted);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer.run(&for_writer))
            .map_err(|error| StoreError::access(&path, error))?;
        Ok(Store { queue, writer: Mutex::new(Some(thread)), people, path, images, _lock: lock })
    }
}

impl Store {
    /// Opens the state directory, making it and the database if they are missing, and reads back what is known:
    /// of the events those from `since` on. `names` are those of the present configuration.
    ///
    /// Refuses a directory that another process uses, and a file that is damaged, newer, or not Ratter's; it never
    /// changes such a file.
    pub fn open(
        directory: &Path,
        names: Names,
        since: Timestamp,
        limits: Limits,
    ) -> Result<(Opened, Restored), StoreError> {
        let mut opened = Opened::at(directory, names, limits)?;
        let mut restored = opened.begin(0)?;
        opened.restore_listings(&mut restored)?;
        opened.restore_bulks(&mut restored)?;
        opened.restore_rest(since, &mut restored)?;
        Ok((opened, restored))
    }

    /// Queues a batch; never waits. It is written within [`crate::limits::TICK`], whole, together with every change
    /// that was made to the book before this call. Too many waiting events are shed and counted; a position never is.
    pub fn push(&self, batch: Batch) {
        self.queue.push(batch);
    }

    /// Queues a note of who did what, at the present moment.
    pub fn audit(&self, who: &str, what: &str) {
        let short = |text| cut(text, AUDIT_BYTES_MAX).into();
        self.queue.push_audit(Audit { at: clock::now(), who: short(who), what: short(what) });
    }

    /// Queues keys in place of what is known of those with the same hashes.
    pub fn push_keys(&self, keys: Vec<KeptKey>) {
        self.queue.push_keys(keys);
    }

    /// Queues changes of exceptions, in the order in which they were made.
    pub fn push_exceptions(&self, changes: Vec<ExceptionChange>) {
        self.queue.push_exceptions(changes);
    }

    /// Queues what became of reporters in place of what is known of them.
    pub fn push_standings(&self, standings: Vec<Standing>) {
        self.queue.push_standings(standings);
    }

    /// Queues accounts in place of what is known of them; one without a state is forgotten.
    pub fn push_accounts(&self, accounts: Vec<(u64, Option<Vec<u8>>)>) {
        self.queue.push_accounts(accounts);
    }

    /// Has everything written at once: for whoever changed the book. Does not wait.
    pub fn wake(&self) {
        self.queue.wake();
    }

    /// Waits until everything queued and every change of the book before this call is in the file, at most `patience`.
    pub fn flush(&self, patience: Duration) -> Result<(), NotSaved> {
        self.queue.flush(patience)
    }

    /// Keeps an image of the book as it is now, for the next start: see [`Opened::image`]. Gives the serial of the last
    /// change in it; none if the book is just being changed as a whole. It waits at most `patience` until those changes
    /// are in the file, because an image is never ahead of it.
    pub fn write_image(&self, book: &Book, patience: Duration) -> Result<Option<u64>, NotSaved> {
        let Some(moment) = book.moment() else { return Ok(None) };
        self.flush(patience)?;
        self.images.write(book, &moment).map_err(|error| NotSaved { reason: error.to_string().into() })?;
        Ok(Some(moment.serial))
    }

    /// Writes what is queued and ends the writer; what is pushed later is not written. A failing store is tried for
    /// [`crate::limits::CLOSE_PATIENCE`].
    pub fn close(&self) -> Result<(), NotSaved> {
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            self.queue.close();
            // The writer catches its panics; if it ended by one all the same, the rest below says that not all is saved.
            drop(thread.join());
        }
        self.queue.rest()
    }

    /// Whether anything is written any more: not once [`Store::close`] has returned.
    pub fn is_open(&self) -> bool {
        self.queue.is_open()
    }

    /// How the store does.
    pub fn health(&self) -> Health {
        self.queue.health()
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Events from `since` on of a login, an address, or all addresses of a network, newest first, at most `limit` and
    /// [`crate::limits::ROWS_ASKED_MAX`]. What is not written yet is not among them.
    pub fn events_about(
        &self,
        subject: &Subject,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        self.people.events_about(subject, since, limit)
    }

    /// The reports of others since a moment, the newest first, at most `limit`.
    pub fn reported(&self, since: Timestamp, limit: usize) -> Result<Vec<Reported>, StoreError> {
        self.people.reported(since, limit)
    }

    /// The events of limits that were exceeded at a gate, newest first, at most `limit`.
    pub fn exceeded(&self, limit: usize) -> Result<Vec<KeptEvent>, StoreError> {
        self.people.exceeded(limit)
    }

    /// The addresses that somebody reported since a moment, each once, at most `limit`.
    pub fn reported_by(&self, reporter: &str, since: Timestamp, limit: usize) -> Result<Vec<Address>, StoreError> {
        self.people.reported_by(reporter, since, limit)
    }

    /// Changes of the book about a subject or the networks that cover it, newest first, at most `limit` and
    /// [`crate::limits::ROWS_ASKED_MAX`].
    pub fn history(&self, subject: &Subject, limit: usize) -> Result<Vec<Past>, StoreError> {
        self.people.history(subject, limit)
    }

    /// The book as it was at a moment, at most `limit` listings of it; what is not written yet is not in it.
    ///
    /// It is that after the last change up to the moment; where the clock was set back and the moment came twice, the last
    /// time is meant. A listing whose end had come is in it until the change that took it out.
    pub fn at(&self, moment: Timestamp, asked: Asked<'_>, limit: usize) -> Result<Then, StoreError> {
        self.people.at(moment, asked, limit)
    }

    /// From which moment on [`Store::at`] can tell; none if it can tell all since the file was made.
    pub fn past_from(&self) -> Result<Option<Timestamp>, StoreError> {
        self.people.past_from()
    }

    /// What `who` did about a subject, where that begins with the subject and a colon; newest first, at most `limit` and
    /// [`crate::limits::ROWS_ASKED_MAX`].
    pub fn audits_about(&self, who: &str, subject: &Subject, limit: usize) -> Result<Vec<Audited>, StoreError> {
        self.people.audits_about(who, subject, limit)
    }

    /// What `who` did, newest first, at most `limit` and [`crate::limits::ROWS_ASKED_MAX`].
    pub fn audits_by(&self, who: &str, limit: usize) -> Result<Vec<Audited>, StoreError> {
        self.people.audits_by(who, limit)
    }

    /// Who did what, newest first, at most `limit` and [`crate::limits::ROWS_ASKED_MAX`].
    pub fn audits(&self, limit: usize) -> Result<Vec<Audited>, StoreError> {
        self.people.audits(limit)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Whoever wants to know whether all is saved calls `close`.
        drop(self.close());
    }
}

//! Whole lists into the book and out of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::console::Export;
use ::console::api::{Fault, ImportWish, Imported, TOLD_END, ToldView};
use base::{Evidence, ListId, Maker, Network, Subject, Timestamp};
use dnsbl::datasets::Told;
use listings::networks::{Decoder, Encoder, Malformed};
use listings::{Bulk, REFUSED_KEPT_MAX, Refusal, ReplaceError, Wish};
use tracing::warn;

use super::console::{check_person, check_reason, refused_in_words, until};
use super::feed::told;
use super::{Node, image};
use crate::clock;
use crate::config::SHRINK_DEFAULT;

/// How long the answer to an import waits until all of it is in the file: ten million networks take some seconds.
const SAVE_PATIENCE: Duration = Duration::from_mins(2);

/// Largest import: [`listings::BULK_MAX`] networks of the longest form.
const SPOOL_BYTES_MAX: u64 = 20 * listings::BULK_MAX as u64;

/// How many listings are made before other writers have a turn.
const LISTED_AT_ONCE: usize = 2048;

/// The networks of an import, on the disk rather than in memory while they are judged and brought in. The file has no name
/// any more, and is gone when this is.
struct Spool(File);

impl Spool {
    /// Reads all of `input`.
    fn of(node: &Node, input: &mut dyn Read) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = node.store_path().with_file_name(format!("import-{number}"));
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        let read = io::copy(&mut input.take(SPOOL_BYTES_MAX), &mut file)?;
        if read == SPOOL_BYTES_MAX {
            return Err(io::Error::other("the import is too large"));
        }
        Ok(Self(file))
    }

    /// The networks from the first on.
    fn read(&self) -> Result<Decoder<&File>, Malformed> {
        (&self.0).seek(SeekFrom::Start(0))?;
        Ok(Decoder::new(&self.0))
    }
}

/// How many changes may wait for the file before an import makes more: what one transaction takes some half a second for.
/// So an import of millions needs no memory for all of them, and others' changes come into the file meanwhile.
const CHANGES_WAITING_MAX: usize = 64 * 1024;

/// How long an import rests until it looks again whether the file has caught up.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(2);

/// See [`console::Node::import`].
pub(super) fn import(node: &Node, wish: &ImportWish, input: &mut dyn Read) -> Result<Imported, Fault> {
    check_person(&wish.person)?;
    let (list, info) = node.find_list(&wish.list)?;
    let reason = check_reason(&wish.reason)?;
    let now = clock::now();
    let until = until(wish.span, now, info.lifetime);
    let maker = Maker::Person { name: wish.person.as_str().into(), reason: reason.into() };
    let mut imported = if wish.replace {
        let spool = Spool::of(node, input).map_err(|error| Fault::refused(format!("nothing was changed: {error}")))?;
        replace(node, now, Bulk { list, since: now, until, maker }, &spool, wish.force)?
    } else {
        add(node, now, &Bulk { list, since: now, until, maker }, Decoder::new(input))?
    };
    imported.list.clone_from(&info.name);
    let what = if wish.replace { "replace import of" } else { "import to" };
    node.store.audit(&wish.person, &format!("{what} {}: {} networks: {reason}", info.name, imported.listed));
    node.store.wake();
    imported.saved = node
        .store
        .flush(SAVE_PATIENCE)
        .inspect_err(|error| warn!(%error, "an import is in force, and not yet in the file"))
        .is_ok();
    // The rows of many listings take seconds to read at a start, and those of a whole list tell an old image nothing.
    match wish.replace || imported.added >= image::LISTINGS_MIN {
        true if imported.saved => node.images.write_now(node),
        true => node.images.want(),
        false => {}
    }
    Ok(imported)
}

fn replace(node: &Node, now: Timestamp, bulk: Bulk, networks: &Spool, is_forced: bool) -> Result<Imported, Fault> {
    let percent_max = (!is_forced).then_some(SHRINK_DEFAULT);
    let done = node.book.exchange(now, bulk, || networks.read(), percent_max).map_err(|error| match error {
        ReplaceError::Input(malformed) => Fault::bad(format!("nothing was changed: {malformed}")),
        ReplaceError::Torn(malformed) => Fault::refused(format!(
            "the list is the new one in a part of the addresses only, because the file that held it cannot be read on: \
             {malformed}; import it again"
        )),
        ReplaceError::Order(network) => Fault::bad(format!("nothing was changed: {network} is out of order")),
        ReplaceError::Refused(refusal) => Fault::refused(format!("nothing was changed: {}", refused_in_words(refusal))),
        ReplaceError::Empty { never } => Fault::refused(format!(
            "nothing was changed: nothing would be on the list by this import, {never} networks are never listed there; \
             `--force` takes everything off that was imported before"
        )),
        ReplaceError::Changed { before, after } => Fault::refused(format!(
            "nothing was changed: {after} networks would come in the place of {before}, which is more than {SHRINK_DEFAULT} % \
             away; `--force` does it"
        )),
        ReplaceError::Canary(network) => Fault::refused(format!(
            "nothing was changed: {network} holds a canary, so that the list is made up"
        )),
        ReplaceError::Wide(network) => Fault::refused(format!(
            "nothing was changed: {network} is wider than `[publish]` allows; `--force` lists it all the same"
        )),
        ReplaceError::List => Fault::bad(
            "what is imported to `blocked` is not replaced as a whole; import without `--replace`".to_owned(),
        ),
    })?;
    Ok(Imported {
        listed: done.listed,
        added: done.added,
        removed: done.removed,
        own: done.own,
        refused: done.never,
        never_listed: done.refused.iter().map(ToString::to_string).collect(),
        serial: done.serial,
        ..Imported::default()
    })
}

/// Makes a listing of each network. If the stream breaks, what came before is listed, and listing it again does no harm.
fn add(
    node: &Node,
    now: Timestamp,
    bulk: &Bulk,
    mut networks: impl Iterator<Item = Result<Network, Malformed>>,
) -> Result<Imported, Fault> {
    let mut imported = Imported::default();
    loop {
        let some: Result<Vec<Network>, Malformed> = networks.by_ref().take(LISTED_AT_ONCE).collect();
        let broken = |error| Fault::bad(format!("{} networks were listed before: {error}", imported.listed));
        let some = some.map_err(broken)?;
        if some.is_empty() {
            imported.serial = node.book.serial();
            return Ok(imported);
        }
        let is_new = |network: &Network| !node.book.snapshot().tree().own_lists(*network).contains(bulk.list);
        let new: Vec<bool> = some.iter().map(is_new).collect();
        let wish = |network: &Network| Wish {
            subject: Subject::Network(*network),
            list: bulk.list,
            until: bulk.until,
            maker: bulk.maker.clone(),
            evidence: Evidence { count: 0, distinct: 0, first: now, last: now },
        };
        let results = node.book.list_many(now, some.iter().map(wish));
        for ((network, is_new), result) in some.iter().zip(new).zip(results) {
            match result {
                Ok(_) => {
                    imported.listed += 1;
                    imported.added += usize::from(is_new);
                }
                Err(Refusal::AlreadyListed(_)) => imported.own += 1,
                Err(Refusal::NeverListed) => {
                    imported.refused += 1;
                    if imported.never_listed.len() < REFUSED_KEPT_MAX {
                        imported.never_listed.push(network.to_string());
                    }
                }
                Err(refusal) => {
                    imported.refused += 1;
                    let reason = refused_in_words(refusal);
                    if !imported.reasons.contains(&reason) {
                        imported.reasons.push(reason);
                    }
                }
            }
        }
        wait_for_file(node);
    }
}

/// Lets the file catch up. A file that cannot be written, or is no longer, holds nobody up.
fn wait_for_file(node: &Node) {
    let is_written = || node.store.is_open() && node.store.health().failing_since.is_none();
    while node.book.journal_waiting() >= CHANGES_WAITING_MAX && is_written() {
        node.store.wake();
        std::thread::sleep(CATCH_UP_PAUSE);
    }
}

/// See [`console::Node::export`].
pub(super) fn export(node: &Node, list: &str) -> Result<Export, Fault> {
    let (list, _): (ListId, _) = node.find_list(list)?;
    let tree = node.book.snapshot().tree().clone();
    Ok(Box::new(move |out: &mut dyn Write| {
        let mut encoder = Encoder::new(out)?;
        tree.on_list(list).try_for_each(|network| encoder.push(network))?;
        encoder.finish()?;
        Ok(())
    }))
}

/// See [`console::Node::export_told`].
pub(super) fn export_told(node: &Node, list: &str) -> Result<Export, Fault> {
    let (list, _): (ListId, _) = node.find_list(list)?;
    let (tree, book, names) = (node.book.snapshot().tree().clone(), Arc::clone(&node.book), Arc::clone(&node.names));
    Ok(Box::new(move |out: &mut dyn Write| {
        for network in tree.on_list(list) {
            let Told { until, reason, .. } = told(&book, |id| names.rule(id), list, network);
            let view = ToldView { network: network.to_string(), until: until.map(Timestamp::as_millis), reason };
            serde_json::to_writer(&mut *out, &view)?;
            out.write_all(b"\n")?;
        }
        writeln!(out, "{TOLD_END}")
    }))
}

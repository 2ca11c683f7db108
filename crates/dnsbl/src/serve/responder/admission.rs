//! Who may ask, and what the others are told.

use core::net::{IpAddr, Ipv4Addr};

use base::{ListId, ListSet};

use super::super::address::networks;
use super::super::counters::Outcome;
use super::super::name::Name;
use super::super::query::{Query, code};
use super::super::reply::{Rcode, Reply};
use super::super::text::TEXT_BYTES_MAX;
use super::{Filled, Responder, Shield, Turn, host};
use crate::access::{Access, Judged, Permit, Reason, Refusal, Verdict};
use crate::mirror;
use crate::statics::{Slot, Statics};

/// How long resolvers may remember that they may not ask, in seconds.
const DENIED_TTL: u32 = 60;

/// The extended error "prohibited" (RFC 8914 section 4.19).
pub(super) const PROHIBITED: u16 = 18;

impl Responder {
    /// The mirrored zones that are not counted as a zone of the book or of files, whose name they have.
    pub(super) fn new_foreign(&self) -> Box<[Name]> {
        let own = || self.zones.names().chain(self.statics.iter().flat_map(|statics| statics.alone()));
        let is_own = |name: &Name| own().any(|known| known.wire().eq_ignore_ascii_case(name.wire()));
        self.mirrors.iter().flat_map(|mirrors| mirrors.names()).filter(|name| !is_own(name)).cloned().collect()
    }

    /// The place of a zone's name among those that are counted.
    fn counted_as(&self, zone: &Name) -> Option<usize> {
        self.zone_names().position(|known| known.wire().eq_ignore_ascii_case(zone.wire()))
    }

    /// Counts the codes that an answer has from files or from another server, behind so many records: with the zone's list
    /// of that code, if there is one.
    pub(super) fn count_codes(
        &self,
        turn: &Turn<'_>,
        outcome: Outcome,
        zone: Option<usize>,
        behind: usize,
        reply: &Reply<'_>,
    ) {
        if outcome != Outcome::Listed {
            return;
        }
        let members = zone.and_then(|zone| self.zones.all.get(zone)).map_or(ListSet::EMPTY, |zone| zone.members);
        for code in reply.codes(behind) {
            let has_code =
                |list: &ListId| self.zones.lists[list.index()].as_ref().is_some_and(|list| list.code.octets() == code);
            match members.iter().find(has_code) {
                Some(list) => turn.counters.count_lists(ListSet::EMPTY.with(list)),
                None => turn.counters.count_code(code),
            }
        }
    }

    /// Answers from a mirrored zone, for which the rules of the book's zone number `index` hold: that of its name or
    /// above it, or the origin's.
    pub(super) fn fill_from_mirror(
        &self,
        slot: &mirror::Slot,
        index: usize,
        turn: &Turn<'_>,
        query: &Query<'_>,
        reply: &mut Reply<'_>,
    ) -> Filled {
        let permit = self.access.permit(index, turn.asker.address);
        let zone = self.counted_as(&slot.source.zone);
        let filled = |outcome| Filled { outcome, zone, limits: (permit != Permit::Free).then_some(index) };
        let labels = query.name.labels() - slot.labels;
        if matches!(permit, Permit::Refuse | Permit::Ignore) {
            reply.is_silent = permit == Permit::Ignore;
            return filled(self.deny(index, Some(labels), turn, query, reply, Reason::Network));
        }
        if labels == 0 || slot.is_about_server(query) {
            return filled(slot.answer(query, turn.asker, 0, reply));
        }
        match self.admit_to_names(index, labels, permit, turn, query, false) {
            Ok(key_labels) => {
                let mark = reply.mark();
                let outcome = slot.answer(query, turn.asker, key_labels, reply);
                if self.hides(&slot.source.zone, slot.labels + key_labels, query, outcome) {
                    reply.back_to(mark);
                    return filled(slot.hide(query, Shield::outcome(query, slot.labels + key_labels), reply));
                }
                self.count_codes(turn, outcome, zone, 0, reply);
                filled(outcome)
            }
            Err((reason, left)) => filled(self.deny(index, Some(left), turn, query, reply, reason)),
        }
    }

    /// Answers from files alone, whom the zone's rules let ask.
    pub(super) fn fill_from_files(
        &self,
        slot: &Slot,
        turn: &Turn<'_>,
        query: &Query<'_>,
        reply: &mut Reply<'_>,
    ) -> Filled {
        let index = self.zones.all.len() + slot.place;
        let permit = self.access.permit(index, turn.asker.address);
        let filled = |outcome| Filled { outcome, zone: Some(index), limits: (permit != Permit::Free).then_some(index) };
        let labels = query.name.labels() - slot.labels;
        if matches!(permit, Permit::Refuse | Permit::Ignore) {
            reply.is_silent = permit == Permit::Ignore;
            let outcome = self.deny(index, Some(labels), turn, query, reply, Reason::Network);
            return filled(Statics::deny(slot, query, outcome, reply));
        }
        if labels == 0 {
            return filled(Statics::answer(slot, query, turn.asker, 0, reply));
        }
        match self.admit_to_names(index, labels, permit, turn, query, slot.is_of_addresses()) {
            Ok(key_labels) => {
                let mark = reply.mark();
                let outcome = Statics::answer(slot, query, turn.asker, key_labels, reply);
                if self.hides(&slot.name, slot.labels + key_labels, query, outcome) {
                    reply.back_to(mark);
                    let outcome = Shield::outcome(query, slot.labels + key_labels);
                    return filled(Statics::deny(slot, query, outcome, reply));
                }
                self.count_codes(turn, outcome, None, 0, reply);
                filled(outcome)
            }
            Err((reason, left)) => {
                let outcome = self.deny(index, Some(left), turn, query, reply, reason);
                filled(Statics::deny(slot, query, outcome, reply))
            }
        }
    }

    /// [`Responder::admit`] for a zone that may have names too: how many labels are a key, or why there is no
    /// answer, and how many labels stand before the zone and the key.
    fn admit_to_names(
        &self,
        index: usize,
        labels: usize,
        permit: Permit,
        turn: &Turn<'_>,
        query: &Query<'_>,
        is_of_addresses: bool,
    ) -> Result<usize, (Reason, usize)> {
        // Only a part of an address is a step on the way; a name of a list of names is none.
        let is_whole = |labels| {
            host(query, labels).is_some() || networks(&query.name, labels).into_iter().flatten().next().is_none()
        };
        let (verdict, key_labels) = self.admit(index, labels, permit, turn, query, is_whole);
        let left = labels - key_labels;
        match verdict {
            Verdict::Refuse(reason) => return Err((reason, left)),
            // What would be a key of this form before an address is a mistaken one: silence would say "not listed".
            Verdict::Nothing if is_of_addresses && host(query, left).is_some() => {
                return Err((Reason::KeyUnknown, left));
            }
            Verdict::Nothing | Verdict::Answer => {}
        }
        // In a list of names the label before the zone's name may be a long one of the name.
        let is_known = key_labels > 0 && self.access.knows(query.name.label(labels - 1), turn.keys);
        Ok(usize::from(is_known))
    }

    /// Whether the client may ask what stands below the zone's own name, and how many labels of it are its key.
    /// `is_whole` says whether the question with so many labels before the zone and the key counts for a quota.
    pub(super) fn admit(
        &self,
        zone: usize,
        labels: usize,
        permit: Permit,
        turn: &Turn<'_>,
        query: &Query<'_>,
        is_whole: impl Fn(usize) -> bool,
    ) -> (Verdict, usize) {
        let label = query.name.label(labels - 1);
        let key = Access::takes_key(label).then_some(label);
        let key_labels = usize::from(key.is_some());
        if permit != Permit::ByPolicy || turn.is_admitted {
            return (Verdict::Answer, key_labels);
        }
        let question = Judged { zone, key, is_whole: is_whole(labels - key_labels) };
        (self.access.judge(&question, turn.keys, turn.asker.address, turn.asker.now), key_labels)
    }

    /// Tells a client that it may not ask, in the words that the operator wants. Codes stand where an address has `labels`
    /// labels before the zone and the key; a resolver that comes there label by label (RFC 9156) finds the way open.
    pub(super) fn deny(
        &self,
        zone: usize,
        labels: Option<usize>,
        turn: &Turn<'_>,
        query: &Query<'_>,
        reply: &mut Reply<'_>,
        reason: Reason,
    ) -> Outcome {
        turn.counters.count_refusal(turn.asker.address, reason);
        reply.error = Some((PROHIBITED, reason.text()));
        let address = labels.and_then(|labels| host(query, labels));
        let is_step = |labels| labels == 0 || networks(&query.name, labels).into_iter().flatten().next().is_some();
        match (self.access.refusal(zone), address) {
            // Whoever tests a list by it would take the code for a listing of everybody.
            (Refusal::Codes, Some(address)) if address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) => {
                return Outcome::Unlisted;
            }
            (Refusal::Codes, Some(_)) if matches!(query.kind, code::A | code::ANY) => {
                reply.answer(code::A, DENIED_TTL, &[127, 255, 255, reason.code()]);
            }
            (Refusal::Codes, Some(_)) if query.kind == code::TXT => {
                let text = reason.text().as_bytes();
                let mut data = [0; TEXT_BYTES_MAX + 1];
                data[0] = text.len() as u8;
                data[1..=text.len()].copy_from_slice(text);
                reply.answer(code::TXT, DENIED_TTL, &data[..=text.len()]);
            }
            (Refusal::Codes, Some(_)) => return Outcome::NoData,
            (Refusal::Codes, None) if labels.is_some_and(is_step) => return Outcome::NoData,
            _ => (reply.rcode, reply.authoritative) = (Rcode::Refused, false),
        }
        Outcome::Denied
    }
}

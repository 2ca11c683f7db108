//! `[action.nft]`: what the kernel drops.

use std::collections::BTreeSet;

use ::actions::io::Kernel;
use base::{ListId, ListSet};

use super::actions::any_list;
use super::forms::number;
use super::lists::Lists;
use super::reader::{Placed, Section};

/// SMTP, submission with and without TLS, IMAP, POP3, and `ManageSieve`.
const PORTS: [u16; 8] = [25, 110, 143, 465, 587, 993, 995, 4190];

/// Most ports.
const PORTS_MAX: usize = 64;

/// The list of networks from which nothing is wanted.
const NULL: &str = "null";

pub(super) fn read(section: &Section<'_>, lists: &Lists) -> Kernel {
    let mail_lists = section.optional_each("lists", &any_list(lists));
    let all_lists = section.optional_each("all-ports", &any_list(lists));
    let ports = section.optional_each("ports", &number::<u16>(1..=65535));
    if let Some(ports) = &ports
        && ports.len() > PORTS_MAX
    {
        section.desk.report(section.wrong("ports", format!("more than {PORTS_MAX} ports")));
    }
    let set = |chosen: Vec<Placed<ListId>>| chosen.into_iter().map(|list| list.value).collect::<ListSet>();
    let null = lists.find(NULL).map_or(ListSet::EMPTY, |list| ListSet::EMPTY.with(list));
    let ports: Option<BTreeSet<u16>> = ports.map(|ports| ports.into_iter().map(|port| port.value).collect());
    Kernel {
        mail_lists: mail_lists.map_or(ListSet::EMPTY.with(ListId::BLOCKED), set),
        all_lists: all_lists.map_or(null, set),
        ports: ports.unwrap_or_else(|| PORTS.into()),
    }
}

//! A list from a file.

use std::fs;

use base::{ListId, ListSet, Network};
use listings::Replica;
use listings::tree::Changes;

use super::common::Codes;

/// Reads lines `ADDRESS CODE`, where CODE is the last octet of the return code; each code is a list.
pub(crate) fn load(file: &str) -> Result<(Replica, Codes), String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mut codes = Codes::new();
    let mut changes = Changes::default();
    for line in text.lines() {
        let (address, code) = line.split_once(' ').ok_or_else(|| format!("no `ADDRESS CODE`: {line}"))?;
        let code = code.parse().map_err(|_| format!("no code: {line}"))?;
        let next = ListId::new(codes.len() + 1);
        let list = *codes.entry(code).or_insert(next);
        let network: Network = address.parse().map_err(|_| format!("no address: {line}"))?;
        changes.set(network, ListSet::EMPTY.with(list));
    }
    let replica = Replica::new();
    replica.apply(1, &mut changes);
    Ok((replica, codes))
}

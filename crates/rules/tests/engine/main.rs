//! The engine with the shipped rules, from outside.

mod blind;
mod networks;
mod play;
mod replay;
mod reporters;
mod reputation;
mod scenarios;
mod senders;
mod sieges;
mod suspects;

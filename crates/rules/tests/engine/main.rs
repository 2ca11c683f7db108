//! The engine with the shipped rules, from outside.

mod play;
mod replay;
mod reporters;
mod reputation;
mod scenarios;
mod sieges;

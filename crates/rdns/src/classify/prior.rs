//! What is known before anything is learnt: how words, brands and networks bear on the two questions.
//!
//! These are the rules by which public rule sets judge names, as log-odds. Learning starts from them and only adds what
//! they leave open, so that a word that no sample has is judged rightly too.

use super::brand::Kinds;
use super::features::Marks;
use super::words::Mark;
use super::zones::Network;

/// What the rules and the brand add to the two questions.
pub(super) fn of_name(marks: &Marks, brand: Kinds) -> [f32; 2] {
    let has = |mark: Mark| marks.count(mark) > 0;
    let is_line = has(Mark::Dynamic) || has(Mark::Access);
    let is_whole = marks.form.is_some_and(|form| form.is_whole());
    let mut generated = 0.0;
    let mut dynamic = 0.0;
    if is_whole {
        generated += 3.0;
    }
    if has(Mark::Dynamic) {
        generated += 1.0;
        dynamic += 1.5;
    }
    if has(Mark::Mail) {
        generated -= 4.0;
    }
    if has(Mark::Service) && !is_whole {
        generated -= 1.5;
    }
    if marks.is_bare {
        generated -= 4.0;
    }
    if has(Mark::Fixed) {
        dynamic -= if has(Mark::Dynamic) { 3.0 } else { 8.0 };
    }
    if has(Mark::Hosting) {
        dynamic -= if is_line { 1.0 } else { 5.0 };
    }
    if brand.has(Network::Hosting) {
        dynamic -= if is_line { 1.0 } else { 5.0 };
    }
    if brand.has(Network::Sender) {
        generated -= 2.0;
    }
    [generated, dynamic]
}

/// What is added where the network is known.
pub(super) fn of_zone(marks: &Marks, network: Option<Network>) -> [f32; 2] {
    let is_named = marks.numbers == 0 || marks.count(Mark::Mail) > 0 || marks.count(Mark::Service) > 0;
    let is_line = marks.count(Mark::Dynamic) > 0 || marks.count(Mark::Access) > 0;
    let generated = if is_named { 0.0 } else { 1.0 };
    let is_whole = marks.form.is_some_and(|form| form.is_whole());
    match network {
        Some(Network::Access) => [generated, if marks.count(Mark::Fixed) > 0 { 0.0 } else { 2.5 }],
        Some(Network::Hosting) => [generated, if is_line { -3.0 } else { -6.0 }],
        Some(Network::Sender) if marks.count(Mark::Mail) > 0 || !is_whole => [-8.0, 0.0],
        Some(Network::Sender) | None => [0.0, 0.0],
    }
}

//! What others report, and how far their word goes.
//!
//! - [`Voices`] know the reporters: to whom each belongs, what his word weighs, and how that rose and fell.
//! - [`Cases`] know what was reported about an address: by whom, and whether enough independent ones agree.
//!
//! A report alone may have an address refused here for minutes. For a published list it wants witnesses: parties that have
//! nothing to do with one another, more than half of all that report, [`WITNESSES_MAX`] at most. What was seen here is a
//! witness too. So nobody is listed by a minority, however much it reports and whatever it copies.

mod cases;
mod voices;

pub use cases::{CASE_KEPT_FOR, CASES_MAX};
pub(crate) use cases::{Cases, Freed, Report};
pub use voices::{
    ACTIVE_FOR, FALL_A_DAY, OWNER_SELF, RISE_A_DAY, Standing, Voice, WITNESS_WEIGHT_MIN, WITNESSES_MAX, WITNESSES_MIN,
};
pub(crate) use voices::{Doubt, Gain, VoiceId, Voices};

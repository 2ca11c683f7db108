use base::{Address, ListSet};

/// Says on which lists an address is, from what is in force at this moment.
pub trait Lists: Send + Sync {
    /// All lists that the address is on, by itself or by a network around it.
    fn lists_of(&self, address: Address) -> ListSet;
}

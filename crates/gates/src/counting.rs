/// An enum of what a gate counts, with names for metrics, and the counters.
macro_rules! counts {
    ($($(#[$about:meta])* $variant:ident = $name:literal,)+) => {
        /// What the gate counts.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Count {
            $($(#[$about])* $variant,)+
        }

        impl Count {
            /// All of them, in the order of the enum.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name in metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        /// Its counters, since the start.
        #[derive(Default)]
        pub struct Counters([core::sync::atomic::AtomicU64; Count::ALL.len()]);

        impl Counters {
            pub(super) fn add(&self, count: Count) {
                self.0[count as usize].fetch_add(1, core::sync::atomic::Ordering::Relaxed);
            }

            /// The value of one.
            pub fn get(&self, count: Count) -> u64 {
                self.0[count as usize].load(core::sync::atomic::Ordering::Relaxed)
            }

            /// All of them by their names.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                Count::ALL.iter().map(|count| (count.name(), self.get(*count))).collect()
            }
        }
    };
}

pub(crate) use counts;

/// Items by small numbers; a number that was given back is used again.
///
/// Pages of a fixed size, so that growing neither copies what is there nor needs twice the memory for a moment.
pub(crate) struct Slab<T> {
    pages: Vec<Vec<T>>,
    free: Vec<u32>,
    length: u32,
}

/// Items of a page.
const PAGE: u32 = 4096;

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { pages: Vec::new(), free: Vec::new(), length: 0 }
    }

    /// Takes the item in and gives its number.
    pub(crate) fn insert(&mut self, item: T) -> u32 {
        if let Some(at) = self.free.pop() {
            *self.get_mut(at) = item;
            return at;
        }
        let at = self.length;
        if at.is_multiple_of(PAGE) {
            self.pages.push(Vec::with_capacity(PAGE as usize));
        }
        self.pages.last_mut().expect("a page was just made for the first item of it").push(item);
        self.length += 1;
        at
    }

    /// Takes the item out; `gone` is kept in its place until the number is used again.
    pub(crate) fn remove(&mut self, at: u32, gone: T) -> T {
        self.free.push(at);
        core::mem::replace(self.get_mut(at), gone)
    }

    pub(crate) fn get(&self, at: u32) -> &T {
        &self.pages[(at / PAGE) as usize][(at % PAGE) as usize]
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> &mut T {
        &mut self.pages[(at / PAGE) as usize][(at % PAGE) as usize]
    }

    /// All places in the order of their numbers, those that wait to be used again included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    /// How many items are in.
    pub(crate) fn len(&self) -> usize {
        self.length as usize - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut slab = Slab::new();
        let numbers: Vec<u32> = (0..=PAGE * 2).map(|item| slab.insert(item)).collect();
        assert!(numbers.iter().enumerate().all(|(at, number)| at == *number as usize));
        assert_eq!(slab.remove(PAGE, 0), PAGE);
        assert_eq!(slab.len(), PAGE as usize * 2);
        assert_eq!(slab.insert(7), PAGE);
        assert_eq!((*slab.get(PAGE), *slab.get(PAGE * 2)), (7, PAGE * 2));
    }
}

//! The sort behind `ksort`, comparison for comparison.
//!
//! With an order that is total every stable sort comes to the same end. Names that look like numbers have none, and
//! then the end hangs on which pairs are compared, and when: up to 16 elements insertion, above that partitions
//! around the middle one of a few. Rust's own sorts may panic on such an order. This one ends after at most as many
//! steps as the square of the elements, whatever the comparison says.

use core::cmp::Ordering;

/// Elements that are sorted by insertion.
const INSERTION_MAX: usize = 16;
/// Elements of which five, no longer three, are looked at for the middle one.
const FIVE_FROM: usize = 1_024;
/// Elements at the start among which an insertion goes step by step; behind them it takes two steps at once.
const SINGLE_STEPS: usize = 6;

/// Sorts as PHP does.
pub(super) fn zend_sort<T>(elements: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    Sort { elements, compare: &compare }.sort();
}

struct Sort<'a, T, C> {
    elements: &'a mut [T],
    compare: &'a C,
}

impl<T, C: Fn(&T, &T) -> Ordering> Sort<'_, T, C> {
    /// Whether the element at `a` belongs behind the one at `b`.
    fn behind(&self, a: usize, b: usize) -> bool {
        match (self.elements.get(a), self.elements.get(b)) {
            (Some(a), Some(b)) => (self.compare)(a, b).is_gt(),
            _ => false,
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        if a.max(b) < self.elements.len() {
            self.elements.swap(a, b);
        }
    }

    /// Swaps the two if they are the wrong way round.
    fn order(&mut self, a: usize, b: usize) -> bool {
        let wrong = self.behind(a, b);
        if wrong {
            self.swap(a, b);
        }
        wrong
    }

    /// Moves the element at `from` forward to `to`.
    fn insert(&mut self, from: usize, to: usize) {
        if let Some(part) = self.elements.get_mut(to..=from) {
            part.rotate_right(1);
        }
    }

    fn sort(mut self) {
        while self.elements.len() > INSERTION_MAX {
            let pivot = self.partition();
            let (front, rest) = self.elements.split_at_mut(pivot);
            let back = rest.get_mut(1..).unwrap_or_default();
            // The shorter part by a call of its own, so that calls are few inside each other.
            let (shorter, longer) = if front.len() < back.len() { (front, back) } else { (back, front) };
            Sort { elements: shorter, compare: self.compare }.sort();
            self = Self { elements: longer, compare: self.compare };
        }
        self.by_insertion();
    }

    /// Brings what is not behind the pivot before it and the rest behind it; where it stands then.
    fn partition(&mut self) -> usize {
        let len = self.elements.len();
        let (middle, last) = (len / 2, len - 1);
        if len >= FIVE_FROM {
            let quarter = middle / 2;
            self.few(&[0, quarter, middle, middle + quarter, last]);
        } else {
            self.few(&[0, middle, last]);
        }
        self.swap(1, middle);
        let (mut low, mut high) = (2, last);
        'apart: loop {
            while self.behind(1, low) {
                low += 1;
                if low == high {
                    break 'apart;
                }
            }
            high -= 1;
            if high == low {
                break;
            }
            while self.behind(high, 1) {
                high -= 1;
                if high == low {
                    break 'apart;
                }
            }
            self.swap(low, high);
            low += 1;
            if low == high {
                break;
            }
        }
        self.swap(1, low - 1);
        low - 1
    }

    /// Two to five elements at these places: the first three in their own way, the others by insertion.
    fn few(&mut self, places: &[usize]) {
        match *places {
            [a, b] => {
                self.order(a, b);
            }
            [a, b, c, ref others @ ..] => {
                self.three(a, b, c);
                for count in 0..others.len() {
                    let upto = places.get(..4 + count).unwrap_or_default();
                    for pair in upto.windows(2).rev() {
                        if let [a, b] = *pair
                            && !self.order(a, b)
                        {
                            break;
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn three(&mut self, a: usize, b: usize, c: usize) {
        if !self.behind(a, b) {
            if self.order(b, c) {
                self.order(a, b);
            }
        } else if !self.behind(c, b) {
            self.swap(a, c);
        } else {
            self.swap(a, b);
            self.order(b, c);
        }
    }

    fn by_insertion(&mut self) {
        let len = self.elements.len();
        if len < SINGLE_STEPS {
            let places = [0, 1, 2, 3, 4];
            return self.few(places.get(..len).unwrap_or_default());
        }
        for at in 1..len {
            if self.behind(at - 1, at) {
                let to = if at < SINGLE_STEPS { self.by_ones(at) } else { self.by_twos(at) };
                self.insert(at, to);
            }
        }
    }

    /// Where the element at `at` belongs, which is somewhere before its neighbour.
    fn by_ones(&self, at: usize) -> usize {
        (0..at - 1).rev().find(|before| !self.behind(*before, at)).map_or(0, |before| before + 1)
    }

    fn by_twos(&self, at: usize) -> usize {
        let mut to = at - 1;
        while to >= 2 {
            to -= 2;
            if !self.behind(to, at) {
                return if self.behind(to + 1, at) { to + 1 } else { to + 2 };
            }
        }
        // One is left, or none.
        if to == 1 && self.behind(at, 0) { 1 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_total_order_is_sorted(mut numbers in proptest::collection::vec(0u16..500, 0..2_500)) {
            let mut placed: Vec<_> = numbers.iter().copied().enumerate().collect();
            zend_sort(&mut placed, |(a_place, a), (b_place, b)| a.cmp(b).then(a_place.cmp(b_place)));
            let sorted: Vec<_> = placed.into_iter().map(|(_, number)| number).collect();
            numbers.sort_unstable();
            prop_assert_eq!(sorted, numbers);
        }

        #[test]
        fn any_comparison_ends_with_the_same_elements(
            mut numbers in proptest::collection::vec(any::<u8>(), 0..200),
            salt: u8,
        ) {
            let mut sorted = numbers.clone();
            zend_sort(&mut sorted, |a, b| (a ^ salt).wrapping_mul(31).cmp(&b.wrapping_mul(salt)));
            sorted.sort_unstable();
            numbers.sort_unstable();
            prop_assert_eq!(sorted, numbers);
        }
    }
}

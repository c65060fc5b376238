//! The best split of a leaf on one feature.

use super::histogram::Sums;
use std::cmp::Ordering;

/// One bit a code: which codes go left.
pub(crate) type CodeSet = [u64; 4];

#[inline]
pub(crate) fn contains(set: &CodeSet, code: u8) -> bool {
    set[usize::from(code >> 6)] >> (code & 63) & 1 == 1
}

fn insert(set: &mut CodeSet, code: u8) {
    set[usize::from(code >> 6)] |= 1 << (code & 63);
}

/// The codes from 0 to this one.
fn up_to(last: u8) -> CodeSet {
    let word = usize::from(last >> 6);
    std::array::from_fn(|w| match w.cmp(&word) {
        Ordering::Less => u64::MAX,
        Ordering::Equal => u64::MAX >> (63 - (last & 63)),
        Ordering::Greater => 0,
    })
}

/// A gain below this share of the sum it is a difference of is rounding.
const ROUNDING: f64 = 1e-12;

/// What a split has to respect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Fewest rows of a child.
    pub(crate) min_rows: f64,
    /// Smallest sum of hessians of a child.
    pub(crate) min_hessian: f64,
    /// Ridge penalty on leaf values.
    pub(crate) l2: f64,
    /// Smallest gain.
    pub(crate) min_gain: f64,
    /// Hessians added to a category's before categories are ordered by their mean, so that rare ones stay in the middle.
    pub(crate) category_smoothing: f64,
    /// Ridge penalty on top of `l2` for splits of categories, which have more ways to fit noise.
    pub(crate) category_l2: f64,
    /// Categories with fewer rows in the leaf go where missing values go.
    pub(crate) category_rows: f64,
}

/// A non-empty bin of a leaf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filled {
    pub(crate) code: u8,
    pub(crate) sums: Sums,
}

/// The best split found on a feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) feature: usize,
    pub(crate) gain: f64,
    /// Codes that go left.
    pub(crate) left_codes: CodeSet,
    /// For numbers: the last value bin that goes left; `None` for categories.
    pub(crate) last_left: Option<u8>,
    /// Where missing values, and categories not seen in this leaf, go.
    pub(crate) missing_left: bool,
    pub(crate) left: Sums,
    pub(crate) right: Sums,
}

/// Twice the loss that a leaf with these sums saves: `G² / (H + λ)`.
#[inline]
fn score(sums: Sums, l2: f64) -> f64 {
    sums.gradient * sums.gradient / (sums.hessian + l2)
}

impl Limits {
    fn allows(&self, side: Sums) -> bool {
        side.count >= self.min_rows && side.hessian >= self.min_hessian && side.hessian > 0.0
    }

    /// The gain of cutting `left` out of `total`, when it is allowed and above rounding.
    #[inline]
    fn gain(&self, left: Sums, total: Sums, l2: f64, parent: f64) -> Option<f64> {
        let right = total.minus(left);
        if !self.allows(left) || !self.allows(right) {
            return None;
        }
        let after = score(left, l2) + score(right, l2);
        let gain = after - parent;
        (gain > self.min_gain.max(ROUNDING * after)).then_some(gain)
    }
}

/// The best threshold on a number. `filled` are the non-empty bins in order, missing last with code `missing` if there are any.
/// Missing values are tried on both sides; without any, later ones go with the larger child.
pub(crate) fn numeric(
    feature: usize,
    filled: &[Filled],
    missing: u8,
    total: Sums,
    limits: &Limits,
) -> Option<Candidate> {
    let (values, absent) = match filled.split_last() {
        Some((last, values)) if last.code == missing => (values, last.sums),
        _ => (filled, Sums::default()),
    };
    let parent = score(total, limits.l2);
    let mut best: Option<(f64, usize, bool, Sums)> = None;
    let sides: &[bool] = if absent.count > 0.0 {
        &[false, true]
    } else {
        &[false]
    };
    for &missing_left in sides {
        let mut left = if missing_left {
            absent
        } else {
            Sums::default()
        };
        for (i, bin) in values.iter().enumerate() {
            left.add(bin.sums);
            if let Some(gain) = limits.gain(left, total, limits.l2, parent)
                && best.is_none_or(|(most, ..)| gain > most)
            {
                best = Some((gain, i, missing_left, left));
            }
        }
    }
    let (gain, at, missing_left, left) = best?;
    let right = total.minus(left);
    let missing_left = if absent.count > 0.0 {
        missing_left
    } else {
        left.count >= right.count
    };
    let last_left = values[at].code;
    let mut left_codes = up_to(last_left);
    if missing_left {
        insert(&mut left_codes, missing);
    }
    Some(Candidate {
        feature,
        gain,
        left_codes,
        last_left: Some(last_left),
        missing_left,
        left,
        right,
    })
}

/// The best set of categories: ordered by their mean gradient, one of the cuts of that order is the best of all sets (Fisher 1958).
/// Missing is a category like the others; those with few rows follow it, or the larger child.
pub(crate) fn category(
    feature: usize,
    filled: &[Filled],
    codes: usize,
    missing: u8,
    total: Sums,
    limits: &Limits,
) -> Option<Candidate> {
    let mut order: Vec<(f64, Filled)> = filled
        .iter()
        .filter(|bin| bin.sums.count >= limits.category_rows)
        .map(|bin| {
            let mean = bin.sums.gradient / (bin.sums.hessian + limits.category_smoothing);
            (mean, *bin)
        })
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.code.cmp(&b.1.code)));
    // What is too rare to be placed goes right while the cut is looked for.
    let parent = score(total, limits.l2);
    let l2 = limits.l2 + limits.category_l2;
    let mut best: Option<(f64, usize, Sums)> = None;
    let mut left = Sums::default();
    for (i, (_, bin)) in order.iter().enumerate() {
        left.add(bin.sums);
        if let Some(gain) = limits.gain(left, total, l2, parent)
            && best.is_none_or(|(most, ..)| gain > most)
        {
            best = Some((gain, i, left));
        }
    }
    let (gain, at, left) = best?;
    let right = total.minus(left);
    let placed = order.iter().position(|(_, bin)| bin.code == missing);
    let rare = order.len() < filled.len();
    let missing_left = match placed {
        Some(position) => position <= at,
        None => !rare && left.count >= right.count,
    };
    let mut left_codes = CodeSet::default();
    for (_, bin) in &order[..=at] {
        insert(&mut left_codes, bin.code);
    }
    if missing_left {
        insert(&mut left_codes, missing);
    }
    // Levels that this leaf has not seen follow missing values; rare ones are counted on the right, and stay there.
    if missing_left {
        let seen = |code: u8| filled.iter().any(|bin| bin.code == code);
        (0..codes.min(usize::from(missing)))
            .map(|code| code as u8)
            .filter(|code| !seen(*code))
            .for_each(|code| insert(&mut left_codes, code));
    }
    Some(Candidate {
        feature,
        gain,
        left_codes,
        last_left: None,
        missing_left,
        left,
        right,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_up_to_one_are_those_and_no_others() {
        for last in 0..=u8::MAX {
            let set = up_to(last);
            assert!((0..=u8::MAX).all(|code| contains(&set, code) == (code <= last)));
        }
    }

    fn bin(code: u8, gradient: f64, count: f64) -> Filled {
        Filled {
            code,
            sums: Sums {
                gradient,
                hessian: count,
                count,
            },
        }
    }

    fn total(filled: &[Filled]) -> Sums {
        let mut sum = Sums::default();
        for bin in filled {
            sum.add(bin.sums);
        }
        sum
    }

    const LIMITS: Limits = Limits {
        min_rows: 1.0,
        min_hessian: 0.0,
        l2: 0.0,
        min_gain: 0.0,
        category_smoothing: 0.0,
        category_l2: 0.0,
        category_rows: 1.0,
    };

    #[test]
    fn missing_values_go_where_they_fit() {
        let filled = [bin(0, -5.0, 5.0), bin(1, 4.0, 5.0), bin(2, -6.0, 5.0)];
        let found = numeric(0, &filled, 2, total(&filled), &LIMITS).unwrap();
        assert_eq!((found.last_left, found.missing_left), (Some(0), true));
        assert!(contains(&found.left_codes, 0) && contains(&found.left_codes, 2));
        assert!(!contains(&found.left_codes, 1));
        assert_eq!(found.right.count, 5.0);
        let same = [bin(0, 1.0, 1.0), bin(1, 1.0, 1.0), bin(3, 1.0, 1.0)];
        assert!(numeric(0, &same, 9, total(&same), &LIMITS).is_none());
    }

    #[test]
    fn the_cut_of_ordered_categories_is_the_best_of_all_sets() {
        let filled: Vec<Filled> = [3.0, -2.0, 5.0, -1.0, 0.5, -4.0]
            .iter()
            .enumerate()
            .map(|(code, g)| bin(code as u8, *g, 1.0 + (code % 3) as f64))
            .collect();
        let all = total(&filled);
        let found = category(0, &filled, 6, 6, all, &LIMITS).unwrap();
        let mut best = 0.0_f64;
        for set in 1_u32..63 {
            let mut left = Sums::default();
            for b in filled.iter().filter(|b| set >> b.code & 1 == 1) {
                left.add(b.sums);
            }
            best = best.max(score(left, 0.0) + score(all.minus(left), 0.0) - score(all, 0.0));
        }
        assert!((found.gain - best).abs() < 1e-12 * best);
    }
}

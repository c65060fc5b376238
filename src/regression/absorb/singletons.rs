//! Rows that a fixed effect fits perfectly.

use crate::data::Groups;

/// Marks the rows to keep: a group of one row is dropped, again and again until none is left, because dropping a row of one
/// effect may leave a group of one in another (Correia 2015). `None` when there is nothing to drop.
pub(crate) fn not_singletons(effects: &[Groups], weights: Option<&[f64]>) -> Option<Vec<bool>> {
    let rows = effects.first()?.codes.len();
    // A frequency weight of two or more is no singleton; other weights count as one row.
    let rows_of = |i: usize| weights.map_or(1, |w| if w[i] > 1.0 { 2 } else { 1 });
    let mut counts: Vec<Vec<u32>> = effects.iter().map(|e| vec![0; e.count()]).collect();
    for (count, effect) in counts.iter_mut().zip(effects) {
        for (i, code) in effect.codes.iter().enumerate() {
            count[*code as usize] += rows_of(i);
        }
    }
    if !counts.iter().flatten().any(|c| *c == 1) {
        return None;
    }
    let mut keep = vec![true; rows];
    loop {
        let mut changed = false;
        for i in 0..rows {
            let single =
                |(count, effect): (&Vec<u32>, &Groups)| count[effect.codes[i] as usize] == 1;
            if keep[i] && counts.iter().zip(effects).any(single) {
                keep[i] = false;
                changed = true;
                for (count, effect) in counts.iter_mut().zip(effects) {
                    count[effect.codes[i] as usize] -= 1;
                }
            }
        }
        if !changed {
            return Some(keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Column;

    #[test]
    fn dropping_one_may_leave_another() {
        let a = Column::from(vec![1.0, 1.0, 2.0, 2.0, 3.0]).groups("a");
        let b = Column::from(vec![1.0, 1.0, 1.0, 2.0, 2.0]).groups("b");
        // Row 4 is single in a; then row 3 is single in b; then row 2 is single in a.
        assert_eq!(
            not_singletons(&[a, b], None).unwrap(),
            vec![true, true, false, false, false]
        );
    }

    #[test]
    fn nothing_to_drop() {
        let a = Column::from(vec![1.0, 1.0, 2.0, 2.0]).groups("a");
        assert!(not_singletons(&[a], None).is_none());
    }
}

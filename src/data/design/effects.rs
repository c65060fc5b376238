//! Fixed effects: compact codes over the rows used, of one column or of combinations.

use crate::data::column::Groups;
use crate::data::formula::Effect;
use crate::data::frame::Frame;
use crate::data::rows::Rows;
use crate::error::Result;
use std::sync::Arc;

/// The groups of an effect over the used rows, none missing, every code used, in sorted order.
pub(super) fn build(effect: &Effect, frame: &Frame, rows: &Rows) -> Result<Groups> {
    let mut combined: Option<Groups> = None;
    for column in &effect.columns {
        let groups = frame.groups(column)?.over(rows);
        combined = Some(match combined {
            None => groups,
            Some(first) => first.pair(&groups),
        });
    }
    let groups = combined.unwrap_or_else(|| Groups {
        name: String::new(),
        codes: Arc::new(vec![0; rows.len()]),
        levels: Arc::new(vec![String::new()]),
        missing: 0,
    });
    Ok(Groups {
        name: effect.to_string(),
        ..groups
    })
}

/// The kept rows of groups, with codes that no row uses any more closed up.
pub(super) fn restrict(groups: &Groups, keep: &[bool]) -> Groups {
    let codes: Vec<u32> = groups
        .codes
        .iter()
        .zip(keep)
        .filter(|(_, keep)| **keep)
        .map(|(code, _)| *code)
        .collect();
    groups.compact(&codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(columns: &[&str]) -> Effect {
        Effect {
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        }
    }

    #[test]
    fn combinations_are_sorted_and_only_those_that_occur() {
        let frame = Frame::new()
            .with("a", vec![2.0, 1.0, 2.0, 1.0, 3.0])
            .unwrap()
            .with("b", vec!["x", "y", "x", "x", "y"])
            .unwrap();
        let all = build(&effect(&["a", "b"]), &frame, &Rows::all(5)).unwrap();
        assert_eq!(all.name, "a^b");
        assert_eq!(*all.levels, vec!["1_x", "1_y", "2_x", "3_y"]);
        assert_eq!(*all.codes, vec![2, 1, 2, 0, 3]);
        let some = build(&effect(&["a"]), &frame, &Rows::some(5, vec![0, 2, 4])).unwrap();
        assert_eq!((*some.codes).clone(), vec![0, 0, 1]);
        assert_eq!(*some.levels, vec!["2", "3"]);
    }

    #[test]
    fn table_and_sort_give_the_same_codes() {
        // 40 × 40 combinations of 80 rows take the sorting path; the pairs are found again by hand
        let a: Vec<f64> = (0..80).map(|i| f64::from(i * 7 % 40)).collect();
        let b: Vec<f64> = (0..80).map(|i| f64::from(i * 11 % 40)).collect();
        let frame = Frame::new()
            .with("a", a.clone())
            .unwrap()
            .with("b", b.clone())
            .unwrap();
        let groups = build(&effect(&["a", "b"]), &frame, &Rows::all(80)).unwrap();
        for (row, code) in groups.codes.iter().enumerate() {
            assert_eq!(
                groups.levels[*code as usize],
                format!("{}_{}", a[row], b[row])
            );
        }
        assert!(groups.count() * 8 < 40 * 40);
    }

    #[test]
    fn restricting_closes_up_the_codes() {
        let groups = Groups {
            name: "g".into(),
            codes: Arc::new(vec![0, 1, 2, 1]),
            levels: Arc::new(vec!["a".into(), "b".into(), "c".into()]),
            missing: 0,
        };
        let kept = restrict(&groups, &[true, false, true, false]);
        assert_eq!(*kept.codes, vec![0, 1]);
        assert_eq!(*kept.levels, vec!["a", "c"]);
    }
}

//! Features cut into at most 255 bins, one byte a value, so that a tree counts instead of sorting.

use super::features::{Features, Values};
use crate::data::{Label, MISSING};
use crate::numeric::blocks;
use crate::numeric::seed::mix;

/// Codes of a byte.
pub(crate) const CODES: usize = 256;
/// Most bins of values; one more code is for missing.
pub(crate) const MOST_BINS: usize = CODES - 1;
/// Features whose codes stand side by side in memory: one load brings the codes of this many features of a row.
pub(crate) const WIDTH: usize = 4;
/// Rows from which the edges are taken: the quantiles of 200 000 rows are within 0.1 % of those of all with certainty, and
/// sorting more would cost more than several trees.
const SAMPLED_ROWS: usize = 200_000;
/// Halvings that find one of 256 bins.
const HALVINGS: [usize; 8] = [128, 64, 32, 16, 8, 4, 2, 1];

/// How one feature was cut.
#[derive(Clone, Debug)]
pub(crate) enum Cut {
    /// Value x is in the bin of the first edge that is ≥ x; the last bin has no edge.
    Edges(Vec<f64>),
    /// The bin of each level; levels too rare for a bin of their own share the code of missing.
    Levels(Vec<u8>),
}

/// The bins of one feature: codes `0..values` are values, code `values` is missing.
#[derive(Clone, Debug)]
pub(crate) struct FeatureBins {
    pub(crate) cut: Cut,
    pub(crate) values: usize,
}

/// The binned table. Codes of [`WIDTH`] features stand together, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Bins {
    pub(crate) features: Vec<FeatureBins>,
    pub(crate) groups: Vec<Vec<[u8; WIDTH]>>,
    /// Features with levels that had to be pooled.
    pub(crate) pooled: Vec<usize>,
}

impl Bins {
    /// Cuts every feature into at most `most` bins of about equal numbers of rows; a value that is more frequent than that has
    /// a bin of its own. Only the order of the values matters.
    pub(crate) fn build(features: &Features, most: usize) -> Self {
        let most = most.clamp(2, MOST_BINS);
        let sample = sampled(features.rows());
        let cuts: Vec<(FeatureBins, bool)> =
            blocks::map(features.count(), |j| match &features.values()[j] {
                Values::Number(values) => (number_bins(values, &sample, most), false),
                Values::Category(label) => category_bins(label, most),
            });
        let groups = blocks::map(cuts.len().div_ceil(WIDTH), |group| {
            let mut codes = vec![[0_u8; WIDTH]; features.rows()];
            for slot in 0..WIDTH {
                let j = group * WIDTH + slot;
                if j < cuts.len() {
                    code_column(&features.values()[j], &cuts[j].0, slot, &mut codes);
                }
            }
            codes
        });
        let pooled = (0..cuts.len()).filter(|j| cuts[*j].1).collect();
        Self {
            features: cuts.into_iter().map(|(bins, _)| bins).collect(),
            groups,
            pooled,
        }
    }

    /// The code of a feature in a row.
    #[inline]
    pub(crate) fn code(&self, feature: usize, row: usize) -> u8 {
        self.groups[feature / WIDTH][row][feature % WIDTH]
    }
}

/// Rows to take the edges from: all, or one at random from each of equal stretches.
fn sampled(rows: usize) -> Vec<u32> {
    if rows <= SAMPLED_ROWS {
        return (0..rows as u32).collect();
    }
    (0..SAMPLED_ROWS)
        .map(|i| {
            let (from, to) = (i * rows / SAMPLED_ROWS, (i + 1) * rows / SAMPLED_ROWS);
            (from + (mix(i as u64) % (to - from) as u64) as usize) as u32
        })
        .collect()
}

fn number_bins(values: &[f64], sample: &[u32], most: usize) -> FeatureBins {
    let mut sorted: Vec<f64> = sample
        .iter()
        .map(|row| values[*row as usize] + 0.0)
        .filter(|v| !v.is_nan())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut distinct: Vec<(f64, usize)> = Vec::new();
    for v in sorted {
        match distinct.last_mut() {
            Some((last, count)) if *last >= v => *count += 1,
            _ => distinct.push((v, 1)),
        }
    }
    let edges = edges(&distinct, most);
    FeatureBins {
        values: edges.len() + 1,
        cut: Cut::Edges(edges),
    }
}

/// Edges between bins of about equal counts: a bin is closed when it holds its share of what is left, and before a value that
/// alone is more than a share.
fn edges(distinct: &[(f64, usize)], most: usize) -> Vec<f64> {
    let middle = |i: usize| {
        let (a, b) = (distinct[i].0, distinct[i + 1].0);
        let middle = f64::midpoint(a, b);
        // Between neighbouring numbers there is no middle: the lower one is the edge.
        if middle < b { middle } else { a }
    };
    let last = distinct.len().saturating_sub(1);
    if distinct.len() <= most {
        return (0..last).map(middle).collect();
    }
    let mut left: usize = distinct.iter().map(|(_, count)| count).sum();
    let (mut edges, mut held) = (Vec::with_capacity(most), 0);
    for i in 0..last {
        held += distinct[i].1;
        let share = left as f64 / (most - edges.len()) as f64;
        let (now, next) = (held as f64, distinct[i + 1].1 as f64);
        // Close at the share, before a heavy value, and where going on would miss the share by more than stopping.
        if now >= share || next >= share || now + next - share > share - now {
            edges.push(middle(i));
            left -= held;
            held = 0;
            if edges.len() + 1 == most {
                break;
            }
        }
    }
    edges
}

/// Each level in a bin; when there are too many, the most frequent have one and the rest count as missing.
fn category_bins(label: &Label, most: usize) -> (FeatureBins, bool) {
    let levels = label.levels().len();
    if levels <= most {
        let bins = FeatureBins {
            cut: Cut::Levels((0..levels).map(|l| l as u8).collect()),
            values: levels,
        };
        return (bins, false);
    }
    let mut counts = vec![0_usize; levels];
    for code in label.codes().iter().filter(|c| **c != MISSING) {
        counts[*code as usize] += 1;
    }
    let mut order: Vec<usize> = (0..levels).collect();
    order.sort_by_key(|l| (std::cmp::Reverse(counts[*l]), *l));
    let mut bin_of = vec![most as u8; levels];
    for (bin, level) in order.into_iter().take(most).enumerate() {
        bin_of[level] = bin as u8;
    }
    let bins = FeatureBins {
        cut: Cut::Levels(bin_of),
        values: most,
    };
    (bins, true)
}

/// Writes the codes of one feature.
fn code_column(values: &Values, bins: &FeatureBins, slot: usize, codes: &mut [[u8; WIDTH]]) {
    let missing = bins.values as u8;
    match (values, &bins.cut) {
        (Values::Number(values), Cut::Edges(edges)) => {
            let mut padded = [f64::INFINITY; CODES];
            padded[..edges.len()].copy_from_slice(edges);
            for (code, x) in codes.iter_mut().zip(values.iter()) {
                let mut bin = 0;
                for step in HALVINGS {
                    if padded[(bin + step - 1) % CODES] < *x {
                        bin += step;
                    }
                }
                code[slot] = if x.is_nan() { missing } else { bin as u8 };
            }
        }
        (Values::Category(label), Cut::Levels(bin_of)) => {
            for (code, level) in codes.iter_mut().zip(label.codes()) {
                code[slot] = bin_of.get(*level as usize).copied().unwrap_or(missing);
            }
        }
        // A column and its cut are of one kind by construction.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Frame;

    fn binned(values: Vec<f64>, most: usize) -> (Vec<u8>, FeatureBins) {
        let rows = values.len();
        let frame = Frame::new().with("x", values).unwrap();
        let features = Features::from_frame(&frame, &["x"]).unwrap();
        let bins = Bins::build(&features, most);
        let codes = (0..rows).map(|r| bins.code(0, r)).collect();
        (codes, bins.features[0].clone())
    }

    #[test]
    fn few_values_have_a_bin_each_and_missing_its_own() {
        let (codes, bins) = binned(vec![3.0, f64::NAN, 1.0, 3.0, 2.0], 255);
        assert_eq!(codes, [2, 3, 0, 2, 1]);
        assert_eq!(bins.values, 3);
    }

    #[test]
    fn many_values_are_cut_in_equal_shares() {
        let (codes, bins) = binned(
            (0..10_000).map(|i| f64::from(i * 7 % 10_000)).collect(),
            100,
        );
        assert_eq!(bins.values, 100);
        let mut counts = vec![0; 100];
        for code in codes {
            counts[code as usize] += 1;
        }
        assert!(counts.iter().all(|c| (90..=110).contains(c)), "{counts:?}");
        // Half of the rows are zero: that value has its bin, and the others share the rest.
        let heavy = (0..10_000).map(|i| if i % 2 == 0 { 0.0 } else { f64::from(i) });
        let (codes, bins) = binned(heavy.collect(), 50);
        assert!(bins.values >= 45, "{}", bins.values);
        let zeros = codes.iter().map(|c| usize::from(*c == 0)).sum::<usize>();
        assert_eq!(zeros, 5000);
    }

    #[test]
    fn only_the_order_matters() {
        let x: Vec<f64> = (0..3000).map(|i| f64::from(i).sin() * 5.0).collect();
        let (plain, _) = binned(x.clone(), 255);
        let (curved, _) = binned(x.iter().map(|v| v.exp()).collect(), 255);
        assert_eq!(plain, curved);
    }

    #[test]
    fn rare_levels_are_pooled() {
        let levels: Vec<String> = (0..300).map(|i| format!("l{i}")).collect();
        let codes: Vec<u32> = (0..900)
            .map(|i| if i < 600 { i % 300 } else { i % 200 })
            .collect();
        let label = Label::new(codes, levels).unwrap();
        let frame = Frame::new().with("c", label).unwrap();
        let bins = Bins::build(&Features::from_frame(&frame, &["c"]).unwrap(), 250);
        assert_eq!(bins.pooled, [0]);
        assert_eq!(bins.code(0, 299), 250);
        assert!(bins.code(0, 5) < 200);
    }
}

//! The rising step function nearest to a sequence.

/// Values that pooled together.
#[derive(Clone, Copy)]
struct Block {
    sum: f64,
    weight: f64,
    count: usize,
}

impl Block {
    fn with(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            weight: self.weight + other.weight,
            count: self.count + other.count,
        }
    }

    /// Whether a block that should lie higher does not.
    fn not_below(self, next: Self) -> bool {
        self.weight <= 0.0 || next.weight <= 0.0 || self.sum / self.weight >= next.sum / next.weight
    }
}

/// The values, one a point, of the function that rises with x and minimises `Σ w (y − f(x))²` (pool adjacent violators). Its lowest and its highest
/// step are joined with their neighbours until each has `least` points, since a few points at an end say little.
///
/// Points without weight get the value of those around them; without any weight the values are NaN.
pub(crate) fn isotonic(
    x: &[f64],
    y: &[f64],
    weight: impl Fn(usize) -> f64,
    least: usize,
) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|a, b| x[*a].total_cmp(&x[*b]));
    let mut blocks: Vec<Block> = Vec::new();
    for tie in order.chunk_by(|a, b| x[*a].total_cmp(&x[*b]).is_eq()) {
        let weight_of = tie.iter().map(|i| weight(*i));
        let mut block = Block {
            sum: tie.iter().map(|i| weight(*i) * y[*i]).sum(),
            weight: weight_of.sum(),
            count: tie.len(),
        };
        while let Some(last) = blocks.pop_if(|last| last.not_below(block)) {
            block = last.with(block);
        }
        blocks.push(block);
    }
    while blocks.len() > 1 && blocks[0].count < least {
        blocks[1] = blocks[0].with(blocks[1]);
        blocks.remove(0);
    }
    while blocks.last().is_some_and(|last| last.count < least)
        && let [.., before, last] = blocks.as_mut_slice()
    {
        *before = before.with(*last);
        blocks.pop();
    }
    let mut values = vec![0.0; x.len()];
    let mut order = order.into_iter();
    for block in blocks {
        for i in order.by_ref().take(block.count) {
            values[i] = block.sum / block.weight;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled_by_weight_and_ties_share_a_value() {
        // By hand: 3 and 1 (weight 3) pool to 1.5, the tie at 4 to 5; 2 stays between.
        let x = [1.0, 2.0, 3.0, 4.0, 4.0];
        let y = [3.0, 1.0, 2.0, 6.0, 4.0];
        let weights = [1.0, 3.0, 1.0, 1.0, 1.0];
        let values = isotonic(&x, &y, |i| weights[i], 1);
        assert_eq!(values, [1.5, 1.5, 2.0, 5.0, 5.0]);
        // The order of the points does not matter, and points without weight say nothing.
        let values = isotonic(
            &[4.0, 3.0, 4.0, 1.0, 2.0, 2.5],
            &[6.0, 2.0, 4.0, 3.0, 1.0, 99.0],
            |i| [1.0, 1.0, 1.0, 1.0, 3.0, 0.0][i],
            1,
        );
        assert_eq!(values[..5], [5.0, 2.0, 5.0, 1.5, 1.5]);
        assert!(values[5] == 1.5 || values[5] == 2.0);
    }

    #[test]
    fn steps_at_the_ends_have_enough_points() {
        let x: Vec<f64> = (0..10).map(f64::from).collect();
        let values = isotonic(&x, &x, |_| 1.0, 3);
        assert_eq!(values, [1.0, 1.0, 1.0, 3.0, 4.0, 5.0, 6.0, 8.0, 8.0, 8.0]);
        assert_eq!(isotonic(&x[..2], &x[..2], |_| 1.0, 9), [0.5, 0.5]);
        assert!(isotonic(&[], &[], |_| 1.0, 3).is_empty());
    }
}

//! The secant rule, for nearly linear functions that are dear to evaluate.

/// The root of a function that is nearly linear, from a guess of where it lies and of the slope there: the last point at which the function was evaluated, which is within
/// `tolerance` of where the rule leads next. `None` where the rule leads out of the bracket or does not settle; [`brent_root`](super::brent_root) then knows better.
pub(crate) fn secant_root(
    mut f: impl FnMut(f64) -> f64,
    start: f64,
    slope: f64,
    [low, high]: [f64; 2],
    tolerance: f64,
) -> Option<f64> {
    const STEPS: usize = 12;
    if !(start > low && start < high) {
        return None;
    }
    let (mut at, mut value, mut slope) = (start, f(start), slope);
    for _ in 0..STEPS {
        let next = at - value / slope;
        if !(next > low && next < high) {
            return None;
        }
        if (next - at).abs() <= tolerance {
            return Some(at);
        }
        let found = f(next);
        slope = (found - value) / (next - at);
        (at, value) = (next, found);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bent_function_is_solved_in_few_steps_and_a_jump_is_given_up() {
        let mut steps = 0;
        let bent = |x: f64| {
            steps += 1;
            x + 0.1 * x * x - 1.0
        };
        let root = secant_root(bent, 0.9, 1.0, [0.0, 2.0], 1e-12).unwrap();
        assert!((root - (1.4_f64.sqrt() - 1.0) / 0.2).abs() < 1e-12 && steps < 8);
        assert!(secant_root(|x| x - 5.0, 0.9, 1.0, [0.0, 2.0], 1e-12).is_none());
        assert!(secant_root(|_| f64::NAN, 0.9, 1.0, [0.0, 2.0], 1e-12).is_none());
    }
}

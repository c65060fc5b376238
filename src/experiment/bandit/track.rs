//! Optimal shares of arms for finding the best (Garivier & Kaufmann 2016), for success rates and for normal means.

use super::arms::divergence;

/// The divergence kl of two means.
pub(super) type Divergence = fn(f64, f64) -> f64;

/// That of normal rewards, in standard deviations.
pub(super) fn normal(first: f64, other: f64) -> f64 {
    0.5 * (first - other).powi(2)
}

/// That of success rates, drawn in from 0 and 1 a little.
pub(super) fn binary(first: f64, other: f64) -> f64 {
    const INSIDE: f64 = 1e-6;
    let inside = |m: f64| m.clamp(INSIDE, 1.0 - INSIDE);
    divergence(inside(first), inside(other))
}

/// What two arms with counts in the ratio 1 : x tell about their order, per count of the first: `kl(μ₁, m) + x kl(μ, m)` at their pooled mean m.
fn contrast(kl: Divergence, first: f64, other: f64, x: f64) -> f64 {
    let pooled = (first + x * other) / (1.0 + x);
    kl(first, pooled) + x * kl(other, pooled)
}

fn leader(means: &[f64]) -> usize {
    let mut best = 0;
    for (arm, mean) in means.iter().enumerate() {
        if *mean > means[best] {
            best = arm;
        }
    }
    best
}

/// The generalised likelihood ratios that each of the others is better than the leader, with counts or shares.
pub(super) fn ratios(
    kl: Divergence,
    means: &[f64],
    counts: &[f64],
) -> impl Iterator<Item = (usize, f64)> {
    let best = leader(means);
    (0..means.len()).filter(move |a| *a != best).map(move |a| {
        let x = counts[a] / counts[best];
        (a, counts[best] * contrast(kl, means[best], means[a], x))
    })
}

/// The least of them.
pub(super) fn statistic(kl: Divergence, means: &[f64], counts: &[f64]) -> f64 {
    ratios(kl, means, counts).fold(f64::INFINITY, |least, (_, ratio)| least.min(ratio))
}

/// The x at which the contrast is y, below its limit `kl(μ₁, μ)`. The contrast is concave in x with slope `kl(μ, m)`, so that Newton's steps from 0 rise to the root.
fn inverse(kl: Divergence, first: f64, other: f64, y: f64) -> f64 {
    const STEPS: usize = 100;
    const CLOSE: f64 = 1e-12;
    let mut x = 0.0;
    for _ in 0..STEPS {
        let pooled = (first + x * other) / (1.0 + x);
        let step = (y - contrast(kl, first, other, x)) / kl(other, pooled);
        x += step;
        if step <= CLOSE * x {
            break;
        }
    }
    x
}

/// The shares of rounds that make the contrasts of all arms with the best equal and as large as can be: theorem 5. Several best arms share evenly.
pub(super) fn optimal_shares(kl: Divergence, means: &[f64]) -> Vec<f64> {
    const TWIN: f64 = 1e-9;
    const STEPS: usize = 40;
    let best = leader(means);
    let top = means[best];
    let twins = means.iter().filter(|m| top - **m < TWIN).count();
    if twins > 1 {
        let share = |m: &f64| {
            if top - m < TWIN {
                1.0 / twins as f64
            } else {
                0.0
            }
        };
        return means.iter().map(share).collect();
    }
    let others: Vec<usize> = (0..means.len()).filter(|a| *a != best).collect();
    // The sum of kl(μ₁, m_a)/kl(μ_a, m_a), which is one at the optimum and rises with the common contrast y.
    let excess = |y: f64| -> f64 {
        others
            .iter()
            .map(|a| {
                let x = inverse(kl, top, means[*a], y);
                let pooled = (top + x * means[*a]) / (1.0 + x);
                kl(top, pooled) / kl(means[*a], pooled).max(f64::MIN_POSITIVE)
            })
            .sum()
    };
    let limit = others
        .iter()
        .map(|a| kl(top, means[*a]))
        .fold(f64::INFINITY, f64::min);
    let (mut low, mut high) = (0.0, limit);
    for _ in 0..STEPS {
        let y = f64::midpoint(low, high);
        if excess(y) < 1.0 {
            low = y;
        } else {
            high = y;
        }
    }
    let mut shares = vec![1.0; means.len()];
    for a in others {
        shares[a] = inverse(kl, top, means[a], low);
    }
    let total: f64 = shares.iter().sum();
    shares.iter().map(|s| s / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optimal_shares_are_those_of_the_paper_and_beat_all_others() {
        // Garivier & Kaufmann (2016), section 6: w*((0.5, 0.45, 0.43, 0.4)) = (0.417, 0.390, 0.136, 0.057), and w*((0.3, 0.21, 0.2, 0.19, 0.18)) = (0.336, 0.251, 0.177, 0.132, 0.104).
        for (means, published) in [
            (vec![0.5, 0.45, 0.43, 0.4], vec![0.417, 0.390, 0.136, 0.057]),
            (
                vec![0.3, 0.21, 0.2, 0.19, 0.18],
                vec![0.336, 0.251, 0.177, 0.132, 0.104],
            ),
        ] {
            let shares = optimal_shares(binary, &means);
            for (ours, theirs) in shares.iter().zip(&published) {
                assert!((ours - theirs).abs() < 6e-4, "{shares:?}");
            }
            let best = statistic(binary, &means, &shares);
            for a in 0..means.len() {
                for b in (0..means.len()).filter(|b| *b != a) {
                    let mut moved = shares.clone();
                    moved[a] += 1e-3;
                    moved[b] -= 1e-3;
                    assert!(statistic(binary, &means, &moved) < best);
                }
            }
        }
        assert_eq!(optimal_shares(binary, &[0.5, 0.2, 0.5]), [0.5, 0.0, 0.5]);
    }

    #[test]
    fn normal_arms_have_their_closed_forms() {
        // Two arms share evenly: T* = 8/Δ².
        let means = [0.3, 1.0];
        let shares = optimal_shares(normal, &means);
        assert!((shares[0] - 0.5).abs() < 1e-9);
        assert!((statistic(normal, &means, &shares) - 0.49 / 8.0).abs() < 1e-12);
        // K − 1 that are equally bad: the best gets √(K − 1) times their share.
        let shares = optimal_shares(normal, &[0.0, 0.0, 1.0, 0.0, 0.0]);
        assert!((shares[2] / shares[0] - 2.0).abs() < 1e-6, "{shares:?}");
    }
}

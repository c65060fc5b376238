//! Hierarchical effects: calibration where the prior is true, properties, and the integrals on a grid of one's own.

use cocreate::numeric::special::normal;
use cocreate::numeric::{Seed, blocks};
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};

fn frame(y: &[f64], se: &[f64]) -> Frame {
    let frame = Frame::new().with("y", y.to_vec()).unwrap();
    frame.with("se", se.to_vec()).unwrap()
}

/// With τ drawn from its prior and a flat prior of the mean, which is that of no mean in particular, credible intervals cover as often as they say: of the segments, the
/// mean, a new segment and τ.
#[test]
fn credible_intervals_cover_under_the_prior() {
    const RUNS: usize = 400;
    const SCALE: f64 = 0.7;
    for (level, segments) in [(0.95, 6), (0.5, 12)] {
        let covered: Vec<[f64; 4]> = blocks::map(RUNS, |run| {
            let mut draws = Seed::new(51).stream(run as u64);
            let u: f64 = draws.random();
            let tau = SCALE * (std::f64::consts::FRAC_PI_2 * u).tan();
            let mut z = || -> f64 { StandardNormal.sample(&mut draws) };
            let theta: Vec<f64> = (0..=segments).map(|_| 3.0 + tau * z()).collect();
            let se: Vec<f64> = (0..segments).map(|j| 0.4 + 0.2 * (j % 4) as f64).collect();
            let y: Vec<f64> = (se.iter().zip(&theta)).map(|(s, t)| t + s * z()).collect();
            let plan = HierarchicalEffects::new("y", "se")
                .scale(SCALE)
                .level(level);
            let fit = plan.fit(&frame(&y, &se)).unwrap();
            let within = |low: f64, high: f64, v: f64| f64::from(u8::from(low <= v && v <= high));
            let of = |e: &PooledEffect, v: f64| within(e.lower, e.upper, v);
            let each = fit.effects().iter().zip(&theta).map(|(e, t)| of(e, *t));
            let [low, high] = fit.spread_interval();
            [
                each.sum::<f64>() / segments as f64,
                of(fit.mean(), 3.0),
                of(fit.new_segment(), theta[segments]),
                within(low, high, tau),
            ]
        });
        let share = |k: usize| covered.iter().map(|c| c[k]).sum::<f64>() / RUNS as f64;
        let shares: [f64; 4] = std::array::from_fn(share);
        println!("{level}: {shares:?}");
        // Four Monte Carlo errors; those of segments within a draw are not independent, and no larger.
        let off = 4.0 * (level * (1.0 - level) / RUNS as f64).sqrt();
        assert!(
            shares.iter().all(|s| (s - level).abs() < off),
            "{level}: {shares:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]
    #[test]
    fn what_must_hold_for_any_segments(seed in 0_u64..10_000, segments in 3_usize..60, size in -6.0_f64..6.0, spread in -3.0_f64..2.0) {
        let mut draws = Seed::new(seed).stream(1);
        let mut z = || -> f64 { StandardNormal.sample(&mut draws) };
        let se: Vec<f64> = (0..segments).map(|_| (0.5 * z()).exp()).collect();
        let y: Vec<f64> = se.iter().map(|s| 10_f64.powf(spread) * z() + s * z()).collect();
        let fit = |y: &[f64], se: &[f64]| HierarchicalEffects::new("y", "se").fit(&frame(y, se)).unwrap();
        let was = fit(&y, &se);
        // Every segment is pulled towards the others, never beyond them, and its interval lies about its mean.
        let (low, high) = y.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        for e in was.effects() {
            prop_assert!(e.lower < e.mean && e.mean < e.upper && low <= e.mean && e.mean <= high);
        }
        // In another unit and from another zero.
        let c = 10_f64.powf(size);
        let to = |v: f64| c * v + 2.0 * c;
        let is = fit(&y.iter().map(|v| to(*v)).collect::<Vec<_>>(), &se.iter().map(|s| c * s).collect::<Vec<_>>());
        for (a, b) in was.effects().iter().zip(is.effects()) {
            let digits = 1e-9 * b.deviation;
            prop_assert!((to(a.mean) - b.mean).abs() < digits && (to(a.lower) - b.lower).abs() < digits);
            prop_assert!((c * a.deviation - b.deviation).abs() < digits);
        }
        prop_assert!((c * was.spread() / is.spread() - 1.0).abs() < 1e-9);
        // In another order, and the same on any number of threads.
        let back = |v: &[f64]| v.iter().rev().copied().collect::<Vec<f64>>();
        let is = fit(&back(&y), &back(&se));
        for (a, b) in was.effects().iter().zip(is.effects().iter().rev()) {
            prop_assert!((a.mean - b.mean).abs() < 1e-9 * a.deviation && (a.upper - b.upper).abs() < 1e-9 * a.deviation);
        }
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        prop_assert_eq!(alone.install(|| fit(&y, &se)), was);
    }
}

/// The integrals over ln τ by 40 000 points, written down once more: means, deviations and ends of intervals.
#[test]
fn the_grid_is_fine_enough() {
    for (segments, spread) in [(3, 1.0), (5, 0.0), (40, 0.3), (400, 2.0)] {
        let mut draws = Seed::new(52).stream(segments as u64);
        let mut z = || -> f64 { StandardNormal.sample(&mut draws) };
        let se: Vec<f64> = (0..segments).map(|_| (0.4 * z()).exp()).collect();
        let y: Vec<f64> = se.iter().map(|s| spread * z() + s * z()).collect();
        let fit = HierarchicalEffects::new("y", "se")
            .scale(1.0)
            .fit(&frame(&y, &se))
            .unwrap();
        let points: Vec<[f64; 4]> = (0..40_000)
            .map(|i| {
                let tau = (-18.0 + 26.0 * f64::from(i) / 40_000.0).exp();
                let w: Vec<f64> = se.iter().map(|s| 1.0 / (s * s + tau * tau)).collect();
                let total: f64 = w.iter().sum();
                let mean = w.iter().zip(&y).map(|(w, y)| w * y).sum::<f64>() / total;
                let logs: f64 = (w.iter().zip(&y))
                    .map(|(w, y)| 0.5 * w.ln() - 0.5 * w * (y - mean).powi(2))
                    .sum();
                [
                    logs - 0.5 * total.ln() - (tau * tau).ln_1p() + tau.ln(),
                    tau,
                    mean,
                    1.0 / total,
                ]
            })
            .collect();
        let highest = points
            .iter()
            .map(|p| p[0])
            .fold(f64::NEG_INFINITY, f64::max);
        let weight = |p: &[f64; 4]| (p[0] - highest).exp();
        let total: f64 = points.iter().map(weight).sum();
        let pulled = |p: &[f64; 4], j: usize| {
            let pull = p[1] * p[1] / (p[1] * p[1] + se[j] * se[j]);
            let mean = p[2] + pull * (y[j] - p[2]);
            (mean, pull * se[j] * se[j] + (1.0 - pull).powi(2) * p[3])
        };
        for (j, e) in fit.effects().iter().enumerate().take(5) {
            let sum = |f: &dyn Fn((f64, f64)) -> f64| {
                points
                    .iter()
                    .map(|p| weight(p) * f(pulled(p, j)))
                    .sum::<f64>()
                    / total
            };
            let mean = sum(&|(m, _)| m);
            let deviation = sum(&|(m, v)| v + (m - mean).powi(2)).sqrt();
            assert!(
                (mean - e.mean).abs() < 1e-6 * deviation,
                "{segments} {mean} {}",
                e.mean
            );
            assert!((deviation / e.deviation - 1.0).abs() < 1e-6, "{segments}");
            for (end, p) in [(e.lower, 0.025), (e.upper, 0.975)] {
                let below = sum(&|(m, v)| normal::cdf((end - m) / v.sqrt()));
                assert!((below - p).abs() < 1e-7, "{segments} {below}");
            }
        }
        let [low, high] = fit.spread_interval();
        for (end, p, median) in [
            (low, 0.025, 0.0),
            (high, 0.975, 0.0),
            (fit.spread_median(), 0.5, 1.0),
        ] {
            let below = points
                .iter()
                .filter(|q| q[1] <= end)
                .map(weight)
                .sum::<f64>()
                / total;
            assert!(
                (below - p).abs() < 2e-3 + median * 1e-3,
                "{segments} {below} {p}"
            );
        }
    }
}

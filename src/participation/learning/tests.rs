//! The likelihood against its derivatives and against integrals by other means.

use super::layout::of;
use super::paths::Paths;
use crate::decision::share;
use crate::numeric::Seed;
use crate::numeric::special::normal;
use crate::participation::LearningPanelModel;
use crate::simulate::LearningPanel;

/// Scores are the derivatives of what they belong to, under every layout.
#[test]
fn scores_are_those_of_the_log_likelihood() {
    let process = LearningPanel {
        elicited: true,
        periods: 5,
        ..LearningPanel::new()
    };
    let frame = process.customers(12).seed(8).simulate().unwrap().data;
    let plain = LearningPanelModel::new("participates ~ price + prior_mean", "customer", "period");
    let told = LearningPanelModel::new("participates ~ price", "customer", "period")
        .elicited("prior_mean");
    let seen = told.clone().signals_seen("signal").ambiguity().biased();
    let known = told.clone().signal_variance(0.7).ambiguity();
    let models = [
        plain.clone().biased().random_intercept(),
        plain.signals_seen("signal").biased().forward_looking(0.8),
        told.biased().forward_looking(0.9).horizon(7),
        seen.clone().random_intercept(),
        seen.random_intercept().forward_looking(0.6),
        known.clone(),
        known.random_intercept().forward_looking(0.9),
    ];
    for model in models {
        let layout = model.layout().unwrap();
        let learning = model.prepare(&frame, layout).unwrap().learning;
        let paths = if layout.seen() {
            Paths::seen(layout.intercept)
        } else {
            let signals = learning.panel.most_signals();
            Paths::simulated(16, signals, layout.intercept, Seed::new(1)).unwrap()
        };
        let k = learning.parameters();
        let point: Vec<f64> = (0..k).map(|j| 0.3 + 0.17 * (j as f64).cos()).collect();
        let base = learning.customers(&point, &paths).unwrap();
        for j in 0..k {
            let h = 1e-5;
            let moved = |by: f64| {
                let mut point = point.clone();
                point[j] += by;
                learning.customers(&point, &paths).unwrap()
            };
            let (up, down) = (moved(h), moved(-h));
            for i in 0..12 {
                let at = i * (k + 1);
                let by = (up[at] - down[at]) / (2.0 * h);
                let score = base[at + 1 + j];
                assert!(
                    (score - by).abs() < 2e-5 * (1.0 + by.abs()),
                    "{layout:?} {i} {j}: {score} {by}"
                );
            }
        }
    }
}

/// A belief that is a random walk, integrated node by node: the forward recursion over the belief on a fine grid.
#[test]
fn simulated_paths_average_to_the_integral() {
    let process = LearningPanel {
        elicited: true,
        periods: 9,
        ..LearningPanel::new()
    };
    let frame = process.customers(40).seed(3).simulate().unwrap().data;
    let model = LearningPanelModel::new("participates ~ price", "customer", "period")
        .elicited("prior_mean")
        .biased();
    let layout = model.layout().unwrap();
    let learning = model.prepare(&frame, layout).unwrap().learning;
    let panel = &learning.panel;
    let paths = Paths::simulated(4096, panel.most_signals(), false, Seed::new(4)).unwrap();
    let point = [-0.3, -0.3, 0.8, 0.1, 0.2, 0.15];
    let found = learning.customers(&point, &paths).unwrap();
    let at = learning.at(&point, &paths).unwrap();
    let (spread, ratio) = (at.q[of::SPREAD], at.q[of::RATIO]);
    let grid: Vec<f64> = (-240..=240).map(|g| 0.03 * f64::from(g)).collect();
    let mut gaps = vec![];
    for (i, rows) in panel.customers.iter().enumerate() {
        // Density of w on the grid; none before the first signal, where w is zero.
        let mut density: Option<Vec<f64>> = None;
        let mut ln = 0.0;
        for row in rows.clone() {
            let (base, n) = (learning.base(i, row, &at), panel.signals[row]);
            let p = |w: f64| normal::cdf(panel.signs[row] * (base.level + base.rest + spread * w));
            match &mut density {
                None => ln += p(0.0).ln(),
                Some(f) => f.iter_mut().zip(&grid).for_each(|(f, w)| *f *= p(*w)),
            }
            if panel.signs[row] > 0.0 {
                let step = (share(ratio, n)[0] - share(ratio, n + 1)[0]).sqrt();
                let kernel = |gap: f64| normal::pdf(gap / step) / step;
                density = Some(match &density {
                    None => grid.iter().map(|w| kernel(*w)).collect(),
                    Some(f) => (grid.iter())
                        .map(|w| {
                            let terms = grid.iter().zip(f);
                            0.03 * terms.map(|(v, f)| f * kernel(w - v)).sum::<f64>()
                        })
                        .collect(),
                });
            }
        }
        let exact = ln + density.map_or(0.0, |f| (0.03 * f.iter().sum::<f64>()).ln());
        gaps.push(found[i * (learning.parameters() + 1)] - exact);
    }
    let worst = gaps.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!(worst < 0.02 && mean.abs() < 2e-3, "{worst} {mean}");
}

/// Nodes of the intercept where beliefs are seen: against the trapezoid rule, for a spread of one and of three.
#[test]
fn the_intercept_is_integrated_out() {
    let process = LearningPanel {
        elicited: true,
        cost_deviation: 1.0,
        ..LearningPanel::new()
    };
    let frame = process.customers(60).seed(2).simulate().unwrap().data;
    let model = LearningPanelModel::new("participates ~ price", "customer", "period")
        .elicited("prior_mean")
        .signals_seen("signal")
        .random_intercept();
    let layout = model.layout().unwrap();
    let learning = model.prepare(&frame, layout).unwrap().learning;
    let panel = &learning.panel;
    let paths = Paths::seen(true);
    for (ln_spread, tolerance) in [(0.0, 1e-9), (1.1, 1e-4)] {
        let point = [-0.3, -0.3, 0.8, 0.1, 0.2, ln_spread];
        let found = learning.customers(&point, &paths).unwrap();
        let at = learning.at(&point, &paths).unwrap();
        let mut worst = 0.0_f64;
        for (i, rows) in panel.customers.iter().enumerate() {
            let mut sum = 0.0;
            for g in -1_600..=1_600 {
                let u = 0.005 * f64::from(g);
                let mut p = 0.005 * normal::pdf(u);
                for row in rows.clone() {
                    let base = learning.base(i, row, &at);
                    let v = base.level + base.rest + at.q[of::INTERCEPT] * u;
                    p *= normal::cdf(panel.signs[row] * v);
                }
                sum += p;
            }
            let exact = sum.ln() + learning.contents(i, &at.q, &mut [0.0; of::COUNT]);
            let ours = found[i * (learning.parameters() + 1)];
            worst = worst.max((ours - exact).abs());
        }
        assert!(worst < tolerance, "{ln_spread}: {worst:.2e}");
    }
}

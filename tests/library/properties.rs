//! What must hold for any data: invariances of estimates and covariances, equivalent formulations, and the same bits on any
//! number of threads. Without the feature `parallel` the suite runs the same code on one thread:
//! `cargo test --test library properties --no-default-features`; `the_bits_of_a_fit -- --nocapture` prints the same number both ways.

use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;

/// Named columns that can be permuted, changed and doubled before they become a frame.
#[derive(Clone, Debug)]
struct Sample(Vec<(&'static str, Vec<f64>)>);

impl Sample {
    /// `n` rows of an outcome with heteroskedastic, clustered errors, an endogenous `d` and its instruments. Regressors are
    /// multiples of 2⁻¹⁰, so that shifting them by a large integer is exact.
    fn random(seed: u64, n: usize) -> Self {
        let mut random = Seed::new(seed).stream(0);
        let mut normal = |scale: f64| -> f64 {
            let sum: f64 = (0..12).map(|_| random.random::<f64>()).sum();
            ((sum - 6.0) * scale * 1024.0).round() / 1024.0
        };
        let shock: Vec<f64> = (0..9).map(|_| normal(0.7)).collect();
        let mut out = Self(
            [
                "y", "x1", "x2", "d", "z1", "z2", "w", "f", "g", "h", "a", "b", "c", "t", "i",
            ]
            .iter()
            .map(|name| (*name, Vec::with_capacity(n)))
            .collect(),
        );
        for i in 0..n {
            let (x1, z1, z2, u) = (normal(1.0), normal(1.0), normal(1.0), normal(1.0));
            let x2 = 0.5 * x1 + normal(1.0);
            let g = i % 9;
            let d = z1 + 0.5 * z2 + 0.3 * x1 + u + normal(0.5);
            let (w, f, a, b, c) = (
                1.25 + normal(0.2).clamp(-1.0, 1.0),
                1.0 + normal(1.0).abs().floor().min(3.0),
                (normal(3.0).abs().floor()).min(5.0),
                (normal(2.0).abs().floor()).min(3.0),
                (i / 7 % 4) as f64,
            );
            let e = u + shock[g] + normal(0.5 + 0.3 * x1.abs());
            let y = 1.0 + 0.7 * x1 - 0.4 * x2 + 0.5 * d + 0.3 * a - 0.2 * b + e;
            let row = [
                y,
                x1,
                x2,
                d,
                z1,
                z2,
                w,
                f,
                g as f64,
                (i % 4 + i / 30) as f64,
                a,
                b,
                c,
                (i / 6) as f64,
                i as f64,
            ];
            for ((_, column), value) in out.0.iter_mut().zip(row) {
                column.push(value);
            }
        }
        out
    }

    fn get(&self, name: &str) -> &[f64] {
        &self.0.iter().find(|(n, _)| *n == name).unwrap().1
    }

    fn map(mut self, name: &str, f: impl Fn(f64) -> f64) -> Self {
        let (_, column) = self.0.iter_mut().find(|(n, _)| *n == name).unwrap();
        for v in column.iter_mut() {
            *v = f(*v);
        }
        self
    }

    fn with(mut self, name: &'static str, values: Vec<f64>) -> Self {
        self.0.push((name, values));
        self
    }

    /// The rows in the order given; rows may be repeated.
    fn take(&self, rows: &[usize]) -> Self {
        Self(
            self.0
                .iter()
                .map(|(n, c)| (*n, rows.iter().map(|r| c[*r]).collect()))
                .collect(),
        )
    }

    fn frame(&self) -> Frame {
        self.0.iter().fold(Frame::new(), |frame, (name, values)| {
            frame.with(*name, values.clone()).unwrap()
        })
    }
}

fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut random = Seed::new(seed).child("order").stream(0);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, random.random_range(0..=i));
    }
    order
}

/// Covariances for models without effects.
fn kinds() -> Vec<Covariance> {
    vec![
        Covariance::Classical,
        Covariance::Hc0,
        Covariance::Hc1,
        Covariance::Hc2,
        Covariance::Hc3,
        Covariance::cluster("g"),
        Covariance::clusters(["g", "h"]),
        Covariance::cr2("g"),
        Covariance::newey_west("i").lags(3),
        Covariance::driscoll_kraay("t").lags(2),
    ]
}

/// Estimates, covariances and degrees of freedom agree, coefficient by coefficient; `factor` says by how much those of `a` must
/// be multiplied, and `names` how the coefficients of `b` are called in `a`.
fn same(what: &str, a: &impl Inference, b: &impl Inference, pairs: &[(&str, &str, f64)]) {
    same_within(2e-8, what, a, b, pairs);
}

fn same_within(
    tolerance: f64,
    what: &str,
    a: &(impl Inference + ?Sized),
    b: &(impl Inference + ?Sized),
    pairs: &[(&str, &str, f64)],
) {
    let at: Vec<(usize, usize, f64)> = pairs
        .iter()
        .map(|(x, y, f)| (a.position(x).unwrap(), b.position(y).unwrap(), *f))
        .collect();
    for (i, j, f) in &at {
        let (x, y) = (a.estimate_at(*i), b.estimate_at(*j));
        let gap = (x.estimate * f - y.estimate).abs();
        let scale = y.estimate.abs() + y.std_error;
        assert!(
            gap <= tolerance * scale,
            "{what}: estimate of {}: {} {}",
            y.name,
            x.estimate * f,
            y.estimate
        );
        let (p, q) = (x.degrees_of_freedom, y.degrees_of_freedom);
        assert!(
            (p - q).abs() <= 1e-6 * q || p == q,
            "{what}: df of {}: {p} {q}",
            y.name
        );
    }
    for (i, j, f) in &at {
        for (k, l, h) in &at {
            let (x, y) = (a.covariance()[(*i, *k)] * f * h, b.covariance()[(*j, *l)]);
            let scale = (b.covariance()[(*j, *j)] * b.covariance()[(*l, *l)]).sqrt();
            assert!(
                (x - y).abs() <= tolerance * scale,
                "{what}: covariance of {} and {}: {x} {y}",
                b.names()[*j],
                b.names()[*l]
            );
        }
    }
}

const ALL: [(&str, &str, f64); 4] = [
    ("(Intercept)", "(Intercept)", 1.0),
    ("x1", "x1", 1.0),
    ("x2", "x2", 1.0),
    ("d", "d", 1.0),
];
const SLOPES: [(&str, &str, f64); 3] = [("x1", "x1", 1.0), ("x2", "x2", 1.0), ("d", "d", 1.0)];

fn ols(formula: &str, sample: &Sample) -> OlsFit {
    Ols::new(formula).fit(&sample.frame()).unwrap()
}

/// A fit under another covariance.
fn under(fit: &OlsFit, kind: &Covariance) -> OlsFit {
    fit.with_covariance(kind.clone())
        .unwrap_or_else(|e| panic!("{kind}: {e}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_of_rows_columns_and_labels_does_not_matter(seed in any::<u64>(), n in 60_usize..300) {
        let sample = Sample::random(seed, n);
        let mixed = sample
            .take(&shuffled(n, seed))
            .map("g", |g| (g * 5.0) % 9.0 + 100.0) // a relabelling: 5 and 9 have no common factor
            .map("h", |h| -h);
        for weights in [None, Some("w")] {
            let fit = |formula: &str, s: &Sample| {
                let model = Ols::new(formula);
                weights.iter().fold(model, |m, w| m.weights(*w)).fit(&s.frame()).unwrap()
            };
            let (a, b) = (fit("y ~ x1 + x2 + d", &sample), fit("y ~ d + x2 + x1", &mixed));
            for kind in kinds() {
                same(&kind.to_string(), &under(&a, &kind), &under(&b, &kind), &ALL);
            }
        }
        for formula in ["y ~ x1 + x2 | d ~ z1 + z2", "y ~ x2 + x1 | a + b | d ~ z2 + z1"] {
            for model in [Iv::new(formula), Iv::liml(formula)] {
                let (a, b) = (model.fit(&sample.frame()).unwrap(), model.fit(&mixed.frame()).unwrap());
                same(formula, &a, &b, &SLOPES);
                for kind in [Covariance::Hc2, Covariance::cluster("g")] {
                    if kind == Covariance::Hc2 && formula.contains('b') {
                        continue; // leverage of two effects is refused
                    }
                    let (a, b) = (a.with_covariance(kind.clone()).unwrap(), b.with_covariance(kind).unwrap());
                    same(formula, &a, &b, &SLOPES);
                    let pairs = [
                        (a.wu_hausman().unwrap(), b.wu_hausman().unwrap()),
                        (a.overidentification().unwrap(), b.overidentification().unwrap()),
                        (a.first_stage().unwrap()[0].robust_f.clone(), b.first_stage().unwrap()[0].robust_f.clone()),
                    ];
                    for (x, y) in pairs {
                        prop_assert!((x.statistic / y.statistic - 1.0).abs() < 1e-6, "{x} {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_frequency_stands_for_equal_rows(seed in any::<u64>(), n in 60_usize..200) {
        let sample = Sample::random(seed, n);
        let rows: Vec<usize> = (0..n)
            .flat_map(|i| std::iter::repeat_n(i, sample.get("f")[i] as usize))
            .collect();
        let long = sample.take(&rows);
        for formula in ["y ~ x1 + x2 + d", "y ~ x1 + x2 + d | a", "y ~ x1 + x2 + d | a + b"] {
            let short = Ols::new(formula).frequency_weights("f").fit(&sample.frame()).unwrap();
            let full = ols(formula, &long);
            prop_assert_eq!(short.statistics().observations, full.statistics().observations);
            let (s, t) = (short.statistics(), full.statistics());
            for (x, y) in [
                (s.r_squared, t.r_squared),
                (s.log_likelihood, t.log_likelihood),
                (s.aic, t.aic),
                (s.residual_std_error, t.residual_std_error),
                (s.adjusted_r_squared, t.adjusted_r_squared),
            ] {
                prop_assert!((x - y).abs() < 1e-9 * y.abs().max(1.0), "{formula} {x} {y}");
            }
            for kind in kinds() {
                let leverage = matches!(kind, Covariance::Hc2 | Covariance::Hc3);
                let skip = match &kind {
                    Covariance::NeweyWest { .. } => true, // one row a period
                    Covariance::Cr2 { .. } => formula.contains('|'),
                    _ => leverage && formula.contains('b'),
                };
                if !skip {
                    let what = format!("{formula}, {kind}");
                    same(&what, &under(&short, &kind), &under(&full, &kind), &SLOPES);
                }
            }
        }
        let formula = "y ~ x1 + x2 | d ~ z1 + z2";
        let short = Iv::new(formula).frequency_weights("f").fit(&sample.frame()).unwrap();
        let full = Iv::new(formula).fit(&long.frame()).unwrap();
        for kind in [Covariance::Classical, Covariance::Hc1, Covariance::Hc3, Covariance::cluster("g")] {
            let (a, b) = (short.with_covariance(kind.clone()).unwrap(), full.with_covariance(kind.clone()).unwrap());
            same(&format!("{formula}, {kind}"), &a, &b, &ALL);
            let (x, y) = (a.overidentification().unwrap(), b.overidentification().unwrap());
            prop_assert!((x.statistic / y.statistic - 1.0).abs() < 1e-8, "{x} {y}");
        }
    }

    #[test]
    fn units_and_origins_do_not_matter(
        seed in any::<u64>(),
        power in -8_i32..=8,
        other in -8_i32..=8,
        shift in prop::sample::select(vec![0.0, 1e3, -1e6, 1e9]),
    ) {
        let sample = Sample::random(seed, 150);
        // Powers of two from 1e-8 to 1e8: the change itself must not round.
        let binary = |power: i32| (f64::from(power) * 10_f64.log2()).round().exp2();
        let (p, q) = (binary(power), binary(other));
        // y enters with its rounding, so it is rounded to the grid on which the shift is exact.
        let sample = sample.map("y", |y| (y * 1024.0).round() / 1024.0).map("d", |d| (d * 1024.0).round() / 1024.0);
        let changed = sample.clone()
            .map("x1", |x| (x + shift) * p)
            .map("d", |d| (d - shift) * q)
            .map("z1", |z| (z + shift) * q)
            .map("y", |y| y + shift)
            .map("y", |y| y * p);
        // A mean of m standard deviations is itself only known to ε m of them, and so are centred columns.
        let tolerance = 2e-8_f64.max(8.0 * f64::EPSILON * shift.abs());
        let same = |what: &str, a: &dyn Inference, b: &dyn Inference, pairs: &[(&str, &str, f64)]| {
            same_within(tolerance, what, a, b, pairs);
        };
        let pairs = [("x1", "x1", 1.0), ("x2", "x2", p), ("d", "d", p / q)];
        for formula in ["y ~ x1 + x2 + d", "y ~ x1 + x2 + d | a", "y ~ x1 + x2 + d | a + b"] {
            let (a, b) = (ols(formula, &sample), ols(formula, &changed));
            for kind in [Covariance::Classical, Covariance::Hc1, Covariance::cluster("g")] {
                same(&format!("{formula}, {kind}"), &under(&a, &kind), &under(&b, &kind), &pairs);
            }
            let (s, t) = (a.statistics(), b.statistics());
            prop_assert!((s.r_squared - t.r_squared).abs() < 1e-9);
        }
        let (a, b) = (ols("y ~ x1 + x2 + d", &sample), ols("y ~ x1 + x2 + d", &changed));
        for kind in kinds() {
            if shift > 1e8 && matches!(&kind, Covariance::Cluster { columns, .. } if columns.len() > 1) {
                continue; // the terms of inclusion and exclusion cancel, which magnifies the rounding of the mean
            }
            same(&kind.to_string(), &under(&a, &kind), &under(&b, &kind), &pairs);
        }
        for model in [Iv::new("y ~ x1 + x2 | d ~ z1 + z2"), Iv::liml("y ~ x1 + x2 | a | d ~ z1 + z2")] {
            let (a, b) = (model.fit(&sample.frame()).unwrap(), model.fit(&changed.frame()).unwrap());
            same("instruments", &a, &b, &pairs);
            let (s, t) = (a.confidence_set("d", 0.95).unwrap(), b.confidence_set("d", 0.95).unwrap());
            prop_assert_eq!(s.segments.len(), t.segments.len());
            for (s, t) in s.segments.iter().zip(&t.segments) {
                for (x, y) in [(s.lower, t.lower), (s.upper, t.upper)] {
                    prop_assert!(x == y || (x * p / q - y).abs() <= 1e-6 * y.abs(), "{x} {y}");
                }
            }
        }
    }

    #[test]
    fn the_unit_of_weights_does_not_matter(seed in any::<u64>(), factor in 1e-6_f64..1e6) {
        let sample = Sample::random(seed, 120);
        let changed = sample.clone().map("w", |w| w * factor);
        for formula in ["y ~ x1 + x2 + d", "y ~ x1 + x2 + d | a", "y ~ x1 + x2 + d | a + b"] {
            let fit = |s: &Sample| Ols::new(formula).weights("w").fit(&s.frame()).unwrap();
            let (a, b) = (fit(&sample), fit(&changed));
            let (s, t) = (a.statistics(), b.statistics());
            prop_assert!((s.log_likelihood - t.log_likelihood).abs() < 1e-8 * s.log_likelihood.abs());
            prop_assert!((s.r_squared - t.r_squared).abs() < 1e-10);
            for kind in kinds() {
                let (Ok(a), Ok(b)) = (a.with_covariance(kind.clone()), b.with_covariance(kind.clone())) else {
                    prop_assert!(formula.contains('|'), "{kind}");
                    continue;
                };
                same(&format!("{formula}, {kind}"), &a, &b, &SLOPES);
            }
        }
    }

    #[test]
    fn a_collinear_column_changes_nothing_but_a_warning(seed in any::<u64>(), n in 60_usize..200) {
        let sample = Sample::random(seed, n);
        let sum = sample.get("x1").iter().zip(sample.get("d")).map(|(x, d)| 2.0 * x - d + 5.0).collect();
        let copy = sample.get("a").iter().map(|a| a * a - 7.0).collect();
        let more = sample.clone().with("sum", sum).with("level", copy).with("one", vec![0.1; n]);
        for (formula, longer, named) in [
            ("y ~ x1 + x2 + d", "y ~ x1 + x2 + d + sum + one", vec!["sum", "one"]),
            ("y ~ x1 + x2 + d | a", "y ~ x1 + x2 + d + level + sum | a", vec!["level", "sum"]),
            ("y ~ x1 + x2 + d | a + b", "y ~ x1 + x2 + d + level + one | a + b", vec!["level", "one"]),
        ] {
            let (a, b) = (ols(formula, &sample), ols(longer, &more));
            let told = b.warnings().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            for name in named {
                prop_assert!(told.contains(name), "{longer}: {told}");
            }
            prop_assert_eq!(a.names(), b.names());
            for kind in [Covariance::Classical, Covariance::Hc1, Covariance::cluster("g")] {
                same(longer, &under(&a, &kind), &under(&b, &kind), &SLOPES);
            }
        }
        let (a, b) = (
            Iv::new("y ~ x1 + x2 | d ~ z1 + z2").fit(&sample.frame()).unwrap(),
            Iv::new("y ~ x1 + x2 + z9 | d ~ z1 + z2 + z3").fit(
                &more.clone()
                    .with("z3", sample.get("z1").iter().zip(sample.get("x1")).map(|(z, x)| z - x).collect())
                    .with("z9", sample.get("x2").iter().map(|x| 3.0 * x).collect())
                    .frame(),
            ).unwrap(),
        );
        same("instruments", &a, &b, &ALL);
        prop_assert!(b.warnings().iter().any(|w| w.to_string().contains("z3") && w.to_string().contains("z9")));
    }

    #[test]
    fn absorbing_is_the_same_as_dummies(seed in any::<u64>(), n in 80_usize..200) {
        let sample = Sample::random(seed, n);
        for (effects, dummies) in [("a", "C(a)"), ("a + b", "C(a) + C(b)"), ("a + b + c", "C(a) + C(b) + C(c)")] {
            for weights in [None, Some("w")] {
                let fit = |formula: String| {
                    let model = Ols::new(formula).keep_singletons();
                    weights.iter().fold(model, |m, w| m.weights(*w)).fit(&sample.frame()).unwrap()
                };
                let (absorbed, explicit) = (fit(format!("y ~ x1 + x2 + d | {effects}")), fit(format!("y ~ x1 + x2 + d + {dummies}")));
                let (s, t) = (absorbed.statistics(), explicit.statistics());
                prop_assert_eq!(s.residual_df, t.residual_df, "{}", effects);
                for (x, y) in [(s.rss, t.rss), (s.r_squared, t.r_squared), (s.log_likelihood, t.log_likelihood)] {
                    prop_assert!((x - y).abs() < 1e-8 * y.abs(), "{effects} {x} {y}");
                }
                let full = SmallSample::default().fixed_effects(FixedEffectCount::Full);
                for kind in [
                    Covariance::Classical,
                    Covariance::Hc0,
                    Covariance::Hc1,
                    Covariance::Hc2,
                    Covariance::Hc3,
                    Covariance::cluster("g").small_sample(full),
                    Covariance::clusters(["g", "h"]).small_sample(full),
                    Covariance::newey_west("i").lags(2),
                    Covariance::driscoll_kraay("t").lags(2).small_sample(full),
                ] {
                    if effects != "a" && matches!(kind, Covariance::Hc2 | Covariance::Hc3) {
                        let refused = absorbed.with_covariance(kind).unwrap_err();
                        assert!(matches!(refused, Error::InvalidOption { .. }));
                        continue;
                    }
                    let (a, b) = (under(&absorbed, &kind), under(&explicit, &kind));
                    let adjusted = |w: &Warning| matches!(w, Warning::CovarianceAdjusted { .. });
                    if a.warnings().iter().chain(&b.warnings()).any(adjusted) {
                        continue; // the repair of a matrix depends on which coefficients it holds
                    }
                    same(&format!("{effects}, {kind}"), &a, &b, &SLOPES);
                }
            }
        }
        // Instruments: absorbed and explicit effects.
        let (a, b) = (
            Iv::new("y ~ x1 + x2 | a + b | d ~ z1 + z2").keep_singletons().fit(&sample.frame()).unwrap(),
            Iv::new("y ~ x1 + x2 + C(a) + C(b) | d ~ z1 + z2").fit(&sample.frame()).unwrap(),
        );
        same("instruments", &a, &b, &SLOPES);
        // Effects nested in the clusters: CR2 with either.
        let nested = sample.clone().with("inner", (0..n).map(|i| (i % 18) as f64).collect());
        for (effect, dummies) in [("g", "C(g)"), ("inner", "C(inner)")] {
            let (a, b) = (ols(&format!("y ~ x1 + x2 + d | {effect}"), &nested), ols(&format!("y ~ x1 + x2 + d + {dummies}"), &nested));
            let kind = Covariance::cr2("g");
            let (a, b) = (under(&a, &kind), under(&b, &kind));
            same("CR2", &a, &b, &SLOPES);
            let (x, y) = (a.wald(&["x1 = 0", "x2 = 0"]).unwrap(), b.wald(&["x1 = 0", "x2 = 0"]).unwrap());
            prop_assert!((x.p_value - y.p_value).abs() < 1e-6, "{x} {y}");
            for c in b.coefficients() {
                prop_assert!(!c.p_value().is_nan() && !c.degrees_of_freedom.is_nan(), "{c:?}");
            }
        }
    }

    #[test]
    fn special_cases_meet(seed in any::<u64>(), n in 60_usize..200) {
        let sample = Sample::random(seed, n).with("alone", (0..n).map(|i| i as f64 * 3.0).collect());
        let d = sample.get("d").to_vec();
        let sample = sample.with("copy", d);
        let frame = sample.frame();
        let least = ols("y ~ x1 + x2 + d", &sample);
        // A regressor that instruments itself.
        for model in [Iv::new("y ~ x1 + x2 | d ~ copy"), Iv::liml("y ~ x1 + x2 | d ~ copy")] {
            let own = model.fit(&frame).unwrap();
            for kind in kinds() {
                let own = own.with_covariance(kind.clone()).unwrap_or_else(|e| panic!("{kind}: {e}"));
                same(&format!("own instrument, {kind}"), &own, &under(&least, &kind), &ALL);
            }
            let (set, t) = (own.confidence_set("d", 0.95).unwrap(), under(&least, &Covariance::Hc1).coefficient("d").unwrap().confidence_interval(0.95).unwrap());
            prop_assert!(set.is_bounded() && set.contains(t.lower.midpoint(t.upper)), "{set} {t}");
        }
        // Just identified: LIML is two-stage least squares, and the Anderson–Rubin set contains the estimate.
        let (a, b) = (Iv::new("y ~ x1 + x2 | d ~ z1").fit(&frame).unwrap(), Iv::liml("y ~ x1 + x2 | d ~ z1").fit(&frame).unwrap());
        same("LIML", &a, &b, &ALL);
        for kind in kinds() {
            let a = a.with_covariance(kind.clone()).unwrap();
            let at = a.coefficient("d").unwrap().estimate;
            let set = a.confidence_set("d", 0.01).unwrap();
            prop_assert!(set.contains(at), "{kind}: {set} {at}");
            prop_assert!(a.anderson_rubin(&[at]).unwrap().statistic < 1e-12);
        }
        // Clusters.
        let one = under(&least, &Covariance::cluster("g"));
        same("twice the same cluster", &under(&least, &Covariance::clusters(["g", "g"])), &one, &ALL);
        let none = SmallSample::none();
        let alone = under(&least, &Covariance::cluster("alone").small_sample(none.residual_df(ResidualDf::Conventional)));
        same("each row a cluster", &alone, &under(&least, &Covariance::Hc0), &ALL);
        let singles = under(&least, &Covariance::cr2("alone"));
        let hc2 = under(&least, &Covariance::Hc2);
        prop_assert!((singles.covariance() - hc2.covariance()).amax() <= 1e-9 * hc2.covariance().amax());
        let (dk, time) = (
            under(&least, &Covariance::driscoll_kraay("t").lags(0).small_sample(none)),
            under(&least, &Covariance::cluster("t").small_sample(none)),
        );
        same("Driscoll–Kraay without lags", &dk, &time, &ALL);
        let nw = under(&least, &Covariance::newey_west("i").lags(0).small_sample(none));
        same("Newey–West without lags", &nw, &under(&least, &Covariance::Hc0), &ALL);
    }

    #[test]
    fn sets_invert_their_tests(seed in any::<u64>(), level in 0.5_f64..0.999) {
        let sample = Sample::random(seed, 120);
        let frame = sample.frame();
        let alpha = 1.0 - level;
        let fit = ols("y ~ x1 + x2 + d", &sample);
        for kind in kinds() {
            let fit = under(&fit, &kind);
            let interval = fit.coefficient("x2").unwrap().confidence_interval(level).unwrap();
            for end in [interval.lower, interval.upper] {
                let p = fit.linear(&format!("x2 = {end}")).unwrap().p_value();
                prop_assert!((p - alpha).abs() < 1e-8, "{kind}: {p} {alpha}");
                let wald = fit.wald(&[&format!("x2 = {end}")]).unwrap().p_value;
                prop_assert!((wald - alpha).abs() < 1e-8, "{kind}: {wald} {alpha}");
            }
        }
        for formula in ["y ~ x1 | d ~ z1", "y ~ x1 | d ~ z1 + z2", "y ~ x1 | a | d ~ z1 + z2 + x2"] {
            let fit = Iv::new(formula).fit(&frame).unwrap();
            for kind in [Covariance::Classical, Covariance::Hc1, Covariance::cluster("g"), Covariance::cr2("g")] {
                let Ok(fit) = fit.with_covariance(kind.clone()) else {
                    assert!(formula.contains("| a") && matches!(kind, Covariance::Cr2 { .. }));
                    continue;
                };
                let set = fit.confidence_set("d", level).unwrap();
                for end in set.segments.iter().flat_map(|s| [s.lower, s.upper]).filter(|e| e.is_finite()) {
                    let p = fit.anderson_rubin(&[end]).unwrap().p_value;
                    prop_assert!((p - alpha).abs() < 1e-6, "{formula}, {kind}: {p} {alpha}");
                }
            }
        }
        // Fieller: the ratio at an end of the set is just rejected.
        let set = fieller(&fit, "x1", "d", level).unwrap();
        for end in set.segments.iter().flat_map(|s| [s.lower, s.upper]).filter(|e| e.is_finite()) {
            let p = fit.linear(&format!("x1 - {end} * d")).or_else(|_| fit.linear(&format!("x1 + {} * d", -end))).unwrap().p_value();
            prop_assert!((p - alpha).abs() < 1e-7, "{p} {alpha}");
        }
    }

    #[test]
    fn moments_merge_in_any_grouping(seed in any::<u64>(), cuts in prop::collection::vec(0_usize..200, 2..6)) {
        let sample = Sample::random(seed, 200);
        let (x, y, w) = (sample.get("x1"), sample.get("y"), sample.get("w"));
        let mut edges = cuts;
        edges.extend([0, 200]);
        edges.sort_unstable();
        let parts: Vec<Moments> = edges
            .windows(2)
            .map(|e| Moments::of(&[&x[e[0]..e[1]], &y[e[0]..e[1]]], Some(&w[e[0]..e[1]])).unwrap())
            .collect();
        let join = |mut a: Moments, b: &Moments| { a.merge(b).unwrap(); a };
        let left = parts.iter().fold(Moments::empty(2), join);
        let right = parts.iter().rev().fold(Moments::empty(2), |a, b| join(b.clone(), &a));
        let all = Moments::of(&[x, y], Some(w)).unwrap();
        for m in [&left, &right] {
            prop_assert_eq!(m.rows(), all.rows());
            prop_assert!((m.comoment() - all.comoment()).amax() < 1e-10 * all.comoment().amax());
            prop_assert!((m.mean() - all.mean()).amax() < 1e-12 * all.mean().amax().max(1.0));
        }
    }

    #[test]
    fn a_later_covariance_is_the_earlier_one(seed in any::<u64>()) {
        let sample = Sample::random(seed, 100);
        let frame = sample.frame();
        for formula in ["y ~ x1 + x2 + d", "y ~ x1 + x2 + d | g"] {
            for kind in kinds() {
                let first = Ols::new(formula).covariance(kind.clone()).fit(&frame).unwrap();
                let later = ols(formula, &sample).with_covariance(kind.clone()).unwrap();
                prop_assert_eq!(first.covariance(), later.covariance());
                prop_assert_eq!(first.coefficients(), later.coefficients());
                prop_assert_eq!(first.to_string(), later.to_string());
                // Without its data, and after a journey through JSON, the fit answers as before.
                let lean = first.lean();
                let text = serde_json::to_string(&first).unwrap();
                let read: OlsFit = serde_json::from_str(&text).unwrap();
                for copy in [&lean, &read] {
                    same(&format!("{formula}, {kind}, kept"), copy, &first, &SLOPES);
                    let test = ["x1 = 0", "d = 0.2"];
                    // A repaired covariance may be singular; then both say so.
                    let p = |fit: &OlsFit| fit.wald(&test).map(|t| t.p_value);
                    match (p(copy), p(&first)) {
                        (Ok(a), Ok(b)) => prop_assert!((a - b).abs() < 1e-9, "{a} {b}"),
                        (a, b) => prop_assert_eq!(a, b),
                    }
                    assert!(matches!(copy.with_covariance(Covariance::Hc0), Err(Error::DataNotKept { .. })));
                    assert!(matches!(copy.residuals(), Err(Error::DataNotKept { .. })));
                    assert!(matches!(copy.kept_rows(), Err(Error::DataNotKept { .. })));
                }
                prop_assert_eq!(read.estimates(), first.estimates());
                prop_assert_eq!(read.warnings(), first.warnings());
            }
        }
        let fit = Iv::new("y ~ x1 + x2 | d ~ z1 + z2").covariance(Covariance::cr2("g")).fit(&frame).unwrap();
        let read: IvFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        for copy in [&fit.lean(), &read] {
            same("instruments", copy, &fit, &ALL);
            prop_assert_eq!(copy.first_stage().unwrap(), fit.first_stage().unwrap());
            for refused in [
                copy.with_covariance(Covariance::Hc0).err(),
                copy.anderson_rubin(&[0.0]).err(),
                copy.wu_hausman().err(),
                copy.overidentification().err(),
                copy.confidence_set("d", 0.95).err(),
            ] {
                prop_assert!(matches!(refused, Some(Error::DataNotKept { .. })), "{refused:?}");
            }
        }
    }
}

#[test]
fn unbounded_sets_and_the_normal_survive_json() {
    let set = ConfidenceSet {
        name: "d".into(),
        level: 0.95,
        segments: vec![
            Segment {
                lower: f64::NEG_INFINITY,
                upper: -1.5,
            },
            Segment {
                lower: 2.0,
                upper: f64::INFINITY,
            },
        ],
    };
    let text = serde_json::to_string(&set).unwrap();
    assert_eq!(serde_json::from_str::<ConfidenceSet>(&text).unwrap(), set);
    let estimate = Estimate {
        name: "b".into(),
        estimate: 1.0,
        std_error: 0.5,
        degrees_of_freedom: f64::INFINITY,
    };
    let text = serde_json::to_string(&estimate).unwrap();
    assert_eq!(serde_json::from_str::<Estimate>(&text).unwrap(), estimate);
    let f = Distribution::F {
        df1: 2.0,
        df2: f64::INFINITY,
    };
    let text = serde_json::to_string(&f).unwrap();
    assert_eq!(serde_json::from_str::<Distribution>(&text).unwrap(), f);
}

/// All bits of fits over many blocks of rows.
fn bits() -> Vec<u64> {
    let sample = Sample::random(11, 30_000);
    let frame = sample.frame();
    let mut out = Vec::new();
    for formula in ["y ~ x1 + x2 + d", "y ~ x1 + x2 + d | a + t"] {
        for kind in [
            Covariance::Classical,
            Covariance::Hc1,
            Covariance::cluster("g"),
            Covariance::driscoll_kraay("t"),
        ] {
            let fit = Ols::new(formula).covariance(kind).fit(&frame).unwrap();
            out.extend(
                fit.estimates()
                    .iter()
                    .chain(fit.covariance())
                    .map(|v| v.to_bits()),
            );
        }
    }
    let fit = Iv::liml("y ~ x1 + x2 | d ~ z1 + z2").fit(&frame).unwrap();
    let draws = KrinskyRobb::new()
        .seed(3)
        .interval(&fit, "r", &["x1", "d"], |b| b[0] / b[1], 0.9)
        .unwrap();
    out.extend([draws.lower.to_bits(), draws.upper.to_bits()]);
    out.extend(
        fit.estimates()
            .iter()
            .chain(fit.covariance())
            .map(|v| v.to_bits()),
    );
    out
}

#[test]
fn the_bits_of_a_fit_do_not_depend_on_threads() {
    let all = bits();
    let mix = all
        .iter()
        .fold(0_u64, |h, b| (h ^ b).wrapping_mul(0x0100_0000_01b3));
    println!("bits of the fits: {mix:016x}");
    #[cfg(feature = "parallel")]
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        assert_eq!(pool.install(bits), all, "{threads} threads");
    }
}

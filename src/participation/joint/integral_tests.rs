//! Derivatives of the integral against differences, and the integral against a fine grid.

use super::integral::*;
use crate::numeric::derivative::{gradient, jacobian};
use crate::numeric::special::normal;

/// Seven of every kind of told belief, choice and success; guarantees and effort where they are asked for.
fn customer(case: usize, extended: bool) -> Seen {
    let told = [
        [0.1, 0.4],
        [f64::NEG_INFINITY, -1.0],
        [0.7, f64::INFINITY],
        [0.3, 0.3],
        [f64::NAN; 2],
    ][case % 5];
    Seen {
        answers: vec![1.0, 0.0, f64::NAN, 1.0],
        told,
        signal: if case.is_multiple_of(2) {
            f64::NAN
        } else {
            0.8
        },
        takes_part: !case.is_multiple_of(3),
        success: if case % 3 == 1 {
            1.0
        } else if case % 3 == 2 {
            0.0
        } else {
            f64::NAN
        },
        guarantee: if extended && !case.is_multiple_of(4) {
            0.8
        } else {
            0.0
        },
        works: extended && case >= 3,
        effort: if case == 7 {
            0.0
        } else if extended && case > 3 {
            0.6
        } else {
            f64::NAN
        },
    }
}

const AT: [f64; at::COUNT] = [
    0.3, 0.8, -0.2, 0.4, 0.7, 0.1, 0.5, 0.6, 0.2, 0.4, 0.5, -1.1, -0.3, -0.4, 0.6, 0.5, 0.9, 1.3,
    0.5, 0.3, -0.7, 0.6,
];

/// The quantities before those of the items.
fn quantities(extended: bool) -> usize {
    if extended { at::COUNT } else { at::PLAIN }
}

const ITEMS: [f64; 8] = [0.2, 1.1, -0.5, 0.9, 0.1, 1.3, 0.4, 1.6];

fn sums(seen: &Seen, x: &[f64], rules: &Rules, derivatives: bool) -> Sums {
    let count = x.len() - ITEMS.len();
    let items: Vec<Item> = x[count..].chunks_exact(2).map(|p| [p[0], p[1]]).collect();
    let mut sums = Sums::new(items.len(), count > at::PLAIN);
    let known: Vec<Item> = ITEMS.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
    let at_start = Customer {
        seen,
        items: &known,
        insured: None,
        q: AT,
    };
    let q = std::array::from_fn(|i| if i < count { x[i] } else { AT[i] });
    Customer {
        seen,
        items: &items,
        insured: None,
        q,
    }
    .add(&at_start.place(), rules, derivatives, &mut sums);
    sums
}

fn value(seen: &Seen, x: &[f64], rules: &Rules) -> f64 {
    sums(seen, x, rules, false).value
}

#[test]
fn derivatives_are_those_of_the_value() {
    // Few nodes: derivatives are those of the sum, however good it is.
    let plain = (0..10).map(|case| (case, Rules::new(7, 5).unwrap(), false));
    let beyond = [0, 3, 5, 7].map(|case| (case, Rules::new(5, 3).unwrap(), true));
    for (case, rules, extended) in plain.chain(beyond) {
        let seen = customer(case, extended);
        let x: Vec<f64> = AT[..quantities(extended)]
            .iter()
            .chain(&ITEMS)
            .copied()
            .collect();
        let sums_at = |x: &[f64]| sums(&seen, x, &rules, true);
        let sums = sums_at(&x);
        let of = |x: &[f64]| value(&seen, x, &rules);
        assert!((sums.value - of(&x)).abs() < 1e-13);
        let slopes = |x: &[f64]| sums_at(x).gradient;
        let (g, h) = (gradient(of, &x).unwrap(), jacobian(slopes, &x).unwrap());
        for i in 0..x.len() {
            assert!(
                (sums.gradient[i] - g[i]).abs() < 2e-6,
                "{case} {i}: {} {}",
                sums.gradient[i],
                g[i]
            );
            for j in 0..=i {
                let ours = sums.hessian[i * x.len() + j];
                assert!(
                    (ours - h[(i, j)]).abs() < 2e-6,
                    "{case} {i} {j}: {ours} {}",
                    h[(i, j)]
                );
            }
        }
    }
}

#[test]
fn a_fine_grid_gives_the_same_integral() {
    let rules = Rules::new(15, 15).unwrap();
    for (case, extended) in (0..10).flat_map(|case| [(case, false), (case, true)]) {
        let seen = customer(case, extended);
        let x: Vec<f64> = AT[..quantities(extended)]
            .iter()
            .chain(&ITEMS)
            .copied()
            .collect();
        let (q, step) = (AT, if extended { 0.12 } else { 0.06 });
        let ends = if extended { 65 } else { 130 };
        let mut total = 0.0;
        for i in -ends..=ends {
            let u = f64::from(i) * step;
            let a = q[at::A] + q[at::SD] * u;
            let mut of_u = normal::pdf(u);
            for (k, y) in seen.answers.iter().enumerate().filter(|(_, y)| !y.is_nan()) {
                let p = 1.0 / (1.0 + (-(ITEMS[2 * k] + ITEMS[2 * k + 1] * a)).exp());
                of_u *= if *y > 0.5 { p } else { 1.0 - p };
            }
            if !seen.success.is_nan() {
                let p = normal::cdf(a + q[at::W]);
                of_u *= if seen.success > 0.5 { p } else { 1.0 - p };
            }
            if !seen.signal.is_nan() {
                let s = q[at::LS].exp();
                of_u *= normal::pdf((seen.signal - a) / s) / s;
            }
            for j in -ends..=ends {
                let t = f64::from(j) * step;
                let m = q[at::M0] + q[at::M1] * u + q[at::M2] * t;
                let mut index = q[at::B] + q[at::THETA] * m;
                let mut of_t = normal::pdf(t);
                if seen.guarantee > 0.0 {
                    // Simpson's rule over what the customer does not know.
                    let inner = |z: f64| {
                        let h = m + q[at::SHIFT] + q[at::SPREAD] * z;
                        let (r, g) = (q[at::RISK], seen.guarantee);
                        let paid = -(1.0 - (1.0 - (-r * g).exp()) * normal::cdf(-h)).ln() / r;
                        (-q[at::AMBIGUITY] * paid).exp() * normal::pdf(z)
                    };
                    let sum: f64 = (-32..=32).map(|k| inner(f64::from(k) * 0.25) * 0.25).sum();
                    index -= q[at::MONEY] * sum.ln() / q[at::AMBIGUITY];
                }
                if seen.works {
                    let l = q[at::EFFORT] + q[at::RELIEF] * m;
                    let best = l.max(0.0);
                    index += q[at::THETA] * q[at::RETURN] * (best - 1.0 + (-best).exp());
                    let s = q[at::NOISE].exp();
                    if seen.effort > 0.0 {
                        of_t *= normal::pdf((seen.effort - l) / s) / s;
                    } else if !seen.effort.is_nan() {
                        of_t *= normal::cdf(-l / s);
                    }
                }
                let p = normal::cdf(index);
                of_t *= if seen.takes_part { p } else { 1.0 - p };
                let (center, s) = (q[at::R0] + q[at::R1] * u + q[at::R2] * t, q[at::LR].exp());
                if !seen.told[0].is_nan() {
                    let [low, high] = seen.told.map(|x| (x - center) / s);
                    of_t *= if high > low {
                        normal::cdf(high) - normal::cdf(low)
                    } else {
                        normal::pdf(low) / s
                    };
                }
                total += of_u * of_t * step * step;
            }
        }
        let found = value(&seen, &x, &rules);
        assert!(
            (found - total.ln()).abs() < 1e-6,
            "{case}: {found} {}",
            total.ln()
        );
    }
}

//! Synthetic control: agreement with its definitions, what holds for any data, coverage of intervals and size of permutation tests, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::causal::JointPlacebo;
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand::RngExt as _;
use rand_distr::{Distribution as _, StandardNormal};

/// Proposition 99: packs a head by state and year, with a tax in California from 1989 on.
pub fn proposition_99() -> Frame {
    let long = datasets::load("california_prop99")
        .unwrap()
        .longer(&["Year"], "state", "packs")
        .unwrap();
    let (year, state) = (
        long.real("Year").unwrap().to_vec(),
        long.label("state").unwrap().clone(),
    );
    let taxed: Vec<bool> = (0..long.rows())
        .map(|row| state.get(row) == Some("California") && year[row] > 1988.5)
        .collect();
    long.with("taxed", taxed).unwrap()
}

fn packs() -> SyntheticControl {
    SyntheticControl::new("packs", "taxed", "state", "Year")
}

fn shops() -> SyntheticControl {
    SyntheticControl::new("sales", "tool", "shop", "year")
}

/// Weights in the order of names.
fn weights(unit: &SyntheticUnit, names: &[String]) -> Vec<f64> {
    let of = |name: &String| {
        unit.weights
            .iter()
            .find(|w| w.donor == *name)
            .unwrap()
            .weight
    };
    names.iter().map(of).collect()
}

fn names(value: &serde_json::Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn weights_paths_and_placebos_are_those_of_the_definitions() {
    let reference = fixture("synthetic_control");
    let theirs = &reference["values"]["prop99"];
    let donors = names(&theirs["donors"]);
    let fit = packs().fit(&proposition_99()).unwrap();
    let unit = &fit.units()[0];
    let own = [unit.effect, unit.pre_rmspe, unit.post_rmspe];
    agree("fit", &own, &numbers(&theirs["fit"]), 1e-9);
    agree(
        "weights",
        &weights(unit, &donors),
        &numbers(&theirs["weights"]),
        1e-9,
    );
    agree(
        "path",
        &unit.synthetic,
        &numbers(&theirs["synthetic"]),
        1e-9,
    );
    let space = fit.placebo_in_space().unwrap().remove(0);
    agree(
        "own ratio",
        &[space.ratio, space.p_value],
        &numbers(&theirs["space"]),
        1e-9,
    );
    let ratios: Vec<f64> = space.placebos.iter().map(|p| p.ratio).collect();
    assert_eq!(space.placebos[0].unit, donors[0]);
    agree("ratios", &ratios, &numbers(&theirs["ratios"]), 1e-8);
    let early = fit.placebo_in_time(1981.0).unwrap();
    let early = [early.effect(), early.units()[0].pre_rmspe];
    agree("in time", &early, &numbers(&theirs["in_time_1981"]), 1e-9);
    let without = fit.leave_one_donor_out().unwrap();
    assert_eq!(without.len(), theirs["without"].as_object().unwrap().len());
    for left in &without {
        let value = numbers(&theirs["without"][&left.donor]);
        agree(&left.donor, &[left.effect, left.pre_rmspe], &value, 1e-9);
    }
    let demeaned = packs().demeaned().fit(&proposition_99()).unwrap();
    let ours = [demeaned.effect(), demeaned.units()[0].pre_rmspe];
    agree("demeaned", &ours, &numbers(&theirs["demeaned"]), 1e-8);
}

#[test]
fn the_augmentation_and_both_intervals_are_those_of_the_definitions() {
    let reference = fixture("synthetic_control");
    let theirs = &reference["values"]["prop99"];
    let donors = names(&theirs["donors"]);
    let panel = proposition_99();
    let fit = packs().augmented().fit(&panel).unwrap();
    let unit = &fit.units()[0];
    agree(
        "penalty",
        &[unit.penalty.unwrap()],
        &numbers(&theirs["penalty"]),
        1e-9,
    );
    agree(
        "augmented",
        &weights(unit, &donors),
        &numbers(&theirs["augmented"]),
        1e-8,
    );
    let intervals = fit.jackknife_plus("California", 0.9).unwrap();
    let ends: Vec<f64> = intervals.iter().flat_map(|i| [i.lower, i.upper]).collect();
    agree(
        "jackknife+",
        &ends,
        &numbers(&theirs["jackknife_plus"]),
        1e-8,
    );
    let given = packs().augmented().penalty(1000.0).fit(&panel).unwrap();
    agree(
        "given",
        &weights(&given.units()[0], &donors),
        &numbers(&theirs["augmented_1000"]),
        1e-8,
    );
    // SLSQP is what makes the difference from pysyncon.
    assert!(numbers(&theirs["pysyncon"]["augmented_1000"])[0] < 1e-5);
    assert!(numbers(&theirs["pysyncon"]["plain"])[0] < 1e-5);

    let theirs = &theirs["conformal"];
    let fit = packs().fit(&panel).unwrap();
    let found = &fit
        .conformal_intervals(0.9, ConformalPermutations::MovingBlock)
        .unwrap()[0];
    agree(
        "no effect",
        &[found.p_value],
        &numbers(&theirs["sharp"]),
        1e-12,
    );
    let ends = [found.constant.lower, found.constant.upper];
    agree("constant", &ends, &numbers(&theirs["constant"]), 1e-6);
    let ends: Vec<f64> = found
        .periods
        .iter()
        .flat_map(|i| [i.lower, i.upper])
        .collect();
    agree("periods", &ends, &numbers(&theirs["periods"]), 1e-6);
    assert_eq!(found.periods[0].name, "1989");
}

#[test]
fn predictors_and_several_units_with_their_own_starts() {
    let reference = fixture("synthetic_control");
    let theirs = &reference["values"]["staggered"];
    let panel = data("tests/reference/synthetic_control.csv");
    let fit = shops().fit(&panel).unwrap();
    let effects: Vec<f64> = fit.units().iter().map(|u| u.effect).collect();
    agree("units", &effects, &numbers(&theirs["controls"]), 1e-8);
    // Three units over 7 periods and two over 4.
    let by_hand = effects[..3].iter().sum::<f64>() * 7.0 + effects[3..].iter().sum::<f64>() * 4.0;
    assert!((fit.effect() - by_hand / 29.0).abs() < 1e-12);
    let path = fit.path();
    assert_eq!((path[0].since, path[0].units), (-12, 2));
    let treated: f64 = path
        .iter()
        .filter(|p| p.since >= 0)
        .map(|p| p.effect * p.units as f64)
        .sum();
    assert!((treated / 29.0 - fit.effect()).abs() < 1e-12);
    assert_eq!(fit.placebo_in_space().unwrap().len(), 5);
    assert!(fit.weights_table().to_string().contains("shop 05"));
    let windows = [
        (1970.0, 1974.0),
        (1975.0, 1975.0),
        (1980.0, 1980.0),
        (1988.0, 1988.0),
    ];
    let model = windows
        .iter()
        .fold(packs(), |m, (a, b)| m.predictor_between("packs", *a, *b));
    let fit = model.clone().fit(&proposition_99()).unwrap();
    // Four windows are met exactly; the reference says so too.
    let reference = numbers(&reference["values"]["prop99"]["predictors"]["distance"])[0];
    assert!(reference < 1e-12);
    let unit = &fit.units()[0];
    for (first, last) in [(0, 4), (5, 5), (10, 10), (18, 18)] {
        let gap: f64 = unit.gaps()[first..=last].iter().sum();
        assert!(gap.abs() < 1e-6, "{first}: {gap}");
    }
    // Where predictors cannot all be met, importance decides which are.
    let two = |v: [f64; 2]| {
        let fit = shops()
            .predictor("traffic")
            .predictor_between("sales", 2001.0, 2001.0)
            .importance(PredictorImportance::Given(v.to_vec()))
            .fit(&panel)
            .unwrap();
        fit.units()[1].gaps()[0].abs()
    };
    assert!(two([0.0, 1.0]) <= two([1.0, 0.01]) + 1e-9);
    let windowless = shops()
        .predictor("traffic")
        .importance(PredictorImportance::Even);
    assert!(windowless.fit(&panel).unwrap().effect().is_finite());
}

/// Treated units and donors on two factors and standard noise over two.
#[derive(Clone, Copy)]
pub struct Factors {
    pub treated: usize,
    pub donors: usize,
    pub before: usize,
    pub after: usize,
    pub effect: f64,
    /// Whether loadings of the treated are means of donors', so that they are inside the convex hull; of the donors' distribution otherwise.
    pub inside: bool,
}

pub const INSIDE: Factors = Factors {
    treated: 1,
    donors: 19,
    before: 25,
    after: 4,
    effect: 0.0,
    inside: true,
};

impl Factors {
    pub fn draw(self, seed: u64, draw: u64) -> Frame {
        let mut generator = Seed::new(seed).stream(draw);
        let mut normal = || -> f64 { StandardNormal.sample(&mut generator) };
        let donors: Vec<[f64; 2]> = (0..self.donors).map(|_| [normal(), normal()]).collect();
        let own: Vec<[f64; 2]> = (0..self.treated)
            .map(|unit| {
                let inside = [0, 1].map(|k| {
                    (0..4)
                        .map(|j| donors[(unit + j) % self.donors][k])
                        .sum::<f64>()
                        / 4.0
                });
                let alike = [normal(), normal()];
                if self.inside { inside } else { alike }
            })
            .collect();
        let periods = self.before + self.after;
        let factors: Vec<[f64; 2]> = (0..periods).map(|_| [normal(), normal()]).collect();
        let (mut unit, mut period, mut y, mut on) = (vec![], vec![], vec![], vec![]);
        for (i, l) in own.iter().chain(&donors).enumerate() {
            for (t, f) in factors.iter().enumerate() {
                let treated = i < self.treated && t >= self.before;
                unit.push(i as f64);
                period.push(t as f64);
                on.push(treated);
                let effect = if treated { self.effect } else { 0.0 };
                y.push(l[0] * f[0] + l[1] * f[1] + 0.5 * normal() + effect);
            }
        }
        Frame::new()
            .with("unit", unit)
            .unwrap()
            .with("period", period)
            .unwrap()
            .with("y", y)
            .unwrap()
            .with("on", on)
            .unwrap()
    }
}

fn plain() -> SyntheticControl {
    SyntheticControl::new("y", "on", "unit", "period")
}

#[test]
fn permutation_tests_have_their_size_and_intervals_cover() {
    let draws = 80;
    let alike = Factors {
        inside: false,
        ..INSIDE
    };
    let moved = Factors {
        effect: 3.0,
        ..INSIDE
    };
    let (mut placebo, mut inside, mut orders, mut shifts) = (0, 0, 0, 0);
    let (mut periods, mut constant, mut plus) = (0, 0, 0);
    for draw in 0..draws {
        let small = |design: Factors| {
            let fit = plain().fit(&design.draw(31, draw)).unwrap();
            (
                usize::from(fit.placebo_in_space().unwrap()[0].p_value <= 0.1),
                fit,
            )
        };
        placebo += small(alike).0;
        let (small, none) = small(INSIDE);
        inside += small;
        let iid = ConformalPermutations::Iid {
            draws: 99,
            seed: Seed::new(draw),
        };
        orders += usize::from(none.conformal_intervals(0.9, iid).unwrap()[0].p_value <= 0.1);
        let fit = plain().fit(&moved.draw(32, draw)).unwrap();
        let found = &fit
            .conformal_intervals(0.9, ConformalPermutations::MovingBlock)
            .unwrap()[0];
        let covers = |i: &Interval| usize::from(i.lower <= 3.0 && 3.0 <= i.upper);
        shifts += usize::from(found.p_value <= 0.1);
        periods += covers(&found.periods[2]);
        constant += covers(&found.constant);
        plus += covers(&fit.jackknife_plus("0", 0.9).unwrap()[1]);
    }
    println!(
        "placebo {placebo}, inside {inside}, orders {orders}, power {shifts}; cover: period {periods}, constant {constant}, jackknife+ {plus} of {draws}"
    );
    // Three standard errors of 80 draws are 10 points at 0.1. A treated unit inside the hull of donors that are not is met more closely, which placebos in space do not know.
    let share = |count: usize| count as f64 / draws as f64;
    for size in [share(placebo), share(orders)] {
        assert!(size < 0.1 + 0.1, "{size}");
    }
    assert!(inside > placebo && share(shifts) > 0.9);
    for coverage in [share(periods), share(constant), share(plus)] {
        assert!(coverage > 0.9 - 0.1, "{coverage}");
    }
}

#[test]
fn same_seed_same_numbers_and_a_round_trip() {
    let panel = Factors {
        donors: 8,
        before: 12,
        effect: 1.0,
        ..INSIDE
    }
    .draw(3, 0);
    let fit = plain().augmented().fit(&panel).unwrap();
    let iid = |seed| ConformalPermutations::Iid {
        draws: 40,
        seed: Seed::new(seed),
    };
    let of = |seed| fit.conformal_intervals(0.8, iid(seed)).unwrap();
    assert_eq!(of(7), of(7));
    let text = serde_json::to_string(&fit).unwrap();
    assert_eq!(
        serde_json::from_str::<SyntheticControlFit>(&text).unwrap(),
        fit
    );
    assert!(fit.path_plot("0").unwrap().to_svg().contains("synthetic 0"));
    assert!(
        fit.placebo_plot("0", 5.0)
            .unwrap()
            .to_svg()
            .contains("placebos")
    );
}

proptest! {
    #![proptest_config(Config::with_cases(12))]

    #[test]
    fn rows_scale_and_level(draw in 0_u64..1000, scale in 0.01_f64..1000.0, level in -50.0_f64..50.0) {
        let panel = Factors { donors: 7, before: 10, effect: 1.0, ..INSIDE }.draw(8, draw);
        let n = panel.rows();
        let mut generator = Seed::new(draw).stream(0);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_cached_key(|_| generator.random::<u64>());
        let moved: Vec<f64> = panel.real("y").unwrap().iter().map(|y| scale * y + level).collect();
        let other = panel.replace("y", moved).unwrap().take(&order).unwrap();
        for model in [plain(), plain().demeaned(), plain().augmented()] {
            let (a, b) = (model.fit(&panel).unwrap(), model.fit(&other).unwrap());
            prop_assert!((scale * a.effect() - b.effect()).abs() < 1e-7 * scale, "{} {}", a.effect(), b.effect());
            let (p, q) = (a.placebo_in_space().unwrap(), b.placebo_in_space().unwrap());
            prop_assert!((p[0].p_value - q[0].p_value).abs() < 1e-12);
            for unit in [&a, &b].map(|fit| &fit.units()[0]) {
                prop_assert!((unit.weights.iter().map(|w| w.weight).sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}

fn refused(model: &SyntheticControl, frame: &Frame, words: &[&str]) {
    let text = model.fit(frame).unwrap_err().to_string();
    for word in words {
        assert!(text.contains(word), "{text} (lacks {word})");
    }
}

/// A panel of three units, the first of which is treated from the third of four periods on, with one value changed.
fn small(edit: impl Fn(&mut Vec<f64>, &mut Vec<f64>, &mut Vec<f64>, &mut Vec<f64>)) -> Frame {
    let mut unit: Vec<f64> = (0..12).map(|row| f64::from(row / 4)).collect();
    let mut period: Vec<f64> = (0..12).map(|row| f64::from(2001 + row % 4)).collect();
    let mut on: Vec<f64> = (0..12)
        .map(|row| f64::from(u8::from(row == 2 || row == 3)))
        .collect();
    let mut y = vec![2.0, 2.5, 4.0, 5.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 3.0];
    edit(&mut unit, &mut period, &mut on, &mut y);
    Frame::new()
        .with("unit", unit)
        .unwrap()
        .with("period", period)
        .unwrap()
        .with("y", y)
        .unwrap()
        .with("on", on)
        .unwrap()
}

#[test]
fn bad_panels_are_refused_with_the_remedy() {
    let good = small(|_, _, _, _| ());
    assert!((plain().fit(&good).unwrap().effect() - 1.5).abs() < 1e-12);
    refused(
        &plain(),
        &small(|_, p, _, _| p[1] = 2001.0),
        &["1 and 2", "sum or average"],
    );
    refused(
        &plain(),
        &good
            .filter(&[
                true, true, true, true, true, true, true, false, true, true, true, true,
            ])
            .unwrap(),
        &["`unit` 1 has no row in `period` 2004"],
    );
    refused(
        &plain(),
        &small(|_, _, on, _| on[..2].fill(1.0)),
        &["before treatment", "leave the unit out"],
    );
    refused(
        &plain(),
        &small(|_, _, on, _| on.fill(0.0)),
        &["a treated unit"],
    );
    refused(
        &plain(),
        &small(|_, _, on, _| on[..].copy_from_slice(&[0.0, 0.0, 1.0, 1.0].repeat(3))),
        &["a donor"],
    );
    refused(
        &plain(),
        &small(|_, _, on, _| on[3] = 0.0),
        &["row 4", "switch off"],
    );
    refused(
        &plain(),
        &small(|_, _, on, _| on[3] = 0.5),
        &["row 4", "0.5"],
    );
    refused(
        &plain(),
        &small(|_, _, _, y| y[5] = f64::INFINITY),
        &["infinite in row 6"],
    );
    refused(
        &plain(),
        &small(|_, _, _, y| y[5] = f64::NAN),
        &["has no row"],
    );
    refused(
        &plain(),
        &small(|_, _, _, y| y.fill(7.0)),
        &["outcomes that differ", "is 7"],
    );
    refused(&plain().penalty(1.0), &good, &["augmented"]);
    refused(&plain().augmented().penalty(-1.0), &good, &["positive"]);
    refused(
        &plain().augmented(),
        &good,
        &["3 periods before treatment", ".penalty"],
    );
    refused(
        &plain().augmented().predictor("y"),
        &good,
        &["predictors out"],
    );
    refused(
        &plain().predictor_between("y", 1990.0, 1991.0),
        &good,
        &["from 1990 to 1991"],
    );
    refused(
        &plain().predictor_between("y", 2002.0, 2001.0),
        &good,
        &["the earlier first"],
    );
    refused(
        &plain()
            .predictor("y")
            .importance(PredictorImportance::Given(vec![])),
        &good,
        &["one number a predictor"],
    );
    refused(&plain().predictor("nothing"), &good, &["nothing"]);
    refused(
        &SyntheticControl::new("y", "on", "unit", "time"),
        &good,
        &["`time`"],
    );
    let fit = plain().fit(&good).unwrap();
    let shifts = ConformalPermutations::MovingBlock;
    let sentences = [
        fit.conformal_intervals(0.95, shifts)
            .unwrap_err()
            .to_string(),
        fit.jackknife_plus("0", 0.95).unwrap_err().to_string(),
        fit.placebo_in_time(2003.0).unwrap_err().to_string(),
        fit.path_plot("1").unwrap_err().to_string(),
        fit.conformal_intervals(1.5, shifts)
            .unwrap_err()
            .to_string(),
    ];
    for (sentence, word) in sentences.iter().zip([
        "19 periods",
        "19 periods",
        "not after 2002",
        "a treated unit: 0",
        "level",
    ]) {
        assert!(sentence.contains(word), "{sentence}");
    }
}

#[test]
fn columns_become_rows() {
    let wide = Frame::new()
        .with("year", vec![1.0, 2.0])
        .unwrap()
        .with("a", vec![3.0, f64::NAN])
        .unwrap()
        .with("b", vec![true, false])
        .unwrap();
    let long = wide.longer(&["year"], "unit", "y").unwrap();
    assert_eq!(long.names(), ["year", "unit", "y"]);
    let y = long.real("y").unwrap();
    assert!(y[1].is_nan() && y[2..] == [1.0, 0.0]);
    let all = wide.longer::<&str>(&[], "unit", "y").unwrap();
    assert_eq!((all.rows(), all.columns()), (6, 2));
    let refused = |frame: &Frame, keep: &[&str], name: &str, words: &str| {
        let text = frame.longer(keep, name, "y").unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    refused(&wide, &["month"], "unit", "`month`");
    refused(&wide, &["year"], "year", "`year` occurs twice");
    refused(&wide, &["year", "a", "b"], "unit", "none is left to stack");
    let named = wide.with("name", vec!["p", "q"]).unwrap();
    refused(&named, &["year"], "unit", "`name`");
}

#[test]
fn weak_designs_carry_warnings() {
    let warned = |frame: &Frame, words: &str| {
        let fit = plain().fit(frame).unwrap();
        let text: String = fit.warnings().iter().map(ToString::to_string).collect();
        assert!(text.contains(words), "{text}");
        assert!(fit.to_html().contains(words));
    };
    warned(
        &small(|_, _, _, y| y[0] = 9.0),
        "outside the convex hull of the donors: above or below all of them in 1 of 2",
    );
    warned(
        &small(|_, _, on, _| on[1] = 1.0),
        "one period before treatment",
    );
    warned(&small(|_, _, _, y| y[0] = 2.0), "matched exactly");
    let one = small(|_, _, _, _| ())
        .filter(&[[true; 8].as_slice(), &[false; 4]].concat())
        .unwrap();
    warned(&one, "one donor, 1,");
    assert!(plain().fit(&one).unwrap().placebo_in_space().is_err());
    assert!(plain().fit(&one).unwrap().leave_one_donor_out().is_err());
}

/// The panel of Proposition 99 with the predictors of Abadie, Diamond & Hainmueller (2010), means of 1980 to 1988 (beer: 1984 to 1988).
fn predicted_99() -> (Frame, SyntheticControl) {
    let panel = proposition_99();
    let means = data("tests/reference/proposition_99_predictors.csv");
    let state = means.label("state").unwrap().clone();
    let place = |name: &str| (0..39).find(|row| state.get(*row) == Some(name)).unwrap();
    let of = panel.label("state").unwrap().clone();
    let rows: Vec<usize> = (0..panel.rows())
        .map(|row| place(of.get(row).unwrap()))
        .collect();
    let mut model = packs();
    let mut frame = panel;
    for column in ["log_income", "young", "price", "beer"] {
        let values = means.real(column).unwrap();
        let long: Vec<f64> = rows.iter().map(|row| values[*row]).collect();
        frame = frame.with(column, long).unwrap();
        model = model.predictor(column);
    }
    let lags = [1975.0, 1980.0, 1988.0];
    (
        frame,
        lags.iter()
            .fold(model, |m, year| m.predictor_between("packs", *year, *year)),
    )
}

#[test]
fn importance_is_that_of_an_independent_search_and_the_weights_those_of_the_paper() {
    let reference = fixture("synthetic_control_nested");
    let theirs = &reference["values"];
    let donors = names(&theirs["donors"]);
    let (frame, model) = predicted_99();
    let fit = model.fit(&frame).unwrap();
    let california = &fit.units()[0];
    let ours = weights(california, &donors);
    let gap = numbers(&theirs["nested"]["gap"])[0];
    assert!(
        california.pre_rmspe < gap * (1.0 + 1e-8),
        "{}",
        california.pre_rmspe
    );
    for (what, tolerance) in [("nested", 2e-4), ("published", 0.0055)] {
        let theirs = match what {
            "nested" => numbers(&theirs[what]["weights"]),
            _ => numbers(&theirs[what]),
        };
        for ((ours, theirs), donor) in ours.iter().zip(&theirs).zip(&donors) {
            assert!(
                (ours - theirs).abs() < tolerance,
                "{what} {donor}: {ours} {theirs}"
            );
        }
    }
    // What is met is the mean of donors by the weights, and importance sums to one.
    let balance = &california.predictors;
    assert!((balance.iter().map(|p| p.importance).sum::<f64>() - 1.0).abs() < 1e-12);
    let lag = balance
        .iter()
        .find(|p| p.predictor == "packs, 1980")
        .unwrap();
    assert!((lag.synthetic - california.synthetic[10]).abs() < 1e-9);
    assert!((lag.treated - california.actual[10]).abs() < 1e-12);
    let table = fit.predictor_table("California").unwrap().to_string();
    assert!(table.contains("log_income") && fit.predictor_table("Utah").is_err());
    // Importance by regression, by hand, and even importance fit outcomes worse.
    let (_, model) = predicted_99();
    for importance in [PredictorImportance::Regression, PredictorImportance::Even] {
        let other = model.clone().importance(importance).fit(&frame).unwrap();
        assert!(other.units()[0].pre_rmspe > california.pre_rmspe);
    }
    // Read back, the fit is the same.
    let text = serde_json::to_string(&fit).unwrap();
    let back: SyntheticControlFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back, fit);
}

#[test]
fn cross_validation_chooses_importance_by_periods_that_weights_have_not_seen() {
    let reference = fixture("synthetic_control_nested");
    let theirs = &reference["values"]["validated"];
    let (frame, _) = predicted_99();
    let columns = ["log_income", "young", "price", "beer", "packs"];
    let model = columns
        .iter()
        .fold(packs(), |m, column| m.predictor(*column));
    let from = |validation| {
        let importance = PredictorImportance::CrossValidated { validation };
        model.clone().importance(importance).fit(&frame)
    };
    let fit = from(1980.0).unwrap();
    let ours = weights(&fit.units()[0], &names(&reference["values"]["donors"]));
    for (ours, theirs) in ours.iter().zip(numbers(&theirs["weights"])) {
        assert!((ours - theirs).abs() < 2e-3, "{ours} {theirs}");
    }
    for outside in [1970.0, 1989.0, f64::NAN] {
        let text = from(outside).unwrap_err().to_string();
        assert!(
            text.contains("validation") && text.contains("after 1970"),
            "{text}"
        );
    }
    // A window that lies in one part only has no value in the other.
    let one = model.clone().predictor_between("packs", 1988.0, 1988.0);
    let importance = PredictorImportance::CrossValidated { validation: 1980.0 };
    let text = one
        .importance(importance)
        .fit(&frame)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("before 1980") && text.contains("packs"),
        "{text}"
    );
    let text = packs()
        .importance(PredictorImportance::Even)
        .fit(&frame)
        .unwrap_err()
        .to_string();
    assert!(text.contains("without predictors"), "{text}");
}

#[test]
fn a_joint_placebo_compares_with_all_assignments_or_with_some() {
    let several = Factors {
        treated: 2,
        donors: 7,
        before: 12,
        after: 3,
        effect: 4.0,
        inside: false,
    };
    let fit = plain().fit(&several.draw(5, 1)).unwrap();
    let all = fit.joint_placebo(100, 7).unwrap();
    // Ordered pairs of nine units, of which both orders of a pair have one mean.
    assert_eq!((all.assignments, all.exhaustive), (72, true));
    let own = fit.units().iter().map(|u| u.effect).sum::<f64>() / 2.0;
    assert!((own - all.effect).abs() < 1e-12);
    // By hand: each pair in turn is treated.
    let frame = several.draw(5, 1);
    let (unit, period) = (frame.real("unit").unwrap(), frame.real("period").unwrap());
    let (mut far, mut standard) = (0, 0);
    for a in 0..9 {
        for b in 0..a {
            let treated = |row: usize| {
                period[row] > 11.5 && (unit[row] == f64::from(a) || unit[row] == f64::from(b))
            };
            let on: Vec<bool> = (0..frame.rows()).map(treated).collect();
            let other = plain()
                .fit(&frame.clone().with_or_replace("on", on).unwrap())
                .unwrap();
            let [a, b] = [0, 1].map(|k| &other.units()[k]);
            far += 2 * usize::from((a.effect + b.effect).abs() / 2.0 >= own.abs() - 1e-9);
            let both = (a.effect / a.pre_rmspe + b.effect / b.pre_rmspe).abs() / 2.0;
            standard += 2 * usize::from(both >= all.standardized.abs() - 1e-9);
        }
    }
    assert_eq!(all.p_value, f64::from(far as u32) / 72.0);
    assert_eq!(all.standardized_p_value, f64::from(standard as u32) / 72.0);
    let some = fit.joint_placebo(41, 7).unwrap();
    assert_eq!((some.assignments, some.exhaustive), (42, false));
    assert_eq!(some, fit.joint_placebo(41, 7).unwrap());
    assert!(some.p_value > 0.0 && (some.p_value - all.p_value).abs() < 0.25);
    assert!(fit.joint_placebo(0, 7).is_err());
    // Exact matches before treatment: one pair of donors is the treated pair but for the effect.
    let exact: Vec<f64> = (0..frame.rows())
        .map(|row| {
            let on = unit[row] < 1.5 && period[row] > 11.5;
            ((unit[row] as usize % 2) as f64 + 1.0) * (period[row] * 0.7).sin()
                + if on { 3.0 - 6.0 * unit[row] } else { 0.0 }
        })
        .collect();
    let exact = frame.clone().with_or_replace("y", exact).unwrap();
    let exact = plain().fit(&exact).unwrap().joint_placebo(100, 7).unwrap();
    assert!(exact.standardized > 1e9 && exact.standardized_p_value > 0.0);
    let infinite = JointPlacebo {
        standardized: f64::INFINITY,
        ..all.clone()
    };
    let text = serde_json::to_string(&infinite).unwrap();
    assert_eq!(
        serde_json::from_str::<JointPlacebo>(&text).unwrap(),
        infinite
    );
    let back: JointPlacebo = serde_json::from_str(&serde_json::to_string(&all).unwrap()).unwrap();
    assert_eq!(back, all);
}

#[test]
fn joint_placebos_reject_as_often_as_they_say() {
    let design = Factors {
        treated: 4,
        donors: 16,
        before: 15,
        after: 4,
        effect: 0.0,
        inside: false,
    };
    let rejected = |effect: f64, draws: u64| -> [usize; 2] {
        (0..draws).fold([0; 2], |[mean, standardized], draw| {
            let frame = Factors { effect, ..design }.draw(77, draw);
            let joint = plain()
                .fit(&frame)
                .unwrap()
                .joint_placebo(39, draw)
                .unwrap();
            [
                mean + usize::from(joint.p_value <= 0.1),
                standardized + usize::from(joint.standardized_p_value <= 0.1),
            ]
        })
    };
    // 10.1 % of 2 000; here about four standard errors around 10 %.
    for often in rejected(0.0, 120) {
        assert!((2..=25).contains(&often), "{often}");
    }
    assert!(rejected(2.0, 20).iter().all(|often| *often >= 18));
}

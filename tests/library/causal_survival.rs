//! The causal survival forest against the causal forest, simulated truth, and what naive treatments of censoring find.

use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use rand::Rng;

const X: [&str; 5] = ["x1", "x2", "x3", "x4", "x5"];

/// Times, statuses and effects. `Type1` and `Type2` are the designs of Cui et al. (2023, section 5), whose effects have closed forms.
#[derive(Clone, Copy)]
enum Design {
    /// Log-normal times; censoring by a proportional hazard that the treatment moves: e^1.15 as fast and more.
    Type1,
    /// A proportional hazard; uniform censoring on (0, 3).
    Type2,
}

struct Made {
    frame: Frame,
    effects: Vec<f64>,
}

fn made(design: Design, target: SurvivalTarget, n: usize, seed: u64) -> Made {
    let mut random = Seed::new(seed).stream(0);
    let mut u = || open_unit(random.next_u64());
    let h = target.horizon();
    let mut x = vec![vec![]; X.len()];
    let mut columns = vec![vec![]; 5];
    let mut effects = vec![];
    for _ in 0..n {
        let v: Vec<f64> = X.iter().map(|_| u()).collect();
        // (1 + the density of Beta(2, 4)) / 4.
        let propensity = (1.0 + 20.0 * v[0] * (1.0 - v[0]).powi(3)) / 4.0;
        let w = f64::from(u8::from(u() < propensity));
        let (time, gone, mean): (f64, f64, Box<dyn Fn(f64) -> f64>) = match design {
            Design::Type1 => {
                let early = f64::from(u8::from(v[0] < 0.5));
                let root = v[1].sqrt();
                let third = v[2];
                let log = move |w: f64| {
                    -1.85 - 0.8 * early
                        + 0.7 * root
                        + 0.2 * third
                        + (0.7 - 0.4 * early - 0.4 * root) * w
                };
                let hazard =
                    -1.75 - 0.5 * root + 0.2 * third + (1.15 + 0.5 * early - 0.3 * root) * w;
                let mean = move |w: f64| {
                    let (m, l) = (log(w), h.ln());
                    match target {
                        SurvivalTarget::Probability(_) => normal::cdf(m - l),
                        _ => (m + 0.5).exp() * normal::cdf(l - m - 1.0) + h * normal::cdf(m - l),
                    }
                };
                let time = (log(w) + normal::quantile(u())).exp();
                (time, (-u().ln() / hazard.exp()).sqrt(), Box::new(mean))
            }
            Design::Type2 => {
                let (a, b) = (v[0], v[1] - 0.5);
                let mean = move |w: f64| {
                    let rate = (a + b * w).exp();
                    let k = rate * h.sqrt();
                    match target {
                        SurvivalTarget::Probability(_) => (-k).exp(),
                        _ => 2.0 * (1.0 - (-k).exp() * (1.0 + k)) / (rate * rate),
                    }
                };
                let time = (-u().ln() / (a + b * w).exp()).powi(2);
                (time, 3.0 * u(), Box::new(mean))
            }
        };
        effects.push(mean(1.0) - mean(0.0));
        let end = time.min(gone);
        let naive = match target {
            SurvivalTarget::Probability(_) => f64::from(u8::from(end > h)),
            _ => end.min(h),
        };
        let row = [end, f64::from(u8::from(time <= gone)), w, propensity, naive];
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
        for (column, value) in x.iter_mut().zip(v) {
            column.push(value);
        }
    }
    let names = ["time", "event", "w", "e", "naive"].into_iter().chain(X);
    let frame = names.zip(columns.into_iter().chain(x));
    let frame = frame.fold(Frame::new(), |frame, (name, column)| {
        frame.with(name, column).unwrap()
    });
    Made { frame, effects }
}

fn forest(target: SurvivalTarget, trees: usize) -> CausalSurvivalForest {
    CausalSurvivalForest::new("time", "event", "w", &X, target)
        .propensity_hat("e")
        .nuisances(ForestNuisances::OutOfBag)
        .trees(trees)
        .seed(7)
}

fn error(found: &[f64], truth: &[f64]) -> f64 {
    let squares = found.iter().zip(truth).map(|(a, b)| (a - b).powi(2));
    squares.sum::<f64>() / truth.len() as f64
}

#[test]
fn without_censoring_it_is_the_causal_forest() {
    let late = SurvivalTarget::RestrictedMean(1e6);
    let frame = made(Design::Type1, late, 500, 1).frame;
    let frame = frame.replace("event", vec![1.0; 500]).unwrap();
    let mean: Vec<f64> = (frame.real("x2").unwrap().iter())
        .map(|x| 0.2 + 0.1 * x)
        .collect();
    let frame = frame.with("m", mean).unwrap();
    let survival = forest(late, 60).outcome_hat("m").fit(&frame).unwrap();
    let causal = CausalForest::new("time", "w", &X)
        .propensity_hat("e")
        .outcome_hat("m");
    let causal = causal.trees(60).seed(7).fit(&frame).unwrap();
    assert_eq!(survival.outcomes(), frame.real("time").unwrap());
    assert_eq!(survival.out_of_bag(), causal.out_of_bag());
    assert_eq!(survival.censored(), 0);
    let average = |target| causal.average_effect(target).unwrap();
    for target in [
        ForestTarget::All,
        ForestTarget::Treated,
        ForestTarget::Overlap,
    ] {
        assert_eq!(survival.average_effect(target).unwrap(), average(target));
    }
    // Learned means are drawn for the column of times, so that they are those of its causal forest, and of any horizon that nobody reaches.
    let stacked = ForestNuisances::learners([
        Learner::from(Learner::linear()),
        Learner::forest().trees(20).into(),
    ]);
    for nuisances in [ForestNuisances::OutOfBag, stacked] {
        let until = |horizon| {
            let learned = forest(SurvivalTarget::RestrictedMean(horizon), 60);
            learned.nuisances(nuisances.clone()).fit(&frame).unwrap()
        };
        let learned = CausalForest::new("time", "w", &X).propensity_hat("e");
        let learned = learned.nuisances(nuisances.clone()).trees(60).seed(7);
        let learned = learned.fit(&frame).unwrap();
        for survival in [until(1e6), until(2e6)] {
            assert_eq!(survival.out_of_bag(), learned.out_of_bag());
        }
    }
    // A probability is the causal forest of an indicator.
    let half = SurvivalTarget::Probability(0.25);
    let past: Vec<f64> = (frame.real("time").unwrap().iter())
        .map(|t| f64::from(u8::from(*t > 0.25)))
        .collect();
    let frame = frame.with("past", past).unwrap();
    let survival = forest(half, 60).outcome_hat("m").fit(&frame).unwrap();
    let causal = CausalForest::new("past", "w", &X)
        .propensity_hat("e")
        .outcome_hat("m");
    let causal = causal.trees(60).seed(7).fit(&frame).unwrap();
    assert_eq!(survival.out_of_bag(), causal.out_of_bag());
}

/// Censoring that the treatment hastens: forests of what was seen take it for an effect.
#[test]
fn averages_cover_where_naive_ones_do_not() {
    let target = SurvivalTarget::RestrictedMean(1.5);
    let all = made(Design::Type1, target, 200_000, 999).effects;
    let truth = all.iter().sum::<f64>() / all.len() as f64;
    let (mut covered, mut naively, mut errors, mut naive_errors) = (0, 0, 0.0, 0.0);
    let draws = 20;
    for draw in 0..draws {
        let data = made(Design::Type1, target, 1500, draw + 1);
        let fit = forest(target, 100).fit(&data.frame).unwrap();
        let naive = CausalForest::new("naive", "w", &X)
            .propensity_hat("e")
            .nuisances(ForestNuisances::OutOfBag);
        let naive = naive.trees(100).seed(7).fit(&data.frame).unwrap();
        let inside = |average: Estimate| {
            let interval = average.confidence_interval(0.95).unwrap();
            i32::from(interval.lower <= truth && truth <= interval.upper)
        };
        covered += inside(fit.average_effect(ForestTarget::All).unwrap());
        naively += inside(naive.average_effect(ForestTarget::All).unwrap());
        errors += error(&fit.out_of_bag().estimates, &data.effects);
        naive_errors += error(&naive.out_of_bag().estimates, &data.effects);
    }
    // 95 % of 20 less two standard errors.
    assert!(covered >= 17, "{covered}");
    assert!(naively <= 15, "{naively}");
    assert!(errors < 0.85 * naive_errors, "{errors} {naive_errors}");
}

#[test]
fn effects_differ_as_they_do_in_truth() {
    for target in [
        SurvivalTarget::RestrictedMean(2.0),
        SurvivalTarget::Probability(1.2),
    ] {
        let data = made(Design::Type2, target, 3000, 1);
        let new = made(Design::Type2, target, 500, 2);
        let fit = forest(target, 200).fit(&data.frame).unwrap();
        let found = fit.predict(&new.frame).unwrap();
        let flat = error(&vec![0.0; 500], &new.effects);
        let off = error(&found.estimates, &new.effects);
        assert!(off < 0.6 * flat, "{off} {flat}");
        assert_eq!(fit.importance()[0].0, "x2");
        let ends = found.intervals(0.95).unwrap();
        let inside = (0..500)
            .filter(|i| ends.lower[*i] <= new.effects[*i] && new.effects[*i] <= ends.upper[*i]);
        assert!(inside.count() > 425);
        assert!(fit.calibration().unwrap().differences_p_value < 0.05);
        assert!(fit.followed().iter().all(|g| (0.0..=1.0).contains(g)));
        assert!(fit.best_linear_projection("x2").is_ok() && fit.scores().unwrap().len() == 3000);
        assert!(fit.to_string().contains("of the rows are censored"));
    }
}

/// Whole months: most times are ties, and an event comes before a censoring of the same month.
#[test]
fn ties_do_no_harm() {
    let mut random = Seed::new(5).stream(0);
    let mut u = || open_unit(random.next_u64());
    let n = 3000;
    let (mut time, mut event, mut w) = (vec![], vec![], vec![]);
    for i in 0..n {
        let treated = f64::from(i % 2);
        // Geometric: 0.3 leave every month, 0.2 of the treated, and 0.15 are lost.
        let months = |share: f64, u: f64| (u.ln() / (1.0 - share).ln()).floor() + 1.0;
        let (t, c) = (months(0.3 - 0.1 * treated, u()), months(0.15, u()));
        time.push(t.min(c));
        event.push(f64::from(u8::from(t <= c)));
        w.push(treated);
    }
    let noise: Vec<f64> = (0..n).map(|_| u()).collect();
    let frame = Frame::new()
        .with("time", time)
        .unwrap()
        .with("event", event)
        .unwrap()
        .with("w", w)
        .unwrap()
        .with("x1", noise)
        .unwrap()
        .with("e", vec![0.5; n as usize])
        .unwrap();
    for (target, truth) in [
        (
            SurvivalTarget::Probability(4.0),
            0.8_f64.powi(4) - 0.7_f64.powi(4),
        ),
        // Σ_{k<6} S(k).
        (
            SurvivalTarget::RestrictedMean(6.0),
            (1.0 - 0.8_f64.powi(6)) / 0.2 - (1.0 - 0.7_f64.powi(6)) / 0.3,
        ),
    ] {
        let fit = CausalSurvivalForest::new("time", "event", "w", &["x1"], target)
            .propensity_hat("e")
            .nuisances(ForestNuisances::OutOfBag);
        let fit = fit.trees(100).seed(3).fit(&frame).unwrap();
        let average = fit.average_effect(ForestTarget::All).unwrap();
        let off = (average.estimate - truth) / average.std_error;
        assert!(
            off.abs() < 2.6 && average.std_error < 0.1,
            "{average:?} {truth}"
        );
    }
}

#[test]
fn units_of_time_weights_and_seeds_do_what_they_should() {
    let target = SurvivalTarget::RestrictedMean(1.0);
    let frame = made(Design::Type1, target, 600, 4).frame;
    let fit = forest(target, 40).fit(&frame).unwrap();
    assert_eq!(
        fit.out_of_bag(),
        forest(target, 40).fit(&frame).unwrap().out_of_bag()
    );
    assert_ne!(
        fit.out_of_bag(),
        forest(target, 40).seed(8).fit(&frame).unwrap().out_of_bag()
    );
    // Quarters of the unit: effects are four times as large, to the bit.
    let quarters: Vec<f64> = (frame.real("time").unwrap().iter())
        .map(|t| 4.0 * t)
        .collect();
    let scaled = frame.replace("time", quarters).unwrap();
    let four = SurvivalTarget::RestrictedMean(4.0);
    let scaled = forest(four, 40).outcome_hat("e").fit(&scaled).unwrap();
    let plain = forest(target, 40).outcome_hat("e").fit(&frame).unwrap();
    for (a, b) in plain.outcomes().iter().zip(scaled.outcomes()) {
        assert!((4.0 * a - b).abs() < 1e-12, "{a} {b}");
    }
    assert_eq!(plain.followed(), scaled.followed());
    // Weights of two are no weights.
    let heavy = frame.clone().with("weight", vec![2.0; 600]).unwrap();
    let heavy = forest(target, 40).weights("weight").fit(&heavy).unwrap();
    for (a, b) in fit.outcomes().iter().zip(heavy.outcomes()) {
        assert!((a - b).abs() < 1e-9);
    }
    // Rows of clusters are held out together; each of them twice is as sure as once.
    let ids: Vec<String> = (0..600).map(|i| format!("c{}", i / 2)).collect();
    let frame = frame.with("id", ids).unwrap();
    let fit = forest(target, 40).clusters("id").fit(&frame).unwrap();
    assert!(fit.average_effect(ForestTarget::All).unwrap().std_error > 0.0);
    // A dose: the treatment is a feature of the curves.
    let dose: Vec<f64> = (0..600).map(|i| f64::from(i * 37 % 100) / 100.0).collect();
    let frame = frame.with("dose", dose).unwrap();
    let dosed = CausalSurvivalForest::new("time", "event", "dose", &X, target)
        .nuisances(ForestNuisances::OutOfBag);
    let dosed = dosed.trees(40).seed(7).fit(&frame).unwrap();
    let average = dosed.average_effect(ForestTarget::All).unwrap();
    assert!(average.estimate.abs() < 4.0 * average.std_error);
}

#[test]
fn files_keep_every_bit() {
    let target = SurvivalTarget::Probability(0.5);
    let frame = made(Design::Type1, target, 300, 6).frame;
    let path = |name: &str| {
        let name = format!("cocreate-{name}-{}.json", std::process::id());
        std::env::temp_dir().join(name)
    };
    let survival = path("survival-forest");
    let fit = forest(target, 20).fit(&frame).unwrap();
    fit.write(&survival).unwrap();
    let back = CausalSurvivalForestFit::read(&survival).unwrap();
    assert_eq!(back.predict(&frame).unwrap(), fit.predict(&frame).unwrap());
    assert_eq!(
        back.average_effect(ForestTarget::All).unwrap(),
        fit.average_effect(ForestTarget::All).unwrap()
    );
    // A file of one kind is none of another.
    let told = CausalForestFit::read(&survival).unwrap_err().to_string();
    assert!(told.contains("is no file of a causal forest"), "{told}");
    let text = std::fs::read_to_string(&survival).unwrap();
    let changed = text.replacen("\"followed\":[", "\"followed\":[0.5,", 1);
    std::fs::write(&survival, changed).unwrap();
    let told = CausalSurvivalForestFit::read(&survival)
        .unwrap_err()
        .to_string();
    assert!(told.contains("was changed"), "{told}");
    std::fs::remove_file(&survival).unwrap();
}

#[test]
fn survival_forests_of_effects_tell_what_they_need() {
    let target = SurvivalTarget::RestrictedMean(1.0);
    let frame = made(Design::Type2, target, 200, 7).frame;
    let told = |forest: CausalSurvivalForest, frame: &Frame, part: &str| {
        let message = forest.fit(frame).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let at = |target| forest(target, 10);
    let base = || at(target);
    told(
        CausalSurvivalForest::new("time", "event", "w", &X, target),
        &frame,
        ".seed(7)",
    );
    told(at(SurvivalTarget::Probability(0.0)), &frame, "horizon");
    told(
        at(SurvivalTarget::RestrictedMean(f64::NAN)),
        &frame,
        "horizon",
    );
    // Nobody is followed for 3; nobody has the event before 1e-9.
    told(
        at(SurvivalTarget::RestrictedMean(5.0)),
        &frame,
        "rows that are followed until then",
    );
    told(
        at(SurvivalTarget::RestrictedMean(1e-9)),
        &frame,
        "at least one event until then",
    );
    let replaced = |name: &str, value: f64| {
        let mut values = frame.real(name).unwrap().to_vec();
        values[3] = value;
        frame.replace(name, values).unwrap()
    };
    told(base(), &replaced("time", -1.0), "row 4");
    told(base(), &replaced("event", 2.0), "0 or 1");
    told(base(), &replaced("e", 1.0), "between 0 and 1");
    told(base(), &frame.replace("w", vec![1.0; 200]).unwrap(), "`w`");
    told(
        CausalSurvivalForest::new("time", "x1", "w", &X, target).seed(1),
        &frame,
        "with `x1` among them",
    );
    // Almost all of the treated are lost at once; one is followed to the end without the event.
    let w = frame.real("w").unwrap();
    let last = w.iter().rposition(|w| *w > 0.5).unwrap();
    let lost = |i: usize| w[i] > 0.5 && i != last;
    let time: Vec<f64> = frame.real("time").unwrap().to_vec();
    let early: Vec<f64> = (0..200)
        .map(|i| {
            if lost(i) {
                0.001 * time[i]
            } else if i == last {
                2.0
            } else {
                time[i]
            }
        })
        .collect();
    let none: Vec<f64> = (0..200)
        .map(|i| {
            if w[i] > 0.5 {
                0.0
            } else {
                frame.real("event").unwrap()[i]
            }
        })
        .collect();
    let few = frame
        .replace("time", early)
        .unwrap()
        .replace("event", none)
        .unwrap();
    told(base(), &few, "more rows that are followed until then");
    // Whole clusters are treated, and only three.
    let ids: Vec<String> = (0..200).map(|i| format!("c{}", i / 5)).collect();
    let whole: Vec<f64> = (0..200).map(|i| f64::from(u8::from(i < 15))).collect();
    let clustered = frame.replace("w", whole).unwrap().with("id", ids).unwrap();
    told(
        base().min_node_size(2).clusters("id"),
        &clustered,
        "at least 8 clusters of `id`",
    );
    // A row without an answer is left out, by its name.
    let fit = base().fit(&replaced("event", f64::NAN)).unwrap();
    assert_eq!((fit.rows(), fit.warnings().len()), (199, 1));
    assert!(fit.warnings()[0].to_string().contains("event"));
}

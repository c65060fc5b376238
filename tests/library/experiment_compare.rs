//! Comparisons of arms: values of scipy and statsmodels, size and coverage by simulation, invariances, bad input.

use crate::support::{fixture, numbers};
use cocreate::prelude::*;
use serde_json::Value;

fn list(value: &Value) -> Vec<f64> {
    numbers(value)
}

/// Infinite bounds are strings in fixtures.
fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => value.as_f64().unwrap(),
    }
}

fn side(case: &Value) -> Alternative {
    match case["side"].as_str().unwrap() {
        "greater" => Alternative::Greater,
        "less" => Alternative::Less,
        _ => Alternative::TwoSided,
    }
}

fn close(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    let same = (ours.is_infinite() && ours == theirs)
        || (ours - theirs).abs() <= tolerance * theirs.abs().max(1e-3);
    assert!(same, "{what}: ours {ours}, theirs {theirs}");
}

fn close_to(what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    close(what, ours, number(theirs), tolerance);
}

/// The samples x (treatment) and y of a case.
fn samples(values: &Value, case: &Value) -> (Vec<f64>, Vec<f64>) {
    let both = &values["samples"][case["sample"].as_str().unwrap()];
    (list(&both["x"]), list(&both["y"]))
}

fn cases<'a>(values: &'a Value, name: &str) -> &'a Vec<Value> {
    values[name].as_array().unwrap()
}

#[test]
fn means_agree_with_scipy_and_statsmodels() {
    let values = &fixture("experiment_compare")["values"];
    for case in cases(values, "means") {
        let (x, y) = samples(values, case);
        let spread = match case["spread"].as_str().unwrap() {
            "equal" => Spread::Equal,
            "large" => Spread::Large,
            _ => Spread::Unequal,
        };
        let fit = TwoMeans::default()
            .spread(spread)
            .alternative(side(case))
            .compare(&x, &y)
            .unwrap();
        let effect = fit.effect("difference in means").unwrap();
        let what = case.to_string();
        close_to(&what, fit.statistic(), &case["statistic"], 1e-9);
        close_to(&what, fit.p_value(), &case["p"], 1e-9);
        close_to(&what, effect.lower(), &case["lower"], 1e-9);
        close_to(&what, effect.upper(), &case["upper"], 1e-9);
    }
    for case in cases(values, "tost") {
        let (x, y) = samples(values, case);
        let equal = case["spread"] == "equal";
        let spread = if equal {
            Spread::Equal
        } else {
            Spread::Unequal
        };
        let fit = TwoMeans::default()
            .spread(spread)
            .equivalence(-1.0, 2.5)
            .compare(&x, &y)
            .unwrap();
        let test = |name: &str| fit.test(name).unwrap();
        close_to("TOST", test("equivalence").p_value, &case["p"], 1e-9);
        let (above, below) = (
            test("above the lower margin"),
            test("below the upper margin"),
        );
        close_to("TOST", above.p_value, &case["above"], 1e-9);
        close_to("TOST", below.p_value, &case["below"], 1e-9);
        close_to("TOST", above.statistic, &case["statistics"][0], 1e-9);
        // Both reject at 5 % exactly when the 90 % interval lies within.
        let within = fit
            .effect_by("difference in means", "within the margins")
            .unwrap();
        let inside = within.lower() > -1.0 && within.upper() < 2.5;
        assert_eq!(inside, test("equivalence").p_value < 0.05);
    }
    for case in cases(values, "standardized") {
        let (x, y) = samples(values, case);
        let fit = TwoMeans::default().standardized().compare(&x, &y).unwrap();
        for (name, key) in [("Cohen's d", "d"), ("Hedges' g", "g")] {
            let effect = fit.effect(name).unwrap();
            let theirs = list(&case[key]);
            close(name, effect.estimate, theirs[0], 1e-9);
            close(name, effect.lower(), theirs[1], 1e-9);
            close(name, effect.upper(), theirs[2], 1e-9);
        }
    }
    for case in cases(values, "ratio") {
        let (x, y) = samples(values, case);
        let fit = TwoMeans::default().compare(&x, &y).unwrap();
        let fieller = fit.effect_by("ratio of means", "Fieller").unwrap();
        close_to("ratio", fieller.estimate, &case["estimate"], 1e-9);
        if case["fieller"].is_array() {
            close_to("Fieller", fieller.lower(), &case["fieller"][0], 1e-9);
            close_to("Fieller", fieller.upper(), &case["fieller"][1], 1e-9);
        } else {
            assert!(!fieller.set.is_bounded() && !fit.warnings.is_empty());
        }
        if case["log"].is_array() {
            let log = fit
                .effect_by("ratio of means", "delta method on the log")
                .unwrap();
            close_to("log", log.lower(), &case["log"][0], 1e-9);
            close_to("log", log.upper(), &case["log"][1], 1e-9);
        }
    }
    for case in cases(values, "paired") {
        let (x, y) = samples(values, case);
        let n = x.len().min(y.len());
        let fit = PairedMeans::default()
            .alternative(side(case))
            .compare(&x[..n], &y[..n])
            .unwrap();
        let effect = fit.effect("mean difference").unwrap();
        close_to("paired", fit.statistic(), &case["statistic"], 1e-9);
        close_to("paired", fit.p_value(), &case["p"], 1e-9);
        close_to("paired", effect.lower(), &case["lower"], 1e-9);
        close_to("paired", effect.upper(), &case["upper"], 1e-9);
    }
}

fn counts(case: &Value) -> [u64; 4] {
    [0, 1, 2, 3].map(|i| case["counts"][i].as_u64().unwrap())
}

#[test]
fn proportions_agree_with_scipy_and_statsmodels() {
    let values = &fixture("experiment_compare")["values"];
    for case in cases(values, "proportion_tests") {
        let [x, n, y, m] = counts(case);
        // scipy maximises over the nuisance from a few starting points, to 1e-6.
        let (test, tolerance) = match case["test"].as_str().unwrap() {
            "pooled" => (ProportionTest::Pooled, 1e-9),
            "unpooled" => (ProportionTest::Unpooled, 1e-9),
            "score" => (ProportionTest::Score, 1e-9),
            "fisher" => (ProportionTest::Fisher, 1e-9),
            "fisher_mid" => (ProportionTest::FisherMidP, 1e-9),
            "barnard" => (ProportionTest::Barnard, 1e-6),
            _ => (ProportionTest::Boschloo, 1e-6),
        };
        let run = TwoProportions::default()
            .test(test)
            .null(case["null"].as_f64().unwrap_or(0.0))
            .alternative(side(case))
            .counts(x, n, y, m)
            .unwrap();
        let what = case.to_string();
        if test == ProportionTest::Barnard && n != m {
            // scipy compares the statistics without allowance for rounding, and loses tables that tie with the observed one:
            // of 7/12 and 2/15 three, 0.015558 for 0.017772. Its p-value is then too small, never too large.
            assert!(run.p_value() >= number(&case["p"]) * (1.0 - 1e-6), "{what}");
            if [x, n, y, m] == [7, 12, 2, 15] && case["side"] == "two-sided" {
                close(&what, run.p_value(), 0.017771555563404887, 1e-6);
            }
            continue;
        }
        if test == ProportionTest::Score && case["null"].as_f64().unwrap_or(0.0) != 0.0 {
            // statsmodels 0.15.0 puts the control's successes where Miettinen & Nurminen's cubic has its trials; see below.
            continue;
        }
        close_to(&what, run.p_value(), &case["p"], tolerance);
        if case["statistic"].is_number() {
            close_to(&what, run.statistic(), &case["statistic"], 1e-9);
        }
    }
    for case in cases(values, "proportion_intervals") {
        let [x, n, y, m] = counts(case);
        let check = |test: TwoProportions, effect: &str, theirs: &Value, tolerance: f64| {
            let run = test.counts(x, n, y, m).unwrap();
            let found = run.effect(effect).unwrap();
            let what = format!("{effect} by {} of {x}/{n}, {y}/{m}", found.method);
            close_to(&what, found.lower(), &theirs[0], tolerance);
            close_to(&what, found.upper(), &theirs[1], tolerance);
        };
        let new = TwoProportions::default;
        let theirs = &case["difference"];
        for (kind, key) in [
            (DifferenceInterval::Wald, "wald"),
            (DifferenceInterval::AgrestiCaffo, "agresti_caffo"),
            (DifferenceInterval::Newcombe, "newcombe"),
        ] {
            check(
                new().difference(kind),
                "difference in proportions",
                &theirs[key],
                1e-9,
            );
        }
        let theirs = &case["ratio"];
        for (kind, key) in [
            (RatioInterval::Log, "log"),
            (RatioInterval::LogAdjusted, "log_adjusted"),
            (RatioInterval::Score, "score"),
        ] {
            check(
                new().ratio(kind),
                "ratio of proportions",
                &theirs[key],
                1e-9,
            );
        }
        let theirs = &case["odds"];
        check(
            new().odds_ratio(OddsRatioInterval::Log),
            "odds ratio",
            &theirs["log"],
            1e-9,
        );
        check(
            new().odds_ratio(OddsRatioInterval::LogAdjusted),
            "odds ratio",
            &theirs["log_adjusted"],
            1e-9,
        );
        // scipy stops its root finder of the conditional odds ratio at 1e-8 or so.
        check(
            new().odds_ratio(OddsRatioInterval::Exact),
            "odds ratio",
            &theirs["exact"],
            1e-7,
        );
        let run = new()
            .odds_ratio(OddsRatioInterval::Exact)
            .counts(x, n, y, m)
            .unwrap();
        close_to(
            "odds ratio",
            run.effect("odds ratio").unwrap().estimate,
            &case["odds_estimate"],
            1e-7,
        );
    }
    for case in cases(values, "one_proportion") {
        let (x, n) = (
            case["counts"][0].as_u64().unwrap(),
            case["counts"][1].as_u64().unwrap(),
        );
        let null = case["null"].as_f64().unwrap();
        for (name, theirs) in case["intervals"].as_object().unwrap() {
            let kind = match name.as_str() {
                "wilson" => ProportionInterval::Wilson,
                "clopper_pearson" => ProportionInterval::ClopperPearson,
                "agresti_coull" => ProportionInterval::AgrestiCoull,
                "jeffreys" => ProportionInterval::Jeffreys,
                "mid_p" => ProportionInterval::MidP,
                _ => ProportionInterval::Wald,
            };
            let run = OneProportion::default()
                .interval(kind)
                .counts(x, n)
                .unwrap();
            let found = run.effect("proportion").unwrap();
            close_to(&format!("{name} {x}/{n}"), found.lower(), &theirs[0], 1e-9);
            close_to(&format!("{name} {x}/{n}"), found.upper(), &theirs[1], 1e-9);
        }
        for (alternative, key) in SIDES {
            let new = || OneProportion::default().null(null).alternative(alternative);
            let exact = new().counts(x, n).unwrap();
            close_to("binomial", exact.p_value(), &case["p"][key], 1e-9);
            let mid = new().test(OneProportionTest::MidP).counts(x, n).unwrap();
            close_to("mid-p", mid.p_value(), &case["mid"][key], 1e-9);
        }
    }
    for case in cases(values, "mcnemar") {
        let [a, b, c, d] = counts(case);
        let fit = McNemar::default().counts(a, b, c, d).unwrap();
        close_to("McNemar", fit.p_value(), &case["exact"], 1e-9);
        let p = |name: &str| fit.test(name).unwrap().p_value;
        close_to("McNemar", p("McNemar test"), &case["asymptotic"], 1e-9);
        // statsmodels' correction of no difference is a difference of one.
        if b != c {
            close_to(
                "McNemar",
                p("McNemar test, corrected for continuity"),
                &case["corrected"],
                1e-9,
            );
        }
    }
    // Values measured independently with statsmodels 0.15.0 and scipy 1.17.1.
    let new = TwoProportions::default;
    let boschloo = new()
        .test(ProportionTest::Boschloo)
        .counts(54, 500, 50, 500)
        .unwrap();
    close("Boschloo", boschloo.p_value(), 0.7279715978431731, 1e-6);
    // With its default of 32 starting points scipy finds a lower peak, 0.6956; with 512 the highest.
    let barnard = new()
        .test(ProportionTest::Barnard)
        .counts(54, 500, 50, 500)
        .unwrap();
    close("Barnard", barnard.p_value(), 0.7534193575192418, 1e-6);
    let fisher = new()
        .test(ProportionTest::Fisher)
        .counts(540, 5000, 500, 5000)
        .unwrap();
    close("Fisher", fisher.p_value(), 0.20137318121189707, 1e-9);
    let ratio = fisher.effect("ratio of proportions").unwrap();
    close("ratio", ratio.lower(), 0.9625974413526347, 1e-9);
    close("ratio", ratio.upper(), 1.211761264481956, 1e-9);
}

const SIDES: [(Alternative, &str); 3] = [
    (Alternative::TwoSided, "two-sided"),
    (Alternative::Greater, "greater"),
    (Alternative::Less, "less"),
];

#[test]
fn rates_agree_with_statsmodels() {
    let values = &fixture("experiment_compare")["values"];
    for case in cases(values, "rates") {
        let (y, w) = (
            case["counts"][0].as_u64().unwrap(),
            case["counts"][2].as_u64().unwrap(),
        );
        let (e, f) = (
            case["counts"][1].as_f64().unwrap(),
            case["counts"][3].as_f64().unwrap(),
        );
        for test in case["tests"].as_array().unwrap() {
            let kind = match test["test"].as_str().unwrap() {
                "score" => RateTest::Score,
                "exact" => RateTest::Exact,
                "mid_p" => RateTest::MidP,
                _ => RateTest::WaldLog,
            };
            let run = TwoRates::default()
                .test(kind)
                .alternative(side(test))
                .counts(y, e, w, f)
                .unwrap();
            close_to(&test.to_string(), run.p_value(), &test["p"], 1e-9);
        }
        for (kind, key) in [
            (RateInterval::Score, "score"),
            (RateInterval::Exact, "exact"),
            (RateInterval::WaldLog, "wald_log"),
        ] {
            let run = TwoRates::default()
                .interval(kind)
                .counts(y, e, w, f)
                .unwrap();
            let found = run.effect("ratio of rates").unwrap();
            close_to(key, found.lower(), &case["intervals"][key][0], 1e-9);
            close_to(key, found.upper(), &case["intervals"][key][1], 1e-9);
            let difference = run.effect("difference in rates").unwrap();
            close_to(key, difference.lower(), &case["difference"][0], 1e-9);
        }
    }
}

#[test]
fn ranks_agree_with_scipy() {
    let values = &fixture("experiment_compare")["values"];
    let ranks = &values["ranks"];
    let method = |case: &Value| match case["method"].as_str().unwrap() {
        "exact" => RankMethod::Exact,
        _ => RankMethod::Asymptotic,
    };
    let mut compared = 0;
    let mut check = |case: &Value, fit: Comparison| {
        let what = format!("{case}");
        close_to(&what, fit.statistic(), &case["statistic"], 1e-9);
        close_to(&what, fit.p_value(), &case["p"], 1e-9);
        compared += 1;
    };
    for case in cases(ranks, "mann_whitney") {
        let (x, y) = samples(values, case);
        let test = MannWhitney::default()
            .method(method(case))
            .alternative(side(case));
        let corrected = case["continuity"].as_bool().unwrap();
        check(case, test.continuity(corrected).compare(&x, &y).unwrap());
    }
    for case in cases(ranks, "brunner_munzel") {
        let (x, y) = samples(values, case);
        let reference = if case["reference"] == "t" {
            Reference::T
        } else {
            Reference::Normal
        };
        let test = BrunnerMunzel::default()
            .reference(reference)
            .alternative(side(case));
        check(case, test.compare(&x, &y).unwrap());
    }
    for case in cases(ranks, "kolmogorov_smirnov") {
        let (x, y) = samples(values, case);
        let test = KolmogorovSmirnov::default()
            .method(method(case))
            .alternative(side(case));
        check(case, test.compare(&x, &y).unwrap());
    }
    for case in cases(ranks, "signed_rank") {
        let (x, y) = samples(values, case);
        let n = x.len().min(y.len());
        let test = WilcoxonSignedRank::default()
            .method(method(case))
            .alternative(side(case));
        check(case, test.compare(&x[..n], &y[..n]).unwrap());
    }
    assert!(compared > 80, "{compared}");
    for case in cases(values, "shifts") {
        let (x, y) = samples(values, case);
        let fit = MannWhitney::default().compare(&x, &y).unwrap();
        let shift = fit.effect("shift").unwrap();
        close_to("shift", shift.estimate, &case["estimate"], 1e-9);
        close_to("shift", shift.lower(), &case["interval"][0], 1e-9);
        close_to("shift", shift.upper(), &case["interval"][1], 1e-9);
    }
}

#[test]
fn several_arms_agree_with_scipy_and_statsmodels() {
    let values = &fixture("experiment_compare")["values"]["arms"];
    let arms: Vec<Vec<f64>> = values["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(list)
        .collect();
    let slices: Vec<&[f64]> = arms.iter().map(Vec::as_slice).collect();
    let check = |key: &str, fit: &Comparison| {
        close_to(key, fit.statistic(), &values[key]["statistic"], 1e-9);
        close_to(key, fit.p_value(), &values[key]["p"], 1e-9);
    };
    let anova = Anova::default().compare(&slices).unwrap();
    check("anova", &anova);
    close_to(
        "η²",
        anova.effect("η²").unwrap().estimate,
        &values["eta2"],
        1e-9,
    );
    close_to(
        "ω²",
        anova.effect("ω²").unwrap().estimate,
        &values["omega2"],
        1e-9,
    );
    close_to(
        "λ",
        anova.effect("ω²").unwrap().lower(),
        &values["explained"][0],
        1e-9,
    );
    close_to(
        "λ",
        anova.effect("ω²").unwrap().upper(),
        &values["explained"][1],
        1e-9,
    );
    let welch = Anova::default().welch().compare(&slices).unwrap();
    check("welch", &welch);
    let NullDistribution::F { df2, .. } = welch.tests[0].distribution else {
        panic!("{welch}");
    };
    close_to("df", df2, &values["welch"]["df2"], 1e-9);
    check(
        "levene",
        &Levene::default()
            .center(Center::Mean)
            .compare(&slices)
            .unwrap(),
    );
    check(
        "brown_forsythe",
        &Levene::default().compare(&slices).unwrap(),
    );
    check(
        "kruskal",
        &KruskalWallis::default().compare(&slices).unwrap(),
    );
    let rounded: Vec<Vec<f64>> = arms
        .iter()
        .map(|a| a.iter().map(|v| v.round_ties_even()).collect())
        .collect();
    let tied: Vec<&[f64]> = rounded.iter().map(Vec::as_slice).collect();
    check(
        "kruskal_tied",
        &KruskalWallis::default().compare(&tied).unwrap(),
    );
    for (key, fit) in [
        ("tukey", TukeyHsd::default().compare(&slices).unwrap()),
        (
            "games_howell",
            GamesHowell::default().compare(&slices).unwrap(),
        ),
    ] {
        for pair in cases(values, key) {
            let name = format!("{} − {}", pair["pair"][1], pair["pair"][0]);
            let effect = fit.effect(&name).unwrap();
            close_to(key, effect.estimate, &pair["estimate"], 1e-9);
            close_to(key, fit.test(&name).unwrap().p_value, &pair["p"], 1e-9);
            close_to(key, effect.lower(), &pair["lower"], 1e-9);
            close_to(key, effect.upper(), &pair["upper"], 1e-9);
        }
    }
}

/// Independent of statsmodels 0.15.0, whose score interval of a difference takes the wrong coefficient in the cubic: the roots in numpy 2.4.6 of
/// `z² = 1.96²` with the cubic that a direct maximisation of the likelihood satisfies (`scipy.optimize.minimize_scalar`, residual below 2e-6; 0.9 with
/// statsmodels' coefficient).
#[test]
fn score_intervals_of_a_difference_rest_on_the_likeliest_proportions() {
    let interval = |[x, n, y, m]: [u64; 4]| {
        let run = TwoProportions::default()
            .difference(DifferenceInterval::Score)
            .counts(x, n, y, m)
            .unwrap();
        let found = run.effect("difference in proportions").unwrap();
        [found.lower(), found.upper()]
    };
    for (counts, theirs) in [
        (
            [540, 5000, 500, 5000],
            [-0.003_971_468_917_145_9, 0.019_985_916_114_060_6],
        ),
        (
            [1, 40, 5, 38],
            [-0.253_430_159_298_070_7, 0.015_929_522_592_151_7],
        ),
    ] {
        for (ours, theirs) in interval(counts).into_iter().zip(theirs) {
            close("score interval", ours, theirs, 1e-9);
        }
    }
    let shifted = TwoProportions::default()
        .test(ProportionTest::Score)
        .null(0.05)
        .counts(540, 5000, 500, 5000)
        .unwrap();
    close("score", shifted.statistic(), -6.779_639_003_456_3, 1e-6);
}

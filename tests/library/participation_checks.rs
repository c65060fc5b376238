//! What the estimators of participation refuse or warn of, by name; what must hold for any data; and references for adoption.

use crate::support::{agree, agree_covariance, data, fixture, names, numbers, pick};
use cocreate::participation::{Elicitation, Shifter};
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};

fn generated() -> Frame {
    data("tests/reference/participation.csv")
}

/// The error names what is not identified and what is needed.
fn unidentified<T: std::fmt::Debug>(answer: cocreate::Result<T>, words: &[&str]) {
    let error = answer.unwrap_err();
    assert!(matches!(error, Error::Unidentified { .. }), "{error}");
    says(&error, words);
}

fn says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    println!("{text}");
    assert!(words.iter().all(|w| text.contains(w)), "{text}");
}

fn warns(warnings: &[Warning], words: &str) {
    let all: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    println!("{all:?}");
    assert!(all.iter().any(|w| w.contains(words)), "{all:?}");
}

fn column(frame: &Frame, name: &str) -> Vec<f64> {
    frame.real(name).unwrap().to_vec()
}

/// The first row of a column with this value, counted from one.
fn first_row(frame: &Frame, name: &str, value: f64) -> usize {
    let values = column(frame, name);
    1 + values
        .iter()
        .position(|v| (v - value).abs() <= 0.0)
        .unwrap()
}

fn with_value(frame: &Frame, name: &str, row: usize, value: f64) -> Frame {
    let mut values = column(frame, name);
    values[row - 1] = value;
    frame.clone().replace(name, values).unwrap()
}

// ---- identification, estimator by estimator ----

#[test]
fn buying_then_participating_wants_an_exclusion_that_leaves_ability_alone() {
    let frame = generated();
    let none = BuyThenParticipate::new("buy ~ ability + coupon", "participate ~ ability + coupon")
        .fit(&frame)
        .unwrap();
    warns(&none.warnings(), "no exclusion restriction");
    assert!(none.profile().is_some());
    let model = BuyThenParticipate::new("buy ~ ability + arm", "participate ~ ability");
    let education = model.clone().shifter("arm", Shifter::Education);
    unidentified(
        education.fit(&frame),
        &["success equation", "education is not one"],
    );
    let tool = model.clone().shifter("arm", Shifter::DifficultyTool);
    unidentified(tool.fit(&frame), &["raises success itself"]);
    let coupon = BuyThenParticipate::new("buy ~ ability + coupon", "participate ~ ability");
    assert!(
        coupon
            .clone()
            .shifter("coupon", Shifter::Coupon)
            .fit(&frame)
            .is_ok()
    );
    // A second shifter, of which nothing is said, is enough.
    let both = BuyThenParticipate::new("buy ~ ability + arm + coupon", "participate ~ ability")
        .shifter("arm", Shifter::Education);
    assert!(both.fit(&frame).is_ok());
    let error = coupon
        .shifter("load", Shifter::Coupon)
        .fit(&frame)
        .unwrap_err();
    says(&error, &["shifter", "load"]);
}

#[test]
fn mutual_acceptance_wants_a_shifter_of_each_side() {
    let frame = generated();
    for (customer, firm, side) in [
        ("both ~ ability", "both ~ ability", "either side"),
        ("both ~ ability", "both ~ ability + load", "customer's side"),
        ("both ~ ability + load", "both ~ load", "firm's side"),
    ] {
        unidentified(
            MutualAcceptance::new(customer, firm).fit(&frame),
            &["which side refused", side],
        );
    }
}

#[test]
fn willingness_wants_a_belief_on_the_scale_of_ability() {
    let frame = willing(400, 1);
    let model = Willingness::new(
        "join ~ mean + variance + price",
        WillingnessScale::Probit,
        "mean",
        "variance",
    );
    for elicitation in [Elicitation::FreeScale, Elicitation::None] {
        unidentified(
            model.clone().elicitation(elicitation).fit(&frame),
            &["m_0", "item or success-probability scale"],
        );
    }
    let fit = model.clone().fit(&frame).unwrap();
    unidentified(fit.value_of_ability(), &["price"]);
    let double: Vec<f64> = column(&frame, "mean")
        .iter()
        .map(|m| 1.0 - 2.0 * m)
        .collect();
    let collinear = frame
        .clone()
        .replace(
            "variance",
            double.iter().map(|v| v + 20.0).collect::<Vec<_>>(),
        )
        .unwrap();
    unidentified(model.clone().fit(&collinear), &["`variance`"]);
    let negative = with_value(&frame, "variance", 7, -0.2);
    let error = model.fit(&negative).unwrap_err();
    says(
        &error,
        &["`variance`", "-0.2", "row 7", "variance of a belief"],
    );
}

#[test]
fn a_funnel_wants_a_restriction_across_stages() {
    let frame = generated();
    unidentified(
        Funnel::new(["start ~ arm", "finish ~ arm", "bought ~ arm"]).fit(&frame),
        &["frailty", "cross-stage restriction"],
    );
    // Arms that go together in one stage are named.
    let twice = column(&frame, "arm")
        .iter()
        .map(|a| 3.0 - a)
        .collect::<Vec<_>>();
    let twice = frame.clone().with("education", twice).unwrap();
    let fit = Funnel::new(["start ~ arm + education", "finish ~ arm"])
        .frailty(false)
        .fit(&twice)
        .unwrap();
    warns(&fit.warnings(), "education");
}

#[test]
fn adoption_wants_regressors_that_vary() {
    let frame = data("tests/reference/adoption.csv");
    let n = frame.rows();
    let frame = frame.with("same", vec![2.0; n]).unwrap();
    for regressors in ["1", "same"] {
        unidentified(
            Adoption::new(Survival::right("time", "adopted"), regressors)
                .frailty(Frailty::Gamma)
                .fit(&frame),
            &["frailty", "regressors that vary"],
        );
    }
    let fit = Adoption::new(Survival::right("time", "adopted"), "ability + tool")
        .frailty(Frailty::Gamma)
        .fit(&frame)
        .unwrap();
    warns(fit.warnings().as_slice(), "proportional effects");
    // Several spells a customer need no regressor, and no gamma variable is at hand for them.
    let frame = frame.with("zero", vec![0.0; n]).unwrap();
    let spells = Survival::counting("zero", "time", "adopted").subject("customer");
    let fit = Adoption::new(spells.clone(), "1").fit(&frame).unwrap();
    let sd = fit.coefficient("ln(frailty s.d.)").unwrap();
    assert!(sd.std_error < 0.2, "{sd}");
    assert!(fit.warnings().is_empty(), "{:?}", fit.warnings());
    let gamma = Adoption::new(spells, "1")
        .frailty(Frailty::Gamma)
        .fit(&frame);
    assert!(gamma.unwrap_err().to_string().contains("Frailty::Normal"));
}

#[test]
fn contingent_valuation_wants_bids_of_their_own() {
    let frame = generated();
    let twice: Vec<f64> = column(&frame, "bid")
        .iter()
        .map(|b| 2.0 * b + 1.0)
        .collect();
    let frame = frame.with("income", twice).unwrap();
    unidentified(
        ContingentValuation::new("yes ~ ability + income", "bid").fit(&frame),
        &["`bid`", "randomised"],
    );
    unidentified(
        ContingentValuation::new("yes ~ ability + bid", "bid").fit(&frame),
        &["`bid`", "randomised"],
    );
}

#[test]
fn stated_amounts_that_heap_at_an_end_are_censored_perhaps() {
    let frame = generated();
    let capped: Vec<f64> = column(&frame, "cost").iter().map(|c| c.min(5.0)).collect();
    let frame = frame.replace("cost", capped).unwrap();
    let open = Bdm::new("cost ~ ability").fit(&frame).unwrap();
    warns(&open.likelihood().warnings(), "Bdm::range");
    let closed = Bdm::new("cost ~ ability")
        .range(0.0, 5.0)
        .fit(&frame)
        .unwrap();
    let slope = |f: &StatedFit| f.coefficient("ability").unwrap().estimate;
    assert!(slope(&closed) < slope(&open));
    let equal = frame
        .clone()
        .replace("cost", vec![3.0; frame.rows()])
        .unwrap();
    unidentified(Bdm::new("cost ~ 1").fit(&equal), &["spread of `cost`"]);
}

#[test]
fn beliefs_are_probabilities_that_differ() {
    let frame = generated();
    let equal = frame
        .clone()
        .replace("report", vec![0.5; frame.rows()])
        .unwrap();
    let same = ElicitedBeliefs::new("report ~ 1").grid(0.1).fit(&equal);
    unidentified(same, &["spread of `report`", "rounding"]);
    let rating = with_value(&frame, "report", 3, 6.0);
    let error = ElicitedBeliefs::new("report ~ 1")
        .grid(0.1)
        .fit(&rating)
        .unwrap_err();
    says(&error, &["row 3", "free scale"]);
    let crossing = Frame::new()
        .with("q25", vec![0.0, 2.0])
        .unwrap()
        .with("q75", vec![2.0, 1.0])
        .unwrap();
    let error = BeliefQuantiles::new([("q25", 0.25), ("q75", 0.75)])
        .fit(&crossing)
        .unwrap_err();
    says(&error, &["row 2"]);
}

// ---- what customers cannot have done ----

#[test]
fn rows_that_contradict_the_design_are_named() {
    let frame = generated();
    let row = first_row(&frame, "buy", 0.0);
    let error = BuyThenParticipate::new("buy ~ ability + coupon", "participate ~ ability")
        .fit(&with_value(&frame, "participate", row, 1.0))
        .unwrap_err();
    says(
        &error,
        &[
            "participation is recorded without a purchase",
            &format!("row {row}"),
        ],
    );
    let row = first_row(&frame, "start", 0.0);
    let error = Funnel::new(["start ~ arm", "finish ~ 1"])
        .common("ability")
        .fit(&with_value(&frame, "finish", row, 1.0))
        .unwrap_err();
    says(&error, &["`start` was not passed", &format!("row {row}")]);
}

// ---- the funnel: weights, predictions ----

fn funnel() -> Funnel {
    Funnel::new(["start ~ arm", "finish ~ coupon", "bought ~ 1"]).common("ability")
}

#[test]
fn frequency_weights_of_a_funnel_are_equal_customers() {
    let frame = generated();
    let n = frame.rows();
    let count: Vec<f64> = (0..n).map(|i| (i % 3) as f64).collect();
    let rows: Vec<usize> = (0..n).flat_map(|i| vec![i; i % 3]).collect();
    let weighted = funnel()
        .frequency_weights("count")
        .fit(&frame.clone().with("count", count.clone()).unwrap())
        .unwrap();
    let copied = funnel().fit(&frame.take(&rows).unwrap()).unwrap();
    assert!((weighted.statistics().observations - copied.statistics().observations).abs() < 1e-9);
    for (a, b) in weighted.coefficients().iter().zip(copied.coefficients()) {
        assert!((a.estimate - b.estimate).abs() < 1e-6, "{a} {b}");
        assert!((a.std_error - b.std_error).abs() < 1e-6, "{a} {b}");
    }
    let with = frame.clone().with("count", count).unwrap();
    let error = funnel()
        .frequency_weights("count")
        .arm("arm", "0")
        .fit(&with)
        .unwrap_err();
    says(&error, &["arm", "`count`", "FunnelEffects"]);
    let half = with.replace("count", vec![0.5; n]).unwrap();
    let error = funnel().frequency_weights("count").fit(&half).unwrap_err();
    says(&error, &["count", "0.5"]);
}

/// In a small sample the likelihood may rise with σ without end.
#[test]
fn a_frailty_that_runs_away_is_not_reported() {
    let frame = generated().head(500);
    let rows: Vec<usize> = (0..500).flat_map(|i| vec![i; i % 3]).collect();
    let error = funnel().fit(&frame.take(&rows).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Unidentified { .. }), "{error}");
    says(&error, &["keeps rising", "Funnel::subject"]);
}

#[test]
fn predictions_of_a_funnel_average_over_the_frailty() {
    let frame = generated();
    let fit = funnel().fit(&frame).unwrap();
    let of = |name: &str| fit.coefficient(name).unwrap().estimate;
    let new = Frame::new()
        .with("arm", vec![1.0, 0.0])
        .unwrap()
        .with("coupon", vec![0.0, 1.0])
        .unwrap()
        .with("ability", vec![0.5, f64::NAN])
        .unwrap();
    // By 200 000 equally spaced quantiles of u.
    let sigma = of("ln_sigma").exp();
    let shared = 0.5 * of("ability");
    let indices = [
        of("start.(Intercept)") + of("start.arm") + shared,
        of("finish.(Intercept)") + shared,
        of("bought.(Intercept)") + shared,
    ];
    let (mut passed, mut alone) = ([0.0; 3], [0.0; 3]);
    let draws = 200_000;
    for i in 0..draws {
        let u =
            cocreate::numeric::special::normal::quantile((f64::from(i) + 0.5) / f64::from(draws));
        let mut product = 1.0;
        for k in 0..3 {
            let p = cocreate::numeric::special::normal::cdf(indices[k] + sigma * u);
            product *= p;
            passed[k] += product / f64::from(draws);
            alone[k] += p / f64::from(draws);
        }
    }
    for (k, stage) in ["start", "finish", "bought"].into_iter().enumerate() {
        let ask = |what| fit.predict(&new, what, stage).unwrap();
        assert!((ask(FunnelPrediction::Passed)[0] - passed[k]).abs() < 1e-6);
        assert!((ask(FunnelPrediction::IfReached)[0] - alone[k]).abs() < 1e-6);
        let given = if k == 0 {
            passed[0]
        } else {
            passed[k] / passed[k - 1]
        };
        assert!((ask(FunnelPrediction::GivenReached)[0] - given).abs() < 1e-6);
        assert!(ask(FunnelPrediction::Passed)[1].is_nan());
        let interval = fit
            .predict_interval(&new, FunnelPrediction::Passed, stage, 0.9)
            .unwrap();
        assert!(interval.lower[0] < passed[k] && passed[k] < interval.upper[0]);
        assert_eq!(interval.missing, 1);
    }
    // The frailty of those who reached a stage is higher.
    let at = |what| fit.predict(&new, what, "bought").unwrap()[0];
    assert!(at(FunnelPrediction::GivenReached) > at(FunnelPrediction::IfReached));
    // The averages over the sample are the shares seen.
    let mean = |stage: &str| {
        let p = fit
            .predict(&frame, FunnelPrediction::Passed, stage)
            .unwrap();
        p.iter().sum::<f64>() / p.len() as f64
    };
    let seen = |stage: &str| column(&frame, stage).iter().filter(|v| **v > 0.5).count() as f64;
    for stage in ["start", "finish", "bought"] {
        let share = seen(stage) / frame.rows() as f64;
        assert!((mean(stage) - share).abs() < 0.01, "{stage}");
    }
    says(
        &fit.predict(&new, FunnelPrediction::Passed, "pay")
            .unwrap_err(),
        &["start, finish, bought"],
    );
    assert!(
        fit.lean()
            .predict(&new, FunnelPrediction::Passed, "start")
            .is_err()
    );
    // Without frailty it is the product of the stages' probits.
    let plain = funnel().frailty(false).fit(&frame).unwrap();
    let given = plain
        .predict(&new, FunnelPrediction::GivenReached, "finish")
        .unwrap()[0];
    let alone = plain
        .predict(&new, FunnelPrediction::IfReached, "finish")
        .unwrap()[0];
    assert!((given - alone).abs() < 1e-12);
}

#[test]
fn intervals_of_predicted_probabilities_cover_them() {
    const REPLICATIONS: u64 = 60;
    let at = Frame::new()
        .with("nudge", vec![1.0])
        .unwrap()
        .with("tool", vec![0.0])
        .unwrap()
        .with("ability", vec![0.4])
        .unwrap();
    // E_u Φ(.8 + u) Φ(.5 + u): by a fine sum.
    let truth = (-8_000..8_000)
        .map(|i| {
            let u = f64::from(i) * 1e-3;
            let cdf = cocreate::numeric::special::normal::cdf;
            cdf(0.2 + 0.4 + 0.2 + u) * cdf(0.3 + 0.2 + u) * (-0.5 * u * u).exp() * 1e-3
        })
        .sum::<f64>()
        / (2.0 * std::f64::consts::PI).sqrt();
    let covered = (0..REPLICATIONS)
        .filter(|seed| {
            let mut random = Seed::new(*seed).child("funnel").stream(0);
            // Four funnels of each of 300 customers, who keep their frailty.
            let (customers, funnels) = (300, 4);
            let mut columns = vec![vec![]; 6];
            let mut u = 0.0;
            for row in 0..customers * funnels {
                if row % funnels == 0 {
                    u = StandardNormal.sample(&mut random);
                }
                let draw: [f64; 3] = std::array::from_fn(|_| StandardNormal.sample(&mut random));
                let coin =
                    |r: &mut rand::rngs::ChaCha8Rng| f64::from(u8::from(r.random::<f64>() < 0.5));
                let (nudge, tool) = (coin(&mut random), coin(&mut random));
                let [a, e, f] = draw;
                let start = 0.2 + 0.4 * nudge + 0.5 * a + u + e > 0.0;
                let finish = 0.3 + 0.6 * tool + 0.5 * a + u + f > 0.0;
                let values = [
                    f64::from(row / funnels),
                    a,
                    nudge,
                    tool,
                    f64::from(u8::from(start)),
                    if start {
                        f64::from(u8::from(finish))
                    } else {
                        f64::NAN
                    },
                ];
                columns.iter_mut().zip(values).for_each(|(c, v)| c.push(v));
            }
            let names = ["customer", "ability", "nudge", "tool", "start", "finish"];
            let frame = names
                .into_iter()
                .zip(columns)
                .fold(Frame::new(), |f, (name, c)| f.with(name, c).unwrap());
            let fit = Funnel::new(["start ~ nudge", "finish ~ tool"])
                .common("ability")
                .subject("customer")
                .fit(&frame)
                .unwrap();
            let found = fit
                .predict_interval(&at, FunnelPrediction::Passed, "finish", 0.95)
                .unwrap();
            found.lower[0] <= truth && truth <= found.upper[0]
        })
        .count() as f64
        / REPLICATIONS as f64;
    println!("coverage {covered}");
    // Three Monte Carlo errors of .0281.
    assert!((covered - 0.95).abs() < 0.085, "{covered}");
}

// ---- adoption against statsmodels and likelihoods written down in numpy ----

#[test]
fn adoption_agrees_with_statsmodels_and_numpy() {
    let fixture = fixture("adoption");
    let tolerance = fixture["tolerance"].as_f64().unwrap();
    let frame = data("tests/reference/adoption.csv");
    let zero = vec![0.0; frame.rows()];
    let frame = frame.with("zero", zero).unwrap();
    let one = Survival::right("time", "adopted");
    let two = Survival::counting("zero", "time", "adopted").subject("customer");
    for (case, frailty, outcome) in [
        ("none", Frailty::None, &one),
        ("gamma", Frailty::Gamma, &one),
        ("normal", Frailty::Normal, &one),
        ("repeated", Frailty::Normal, &two),
    ] {
        let value = &fixture["values"][case];
        let fit = Adoption::new(outcome.clone(), "ability + tool")
            .frailty(frailty)
            .covariance(Covariance::Classical)
            .fit(&frame)
            .unwrap();
        let names = names(value);
        let (at, estimates) = pick(&fit, &names);
        assert_eq!(at.len(), fit.names().len());
        agree(case, &estimates, &numbers(&value["estimates"]), tolerance);
        agree(
            case,
            &[fit.statistics().log_likelihood],
            &numbers(&value["log_likelihood"]),
            1e-9,
        );
        agree_covariance(case, &fit, &at, &value["classical"], 10.0 * tolerance);
        let robust = fit.with_covariance(Covariance::Hc0).unwrap();
        agree_covariance(case, &robust, &at, &value["hc0"], 10.0 * tolerance);
    }
}

// ---- what holds for any data ----

fn willing(n: usize, seed: u64) -> Frame {
    let mut random = Seed::new(seed).child("willing").stream(0);
    let mut columns = vec![vec![]; 6];
    for _ in 0..n {
        let e: [f64; 3] = std::array::from_fn(|_| StandardNormal.sample(&mut random));
        let u: [f64; 4] = std::array::from_fn(|_| random.random());
        let (variance, price) = (0.2 + 1.8 * u[0], 2.0 * u[1]);
        let index = e[0] - 0.6 * variance - 0.8 * price + e[1];
        let cost = 5.0 - 1.5 * e[0] + 2.0 * e[2];
        let hazard = 1.0 - (-(-1.0 + 0.5 * e[0] + 0.6 * price).exp()).exp();
        let period = (1..=4)
            .find(|k| u[2] > (1.0 - hazard).powi(*k))
            .unwrap_or(5);
        let values = [
            e[0],
            variance,
            price,
            f64::from(u8::from(index + 1.2 > 0.0)),
            (2.0 * cost.clamp(0.0, 8.0)).round() / 2.0,
            f64::from(period),
        ];
        columns.iter_mut().zip(values).for_each(|(c, v)| c.push(v));
    }
    let names = ["mean", "variance", "price", "join", "cost", "time"];
    let frame = names
        .into_iter()
        .zip(columns)
        .fold(Frame::new(), |f, (name, c)| f.with(name, c).unwrap());
    let adopted: Vec<f64> = column(&frame, "time")
        .iter()
        .map(|t| f64::from(u8::from(*t < 5.0)))
        .collect();
    let time = column(&frame, "time")
        .iter()
        .map(|t| t.min(4.0))
        .collect::<Vec<_>>();
    frame
        .with("adopted", adopted)
        .unwrap()
        .replace("time", time)
        .unwrap()
}

type Fits = fn(&Frame, Option<&str>) -> Vec<Estimate>;

/// Bdm, Willingness and Adoption, whose weights are frequencies, or weights with a covariance that does not count them.
const FITS: [(&str, Fits); 3] = [
    ("Bdm", |f, w| {
        let model = Bdm::new("cost ~ mean + price")
            .range(0.0, 8.0)
            .rounding(0.5);
        let model = w.map_or(model.clone(), |w| model.frequency_weights(w));
        model.fit(f).unwrap().coefficients()
    }),
    ("Willingness", |f, w| {
        let scale = WillingnessScale::Probit;
        let model = Willingness::new("join ~ mean + variance + price", scale, "mean", "variance");
        let model = w.map_or(model.clone(), |w| model.frequency_weights(w));
        model.fit(f).unwrap().coefficients()
    }),
    ("Adoption", |f, w| {
        let model = Adoption::new(Survival::right("time", "adopted"), "mean + price");
        let model = model
            .baseline(Baseline::Polynomial(1))
            .frailty(Frailty::None);
        let model = w.map_or(model.clone(), |w| model.frequency_weights(w));
        model.fit(f).unwrap().coefficients()
    }),
];

fn close(
    what: &str,
    a: &[Estimate],
    b: &[Estimate],
    scale: impl Fn(&str) -> f64,
) -> std::result::Result<(), TestCaseError> {
    for (a, b) in a.iter().zip(b) {
        let by = scale(&a.name);
        prop_assert!(
            (a.estimate - by * b.estimate).abs() < 1e-6 * (1.0 + a.estimate.abs()),
            "{what} {a} {b}"
        );
        prop_assert!(
            (a.std_error - by * b.std_error).abs() < 1e-6 * (1.0 + a.std_error),
            "{what} {a} {b}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn order_units_and_copies_of_rows_do_not_matter(seed in 0_u64..10_000) {
        let n = 400;
        let frame = willing(n, seed);
        let mut order: Vec<usize> = (0..n).collect();
        let mut random = Seed::new(seed).stream(1);
        for i in (1..n).rev() {
            order.swap(i, random.random_range(0..=i));
        }
        let turned = frame.take(&order).unwrap();
        let doubled = Frame::concat(&[frame.clone(), frame.clone()]).unwrap();
        let counted = frame.clone().with("two", vec![2.0; n]).unwrap();
        let cents: Vec<f64> = column(&frame, "price").iter().map(|p| 100.0 * p).collect();
        let cents = frame.clone().replace("price", cents).unwrap();
        for (what, fit) in FITS {
            let ours = fit(&frame, None);
            close(what, &ours, &fit(&turned, None), |_| 1.0)?;
            close(what, &ours, &fit(&cents, None), |name| if name == "price" { 100.0 } else { 1.0 })?;
            close(what, &fit(&doubled, None), &fit(&counted, Some("two")), |_| 1.0)?;
        }
        // Amounts in cents: coefficients and σ in cents.
        let amounts: Vec<f64> = column(&frame, "cost").iter().map(|c| 100.0 * c).collect();
        let amounts = frame.clone().replace("cost", amounts).unwrap();
        let model = |f: &Frame, unit: f64| Bdm::new("cost ~ mean + price").range(0.0, 8.0 * unit).rounding(0.5 * unit).fit(f).unwrap();
        let (euro, cent) = (model(&frame, 1.0), model(&amounts, 100.0));
        prop_assert!((cent.sigma().unwrap().estimate / euro.sigma().unwrap().estimate - 100.0).abs() < 1e-5);
        prop_assert!((cent.coefficient("mean").unwrap().estimate / euro.coefficient("mean").unwrap().estimate - 100.0).abs() < 1e-4);
    }
}

//! Policies: exact trees against all trees, held-out values, budgets against the best of all allocations.

use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

// ---------------------------------------------------------------- trees

/// The best sum of one arm for all of these rows, or of a split with trees of one depth less on either side, over all trees.
fn brute(x: &[Vec<f64>], scores: &[Vec<f64>], rows: &[usize], depth: usize, fewest: usize) -> f64 {
    let sums = scores
        .iter()
        .map(|s| rows.iter().map(|r| s[*r]).sum::<f64>());
    let mut best = sums.fold(f64::NEG_INFINITY, f64::max);
    if depth == 0 {
        return best;
    }
    for feature in x {
        for cut in rows.iter().map(|r| feature[*r]) {
            let (left, right): (Vec<usize>, Vec<usize>) =
                rows.iter().partition(|r| feature[**r] <= cut);
            if left.len() >= fewest && right.len() >= fewest {
                let of = |side: &[usize]| brute(x, scores, side, depth - 1, fewest);
                best = best.max(of(&left) + of(&right));
            }
        }
    }
    best
}

fn frame_of(x: &[Vec<f64>]) -> Frame {
    x.iter()
        .enumerate()
        .fold(Frame::new(), |frame, (j, column)| {
            frame.with(format!("x{j}"), column.clone()).unwrap()
        })
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|j| format!("x{j}")).collect()
}

fn arms(count: usize) -> Vec<String> {
    (0..count).map(|k| format!("arm{k}")).collect()
}

/// Ties in features and integer scores, so that sums are exact.
fn small_problem() -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<Vec<f64>>)> {
    (4..=24_usize, 1..=3_usize, 2..=4_usize, 2..=12_i32).prop_flat_map(|(rows, p, k, values)| {
        let column =
            move |low: i32, high: i32| prop::collection::vec((low..high).prop_map(f64::from), rows);
        (
            prop::collection::vec(column(0, values), p),
            prop::collection::vec(column(-9, 10), k),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trees_of_depth_one_and_two_are_the_best_of_all((x, scores) in small_problem(), depth in 0..=2_usize, fewest in 1..=4_usize) {
        let rows: Vec<usize> = (0..x[0].len()).collect();
        let frame = frame_of(&x);
        let all = ArmScores::new(arms(scores.len()), scores.clone()).unwrap();
        let fit = PolicyTree::new(names(x.len())).depth(depth).minimum_leaf(fewest).fit(&all, &frame).unwrap();
        let given = fit.assign(&frame).unwrap();
        let ours: f64 = given.iter().enumerate().map(|(row, arm)| scores[*arm as usize][row]).sum();
        let best = brute(&x, &scores, &rows, depth, fewest);
        prop_assert!((ours - best).abs() < 1e-9, "{} of {}\n{}", ours, best, fit);
        prop_assert!((fit.training_value() * rows.len() as f64 - best).abs() < 1e-9);
        prop_assert!(fit.leaves().len() == 1 || fit.leaves().iter().all(|l| l.rows >= fewest));
        let value = fit.evaluate(&all, &frame).unwrap();
        prop_assert!((value.value().estimate - fit.training_value()).abs() < 1e-12);
    }

    #[test]
    fn a_hybrid_tree_ends_in_exact_trees((x, scores) in small_problem()) {
        let frame = frame_of(&x);
        let all = ArmScores::new(arms(scores.len()), scores.clone()).unwrap();
        let three = PolicyTree::new(names(x.len())).depth(3).fit(&all, &frame).unwrap();
        let two = PolicyTree::new(names(x.len())).fit(&all, &frame).unwrap();
        prop_assert!(three.training_value() >= two.training_value() - 1e-9);
        // Below its first question stand the best trees of depth two.
        if let PolicyNode::Split { feature, cut, .. } = &three.nodes()[0] {
            let (left, right): (Vec<usize>, Vec<usize>) = (0..x[0].len()).partition(|r| x[*feature][*r] <= *cut);
            let best = brute(&x, &scores, &left, 2, 1) + brute(&x, &scores, &right, 2, 1);
            prop_assert!((three.training_value() * x[0].len() as f64 - best).abs() < 1e-9);
        }
    }
}

/// Many rows and values, where segment trees do the work, against a few cuts, where histograms do.
#[test]
fn large_trees_find_the_truth_with_all_cuts_and_with_few() {
    let mut random = Seed::new(11).stream(0);
    let rows = 3000;
    let x: Vec<Vec<f64>> = (0..4)
        .map(|_| (0..rows).map(|_| random.random::<f64>()).collect())
        .collect();
    let truth = |row: usize| match (x[0][row] > 0.4, x[1][row] > 0.7, x[2][row] > 0.5) {
        (false, true, _) => 1,
        (true, _, true) => 2,
        _ => 0,
    };
    let scores: Vec<Vec<f64>> = (0..3)
        .map(|arm| {
            let noise = |random: &mut _| -> f64 { StandardNormal.sample(random) };
            (0..rows)
                .map(|row| f64::from(u8::from(truth(row) == arm)) + 0.5 * noise(&mut random))
                .collect()
        })
        .collect();
    let frame = frame_of(&x);
    let all = ArmScores::new(arms(3), scores).unwrap();
    let exact = PolicyTree::new(names(4)).fit(&all, &frame).unwrap();
    let few = PolicyTree::new(names(4))
        .cuts(50)
        .fit(&all, &frame)
        .unwrap();
    assert!(exact.training_value() >= few.training_value());
    for fit in [&exact, &few] {
        let given = fit.assign(&frame).unwrap();
        let right = given
            .iter()
            .enumerate()
            .filter(|(row, arm)| truth(*row) == **arm as usize);
        assert!(right.count() as f64 > 0.95 * rows as f64, "{fit}");
        let figure = fit.plot().unwrap();
        assert!(
            figure.to_svg().contains("x0 ≤ 0.4") || figure.to_svg().contains("x0 ≤ 0.3"),
            "{fit}"
        );
    }
    // The order of rows and the scale of weights do not matter.
    let backwards: Vec<usize> = (0..rows).rev().collect();
    let turned = all
        .take(&backwards)
        .unwrap()
        .weights(vec![3.0; rows])
        .unwrap();
    let again = PolicyTree::new(names(4))
        .fit(&turned, &frame.take(&backwards).unwrap())
        .unwrap();
    assert_eq!(again.rules(), exact.rules());
}

#[test]
fn weights_are_rows_that_stand_several_times() {
    let x = vec![vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]];
    let scores = vec![vec![0.0; 6], vec![-1.0, 2.0, -3.0, 1.0, 1.0, -1.0]];
    let weights = [3.0, 1.0, 1.0, 2.0, 1.0, 2.0];
    let rows: Vec<usize> = (0..6).flat_map(|r| vec![r; weights[r] as usize]).collect();
    let plain = ArmScores::new(["a", "b"], scores).unwrap();
    let (frame, weighted) = (
        frame_of(&x),
        plain.clone().weights(weights.to_vec()).unwrap(),
    );
    let tree = PolicyTree::new(["x0"]);
    let one = tree.fit(&weighted, &frame).unwrap();
    let other = tree
        .fit(&plain.take(&rows).unwrap(), &frame.take(&rows).unwrap())
        .unwrap();
    assert_eq!(one.rules(), other.rules());
    assert!((one.training_value() - other.training_value()).abs() < 1e-12);
    // Two cuts of one feature on the same side are said once.
    assert_eq!(
        one.rules(),
        [
            "x0 ≤ 1.5: a",
            "x0 ≤ 2.5 and x0 > 1.5: b",
            "x0 > 2.5 and x0 ≤ 3.5: a",
            "x0 > 3.5: b"
        ]
    );
}

/// Every question about a column with gaps: who is on the left.
fn questions(column: &[Option<u8>], label: bool) -> Vec<Vec<bool>> {
    let mut all = vec![column.iter().map(Option::is_none).collect()];
    for value in 0..8 {
        for missing_left in [false, true] {
            let left = |v: &Option<u8>| match v {
                None => missing_left,
                Some(v) if label => *v == value,
                Some(v) => *v <= value,
            };
            all.push(column.iter().map(left).collect());
        }
    }
    all
}

/// The best sum over trees of these questions.
fn best_of(questions: &[Vec<bool>], scores: &[Vec<f64>], rows: &[usize], depth: usize) -> f64 {
    let sums = scores
        .iter()
        .map(|s| rows.iter().map(|r| s[*r]).sum::<f64>());
    let mut best = sums.fold(f64::NEG_INFINITY, f64::max);
    if depth > 0 {
        for question in questions {
            let (left, right): (Vec<usize>, Vec<usize>) = rows.iter().partition(|r| question[**r]);
            if !left.is_empty() && !right.is_empty() {
                let of = |side: &[usize]| best_of(questions, scores, side, depth - 1);
                best = best.max(of(&left) + of(&right));
            }
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn labels_and_gaps_are_asked_about_in_the_best_way(
        rows in prop::collection::vec((prop::option::weighted(0.8, 0..5_u8), prop::option::weighted(0.8, 0..4_u8), -9..10_i32, -9..10_i32), 4..18),
        depth in 1..=2_usize,
    ) {
        let column = |of: &dyn Fn(usize) -> i32| -> Vec<f64> { (0..rows.len()).map(|r| f64::from(of(r))).collect() };
        let scores = vec![vec![0.0; rows.len()], column(&|r| rows[r].2), column(&|r| rows[r].3)];
        let age: Vec<Option<u8>> = rows.iter().map(|r| r.0).collect();
        let shop: Vec<Option<u8>> = rows.iter().map(|r| r.1).collect();
        prop_assume!(age.iter().any(Option::is_some) && shop.iter().any(Option::is_some));
        let text: Vec<Option<String>> = shop.iter().map(|v| v.map(|v| format!("s{v}"))).collect();
        let frame = Frame::new()
            .with("age", age.iter().map(|v| v.map_or(f64::NAN, f64::from)).collect::<Vec<_>>()).unwrap()
            .with("shop", Column::from(Label::from_text(&text))).unwrap();
        let all = ArmScores::new(arms(3), scores.clone()).unwrap();
        let fit = PolicyTree::new(["age", "shop"]).depth(depth).fit(&all, &frame).unwrap();
        let every = [questions(&age, false), questions(&shop, true)].concat();
        let places: Vec<usize> = (0..rows.len()).collect();
        let best = best_of(&every, &scores, &places, depth);
        prop_assert!((fit.training_value() * rows.len() as f64 - best).abs() < 1e-9, "{} {}", best, fit);
        let given = fit.assign(&frame).unwrap();
        let ours: f64 = given.iter().enumerate().map(|(row, arm)| scores[*arm as usize][row]).sum();
        prop_assert!((ours - best).abs() < 1e-9, "{} {}", ours, fit);
        let again: PolicyTreeFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        prop_assert_eq!(again.assign(&frame).unwrap(), given);
    }
}

#[test]
fn questions_about_labels_and_gaps_read_well() {
    let shop = vec![
        Some("web"),
        Some("web"),
        Some("city"),
        Some("city"),
        None,
        None,
    ];
    let frame = Frame::new()
        .with("shop", Column::from(Label::from_text(&shop)))
        .unwrap()
        .with("age", vec![20.0, 60.0, 20.0, 60.0, f64::NAN, 40.0])
        .unwrap();
    let learn = |effect: [f64; 6], names: &[&str]| {
        let scores = ArmScores::new(["none", "mail"], vec![vec![0.0; 6], effect.to_vec()]).unwrap();
        let tree = PolicyTree::new(names.iter().copied());
        tree.fit(&scores, &frame).unwrap()
    };
    let web = learn([1.0, 1.0, -1.0, -1.0, -1.0, -1.0], &["shop"]);
    assert_eq!(
        web.rules(),
        ["shop = city (or missing): none", "shop ≠ city: mail"]
    );
    assert!(web.plot().unwrap().to_svg().contains("shop = city?"));
    // A level that was not learned is another one; a missing one goes where the missing went.
    let other = Frame::new()
        .with("shop", Column::from(Label::from_text(&[Some("app"), None])))
        .unwrap();
    assert_eq!(web.assign(&other).unwrap(), [1, 0]);
    let gap = learn([-1.0, -1.0, -1.0, -1.0, 2.0, -1.0], &["age"]);
    assert_eq!(gap.rules(), ["age missing: mail", "age known: none"]);
    assert!(gap.plot().unwrap().to_svg().contains("age missing?"));
    let young = learn([2.0, -1.0, 2.0, -1.0, -3.0, -1.0], &["age"]);
    assert_eq!(
        young.rules(),
        ["age ≤ 30: mail", "age > 30 (or missing): none"]
    );
    // Asking more than is worth it is left out, and so are rows without weight.
    let scores = ArmScores::new(
        ["none", "mail"],
        vec![vec![0.0; 6], vec![1.0, -1.0, 1.0, -1.0, 9.0, -1.0]],
    )
    .unwrap()
    .weights(vec![1.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    .unwrap();
    let tree = PolicyTree::new(["shop", "age"])
        .fit(&scores, &frame)
        .unwrap();
    assert_eq!(
        tree.rules(),
        ["age ≤ 30: mail", "age > 30 (or missing): none"]
    );
    assert_eq!(tree.leaves().iter().map(|l| l.rows).sum::<usize>(), 5);
}

#[test]
fn bad_input_of_trees_is_named() {
    let frame = frame_of(&[
        vec![1.0, f64::NAN],
        vec![f64::NAN; 2],
        vec![0.0, f64::INFINITY],
    ]);
    let scores = ArmScores::new(["a", "b"], vec![vec![0.0, 1.0], vec![1.0, 0.0]]).unwrap();
    let say = |name: &str| {
        let result = PolicyTree::new([name]).fit(&scores, &frame);
        result.unwrap_err().to_string()
    };
    assert!(say("x1").contains("`x1` is missing in all"));
    assert!(say("x2").contains("`x2`") && say("x2").contains("row 2"));
    assert!(say("x3").contains("did you mean"));
    assert!(PolicyTree::new(names(0)).fit(&scores, &frame).is_err());
    let good = frame_of(&[vec![1.0, 2.0]]);
    assert!(
        PolicyTree::new(["x0"])
            .depth(7)
            .fit(&scores, &good)
            .is_err()
    );
    assert!(
        PolicyTree::new(["x0"])
            .minimum_leaf(3)
            .fit(&scores, &good)
            .is_err()
    );
    assert!(PolicyTree::new(["x0"]).cuts(0).fit(&scores, &good).is_err());
    assert!(
        PolicyTree::new(["x0"])
            .fit(&scores, &frame_of(&[vec![1.0]]))
            .is_err()
    );
    let fit = PolicyTree::new(["x0"]).fit(&scores, &good).unwrap();
    // Where a missing value should go was not learned.
    let error = fit.assign(&frame).unwrap_err().to_string();
    assert!(error.contains("`x0` is NaN in row 2"), "{error}");
    let text = Frame::new().with("x0", vec!["a", "b"]).unwrap();
    assert!(matches!(fit.assign(&text), Err(Error::WrongKind { .. })));
    let stopped = PolicyTree::new(["x0"]).fit_with(&scores, &good, &Progress::with(|_| false));
    assert!(matches!(stopped, Err(Error::Cancelled { .. })));
}

// ---------------------------------------------------------------- budgets

/// Every allocation of arms to rows, as codes.
fn allocations(rows: usize, arms: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..arms.pow(rows as u32)).map(move |mut code| {
        (0..rows)
            .map(|_| {
                let arm = code % arms;
                code /= arms;
                arm
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_allocation_gains_more_than_the_gap_allows(
        effects in prop::collection::vec(prop::collection::vec((-5..9_i32).prop_map(f64::from), 6), 2),
        costs in prop::collection::vec(prop::collection::vec((1..6_i32).prop_map(f64::from), 6), 2),
        total in 1..30_i32,
        codes in prop::collection::vec(0..2_usize, 6),
        share in prop::sample::select(vec![None, Some(0.0), Some(0.3), Some(0.5), Some(1.0)]),
    ) {
        let names = ["none", "a", "b"];
        let groups = Frame::new().with("g", codes.iter().map(|c| format!("g{c}")).collect::<Vec<_>>()).unwrap().groups("g").unwrap();
        let mut budget = Budget::new(f64::from(total)).costs("a", &costs[0]).costs("b", &costs[1]);
        if let Some(share) = share {
            budget = budget.minimum_share(&groups, share);
        }
        let needed = |g: usize| {
            let size = codes.iter().filter(|c| **c == g).count();
            (share.unwrap_or(0.0) * size as f64).ceil() as usize
        };
        let sum = |given: &[usize], columns: &[Vec<f64>]| -> f64 {
            given.iter().enumerate().filter(|(_, arm)| **arm > 0).map(|(row, arm)| columns[arm - 1][row]).sum()
        };
        let allowed = |given: &[usize]| {
            let treated = |g: usize| given.iter().zip(&codes).filter(|(a, c)| **a > 0 && **c == g).count();
            sum(given, &costs) <= f64::from(total) && (0..2).all(|g| treated(g) >= needed(g))
        };
        let possible = allocations(6, 3).filter(|given| allowed(given));
        let best = possible.map(|given| sum(&given, &effects)).fold(f64::NEG_INFINITY, f64::max);
        let Ok(ours) = budget.allocate(&names, &effects) else {
            // Nothing that gains can be paid for, or not the floor.
            prop_assert!(best <= 0.0, "{}", best);
            return Ok(());
        };
        let given: Vec<usize> = ours.given().iter().map(|a| *a as usize).collect();
        prop_assert!(allowed(&given), "{:?}", given);
        prop_assert!((sum(&given, &costs) - ours.spent()).abs() < 1e-9);
        prop_assert!((sum(&given, &effects) - ours.predicted_gain()).abs() < 1e-9);
        let gap = best - ours.predicted_gain();
        prop_assert!((-1e-9..=ours.gap() + 1e-9).contains(&gap), "{} of {}\n{}", gap, ours.gap(), ours);
    }

    #[test]
    fn a_floor_for_groups_is_kept_at_the_least_loss(
        effect in prop::collection::vec((-5..9_i32).prop_map(f64::from), 9),
        codes in prop::collection::vec(0..3_usize, 9),
        share in prop::sample::select(vec![0.0, 0.25, 0.5, 1.0]),
        total in 1..10_usize,
    ) {
        let groups = Frame::new().with("g", codes.iter().map(|c| format!("g{c}")).collect::<Vec<_>>()).unwrap().groups("g").unwrap();
        let budget = Budget::new(2.0 * total as f64).cost("a", 2.0).minimum_share(&groups, share);
        let sizes: Vec<usize> = (0..3).map(|g| codes.iter().filter(|c| **c == g).count()).collect();
        let needed: Vec<usize> = sizes.iter().map(|n| (share * *n as f64).ceil() as usize).collect();
        let result = budget.allocate(&["none", "a"], std::slice::from_ref(&effect));
        if needed.iter().sum::<usize>() > total {
            prop_assert!(result.is_err());
            return Ok(());
        }
        let ours = result.unwrap();
        let mut best = f64::NEG_INFINITY;
        for other in allocations(9, 2) {
            let in_group = |g: usize| other.iter().zip(&codes).filter(|(a, c)| **a == 1 && **c == g).count();
            if other.iter().sum::<usize>() <= total && (0..3).all(|g| in_group(g) >= needed[g]) {
                best = f64::max(best, other.iter().zip(&effect).map(|(a, e)| *a as f64 * e).sum());
            }
        }
        prop_assert!((ours.predicted_gain() - best).abs() < 1e-9, "{} {}", ours, best);
    }
}

#[test]
fn one_arm_at_unit_cost_is_the_qini_curve() {
    let mut random = Seed::new(5).stream(0);
    let rows = 400;
    let effect: Vec<f64> = (0..rows).map(|_| random.random::<f64>()).collect();
    let scores: Vec<f64> = effect
        .iter()
        .map(|e| {
            let noise: f64 = StandardNormal.sample(&mut random);
            e + noise
        })
        .collect();
    let clusters: Vec<u32> = (0..rows as u32).map(|r| r / 3).collect();
    let all = ArmScores::new(["none", "some"], vec![vec![0.0; rows], scores])
        .unwrap()
        .clusters(&clusters)
        .unwrap();
    let shares = [0.2, 0.5, 0.9];
    let qini = UpliftCurve::new().at(&shares).fit(&all, &effect).unwrap();
    let curve = BudgetCurve::new()
        .cost("some", 2.0)
        .at(&[0.4, 1.0, 1.8])
        .fit(&all, std::slice::from_ref(&effect))
        .unwrap();
    for (a, b) in qini.shown().iter().zip(curve.shown()) {
        assert!((a.gain.estimate - b.gain.estimate).abs() < 1e-12);
        assert!((a.gain.std_error - b.gain.std_error).abs() < 1e-12);
        assert!((b.shares[1] - a.share).abs() < 3.0 / rows as f64);
    }
    assert!((curve.most() - 2.0).abs() < 1e-12);
}

#[test]
fn equal_predictions_move_in_equal_parts_and_a_budget_that_is_not_spent_has_the_error_of_a_mean() {
    let score = vec![3.0, -1.0, 2.0, 1.0];
    let scores = ArmScores::new(["none", "some"], vec![vec![0.0; 4], score.clone()]).unwrap();
    let curve = BudgetCurve::new().cost("some", 2.0).at(&[0.5, 9.0]);
    let fit = curve.fit(&scores, &[vec![1.0; 4]]).unwrap();
    let [part, all] = fit.shown() else {
        panic!("{fit}")
    };
    assert!((part.shares[1] - 0.25).abs() < 1e-12 && (part.gain.estimate - 0.3125).abs() < 1e-12);
    assert_eq!((all.spent, all.shares[1]), (2.0, 1.0));
    // Some are never worth it: what is treated is fixed, however much money is left.
    let fit = curve.fit(&scores, &[vec![1.0, 1.0, -1.0, 0.5]]).unwrap();
    let treated = PolicyValue::new().fit(&scores, &[1, 1, 0, 1]).unwrap();
    let (all, value) = (&fit.shown()[1].gain, treated.against("none").unwrap());
    assert!((all.estimate - value.estimate).abs() < 1e-12);
    assert!(
        (all.std_error - value.std_error).abs() < 1e-12,
        "{all} {value}"
    );
}

#[test]
fn budgets_are_compared_on_the_same_rows() {
    const DRAWS: u64 = 300;
    let costs = BudgetCurve::new()
        .cost("arm1", 1.0)
        .cost("arm2", 2.5)
        .points(20);
    let curve = costs.clone().at(&[0.2, 0.6]);
    let mut rejected = [0.0; 3];
    for seed in 0..DRAWS {
        let (x, _, scores) = trial(300, 2000 + seed);
        let mut random = Seed::new(seed).child("noise").stream(0);
        // Two predictions that are equally good.
        let mut noisy = || -> Vec<Vec<f64>> {
            let column =
                |c: &Vec<f64>| c.iter().map(|e| e + 0.5 * random.random::<f64>()).collect();
            predictions(&x).iter().map(column).collect()
        };
        let (a, b) = (noisy(), noisy());
        let test = curve.compare(&scores, ("a", &a), ("b", &b)).unwrap();
        for (rejected, row) in rejected.iter_mut().zip(test.differences()) {
            *rejected += f64::from(u8::from(row.difference.p_value() < 0.05)) / DRAWS as f64;
        }
        if seed == 0 {
            let fit = curve.fit(&scores, &a).unwrap();
            for (row, point) in test.differences().iter().zip(fit.shown()) {
                assert!((row.first.estimate - point.gain.estimate).abs() < 1e-12);
                assert!((row.first.std_error - point.gain.std_error).abs() < 1e-12);
            }
            // The last is the mean of the curve up to the highest budget.
            let grid: Vec<f64> = (1..=20).map(|i| 0.6 * f64::from(i) / 20.0).collect();
            let fit = costs.clone().at(&grid).fit(&scores, &a).unwrap();
            let gains: Vec<f64> = fit.shown().iter().map(|p| p.gain.estimate).collect();
            let mean = (gains.iter().sum::<f64>() - 0.5 * gains[19]) / 20.0;
            let last = test.differences().last().unwrap();
            assert!((last.first.estimate - mean).abs() < 1e-12, "{test}");
            assert!(test.to_string().contains("mean up to 0.6"));
            let same = curve.compare(&scores, ("a", &a), ("again", &a)).unwrap();
            assert!(
                same.differences()
                    .iter()
                    .all(|d| d.difference.p_value() == 1.0)
            );
        }
    }
    println!("rejected {rejected:.3?}");
    // The Monte Carlo error of 0.05 is 0.013.
    assert!(
        rejected.iter().all(|r| (0.012..0.1).contains(r)),
        "{rejected:?}"
    );
}

#[test]
fn bad_budgets_are_named() {
    let effect = vec![vec![1.0, 2.0]];
    let say = |budget: Budget| {
        let arms = ["none", "some"];
        budget.allocate(&arms, &effect).unwrap_err().to_string()
    };
    let text = say(Budget::new(1.0).cost("some", 3.0));
    assert!(
        text.contains("at least 3, the cost of the cheapest"),
        "{text}"
    );
    assert!(say(Budget::new(1.0)).contains("not given for `some`"));
    assert!(say(Budget::new(0.0).cost("some", 1.0)).contains("positive"));
    assert!(say(Budget::new(1.0).cost("sme", 1.0)).contains("did you mean `some`"));
    let scores = ArmScores::new(["none", "some"], vec![vec![0.0; 2], vec![1.0; 2]]).unwrap();
    let curve = BudgetCurve::new().cost("some", 1.0);
    assert!(curve.fit(&scores, &[vec![-1.0, 0.0]]).is_err());
    assert!(curve.fit(&scores, &[vec![1.0]]).is_err());
    assert!(curve.fit(&scores, &[]).is_err());
}

// ---------------------------------------------------------------- calibration

/// Three arms whose effects are known functions of two features, and scores with noise.
fn trial(rows: usize, seed: u64) -> (Vec<Vec<f64>>, ArmScores, ArmScores) {
    let mut random = Seed::new(seed).child("policy").stream(0);
    let x: Vec<Vec<f64>> = (0..2)
        .map(|_| (0..rows).map(|_| random.random::<f64>()).collect())
        .collect();
    let truth = vec![
        vec![0.0; rows],
        x[0].clone(),
        (0..rows)
            .map(|r| 2.0 * x[0][r] * x[1][r])
            .collect::<Vec<f64>>(),
    ];
    let scores = truth
        .iter()
        .map(|column| {
            let noise = |mean: &f64| {
                let noise: f64 = StandardNormal.sample(&mut random);
                mean + noise
            };
            column.iter().map(noise).collect()
        })
        .collect();
    let of = |values| ArmScores::new(arms(3), values).unwrap();
    (x, of(truth), of(scores))
}

/// Predictions that are wrong on purpose: the rule is fixed, only its value is estimated.
fn predictions(x: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let rows = x[0].len();
    vec![
        (0..rows).map(|r| 0.8 * x[0][r] - 0.1).collect(),
        (0..rows).map(|r| x[0][r] + x[1][r] - 0.7).collect(),
    ]
}

#[test]
fn intervals_of_budgets_and_values_cover_the_truth() {
    const DRAWS: u64 = 400;
    let curve = BudgetCurve::new()
        .cost("arm1", 1.0)
        .cost("arm2", 2.5)
        .points(2)
        .at(&[0.3, 0.8, 1.2, 9.0]);
    let (x, truth, _) = trial(200_000, 1);
    let spent = curve.fit(&truth, &predictions(&x)).unwrap();
    let next = |x: &[Vec<f64>]| {
        NextBestAction::new()
            .choose(&arms(3), &predictions(x))
            .unwrap()
    };
    let value = PolicyValue::new().fit(&truth, next(&x).given()).unwrap();
    let mut goals: Vec<f64> = spent.shown().iter().map(|p| p.gain.estimate).collect();
    goals.extend([
        value.value().estimate,
        value.against("arm2").unwrap().estimate,
    ]);
    let mut covered = vec![0.0; goals.len()];
    for seed in 0..DRAWS {
        let (x, _, scores) = trial(400, 100 + seed);
        let spent = curve.fit(&scores, &predictions(&x)).unwrap();
        let value = PolicyValue::new().fit(&scores, next(&x).given()).unwrap();
        let gains = spent.shown().iter().map(|p| &p.gain);
        let found = gains.chain([value.value(), value.against("arm2").unwrap()]);
        for ((covered, estimate), goal) in covered.iter_mut().zip(found).zip(&goals) {
            let ends = estimate.confidence_interval(0.95).unwrap();
            *covered +=
                f64::from(u8::from(ends.lower <= *goal && *goal <= ends.upper)) / DRAWS as f64;
        }
    }
    println!("coverage {covered:.3?}");
    // The Monte Carlo error of a coverage of 0.95 is 0.011.
    assert!(
        covered.iter().all(|c| (0.91..0.985).contains(c)),
        "{covered:?}"
    );
}

#[test]
fn a_learned_tree_loses_little_and_less_with_more_rows() {
    let regret = |rows: usize| {
        let mean = (0..10).map(|seed| {
            let (x, _, scores) = trial(rows, seed);
            let tree = PolicyTree::new(names(2))
                .cuts(60)
                .fit(&scores, &frame_of(&x))
                .unwrap();
            let (fresh, truth, _) = trial(4000, 1000 + seed);
            PolicyRegret::of(&truth, &tree.assign(&frame_of(&fresh)).unwrap())
                .unwrap()
                .regret
                / 10.0
        });
        mean.sum::<f64>()
    };
    let (few, many) = (regret(300), regret(6000));
    println!("regret {few:.4} with 300 rows, {many:.4} with 6000");
    assert!(many > 0.0 && many < 0.5 * few && few < 0.1);
}

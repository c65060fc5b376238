//! Formulas and design matrices against R's `model.matrix`, and properties of both.

use cocreate::data::formula::Factor;
use cocreate::prelude::*;
use proptest::prelude::*;
use serde_json::Value;

/// Numbers of a JSON array, null as missing.
fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter()
        .map(|v| v.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn reference() -> Value {
    serde_json::from_str(include_str!("../reference/design.json")).unwrap()
}

/// The frame of the fixture, in the order of its rows or in another one.
fn frame(fixture: &Value, order: &[usize]) -> Frame {
    let mut frame = Frame::new();
    for name in ["y", "x", "z", "k", "arm", "g"] {
        let column = &fixture["data"][name];
        frame = if column[0].is_string() {
            let texts: Vec<&str> = order.iter().map(|i| column[*i].as_str().unwrap()).collect();
            frame.with(name, texts).unwrap()
        } else {
            let all = numbers(column);
            let values: Vec<f64> = order.iter().map(|i| all[*i]).collect();
            frame.with(name, values).unwrap()
        };
    }
    frame
}

/// One spelling for R's names and ours: no brackets, `C` for `factor`, no spaces, factors of a product sorted.
fn spelling(name: &str) -> String {
    let mut name = name.replace([' ', '[', ']'], "").replace("factor(", "C(");
    name = name.replace("raw=TRUE", "raw=true");
    let mut parts: Vec<&str> = name
        .split(':')
        .map(|part| part.strip_suffix("TRUE").unwrap_or(part))
        .collect();
    parts.sort_unstable();
    parts.join(":")
}

#[test]
fn matrices_are_those_of_r() {
    /// R writes the factors of a product in the order in which variables first occur in the formula, this crate as they
    /// are written; where that differs, the columns of the product come in another order.
    const REORDERED: [&str; 3] = [
        "y ~ g + arm:g",
        "y ~ z + x:z + x",
        "y ~ (.)^2 - k - x:k - z:k - k:arm - k:g",
    ];
    let fixture = reference();
    let order: Vec<usize> = (0..12).collect();
    let frame = frame(&fixture, &order);
    let tolerance = fixture["source"]["tolerance"].as_f64().unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let text = case["formula"].as_str().unwrap();
        let formula = Formula::from(text).parse().unwrap();
        let design = Design::build(&formula, &frame, &[]).unwrap();
        let rows: Vec<usize> = (0..design.rows.len())
            .map(|i| design.rows.index(i))
            .collect();
        assert_eq!(Value::from(rows), case["rows"], "{text}: rows");
        let close = |ours: &[f64], theirs: &Value, what: &str| {
            let theirs = numbers(theirs);
            assert_eq!(ours.len(), theirs.len(), "{text}: {what}");
            for (a, b) in ours.iter().zip(&theirs) {
                let limit = tolerance * b.abs().max(1.0);
                assert!((a - b).abs() <= limit, "{text}: {what}: {a} against {b}");
            }
        };
        close(
            &design.outcome.values(&design.rows),
            &case["outcome"],
            "outcome",
        );
        let mut ours: Vec<(String, Vec<f64>)> = Vec::new();
        if design.intercept {
            ours.push(("(Intercept)".into(), vec![1.0; design.rows.len()]));
        }
        for column in &design.exogenous {
            ours.push((spelling(&column.name), column.values(&design.rows)));
        }
        let mut theirs: Vec<(String, &Value)> = case["names"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| spelling(name.as_str().unwrap()))
            .zip(case["columns"].as_array().unwrap())
            .collect();
        if REORDERED.contains(&text) {
            ours.sort_by(|a, b| a.0.cmp(&b.0));
            theirs.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let names = |list: Vec<&String>| list.into_iter().cloned().collect::<Vec<String>>();
        assert_eq!(
            names(ours.iter().map(|c| &c.0).collect()),
            names(theirs.iter().map(|c| &c.0).collect()),
            "{text}"
        );
        for ((name, values), (_, expected)) in ours.iter().zip(&theirs) {
            close(values, expected, name);
        }
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let fixture = reference();
    let straight: Vec<usize> = (0..12).collect();
    // 5 has no common factor with 12, so this is a permutation
    let mixed: Vec<usize> = straight.iter().map(|i| i * 5 % 12).collect();
    for text in [
        "y ~ x*arm + C(k)",
        "y ~ arm:g | k^g",
        "log(z) ~ poly(z, 2) + I(x > 0)",
        "y ~ i(k, x, ref = 2) | arm",
    ] {
        let formula = Formula::from(text).parse().unwrap();
        let a = Design::build(&formula, &frame(&fixture, &straight), &[]).unwrap();
        let b = Design::build(&formula, &frame(&fixture, &mixed), &[]).unwrap();
        assert_eq!((a.rows.len(), &a.missing), (b.rows.len(), &b.missing));
        // where each used row of `b` stands in `a`
        let place: Vec<usize> = (0..b.rows.len())
            .map(|i| {
                let row = mixed[b.rows.index(i)];
                (0..a.rows.len()).find(|j| a.rows.index(*j) == row).unwrap()
            })
            .collect();
        for (one, other) in a.exogenous.iter().zip(&b.exogenous) {
            assert_eq!(one.name, other.name);
            let (one, other) = (one.values(&a.rows), other.values(&b.rows));
            for (i, value) in other.iter().enumerate() {
                assert!((value - one[place[i]]).abs() < 1e-14, "{text}");
            }
        }
        for (one, other) in a.fixed_effects.iter().zip(&b.fixed_effects) {
            assert_eq!(one.levels, other.levels);
            let moved: Vec<u32> = place.iter().map(|j| one.codes[*j]).collect();
            assert_eq!(moved, *other.codes);
        }
    }
}

/// Any expression, as text.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        Just("`my col`".to_owned()),
        Just("größe".to_owned()),
        (0_u32..50).prop_map(|v| v.to_string()),
        (0.0_f64..1e300).prop_map(|v| format!("{v:e}")),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            (
                pair,
                prop::sample::select(vec!["+", "-", "*", "/", "^", " - -"])
            )
                .prop_map(|((a, b), operator)| format!("{a} {operator} {b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            inner.clone().prop_map(|a| format!("(-{a})^2")),
            (
                inner.clone(),
                prop::sample::select(vec!["log", "exp", "standardize"])
            )
                .prop_map(|(a, f)| format!("{f}({a})")),
            (
                inner.clone(),
                inner,
                prop::sample::select(vec!["<", ">=", "==", "!="])
            )
                .prop_map(|(a, b, c)| format!("({a} {c} {b})")),
        ]
    })
}

/// Any factor of a term, as text.
fn factor() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["x", "z", "x.1", "größe", "`my col`", "`a\\`b`", "arm"])
            .prop_map(str::to_owned),
        expression().prop_map(|e| format!("I({e})")),
        expression().prop_map(|e| format!("log({e})")),
        prop::sample::select(vec![
            "C(k)",
            "factor(k, ref = -2.50)",
            "C(`my col`, ref = \"a \\\" b\")",
            "i(p)",
            "i(p, x)",
            "i(p, x, ref = -1)",
            "i(p, ref = c(-1, \"never\"))",
            "poly(x, 3)",
            "poly(x + 1, 2, raw = TRUE)",
            "I(arm == 'b')",
            ".",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Any sum of products, as text.
fn sum() -> impl Strategy<Value = String> {
    let product = factor().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (
                inner.clone(),
                inner.clone(),
                prop::sample::select(vec![":", "*"])
            )
                .prop_map(|(a, b, o)| format!("{a}{o}{b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (inner.clone(), inner, 1..4).prop_map(|(a, b, k)| format!("({a} + b.0 + {b})^{k}")),
        ]
    });
    (
        prop::collection::vec(product, 1..4),
        prop::sample::select(vec!["", "0 + ", "-1 + ", "1 + "]),
    )
        .prop_map(|(terms, constant)| format!("{constant}{}", terms.join(" + ")))
}

/// Any formula, as text.
fn formula() -> impl Strategy<Value = String> {
    let outcome = prop_oneof![
        Just("y".to_owned()),
        Just("log(y)".to_owned()),
        expression().prop_map(|e| format!("y - {e}"))
    ];
    let rest = prop::sample::select(vec![
        "",
        " - x",
        "| fe",
        "| fe1 + `fe 2`^fe3",
        "| d ~ w",
        "| 0 | d1 + d2 ~ w1*C(w2)",
        "| fe | log(d):q ~ w1",
    ]);
    (outcome, sum(), rest).prop_map(|(y, x, rest)| format!("{y} ~ {x} {rest}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_canonical_text_parses_to_the_same_tree(text in formula()) {
        // `- x` of a formula without x, or that leaves nothing, and products without end are refused; everything else parses
        let parsed = Formula::from(&text).parse();
        if let Err(error) = &parsed {
            let refused = [
                "before it to remove",
                "nothing on the right",
                "products of terms",
                "factors",
            ];
            prop_assert!(refused.iter().any(|r| error.to_string().contains(r)), "{}", error);
            return Ok(());
        }
        let tree = parsed.unwrap();
        let again = Formula::from(tree.clone()).parse();
        prop_assert_eq!(again.as_ref(), Ok(&tree), "{} printed as {}", text, tree);
    }

    #[test]
    fn any_name_and_any_level_pass_through_the_builder(name in ".+", level in any::<String>(), number in any::<f64>()) {
        prop_assume!(name != "y");
        for level in [level, number.to_string()] {
            let built = Formula::outcome("y").regressor(&name).categorical_with_reference(&name, &level);
            let tree = Formula::from(built).parse().unwrap();
            prop_assert_eq!(&tree.variables()[1], &name);
            let expected = Factor::Categorical { column: name.clone(), reference: Some(level) };
            prop_assert_eq!(&tree.exogenous()[1].factors[0], &expected);
            prop_assert_eq!(Formula::from(tree.clone()).parse(), Ok(tree));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = Formula::from(text).parse();
    }

    #[test]
    fn no_sequence_of_tokens_makes_the_parser_panic(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "y", "~", "~", "x", "z", "+", "-", "*", "/", "^", ":", "(", ")", "|", ",", ".", "0", "1", "2", "I(", "log(",
            "C(", "i(", "poly(", "ref", "=", "==", "<", "\"a\"", "`b c`", "[", "]", "c(", "raw", "true", "ü",
        ]), 0..24)
    ) {
        let text = tokens.join(" ");
        match Formula::from(&text).parse() {
            Err(Error::Formula { position, .. }) => prop_assert!(position <= text.chars().count()),
            Err(other) => prop_assert!(false, "{other}"),
            Ok(tree) => prop_assert_eq!(Formula::from(tree.clone()).parse(), Ok(tree)),
        }
    }
}

//! Holds the special functions to tables of values that were computed with many more digits.

use cocreate::numeric::special::multivariate_normal::bivariate_cdf;
use cocreate::numeric::special::{
    beta, error_function, f, gamma, noncentral, normal, student_t, studentized_range,
    truncated_normal,
};

/// Relative accuracy that every function must hold; Φ has its own.
const TOLERANCE: f64 = 1e-12;
const NORMAL_TOLERANCE: f64 = 1e-13;

/// The computed value and, for functions whose values leave the range of `f64`, its logarithm.
struct Computed {
    value: f64,
    ln: Option<f64>,
}

impl Computed {
    fn new(value: f64) -> Self {
        Self { value, ln: None }
    }

    fn with_ln(value: f64, ln: f64) -> Self {
        Self {
            value,
            ln: Some(ln),
        }
    }
}

/// Evaluates a row; a function that is not known fails the test.
fn evaluate(function: &str, at: &[f64]) -> Computed {
    match (function, at) {
        ("erf", &[x]) => Computed::new(error_function::erf(x)),
        ("erfc", &[x]) => Computed::new(error_function::erfc(x)),
        ("erfcx", &[x]) => Computed::new(error_function::erfcx(x)),
        ("ncdf", &[x]) => Computed::with_ln(normal::cdf(x), normal::ln_cdf(x)),
        ("nppf", &[p]) => Computed::new(normal::quantile(p)),
        ("lgamma", &[x]) => Computed::new(gamma::ln_gamma(x)),
        ("digamma", &[x]) => Computed::new(gamma::digamma(x)),
        ("gammap", &[a, x]) => Computed::with_ln(
            gamma::lower_regularized(a, x),
            gamma::ln_lower_regularized(a, x),
        ),
        ("gammaq", &[a, x]) => Computed::with_ln(
            gamma::upper_regularized(a, x),
            gamma::ln_upper_regularized(a, x),
        ),
        ("betareg", &[a, b, x]) => {
            Computed::with_ln(beta::regularized(a, b, x), beta::ln_regularized(a, b, x))
        }
        ("betaupper", &[a, b, x]) => Computed::with_ln(
            beta::upper_regularized(a, b, x),
            beta::ln_upper_regularized(a, b, x),
        ),
        ("trigamma", &[x]) => Computed::new(gamma::trigamma(x)),
        ("tcdf", &[t, df]) => Computed::with_ln(student_t::cdf(t, df), student_t::ln_sf(-t, df)),
        ("tppf", &[p, df]) => Computed::new(student_t::quantile(p, df)),
        ("gammaqtl", &[a, p]) => Computed::new(gamma::quantile(a, p)),
        ("gammauqtl", &[a, q]) => Computed::new(gamma::upper_quantile(a, q)),
        ("betaqtl", &[a, b, p]) => Computed::new(beta::quantile(a, b, p)),
        ("tuqtl", &[q, df]) => Computed::new(student_t::upper_quantile(q, df)),
        ("fqtl", &[p, numerator, denominator]) => {
            Computed::new(f::quantile(p, numerator, denominator))
        }
        ("nctcdf", &[t, df, delta]) => Computed::new(noncentral::t_cdf(t, df, delta)),
        ("nctsf", &[t, df, delta]) => Computed::new(noncentral::t_sf(t, df, delta)),
        ("ncx2cdf", &[x, df, lambda]) => Computed::new(noncentral::chi_squared_cdf(x, df, lambda)),
        ("ncx2sf", &[x, df, lambda]) => Computed::new(noncentral::chi_squared_sf(x, df, lambda)),
        ("ncfcdf", &[x, a, b, lambda]) => Computed::new(noncentral::f_cdf(x, a, b, lambda)),
        ("ncfsf", &[x, a, b, lambda]) => Computed::new(noncentral::f_sf(x, a, b, lambda)),
        ("bvncdf", &[h, k, rho]) => Computed::new(bivariate_cdf(h, k, rho)),
        ("tnmean", &[a, b]) => Computed::new(truncated_normal::mean(a, b)),
        ("tnvar", &[a, b]) => Computed::new(truncated_normal::variance(a, b)),
        ("tnlnmass", &[a, b]) => Computed::new(truncated_normal::ln_mass(a, b)),
        ("tnppf", &[p, a, b]) => Computed::new(truncated_normal::quantile(p, a, b)),
        ("srsf", &[q, groups, df]) => Computed::new(studentized_range::sf(q, groups, df)),
        _ => panic!("no function `{function}` of {} arguments", at.len()),
    }
}

/// The natural logarithm of a positive decimal, also beyond the range of `f64`.
fn ln_of_decimal(text: &str) -> f64 {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    mantissa.parse::<f64>().unwrap().ln()
        + exponent.parse::<f64>().unwrap() * std::f64::consts::LN_10
}

/// Relative error of the value and, where given, the error of the logarithm: relative to the logarithm when that is
/// large (its own rounding), otherwise relative to the value.
fn error(computed: &Computed, expected: &str) -> f64 {
    let reference: f64 = expected.parse().unwrap();
    let linear = if reference == 0.0 || reference.is_infinite() || computed.value == reference {
        f64::from(computed.value != reference)
    } else if reference.abs() < f64::MIN_POSITIVE {
        // A subnormal number has fewer digits: its spacing is the best that can be had.
        let spacing = 2.0_f64.powi(-1074);
        if (computed.value - reference).abs() <= spacing {
            0.0
        } else {
            1.0
        }
    } else {
        (computed.value / reference - 1.0).abs()
    };
    let logarithmic = computed.ln.map_or(0.0, |ln| {
        let reference = ln_of_decimal(expected);
        (ln - reference).abs() / reference.abs().max(1.0)
    });
    // NaN must not pass as small.
    if linear.is_nan() || logarithmic.is_nan() {
        f64::INFINITY
    } else {
        linear.max(logarithmic)
    }
}

fn check(table: &str) {
    let mut worst: Vec<(f64, String)> = Vec::new();
    let mut failures = Vec::new();
    let mut rows = 0;
    for line in table.lines().filter(|l| !l.starts_with('#')).skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (function, value) = (cells[0], cells[cells.len() - 1]);
        let at: Vec<f64> = cells[1..cells.len() - 1]
            .iter()
            .filter(|c| !c.is_empty())
            .map(|c| c.parse().unwrap())
            .collect();
        let computed = evaluate(function, &at);
        let error = error(&computed, value);
        let tolerance = if function == "ncdf" {
            NORMAL_TOLERANCE
        } else {
            TOLERANCE
        };
        if error > tolerance {
            failures.push(format!("{line}: {:e}, off by {error:.1e}", computed.value));
        }
        worst.push((error, line.to_owned()));
        rows += 1;
    }
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("{rows} rows; digits of agreement of the worst:");
    for (error, line) in worst.iter().take(12) {
        println!("  {:5.1}  {line}", -error.max(1e-17).log10());
    }
    assert!(rows > 0);
    assert!(
        failures.is_empty(),
        "{} rows fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn reference_table() {
    check(include_str!("../reference/special_functions.csv"));
}

#[test]
fn further_table() {
    check(include_str!("../reference/special_functions_more.csv"));
}

//! Statistical research on e-commerce co-creation: customers who design, configure, learn, review, share data and so
//! help to produce what they buy.
//!
//! A researcher's data flow one way through the crate: a [`Frame`](data::Frame) is read, a [`Formula`](data::Formula) says what is
//! explained by what, an estimator such as [`Ols`](regression::Ols) or [`Iv`](regression::Iv) fits it, the verbs of
//! [`Inference`](inference::Inference) turn estimates into statements, and a [`Table`](report::Table) or
//! [`Figure`](report::Figure) goes into the paper.
//!
//! ```
//! use cocreate::prelude::*;
//! let people = datasets::load("nsw")?; // your own file: Frame::read_csv("customers.csv")?
//! let fit = Ols::new("re78 ~ treat + age + educ").fit(&people)?;
//! println!("{fit}");
//! let effect = fit.with_covariance(Covariance::Hc3)?.coefficient("treat")?; // nothing is fitted again
//! assert!(effect.p_value() < 0.05);
//! assert!(fit.wald(&["age = 0", "educ = 0"])?.p_value < 0.1);
//! let table = ModelTable::new("Earnings in 1978")
//!     .model("raw", &Ols::new("re78 ~ treat").fit(&people)?)
//!     .model("adjusted", &fit);
//! assert!(table.to_latex().contains("toprule"));
//! # Ok::<(), cocreate::Error>(())
//! ```
//!
//! # Rooms
//!
//! Each uses only those above it; [`numeric`] and [`report`] know no statistics.
//!
//! | room | what is in it |
//! |---|---|
//! | [`numeric`] | special functions, linear algebra, optimisers, quadrature, quasi-random draws, [`Seed`], [`Progress`] |
//! | [`report`] | tables (text, HTML, LaTeX, Markdown, CSV, JSON), figures (SVG), pages |
//! | [`data`] | [`Frame`](data::Frame), CSV, formulas, design matrices, [`datasets`] |
//! | [`summary`] | statistics of blocks of rows that can be merged |
//! | [`inference`] | [`Covariance`](inference::Covariance), intervals, tests, bootstrap, randomisation, multiplicity, models side by side |
//! | [`decision`] | what a customer of given belief, cost and terms does: belief updating, value, timing, effort |
//! | [`simulate`] | customers and experiments with a known truth; the Monte Carlo runner |
//! | [`regression`] | least squares, fixed effects, instruments; likelihood models; quantiles; [`learners`](regression::learners) |
//! | [`customer`] | time until customers churn, buy again or finish: survival curves and models |
//! | [`causal`] | effects of treatments: cross-fitting, doubly robust scores, average effects |
//! | [`experiment`] | A/B and multi-arm tests: metrics, adjustment, streams of sufficient statistics, planning |
//! | [`experiment`] | power and sample size; designs: how treatment is assigned, and the analysis that respects it |
//! | [`experiment`] | A/B and multi-arm tests: trust checks, networks, encouragement, triggering, interleaving, surrogates |
//! | [`uplift`] | who responds: meta-learners and causal forests, curves, calibration, policies and budgets |
//! | [`ability`] | item response models, scores and their uncertainty |
//! | [`choice`] | discrete choice: dynamic programmes of customers who look ahead |
//! | [`participation`] | willingness to participate under uncertainty, and what identifies it |
//!
//! # Conventions
//!
//! Results are owned, cloneable and serialisable; they print as tables and show themselves in evcxr notebooks. A missing number
//! is NaN; rows with missing values are dropped and counted in the warnings of the result. Whatever can go wrong with data is
//! an [`Error`] whose sentence names the column, the row and the remedy. The same data and seed give the same bits on any
//! number of threads. The library never prints.
//!
//! # Features
//!
//! `parallel` (default): use all cores. Without it the results are the same bits.
//!
//! The README has two commands to start with, a notebook recipe, and a table for those who come from R, Stata or Python.
#![cfg_attr(test, allow(clippy::float_cmp))]

pub mod ability;
pub mod causal;
pub mod choice;
pub mod customer;
pub mod data;
pub mod decision;
pub mod error;
pub mod experiment;
pub mod inference;
pub mod numeric;
pub mod participation;
pub mod prelude;
pub mod regression;
pub mod report;
pub mod simulate;
pub mod summary;
pub mod uplift;

pub use data::datasets;
pub use error::{Error, Result, Warning};
pub use numeric::{Progress, Seed};

/// The README's example is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

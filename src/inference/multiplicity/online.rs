//! Tests that arrive one after the other for ever, with the false discovery rate held at every moment.

use crate::error::{Error, Result};
use crate::report::{Cell, Figure, LinePlot, Table, shown};
use serde::{Deserialize, Serialize};

/// `Σ j^{-1.6}`, so that `γ_j = j^{-1.6}/ζ(1.6)` sums to one.
const ZETA: f64 = 2.285_765_665_680_129_3;

/// C of Javanmard & Montanari's sequence `γ_j = C ln(max(j, 2))/(j exp √(ln j))`, as they print it; it sums to 0.976.
const LOG_DECAY: f64 = 0.077_208_38;

/// A stream of tests of which the false discovery rate is at most α whenever one stops. Each p-value is compared with a level that is known before it
/// comes; a discovery earns wealth for later tests. With a sequence γ that falls and sums to at most one, discoveries at times `τ₁ < τ₂ < …` and initial wealth W:
///
/// | rule | level of test t | false discovery rate at most α when |
/// |---|---|---|
/// | [`lord`](Self::lord) (LORD++) | `W γ_t + (α − W) γ_{t−τ₁} + α Σ_{j≥2} γ_{t−τ_j}` | p-values of true nulls are independent of each other and of the rest |
/// | [`saffron`](Self::saffron) | the same with `1 − λ` in front, t counting only p-values above λ, at most λ | the same |
/// | [`addis`](Self::addis) | the same with `τ − λ` in front, t counting only p-values in (λ, τ], at most λ | the same, and p-values of true nulls are uniformly conservative: `P(p ≤ xy given p ≤ y) ≤ x`, as those of one-sided tests inside the null |
/// | [`lond`](Self::lond) | `α γ_t (discoveries so far + 1)` | p-values depend positively (PRDS); any dependence with e-values, see [`push_e_value`](Self::push_e_value) |
///
/// LORD++, SAFFRON and ADDIS hold the marginal rate (expected false over expected discoveries) when each p-value of a true null is valid given the tests before
/// it; they promise nothing for tests that share rows or arms in other ways (with scores correlated by 0.8 SAFFRON at 0.1 has a rate of 0.18). SAFFRON gains where many nulls are false, ADDIS where nulls are conservative
/// (one-sided tests of harmful variants).
///
/// Tests that overlap in time are started and finished apart: [`start`](Self::start) gives the level, from what was decided until then, and [`finish`](Self::finish) takes the p-value. A discovery then
/// counts from the moment when it is known: `τ_j` is the number of tests started until it was decided, and a test that runs is taken for one that is no candidate. These are LORD*, SAFFRON* and
/// LOND* of Zrnic et al., and ADDIS* of Tian & Ramdas; they hold the marginal rate when each p-value of a true null is valid given what was decided before its test started (the rate itself, with independent p-values).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `initial_wealth` | α/2 | W | (0, α] |
/// | `candidate` | ½ SAFFRON, ¼ ADDIS | λ: p-values below are candidates | (0, τ) |
/// | `discard` | ½ ADDIS | τ: p-values above are passed over | (λ, 1] |
///
/// γ is `j^{-1.6}/ζ(1.6)`; for LORD++ and LOND Javanmard & Montanari's `0.07720838 ln(max(j, 2))/(j exp √(ln j))`. The state is small, and survives a restart through serde.
///
/// # Errors
/// [`Error::OutOfRange`] for a p-value outside [0, 1] or an e-value that is negative, with the number of the test; [`Error::InvalidOption`] for options outside their range, of
/// another rule, or set after a test.
///
/// # References
/// - Javanmard, A. & Montanari, A. (2018). Online rules for control of false discovery rate and false discovery exceedance. *Annals of Statistics* 46(2), 526–554. doi:10.1214/17-AOS1559
/// - Ramdas, A., Yang, F., Wainwright, M. J. & Jordan, M. I. (2017). Online control of the false discovery rate with decaying memory. *NeurIPS* 30, 5650–5659.
/// - Ramdas, A., Zrnic, T., Wainwright, M. J. & Jordan, M. I. (2018). SAFFRON: an adaptive algorithm for online control of the false discovery rate. *ICML*, PMLR 80, 4286–4294.
/// - Tian, J. & Ramdas, A. (2019). ADDIS: an adaptive discarding algorithm for online FDR control with conservative nulls. *NeurIPS* 32, 9388–9396.
/// - Zrnic, T., Ramdas, A. & Jordan, M. I. (2021). Asynchronous online testing of multiple hypotheses. *JMLR* 22(33), 1–39.
/// - Xu, Z. & Ramdas, A. (2024). Online multiple testing with e-values. *AISTATS*, PMLR 238, 3997–4005.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut tests = OnlineFdr::saffron(0.05)?;
/// let first = tests.push("new form", 2.9e-8)?;
/// assert!(first.rejected && (first.level - 0.005_468_627).abs() < 1e-9);
/// assert!(!tests.push("new colour", 0.067_43)?.rejected);
/// assert_eq!(tests.rejected(), 1);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnlineFdr {
    rule: Rule,
    alpha: f64,
    wealth: f64,
    candidate: f64,
    discard: f64,
    /// Tests that count: neither candidates nor passed over.
    clock: usize,
    /// The clock at each discovery, and how many share it.
    discoveries: Vec<Discoveries>,
    decisions: Vec<OnlineDecision>,
    /// Tests that were started.
    #[serde(default)]
    started: usize,
    #[serde(default)]
    running: Vec<RunningTest>,
    #[serde(skip)]
    gammas: Gammas,
}

/// The sequence γ as far as it was needed: made from the rule, and so no part of the state.
#[derive(Clone, Debug, Default)]
struct Gammas(Vec<f64>);

impl PartialEq for Gammas {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Rule {
    Lord,
    Saffron,
    Addis,
    Lond,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Discoveries {
    clock: usize,
    count: usize,
    /// Tests that were started before.
    #[serde(default)]
    started: usize,
}

/// A test that was started and is not decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunningTest {
    /// Its number in the stream, from 1: what [`OnlineFdr::finish`] asks for.
    pub number: usize,
    /// What is tested.
    pub name: String,
    /// The level that its p-value will be compared with.
    pub level: f64,
}

/// One test of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnlineDecision {
    /// What is tested.
    pub name: String,
    /// Its p-value; of an e-value, one over it.
    pub p_value: f64,
    /// The level that it was compared with.
    pub level: f64,
    /// Whether the p-value is at most the level: a discovery.
    pub rejected: bool,
}

impl OnlineFdr {
    /// LORD++.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn lord(alpha: f64) -> Result<Self> {
        Self::of(Rule::Lord, alpha, 0.0, 1.0)
    }

    /// SAFFRON.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn saffron(alpha: f64) -> Result<Self> {
        Self::of(Rule::Saffron, alpha, 0.5, 1.0)
    }

    /// ADDIS.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn addis(alpha: f64) -> Result<Self> {
        Self::of(Rule::Addis, alpha, 0.25, 0.5)
    }

    /// LOND; with e-values, e-LOND.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn lond(alpha: f64) -> Result<Self> {
        Self::of(Rule::Lond, alpha, 0.0, 1.0)
    }

    fn of(rule: Rule, alpha: f64, candidate: f64, discard: f64) -> Result<Self> {
        super::check_alpha(alpha)?;
        Ok(Self {
            rule,
            alpha,
            wealth: alpha / 2.0,
            candidate,
            discard,
            clock: 0,
            discoveries: vec![],
            decisions: vec![],
            started: 0,
            running: vec![],
            gammas: Gammas::default(),
        })
    }

    /// W: what is there to be spent before the first discovery.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn initial_wealth(mut self, wealth: f64) -> Result<Self> {
        let fits = wealth > 0.0 && wealth <= self.alpha && self.rule != Rule::Lond;
        self.wealth = self.option(
            "initial_wealth",
            wealth,
            fits,
            "positive, at most alpha, and not of LOND",
        )?;
        Ok(self)
    }

    /// λ of SAFFRON and ADDIS.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn candidate(mut self, candidate: f64) -> Result<Self> {
        let fits = self.adaptive() && candidate > 0.0 && candidate < self.discard;
        let expected = "positive, below `discard`, and of SAFFRON or ADDIS";
        self.candidate = self.option("candidate", candidate, fits, expected)?;
        Ok(self)
    }

    /// τ of ADDIS.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn discard(mut self, discard: f64) -> Result<Self> {
        let fits = self.rule == Rule::Addis && discard > self.candidate && discard <= 1.0;
        let expected = "above `candidate`, at most 1, and of ADDIS";
        self.discard = self.option("discard", discard, fits, expected)?;
        Ok(self)
    }

    fn option(&self, name: &str, value: f64, fits: bool, expected: &str) -> Result<f64> {
        if fits && self.started == 0 {
            return Ok(value);
        }
        Err(Error::invalid_option(
            name,
            value,
            format!("{expected}; set before the first test"),
        ))
    }

    fn adaptive(&self) -> bool {
        matches!(self.rule, Rule::Saffron | Rule::Addis)
    }

    /// The level that the next p-value will be compared with.
    pub fn next_level(&self) -> f64 {
        if self.rule == Rule::Lond {
            let factor = self.rejected() as f64 + 1.0;
            return (self.alpha * self.gamma(self.clock + 1) * factor).min(1.0);
        }
        let mut earned = self.wealth * self.gamma(self.clock + 1);
        let mut reward = self.alpha - self.wealth;
        for discovery in &self.discoveries {
            // The first discovery gives back the initial wealth.
            let gamma = self.gamma(self.clock - discovery.clock + 1);
            earned += (reward + self.alpha * (discovery.count as f64 - 1.0)) * gamma;
            reward = self.alpha;
        }
        if self.adaptive() {
            ((self.discard - self.candidate) * earned).min(self.candidate)
        } else {
            earned
        }
    }

    fn gamma(&self, j: usize) -> f64 {
        let known = self.gammas.0.get(j - 1).copied();
        known.unwrap_or_else(|| self.new_gamma(j as f64))
    }

    fn new_gamma(&self, j: f64) -> f64 {
        if self.adaptive() {
            j.powf(-1.6) / ZETA
        } else {
            LOG_DECAY * j.max(2.0).ln() / (j * j.ln().sqrt().exp())
        }
    }

    /// Starts a test, whose level is known from here on.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let mut tests = OnlineFdr::lord(0.05)?;
    /// let (form, colour) = (tests.start("form"), tests.start("colour"));
    /// assert!(tests.finish(colour.number, 0.3)?.level < form.level);
    /// assert!(tests.finish(form.number, 1e-6)?.rejected);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn start(&mut self, name: impl Into<String>) -> RunningTest {
        while self.gammas.0.len() <= self.clock {
            let next = self.new_gamma((self.gammas.0.len() + 1) as f64);
            self.gammas.0.push(next);
        }
        let test = RunningTest {
            number: self.started + 1,
            name: name.into(),
            level: self.next_level(),
        };
        self.started += 1;
        self.clock += 1;
        self.running.push(test.clone());
        test
    }

    /// Decides on a test that was [started](Self::start), by its number.
    ///
    /// # Errors
    /// See [`OnlineFdr`]; [`Error::InvalidOption`] for a number of no test that runs. After an error the test still runs.
    pub fn finish(&mut self, number: usize, p_value: f64) -> Result<OnlineDecision> {
        self.check_p_value(p_value)?;
        let place =
            (self.running.iter().rposition(|test| test.number == number)).ok_or_else(|| {
                Error::invalid_option(
                    "number",
                    number,
                    "that of a test which was started and is not decided: see `running()`",
                )
            })?;
        let RunningTest { name, level, .. } = self.running.remove(place);
        let candidate = self.adaptive() && p_value <= self.candidate;
        if candidate || p_value > self.discard {
            // It does not count after all: not from the start, and not since discoveries before its own.
            self.clock -= 1;
            for later in self.discoveries.iter_mut().rev() {
                if later.started < number {
                    break;
                }
                later.clock -= 1;
            }
        }
        let rejected = p_value <= level;
        if rejected {
            let (clock, started) = (self.clock, self.started);
            match self.discoveries.last_mut() {
                Some(last) if last.clock == clock && self.running.is_empty() => last.count += 1,
                _ => self.discoveries.push(Discoveries {
                    clock,
                    count: 1,
                    started,
                }),
            }
        }
        let decision = OnlineDecision {
            name,
            p_value,
            level,
            rejected,
        };
        self.decisions.push(decision.clone());
        Ok(decision)
    }

    /// Decides on the next test at once.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn push(&mut self, name: impl Into<String>, p_value: f64) -> Result<OnlineDecision> {
        self.check_p_value(p_value)?;
        let number = self.start(name).number;
        self.finish(number, p_value)
    }

    fn check_p_value(&self, p_value: f64) -> Result<()> {
        self.check(
            "p-values",
            p_value,
            (0.0..=1.0).contains(&p_value),
            "between 0 and 1; leave out tests without a p-value",
        )
    }

    /// Tests that were started and are not decided.
    pub fn running(&self) -> &[RunningTest] {
        &self.running
    }

    /// Decides on the next test from an e-value, one over which is a p-value. With [`lond`](Self::lond) this is e-LOND: the rate is held under any dependence of the e-values.
    ///
    /// # Errors
    /// See [`OnlineFdr`].
    pub fn push_e_value(
        &mut self,
        name: impl Into<String>,
        e_value: f64,
    ) -> Result<OnlineDecision> {
        self.check("e-values", e_value, e_value >= 0.0, "zero or more")?;
        self.push(name, super::e_value::to_p_value(e_value))
    }

    fn check(&self, column: &str, value: f64, fits: bool, expected: &str) -> Result<()> {
        if fits {
            return Ok(());
        }
        Err(Error::OutOfRange {
            column: column.to_owned(),
            row: self.decisions.len() + 1,
            value,
            expected: expected.to_owned(),
        })
    }

    /// All tests so far.
    pub fn decisions(&self) -> &[OnlineDecision] {
        &self.decisions
    }

    /// Discoveries so far.
    pub fn rejected(&self) -> usize {
        self.discoveries.iter().map(|d| d.count).sum()
    }

    fn name(&self) -> &'static str {
        match self.rule {
            Rule::Lord => "LORD++",
            Rule::Saffron => "SAFFRON",
            Rule::Addis => "ADDIS",
            Rule::Lond => "LOND",
        }
    }

    /// One row a test.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("{} tests of a stream", self.decisions.len()))
            .columns(["", "p", "Level", "Rejected"])
            .note(format!(
                "{}; false discovery rate {}",
                self.name(),
                self.alpha
            ));
        for d in &self.decisions {
            table = table.row([
                Cell::from(d.name.as_str()),
                Cell::p_value(d.p_value),
                Cell::significant(d.level, 3),
                Cell::from(if d.rejected { "yes" } else { "no" }),
            ]);
        }
        table
    }

    /// Levels over the tests, on a scale of powers of ten.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] before the first test.
    pub fn figure(&self) -> Result<Figure> {
        let x: Vec<f64> = (1..=self.decisions.len()).map(|i| i as f64).collect();
        let level: Vec<f64> = self.decisions.iter().map(|d| d.level.log10()).collect();
        LinePlot::new()
            .title(format!("{}: level of each test", self.name()))
            .x_title("Test")
            .y_title("log10 level")
            .line("level", x, level)
            .draw()
    }
}

shown!(OnlineFdr);

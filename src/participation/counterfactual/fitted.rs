//! The customers of a fitted joint model, at its estimates or elsewhere, and what columns of its design do to them.

use super::customer::{Conditions, MarketCustomer};
use super::engine::{Engine, Placed};
use super::market::rule_for;
use super::policy::{Moved, Policy};
use super::support::set;
use crate::data::{DesignColumn, Frame, elsewhere};
use crate::decision::{Cost, Preferences, Task, TasteShock, Terms, hypothetical};
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::participation::JointWillingnessFit;
use nalgebra::DMatrix;

/// The fit behind a market, and what is said of its customers.
#[derive(Clone, Debug)]
pub(super) struct FittedCustomers {
    pub(super) fit: JointWillingnessFit,
    pub(super) frame: Frame,
    pub(super) price: Option<f64>,
    pub(super) work_cost: Option<f64>,
    pub(super) risk_aversion: Option<f64>,
    pub(super) base: Vec<(String, f64)>,
}

/// The equations of the joint model, by their names.
const EQUATIONS: [&str; 4] = ["ability", "overconfidence", "success", "choice"];

/// The regressors of the four equations on some rows; none where the model does not have the equation.
type Designs = [Option<Equation>; 4];

#[derive(Clone, Debug)]
struct Equation {
    coefficients: Vec<usize>,
    columns: Vec<Vec<f64>>,
}

impl Equation {
    fn at(&self, row: usize, beta: &[f64]) -> f64 {
        let pairs = self.columns.iter().zip(&self.coefficients);
        pairs.map(|(x, k)| x[row] * beta[*k]).sum()
    }
}

fn indices(designs: &Designs, row: usize, beta: &[f64]) -> [f64; 4] {
    std::array::from_fn(|k| designs[k].as_ref().map_or(0.0, |e| e.at(row, beta)))
}

/// The designs of what stands and of each policy.
#[derive(Clone, Debug)]
pub(super) struct FittedEngine {
    fit: JointWillingnessFit,
    weights: Vec<f64>,
    base: Designs,
    policies: Vec<PolicyDesigns>,
    price: f64,
    work_cost: f64,
    risk_aversion: f64,
    /// What is paid on failure as things stand.
    guarantees: Vec<f64>,
    conditions: Conditions,
}

#[derive(Clone, Debug)]
struct PolicyDesigns {
    moved: Moved,
    /// With the columns of lessons set, and with those of tools as well; none where none are.
    lessons: Option<Designs>,
    tools: Option<Designs>,
}

impl FittedCustomers {
    pub(super) fn of(fit: &JointWillingnessFit) -> Result<Self> {
        if fit.money_column().is_none() {
            return Err(Error::Unidentified {
                what: "what choices are worth in money".to_owned(),
                needs: "a regressor in money (JointWillingness::money)".to_owned(),
            });
        }
        if !fit.names().iter().any(|name| name == "ln_sd_ability") {
            return Err(Error::Unidentified {
                what: "the success of customers under a policy".to_owned(),
                needs: "success in the model (JointWillingness::success)".to_owned(),
            });
        }
        if fit.names().iter().any(|name| name == "effort.belief") {
            return Err(Error::Unidentified {
                what: "what customers do under a policy that moves their effort".to_owned(),
                needs: "a model without the block of effort (JointWillingness::effort): customers of a market choose the best effort without error".to_owned(),
            });
        }
        Ok(Self {
            frame: fit.likelihood().parts("a counterfactual")?.frame.clone(),
            fit: fit.clone(),
            price: None,
            work_cost: None,
            risk_aversion: None,
            base: vec![],
        })
    }

    pub(super) fn engine(&self, policies: &[Policy], conditions: Conditions) -> Result<Engine> {
        let mut warnings = vec![];
        self.check_support("the market", &self.base, &mut warnings)?;
        for (name, money) in [("price", self.price), ("work_cost", self.work_cost)] {
            if let Some(money) = money
                && !money.is_finite()
            {
                let expected = "a finite number of money";
                return Err(Error::invalid_option(name, money, expected));
            }
        }
        for policy in policies {
            self.check(policy, &mut warnings)?;
        }
        let estimated = self.fit.guarantee_column().is_some();
        if let (true, Some(said)) = (estimated, self.risk_aversion) {
            let expected = "left out: it was estimated from the guarantees of the data";
            return Err(Error::invalid_option("risk_aversion", said, expected));
        }
        let (name, r) = ("risk_aversion", self.risk_aversion.unwrap_or(0.0));
        if !(r >= 0.0 && r.is_finite()) {
            return Err(Error::invalid_option(
                name,
                r,
                "zero or a positive finite number",
            ));
        }
        if conditions.interim.count() > 0 || conditions.hold_up.is_some() {
            return Err(Error::invalid_option(
                "interim or holds_up",
                "set",
                "left out in a fitted market: its model has one decision",
            ));
        }
        let frame = set(&self.frame, &self.base)?;
        let (base, positions) = self.designs(&frame)?;
        let designs = |frame: &Frame| -> Result<Designs> {
            let (designs, others) = self.designs(frame)?;
            if others == positions {
                Ok(designs)
            } else {
                Err(Error::invalid_option(
                    "columns of a policy",
                    "missing values",
                    "values that are known for the same customers",
                ))
            }
        };
        let prepared = policies.iter().map(|policy| {
            let taught = set(&frame, &policy.lessons)?;
            let lessons = (!policy.lessons.is_empty())
                .then(|| designs(&taught))
                .transpose()?;
            let tools = if policy.tools.is_empty() {
                None
            } else {
                Some(designs(&set(&taught, &policy.tools)?)?)
            };
            Ok(PolicyDesigns {
                moved: Moved::of(policy),
                lessons,
                tools,
            })
        });
        let mut conditions = conditions;
        let own = self.fit.structure(self.fit.estimates().as_slice())?;
        if own.money <= 0.0 {
            return Err(Error::Unidentified {
                what: "what choices are worth in money".to_owned(),
                needs: format!("a positive coefficient of money: it is {}", own.money),
            });
        }
        conditions.rule = rule_for(own.taste.abs() * own.sd_belief.max(own.sd_ability))?;
        if conditions.signal_variance.is_nan()
            && let Some(variance) = own.signal_variance
        {
            conditions.signal_variance = variance;
        } else if conditions.signal_variance.is_nan() && policies.iter().any(|p| p.signals > 0) {
            return Err(Error::Unidentified {
                what: "the information of a policy".to_owned(),
                needs: "signals in the model, or their variance (Market::signal_variance)"
                    .to_owned(),
            });
        }
        let weights = self.weights(&frame, &positions);
        let guarantees = match self.fit.guarantee_column() {
            None => vec![0.0; positions.len()],
            Some(column) => {
                let column = frame.numeric(column)?;
                let values = column.values();
                positions.iter().map(|i| values[*i]).collect()
            }
        };
        let basis = format!(
            "Standard errors: those of the estimates ({}), for these customers.",
            self.fit.covariance_kind()
        );
        let engine = FittedEngine {
            fit: self.fit.clone(),
            weights,
            base,
            policies: prepared.collect::<Result<_>>()?,
            price: self.price.unwrap_or(0.0),
            work_cost: self.work_cost.unwrap_or(0.0),
            risk_aversion: r,
            guarantees,
            conditions,
        };
        Ok(Engine::fitted(engine, warnings, basis))
    }

    /// The regressors of the equations on a frame, and the rows that are complete.
    fn designs(&self, frame: &Frame) -> Result<(Designs, Vec<usize>)> {
        let predictor = self.fit.likelihood().predictor()?;
        let formulas = predictor
            .formulas
            .iter()
            .map(crate::data::Formula::parse)
            .collect::<Result<Vec<_>>>()?;
        let rows = vec![predictor.rows; formulas.len()];
        let there = elsewhere(&formulas, predictor.frame, &rows, frame, &[])?;
        let mut columns = there.columns.iter();
        let mut designs: Designs = [None, None, None, None];
        let mut at = 0;
        for index in predictor.indices {
            let mut coefficients: Vec<usize> = (at..at + index.parameters()).collect();
            at += index.parameters();
            if !index.is_equation() {
                continue;
            }
            let own: &[DesignColumn] = columns.next().map_or(&[], Vec::as_slice);
            let index = index.elsewhere(own, None)?;
            let which = EQUATIONS.iter().position(|e| *e == index.equation);
            if let Some(which) = which {
                let mut columns = index.raw_columns(&there.rows);
                // Where guarantees make money a parameter of its own, it stands outside the regressors of the choice.
                let apart = self.fit.money_column().filter(|money| {
                    EQUATIONS[which] == "choice" && !index.regressors().any(|name| name == *money)
                });
                if let Some(money) = apart
                    && let Some(k) = (self.fit.names().iter())
                        .position(|name| name.strip_prefix("choice.") == Some(money))
                {
                    let values = frame.numeric(money)?;
                    columns.push(
                        there
                            .positions
                            .iter()
                            .map(|i| values.values()[*i])
                            .collect(),
                    );
                    coefficients.push(k);
                }
                designs[which] = Some(Equation {
                    coefficients,
                    columns,
                });
            }
        }
        Ok((designs, there.positions))
    }

    /// The weights of the fit where the customers are its own, else one each.
    fn weights(&self, frame: &Frame, positions: &[usize]) -> Vec<f64> {
        let Ok(predictor) = self.fit.likelihood().predictor() else {
            return vec![1.0; positions.len()];
        };
        let same =
            frame.rows() == predictor.frame.rows() && positions.len() == predictor.rows.len();
        match predictor.weights {
            Some(weights) if same => weights.to_vec(),
            _ => vec![1.0; positions.len()],
        }
    }
}

impl FittedEngine {
    pub(super) fn estimates(&self) -> &[f64] {
        self.fit.estimates().as_slice()
    }

    pub(super) fn covariance(&self) -> &DMatrix<f64> {
        Inference::covariance(&self.fit)
    }

    /// The parameters that the market depends on: not those of items, reports and ratings.
    pub(super) fn moving(&self) -> Vec<usize> {
        let of_equation = |k: usize| {
            let mut equations = self.base.iter().flatten();
            equations.any(|e| e.coefficients.contains(&k))
        };
        let structural = JointWillingnessFit::STRUCTURE;
        let names = self.fit.names().iter().enumerate();
        let kept = names.filter(|(k, name)| of_equation(*k) || structural.contains(&name.as_str()));
        kept.map(|(k, _)| k).collect()
    }

    /// The customers at these parameters.
    pub(super) fn place(&self, beta: &[f64]) -> Result<Placed> {
        let s = self.fit.structure(beta)?;
        let taste = s.taste / s.money;
        let r = s.risk_aversion.unwrap_or(self.risk_aversion);
        let alpha = match s.uncertainty {
            Some(lambda) => -2.0 * lambda * s.money / (s.taste * s.taste),
            // Form 3, where guarantees are in the data and numbers of signals do not differ.
            None => s.risk_aversion.unwrap_or(0.0),
        };
        let preferences = Preferences::ambiguity_of_any_sign(r, alpha);
        let premium = 0.5 * r * taste * taste;
        // In form 3 the constant of the choice has the premium of the belief's variance.
        let of_belief = match s.uncertainty {
            Some(_) => 0.0,
            None => 0.5 * alpha * taste * taste * s.prior_variance,
        };
        let mut conditions = self.conditions.clone();
        conditions.shock = if s.money > 0.0 {
            TasteShock::Probit(1.0 / s.money)
        } else {
            TasteShock::Probit(f64::NAN)
        };
        let rows = self.weights.len();
        let mut customers = Vec::with_capacity(rows);
        let mut moved: Vec<Vec<Moved>> = (self.policies.iter())
            .map(|p| {
                let same = p.lessons.is_none() && p.tools.is_none();
                if same {
                    vec![p.moved]
                } else {
                    Vec::with_capacity(rows)
                }
            })
            .collect();
        for (i, weight) in self.weights.iter().enumerate() {
            let base = indices(&self.base, i, beta);
            let [ability, over, success, choice] = base;
            let terms = Terms {
                price: self.price,
                taste,
                outside: taste * success
                    - premium
                    - self.price
                    - self.work_cost
                    - choice / s.money
                    - of_belief,
                guarantee: self.guarantees[i],
                value_abandon: f64::NEG_INFINITY,
                ..Terms::default()
            };
            let task = Task {
                difficulty: -success,
                effort_return: 0.0,
            };
            let cost = Cost::material(self.work_cost);
            customers.push(MarketCustomer {
                weight: *weight,
                situation: hypothetical(preferences, cost, task, terms),
                ability,
                ability_sd: s.sd_ability,
                belief: ability + over,
                belief_sd: s.sd_belief,
                rho: s.rho,
                belief_variance: s.prior_variance,
            });
            for (policy, moved) in self.policies.iter().zip(&mut moved) {
                if policy.lessons.is_some() || policy.tools.is_some() {
                    moved.push(policy.moved_at(i, base, beta, [s.taste, s.money])?);
                }
            }
        }
        Ok(Placed {
            customers,
            moved,
            conditions,
            alike: true,
        })
    }
}

impl PolicyDesigns {
    /// What the columns of the policy do to a customer. Productivity moves ability, the belief and success; what a lesson adds to the choice beyond is
    /// persuasion. A tool eases the task, and what it adds to the choice beyond is money.
    fn moved_at(
        &self,
        row: usize,
        base: [f64; 4],
        beta: &[f64],
        [taste, money]: [f64; 2],
    ) -> Result<Moved> {
        let mut moved = self.moved;
        let mut now = base;
        if let Some(designs) = &self.lessons {
            let then = indices(designs, row, beta);
            let [ability, over, success, choice] = difference(then, now);
            moved.productivity += ability + success;
            moved.persuasion += choice / taste + over - success;
            now = then;
        }
        if let Some(designs) = &self.tools {
            let [ability, over, success, choice] = difference(indices(designs, row, beta), now);
            if ability.abs() > 0.0 || over.abs() > 0.0 {
                return Err(Error::invalid_option(
                    "tool_column",
                    "a column of ability or overconfidence",
                    "a column of the choice, or of success, alone: what moves ability is a lesson",
                ));
            }
            moved.easing += success;
            moved.saving += choice / money - taste / money * success;
        }
        Ok(moved)
    }
}

fn difference(then: [f64; 4], now: [f64; 4]) -> [f64; 4] {
    std::array::from_fn(|k| then[k] - now[k])
}

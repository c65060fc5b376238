//! What one customer of given belief, cost and terms does: beliefs and their updating, the value of co-creating, its timing,
//! and the effort that is chosen.
//!
//! | file | idea |
//! |---|---|
//! | `belief` | `a ~ N(m, v)`, signals, the forecast and the objective law of m', education's three channels |
//! | `cost` | mental and material cost, anticipated and realised; the tool |
//! | `terms` | the task, the price and the other stakes |
//! | `participations` | taking part again and again, with learning, over a finite horizon |
//! | `preferences` | which value form, with which coefficients of risk and ambiguity aversion |
//! | `value` | the four value forms: certainty equivalents gross of cost and price, with derivatives |
//! | `timing` | before or after the purchase, as types: U_B and U_A, option value, value of information |
//! | `effort` | the effort that is chosen, with its corner and its several local optima |
//! | `hold_up` | the price set after the effort is sunk, against a price commitment |
//! | `dynamic` | choices with consequences over a finite set of states, and their value function |
//! | `trials` | trying before buying: finite-horizon optimal stopping |
//! | `shock` | the taste shock that makes a probability of a surplus |
//! | `exchange` | participation, data and control against a transfer: the bargain of customer and firm |
//! | `figures` | belief updating, participation against ability and uncertainty |
//! | `certainty` | the numbers behind them, exact for all arguments |

mod belief;
mod certainty;
mod cost;
mod dynamic;
mod effort;
mod exchange;
mod figures;
mod hold_up;
mod moves;
mod normal_rule;
mod outer_layer;
mod participations;
mod preferences;
mod shock;
mod terms;
mod timing;
mod trials;
mod value;

pub use belief::{Belief, Education, Forecast, Objective, Signals};
pub use certainty::{OptionEquivalent, Slopes, lottery, lottery_slope, option, option_with_slopes};
pub use cost::{Cost, Tool};
pub use dynamic::{DynamicProgram, DynamicSolution, LawOfMotion};
pub(crate) use dynamic::{RelativeSystem, Solved, check_discount};
pub use effort::{EffortChoice, LocalOptimum};
pub use exchange::{Agreement, Corner, DataBargain};
pub use figures::{ParticipationPlot, path_figure, updating_figure};
pub use hold_up::{HoldUp, PriceOutcome};
pub(crate) use normal_rule::pieces;
pub(crate) use participations::{LookAhead, STRUCTURE, share};
pub use participations::{ParticipationPlan, Participations};
pub use preferences::{Form, Preferences};
pub use shock::TasteShock;
pub use terms::{Task, Terms};
pub use timing::{AfterPurchase, BeforePurchase, Timing};
pub(crate) use trials::{Place, TrialTables};
pub use trials::{TrialChances, TrialPlan, Trials};
pub use value::Situation;
pub(crate) use value::hypothetical;

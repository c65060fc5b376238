//! What one customer of given belief, cost and terms does: beliefs and their updating, the value of co-creating, its timing,
//! and the effort that is chosen.
//!
//! | file | idea |
//! |---|---|
//! | `belief` | `a ~ N(m, v)`, signals, the forecast and the objective law of m', education's three channels |
//! | `cost` | mental and material cost, anticipated and realised; the tool |
//! | `terms` | the task, the price and the other stakes |
//! | `value` | the four value forms: certainty equivalents gross of cost and price, with derivatives |
//! | `certainty` | the numbers behind them, exact for all arguments |

mod belief;
mod certainty;
mod cost;
mod normal_rule;
mod terms;
mod value;

pub use belief::{Belief, Education, Forecast, Objective, Signals};
pub use certainty::{OptionEquivalent, Slopes, lottery, lottery_slope, option, option_with_slopes};
pub use cost::{Cost, Tool};
pub use terms::{Task, Terms};
pub use value::{Form, Preferences, Situation};
